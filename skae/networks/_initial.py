"""Fresh weights, as Keras's default initializers give them, from a NumPy generator.

Keras's initializers draw from seeds that Python's global random state gives them. These
draw from a generator that is an argument.
"""

from math import prod

import numpy as np


def draw_weight(path, shape, rng):
    r"""Return fresh values of a Keras variable, told apart by its path.

    Kernels start Glorot uniform, in :math:`\pm\sqrt{6 / (n_{in} + n_{out})}` [1]_,
    recurrent kernels orthogonal [2]_, biases at zero but for an LSTM's forget gate,
    which starts at one [3]_; scales and variances of normalisation layers at one.

    Parameters
    ----------
    path : str
        Keras's ``variable.path``, for instance "encoder/latent/kernel".

    shape : tuple of int

    rng : numpy.random.Generator

    Returns
    -------
    values : float32 ndarray of this shape

    References
    ----------
    .. [1] Glorot, X. and Bengio, Y. (2010). Understanding the difficulty of training
       deep feedforward neural networks. AISTATS, PMLR 9:249-256.
    .. [2] Saxe, A. M., McClelland, J. L. and Ganguli, S. (2014). Exact solutions to the
       nonlinear dynamics of learning in deep linear neural networks. ICLR.
    .. [3] Jozefowicz, R., Zaremba, W. and Sutskever, I. (2015). An empirical
       exploration of recurrent network architectures. ICML, PMLR 37:2342-2350.
    """
    shape = tuple(shape)
    name = path.rpartition("/")[2]
    if name == "recurrent_kernel":
        return _orthogonal(shape, rng)
    if name == "kernel":
        return _glorot_uniform(shape, rng)
    if name in ("gamma", "moving_variance"):
        return np.ones(shape, np.float32)
    values = np.zeros(shape, np.float32)
    if name == "bias" and "lstm_cell" in path:
        n_units = shape[0] // 4  # gates: input, forget, cell, output
        values[n_units : 2 * n_units] = 1.0
    return values


def _glorot_uniform(shape, rng):
    """Return a kernel whose last two axes are inputs and outputs."""
    field = prod(shape[:-2])  # places that a convolution's kernel covers
    limit = np.sqrt(6 / (field * (shape[-2] + shape[-1])))
    return rng.uniform(-limit, limit, size=shape).astype(np.float32)


def _orthogonal(shape, rng):
    """Return a matrix with orthonormal rows or columns."""
    rows, columns = shape
    tall = rng.normal(size=(max(shape), min(shape)))
    q, r = np.linalg.qr(tall)
    q *= np.sign(np.diag(r))  # uniform over all such matrices
    return (q if rows >= columns else q.T).astype(np.float32)
