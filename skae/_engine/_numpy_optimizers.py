"""Optimizers in NumPy, as Keras defines them, with Keras's defaults.

An optimizer works on one flat array of all weights, block by block: what a block needs
stays in the processor's cache, and threads can share the blocks. Its state comes and
goes as the list of variables that Keras's optimizer of the same name has.
"""

import functools
from itertools import pairwise

import numpy as np

# Moments below this are set to zero, every so many steps.
_NOTHING, _FLUSH_EVERY = 1e-30, 128
# Adam passes ten times over four arrays of a block: together two megabytes.
_BLOCK = 1 << 17


class SGD:
    """Stochastic gradient descent, without momentum.

    Parameters
    ----------
    weights : float32 ndarray of shape (n,)

    gradients : list of float32 ndarray of shape (n,)
        The gradient is their sum. They are scratch memory once a step is taken.

    shapes : list of tuple of int
        Of the variables that lie in the flat arrays, one after the other.
    """

    learning_rate = 0.01

    def __init__(self, weights, gradients, shapes):
        self._shapes = shapes
        self._n_steps = 0
        self._moments = self._fresh_moments(weights)
        cuts = [*range(0, len(weights), _BLOCK), len(weights)]
        self._blocks = [
            (
                weights[i:j],
                [gradient[i:j] for gradient in gradients],
                [moment[i:j] for moment in self._moments],
            )
            for i, j in pairwise(cuts)
        ]

    def load(self, state):
        """Begin with a state, as ``state`` returns it."""
        self._n_steps = int(state[0])
        self.learning_rate = float(state[1])

    def state(self):
        """Return the variables that Keras's optimizer has."""
        return [np.asarray(self._n_steps), np.asarray(self.learning_rate, np.float32)]

    def tasks(self):
        """Return functions that take a step together, in any order, in any thread."""
        self._n_steps += 1
        if self._n_steps % _FLUSH_EVERY == 0:
            self._flush()
        constants = self._constants()
        return [
            functools.partial(self._step, *block, *constants) for block in self._blocks
        ]

    @property
    def n_steps(self):
        """Steps that were taken."""
        return self._n_steps

    def moments(self):
        """Return lists of views of what is kept beside the weights."""
        return [parted(moment, self._shapes) for moment in self._moments]

    def count(self, n_steps):
        """Note steps that somebody else took, with ``stepped``."""
        self._n_steps += n_steps

    @staticmethod
    def stepped(sqrt, state, gradients, n_steps, rate):
        """Return weights and moments after a step, without changing any.

        Parameters
        ----------
        sqrt : callable

        state : list of list of tensor
            Weights, then each moment, one tensor per variable.

        gradients : list of tensor

        n_steps, rate : tensor of shape ()
            Number of this step, from 1, and the learning rate.
        """
        pairs = zip(state[0], gradients, strict=True)
        return [[weight - rate * gradient for weight, gradient in pairs]]

    def _fresh_moments(self, weights):
        return []

    def _flush(self):
        """Let nothing decay into the smallest numbers, which are slow to handle."""

    def _constants(self):
        """Return what a step does not compute anew for every block."""
        return (np.float32(self.learning_rate),)

    @staticmethod
    def _step(weights, gradients, moments, rate):
        gradient = _sum(gradients)
        gradient *= rate
        np.subtract(weights, gradient, out=weights)


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
    _BETAS, _EPSILON = (0.9, 0.999), 1e-7

    def load(self, state):
        """Begin with a state, as ``state`` returns it."""
        super().load(state)
        for i, (moment, beta) in enumerate(
            zip(self._moments, self._BETAS, strict=True)
        ):
            kept = [np.ravel(one) for one in state[2 + i :: 2]]
            moment[:] = np.concatenate(kept, dtype=np.float64) / (1 - beta)

    def state(self):
        """Return the variables that Keras's optimizer has; moments in float64.

        So that they come back to the same bits: they are kept in another scale.
        """
        first, second = (
            parted(moment.astype(np.float64) * (1 - beta), self._shapes)
            for moment, beta in zip(self._moments, self._BETAS, strict=True)
        )
        pairs = zip(first, second, strict=True)
        return [*super().state(), *(one for pair in pairs for one in pair)]

    def _fresh_moments(self, weights):
        return [np.zeros_like(weights), np.zeros_like(weights)]

    def _flush(self):
        # Far below what the update's epsilon lets through.
        for moment in self._moments:
            moment[np.abs(moment) < _NOTHING] = 0

    @classmethod
    def stepped(cls, sqrt, state, gradients, n_steps, rate):
        """Return weights and moments after a step, without changing any."""
        weights, first, second = state
        betas = [np.float32(beta) for beta in cls._BETAS]
        rate, epsilon = cls._scaled(sqrt, rate, [beta**n_steps for beta in betas])
        first = [betas[0] * m + g for m, g in zip(first, gradients, strict=True)]
        second = [betas[1] * v + g * g for v, g in zip(second, gradients, strict=True)]
        triples = zip(weights, first, second, strict=True)
        weights = [w - rate * (m / (sqrt(v) + epsilon)) for w, m, v in triples]
        return [weights, first, second]

    @classmethod
    def _scaled(cls, sqrt, rate, powers):
        """Return learning rate and epsilon for the moments as they are kept."""
        rate = rate * sqrt(1 - powers[1]) / (1 - powers[0])
        root = np.sqrt(1 - cls._BETAS[1])
        rate = rate * np.float32((1 - cls._BETAS[0]) / root)
        return rate, np.float32(cls._EPSILON / root)

    def _constants(self):
        # Keras computes the powers in float32, too.
        betas = np.asarray(self._BETAS, np.float32)
        powers = np.power(betas, np.float32(self._n_steps))
        return *betas, *self._scaled(np.sqrt, np.float32(self.learning_rate), powers)

    @staticmethod
    def _step(weights, gradients, moments, beta_1, beta_2, rate, epsilon):
        gradient = _sum(gradients)
        first, second = moments
        np.multiply(first, beta_1, out=first)
        np.add(first, gradient, out=first)
        np.multiply(second, beta_2, out=second)
        np.multiply(gradient, gradient, out=gradient)
        np.add(second, gradient, out=second)
        np.sqrt(second, out=gradient)
        np.add(gradient, epsilon, out=gradient)
        np.divide(first, gradient, out=gradient)
        np.multiply(gradient, rate, out=gradient)
        np.subtract(weights, gradient, out=weights)


def parted(flat, shapes):
    """Return the variables of these shapes that lie in a flat array, as views."""
    cuts = np.cumsum([np.prod(shape, dtype=int) for shape in shapes])
    parts = np.split(flat, cuts[:-1])
    return [p.reshape(shape) for p, shape in zip(parts, shapes, strict=True)]


def _sum(gradients):
    """Return the sum of gradients, in the memory of the first."""
    total, *others = gradients
    for other in others:
        np.add(total, other, out=total)
    return total


#: Keras name: class.
OPTIMIZERS = {"adam": Adam, "Adam": Adam, "sgd": SGD, "SGD": SGD}
