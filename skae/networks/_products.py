"""Products of matrices that are few numbers high, and very many long.

OpenBLAS multiplies small matrices without copying them first, which makes convolutions
of few channels up to twice as fast: long products go there in pieces.
"""

import numpy as np

# Multiplications of a product that OpenBLAS takes for small, on its fastest processors.
_SMALL = 1_000_000
# Shorter pieces cost more than they save.
_LEAST = 384


def multiply(a, b, out):
    """Write the product of a matrix and one of many columns.

    Parameters
    ----------
    a, b, out : ndarray of shape (m, k), (k, n) and (m, n)
    """
    for piece in _pieces(*a.shape, b.shape[1]):
        np.matmul(a, b[:, piece], out=out[:, piece])


def multiply_rows(a, b, out):
    """Write the products of all rows of two matrices of many columns.

    Parameters
    ----------
    a, b, out : ndarray of shape (m, k), (n, k) and (m, n)
    """
    first, *others = _pieces(*out.shape, a.shape[1])
    np.matmul(a[:, first], b[:, first].T, out=out)
    for piece in others:
        out += a[:, piece] @ b[:, piece].T


def _pieces(n_1, n_2, length):
    """Return slices of a length that make products of these other lengths small."""
    size = _SMALL // (n_1 * n_2)
    if size < _LEAST or size >= length:
        return [slice(0, length)]
    return [slice(start, start + size) for start in range(0, length, size)]
