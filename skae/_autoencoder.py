"""The trained autoencoder as a value.

It knows arrays and networks, not estimators: no validation, no parameters to set. Its
methods trust their input. It pickles without Keras, and scores without TensorFlow.
"""

import functools
from math import prod

import numpy as np

from skae import _engine as engine
from skae._missing import goodness_of_observed, has_missing
from skae._scalers import is_affine

# Rows are handled in blocks of about this many numbers: scoring a large array needs
# little memory beside the array, and what a layer writes is still in the processor's
# cache when the next one reads it.
_BLOCK_SIZE = 1 << 17
# Every call of Keras costs, so that its blocks are larger by this factor.
_MORE_IN_KERAS = 2
# With fewer blocks, starting threads is not worth it.
_MANY_BLOCKS = 8


class Autoencoder:
    """A trained network with its scalers and the history of its training.

    Parameters
    ----------
    forward : skae._engine.TrainedNetwork
        The network with its weights.

    scaler, target_scaler : object
        Fitted; inputs pass the first, outputs the inverse of the second. They are the
        same object where the network reconstructs its inputs.

    history : dict of str to list of float
        Losses per epoch.

    fill : ndarray of shape (input_shape[-1],) or None
        What the network gets for missing entries, in scaled space: the training mean.
        None where no entry may be missing.

    restored : bool
        Whether the weights are those of the best epoch in `history`, not of the last.
    """

    def __init__(
        self, forward, scaler, target_scaler, history, fill=None, restored=False
    ):
        self.forward = forward
        self.scaler = scaler
        self.target_scaler = target_scaler
        self.history = history
        self.fill = fill
        self.restored = restored
        # Numbers that one row takes where it is widest: hidden layers count, too.
        shapes = forward.architecture
        widest_layer = max(weight.shape[-1] for weight in forward.weights)
        self._row_size = max(
            prod(shapes.input_shape), prod(shapes.output_shape), widest_layer
        )

    @property
    def architecture(self):
        """The network and the shapes that it was built for."""
        return self.forward.architecture

    @property
    def weights(self):
        """The weights, a list of float32 arrays."""
        return self.forward.weights

    @property
    def latent_shape(self):
        """Shape of one code before it is flattened."""
        return self.forward.latent_shape

    @property
    def terms(self):
        """What the network adds to the loss: the weight of each term, by name."""
        return self.architecture.network.terms(self.architecture.output_shape)

    @property
    def width(self):
        """Width of a flat code."""
        return prod(self.latent_shape)

    def encode(self, X):
        """Return the codes, of shape (n, width), of rows in the input space."""
        codes = np.empty((len(X), self.width), X.dtype)

        def one_block(rows):
            codes[rows] = self.encode_scaled(self.scaler.transform(X[rows]))

        self._in_blocks(one_block, X)
        return codes

    def decode(self, codes):
        """Return the rows, of shape (n, *output_shape), that codes stand for."""
        shape = self.architecture.output_shape
        decoded = np.empty((len(codes), *shape), codes.dtype)

        def one_block(rows):
            scaled = self.decode_scaled(codes[rows])
            decoded[rows] = self.target_scaler.inverse_transform(scaled)

        self._in_blocks(one_block, codes)
        return decoded

    def reconstruct(self, X):
        """Return the network's output, of shape (n, *output_shape), in y's units."""
        shape = self.architecture.output_shape
        output = np.empty((len(X), *shape), X.dtype)

        def keep(rows, _, scaled):
            output[rows] = self.target_scaler.inverse_transform(scaled)

        self.for_blocks(X, keep)
        return output

    def for_blocks(self, X, use):
        """Call ``use(rows, scaled inputs, scaled outputs)`` for every block of X.

        Where there are many blocks and the network runs in NumPy, threads share them:
        what ``use`` writes must not depend on the order.
        """

        def one_block(rows):
            scaled = self.scaler.transform(X[rows])
            use(rows, scaled, self.reconstruct_scaled(scaled))

        self._in_blocks(one_block, X)

    def for_inputs(self, X, use):
        """Call ``use(rows, scaled inputs)``, in the same way; none has a gap."""

        def one_block(rows):
            use(rows, self._filled(self.scaler.transform(X[rows])))

        self._in_blocks(one_block, X)

    def inputs(self, X):
        """Return what the network gets of rows: scaled, without missing entries."""
        inputs = np.empty_like(X)

        def keep(rows, scaled):
            inputs[rows] = scaled

        self.for_inputs(X, keep)
        return inputs

    def for_coded_blocks(self, X, use):
        """Call ``use(rows, scaled inputs, codes, scaled outputs)`` in the same way."""

        def one_block(rows):
            scaled = self.scaler.transform(X[rows])
            filled = self._filled(scaled)
            use(rows, scaled, *self.forward.encode_and_reconstruct(filled))

        self._in_blocks(one_block, X)

    def _in_blocks(self, one_block, x):
        """Call a function with every block of rows, in threads where that pays."""
        if 0 < len(x) * self._row_size <= _BLOCK_SIZE:  # single rows come often
            with engine.OneBlasThread():
                one_block(slice(0, len(x)))
            return
        _let_memory_stay()
        slices = list(self._blocks(x))
        if len(slices) < _MANY_BLOCKS or not self._runs_in_threads(x.dtype):
            with engine.OneBlasThread():
                for rows in slices:
                    one_block(rows)
        else:
            engine.run_in_threads(
                [functools.partial(one_block, rows) for rows in slices]
            )

    def _blocks(self, x):
        """Return the blocks of rows, or codes."""
        in_numpy = self.forward.runs_in_numpy(x.dtype)
        return blocks(len(x), self._row_size, 1 if in_numpy else _MORE_IN_KERAS)

    def _runs_in_threads(self, dtype):
        """Return whether a forward pass is NumPy's alone, from end to end."""
        scalers = self.scaler, self.target_scaler
        return self.forward.runs_in_numpy(dtype) and all(map(is_affine, scalers))

    def scaled_pairs(self, X):
        """Yield (rows, scaled inputs, scaled outputs) block by block."""
        for rows in self._blocks(X):
            with engine.OneBlasThread():
                scaled = self.scaler.transform(X[rows])
                output = self.reconstruct_scaled(scaled)
            yield rows, scaled, output

    def reconstruct_scaled(self, scaled):
        """Return the network's output for scaled rows, in scaled space."""
        return self.forward.reconstruct(self._filled(scaled))

    def goodness(self, X, y=None, weight=None):
        """Return how well rows are reconstructed, in the units of y (or X).

        Returns
        -------
        mse : float
            Mean squared error.

        r2 : float
            Share of the variance that is explained; features count by their variance.
        """
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

        def add(rows, _, scaled):
            output = self.target_scaler.inverse_transform(scaled)
            sums[rows.start] = (
                weight[rows] @ _row_sums(y[rows] - output),
                weight[rows] @ _row_sums(y[rows] - first - mean),
            )

        self.for_blocks(X, add)
        squared, spread = (sum(sums[i][j] for i in sorted(sums)) for j in (0, 1))
        mse = squared / (weight.sum() * first.size)
        if spread == 0:
            return float(mse), 1.0 if squared == 0 else 0.0
        return float(mse), float(1 - squared / spread)

    def encode_scaled(self, scaled):
        """Return the codes of scaled rows."""
        return self.forward.encode(self._filled(scaled))

    def decode_scaled(self, codes):
        """Return the scaled rows that codes stand for."""
        return self.forward.decode(codes)

    def terms_scaled(self, scaled):
        """Return the values per row of the network's terms, for scaled rows."""
        return self.forward.terms(self._filled(scaled))

    def _filled(self, scaled):
        """Return scaled rows as the network gets them: without missing entries."""
        if self.fill is None:
            return scaled
        missing = np.isnan(scaled)
        if not missing.any():
            return scaled
        return np.where(missing, self.fill.astype(scaled.dtype), scaled)

    def to_keras(self):
        """Return a new ``keras.Model`` with these weights; it works in scaled space."""
        return engine.keras_model(self.architecture, self.weights)


def blocks(n, row_size, factor=1):
    """Yield slices that cover ``range(n)``, of about equal memory whatever a row's."""
    step = max(32, factor * _BLOCK_SIZE // row_size)
    for start in range(0, n, step):
        yield slice(start, min(start + step, n))


@functools.cache
def _let_memory_stay():
    """Keep the C library from giving a block's memory back to the system.

    The next block would get it back page by page, which takes as long as all else does.
    That ends where glibc has seen a larger array go (see ``mallopt(3)``).
    """
    np.empty(1 << 20)  # 8 MB; costs nothing, since it is never written to


def _row_sums(difference):
    """Return the sum of squares of every row."""
    flat = difference.reshape(len(difference), -1).astype(np.float64, copy=False)
    return np.vecdot(flat, flat)
