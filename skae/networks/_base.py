"""What every network description promises to the engine."""

from abc import abstractmethod
from dataclasses import dataclass
from typing import Any

from sklearn.base import BaseEstimator

from skae.networks._initial import draw_weight


@dataclass(frozen=True)
class Built:
    """What a network's ``build`` returns: untrained Keras models.

    Attributes
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


class Network(BaseEstimator):
    """A description of an encoder and a decoder; holds no weights.

    The engine asks a network a few questions, all answered from its parameters and from
    three facts about the data: ``input_shape`` and ``output_shape`` (shapes of one row)
    and ``latent_dim`` (an int, or None for the network's own width).

    A subclass is final: it defines ``build`` and what else differs, and is not itself
    subclassed.
    """

    #: Whether ``draw_weight`` gives fresh weights; if not, building does.
    draws_weights = True

    #: Whether codes have a known distribution, from which rows can be drawn.
    can_sample = False

    def check(self):
        """Raise a ValueError for parameters that no constraint table can express."""

    def check_portable(self):
        """Raise a TypeError where the description cannot leave this process."""

    @abstractmethod
    def build(self, input_shape, output_shape, latent_dim):
        """Return untrained Keras models, a `Built`.

        Called with Keras imported and its dtype policy set to the wanted precision.
        Where ``draws_weights`` is true, no layer may draw from a global random state:
        every initializer and every random layer gets a seed.
        """

    def draw_weight(self, path, shape, rng):
        """Return fresh values, float32, of the Keras variable with this path.

        Called for every variable of the model in the order of ``model.weights``.
        """
        return draw_weight(path, shape, rng)

    def terms(self, output_shape):
        """Return what is added to the loss beside the reconstruction's own.

        Returns
        -------
        terms : dict of str to float
            Maps a term's name, by which ``history_`` reports it, to its weight; the
            loss grows by weight times the mean over rows of the values that the model
            returns under that name.
        """
        return {}

    def output_range(self):
        """Return the (lowest, highest) value of the output, or None if unknown."""
        return -float("inf"), float("inf")

    def numpy_layers(self, weights, shapes):
        """Return the layers of encoder and decoder in NumPy, or None.

        Parameters
        ----------
        weights : list of ndarray
            In the order of the Keras model's ``weights``.

        shapes : tuple
            (input_shape, output_shape, latent_dim).

        Returns
        -------
        layers : tuple of (list of callable, list of callable), or None
            Each takes an array of shape (n, n_in) that it may overwrite and returns one
            of shape (n, n_out). None: the network needs Keras.
        """
        return None

    def numpy_plan(self, input_shape, output_shape, latent_dim):
        """Return the `StackPlan` by which this network trains in NumPy, or None.

        None: the network needs Keras to train. Raises what ``build`` would raise.
        """
        return None

    def exported(self, weights):
        """Return a network and weights that do the same in layers of Keras alone.

        They are what a user gets as a Keras model, which should load without skae.
        """
        return self, weights
