"""Opens an address without waiting for one that never answers."""

from __future__ import annotations

import http.client
import queue
import threading
import urllib.request

__all__ = ["MirrorError", "answer"]

ANSWER_SECONDS = 15.0  # without an answer for so long, the address is given up


class MirrorError(Exception):
    """What went wrong with one mirror."""


def answer(request: urllib.request.Request, stall: float) -> http.client.HTTPResponse:
    """Open an address, or give up after `ANSWER_SECONDS`; a later read may take `stall` seconds.

    In a thread, because a socket's timeout counts anew for each address behind a name, and looking
    the name up has none: behind a silent firewall, minutes would pass.
    """
    answers: queue.SimpleQueue[http.client.HTTPResponse | BaseException] = queue.SimpleQueue()
    given_up = threading.Event()

    def ask() -> None:
        try:
            response = urllib.request.urlopen(request, timeout=stall)
        except BaseException as error:  # whatever it is belongs to who asked
            answers.put(error)
        else:
            answers.put(response)
            if given_up.is_set():
                response.close()

    threading.Thread(target=ask, daemon=True).start()
    try:
        first = answers.get(timeout=ANSWER_SECONDS)
    except queue.Empty as error:
        given_up.set()
        raise MirrorError(f"no answer within {ANSWER_SECONDS:g} seconds") from error
    if isinstance(first, BaseException):
        raise first
    return first
