"""Windows of convolutions, copied to the rows of a matrix and added back, in tasks.

A task finds sizes and addresses in its row (`FIELDS`). An image that is padded, or stepped over, is
copied first: surrounded by zeros, and apart by phases, so that the columns that one tap sees lie
side by side. Whole vectors are copied: what they write past a row's end is overwritten by the next
row, or lies in room that was left for it.
"""

from __future__ import annotations

from typing import Any

from scg.kernels._jit import device
from scg.kernels.simd_memory import load_i64
from scg.kernels.simd_tile import COLUMNS, LINE, VECTOR_BYTES, add_row, copy_row, load, store

__all__ = [
    "BAND", "CHANNELS", "FIELDS", "HEIGHT", "IMAGES", "OUTPUTS", "OUT_H", "OUT_W", "PAD_H",
    "PIECES", "PRODUCT", "SIZE_H", "SIZE_W", "SLACK", "STEP_H", "TAP_H", "TILE", "W", "X", "Y",
    "copy_image", "depth_of", "gather", "image_bytes", "is_copied", "layout", "pitch_of",
    "room", "scatter", "write_image",
]  # fmt: skip

# What a task finds in its row. Images and results are contiguous, filters too; sizes are numbers.
FIELDS = (
    "x", "w", "y", "channels", "height", "width", "outputs", "size_h", "size_w", "out_h", "out_w",
    "step_h", "step_w", "pad_h", "pad_w", "tap_h", "tap_w", "band", "pieces", "images",
    "multiply", "tile", "finish", "transpose",
)  # fmt: skip
(
    X, W, Y, CHANNELS, HEIGHT, WIDTH, OUTPUTS, SIZE_H, SIZE_W, OUT_H, OUT_W,
    STEP_H, STEP_W, PAD_H, PAD_W, TAP_H, TAP_W, BAND, PIECES, IMAGES,
    PRODUCT, TILE, FINISH, TRANSPOSE,
) = range(len(FIELDS))  # fmt: skip
# Numbers behind the end of windows and copied images to which whole vectors reach, and more.
SLACK = COLUMNS * VECTOR_BYTES


