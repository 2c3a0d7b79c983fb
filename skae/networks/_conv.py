"""The convolutional network."""

from itertools import count
from math import isqrt, prod
from numbers import Integral

from skae._validation import Interval, StrOptions
from skae.networks._conv_plans import decoder_plans, encoder_plans, halved, joined
from skae.networks._layered import (
    ACTIVATION,
    LayeredNetwork,
    activated_layer,
    maker,
    reshaped,
    row_input,
)
from skae.networks._numpy_maps import BlockedStack
from skae.networks._plans import StackPlan


class ConvNetwork(LayeredNetwork):
    r"""Convolutional encoder and decoder, for images, volumes and series.

    The rank of a row decides what is convolved: (timesteps, channels) in one dimension,
    (height, width, channels) in two, (depth, height, width, channels) in three. Every
    stage of the encoder halves all lengths, rounding up; the decoder mirrors it. Sizes
    that do not divide evenly work.

    Parameters
    ----------
    filters : tuple of int, default=(32, 16)
        Filters of each stage of the encoder. The decoder has the same in reverse order.
        On grey images the default's spatial code has as many values as there are
        pixels: for a narrow code set ``latent_dim``, or fewer filters in the last
        stage.

    kernel_size : int, default=3
        Length of the kernels along every axis.

    down : {"stride", "max_pool"}, default="stride"
        How a stage halves its input: by convolving at every second place, or by the
        largest of two neighbours after the convolution.

    up : {"transpose", "upsample"}, default="transpose"
        How a stage of the decoder doubles its input: by a transposed convolution, or by
        repeating each value after a convolution.

    activation : str or None, default="relu"
        Keras name of the stages' activation. None is linear.

    latent_activation : str or None, default=None
        Activation of the code, which without ``latent_dim`` is the last stage's output.
        None is linear.

    output_activation : str or None, default=None
        Activation of the output. None is linear and suits every scale; ``"sigmoid"``
        suits data in [0, 1] (``scaler="minmax"``).

    dropout : float, default=0.0
        Fraction, in [0, 1), of each hidden layer's values that are set to zero while
        training; not of the code.

    normalization : {"batch", "layer"} or None, default=None
        Normalisation of hidden layers, before their activation: over batch and places,
        or over the channels of each place.

    activity_l1 : float, default=0.0
        Makes codes sparse: this much times the sum of a code's absolute values, a mean
        over rows, is added to the loss; ``history_`` reports that mean as
        ``"activity"``. A ``latent_activation="relu"`` makes the small values zero.

    input_shape : tuple of int or None, default=None
        Shape that rows have inside, of which one length may be -1: ``(28, 28, 1)`` for
        rows of 784 pixels, or of shape (28, 28); ``(-1, 1)`` for series in the columns
        of a table. Outputs get the rows' shape back. None is the rows' own shape.

    See Also
    --------
    DenseNetwork : For small images and short series, and for outputs of another rank.
    RecurrentNetwork : For series, step by step.

    Notes
    -----
    A ``latent_dim`` of None keeps the spatial code, a map of
    :math:`\lceil h / 2^k \rceil \times \lceil w / 2^k \rceil` places for k stages and
    as many channels as the last stage has filters, which is flattened by ``transform``.
    An int adds a dense layer each way. Only then may the output have other lengths than
    the input.

    Without dropout, normalisation and ``activity_l1`` it trains in NumPy, to Keras's
    numbers but for rounding: convolutions are matrix products of all windows at once.
    With every option it scores in NumPy.

    Batch normalisation averages over about ten batches (momentum 0.9), since many
    trainings are short.

    Examples
    --------
    >>> import numpy as np
    >>> from skae import AutoencoderTransformer, ConvNetwork
    >>> X = np.random.default_rng(0).uniform(size=(20, 49))
    >>> network = ConvNetwork(filters=(4, 2), input_shape=(7, 7, 1))
    >>> transformer = AutoencoderTransformer(network=network, epochs=1, random_state=0)
    >>> transformer.fit_transform(X).shape  # 2 x 2 places, 2 filters
    (20, 8)
    >>> transformer.reconstruct(X).shape
    (20, 49)
    """

    _parameter_constraints = {
        **LayeredNetwork._parameter_constraints,
        "filters": [tuple, list],
        "kernel_size": [Interval(Integral, 1, None, closed="left")],
        "down": [StrOptions({"stride", "max_pool"})],
        "up": [StrOptions({"transpose", "upsample"})],
        "activation": ACTIVATION,
    }
    _sizes = "filters"
    _fewest_layers = 1

    # (32, 16): in equal time it restored noisy Fashion-MNIST better than (16, 8),
    # (32, 64), (64, 32) and (32, 16, 8), and as well as (16, 32), whose code is wider.
    def __init__(
        self,
        filters=(32, 16),
        kernel_size=3,
        down="stride",
        up="transpose",
        activation="relu",
        latent_activation=None,
        output_activation=None,
        dropout=0.0,
        normalization=None,
        activity_l1=0.0,
        input_shape=None,
    ):
        self.filters = filters
        self.kernel_size = kernel_size
        self.down = down
        self.up = up
        self.activation = activation
        self.latent_activation = latent_activation
        self.output_activation = output_activation
        self.dropout = dropout
        self.normalization = normalization
        self.activity_l1 = activity_l1
        self.input_shape = input_shape

    def build(self, input_shape, output_shape, latent_dim):
        """Return untrained Keras models; the code is spatial without ``latent_dim``."""
        import keras

        inner_input, inner_output = self._checked_shapes(
            input_shape, output_shape, latent_dim
        )
        seeds = count()

        inputs = row_input(input_shape, "input")
        x = reshaped(inputs, inner_input, "reshape")
        code = self._encoded(x, latent_dim, seeds)
        encoder = keras.Model(inputs, code, name="encoder")

        codes = row_input(code.shape[1:], "latent_input")
        output = self._decoded(codes, inner_output, latent_dim, seeds)
        output = reshaped(output, output_shape, "reshape")
        return self._built(encoder, keras.Model(codes, output, name="decoder"))

    def numpy_plan(self, input_shape, output_shape, latent_dim):
        """Return the plan of this network, unless it has more than its layers."""
        if (
            self.dropout
            or self.normalization
            or self.activity_l1
            or type(self).build is not ConvNetwork.build
        ):
            return None
        encoder, decoder = self._plans(input_shape, output_shape, latent_dim)
        latent_shape = encoder[-1].shape if latent_dim is None else (int(latent_dim),)
        return StackPlan(joined(encoder, decoder), latent_shape)

    def numpy_layers(self, weights, shapes):
        """Return the layers of encoder and decoder in NumPy."""
        if type(self).build is not ConvNetwork.build:
            return None
        remaining = iter(weights)
        return tuple([BlockedStack(plans, remaining)] for plans in self._plans(*shapes))

    def _plans(self, input_shape, output_shape, latent_dim):
        """Return the plans of encoder and decoder."""
        shapes = self._checked_shapes(input_shape, output_shape, latent_dim)
        return (
            encoder_plans(self, shapes[0], latent_dim),
            decoder_plans(self, shapes[1], latent_dim),
        )

    def _checked_shapes(self, input_shape, output_shape, latent_dim):
        """Return the shapes of rows inside the network, input and output."""
        inner_input, inner_output = self._inner_shapes(input_shape, output_shape)
        _check_ranks(inner_input, inner_output)
        if latent_dim is None:
            self._check_same_map(inner_input, inner_output)
        return inner_input, inner_output

    def _check_same_map(self, inner_input, inner_output):
        """Raise where the encoder's smallest map is not the decoder's."""
        coded = self._lengths(inner_input)[-1]
        decoded = self._lengths(inner_output)[-1]
        if coded != decoded:
            raise ValueError(
                "ConvNetwork without latent_dim decodes the map that it encodes, but "
                f"rows of shape {inner_input} are encoded as a map of {coded} and rows "
                f"of shape {inner_output} decoded from one of {decoded}. Pass an int "
                "latent_dim, for a dense code between them, or let the shapes agree."
            )

    def _lengths(self, shape):
        """Return the lengths of the axes of a row, then after each stage."""
        return halved(shape[:-1], len(self.filters))

    def _encoded(self, x, latent_dim, seeds):
        """Return the code of a Keras tensor of rows."""
        import keras

        rank = len(x.shape) - 2
        strides = 2 if self.down == "stride" else 1
        for i, n in enumerate(self.filters):
            make = self._conv(f"Conv{rank}D", n, seeds, strides=strides)
            if latent_dim is None and i == len(self.filters) - 1:
                x = activated_layer(make, x, self.latent_activation, f"conv_{i}")
            else:
                x = self._hidden(make, x, self.activation, f"conv_{i}", seeds)
            if self.down == "max_pool":
                x = _pooled(x, f"pool_{i}")
        if latent_dim is None:
            return x
        x = keras.layers.Flatten(name="flatten")(x)
        make = maker(keras.layers.Dense, int(latent_dim), seeds=seeds)
        return activated_layer(make, x, self.latent_activation, "latent")

    def _decoded(self, x, shape, latent_dim, seeds):
        """Return the rows, of this shape, of a Keras tensor of codes."""
        rank = len(shape) - 1
        lengths = self._lengths(shape)
        if latent_dim is not None:
            x = self._as_map(x, (*lengths[-1], int(self.filters[-1])), seeds)
        for i in reversed(range(len(self.filters))):
            n = self.filters[i]
            if self.up == "transpose":
                make = self._conv(f"Conv{rank}DTranspose", n, seeds, strides=2)
                x = self._hidden(make, x, self.activation, f"up_{i}", seeds)
            else:
                make = self._conv(f"Conv{rank}D", n, seeds)
                x = self._hidden(make, x, self.activation, f"up_{i}", seeds)
                x = _layer(f"UpSampling{rank}D")(2, name=f"upsample_{i}")(x)
            x = _cropped(x, lengths[i], f"crop_{i}")
        make = self._conv(f"Conv{rank}D", shape[-1], seeds)
        return activated_layer(make, x, self.output_activation, "output")

    def _as_map(self, x, shape, seeds):
        """Return a map, of this shape, of a Keras tensor of flat codes."""
        import keras

        make = maker(keras.layers.Dense, prod(shape), seeds=seeds)
        x = self._hidden(make, x, self.activation, "hidden", seeds)
        return keras.layers.Reshape(shape, name="unflatten")(x)

    def _conv(self, class_name, n_filters, seeds, strides=1):
        """Return what makes a convolution that keeps lengths, but for its strides."""
        return maker(
            _layer(class_name),
            int(n_filters),
            int(self.kernel_size),
            seeds=seeds,
            strides=strides,
            padding="same",
        )


