"""The fully connected network."""

import functools
import itertools
from itertools import count, islice
from math import prod

from sklearn.base import clone

from skae.networks._layered import (
    ACTIVATION,
    LayeredNetwork,
    activated_layer,
    maker,
    reshaped,
    row_input,
)
from skae.networks._numpy_layers import dense_layers, n_normalization_weights


class DenseNetwork(LayeredNetwork):
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

    tied_weights : bool, default=False
        Whether the decoder's kernels are the encoder's, transposed: about half as many
        weights, and close to PCA where all is linear [2]_. The output must be as large
        as the input.

    dropout : float, default=0.0
        Fraction, in [0, 1), of each hidden layer's values that are set to zero while
        training; not of the code.

    normalization : {"batch", "layer"} or None, default=None
        Normalisation of hidden layers, before their activation: over the batch, or over
        each row's values.

    activity_l1 : float, default=0.0
        Makes codes sparse: this much times the sum of a code's absolute values, a mean
        over rows, is added to the loss; ``history_`` reports that mean as
        ``"activity"``. A ``latent_activation="relu"`` makes the small values zero.

    input_shape : tuple of int or None, default=None
        Shape of one row, of which one length may be -1. This network flattens its rows
        whatever their shape; it is here so that networks can be exchanged, and is
        checked all the same.

    See Also
    --------
    skae.AutoencoderTransformer : Uses it as ``network``.
    skae.ConvNetwork : For images, and long series.
    skae.RecurrentNetwork : For series whose order matters.

    Notes
    -----
    Kernels start Glorot uniform, in :math:`\pm\sqrt{6 / (n_{in} + n_{out})}`, biases
    at zero, as Keras's ``Dense`` does [1]_. Batch normalisation averages over about ten
    batches (momentum 0.9), since many trainings are short.

    References
    ----------
    .. [1] Glorot, X. and Bengio, Y. (2010). Understanding the difficulty of training
       deep feedforward neural networks. AISTATS, PMLR 9:249-256.
    .. [2] Baldi, P. and Hornik, K. (1989). Neural networks and principal component
       analysis. Neural Networks 2(1):53-58. doi:10.1016/0893-6080(89)90014-2

    Examples
    --------
    >>> from skae import DenseNetwork
    >>> DenseNetwork(hidden_units=(32, 16)).latent_width((140,), None)
    32
    """

    _parameter_constraints = {
        **LayeredNetwork._parameter_constraints,
        "hidden_units": [tuple, list],
        "activation": ACTIVATION,
        "tied_weights": ["boolean"],
    }
    _sizes = "hidden_units"

    def __init__(
        self,
        hidden_units=(768,),
        activation="relu",
        latent_activation=None,
        output_activation=None,
        tied_weights=False,
        dropout=0.0,
        normalization=None,
        activity_l1=0.0,
        input_shape=None,
    ):
        self.hidden_units = hidden_units
        self.activation = activation
        self.latent_activation = latent_activation
        self.output_activation = output_activation
        self.tied_weights = tied_weights
        self.dropout = dropout
        self.normalization = normalization
        self.activity_l1 = activity_l1
        self.input_shape = input_shape

    def latent_width(self, input_shape, latent_dim):
        """Return ``latent_dim``, or min(32, n_features) where it is None."""
        return min(32, prod(input_shape)) if latent_dim is None else int(latent_dim)

    def build(self, input_shape, output_shape, latent_dim):
        """Return untrained Keras models of rows that may have any shape."""
        import keras

        self._inner_shapes(input_shape, output_shape)  # raises where they do not fit
        self._check_mirrored(input_shape, output_shape)
        width = self.latent_width(input_shape, latent_dim)
        units = [int(n) for n in self.hidden_units]
        seeds = count()

        inputs = row_input(input_shape, "input")
        flat = keras.layers.Flatten(name="flatten") if len(input_shape) > 1 else None
        x = inputs if flat is None else flat(inputs)
        makers = [maker(keras.layers.Dense, n, seeds=seeds) for n in [*units, width]]
        code = self._stack(x, makers, "latent", self.latent_activation, seeds)
        encoder = keras.Model(inputs, code, name="encoder")

        codes = row_input((width,), "latent_input")
        if self.tied_weights:
            makers = _tied_makers(encoder)
        else:
            widths = [*units[::-1], prod(output_shape)]
            makers = [maker(keras.layers.Dense, n, seeds=seeds) for n in widths]
        output = self._stack(codes, makers, "output", self.output_activation, seeds)
        output = reshaped(output, output_shape, "unflatten")
        return self._built(encoder, keras.Model(codes, output, name="decoder"))

    def numpy_plan(self, input_shape, output_shape, latent_dim):
        """Return the plan of this network, unless it has more than dense layers."""
        from skae.networks._plans import StackPlan  # for training alone

        if (
            self.tied_weights
            or self.dropout
            or self.normalization
            or self.activity_l1
            or type(self).build is not DenseNetwork.build
        ):
            return None
        self._inner_shapes(input_shape, output_shape)  # raises where they do not fit
        width = self.latent_width(input_shape, latent_dim)
        units = [int(n) for n in self.hidden_units]
        encoder = self._half_plan(
            [prod(input_shape), *units, width], "latent", self.latent_activation
        )
        decoder = self._half_plan(
            [width, *units[::-1], prod(output_shape)], "output", self.output_activation
        )
        return StackPlan((*encoder, *decoder), (width,))

    def _half_plan(self, sizes, last_name, last_activation):
        """Return the plans of hidden layers and a last one, of these sizes."""
        from skae.networks._plans import DensePlan

        n_hidden = len(sizes) - 2
        names = [*(f"hidden_{i}" for i in range(n_hidden)), last_name]
        activations = [*[self.activation] * n_hidden, last_activation]
        parts = names, sizes[:-1], sizes[1:], activations
        return itertools.starmap(DensePlan, zip(*parts, strict=True))

    def numpy_layers(self, weights, shapes):
        """Return the layers of encoder and decoder in NumPy."""
        layers = self._layer_weights(weights)
        cut = len(layers) // 2
        return (
            self._numpy_stack(layers[:cut], self.latent_activation),
            self._numpy_stack(layers[cut:], self.output_activation),
        )

    def exported(self, weights):
        """Return a network without tied weights, and weights, that do the same."""
        if not self.tied_weights:
            return self, weights
        untied = clone(self).set_params(tied_weights=False)
        return untied, [
            array for layer in self._layer_weights(weights) for array in layer
        ]

    def _check_mirrored(self, input_shape, output_shape):
        if self.tied_weights and prod(input_shape) != prod(output_shape):
            raise ValueError(
                "tied_weights=True of DenseNetwork needs outputs as large as the "
                f"inputs, but rows of shape {input_shape} are to give rows of shape "
                f"{output_shape}. Use tied_weights=False."
            )

    def _stack(self, x, makers, last_name, last_activation, seeds):
        """Return what hidden layers and a last one make of a Keras tensor."""
        *hidden, last = makers
        for i, make in enumerate(hidden):
            x = self._hidden(make, x, self.activation, f"hidden_{i}", seeds)
        return activated_layer(last, x, last_activation, last_name)

    def _numpy_stack(self, layers, last_activation):
        """Return the NumPy layers of hidden layers' and a last one's weights."""
        *hidden, last = layers
        stack = []
        for weights in hidden:
            stack += dense_layers(weights, self.normalization, self.activation)
        return stack + dense_layers(last, None, last_activation)

    def _layer_weights(self, weights):
        """Return lists of each dense layer's kernel, bias, and normalisation."""
        remaining = iter(weights)
        n_extra = n_normalization_weights(self.normalization)
        cut = len(self.hidden_units) + 1
        layers = []
        for i in range(2 * cut):
            if self.tied_weights and i >= cut:
                kernel = layers[2 * cut - 1 - i][0].T
            else:
                kernel = next(remaining)
            is_hidden = (i + 1) % cut > 0
            n_others = 1 + n_extra if is_hidden else 1
            layers.append([kernel, *islice(remaining, n_others)])
        return layers


def _tied_makers(encoder):
    """Return what makes the decoder's layers from those of the encoder."""
    kernels = [layer.kernel for layer in encoder.layers if hasattr(layer, "kernel")]
    return [functools.partial(_tied_dense(), kernel) for kernel in kernels[::-1]]


@functools.cache
def _tied_dense():
    """Return the class of the layer with another's kernel; defining it needs Keras."""
    import keras

    class TiedDense(keras.layers.Layer):
        """A dense layer whose kernel is the transposed one of another layer."""

        def __init__(self, kernel, activation=None, **kwargs):
            super().__init__(**kwargs)
            self.kernel = kernel
            self.activation = keras.activations.get(activation)

        def build(self, input_shape):
            shape = (self.kernel.shape[0],)
            self.bias = self.add_weight(shape=shape, initializer="zeros", name="bias")

        def call(self, x):
            x = keras.ops.matmul(x, keras.ops.transpose(self.kernel))
            return self.activation(x + self.bias)

    return TiedDense