@device
def layout(row: Any, size: Any) -> tuple[Any, Any, Any]:
    """Return the bytes from a channel, row and phase of a copied image to the next."""
    step = load_i64(row, STEP_W)
    wide = load_i64(row, WIDTH) + 2 * load_i64(row, PAD_W)
    phase = -(-wide // step) * size
    high = load_i64(row, HEIGHT) + 2 * load_i64(row, PAD_H)
    return high * step * phase, step * phase, phase


@device
def image_bytes(row: Any, size: Any) -> Any:
    return load_i64(row, CHANNELS) * load_i64(row, HEIGHT) * load_i64(row, WIDTH) * size


@device
def is_copied(row: Any) -> Any:
    return load_i64(row, PAD_H) + load_i64(row, PAD_W) > 0 or load_i64(row, STEP_W) > 1


@device
def room(row: Any, size: Any) -> Any:
    """Return how many numbers a copied image takes; whole vectors are written to its end."""
    channel, _, _ = layout(row, size)
    return load_i64(row, CHANNELS) * channel // size + SLACK


@device
def pitch_of(row: Any, size: Any) -> Any:
    """Return the bytes from a row of windows to the next: an odd number of lines, see `LINE`."""
    lines = -(-load_i64(row, BAND) * load_i64(row, OUT_W) * size // LINE)
    return (lines + 1 - lines % 2) * LINE


@device
def depth_of(row: Any) -> Any:
    return load_i64(row, CHANNELS) * load_i64(row, SIZE_H) * load_i64(row, SIZE_W)


@device
def copy_image(like: Any, row: Any, image: Any, first: Any, last: Any, target: Any) -> None:
    """Copy rows `first` to `last - 1` of a padded image, whose zeros are there already."""
    size, narrow = like.itemsize, COLUMNS * VECTOR_BYTES // like.itemsize
    channel, line, phase = layout(row, size)
    height, width = load_i64(row, HEIGHT), load_i64(row, WIDTH)
    pad_h, pad_w, step = load_i64(row, PAD_H), load_i64(row, PAD_W), load_i64(row, STEP_W)
    for c in range(load_i64(row, CHANNELS)):
        for y in range(max(first, pad_h), min(last, pad_h + height)):
            source = image + (c * height + y - pad_h) * width * size
            goal = target + c * channel + y * line
            if step == 1:
                # What is written past the end are zeros, or what the next row overwrites.
                for q in range(0, width, narrow):
                    copy_row(like, source + q * size, width - q, goal + (pad_w + q) * size)
            else:
                for f in range(step):
                    q = (f + (step - 1) * pad_w) % step
                    place = goal + f * phase + (q + pad_w) // step * size
                    while q < width:
                        store(like, place, load(like, source + q * size))
                        place += size
                        q += step


@device
def write_image(like: Any, row: Any, copied: Any, first: Any, last: Any, image: Any) -> None:
    """Write channels `first` to `last - 1` of a copied image, the first of which it begins with."""
    size = like.itemsize
    channel, line, phase = layout(row, size)
    height, width = load_i64(row, HEIGHT), load_i64(row, WIDTH)
    pad_h, pad_w, step = load_i64(row, PAD_H), load_i64(row, PAD_W), load_i64(row, STEP_W)
    for c in range(first, last):
        for y in range(height):
            source = copied + (c - first) * channel + (y + pad_h) * line
            goal = image + (c * height + y) * width * size
            for f in range(step):
                q = (f + (step - 1) * pad_w) % step
                place = source + f * phase + (q + pad_w) // step * size
                while q < width:
                    store(like, goal + q * size, load(like, place))
                    place += size
                    q += step


@device
def gather(
    like: Any, row: Any, image: Any, channel: Any, line: Any, phase: Any, first: Any, last: Any,
    windows: Any, pitch: Any,
) -> None:  # fmt: skip
    """Copy what each tap sees of the output rows from `first` on to a row of the windows."""
    size, narrow = like.itemsize, COLUMNS * VECTOR_BYTES // like.itemsize
    out_w, step_h, step_w = load_i64(row, OUT_W), load_i64(row, STEP_H), load_i64(row, STEP_W)
    tap_h, tap_w = load_i64(row, TAP_H), load_i64(row, TAP_W)
    goal = windows
    for c in range(load_i64(row, CHANNELS)):
        for i in range(load_i64(row, SIZE_H)):
            for j in range(load_i64(row, SIZE_W)):
                x = j * tap_w
                start = image + c * channel + (first * step_h + i * tap_h) * line
                start += x % step_w * phase + x // step_w * size
                place = goal
                for _ in range(first, last):
                    for q in range(0, out_w, narrow):
                        copy_row(like, start + q * size, out_w - q, place + q * size)
                    start += step_h * line
                    place += out_w * size
                goal += pitch


@device
def scatter(
    like: Any, row: Any, windows: Any, pitch: Any, first: Any, last: Any, channels: Any, image: Any
) -> None:
    """Add the rows of windows to where the taps see them: the transpose of `gather`."""
    size, narrow = like.itemsize, COLUMNS * VECTOR_BYTES // like.itemsize
    channel, line, phase = layout(row, size)
    out_w, step_h, step_w = load_i64(row, OUT_W), load_i64(row, STEP_H), load_i64(row, STEP_W)
    tap_h, tap_w = load_i64(row, TAP_H), load_i64(row, TAP_W)
    source = windows
    for c in range(channels):
        for i in range(load_i64(row, SIZE_H)):
            for j in range(load_i64(row, SIZE_W)):
                x = j * tap_w
                goal = image + c * channel + (first * step_h + i * tap_h) * line
                goal += x % step_w * phase + x // step_w * size
                place = source
                for _ in range(first, last):
                    for q in range(0, out_w, narrow):
                        add_row(like, place + q * size, out_w - q, goal + q * size)
                    goal += step_h * line
                    place += out_w * size
                source += pitch
