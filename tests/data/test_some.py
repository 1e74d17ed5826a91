"""Some test images: which, in what order, and with what labels."""

import numpy as np
import pytest

from scg.data import Dataset


@pytest.fixture
def numbered():
    images = np.arange(20, dtype=np.float32)[:, None]
    return Dataset("numbered", images, images, (1, 1), test_labels=np.arange(20) + 100)


def test_labels_go_with_their_images_and_none_comes_twice(numbered):
    images, labels = numbered.some(12, np.random.default_rng(0))
    np.testing.assert_array_equal(images[:, 0] + 100, labels)
    assert len(set(labels)) == 12
    assert sorted(labels) != list(labels)


def test_who_chooses_is_the_generator(numbered):
    first, again, other = (numbered.some(12, np.random.default_rng(n))[1] for n in (0, 0, 1))
    np.testing.assert_array_equal(first, again)
    assert list(first) != list(other)


def test_there_are_no_more_than_all(numbered):
    assert len(numbered.some(50, np.random.default_rng(0))[0]) == 20
