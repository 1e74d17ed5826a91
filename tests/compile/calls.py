"""Compiled functions without native code, called as often as it takes."""

import scg


def debug(function, **options):
    """Compile without native code: what is tested here is the same, and no kernel is built."""
    return scg.jit(debug=True, **options)(function)


def thrice(function, *args):
    """Return what two traced calls and a compiled one return."""
    return [function(*args) for _ in range(3)]


def traces(function):
    return sum(len(entry.plans) for entry in function._entries.values())
