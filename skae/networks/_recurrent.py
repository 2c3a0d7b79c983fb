"""The recurrent network."""

from __future__ import annotations

from skae._layers._base import Layer, Reshape
from skae._layers._dense import Dense
from skae._layers._special import ActivityPenalty, Recurrent
from skae._validation import StrOptions
from skae.networks._base import LayeredNetwork, Shape

_WIDTH = 32  # of the code, where none is asked
_CHANNELS = 4  # of the series that the code is unrolled into


class RecurrentNetwork(LayeredNetwork):
    """Recurrent encoder and decoder, for series of shape (timesteps, channels).

    The encoder reads a series step by step and keeps its last state, of which a dense
    layer makes the code; another one unrolls the code into a series of four values a
    step, from which the decoder writes the rows. Training takes longer than that of the
    other networks, in proportion to the number of steps.

    Read more in the :doc:`User Guide </guide/networks>`.

    .. versionadded:: 0.1

    Parameters
    ----------
    units : tuple of int, default=(64,)
        Units of each recurrent layer of the encoder. The decoder has the same in
        reverse order.

    cell : {"lstm", "gru"}, default="lstm"
        Kind of the recurrent layers.

    bidirectional : bool, default=False
        Whether every layer reads the series both ways, with as many units each.

    latent_activation : str or None, default=None
        Keras name of the code's activation. None is linear.

    output_activation : str or None, default=None
        Activation of the output. None is linear and suits every scale; ``"sigmoid"``
        suits data in [0, 1] (``scaler="minmax"``).

    dropout : float, default=0.0
        Fraction, in [0, 1), of each recurrent layer's output values that are set to
        zero while training.

    normalization : {"batch", "layer"} or None, default=None
        Normalisation of each recurrent layer's output: over the batch and its steps, or
        over the values of each step.

    activity_l1 : float, default=0.0
        Makes codes sparse: this much times the sum of a code's absolute values, a mean
        over rows, is added to the loss; ``history_`` reports that mean as
        ``"activity"``. A ``latent_activation="relu"`` makes the small values zero.

    input_shape : tuple of int or None, default=None
        Shape that rows have inside, of which one length may be -1: ``(-1, 1)`` for
        series in the columns of a table. Outputs get the rows' shape back. None is the
        rows' own shape.

    See Also
    --------
    ConvNetwork : For series too, and much faster.
    DenseNetwork : For short series, all of one length.

    Notes
    -----
    The code is unrolled rather than repeated at every step, as is often done: that
    leaves it to the decoder's state to count the steps, which it learns slowly.

    A ``latent_dim`` of None is 32. The output may have other numbers of steps and of
    channels than the input.

    Weights start as Keras's own layers' do: kernels Glorot uniform, recurrent kernels
    orthogonal, biases zero but for an LSTM's forget gate, which starts open.

    Examples
    --------
    >>> import numpy as np
    >>> from skae import AutoencoderTransformer, RecurrentNetwork
    >>> X = np.sin(np.arange(20)[:, None] + np.arange(6))
    >>> network = RecurrentNetwork(units=(4,), cell="gru", input_shape=(-1, 1))
    >>> transformer = AutoencoderTransformer(
    ...     latent_dim=2, network=network, epochs=1, random_state=0
    ... )
    >>> transformer.fit_transform(X).shape
    (20, 2)
    """

    _parameter_constraints = {
        **LayeredNetwork._parameter_constraints,
        "units": [tuple, list],
        "cell": [StrOptions({"lstm", "gru"})],
        "bidirectional": ["boolean"],
    }
    _sizes = "units"
    _fewest_layers = 1

    def __init__(
        self,
        units: tuple[int, ...] = (64,),
        cell: str = "lstm",
        bidirectional: bool = False,
        latent_activation: str | None = None,
        output_activation: str | None = None,
        dropout: float = 0.0,
        normalization: str | None = None,
        activity_l1: float = 0.0,
        input_shape: tuple[int, ...] | None = None,
    ) -> None:
        self.units = units
        self.cell = cell
        self.bidirectional = bidirectional
        self.latent_activation = latent_activation
        self.output_activation = output_activation
        self.dropout = dropout
        self.normalization = normalization
        self.activity_l1 = activity_l1
        self.input_shape = input_shape

    def layers(
        self, input_shape: Shape, output_shape: Shape, latent_dim: int | None
    ) -> tuple[list[Layer], list[Layer]]:
        """Return the layers for rows (timesteps, channels), which run in Keras.

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
        n_steps, n_channels = inner_output
        width = _WIDTH if latent_dim is None else int(latent_dim)
        last = len(self.units) - 1
        encoder: list[Layer] = [Reshape("reshape", inner_input)]
        for i, n in enumerate(self.units):
            encoder += self._recurrent(i, n, in_steps=i < last)
        n_states = self._n_states(self.units[-1])
        encoder.append(Dense("latent", n_states, width, self.latent_activation))
        decoder: list[Layer] = [
            Dense("unroll", width, n_steps * _CHANNELS),
            Reshape("series", (n_steps, _CHANNELS)),
        ]
        for i, n in enumerate(self.units[::-1]):
            decoder += self._recurrent(i, n, in_steps=True)
        # A dense layer of every step.
        n_states = self._n_states(self.units[0])
        output = Dense("output", n_states, n_channels, self.output_activation)
        decoder += [output, Reshape("reshape", output_shape)]
        penalty = [ActivityPenalty()] if self.activity_l1 else []
        return [*encoder, *penalty], decoder

    def _n_states(self, n_units: int) -> int:
        """Return how many values a recurrent layer gives at a step."""
        return int(n_units) * (2 if self.bidirectional else 1)

    def _recurrent(self, stage: int, n_units: int, in_steps: bool) -> list[Layer]:
        """Return a recurrent layer, with all that follows it."""
        name = f"recurrent_{stage}"
        layer = Recurrent(name, self.cell, int(n_units), self.bidirectional, in_steps)
        return self._followed(layer, None)


def _check_ranks(inner_input: Shape, inner_output: Shape) -> None:
    """Raise where rows are no series."""
    if len(inner_input) != 2:
        raise ValueError(
            "RecurrentNetwork takes rows of shape (timesteps, channels), but they have "
            f"shape {inner_input}. Say how to read them, for instance with "
            "input_shape=(-1, 1), one value at every step, or use DenseNetwork."
        )
    if len(inner_output) != 2:
        raise ValueError(
            "RecurrentNetwork gives rows of shape (timesteps, channels), but rows of "
            f"shape {inner_input} are to give rows of shape {inner_output}. Use "
            "DenseNetwork."
        )
