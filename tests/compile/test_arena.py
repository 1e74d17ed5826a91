"""Arrays share memory only if they are not alive together."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from scg._arrays import LINE
from scg._compile._arena import allocate
from scg._compile._buffers import Buffer

FLOAT = np.dtype(np.float32)

lives = st.lists(
    st.tuples(st.integers(0, 9), st.integers(0, 5), st.integers(0, 300), st.booleans()),
    min_size=1, max_size=20,
)  # fmt: skip


@given(lives)
def test_what_is_alive_together_lies_apart(cases):
    buffers = [
        Buffer(
            (size,), np.dtype(np.float32), pinned=pinned, writers=[first], readers=[first + more]
        )
        for first, more, size, pinned in cases
    ]
    total = allocate(buffers)
    assert total <= sum(-(-b.nbytes // LINE) * LINE + LINE for b in buffers)
    for i, a in enumerate(buffers):
        assert a.array.ctypes.data % LINE == 0
        for b in buffers[:i]:
            apart = a.readers[0] < b.writers[0] or b.readers[0] < a.writers[0]
            if a.pinned or b.pinned or not apart:
                assert not np.shares_memory(a.array, b.array)


def test_one_after_the_other_is_the_same_memory():
    buffers = [
        Buffer((100,), np.dtype(np.float64), writers=[i], readers=[i + 1]) for i in range(0, 20, 2)
    ]
    assert allocate(buffers) == 832