def _layer(class_name):
    import keras

    return getattr(keras.layers, class_name)


def _pooled(x, name):
    """Return a map with the largest of two neighbours along every axis."""
    import keras

    *lengths, n_channels = x.shape[1:]
    if len(lengths) < 3:
        pool = _layer(f"MaxPooling{len(lengths)}D")
        return pool(2, padding="same", name=name)(x)
    # TensorFlow pools volumes in float32 alone: one axis first, then the other two.
    depth, height, width = lengths
    layers = keras.layers
    x = layers.Reshape((depth * height, width, n_channels), name=f"{name}_rows")(x)
    x = layers.MaxPooling2D((1, 2), padding="same", name=f"{name}_width")(x)
    half = x.shape[2]
    x = layers.Reshape((depth, height, half * n_channels), name=f"{name}_planes")(x)
    x = layers.MaxPooling2D(2, padding="same", name=name)(x)
    return layers.Reshape((*x.shape[1:3], half, n_channels), name=f"{name}_volume")(x)


def _cropped(x, lengths, name):
    """Return a map without what doubling has added at the ends of its axes."""
    surplus = [(0, has - n) for has, n in zip(x.shape[1:-1], lengths, strict=True)]
    if not any(end for _, end in surplus):
        return x
    crop = _layer(f"Cropping{len(lengths)}D")
    return crop(surplus[0] if len(surplus) == 1 else tuple(surplus), name=name)(x)


def _check_ranks(inner_input, inner_output):
    """Raise where rows are nothing that a convolution takes or gives."""
    if not 2 <= len(inner_input) <= 4:
        n_values = prod(inner_input)
        side = isqrt(n_values)
        example = (side, side, 1) if side**2 == n_values else (-1, 1)
        raise ValueError(
            "ConvNetwork takes rows of shape (timesteps, channels), (height, width, "
            "channels) or (depth, height, width, channels), but they have shape "
            f"{inner_input}. Say how to read them, for instance with "
            f"input_shape={example}, or use DenseNetwork."
        )
    if len(inner_output) != len(inner_input):
        raise ValueError(
            f"ConvNetwork gives rows of as many axes as it takes, {len(inner_input)}, "
            f"but rows of shape {inner_input} are to give rows of shape "
            f"{inner_output}. Use DenseNetwork."
        )
