"""The variational autoencoder, around another network."""

from __future__ import annotations

from math import prod
from numbers import Real

import numpy as np

from skae._layers._base import Layer
from skae._layers._special import DrawnCode, KerasModel
from skae._validation import HasMethods, Interval, check_parameters
from skae.networks._base import LayeredNetwork, Network, Shape, layers_of
from skae.networks._dense import DenseNetwork


class VariationalNetwork(LayeredNetwork):
    r"""Variational autoencoder: every row's code is a distribution, not a point.

    Its codes fill the space around the origin without gaps, so that new rows can be
    drawn: `AutoencoderTransformer.sample`. While training, codes are drawn from each
    row's distribution; ``transform`` and all that follows training use its mean.

    Read more in the :doc:`User Guide </guide/networks>`.

    .. versionadded:: 0.1

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
        "beta": [Interval(Real, 0, 1e15, closed="both")],
    }

    #: Whether rows can be drawn: codes are standard normal.
    can_sample = True

    def __init__(self, base: Network | None = None, beta: float = 1.0) -> None:
        self.base = base
        self.beta = beta

    def check(self) -> None:
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

    def layers(
        self, input_shape: Shape, output_shape: Shape, latent_dim: int | None
    ) -> tuple[list[Layer], list[Layer]]:
        """Return the base's layers, with a code that is drawn while training.

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
        width = latent_dim
        width = min(32, prod(input_shape)) if latent_dim is None else int(latent_dim)
        base, shapes = self._base(), (input_shape, output_shape)
        statistics = layers_of(base, *shapes, 2 * width)
        decoding = layers_of(base, *shapes, width)
        if statistics is None or decoding is None:  # a subclass with its own build
            encoder = [KerasModel(lambda: base.build(*shapes, 2 * width).encoder)]
            decoder = [KerasModel(lambda: base.build(*shapes, width).decoder)]
            return [*encoder, DrawnCode(width)], [*decoder]
        return [*statistics[0], DrawnCode(width)], decoding[1]

    def draw_weight(
        self, path: str, shape: Shape, rng: np.random.Generator
    ) -> np.ndarray:
        """Return fresh values of a variable, as the base draws them.

        Parameters
        ----------
        path : str
            Keras's ``variable.path``, for instance "latent/kernel".
        shape : tuple of int
            Shape of the variable.
        rng : numpy.random.Generator
            What the values are drawn from.

        Returns
        -------
        values : ndarray of this shape
            Values, float32.
        """
        return self._base().draw_weight(path, shape, rng)

    def terms(self, output_shape: Shape) -> dict[str, float]:
        """Return the weight of the Kullback-Leibler term of a mean of n values.

        Parameters
        ----------
        output_shape : tuple of int
            Shape of one row of targets.

        Returns
        -------
        terms : dict of str to float
            Weight of each term, by the name that ``history_`` has for it.
        """
        return {"kl": self.beta / prod(output_shape)}

    def _base(self) -> Network:
        """Return the base, or the one that None stands for."""
        return DenseNetwork() if self.base is None else self.base


_UNUSED = {
    "latent_activation": None,
    "tied_weights": False,
    "activity_l1": 0.0,
    "linear_path": False,
}
