"""Optimizers in NumPy, as Keras defines them, with Keras's defaults.

An optimizer works on one flat array of all weights, block by block: what a block needs
stays in the processor's cache, and threads can share the blocks. Its state comes and
goes as the list of variables that Keras's optimizer of the same name has.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from itertools import pairwise

import numpy as np

Array = np.ndarray
Shapes = list[tuple[int, ...]]

# Moments below this are set to zero, every so many steps.
_NOTHING, _FLUSH_EVERY = 1e-30, 128
# Adam passes ten times over four arrays of a block: together two megabytes.
_BLOCK = 1 << 17


class SGD:
    """Stochastic gradient descent, without momentum.

    The gradient is the sum of `gradients`, which are scratch memory once a step is
    taken; `shapes` are those of the variables that lie in the flat arrays.
    """

    learning_rate = 0.01
    _BETAS: tuple[float, ...] = ()  # decay of each moment

    def __init__(
        self,
        weights: Array,
        gradients: list[Array],
        shapes: Shapes,
        block: int = _BLOCK,
    ) -> None:
        self._shapes = shapes
        self._n_steps = 0
        self._moments = [np.zeros_like(weights) for _ in self._BETAS]
        cuts = [*range(0, len(weights), block), len(weights)]
        self._blocks = [
            (
                weights[i:j],
                [gradient[i:j] for gradient in gradients],
                [moment[i:j] for moment in self._moments],
            )
            for i, j in pairwise(cuts)
        ]

    def load(self, state: list) -> None:
        """Begin with a state, as ``state`` returns it."""
        self._n_steps = int(state[0])
        self.learning_rate = float(state[1])

    def state(self) -> list[Array]:
        """Return the variables that Keras's optimizer has."""
        return [np.asarray(self._n_steps), np.asarray(self.learning_rate, np.float32)]

    def tasks(self) -> list[Callable[[], None]]:
        """Return functions that take a step together, in any order, in any thread."""
        self._n_steps += 1
        if self._n_steps % _FLUSH_EVERY == 0:
            # Nothing may decay into the smallest numbers, which are slow to handle.
            # Those set to zero are far below what Adam's epsilon lets through.
            for moment in self._moments:
                moment[np.abs(moment) < _NOTHING] = 0
        constants = self._constants()
        return [partial(self._step, *block, *constants) for block in self._blocks]

    def _constants(self) -> tuple:
        """Return what a step does not compute anew for every block."""
        return (np.float32(self.learning_rate),)

    @staticmethod
    def _step(
        weights: Array, gradients: list[Array], moments: list[Array], rate: np.float32
    ) -> None:
        """Take a step on one block."""
        gradient = gradients[0]
        for other in gradients[1:]:
            np.add(gradient, other, out=gradient)
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

    def load(self, state: list) -> None:
        """Begin with a state, as ``state`` returns it."""
        super().load(state)
        for i, (moment, beta) in enumerate(
            zip(self._moments, self._BETAS, strict=True)
        ):
            kept = [np.ravel(one) for one in state[2 + i :: 2]]
            moment[:] = np.concatenate(kept, dtype=np.float64) / (1 - beta)

    def state(self) -> list[Array]:
        """Return the variables that Keras's optimizer has; moments in float64."""
        # So that they come back to the same bits: they are kept in another scale.
        first, second = (
            parted(moment.astype(np.float64) * (1 - beta), self._shapes)
            for moment, beta in zip(self._moments, self._BETAS, strict=True)
        )
        pairs = zip(first, second, strict=True)
        numbers = np.asarray(self._n_steps), np.asarray(self.learning_rate, np.float32)
        return [*numbers, *(one for pair in pairs for one in pair)]

    def _constants(self) -> tuple:
        """Return betas, the scaled rate and epsilon."""
        # Keras computes the powers in float32, too.
        betas = np.asarray(self._BETAS, np.float32)
        powers = np.power(betas, np.float32(self._n_steps))
        root = np.sqrt(1 - self._BETAS[1])
        rate = np.float32(self.learning_rate) * np.sqrt(1 - powers[1]) / (1 - powers[0])
        rate = rate * np.float32((1 - self._BETAS[0]) / root)
        return *betas, rate, np.float32(self._EPSILON / root)

    @staticmethod
    def _step(  # type: ignore[override]
        weights: Array,
        gradients: list[Array],
        moments: list[Array],
        beta_1: np.float32,
        beta_2: np.float32,
        rate: np.float32,
        epsilon: np.float32,
    ) -> None:
        """Take a step on one block."""
        gradient = gradients[0]
        for other in gradients[1:]:
            np.add(gradient, other, out=gradient)
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


def parted(flat: Array, shapes: Shapes) -> list[Array]:
    """Return the variables of these shapes that lie in a flat array, as views."""
    cuts = np.cumsum([np.prod(shape, dtype=int) for shape in shapes])
    parts = np.split(flat, cuts[:-1])
    return [p.reshape(shape) for p, shape in zip(parts, shapes, strict=True)]


def check_optimizer_state(state: list, fresh: list, optimizer: object) -> None:
    """Raise a ValueError where a state is not shaped like an optimizer's fresh one."""
    if [np.shape(value) for value in state] != [np.shape(value) for value in fresh]:
        raise ValueError(
            f"Training cannot continue: the optimizer is now {type(optimizer).__name__}"
            ", but the state that is kept is another's. Keep the optimizer, or begin "
            "anew with fit."
        )


#: Keras name: class.
OPTIMIZERS = {"adam": Adam, "Adam": Adam, "sgd": SGD, "SGD": SGD}
