"""The convolutional network."""

from __future__ import annotations

import warnings
from math import isqrt, prod
from numbers import Integral

from skae._layers._base import Layer
from skae._layers._dense import Dense
from skae._layers._maps import Convolution, Crop, Pool, Repeat, ToMaps, ToRows
from skae._layers._special import ActivityPenalty
from skae._validation import Interval, StrOptions
from skae.networks._base import ACTIVATION, LayeredNetwork, Shape

# Shorter squares are hardly images.
_SMALLEST_IMAGE = 8


class ConvNetwork(LayeredNetwork):
    r"""Convolutional encoder and decoder, for images, volumes and series.

    The rank of a row decides what is convolved: (timesteps, channels) in one dimension,
    (height, width, channels) in two, (depth, height, width, channels) in three. Every
    stage of the encoder halves all lengths, rounding up; the decoder mirrors it. Sizes
    that do not divide evenly work.

    Read more in the :doc:`User Guide </guide/networks>`.

    .. versionadded:: 0.1

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
        filters: tuple[int, ...] = (32, 16),
        kernel_size: int = 3,
        down: str = "stride",
        up: str = "transpose",
        activation: str | None = "relu",
        latent_activation: str | None = None,
        output_activation: str | None = None,
        dropout: float = 0.0,
        normalization: str | None = None,
        activity_l1: float = 0.0,
        input_shape: tuple[int, ...] | None = None,
    ) -> None:
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

    def layers(
        self, input_shape: Shape, output_shape: Shape, latent_dim: int | None
    ) -> tuple[list[Layer], list[Layer]]:
        """Return the layers; the code is a map without ``latent_dim``.

        Parameters
        ----------
        input_shape, output_shape : tuple of int
            Shapes of one row of inputs and of targets.
        latent_dim : int or None
            Width of the code; None is the network's own.

        Returns
        -------
        encoder, decoder : list of layer
            From rows to codes, and from codes to rows.
        """
        inner_input, inner_output = self._inner_shapes(input_shape, output_shape)
        _check_ranks(inner_input, inner_output)
        if self.input_shape is None:
            _hint_at_images(inner_input)
        if latent_dim is None:
            self._check_same_map(inner_input, inner_output)
        else:
            latent_dim = int(latent_dim)
        encoder = self._encoder(inner_input, latent_dim)
        decoder = self._decoder(inner_output, output_shape, latent_dim)
        penalty = [ActivityPenalty()] if self.activity_l1 else []
        return [*encoder, *penalty], decoder

    def _check_same_map(self, inner_input: Shape, inner_output: Shape) -> None:
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

    def _lengths(self, shape: Shape) -> list[Shape]:
        """Return the lengths of the axes of a row, then after each stage."""
        found = [tuple(shape[:-1])]
        for _ in self.filters:
            found.append(tuple(-(-length // 2) for length in found[-1]))
        return found

    def _encoder(self, shape: Shape, latent_dim: int | None) -> list[Layer]:
        """Return the encoder's layers for rows of this shape inside."""
        lengths, size, n_channels = self._lengths(shape), self._size(), shape[-1]
        layers: list[Layer] = [ToMaps("reshape", shape)]
        stride = 2 if self.down == "stride" else 1
        for i, n in enumerate(map(int, self.filters)):
            is_code = latent_dim is None and i == len(self.filters) - 1
            after = lengths[i + 1] if stride == 2 else lengths[i]
            layers += self._stage(
                Convolution(
                    f"conv_{i}",
                    (n_channels, n),
                    lengths[i],
                    after,
                    size,
                    stride,
                    activation=self._first_activation(is_code),
                ),
                is_code,
            )
            if self.down == "max_pool":
                layers.append(Pool(f"pool_{i}", n, lengths[i]))
            n_channels = n
        map_shape = *lengths[-1], n_channels
        if latent_dim is None:
            return [*layers, ToRows("flatten", map_shape, map_shape, None)]
        n_values = prod(map_shape)
        code = Dense("latent", n_values, latent_dim, self.latent_activation)
        return [*layers, ToRows("flatten", map_shape, (n_values,), None), code]

    def _decoder(
        self, shape: Shape, output_shape: Shape, latent_dim: int | None
    ) -> list[Layer]:
        """Return the decoder's layers for rows of this shape inside."""
        lengths, size = self._lengths(shape), self._size()
        n_channels = int(self.filters[-1])
        map_shape = *lengths[-1], n_channels
        layers: list[Layer] = []
        if latent_dim is not None:
            activation = self._first_activation(False)
            hidden = Dense("hidden", latent_dim, prod(map_shape), activation)
            layers += self._stage(hidden, False)
        layers.append(ToMaps("unflatten", map_shape))
        is_transposed = self.up == "transpose"
        for i in reversed(range(len(self.filters))):
            n, before = int(self.filters[i]), lengths[i + 1]
            layers += self._stage(
                Convolution(
                    f"up_{i}",
                    (n_channels, n),
                    before,
                    lengths[i] if is_transposed else before,
                    size,
                    2 if is_transposed else 1,
                    is_transposed,
                    self._first_activation(False),
                ),
                False,
            )
            if is_transposed:
                layers.append(Crop(f"crop_{i}", lengths[i]))
            else:
                layers.append(Repeat(i, n, before, lengths[i]))
            n_channels = n
        channels = n_channels, shape[-1]
        return [
            *layers,
            Convolution(
                "output",
                channels,
                lengths[0],
                lengths[0],
                size,
                rows_activation=self.output_activation,
            ),
            ToRows("reshape", shape, output_shape, self.output_activation),
        ]

    def _size(self) -> int:
        """Return the length of the kernels."""
        return int(self.kernel_size)

    def _first_activation(self, is_code: bool) -> str | None:
        """Return the activation of a stage's own layer: none before a normalisation."""
        if is_code:
            return self.latent_activation
        return self.activation if self.normalization is None else None

    def _stage(self, layer: Layer, is_code: bool) -> list[Layer]:
        """Return a layer with all that follows it, unless it gives the code."""
        return [layer] if is_code else self._followed(layer, self.activation)


def _hint_at_images(shape: Shape) -> None:
    """Warn where rows look like images whose channels are not the last axis."""
    *lengths, last = shape
    if len(shape) == 2 and last == lengths[0] >= _SMALLEST_IMAGE:
        warnings.warn(
            f"Rows of shape {shape} are read as {last} time steps of {last} channels. "
            f"If they are images, use ConvNetwork(input_shape={(*shape, 1)}); if they "
            f"are series, input_shape={shape} says so.",
            UserWarning,
            stacklevel=2,
        )
    elif len(shape) == 3 and lengths[0] in (1, 3, 4) and last == lengths[1] > 4:
        warnings.warn(
            f"Rows of shape {shape} are read as (height, width, channels). If channels "
            "come first, pass np.moveaxis(X, 1, -1); if not, input_shape="
            f"{shape} says so.",
            UserWarning,
            stacklevel=2,
        )


def _check_ranks(inner_input: Shape, inner_output: Shape) -> None:
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
