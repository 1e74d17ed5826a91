"""Einstein sums: any sum of products over labelled axes; the vjp of one is another."""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import lru_cache
from string import ascii_letters
from typing import Any

import numpy as np

from scg._axes import Along, AxisMap
from scg._op import OPS, SMOOTH, Linear, op, serves
from scg._tensor import Tensor
from scg._typing import Array, Shape
from scg.errors import DTypeError, ShapeError
from scg.kernels import matmul as kernels
from scg.ops import _samples

__all__ = ["einsum"]

# Below this many multiply-adds NumPy's plain loop costs less than planning the contraction.
PLAN_FROM = 4096


def _refuse(subscripts: str, shapes: Sequence[Any], reason: str) -> ShapeError:
    given = ", ".join(map(str, shapes))
    return ShapeError(f"scg.einsum: '{subscripts}' with operands of shapes {given}: {reason}")


@lru_cache(maxsize=512)
def _parse(subscripts: str, shapes: tuple[Shape, ...]) -> tuple[tuple[str, ...], str]:
    """Return the labels of each operand and of the output, without ellipses."""
    inputs, arrow, right = subscripts.replace(" ", "").partition("->")
    terms = inputs.split(",")
    if len(terms) != len(shapes):
        raise _refuse(subscripts, shapes, f"it names {len(terms)} operand(s)")
    spare = [c for c in ascii_letters if c not in subscripts]
    extra = [len(s) - len(t.replace("...", "")) for t, s in zip(terms, shapes, strict=True)]
    if any(e < 0 or (e and "..." not in t) for t, e in zip(terms, extra, strict=True)):
        raise _refuse(subscripts, shapes, "each axis needs one label, or '...' for the others")
    dots = "".join(spare[: max(extra)])
    labels = tuple(
        t.replace("...", dots[len(dots) - e :]) for t, e in zip(terms, extra, strict=True)
    )
    together = "".join(labels)
    if arrow:
        out = right.replace("...", dots)
    else:
        named = together.translate(dict.fromkeys(map(ord, dots)))
        out = dots + "".join(sorted(c for c in set(named) if named.count(c) == 1))
    if dots and arrow and "..." not in right:
        raise _refuse(subscripts, shapes, "the output needs '...' as well")
    if not set(together) <= set(ascii_letters) or not set(out) <= set(together):
        raise _refuse(subscripts, shapes, "labels are letters, the output's from the inputs")
    if len(set(out)) < len(out):
        raise _refuse(subscripts, shapes, "a label of the output comes twice")
    return labels, out


def _sizes(subscripts: str, labels: Sequence[str], shapes: Sequence[Shape]) -> dict[str, int]:
    """Return the size of every label; 1 is repeated to the size of the others."""
    sizes: dict[str, int] = {}
    for term, shape in zip(labels, shapes, strict=True):
        for c, n in zip(term, shape, strict=True):
            before = sizes.get(c, 1)
            if n not in (before, 1) and before != 1:
                raise _refuse(subscripts, shapes, f"label '{c}' has sizes {before} and {n}")
            sizes[c] = n if before == 1 else before
    return sizes


def _einsum_shape(*shapes: Shape, subscripts: str) -> Shape:
    labels, out = _parse(subscripts, shapes)
    sizes = _sizes(subscripts, labels, shapes)
    return tuple(sizes[c] for c in out)


def _einsum_axes(shapes: Sequence[Shape], out: Shape, *, subscripts: str) -> list[AxisMap]:
    """Keep every axis whose label stands in the output and is not repeated by broadcasting."""
    labels, right = _parse(subscripts, tuple(shapes))
    return [
        tuple(
            Along(right.index(c)) if c in right and n == out[right.index(c)] else None
            for c, n in zip(term, shape, strict=True)
        )
        for term, shape in zip(labels, shapes, strict=True)
    ]


def _every_fact(same: bool, *facts: int) -> int:
    """Tell the sign of a sum of products: that which all factors have."""
    common = ~0
    for fact in facts:
        common &= fact
    return common


def _reference(*operands: Any, subscripts: str) -> Any:
    return np.einsum(subscripts, *operands)


