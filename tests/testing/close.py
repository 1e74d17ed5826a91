"""What these tests share."""

import numpy as np


def close(ours, truth, accuracy=1e-9):
    """Compare to the accuracy that the tools claim, relative to the truth or to 1."""
    np.testing.assert_allclose(ours, truth, rtol=accuracy, atol=accuracy)
