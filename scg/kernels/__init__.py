"""Numba kernels: loops over raw, contiguous NumPy arrays that know nothing of tensors or graphs."""
