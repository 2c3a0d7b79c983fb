"""Networks built in Keras, with weights that hide nothing."""

import numpy as np
import pytest

from skae._engine import Architecture, TrainedNetwork
from skae._random import stream
from skae._validation import check_parameters
from skae.networks._quiet import import_quietly


@pytest.fixture(scope="session")
def keras():
    import_quietly()
    import keras

    return keras


class Models:
    """What a network builds, with fresh weights, and its outputs for rows.

    Scales, shifts, biases and moving averages are not what they start with: a layer
    that ignored them would be found out.
    """

    def __init__(self, keras, network, input_shape, output_shape, latent_dim, dtype):
        self._keras = keras
        before = keras.config.dtype_policy()
        keras.config.set_dtype_policy(dtype)
        try:
            built = network.build(input_shape, output_shape, latent_dim)
            self.encoder, self.decoder = built.encoder, built.decoder
            self.model = built.model
            if built.model is None:
                inputs = keras.Input(input_shape, dtype=dtype)
                self.model = keras.Model(inputs, self.decoder(self.encoder(inputs)))
        finally:
            keras.config.set_dtype_policy(before)
        rng = stream(0, "weights")
        self.drawn = [
            network.draw_weight(v.path, tuple(v.shape), rng) for v in self.model.weights
        ]
        self.weights = [
            w + rng.uniform(0, 0.2, w.shape).astype(w.dtype) for w in self.drawn
        ]
        self.model.set_weights(self.weights)
        architecture = Architecture(network, input_shape, output_shape, latent_dim)
        self.trained = TrainedNetwork(architecture, self.weights, ())

    def check_numpy(self, x, rtol, atol):
        """Compare codes, rows and terms of Keras with those of NumPy."""
        ours, given = self.trained, x.copy()
        assert ours.runs_in_numpy(x.dtype)
        n, (codes, output, terms) = len(x), self.run(x)
        found = {
            "encode": ours.encode(x),
            "reconstruct": ours.reconstruct(x).reshape(n, -1),
            **ours.terms(x),
        }
        found["decode"] = ours.decode(found["encode"].copy()).reshape(n, -1)
        expected = {"encode": codes.reshape(n, -1), **terms}
        expected["reconstruct"] = expected["decode"] = output.reshape(n, -1)
        assert found.keys() == expected.keys()
        for name, values in found.items():
            assert values.dtype == x.dtype
            np.testing.assert_allclose(values, expected[name], rtol, atol)
        assert np.array_equal(x, given)

    def run(self, x):
        """Return codes, rows, and the terms' values, as Keras computes them."""
        made = self.model(x)
        terms = dict(made) if isinstance(made, dict) else {"output": made}
        output = terms.pop("output")
        return self._numpy(self.encoder(x)), self._numpy(output), terms

    def _numpy(self, tensor):
        return self._keras.ops.convert_to_numpy(tensor)


@pytest.fixture(scope="session")
def build(keras):
    """Return a function that checks and builds a network."""

    def build(
        network, input_shape, output_shape=None, latent_dim=None, dtype="float32"
    ):
        check_parameters(network)
        output_shape = input_shape if output_shape is None else output_shape
        return Models(keras, network, input_shape, output_shape, latent_dim, dtype)

    return build