@op(
    name="einsum", shape=_einsum_shape, axes=_einsum_axes,
    linear=Linear.EACH, smooth=SMOOTH, alias=True,
    sign=_every_fact, reference=_reference,
    samples=_samples.arrays(*(
        (shapes, {"subscripts": subscripts}) for subscripts, *shapes in (
            ("ij,jk->ik", (3, 4), (4, 2)), ("ij,jk", (3, 4), (4, 2)), ("ij->ji", (3, 4)),
            ("ba", (3, 4)), ("ii->i", (3, 3)), ("ii", (3, 3)), ("ij->", (3, 4)), ("ij->i", (3, 4)),
            ("i,j->ij", (3,), (4,)), ("i,i->i", (3,), (3,)), ("bij,bjk->bik", (2, 3, 4), (2, 4, 5)),
            ("...ij,...j->...i", (2, 3, 4), (2, 4)), ("...ij,...j->...i", (5, 3, 4), (2, 1, 4)),
            ("i...,i...->...", (3, 2), (3, 2)), ("...ii->...i", (2, 3, 3)),
            ("ij,k->i", (3, 4), (2,)), (",i->i", (), (3,)), ("i,i->i", (1,), (3,)),
            ("ij,jk,kl->il", (2, 3), (3, 4), (4, 2)), ("i,ij,j", (3,), (3, 4), (4,)),
            ("iij,jk->ik", (3, 3, 2), (2, 4)), ("ij,ij->", (0, 3), (0, 3)),
            ("iii->", (2, 2, 2)), ("ij,jk->ki", (20, 30), (30, 10)),
        )
    ), complex_step=True),
)  # fmt: skip
def _einsum(*operands: Any, subscripts: str) -> Any:
    """Sum products over labelled axes."""
    arrays = [np.asarray(x) for x in operands]
    shapes = tuple(x.shape for x in arrays)
    labels, out = _parse(subscripts, shapes)
    sizes = _sizes(subscripts, labels, shapes)
    if len(arrays) == 1 or math.prod(sizes.values()) < PLAN_FROM:
        return np.einsum(f"{','.join(labels)}->{out}", *arrays)
    if len(arrays) == 2:
        return _contracted(arrays, list(labels), out)
    return _in_pairs(arrays, list(labels), out)


def _in_pairs(arrays: list[Array], labels: list[str], out: str) -> Array:
    """Contract two operands at a time, in the order that NumPy finds cheap."""
    plain = f"{','.join(labels)}->{out}"
    _, *steps = np.einsum_path(plain, *arrays, optimize="greedy")[0]
    for step in steps:
        chosen = [(arrays.pop(i), labels.pop(i)) for i in sorted(step, reverse=True)]
        known = "".join(term for _, term in chosen)
        later = out + "".join(labels)
        kept = "".join(c for c in dict.fromkeys(known) if c in later) if labels else out
        arrays.append(_contracted([x for x, _ in chosen], [term for _, term in chosen], kept))
        labels.append(kept)
    return arrays[0]


def _contracted(arrays: list[Array], labels: list[str], out: str) -> Array:
    """Contract at once: as a matrix product where two operands have a sum between them."""
    if len(arrays) == 2:
        pair = [
            _without_own(x, term, other + out)
            for x, term, other in zip(arrays, labels, reversed(labels), strict=True)
        ]
        arrays, labels = [x for x, _ in pair], [term for _, term in pair]
        shared = set(labels[0]) & set(labels[1])
        size = dict(zip(labels[0], arrays[0].shape, strict=True))
        alike = all(size.get(c, n) == n for c, n in zip(labels[1], arrays[1].shape, strict=True))
        if alike and shared - set(out):
            return _by_matmul(arrays[0], arrays[1], labels[0], labels[1], out)
    return np.einsum(f"{','.join(labels)}->{out}", *arrays)  # type: ignore[no-any-return]


def _without_own(x: Array, labels: str, elsewhere: str) -> tuple[Array, str]:
    """Take the diagonals of repeated labels and sum over those that stand nowhere else."""
    kept = "".join(c for c in dict.fromkeys(labels) if c in elsewhere)
    return (x, labels) if kept == labels else (np.einsum(f"{labels}->{kept}", x), kept)


