"""A stack of layers that learns, in NumPy."""

from functools import cached_property

import numpy as np

from skae._engine._numpy_convolutions import LAYERS
from skae._engine._numpy_layers import ACTIVATIONS
from skae._engine._numpy_optimizers import parted


class Stack:
    """Layers whose weights lie in one flat array, as their gradients do.

    Parameters
    ----------
    plan : skae.networks.StackPlan

    loss : object
        From ``numpy_loss``.

    weights : float32 ndarray of shape (n_weights,), default=None
        Of another stack of the same plan, to share them; None makes new ones.

    Attributes
    ----------
    weights, gradients : float32 ndarray of shape (n_weights,)

    variables : list of ndarray
        Views of the weights, layer by layer.

    names, shapes : list
        Of these, in the order of the flat arrays.
    """

    def __init__(self, plan, loss, weights=None):
        self._loss = loss
        learning = [(p, *v) for p in plan.layers for v in p.variables]
        self.names = [f"{p.name}/{name}" for p, name, _ in learning]
        self.shapes = [shape for *_, shape in learning]
        sizes = [int(np.prod(shape)) for shape in self.shapes]
        if weights is None:
            weights = np.zeros(sum(sizes), np.float32)
        self.weights = weights
        self.gradients = np.zeros_like(weights)
        self.variables = parted(weights, self.shapes)
        views = iter(self.variables), iter(parted(self.gradients, self.shapes))
        self._layers = [
            LAYERS[type(p)](p, *(next(view) for view in views for _ in p.variables))
            for p in plan.layers
        ]
        # Nobody needs the gradients of what comes in before.
        self._first = next(i for i, p in enumerate(plan.layers) if p.variables)
        # What the loss makes of the last layer's output is its gradient already.
        self._is_direct = loss.activation is not None or (
            ACTIVATIONS[plan.layers[-1].activation] is ACTIVATIONS[None]
        )
        self._memory = {}

    def load(self, weights):
        """Write weights, a list of arrays."""
        for view, array in zip(self.variables, weights, strict=True):
            view[...] = array

    def copied_weights(self):
        """Return the weights, a list of new arrays."""
        return [view.copy() for view in self.variables]

    def descend(self, x, target, weight, n_rows):
        """Compute the gradients of some of a batch's rows; return their loss.

        Parameters
        ----------
        x, target : float32 ndarray of shape (n, n_in) and (n, n_out)

        weight : ndarray of shape (n,) or None

        n_rows : int
            How many rows the batch has.
        """
        memory = self._memory_for(len(x))
        outputs, gradients = memory.outputs, memory.gradients
        self._forward(x, outputs)
        gradient = outputs[-1]
        if not self._is_direct:
            gradient = memory.last
            np.copyto(gradient, outputs[-1])
        loss = self._loss(gradient, target, weight, n_rows)
        *before, last = self._layers
        inputs = [x, *outputs[:-1]]
        below = gradients[-1] if before else None
        if self._is_direct:
            last.linear_backward(inputs[-1], outputs[-1], gradient, below)
        else:
            last.backward(inputs[-1], outputs[-1], gradient, below)
        for i in range(len(before) - 1, self._first - 1, -1):
            below = gradients[i - 1] if i > self._first else None
            before[i].backward(inputs[i], outputs[i], gradients[i], below)
        return loss

    def loss(self, x, target, weight):
        """Return the loss of rows."""
        outputs = self._memory_for(len(x)).outputs
        self._forward(x, outputs)
        return self._loss.value(outputs[-1], target, weight)

    def _forward(self, x, outputs):
        """Fill the layers' outputs, but for the activation that the loss takes over."""
        *before, last = self._layers
        for layer, out in zip(before, outputs, strict=False):
            layer.forward(x, out)
            x = out
        if self._loss.activation is None:
            last.forward(x, outputs[-1])
        else:
            last.linear(x, outputs[-1])

    def _memory_for(self, n):
        """Return the arrays that n rows need on their way."""
        if n not in self._memory:
            self._memory[n] = _Memory(n, self._layers)
        return self._memory[n]


class _Memory:
    """The arrays that so many rows need on their way through these layers."""

    def __init__(self, n, layers):
        self._shapes = [layer.plan.output_shape(n) for layer in layers]
        self.outputs = _arrays(self._shapes)

    @cached_property
    def gradients(self):
        """Gradients of the outputs of all layers but the last."""
        return _arrays(self._shapes[:-1])

    @cached_property
    def last(self):
        """The gradient of the last layer's output."""
        return _arrays(self._shapes[-1:])[0]


def _arrays(shapes):
    return [np.empty(shape, np.float32) for shape in shapes]
