"""The fully connected network."""

from __future__ import annotations

from itertools import pairwise
from math import prod

import numpy as np
from sklearn.base import clone

from skae._layers._base import Layer, Reshape, with_weights
from skae._layers._dense import Dense, TiedDense, WithLinearPath
from skae._layers._special import ActivityPenalty
from skae._validation import StrOptions
from skae.networks._base import ACTIVATION, LayeredNetwork, Network, Shape

# Size of the hidden kernels' first values next to a linear path, as a share of others'.
# With 0, the path would be at an optimum: Adam makes much of gradients of rounding.
_HIDDEN_FACTOR = np.float32(0.01)


class DenseNetwork(LayeredNetwork):
    r"""Fully connected encoder and decoder; the decoder mirrors the encoder.

    The first choice for tables, and for images and series that are small enough to be
    flattened: rows of any shape go in and come out, the network sees them flat.

    Read more in the :doc:`User Guide </guide/networks>`.

    .. versionadded:: 0.1

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

    initial_weights : {"glorot", "svd"}, default="glorot"
        Where training begins. "glorot" draws kernels at random. "svd", for a linear
        network, ``hidden_units=()`` without activations, is the best linear one for the
        training rows and the strength of the corruption: PCA, or with noise of variance
        :math:`s^2` PCA whose component of variance :math:`v` is multiplied by
        :math:`v / (v + s^2)`, Wiener's filter. For targets other than the inputs it is
        ridge regression, each target's strength chosen by generalised cross-validation
        [3]_; where the code is as wide as the rows, and targets have their shape, it
        may shrink the change of the rows instead of the prediction.

    linear_path : bool, default=False
        Whether code and output also get linear maps, of input and of code, in addition
        to the hidden layers. These maps begin as with ``initial_weights="svd"`` and the
        last hidden kernels near zero: training begins at PCA, or ridge regression, and
        returns there unless it lowers the loss of n validation rows by more than
        1 / n of it. `AutoencoderTransformer` and `DenoisingRegressor` use it by
        default.

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
    .. [3] Golub, G. H., Heath, M. and Wahba, G. (1979). Generalized cross-validation
       as a method for choosing a good ridge parameter. Technometrics 21(2):215-223.
       doi:10.1080/00401706.1979.10489751

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
        "linear_path": ["boolean"],
        "initial_weights": [StrOptions({"glorot", "svd"})],
    }
    _sizes = "hidden_units"

    def __init__(
        self,
        hidden_units: tuple[int, ...] = (768,),
        activation: str | None = "relu",
        latent_activation: str | None = None,
        output_activation: str | None = None,
        tied_weights: bool = False,
        dropout: float = 0.0,
        normalization: str | None = None,
        activity_l1: float = 0.0,
        initial_weights: str = "glorot",
        linear_path: bool = False,
        input_shape: tuple[int, ...] | None = None,
    ) -> None:
        self.hidden_units = hidden_units
        self.activation = activation
        self.latent_activation = latent_activation
        self.output_activation = output_activation
        self.tied_weights = tied_weights
        self.dropout = dropout
        self.normalization = normalization
        self.activity_l1 = activity_l1
        self.initial_weights = initial_weights
        self.linear_path = linear_path
        self.input_shape = input_shape

    def latent_width(self, input_shape: Shape, latent_dim: int | None) -> int:
        """Return the width of the code.

        Parameters
        ----------
        input_shape : tuple of int
            Shape of one row.

        latent_dim : int or None
            What is asked for.

        Returns
        -------
        width : int
            ``latent_dim``, or min(32, n_features) where it is None.
        """
        return min(32, prod(input_shape)) if latent_dim is None else int(latent_dim)

    def layers(
        self, input_shape: Shape, output_shape: Shape, latent_dim: int | None
    ) -> tuple[list[Layer], list[Layer]]:
        """Return the layers of encoder and decoder, of rows that may have any shape.

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
        if self.input_shape is not None:  # raises where it does not fit
            self._inner_shapes(input_shape, output_shape)
        n_in, n_out = prod(input_shape), prod(output_shape)
        width = self.latent_width(input_shape, latent_dim)
        units = [int(n) for n in self.hidden_units]
        if self.tied_weights and n_in != n_out:
            raise ValueError(
                "tied_weights=True of DenseNetwork needs outputs as large as the "
                f"inputs, but rows of shape {input_shape} are to give rows of shape "
                f"{output_shape}. Use tied_weights=False."
            )

        if self.linear_path and self.tied_weights:
            raise ValueError(
                "linear_path=True of DenseNetwork does not go with tied_weights=True, "
                "which leaves the decoder no map of its own. Use tied_weights=False."
            )
        coding = self._stack([n_in, *units, width], "latent", self.latent_activation)
        penalty = [ActivityPenalty()] if self.activity_l1 else []
        encoder = [Reshape("flatten", (n_in,)), *coding, *penalty]
        sources = [layer for layer in coding if isinstance(layer, Dense)][::-1]
        decoder = self._stack(
            [width, *units[::-1], n_out],
            "output",
            self.output_activation,
            sources if self.tied_weights else None,
        )
        return encoder, [*decoder, Reshape("unflatten", output_shape)]

    def exported(self, weights: list[np.ndarray]) -> tuple[Network, list[np.ndarray]]:
        """Return a network without tied weights, and weights, that do the same.

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
        if not self.tied_weights:
            return self, weights
        # Sizes do not matter to the order of weights.
        small = clone(self).set_params(input_shape=None)
        layers = [layer for part in small.layers((1,), (1,), 1) for layer in part]
        known = [own for _, own in with_weights(layers, weights)]
        untied = clone(self).set_params(tied_weights=False)
        return untied, [array for own in known for array in own]

    def weights_from(
        self,
        rows: np.ndarray,
        targets: np.ndarray | None,
        weight: np.ndarray | None,
        noise: float,
        width: int,
        rng: np.random.Generator,
    ) -> list[np.ndarray] | None:
        """Return the weights that training begins with, or None to draw them.

        Parameters
        ----------
        rows : ndarray of shape (n, *input_shape)
            Training rows, scaled, without missing entries.

        targets : ndarray of shape (n, *output_shape) or None
            What the network shall return, scaled; None is `rows`.

        weight : ndarray of shape (n,) or None
            Their weights.

        noise : float
            Mean variance of the corruption.

        width : int
            Of the code.

        rng : numpy.random.Generator
            What the kernels of hidden layers are drawn from.

        Returns
        -------
        weights : list of float32 ndarray, or None
            Kernels and biases of encoder and decoder; None unless
            ``initial_weights="svd"`` or ``linear_path=True``.
        """
        functions = (self.latent_activation, self.output_activation)
        is_linear = all(one in (None, "linear") for one in functions)
        has_path = self.linear_path and self.hidden_units
        if has_path or (is_linear and not self.hidden_units and not self.tied_weights):
            if not (self.linear_path or self.initial_weights == "svd"):
                return None
            rows = rows.reshape(len(rows), -1)
            if targets is None:
                linear = _svd_weights(rows, weight, noise, width)
            else:
                targets = targets.reshape(len(rows), -1)
                linear = _ridge_weights(rows, targets, weight, width)
            return self._paths_from(linear, rng) if has_path else linear
        if self.initial_weights == "svd":
            raise ValueError(
                f"initial_weights='svd' is for linear networks, but network is "
                f"{self!r}. Use hidden_units=() without tied weights and activations, "
                "or initial_weights='glorot'."
            )
        return None

    def _paths_from(
        self, linear: list[np.ndarray], rng: np.random.Generator
    ) -> list[np.ndarray]:
        """Return the weights of all layers, whose linear paths are known."""
        n_values, width = linear[0].shape
        shapes = (n_values,), linear[3].shape
        parts = clone(self).set_params(input_shape=None).layers(*shapes, width)
        weights: list[np.ndarray] = []
        known = iter(linear)
        for layer in (layer for part in parts for layer in part):
            for path, size in layer.variables:
                if "_path/" in path:
                    weights.append(next(known))
                    if size == (n_values, width):  # what is 0 would stay so
                        unused = ~weights[-1].any(axis=0)
                        drawn = self.draw_weight(f"{layer.name}/{path}", size, rng)
                        weights[-1][:, unused] = drawn[:, unused]
                else:
                    name = f"{layer.name}/{path}"
                    drawn = self.draw_weight(name, size, rng)
                    factor = _HIDDEN_FACTOR if "_hidden/" in path else 1
                    weights.append(factor * drawn)
        return weights

    def _stack(
        self,
        sizes: list[int],
        last_name: str,
        last_activation: str | None,
        sources: list[Dense] | None = None,
    ) -> list[Layer]:
        """Return hidden layers and a last one; `sources` hold tied kernels."""
        layers: list[Layer] = []
        n_hidden = len(sizes) - 2
        for i, (n_in, n_out) in enumerate(pairwise(sizes)):
            is_last = i == n_hidden
            name = last_name if is_last else f"hidden_{i}"
            activation = last_activation if is_last else self.activation
            if not is_last and self.normalization is not None:
                activation = None
            if sources is None:
                layer: Layer = Dense(name, n_in, n_out, activation)
            else:
                layer = TiedDense(name, sources[i], activation)
            if is_last or not (self.normalization or self.dropout):
                layers.append(layer)
            else:
                layers += self._followed(layer, self.activation)
        if not (self.linear_path and n_hidden):
            return layers
        # The sum of both ways has the last activation.
        layers[-1] = Dense(f"{last_name}_hidden", sizes[-2], sizes[-1])
        path = Dense(f"{last_name}_path", sizes[0], sizes[-1])
        return [WithLinearPath(last_name, layers, path, last_activation)]


def _svd_weights(
    rows: np.ndarray, weight: np.ndarray | None, noise: float, width: int
) -> list[np.ndarray]:
    """Return kernel and bias, of code and of output, of the best linear network."""
    rows, _, mean, _ = _centred(rows, rows, weight)
    values, vectors = _components(rows)
    values, vectors = values[:width], vectors[:, :width]
    # Signs as in scikit-learn's PCA: a component's largest entry is positive.
    vectors = vectors * np.sign(
        vectors[np.abs(vectors).argmax(axis=0), range(len(values))]
    )
    gains = values / (values + noise)
    return _map_weights(vectors, gains[:, None] * vectors.T, mean, mean, width)


def _ridge_weights(
    rows: np.ndarray, targets: np.ndarray, weight: np.ndarray | None, width: int
) -> list[np.ndarray]:
    """Return those of ridge regression, whose strength cross-validation chooses."""
    # Towards 0, or, where targets are rows, towards them: they may need little change.
    # Generalised cross-validation: Golub, Heath and Wahba (1979).
    # doi:10.1080/00401706.1979.10489751
    n = len({row.tobytes() for row in rows})  # copies say nothing new
    rows, targets, mean, target_mean = _centred(rows, targets, weight)
    values, vectors = _components(rows)
    strengths = np.logspace(-8, 2, 41) * (values[0] if len(values) else 1.0)
    damping = 1 / (values[:, None] + strengths)  # (m, strengths)
    n_free = np.maximum(n - 1 - values @ damping, 1e-9)
    explained = (damping * (2 - values[:, None] * damping)).T
    can_keep = rows.shape == targets.shape and width == rows.shape[1]
    products, risks = [], []
    for wanted in [targets, targets - rows] if can_keep else [targets]:
        product = vectors.T @ (rows.T @ wanted)
        left = np.square(wanted).sum(axis=0) - explained @ np.square(product)
        floor = np.finfo(float).tiny
        risks.append(np.log(np.maximum(left, floor)) - 2 * np.log(n_free)[:, None])
        products.append(product)
    # Each target has its own strength, but the others have as much weight as its rows.
    risk = np.concatenate(risks)
    best = (risk + risk.mean(axis=1, keepdims=True)).argmin(axis=0)
    keeps = best >= len(strengths)
    product = np.where(keeps, products[-1], products[0])
    inner = product / (values[:, None] + strengths[best % len(strengths)])
    if keeps.any():
        kernel = np.diag(keeps.astype(float)) + vectors @ inner
        return _map_weights(np.eye(width), kernel, mean, target_mean, width)
    # What the code has no place for is the part of the smallest predicted variance.
    predicted = np.sqrt(values)[:, None] * inner
    directions = np.linalg.svd(predicted, full_matrices=False)[2][:width].T
    kernel = vectors @ (inner @ directions)
    return _map_weights(kernel, directions.T, mean, target_mean, width)


def _centred(
    rows: np.ndarray, targets: np.ndarray, weight: np.ndarray | None
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Return rows and targets less their means, times roots of shares; the means."""
    rows, targets = rows.astype(np.float64), targets.astype(np.float64)
    share = np.ones(len(rows)) if weight is None else weight.astype(np.float64)
    share = share / share.sum()
    means = share @ rows, share @ targets
    root = np.sqrt(share)[:, None]
    return (rows - means[0]) * root, (targets - means[1]) * root, *means


def _components(rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return variances, not 0 and falling, and directions (p, m) of centred rows."""
    # By the smaller of the two products of the rows with themselves.
    is_wide = rows.shape[0] < rows.shape[1]
    values, vectors = np.linalg.eigh(rows @ rows.T if is_wide else rows.T @ rows)
    values, vectors = values[::-1], vectors[:, ::-1]
    is_kept = values > max(values[0], 0.0) * 1e-10
    values, vectors = values[is_kept], vectors[:, is_kept]
    if is_wide:
        vectors = rows.T @ vectors / np.sqrt(values)
    return values, vectors


def _map_weights(
    kernel: np.ndarray,
    back: np.ndarray,
    mean: np.ndarray,
    target_mean: np.ndarray,
    width: int,
) -> list[np.ndarray]:
    """Return the weights of a linear network, codes that it does not need at 0."""
    n_more = width - kernel.shape[1]
    kernel = np.pad(kernel, ((0, 0), (0, n_more)))
    back = np.pad(back, ((0, n_more), (0, 0)))
    weights = [kernel, -mean @ kernel, back, target_mean]
    return [array.astype(np.float32) for array in weights]
