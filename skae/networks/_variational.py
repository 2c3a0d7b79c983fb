"""The variational autoencoder, around another network."""

import functools
from math import prod
from numbers import Real

import numpy as np

from skae._validation import HasMethods, Interval, check_parameters
from skae.networks._base import Built, Network
from skae.networks._dense import DenseNetwork


class VariationalNetwork(Network):
    r"""Variational autoencoder: every row's code is a distribution, not a point.

    Its codes fill the space around the origin without gaps, so that new rows can be
    drawn: `AutoencoderTransformer.sample`. While training, codes are drawn from each
    row's distribution; ``transform`` and all that follows training use its mean.

    Parameters
    ----------
    base : DenseNetwork, ConvNetwork, RecurrentNetwork or None, default=None
        Encoder and decoder; its code is doubled to hold means and variances. None is
        ``DenseNetwork()``. Its code must be linear (``latent_activation=None``), and
        neither tied nor penalised.

    beta : float, default=1.0
        Weight of the Kullback-Leibler term. 1 is the evidence lower bound; more makes
        codes simpler and reconstructions coarser, 0 trains without the term.

    See Also
    --------
    DenseNetwork : The usual base.

    Notes
    -----
    With means :math:`\mu` and variances :math:`\sigma^2` of the code, the loss of a row
    of n values is

    .. math:: L(x, g(z)) + \frac{\beta}{n} \cdot \frac{1}{2} \sum_j
        (\mu_j^2 + \sigma_j^2 - 1 - \log \sigma_j^2), \qquad
        z = \mu + \sigma \epsilon, \; \epsilon \sim N(0, 1),

    with L the mean over values, as everywhere in skae: n times it is the negative
    evidence lower bound [1]_ for ``loss="binary_crossentropy"``, and for ``loss="mse"``
    with Gaussian outputs of variance 1/2 (up to a constant). ``history_`` reports the
    sum, averaged over rows, in nats as ``kl``. Weighting it is the beta-VAE [2]_.

    A ``latent_dim`` of None is min(32, number of values in a row).

    References
    ----------
    .. [1] Kingma, D. P. and Welling, M. (2014). Auto-encoding variational Bayes. ICLR.
       arXiv:1312.6114
    .. [2] Higgins, I. et al. (2017). beta-VAE: Learning basic visual concepts with a
       constrained variational framework. ICLR.

    Examples
    --------
    >>> from skae import AutoencoderTransformer, VariationalNetwork
    >>> from sklearn.datasets import load_digits
    >>> X, _ = load_digits(return_X_y=True)
    >>> transformer = AutoencoderTransformer(
    ...     latent_dim=2, network=VariationalNetwork(), epochs=3, random_state=0
    ... ).fit(X)
    >>> sorted(transformer.history_)
    ['kl', 'loss', 'val_kl', 'val_loss']
    >>> transformer.sample(5).shape
    (5, 64)
    """

    _parameter_constraints = {
        "base": [HasMethods(["build", "draw_weight"]), None],
        "beta": [Interval(Real, 0, None, closed="left")],
    }

    #: Whether rows can be drawn: codes are standard normal.
    can_sample = True

    def __init__(self, base=None, beta=1.0):
        self.base = base
        self.beta = beta

    def check(self):
        """Raise a ValueError where the base cannot be made variational."""
        base = self._base()
        check_parameters(base)
        if not base.draws_weights or isinstance(base, VariationalNetwork):
            raise ValueError(
                f"base of VariationalNetwork is {base!r}, whose code cannot be doubled "
                "to hold means and variances. Pass a DenseNetwork, ConvNetwork or "
                "RecurrentNetwork."
            )
        for name, off in _UNUSED.items():
            value = getattr(base, name, off)
            if value != off:
                raise ValueError(
                    f"base of VariationalNetwork has {name}={value!r}, which does not "
                    f"go with codes that are drawn. Use {name}={off!r}."
                )

    def build(self, input_shape, output_shape, latent_dim):
        """Return untrained Keras models; the one that trains draws its codes."""
        import keras

        width = self._width(input_shape, latent_dim)
        shapes = input_shape, output_shape
        statistics_of = self._base().build(*shapes, 2 * width).encoder
        decoder = self._base().build(*shapes, width).decoder
        dtype = keras.config.dtype_policy().compute_dtype
        inputs = keras.Input(input_shape, name="input", dtype=dtype)
        statistics = statistics_of(inputs)
        mean, log_variance = statistics[:, :width], statistics[:, width:]
        code = _drawn_code()(seed=0, name="drawn_code")([mean, log_variance])
        outputs = {"output": decoder(code), "kl": _divergence(mean, log_variance)}
        return Built(
            keras.Model(inputs, mean, name="encoder"),
            decoder,
            keras.Model(inputs, outputs, name="variational_autoencoder"),
        )

    def draw_weight(self, path, shape, rng):
        """Return fresh values of a variable, as the base draws them."""
        return self._base().draw_weight(path, shape, rng)

    def terms(self, output_shape):
        """Return the weight of the Kullback-Leibler term, beside a mean of n values."""
        return {"kl": self.beta / prod(output_shape)}

    def output_range(self):
        """Return the range of the base."""
        return self._base().output_range()

    def numpy_layers(self, weights, shapes):
        """Return the layers of encoder and decoder in NumPy, or None."""
        input_shape, output_shape, latent_dim = shapes
        width = self._width(input_shape, latent_dim)
        shapes = input_shape, output_shape, width
        layers = self._base().numpy_layers(weights, shapes)
        return None if layers is None else ([*layers[0], _mean_of], layers[1])

    def numpy_terms(self, layers, x):
        """Return the Kullback-Leibler term of rows, with the layers of this network."""
        for layer in layers[0][:-1]:  # all but the last, which keeps the means
            x = layer(x)
        width = x.shape[1] // 2
        mean, log_variance = x[:, :width], x[:, width:]
        spread = np.exp(log_variance) - 1 - log_variance
        return {"kl": 0.5 * (mean**2 + spread).sum(axis=1)}

    def _base(self):
        return DenseNetwork() if self.base is None else self.base

    def _width(self, input_shape, latent_dim):
        return min(32, prod(input_shape)) if latent_dim is None else int(latent_dim)


_UNUSED = {"latent_activation": None, "tied_weights": False, "activity_l1": 0.0}


def _mean_of(statistics):
    """Return the means of rows of (means, log variances)."""
    return statistics[:, : statistics.shape[1] // 2]


def _divergence(mean, log_variance):
    """Return each row's divergence from the standard normal distribution, in nats."""
    from keras import ops

    spread = ops.exp(log_variance) - 1 - log_variance
    return 0.5 * ops.sum(mean**2 + spread, axis=1)


@functools.cache
def _drawn_code():
    """Return the class of the layer that draws codes; defining it needs Keras."""
    import keras

    @keras.saving.register_keras_serializable(package="skae")
    class DrawnCode(keras.layers.Layer):
        """Draws codes of a mean and a log variance; gives the mean after training."""

        def __init__(self, seed, **kwargs):
            super().__init__(**kwargs)
            self.seed = seed
            self.seed_generator = keras.random.SeedGenerator(seed)

        def call(self, statistics, training=False):
            mean, log_variance = statistics
            if not training:
                return mean
            noise = keras.random.normal(
                keras.ops.shape(mean), dtype=mean.dtype, seed=self.seed_generator
            )
            return mean + keras.ops.exp(log_variance / 2) * noise

        def get_config(self):
            return {**super().get_config(), "seed": self.seed}

    return DrawnCode
