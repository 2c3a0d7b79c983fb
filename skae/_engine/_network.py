"""The forward pass of a trained network: in NumPy where that can be, else in Keras."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from skae._engine._spec import Architecture
from skae._layers._base import Layer, Weights, run, with_weights
from skae._layers._special import CodeLayer

if TYPE_CHECKING:
    from skae._engine._fingerprint import Fingerprint

Stack = list[tuple[Layer, Weights]]


class TrainedNetwork:
    """A trained network that can be run; it pickles as its architecture and weights.

    float32 rows are computed in float32, all others in float64. Where all layers run in
    NumPy, neither TensorFlow nor Keras is needed.
    """

    def __init__(
        self,
        architecture: Architecture,
        weights: list[np.ndarray],  # float32, in the order of the Keras model's
        latent_shape: tuple[int, ...],  # of one code, before it is flattened
        fingerprint: Fingerprint | None = None,  # of a network that a user's code built
    ) -> None:
        self.architecture = architecture
        self.weights = weights
        self.latent_shape = latent_shape
        self.fingerprint = fingerprint
        self._stacks: dict[Any, tuple[Stack, Stack] | None] = {}  # by dtype
        self._key: Any = None  # of the Keras model that runs it

    def __getstate__(self) -> dict[str, Any]:
        return self.__dict__ | {"_stacks": {}, "_key": None}

    def encode(self, x: np.ndarray) -> np.ndarray:
        """Return flat codes, of shape (n, width), of scaled rows."""
        stacks = self._numpy_stacks(x.dtype)
        if stacks is None:
            return self._in_keras("encode", x)
        return run(stacks[0], x.reshape(len(x), -1))

    def decode(self, codes: np.ndarray) -> np.ndarray:
        """Return the scaled rows of flat codes."""
        stacks = self._numpy_stacks(codes.dtype)
        if stacks is None:
            return self._in_keras("decode", codes)
        rows = run(stacks[1], codes)
        return rows.reshape(len(rows), *self.architecture.output_shape)

    def reconstruct(self, x: np.ndarray) -> np.ndarray:
        """Return the network's output for scaled rows."""
        stacks = self._numpy_stacks(x.dtype)
        if stacks is None:
            return self._in_keras("reconstruct", x)
        # Not by the two methods above: single rows come often, and calls cost.
        rows = run(stacks[1], run(stacks[0], x.reshape(len(x), -1)))
        return rows.reshape(len(rows), *self.architecture.output_shape)

    def encode_and_reconstruct(self, x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return flat codes and the output, both as the two alone return them."""
        stacks = self._numpy_stacks(x.dtype)
        if stacks is None:
            return self._in_keras("encode", x), self._in_keras("reconstruct", x)
        codes = run(stacks[0], x.reshape(len(x), -1))
        rows = run(stacks[1], codes)
        return codes, rows.reshape(len(rows), *self.architecture.output_shape)

    def terms(self, x: np.ndarray) -> dict[str, np.ndarray]:
        """Return the values per row of the network's terms, by name."""
        stacks = self._numpy_stacks(x.dtype)
        if stacks is None:
            return self._in_keras("terms", x)
        *before, (last, _) = stacks[0]
        if not isinstance(last, CodeLayer):
            return {}
        return last.row_terms(run(before, x.reshape(len(x), -1)))

    def runs_in_numpy(self, dtype: np.dtype) -> bool:
        """Return whether rows of this dtype need neither TensorFlow nor Keras."""
        return self._numpy_stacks(dtype) is not None

    def _numpy_stacks(self, dtype: np.dtype) -> tuple[Stack, Stack] | None:
        """Return encoder and decoder with weights, or None where Keras is needed."""
        if dtype not in self._stacks:
            layers, stacks = self.architecture.layers, None
            if layers is not None and all(one.runs_in_numpy for one in layers.all):
                if self.fingerprint is not None:
                    from skae._engine._fingerprint import check_same  # seldom needed

                    check_same(self.architecture, self.fingerprint)
                # A row is added to a single row without broadcasting, which is faster.
                cast = [np.atleast_2d(np.asarray(w, dtype)) for w in self.weights]
                pairs, n_coding = with_weights(layers.all, cast), len(layers.encoder)
                stacks = pairs[:n_coding], pairs[n_coding:]
            self._stacks[dtype] = stacks
        return self._stacks[dtype]

    def _in_keras(self, part: str, x: np.ndarray) -> Any:
        """Return the output of a part of the network, run by Keras."""
        from skae.networks._quiet import import_quietly

        import_quietly()
        from skae._engine._keras import _models

        if self._key is None:
            self._key = _models.network_key(self.architecture, self.fingerprint)
        return _models.run(
            self.architecture, self._key, self.fingerprint, self.weights, part, x
        )
