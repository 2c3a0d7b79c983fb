"""Optimizers in NumPy, as Keras defines them, with Keras's defaults.

An optimizer works on one flat array of all weights, block by block, so that what a
block needs stays in the processor's cache. Its state comes and goes as the list of
variables that Keras's optimizer of the same name has.
"""

from itertools import pairwise

import numpy as np

# Adam passes ten times over four arrays of a block: together half a megabyte.
_BLOCK = 1 << 15


class SGD:
    """Stochastic gradient descent, without momentum.

    Parameters
    ----------
    weights, gradients : ndarray of shape (n,)
        The latter are scratch memory once a step is taken.

    shapes : list of tuple of int
        Of the variables that lie in the flat arrays, one after the other.
    """

    learning_rate = 0.01

    def __init__(self, weights, gradients, shapes):
        self._weights, self._gradients = weights, gradients
        self._shapes = shapes
        self._n_steps = 0

    def load(self, state):
        """Begin with a state, as ``state`` returns it."""
        self._n_steps = int(state[0])
        self.learning_rate = float(state[1])

    def state(self):
        """Return the variables that Keras's optimizer has."""
        return [np.asarray(self._n_steps), np.asarray(self.learning_rate, np.float32)]

    def step(self):
        """Take a step down the gradients."""
        self._n_steps += 1
        self._gradients *= np.float32(self.learning_rate)
        np.subtract(self._weights, self._gradients, out=self._weights)


class Adam(SGD):
    r"""Adam: :math:`\beta_1` = 0.9, :math:`\beta_2` = 0.999, :math:`\epsilon` = 1e-7.

    Notes
    -----
    The moments are kept as :math:`m / (1 - \beta_1)` and :math:`v / (1 - \beta_2)`,
    which saves two passes of twelve over them [1]_.

    References
    ----------
    .. [1] Kingma, D. P. and Ba, J. (2015). Adam: a method for stochastic optimization.
       ICLR. Algorithm 1, in the order of computation at the end of its section 2.
    """

    learning_rate = 0.001
    _BETA_1, _BETA_2, _EPSILON = 0.9, 0.999, 1e-7

    def __init__(self, weights, gradients, shapes):
        super().__init__(weights, gradients, shapes)
        self._first, self._second = np.zeros_like(weights), np.zeros_like(weights)
        arrays = weights, gradients, self._first, self._second
        cuts = [*range(0, len(weights), _BLOCK), len(weights)]
        self._blocks = [tuple(a[i:j] for a in arrays) for i, j in pairwise(cuts)]

    def load(self, state):
        """Begin with a state, as ``state`` returns it."""
        super().load(state)
        for moment, kept, beta in (
            (self._first, state[2::2], self._BETA_1),
            (self._second, state[3::2], self._BETA_2),
        ):
            flat = np.concatenate([np.ravel(one) for one in kept], dtype=np.float64)
            moment[:] = flat / (1 - beta)

    def state(self):
        """Return the variables that Keras's optimizer has; moments in float64.

        So that they come back to the same bits: they are kept in another scale.
        """
        first = self._parts(self._first.astype(np.float64) * (1 - self._BETA_1))
        second = self._parts(self._second.astype(np.float64) * (1 - self._BETA_2))
        pairs = zip(first, second, strict=True)
        return [*super().state(), *(one for pair in pairs for one in pair)]

    def _parts(self, flat):
        """Return the variables that lie in a flat array."""
        cuts = np.cumsum([np.prod(shape, dtype=int) for shape in self._shapes])
        parts = np.split(flat, cuts[:-1])
        return [p.reshape(s) for p, s in zip(parts, self._shapes, strict=True)]

    def step(self):
        """Take a step."""
        self._n_steps += 1
        beta_1, beta_2 = np.float32(self._BETA_1), np.float32(self._BETA_2)
        one, n_steps = np.float32(1), np.float32(self._n_steps)
        # Keras computes the powers in float32, too.
        power_1, power_2 = np.power(beta_1, n_steps), np.power(beta_2, n_steps)
        rate = np.float32(self.learning_rate) * np.sqrt(one - power_2) / (one - power_1)
        root = np.sqrt(1 - self._BETA_2)
        rate = np.float32(rate * (1 - self._BETA_1) / root)
        epsilon = np.float32(self._EPSILON / root)
        for weights, gradients, first, second in self._blocks:
            np.multiply(first, beta_1, out=first)
            np.add(first, gradients, out=first)
            np.multiply(second, beta_2, out=second)
            np.multiply(gradients, gradients, out=gradients)
            np.add(second, gradients, out=second)
            np.sqrt(second, out=gradients)
            np.add(gradients, epsilon, out=gradients)
            np.divide(first, gradients, out=gradients)
            np.multiply(gradients, rate, out=gradients)
            np.subtract(weights, gradients, out=weights)


#: Keras name: class.
OPTIMIZERS = {"adam": Adam, "Adam": Adam, "sgd": SGD, "SGD": SGD}
