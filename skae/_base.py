"""What the three estimators share: parameters and checks.

The class is abstract: it has no ``__init__`` and no ``fit``. Its methods check the
input and hand it to functions and values that trust it.
"""

from numbers import Integral, Real
from os import PathLike

import numpy as np
from sklearn.base import BaseEstimator, clone
from sklearn.utils.validation import check_array, validate_data

from skae._impute import MissingValues
from skae._missing import advising_allow_nan
from skae._sample import Sampling
from skae._settings import Budget, Settings, wanted_rate
from skae._training import Training
from skae._validation import (
    HasMethods,
    Interval,
    StrOptions,
    check_is_fitted,
    check_parameters,
    check_sample_weight,
    is_checked,
)
from skae.networks import DenseNetwork
from skae.networks._keras import as_network

FLOATS = (np.float64, np.float32)


class BaseAutoencoder(Training, MissingValues, Sampling, BaseEstimator):
    """Base of the estimators; see their docstrings for the parameters."""

    #: What ``epochs="auto"`` gives.
    _budget = Budget()

    _parameter_constraints = {
        "latent_dim": [Interval(Integral, 1, None, closed="left"), None],
        "network": "no_validation",  # as_network says more about what is wrong
        "scaler": [
            StrOptions({"standard", "minmax", "common"}),
            HasMethods(["fit", "transform", "inverse_transform"]),
            None,
        ],
        "loss": [str, callable],
        "optimizer": [str, HasMethods(["apply", "get_config"])],
        "learning_rate": [
            Interval(Real, 0, None, closed="neither"),
            StrOptions({"auto", "one_cycle"}),
            None,
        ],
        "epochs": [Interval(Integral, 1, None, closed="left"), StrOptions({"auto"})],
        "batch_size": [Interval(Integral, 1, None, closed="left")],
        "validation_fraction": [Interval(Real, 0, 1, closed="neither"), None],
        "patience": [Interval(Integral, 1, None, closed="left"), None],
        "corruption": [HasMethods(["apply"]), None],
        "callbacks": [list, tuple, None],
        "memory": [str, PathLike, HasMethods(["cache"]), None],
        "warm_start": ["boolean"],
        "random_state": ["random_state"],
        "verbose": ["verbose"],
        "allow_nan": ["boolean"],
    }

    # ------------------------------------------------------------ parameters

    def set_params(self, **params):
        """Set parameters of this estimator, nested ones included.

        A nested name on a parameter that is None (``network__hidden_units``) first puts
        the default object there.

        Parameters
        ----------
        **params : dict
            Parameter names and values.

        Returns
        -------
        self : object
            The estimator.

        Raises
        ------
        ValueError
            Where a name is not a parameter, or a nested name meets a value that has
            no parameters.
        """
        direct = {name: value for name, value in params.items() if "__" not in name}
        super().set_params(**direct)
        nested = {name: value for name, value in params.items() if "__" in name}
        own = self.get_params(deep=False)
        for owner in {name.partition("__")[0] for name in nested} & own.keys():
            value = getattr(self, owner)
            if value is None and owner in self._default_objects():
                setattr(self, owner, self._default_objects()[owner]())
            elif not hasattr(value, "set_params"):
                raise ValueError(
                    f"{owner} is {value!r}, which has no parameters; pass a "
                    f"{_KINDS.get(owner, 'object that has them')}."
                )
        return super().set_params(**nested)

    def _default_objects(self):
        """Return the classes of the objects that None stands for."""
        return {"network": DenseNetwork}

    def _settings(self):
        """Return the training parameters, nested objects checked."""
        network = self.network
        if network is None:
            network = self._default_objects()["network"]()
        wanted = as_network(network, type(self).__name__)
        # A copy: what the user sets later does not reach the fitted estimator.
        network = clone(wanted.network)
        check_parameters(network)
        corruption = self._wanted_corruption(network)
        if not (corruption is None or isinstance(corruption, str)):
            check_parameters(corruption)
        optimizer = self.optimizer if wanted.optimizer is None else wanted.optimizer
        return Settings(
            latent_dim=self._wanted_width(network),
            network=network,
            scaler=self.scaler,
            loss=self.loss if wanted.loss is None else wanted.loss,
            optimizer=optimizer,
            learning_rate=wanted_rate(self.learning_rate, optimizer, self.callbacks),
            epochs=self.epochs,
            batch_size=self.batch_size,
            validation_fraction=self.validation_fraction,
            patience=self.patience,
            corruption=corruption,
            # One value where it is not used: networks are then shared.
            budget=self._budget if self.epochs == "auto" else Budget(),
            allow_nan=self.allow_nan,
        )

    def _wanted_corruption(self, network):
        """Return the corruption, "auto" for one that fits the data, or None."""
        return self.corruption

    def _wanted_width(self, network):
        """Return the width of the code, or None for the network's own."""
        return self.latent_dim

    def __sklearn_is_fitted__(self):
        """Return whether there is a network."""
        return hasattr(self, "autoencoder_")

    # ---------------------------------------------------------------- checks

    def _check_X(self, X, *, reset=False, min_samples=1):
        """Return X as a float array of the fitted row shape."""
        unnamed = not reset and not hasattr(self, "feature_names_in_")
        if unnamed and is_checked(X, self.input_shape_, min_samples):
            return X
        if reset:
            self._allows_nan = self.allow_nan
        else:
            row_shape = getattr(X, "shape", ())[1:]
            if row_shape and max(len(row_shape), len(self.input_shape_)) > 1:
                self._check_row_shape(row_shape)  # scikit-learn looks at one axis
        with advising_allow_nan():
            X = validate_data(
                self,
                X,
                reset=reset,
                dtype=FLOATS,
                order="C",  # blocks of rows, and the same bits whatever the layout was
                allow_nd=True,
                ensure_min_samples=min_samples,
                ensure_all_finite=self._finite(),
            )
        if 0 in X.shape[1:]:
            raise ValueError(
                f"X has rows of shape {X.shape[1:]}, which hold no number; pass others."
            )
        if reset:
            self.input_shape_ = X.shape[1:]
        else:
            self._check_row_shape(X.shape[1:])
        return X

    def _check_row_shape(self, shape):
        """Raise a ValueError where it is not that of the rows of ``fit``."""
        if shape != self.input_shape_:
            raise ValueError(
                f"X has rows of shape {shape}, but {type(self).__name__} was "
                f"fitted on rows of shape {self.input_shape_}. Pass rows of that shape."
            )

    def _check_codes(self, codes, name):
        """Return codes as a float array of the network's width."""
        codes = check_array(codes, dtype=FLOATS, input_name=name)
        if codes.shape[1] != self.autoencoder_.width:
            raise ValueError(
                f"{name} has {codes.shape[1]} columns, but the codes of this "
                f"{type(self).__name__} have width {self.autoencoder_.width}. Pass "
                "codes as its encoder returns them."
            )
        return codes

    def _check_weight(self, sample_weight, X):
        """Return the weights as float64, or None."""
        if sample_weight is None:
            return None
        return check_sample_weight(
            sample_weight, X, dtype=np.float64, ensure_non_negative=True
        )

    # ---------------------------------------------------------- fitted network

    def to_keras(self):
        """Return the trained network as a Keras model.

        Returns
        -------
        model : keras.Model
            A new model with ``encoder`` and ``decoder``. It takes and returns rows in
            scaled space: ``model.predict(est.scaler_.transform(X))``.
        """
        check_is_fitted(self)
        return self.autoencoder_.to_keras()


_KINDS = {
    "threshold": "rule such as MeanStd(1.0)",
    "corruption": "corruption such as GaussianNoise(0.1)",
    "network": "network such as DenseNetwork()",
    "scaler": "scikit-learn transformer such as StandardScaler()",
}
