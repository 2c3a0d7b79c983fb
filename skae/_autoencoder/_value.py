"""The trained autoencoder as a value.

It knows arrays and networks, not estimators: no validation, no parameters to set. Its
methods trust their input. It pickles without Keras, and scores without TensorFlow.
"""

from __future__ import annotations

import functools
from math import prod
from typing import TYPE_CHECKING, Any

import numpy as np

from skae import _engine as engine
from skae._missing import extremes, goodness_of_observed, has_missing
from skae._scalers import is_affine

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from numpy.typing import NDArray

#: Names of the types of which skae's fitted estimators are made, for the argument
#: ``trusted`` of ``skops.io.load``: none of them holds code. A `KerasNetwork` may, and
#: so may a user's own loss, scaler or network: these are left out.
SKOPS_TRUSTED = [
    "skae._autoencoder._settings.Passes",
    "skae._autoencoder._settings.Table",
    "skae._autoencoder._value.Autoencoder",
    "skae._denoiser.DenoisingRegressor",
    "skae._detector.ReconstructionOutlierDetector",
    "skae._engine._network.TrainedNetwork",
    "skae._engine._spec.Architecture",
    "skae._row_errors._learned.Neighbors",
    "skae._row_errors._learned.Whitening",
    "skae._row_errors._scorer.ErrorKind",
    "skae._row_errors._scorer.Scorer",
    "skae._row_errors._scorer.Window",
    "skae._scalers.ChannelScaler",
    "skae._scalers.CommonScaler",
    "skae._scalers.IdentityScaler",
    "skae._scalers.TransformerScaler",
    "skae._series._detector.SlidingWindowDetector",
    "skae._series._windows.Stream",
    "skae._transformer.AutoencoderTransformer",
    "skae.corruptions.GaussianNoise",
    "skae.corruptions.MaskingNoise",
    "skae.corruptions.SaltAndPepperNoise",
    "skae.corruptions.SwapNoise",
    "skae.networks._conv.ConvNetwork",
    "skae.networks._dense.DenseNetwork",
    "skae.networks._recurrent.RecurrentNetwork",
    "skae.networks._variational.VariationalNetwork",
    "skae.thresholds._calibration.Calibration",
    "skae.thresholds._conformal.Conformal",
    "skae.thresholds._labelled.BestF",
    "skae.thresholds._labelled.FalseAlarmRate",
    "skae.thresholds._labelled.Precision",
    "skae.thresholds._rules.Contamination",
    "skae.thresholds._rules.FixedThreshold",
    "skae.thresholds._rules.IQR",
    "skae.thresholds._rules.MAD",
    "skae.thresholds._rules.MeanStd",
    "skae.thresholds._rules.Quantile",
    "skae.thresholds._tail.PeaksOverThreshold",
]

# Rows are handled in blocks of about this many numbers: scoring a large array needs
# little memory in addition to the array, and what a layer writes is still in the
# processor's cache when the next one reads it.
BLOCK_SIZE = 1 << 17
# Every call of Keras costs, so that its blocks are larger by this factor.
_MORE_IN_KERAS = 2
# With fewer blocks, starting threads is not worth it.
MANY_BLOCKS = 8


