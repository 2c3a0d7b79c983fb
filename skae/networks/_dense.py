"""The fully connected network."""

from itertools import pairwise
from math import prod
from numbers import Integral

import numpy as np

from skae._validation import StrOptions
from skae.networks._activations import ACTIVATION_NAMES, activation_range
from skae.networks._base import Network

# Whatever keras.config says: skae trains in float32, and keys its caches by it.
_DTYPE = "float32"
_ACTIVATION = [StrOptions(set(ACTIVATION_NAMES)), None]


class DenseNetwork(Network):
    r"""Fully connected encoder and decoder; the decoder mirrors the encoder.

    The first choice for tables, and for images and series that are small enough to be
    flattened: rows of any shape go in and come out, the network sees them flat.

    Parameters
    ----------
    hidden_units : tuple of int, default=(768,)
        Units of the layers between input and code. The decoder has the same in reverse
        order. ``()`` is one layer each way, the network of the first autoencoder in
        most tutorials.

    activation : str or None, default="relu"
        Keras name of the hidden layers' activation. None is linear.

    latent_activation : str or None, default=None
        Activation of the code. None is linear.

    output_activation : str or None, default=None
        Activation of the output. None is linear and suits every scale; ``"sigmoid"``
        suits data in [0, 1] (``scaler="minmax"``). A bounded activation whose range the
        scaled data exceed is an error at fit.

    See Also
    --------
    skae.AutoencoderTransformer : Uses it as ``network``.

    Notes
    -----
    Kernels start Glorot uniform, in :math:`\pm\sqrt{6 / (n_{in} + n_{out})}`, biases
    at zero, as Keras's ``Dense`` does [1]_.

    References
    ----------
    .. [1] Glorot, X. and Bengio, Y. (2010). Understanding the difficulty of training
       deep feedforward neural networks. AISTATS, PMLR 9:249-256.

    Examples
    --------
    >>> from skae import DenseNetwork
    >>> DenseNetwork(hidden_units=(32, 16)).latent_width((140,), None)
    32
    """

    _parameter_constraints = {
        "hidden_units": [tuple, list],
        "activation": _ACTIVATION,
        "latent_activation": _ACTIVATION,
        "output_activation": _ACTIVATION,
    }

    def __init__(
        self,
        hidden_units=(768,),
        activation="relu",
        latent_activation=None,
        output_activation=None,
    ):
        self.hidden_units = hidden_units
        self.activation = activation
        self.latent_activation = latent_activation
        self.output_activation = output_activation

    def check(self):
        """Raise a ValueError where a number of units is not a positive integer."""
        for units in self.hidden_units:
            if not isinstance(units, Integral) or isinstance(units, bool) or units < 1:
                raise ValueError(
                    "The 'hidden_units' parameter of DenseNetwork must hold positive "
                    f"integers, one per layer. Got {self.hidden_units!r} instead."
                )

    def latent_width(self, input_shape, latent_dim):
        """Return ``latent_dim``, or min(32, n_features) where it is None."""
        return min(32, prod(input_shape)) if latent_dim is None else int(latent_dim)

    def build(self, input_shape, output_shape, latent_dim):
        """Return untrained Keras models ``(encoder, decoder)``."""
        import keras

        encoder_widths, decoder_widths = self._widths(
            input_shape, output_shape, latent_dim
        )
        encoder_activations, decoder_activations = self.dense_activations()

        inputs = keras.Input(input_shape, dtype=_DTYPE, name="input")
        flat = inputs
        if len(input_shape) > 1:
            flat = keras.layers.Flatten(dtype=_DTYPE, name="flatten")(inputs)
        code = _stack(flat, encoder_widths[1:], encoder_activations, "latent")
        encoder = keras.Model(inputs, code, name="encoder")

        latent = keras.Input(encoder_widths[-1:], dtype=_DTYPE, name="latent_input")
        output = _stack(latent, decoder_widths[1:], decoder_activations, "output")
        if len(output_shape) > 1:
            unflatten = keras.layers.Reshape(
                output_shape, dtype=_DTYPE, name="unflatten"
            )
            output = unflatten(output)
        return encoder, keras.Model(latent, output, name="decoder")

    def initial_weights(self, input_shape, output_shape, latent_dim, rng):
        """Return Glorot uniform kernels and zero biases, drawn from ``rng``."""
        weights = []
        for widths in self._widths(input_shape, output_shape, latent_dim):
            for n_in, n_out in pairwise(widths):
                limit = np.sqrt(6 / (n_in + n_out))
                kernel = rng.uniform(-limit, limit, size=(n_in, n_out))
                weights += [kernel.astype(np.float32), np.zeros(n_out, np.float32)]
        return weights

    def output_range(self):
        """Return the range of ``output_activation``."""
        return activation_range(self.output_activation)

    def dense_activations(self):
        """Return the activation names of encoder and decoder, layer by layer."""
        hidden = [self.activation] * len(self.hidden_units)
        return hidden + [self.latent_activation], hidden + [self.output_activation]

    def _widths(self, input_shape, output_shape, latent_dim):
        """Return the units from input to code, and from code to output."""
        hidden = [int(units) for units in self.hidden_units]
        latent = self.latent_width(input_shape, latent_dim)
        return (
            [prod(input_shape), *hidden, latent],
            [latent, *hidden[::-1], prod(output_shape)],
        )


def _stack(x, widths, activations, last_name):
    """Return what a stack of dense layers makes of a Keras tensor."""
    import keras

    names = [f"hidden_{i}" for i in range(len(widths) - 1)] + [last_name]
    layers = zip(widths, activations, names, strict=True)
    for seed, (units, activation, name) in enumerate(layers):
        # An explicit seed: Keras's default draws from Python's global random state.
        # What is drawn is replaced by ``initial_weights``.
        start = keras.initializers.GlorotUniform(seed=seed)
        x = keras.layers.Dense(
            units,
            activation=activation,
            kernel_initializer=start,
            dtype=_DTYPE,
            name=name,
        )(x)
    return x
