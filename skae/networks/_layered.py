"""What skae's own stacks of layers share: options, and how Keras builds them."""

import functools
from numbers import Real

import numpy as np

from skae._validation import Interval, StrOptions
from skae.networks._activations import ACTIVATION_NAMES, activation_range
from skae.networks._base import Built, Network
from skae.networks._shapes import check_asked_shape, inner_shapes, is_size

ACTIVATION = [StrOptions(set(ACTIVATION_NAMES)), None]
# TensorFlow registers a gradient for each graph that uses its own one, which keeps the
# graph alive for good; as a product of layers it is the same.
_PRODUCTS = {"silu", "swish"}
# Keras's 0.99 forgets its beginning after hundreds of steps; short trainings have less.
_MOMENTUM = 0.9


class LayeredNetwork(Network):
    """Base of the networks whose encoder and decoder are stacks of layers.

    Its options are parameters of every subclass, which lists them in ``__init__``.
    """

    _parameter_constraints = {
        "latent_activation": ACTIVATION,
        "output_activation": ACTIVATION,
        "dropout": [Interval(Real, 0, 1, closed="left")],
        "normalization": [StrOptions({"batch", "layer"}), None],
        "activity_l1": [Interval(Real, 0, None, closed="left")],
        "input_shape": [tuple, list, None],
    }

    #: Name of the parameter that holds one size per layer of the encoder.
    _sizes = ""
    #: How many sizes it holds at least.
    _fewest_layers = 0

    def check(self):
        """Raise a ValueError where sizes of layers or rows are no positive integers."""
        sizes = getattr(self, self._sizes)
        if not all(map(is_size, sizes)):
            raise ValueError(
                f"The '{self._sizes}' parameter of {type(self).__name__} must hold "
                f"positive integers, one per layer. Got {sizes!r} instead."
            )
        if len(sizes) < self._fewest_layers:
            raise ValueError(
                f"The '{self._sizes}' parameter of {type(self).__name__} must hold at "
                f"least one size. Got {sizes!r} instead."
            )
        check_asked_shape(self.input_shape, type(self).__name__)

    def terms(self, output_shape):
        """Return the weight of the code's activity, where it is penalised."""
        return {"activity": float(self.activity_l1)} if self.activity_l1 else {}

    def output_range(self):
        """Return the range of ``output_activation``."""
        return activation_range(self.output_activation)

    def numpy_terms(self, layers, x):
        """Return the code's activity of rows, with the NumPy layers of this network."""
        if not self.activity_l1:
            return {}
        for layer in layers[0]:
            x = layer(x)
        return {"activity": np.abs(x).sum(axis=1)}

    def _inner_shapes(self, input_shape, output_shape):
        name = type(self).__name__
        return inner_shapes(self.input_shape, input_shape, output_shape, name)

    def _built(self, encoder, decoder):
        """Return the models, with the code's activity where it is penalised."""
        if not self.activity_l1:
            return Built(encoder, decoder)
        import keras

        inputs = row_input(encoder.input_shape[1:], "input")
        code = encoder(inputs)
        axes = tuple(range(1, len(code.shape)))
        activity = keras.ops.sum(keras.ops.abs(code), axis=axes)
        outputs = {"output": decoder(code), "activity": activity}
        return Built(encoder, decoder, keras.Model(inputs, outputs, name="autoencoder"))

    def _hidden(self, make, x, activation, name, seeds):
        """Return what a hidden layer, with all that follows it, makes of a tensor.

        Parameters
        ----------
        make : callable
            Makes the layer from ``name`` and ``activation``.

        x : Keras tensor

        activation : str or None

        name : str
            Name of the layer.

        seeds : iterator of int
        """
        if self.normalization is None:
            x = activated_layer(make, x, activation, name)
        else:
            x = self._normalized(make(name=name)(x), name)
            x = activated(x, activation, name)
        return self._dropped(x, name, seeds)

    def _normalized(self, x, name):
        """Return the output of the layer of this name, normalised if asked."""
        import keras

        name = f"{name}_normalization"
        if self.normalization == "batch":
            layer = keras.layers.BatchNormalization(momentum=_MOMENTUM, name=name)
            return layer(x)
        if self.normalization == "layer":
            return keras.layers.LayerNormalization(name=name)(x)
        return x

    def _dropped(self, x, name, seeds):
        """Return the output of the layer of this name, with dropout if asked."""
        import keras

        if not self.dropout:
            return x
        layer = keras.layers.Dropout
        return layer(self.dropout, seed=next(seeds), name=f"{name}_dropout")(x)


def row_input(shape, name):
    """Return a model's input for rows, or codes, of this shape."""
    import keras

    dtype = keras.config.dtype_policy().compute_dtype
    return keras.Input(shape, name=name, dtype=dtype)


def reshaped(x, shape, name):
    """Return a Keras tensor with rows of this shape."""
    import keras

    return x if x.shape[1:] == shape else keras.layers.Reshape(shape, name=name)(x)


def maker(layer_class, *args, seeds, **kwargs):
    """Return what makes a layer from its name and activation.

    An explicit seed: Keras's default draws from Python's global random state. What is
    drawn from it is replaced by what ``draw_weight`` gives.
    """
    import keras

    start = keras.initializers.GlorotUniform(seed=next(seeds))
    return functools.partial(layer_class, *args, kernel_initializer=start, **kwargs)


def activated_layer(make, x, activation, name):
    """Return what a layer and its activation make of a tensor."""
    if activation in _PRODUCTS:
        return activated(make(name=name)(x), activation, name)
    return make(activation=activation, name=name)(x)


def activated(x, activation, name):
    """Return an activation of a tensor, the output of the layer of this name."""
    import keras

    if activation is None:
        return x
    if activation in _PRODUCTS:
        gate = keras.layers.Activation("sigmoid", name=f"{name}_gate")(x)
        return keras.layers.Multiply(name=f"{name}_activation")([x, gate])
    return keras.layers.Activation(activation, name=f"{name}_activation")(x)
