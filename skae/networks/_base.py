"""What every network description promises to the engine."""

from abc import abstractmethod

from sklearn.base import BaseEstimator


class Network(BaseEstimator):
    """A description of an encoder and a decoder; holds no weights.

    The engine asks a network four questions, all answered from its parameters and from
    three facts about the data: ``input_shape`` and ``output_shape`` (shapes of one row)
    and ``latent_dim`` (an int, or None for the network's own width).

    A subclass is final: it defines the methods below and is not itself subclassed.
    """

    def check(self):
        """Raise a ValueError for parameters that no constraint table can express."""

    @abstractmethod
    def latent_width(self, input_shape, latent_dim):
        """Return the width of the code for this input, an int."""

    @abstractmethod
    def build(self, input_shape, output_shape, latent_dim):
        """Return untrained Keras models ``(encoder, decoder)``.

        Their variables, the encoder's before the decoder's, have the shapes and the
        order of ``initial_weights``.
        """

    @abstractmethod
    def initial_weights(self, input_shape, output_shape, latent_dim, rng):
        """Return fresh weights, a list of float32 arrays drawn from ``rng``."""

    def output_range(self):
        """Return the (lowest, highest) value that the decoder can produce."""
        return -float("inf"), float("inf")

    def dense_activations(self):
        """Return the activation names of a purely dense network, or None.

        Returns
        -------
        activations : tuple of (list of str or None), or None
            One list for the encoder's layers and one for the decoder's. With them and
            the weights the engine computes the forward pass in NumPy. None: the network
            needs Keras.
        """
        return None