def _by_matmul(a: Array, b: Array, left: str, right: str, out: str) -> Array:
    batch = "".join(c for c in out if c in left and c in right)
    rows = "".join(c for c in left if c not in right)
    columns = "".join(c for c in right if c not in left)
    inner = "".join(c for c in left if c in right and c not in out)
    x, y = _grouped(a, left, batch, rows, inner), _grouped(b, right, batch, inner, columns)
    order = batch + rows + columns
    size = dict(zip(left + right, a.shape + b.shape, strict=True))
    product = kernels.matmul(x, y).reshape([size[c] for c in order])
    return product.transpose([order.index(c) for c in out])


def _grouped(x: Array, labels: str, batch: str, first: str, last: str) -> Array:
    """Bring the labels into the order batch, first, last and merge each of the last two groups."""
    moved = x.transpose([labels.index(c) for c in batch + first + last])
    split = len(batch), len(batch) + len(first)
    shape = moved.shape
    merged = math.prod(shape[split[0] : split[1]]), math.prod(shape[split[1] :])
    return moved.reshape(shape[: split[0]] + merged)


@_einsum.vjp
def _(
    F: Any, g: Any, needs: Sequence[Any], _y: Any, *operands: Any, subscripts: str
) -> tuple[Any, ...]:  # fmt: skip
    labels, out = _parse(subscripts, tuple(x.shape for x in operands))
    cotangents: list[Any] = []
    for i, needed in enumerate(needs):
        if not needed:
            cotangents.append(None)
            continue
        others = [x for j, x in enumerate(operands) if j != i]
        rest = [out, *(term for j, term in enumerate(labels) if j != i)]
        kept = "".join(c for c in dict.fromkeys(labels[i]) if c in "".join(rest))
        part = F.einsum(g, *others, subscripts=f"{','.join(rest)}->{kept}")
        cotangents.append(_spread(F, part, kept, labels[i], operands[i].shape))
    return tuple(cotangents)


def _spread(F: Any, part: Any, kept: str, labels: str, shape: Shape) -> Any:
    """Repeat along axes that were summed, and put what belongs to a diagonal on it."""
    size = dict(zip(kept, part.shape, strict=True))
    first = [labels.index(c) == i for i, c in enumerate(labels)]
    ones = tuple(size.get(c, 1) if f else 1 for c, f in zip(labels, first, strict=True))
    full = tuple(size.get(c, n) if f else n for c, f, n in zip(labels, first, shape, strict=True))
    whole = F.broadcast_to(part.reshape(ones), shape=full)
    for i, c in enumerate(labels):
        if not first[i]:
            whole = whole * _identity(labels.index(c), i, shape, part.dtype)
    return whole


def _identity(i: int, j: int, shape: Shape, dtype: Any) -> Array:
    """Return the identity matrix over axes i and j of an array of that shape."""
    axes = [n if k in (i, j) else 1 for k, n in enumerate(shape)]
    return np.eye(shape[i], dtype=dtype).reshape(axes)


@serves(np.einsum)
def einsum(subscripts: str, /, *operands: Any, optimize: Any = True) -> Tensor:
    """Sum products over labelled axes.

    Parameters
    ----------
    subscripts : str
        One label per axis, as in `"ij,jk->ik"`: labels that the output lacks are summed, `...`
        stands for further axes. Without `->` the output has the labels that come once, sorted.
    *operands : Tensor or array_like
        One per group of labels. A label repeated within a group takes a diagonal.
    optimize : object
        Accepted as NumPy has it; the order of large sums is always planned.

    Returns
    -------
    Tensor

    Raises
    ------
    ShapeError
        If labels and shapes do not fit.

    Notes
    -----
    Gradient: for each operand the Einstein sum of the cotangent with the other operands.

    Examples
    --------
    >>> import scg
    >>> scg.einsum("ij,j->i", [[1.0, 2.0], [3.0, 4.0]], [1.0, -1.0])
    Tensor([-1., -1.])
    """
    if not isinstance(subscripts, str):
        raise DTypeError(
            f"scg.einsum: subscripts must be a string like 'ij,jk->ik', not "
            f"{type(subscripts).__name__}"
        )
    return OPS["einsum"].public(*operands, subscripts=subscripts)  # type: ignore[no-any-return]