class Autoencoder:
    """A trained network with its scalers and the history of its training."""

    block_size, many_blocks = BLOCK_SIZE, MANY_BLOCKS
    was_interrupted = False  # whether Ctrl-C ended its training

    def __init__(
        self,
        forward: engine.TrainedNetwork,
        scaler: Any,  # fitted; inputs pass it
        target_scaler: Any,  # fitted, perhaps the same; outputs pass its inverse
        history: dict[str, list[float]],  # losses per epoch
        # What the network gets for missing entries, in scaled space: the training mean,
        # (input_shape[-1],). None where no entry may be missing.
        fill: NDArray[np.float64] | None = None,
        restored: bool = False,  # whether the weights are those of the best epoch
    ) -> None:
        self.forward = forward
        self.scaler = scaler
        self.target_scaler = target_scaler
        self.history = history
        self.fill = fill
        self.restored = restored
        # How well the first of the networks of a training reconstructs its rows.
        self.train_mse: float | None = None
        self.train_r2: float | None = None
        # Numbers that one row takes where it is widest: hidden layers count, too.
        shapes = forward.architecture
        widest_layer = max(weight.shape[-1] for weight in forward.weights)
        self._row_size = max(
            prod(shapes.input_shape), prod(shapes.output_shape), widest_layer
        )

    @property
    def architecture(self) -> engine.Architecture:
        """The network and the shapes that it was built for."""
        return self.forward.architecture

    @property
    def weights(self) -> list[NDArray[np.float32]]:
        """The weights."""
        return self.forward.weights

    @property
    def latent_shape(self) -> tuple[int, ...]:
        """Shape of one code before it is flattened."""
        return self.forward.latent_shape

    @property
    def terms(self) -> dict[str, float]:
        """What the network adds to the loss: the weight of each term, by name."""
        return self.architecture.network.terms(self.architecture.output_shape)

    @property
    def width(self) -> int:
        """Width of a flat code."""
        return prod(self.latent_shape)

    # --------------------------------------------------- rows in the input space

    def encode(self, X: NDArray) -> NDArray:
        """Return the codes, of shape (n, width), of rows."""
        return self._mapped(
            lambda x: self.forward.encode(self.filled(self.scaler.transform(x))),
            X,
            (prod(self.forward.latent_shape),),
        )

    def decode(self, codes: NDArray) -> NDArray:
        """Return the rows, of shape (n, *output_shape), that codes stand for."""
        back = self.target_scaler.inverse_transform
        return self._mapped(
            lambda z: back(self.forward.decode(z)),
            codes,
            self.architecture.output_shape,
        )

    def reconstruct(self, X: NDArray) -> NDArray:
        """Return the network's output, of shape (n, *output_shape), in y's units."""
        back = self.target_scaler.inverse_transform
        return self._mapped(
            lambda x: back(self.reconstruct_scaled(self.scaler.transform(x))),
            X,
            self.architecture.output_shape,
        )

    def inputs(self, X: NDArray) -> NDArray[np.float64]:
        """Return what the network gets of rows: scaled, without missing entries."""
        return self._mapped(
            lambda x: self.filled(self.scaler.transform(x)),
            X.astype(np.float64, copy=False),
            X.shape[1:],
        )

    @np.errstate(over="ignore")  # a user's scaler may have an inverse that explodes
    def goodness(
        self, X: NDArray, y: NDArray | None = None, weight: NDArray | None = None
    ) -> tuple[float, float]:
        """Return y's (or X's) mean squared error, and the share of variance kept."""
        y = X if y is None else y
        if self.fill is not None and has_missing(y):
            outputs = (
                (rows, self.target_scaler.inverse_transform(scaled))
                for rows, _, scaled in self.scaled_pairs(X)
            )
            return goodness_of_observed(y, outputs, weight)
        weight = np.ones(len(X)) if weight is None else weight
        # Deviations from the first row: a constant y has none, to the last bit.
        first = y[0].astype(np.float64)
        mean = np.zeros(first.shape)
        for rows in blocks(len(y), first.size):
            mean += np.tensordot(weight[rows], y[rows] - first, axes=1) / weight.sum()
        sums = {}  # by block, since threads may share them

        def one_block(rows: slice) -> None:
            scaled = self.reconstruct_scaled(self.scaler.transform(X[rows]))
            output = self.target_scaler.inverse_transform(scaled)
            parts = []
            for difference in (y[rows] - output, y[rows] - first - mean):
                flat = difference.reshape(len(output), -1).astype(float, copy=False)
                parts.append(weight[rows] @ np.vecdot(flat, flat))
            sums[rows.start] = parts

        self.in_blocks(one_block, X)
        squared, spread = (sum(sums[i][j] for i in sorted(sums)) for j in (0, 1))
        mse = squared / (weight.sum() * first.size)
        if spread == 0:
            return float(mse), 1.0 if squared == 0 else 0.0
        return float(mse), float(1 - squared / spread)

    # ---------------------------------------------------------------- scaled rows

    def reconstruct_scaled(self, scaled: NDArray) -> NDArray:
        """Return the network's output for scaled rows, in scaled space."""
        return self.forward.reconstruct(
            scaled if self.fill is None else self.filled(scaled)
        )

    def terms_scaled(self, scaled: NDArray) -> dict[str, NDArray]:
        """Return the values per row of the network's terms, for scaled rows."""
        return self.forward.terms(self.filled(scaled))

    def weighted_terms(self, scaled: NDArray) -> NDArray:
        """Return the weighted sum of the network's terms for each scaled row."""
        values = self.terms_scaled(scaled)
        terms = (share * values[name] for name, share in self.terms.items())
        return sum(terms, start=np.zeros(len(scaled), scaled.dtype))

    def filled(self, scaled: NDArray) -> NDArray:
        """Return scaled rows as the network gets them: without missing entries."""
        if self.fill is None:
            return scaled
        missing = np.isnan(scaled)
        if not missing.any():
            return scaled
        return np.where(missing, self.fill.astype(scaled.dtype), scaled)

    def to_keras(self) -> Any:
        """Return a new ``keras.Model`` with these weights; it works in scaled space."""
        known = self.forward.fingerprint
        return engine.keras_model(self.architecture, self.weights, known)

    # --------------------------------------------------------------------- blocks

    def _mapped(
        self, function: Callable[[NDArray], NDArray], x: NDArray, shape: tuple[int, ...]
    ) -> NDArray:
        """Return what a function makes of rows, row by row of a shape."""
        results = np.empty((len(x), *shape), x.dtype)

        def one_block(rows: slice) -> None:
            results[rows] = made = function(x[rows])
            if not np.isfinite(made).all():
                raise _overflow_error(x[rows])

        with np.errstate(over="ignore", invalid="ignore"):
            self.in_blocks(one_block, x)
        return results

    def in_blocks(
        self,
        one_block: Callable[[slice], None],
        x: NDArray,
        dtype: np.dtype | None = None,  # in which rows pass the network; x's own
        n_networks: int = 1,  # which a block passes
    ) -> None:
        """Call a function with every block of rows, in threads where that pays."""
        # What it writes must not depend on the order of the blocks.
        if 0 < len(x) * self._row_size <= self.block_size:  # single rows come often
            with engine.OneBlasThread():
                one_block(slice(0, len(x)))
            return
        _let_memory_stay()
        is_numpy = self.forward.runs_in_numpy(x.dtype if dtype is None else dtype)
        slices = list(self._blocks(len(x), is_numpy))
        # A user's scaler may not be safe in threads.
        is_safe = is_numpy and all(map(is_affine, (self.scaler, self.target_scaler)))
        if len(slices) * n_networks < self.many_blocks or not is_safe:
            with engine.OneBlasThread():
                for rows in slices:
                    one_block(rows)
        else:
            engine.run_in_threads(
                [functools.partial(one_block, rows) for rows in slices]
            )

    def scaled_pairs(self, X: NDArray) -> Iterator[tuple[slice, NDArray, NDArray]]:
        """Yield (rows, scaled inputs, scaled outputs) block by block."""
        is_numpy = self.forward.runs_in_numpy(X.dtype)
        for rows in self._blocks(len(X), is_numpy):
            with engine.OneBlasThread():
                scaled = self.scaler.transform(X[rows])
                output = self.reconstruct_scaled(scaled)
            yield rows, scaled, output

    def _blocks(self, n: int, is_numpy: bool) -> Iterator[slice]:
        """Return the blocks of rows."""
        factor = 1 if is_numpy else _MORE_IN_KERAS
        return blocks(n, self._row_size, factor * self.block_size)

    def rows_at_once(self, dtype: np.dtype) -> int:
        """Return how many rows a block has, where there are as many."""
        is_numpy = self.forward.runs_in_numpy(dtype)
        return next(self._blocks(1 << 62, is_numpy)).stop


class TrainingInterrupted(KeyboardInterrupt):
    """Ctrl-C during a training, with the networks that there were by then."""

    def __init__(self, networks: list[Autoencoder]) -> None:
        super().__init__()
        self.networks = networks


def blocks(n: int, row_size: int, block_size: int = BLOCK_SIZE) -> Iterator[slice]:
    """Yield slices that cover ``range(n)``, of about equal memory whatever a row's."""
    step = max(32, block_size // row_size)
    for start in range(0, n, step):
        yield slice(start, min(start + step, n))


def _overflow_error(x: NDArray) -> ValueError:
    """Return the error about rows whose results are not finite."""
    low, high = extremes(x)
    advice = "Pass smaller values" if x.dtype == np.float64 else "Pass float64 values"
    return ValueError(
        f"{x.dtype} does not hold the results of rows that range from {low:.3g} to "
        f"{high:.3g}. {advice}, or rescale the data and fit again."
    )


@functools.cache
def _let_memory_stay() -> None:
    """Keep the C library from giving a block's memory back to the system."""
    # The next block would get it back page by page, as slow as all else together.
    # That ends where glibc has seen a larger array go (see ``mallopt(3)``).
    np.empty(1 << 20)  # 8 MB; costs nothing, since it is never written to
