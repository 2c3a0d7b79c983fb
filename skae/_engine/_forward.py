"""The forward pass of a trained network: in NumPy where that can be, else in Keras."""

import numpy as np

from skae.networks._quiet import import_quietly


class TrainedNetwork:
    """A trained network that can be run; it pickles as its architecture and weights.

    float32 rows are computed in float32, all others in float64. Dense and convolutional
    networks run in NumPy: they need neither TensorFlow nor Keras.

    Parameters
    ----------
    architecture : Architecture

    weights : list of ndarray
        float32, in the order of the Keras model's.

    latent_shape : tuple of int
        Shape of one code, before it is flattened.
    """

    def __init__(self, architecture, weights, latent_shape):
        self.architecture = architecture
        self.weights = weights
        self.latent_shape = latent_shape
        self._layers = {}  # by dtype
        self._key = None  # of the Keras runner

    def __getstate__(self):
        return self.__dict__ | {"_layers": {}, "_key": None}

    def encode(self, x):
        """Return flat codes, of shape (n, width), of scaled rows."""
        layers = self._numpy_layers(x.dtype)
        if layers is None:
            return self._in_keras("encode", x)
        return _through(layers[0], x.reshape(len(x), -1))

    def decode(self, codes):
        """Return the scaled rows that flat codes stand for."""
        layers = self._numpy_layers(codes.dtype)
        if layers is None:
            return self._in_keras("decode", codes)
        rows = _through(layers[1], codes)
        return rows.reshape(len(rows), *self.architecture.output_shape)

    def reconstruct(self, x):
        """Return the network's output for scaled rows."""
        layers = self._numpy_layers(x.dtype)
        if layers is None:
            return self._in_keras("reconstruct", x)
        # Not by the two methods above: single rows come often, and calls cost.
        codes = _through(layers[0], x.reshape(len(x), -1))
        rows = _through(layers[1], codes)
        return rows.reshape(len(rows), *self.architecture.output_shape)

    def encode_and_reconstruct(self, x):
        """Return flat codes and the output, both as the two alone return them."""
        codes = self.encode(x)
        in_numpy = self._numpy_layers(x.dtype) is not None
        return codes, self.decode(codes) if in_numpy else self.reconstruct(x)

    def terms(self, x):
        """Return the values per row of the network's terms, a dict of name to array."""
        layers = self._numpy_layers(x.dtype)
        if layers is None:
            return self._in_keras("terms", x)
        return self.architecture.network.numpy_terms(layers, x.reshape(len(x), -1))

    def runs_in_numpy(self, dtype):
        """Return whether rows of this dtype need neither TensorFlow nor Keras."""
        return self._numpy_layers(dtype) is not None

    def _numpy_layers(self, dtype):
        """Return the layers of encoder and decoder, or None where Keras is needed."""
        if dtype not in self._layers:
            cast = [np.asarray(weight, dtype) for weight in self.weights]
            shapes = self.architecture.shapes
            self._layers[dtype] = self.architecture.network.numpy_layers(cast, shapes)
        return self._layers[dtype]

    def _in_keras(self, part, x):
        import_quietly()
        from skae._engine import _runner

        if self._key is None:
            self._key = _runner.runner_key(self.architecture)
        return _runner.run(self.architecture, self._key, self.weights, part, x)


def _through(layers, x):
    """Return what a stack of layers makes of an array."""
    for layer in layers:
        x = layer(x)
    return x
