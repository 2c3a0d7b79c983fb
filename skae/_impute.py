"""What follows from ``allow_nan`` for every estimator, filling entries in above all."""

import numpy as np

from skae._explanation import feature_names
from skae._validation import check_is_fitted, container_adapter


class MissingValues:
    """Mixin of `BaseAutoencoder`: what follows from ``allow_nan``."""

    _allows_nan = False  # what the last ``fit`` was told

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.allow_nan = self.allow_nan
        return tags

    def _finite(self):
        """Return what scikit-learn's checks are to demand of numbers."""
        return "allow-nan" if self._allows_nan else True

    def impute(self, X):
        """Fill missing entries (NaN) in with the network's output.

        One pass: the network gets the training mean where an entry is missing, and what
        it puts there is taken over. Needs ``allow_nan=True``. A network that practised
        this fills in better: train it with ``corruption=MaskingNoise(0.2)``, about the
        share that is missing.

        Parameters
        ----------
        X : array-like of shape (n_samples, *input_shape_)
            Rows with missing entries.

        Returns
        -------
        rows : ndarray of X's shape
            Observed entries as they were, in X's units. A DataFrame with X's index and
            columns where ``set_output`` or scikit-learn's configuration
            ``transform_output`` says so, and X is 2-D.

        Raises
        ------
        ValueError
            Where the network's output has another shape than X.
        """
        check_is_fitted(self)
        adapter = container_adapter("transform", self)
        rows = self._check_X(X)
        shapes = self.autoencoder_.architecture
        if shapes.output_shape != shapes.input_shape:
            raise ValueError(
                f"impute needs a network that gives rows of X's shape "
                f"{shapes.input_shape}, but this {type(self).__name__} was fitted on "
                f"targets of shape {shapes.output_shape}. Fit on clean rows of X's "
                "shape."
            )
        missing = np.isnan(rows)
        if missing.any():
            rows = np.where(missing, self.autoencoder_.reconstruct(rows), rows)
        if adapter is None or rows.ndim != 2:
            return rows
        names = getattr(self, "feature_names_in_", feature_names(rows.shape[1:]))
        return adapter.create_container(rows, X, columns=names)
