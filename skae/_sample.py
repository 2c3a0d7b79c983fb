"""Drawing new rows from a fitted network whose codes have a known distribution."""

from numbers import Integral

import numpy as np
from sklearn.utils.metaestimators import available_if

from skae._random import seed_from
from skae._validation import check_is_fitted


def _can_sample(estimator):
    """Return whether rows can be drawn; raise an AttributeError where not."""
    if getattr(estimator.network, "can_sample", False):
        return True
    raise AttributeError(
        "sample needs codes of a known distribution. Fit with "
        f"network=VariationalNetwork(); network is {estimator.network!r}."
    )


class Sampling:
    """Gives an estimator ``sample``, where its network is variational."""

    @available_if(_can_sample)
    def sample(self, n_samples=1, random_state=None):
        """Draw new rows; only with a `VariationalNetwork`.

        Parameters
        ----------
        n_samples : int, default=1
            Number of rows.

        random_state : int, RandomState instance or None, default=None
            Determines the rows; None gives others every time.

        Returns
        -------
        rows : ndarray of shape (n_samples, *input_shape_)
            float64, in the units of the training rows (a denoiser's: of its targets).
            Their codes are standard normal.

        Raises
        ------
        ValueError
            Where n_samples is not a positive integer, or the fitted network is not
            variational.
        """
        check_is_fitted(self)
        if not self.autoencoder_.architecture.network.can_sample:
            raise ValueError(
                "network was set after fit, and the fitted one cannot draw rows. Fit "
                "again with network=VariationalNetwork()."
            )
        if not isinstance(n_samples, Integral) or n_samples < 1:
            raise ValueError(
                "The 'n_samples' parameter of sample must be a positive integer. Got "
                f"{n_samples!r} instead."
            )
        rng = np.random.default_rng(seed_from(random_state))
        codes = rng.normal(size=(n_samples, self.autoencoder_.width))
        return self.autoencoder_.decode(codes)
