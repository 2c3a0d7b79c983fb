"""The variables that a compiled program owns, apart from the best weights."""

from skae._engine._best import assign
from skae._engine._checks import check_optimizer_state


class Variables:
    """The TensorFlow variables of a model and its optimizer.

    Parameters
    ----------
    model : keras.Model

    optimizer : keras.optimizers.Optimizer
        Built, and fresh.

    Attributes
    ----------
    weights, optimizer : list of tf.Variable
    """

    def __init__(self, model, optimizer):
        self._optimizer = optimizer
        self.weights = [v.value for v in model.weights]
        self.optimizer = [v.value for v in optimizer.variables]
        self._fresh = [v.numpy() for v in self.optimizer]
        other = [*model.weights, *model.metrics_variables, *optimizer.variables]
        known = {id(v) for v in other}  # all but the states of random layers
        self._random_states = [v.value for v in model.variables if id(v) not in known]

    def load(self, state, layer_seed):
        """Write weights and optimizer state, and seed the layers that draw.

        Parameters
        ----------
        state : State

        layer_seed : numpy.random.Generator

        Raises
        ------
        ValueError
            Where the state is another optimizer's.
        """
        optimizer = self._fresh if state.optimizer is None else state.optimizer
        check_optimizer_state(optimizer, self._fresh, self._optimizer)
        assign(self.weights, state.weights)
        assign(self.optimizer, optimizer)
        for variable in self._random_states:
            draws = layer_seed.integers(2**31, size=variable.shape)
            variable.assign(draws.astype(variable.dtype.as_numpy_dtype))
