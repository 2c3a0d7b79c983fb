"""What every network description promises, and what networks of layers share."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from math import prod
from numbers import Real
from typing import Any

import numpy as np
from sklearn.base import BaseEstimator

from skae._layers._activations import ACTIVATIONS
from skae._layers._base import Dropout, Layer, keras_output, row_input
from skae._layers._dense import Normalization
from skae._layers._special import CodeLayer
from skae._validation import Interval, StrOptions

ACTIVATION = [StrOptions(set(ACTIVATIONS)), None]
Shape = tuple[int, ...]
Layers = list[Layer]


@dataclass(frozen=True)
class Built:
    """What a network's ``build`` returns: untrained Keras models.

    Parameters
    ----------
    encoder : keras.Model
        From rows of ``input_shape`` to codes of any shape.

    decoder : keras.Model
        From these codes to rows of ``output_shape``.

    model : keras.Model or None
        What trains, where that is more than ``decoder(encoder(x))``: from rows to
        output, or to a dict of ``"output"`` and, for every one of the network's terms,
        one value per row. It shares the variables of encoder and decoder.
    """

    encoder: Any
    decoder: Any
    model: Any = None


class Network(ABC, BaseEstimator):
    """A description of an encoder and a decoder; holds no weights.

    The engine asks a network a few questions, all answered from its parameters and from
    three facts about the data: ``input_shape`` and ``output_shape`` (shapes of one row)
    and ``latent_dim`` (an int, or None for the network's own width).

    A subclass defines ``build``, and what else differs. A subclass of one of skae's own
    networks may also define ``layers``; where it defines ``build``, that is what trains
    and what scores.
    """

    _doc_link_module = "skae"  # scikit-learn's site has no pages of these
    _doc_link_template = ""

    #: Whether ``draw_weight`` gives fresh weights; if not, building does.
    draws_weights: bool = True

    #: Whether codes have a known distribution, from which rows can be drawn.
    can_sample: bool = False

    def check(self) -> None:
        """Raise a ValueError for parameters that no constraint table can express."""

    def check_portable(self) -> None:
        """Raise a TypeError where the description cannot leave this process."""

    @abstractmethod
    def build(
        self, input_shape: Shape, output_shape: Shape, latent_dim: int | None
    ) -> Built:
        """Return untrained Keras models.

        Called with Keras imported and its dtype policy set to the wanted precision.
        Where ``draws_weights`` is true, no layer may draw from a global random state:
        every initializer and every random layer gets a seed.

        Parameters
        ----------
        input_shape, output_shape : tuple of int
            Shapes of one row of inputs and of targets.

        latent_dim : int or None
            Width of the code; None is the network's own.

        Returns
        -------
        built : Built
            Encoder, decoder, and the model that trains, where it is more than both.
        """

    def draw_weight(
        self, path: str, shape: Shape, rng: np.random.Generator
    ) -> np.ndarray:
        """Return fresh values of the Keras variable with this path.

        Called for every variable of the model in the order of ``model.weights``.
        Kernels start Glorot uniform [1]_, recurrent kernels orthogonal [2]_, biases at
        zero but for an LSTM's forget gate, which starts at one [3]_; scales and
        variances of normalisation layers at one.

        Parameters
        ----------
        path : str
            Keras's ``variable.path``, for instance "latent/kernel".

        shape : tuple of int
            The variable's shape.

        rng : numpy.random.Generator
            What the values are drawn from.

        Returns
        -------
        values : ndarray of this shape
            Values, float32.

        References
        ----------
        .. [1] Glorot, X. and Bengio, Y. (2010). Understanding the difficulty of
           training deep feedforward neural networks. AISTATS, PMLR 9:249-256.
        .. [2] Saxe, A. M., McClelland, J. L. and Ganguli, S. (2014). Exact solutions to
           the nonlinear dynamics of learning in deep linear neural networks. ICLR.
        .. [3] Jozefowicz, R., Zaremba, W. and Sutskever, I. (2015). An empirical
           exploration of recurrent network architectures. ICML, PMLR 37:2342-2350.
        """
        shape = tuple(shape)
        name = path.rpartition("/")[2]
        if name == "recurrent_kernel":
            return _orthogonal(shape, rng)
        if name == "kernel":  # whose last two axes are inputs and outputs
            field = prod(shape[:-2])  # places that a convolution's kernel covers
            limit = np.sqrt(6 / (field * (shape[-2] + shape[-1])))
            return rng.uniform(-limit, limit, size=shape).astype(np.float32)
        if name in ("gamma", "moving_variance"):
            return np.ones(shape, np.float32)
        values = np.zeros(shape, np.float32)
        if name == "bias" and "lstm_cell" in path:
            n_units = shape[0] // 4  # gates: input, forget, cell, output
            values[n_units : 2 * n_units] = 1.0
        return values

    def terms(self, output_shape: Shape) -> dict[str, float]:
        """Return what is added to the loss besides the reconstruction's own.

        Parameters
        ----------
        output_shape : tuple of int
            Shape of one row of targets.

        Returns
        -------
        terms : dict of str to float
            Maps a term's name, by which ``history_`` reports it, to its weight; the
            loss grows by weight times the mean over rows of the values that the model
            returns under that name.
        """
        return {}

    def exported(self, weights: list[np.ndarray]) -> tuple[Network, list[np.ndarray]]:
        """Return a network and weights that do the same in layers of Keras alone.

        They are what a user gets as a Keras model, which should load without skae.

        Parameters
        ----------
        weights : list of ndarray
            In the order of the Keras model's ``weights``.

        Returns
        -------
        network : Network
            This one, or one of other parameters.

        weights : list of ndarray
            Its weights.
        """
        return self, weights


class LayeredNetwork(Network):
    """Base of the networks whose encoder and decoder are lists of layers.

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

    # Parameters of the subclasses.
    input_shape: tuple | list | None = None
    normalization: str | None = None
    dropout: float = 0.0
    activity_l1: float = 0.0

    @abstractmethod
    def layers(
        self, input_shape: Shape, output_shape: Shape, latent_dim: int | None
    ) -> tuple[Layers, Layers]:
        """Return the layers of encoder and decoder.

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

    def check(self) -> None:
        """Raise a ValueError where sizes of layers or rows are no positive integers."""
        sizes = getattr(self, self._sizes)
        if not all(map(_is_size, sizes)):
            raise ValueError(
                f"The '{self._sizes}' parameter of {type(self).__name__} must hold "
                f"positive integers, one per layer. Got {sizes!r} instead."
            )
        if len(sizes) < self._fewest_layers:
            raise ValueError(
                f"The '{self._sizes}' parameter of {type(self).__name__} must hold at "
                f"least one size. Got {sizes!r} instead."
            )
        if self.input_shape is not None:
            _check_asked_shape(self.input_shape, type(self).__name__)

    def build(
        self, input_shape: Shape, output_shape: Shape, latent_dim: int | None
    ) -> Built:
        """Return untrained Keras models of the layers.

        Parameters
        ----------
        input_shape, output_shape : tuple of int
            Shapes of one row of inputs and of targets.
        latent_dim : int or None
            Width of the code; None is the network's own.

        Returns
        -------
        built : Built
            Encoder, decoder, and the model that trains, where it is more than both.
        """
        encoder, decoder = self.layers(input_shape, output_shape, latent_dim)
        return build_layers(encoder, decoder, input_shape)

    def terms(self, output_shape: Shape) -> dict[str, float]:
        """Return the weight of the code's activity, where it is penalised.

        Parameters
        ----------
        output_shape : tuple of int
            Shape of one row of targets.

        Returns
        -------
        terms : dict of str to float
            Weight of each term, by the name that ``history_`` has for it.
        """
        return {"activity": float(self.activity_l1)} if self.activity_l1 else {}

    def _inner_shapes(
        self, input_shape: Shape, output_shape: Shape
    ) -> tuple[Shape, Shape]:
        """Return the shapes of one row, input and output, inside the network."""
        asked = self.input_shape
        if asked is None:
            return input_shape, output_shape
        inner = _filled(asked, prod(input_shape))
        if inner is None:
            raise ValueError(
                f"input_shape={tuple(asked)} of {type(self).__name__} does not fit the "
                f"rows, which have shape {input_shape}, that is {prod(input_shape)} "
                "values. Pass an input_shape of as many values, or None for the rows' "
                "own shape."
            )
        return inner, inner if output_shape == input_shape else output_shape

    def _followed(self, layer: Layer, activation: str | None) -> Layers:
        """Return a hidden layer, with normalisation and dropout where asked."""
        layers = [layer]
        if self.normalization is not None:
            n_channels = layer.n_out  # type: ignore[attr-defined]
            kind, of_maps = self.normalization, layer.has_places
            layers.append(
                Normalization(layer.name, kind, n_channels, activation, of_maps)
            )
        if self.dropout:
            layers.append(Dropout(f"{layer.name}_dropout", self.dropout))
        return layers


def layers_of(
    network: Network, input_shape: Shape, output_shape: Shape, latent_dim: int | None
) -> tuple[Layers, Layers] | None:
    """Return the layers that a network builds, or None where only Keras knows them."""
    # A class that defines ``build`` trains what it builds, whatever its bases' layers.
    for cls in type(network).__mro__:
        if cls is LayeredNetwork:
            break
        if "build" in vars(cls):
            return None
    if not isinstance(network, LayeredNetwork):
        return None
    return network.layers(input_shape, output_shape, latent_dim)


def build_layers(encoder: Layers, decoder: Layers, input_shape: Shape) -> Built:
    """Return the Keras models that fold over the layers' Keras twins."""
    import keras

    made: dict[Layer, Any] = {}
    inputs = row_input(input_shape, "input")
    *before, last = encoder
    if not isinstance(last, CodeLayer):
        code = keras_output(encoder, inputs, made)
        coded = keras.Model(inputs, code, name="encoder")
        return Built(coded, _decoder(decoder, code, made))
    seen = keras_output(before, inputs, made)
    code = last.keras(seen, made)
    coded = keras.Model(inputs, code, name="encoder")
    trunk = coded if code is seen else keras.Model(inputs, seen, name="statistics")
    decoded = _decoder(decoder, code, made)
    rows = row_input(input_shape, "input")
    drawn, terms = last.keras_training(trunk(rows))
    outputs = {"output": decoded(drawn), **terms}
    return Built(coded, decoded, keras.Model(rows, outputs, name="autoencoder"))


def _decoder(layers: Layers, code: Any, made: dict[Layer, Any]) -> Any:
    """Return the decoder's Keras model for codes as the encoder returns them."""
    import keras

    codes = row_input(code.shape[1:], "latent_input")
    return keras.Model(codes, keras_output(layers, codes, made), name="decoder")


def _orthogonal(shape: Shape, rng: np.random.Generator) -> np.ndarray:
    """Return a matrix with orthonormal rows or columns."""
    rows, columns = shape
    tall = rng.normal(size=(max(shape), min(shape)))
    q, r = np.linalg.qr(tall)
    q *= np.sign(np.diag(r))  # uniform over all such matrices
    return (q if rows >= columns else q.T).astype(np.float32)


def _is_size(value: Any) -> bool:
    """Return whether a value is a positive integer."""
    is_integer = isinstance(value, (int, np.integer)) and not isinstance(value, bool)
    return is_integer and value > 0


def _check_asked_shape(asked: tuple | list, name: str) -> None:
    """Raise where a network's `input_shape` is not positive integers and one -1."""
    free = [size for size in asked if not _is_size(size)]
    is_free = [isinstance(size, (int, np.integer)) and size == -1 for size in free]
    if not asked or len(free) > 1 or not all(is_free):
        raise ValueError(
            f"The 'input_shape' parameter of {name} must hold positive integers, of "
            f"which one may be -1, to be filled in. Got {asked!r} instead."
        )


def _filled(asked: tuple | list, n_values: int) -> Shape | None:
    """Return a shape of so many values with its -1 filled in; None if there is none."""
    known = prod(size for size in asked if size != -1)
    shape = tuple(n_values // known if size == -1 else int(size) for size in asked)
    return shape if prod(shape) == n_values else None
