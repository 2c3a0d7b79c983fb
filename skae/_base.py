"""What the three estimators share: parameters, checks and the methods that train.

The class has no ``__init__`` and no ``fit``; its methods check what others trust.
"""

from __future__ import annotations

import copy
import sys
import warnings
from functools import partial
from numbers import Integral, Real
from os import PathLike
from typing import TYPE_CHECKING, Any, ClassVar, cast

import numpy as np
from sklearn.base import BaseEstimator, clone
from sklearn.exceptions import InconsistentVersionWarning
from sklearn.utils.metaestimators import available_if
from sklearn.utils.validation import validate_data

from skae._autoencoder import (
    AUTO_NOISE,
    Autoencoder,
    Passes,
    Settings,
    Table,
    Training,
    TrainingInterrupted,
    Watching,
    resolved_rate,
    train,
    train_pass,
)
from skae._missing import advising_allow_nan
from skae._random import seed_from
from skae._row_errors import feature_names
from skae._scalers._units import hint_at_axes
from skae._validation import (
    HasMethods,
    Interval,
    StrOptions,
    check_array,
    check_dense,
    check_is_fitted,
    check_parameters,
    check_sample_weight,
    container_adapter,
    is_checked,
    unchanged_on_failure,
    with_nan,
)
from skae.corruptions import GaussianNoise
from skae.networks import DenseNetwork
from skae.networks._base import Network
from skae.networks._keras import as_network

if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Self

    import keras
    import pandas as pd
    from numpy.typing import ArrayLike, NDArray

FLOATS = (np.float64, np.float32)
# What to pass where a value has no parameters.
_KINDS = {
    "threshold": "a rule such as MeanStd(1.0)",
    "network": "a network such as DenseNetwork()",
    "scaler": "a scikit-learn transformer such as StandardScaler()",
}
# The default objects for which None and "auto" stand.
_NETWORK = partial(DenseNetwork, linear_path=True)
_OF_NONE = {"network": _NETWORK, "corruption": GaussianNoise}
_OF_AUTO = {"corruption": partial(GaussianNoise, AUTO_NOISE)}
# What a float32 can hold with room to spare.
_RATES = Interval(Real, 1e-30, 1e10, closed="both")
_WIDTHS = Interval(Integral, 1, 2**31 - 1, closed="both")


def _can_sample(estimator: BaseAutoencoder) -> bool:
    """Return whether rows can be drawn; raise an AttributeError where not."""
    if getattr(estimator.network, "can_sample", False):
        return True
    raise AttributeError(
        "sample needs codes of a known distribution. Fit with "
        f"network=VariationalNetwork(); network is {estimator.network!r}."
    )


class BaseAutoencoder(BaseEstimator):
    """Base of the estimators; see their docstrings for the parameters."""

    _doc_link_module = "skae"  # scikit-learn's site has no pages of these
    _doc_link_template = ""

    # The objects for which None stands, by parameter, where they are the class's own.
    _defaults: ClassVar[dict[str, Any]] = {}
    # Whether entries may be missing, as the last ``fit`` found ``allow_nan``.
    _allows_nan = False
    input_shape_: tuple[int, ...]
    _passes: Passes | None

    _parameter_constraints: ClassVar[dict[str, Any]] = {
        "latent_dim": [_WIDTHS, None],
        "network": "no_validation",  # as_network says more about what is wrong
        "scaler": [
            StrOptions({"standard", "minmax", "common"}),
            HasMethods(["fit", "transform", "inverse_transform"]),
            None,
        ],
        "loss": [str, callable],
        "optimizer": [str, HasMethods(["apply", "get_config"])],
        "learning_rate": [_RATES, StrOptions({"auto", "one_cycle"}), None],
        "epochs": [Interval(Integral, 1, None, closed="left"), StrOptions({"auto"})],
        "batch_size": [Interval(Integral, 1, None, closed="left")],
        "validation_fraction": [Interval(Real, 0, 1, closed="neither"), None],
        "patience": [Interval(Integral, 1, None, closed="left"), None],
        "corruption": [HasMethods(["apply"]), None],
        "callbacks": [list, tuple, None],
        "memory": [str, PathLike, HasMethods(["cache"]), None],
        "warm_start": ["boolean"],
        "random_state": ["random_state"],
        "engine": [StrOptions({"auto", "keras", "numpy"})],
        "verbose": ["verbose"],
        "allow_nan": ["boolean"],
    }

    # ------------------------------------------------------------ parameters

    def set_params(self, **params: Any) -> Self:
        """Set parameters of this estimator, nested ones included.

        A nested name on a parameter that is None or "auto" (``network__hidden_units``,
        ``corruption__std``) first puts the default object there.

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
        nested = {name: value for name, value in params.items() if "__" in name}
        with unchanged_on_failure(self):
            super().set_params(**direct)
            own = self.get_params(deep=False)
            for owner in {name.partition("__")[0] for name in nested} & own.keys():
                value = getattr(self, owner)
                default = None if value is not None else self._default_of(owner)
                if isinstance(value, str) and value == "auto":
                    default = _OF_AUTO.get(owner)
                if default is not None:
                    setattr(self, owner, default())
                elif not hasattr(value, "set_params"):
                    raise ValueError(
                        f"{owner} is {value!r}, which has no parameters; pass "
                        f"{_KINDS.get(owner, 'an object that has them')}."
                    )
            return super().set_params(**nested)

    def _default_of(self, name: str) -> Any:
        """Return what makes the object for which None stands, or None."""
        return self._defaults.get(name, _OF_NONE.get(name))

    def _settings(self) -> Settings:
        """Return the training parameters, nested objects checked."""
        network, loss, optimizer = self.network, self.loss, self.optimizer
        if network is None:
            network = self._default_of("network")()
        elif not isinstance(network, Network):  # a SciKeras wrapper, or an error
            given = as_network(network, type(self).__name__)
            network = given.network
            loss = loss if given.loss is None else given.loss
            optimizer = optimizer if given.optimizer is None else given.optimizer
        network = clone(network)  # what the user sets later does not reach it
        check_parameters(network)
        if not (self.corruption is None or isinstance(self.corruption, str)):
            check_parameters(self.corruption)
        return Settings(
            latent_dim=self.latent_dim,
            network=network,
            scaler=self.scaler,
            loss=loss,
            optimizer=optimizer,
            learning_rate=resolved_rate(self.learning_rate, optimizer, self.callbacks),
            epochs=self.epochs,
            batch_size=self.batch_size,
            validation_fraction=self.validation_fraction,
            patience=self.patience,
            corruption=self.corruption,
            engine=self.engine,
            allow_nan=self.allow_nan,
        )

    def __getstate__(self) -> dict[str, Any]:
        return {
            **super().__getstate__(),
            "_skae_version": sys.modules["skae"].__version__,
        }

    def __setstate__(self, state: dict[str, Any]) -> None:
        kept = state.get("_skae_version", "unknown")
        own = sys.modules["skae"].__version__
        if kept != own:
            warn = InconsistentVersionWarning(
                estimator_name=type(self).__name__,
                current_sklearn_version=f"{own} of skae",
                original_sklearn_version=f"{kept} of skae",
            )
            warnings.warn(warn, stacklevel=2)
        super().__setstate__({k: v for k, v in state.items() if k != "_skae_version"})

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.allow_nan = self.allow_nan
        return tags

    def __sklearn_is_fitted__(self) -> bool:
        """Return whether there is a network."""
        return hasattr(self, "autoencoder_")

    # ---------------------------------------------------------------- checks

    def _check_X(
        self, X: ArrayLike, *, reset: bool = False, min_samples: int = 1
    ) -> NDArray:
        """Return X as a float array of the fitted row shape."""
        unnamed = not reset and not hasattr(self, "feature_names_in_")
        if unnamed and is_checked(X, self.input_shape_, min_samples):
            return cast("NDArray", X)
        check_dense(X)
        if reset:
            self._allows_nan = self.allow_nan
        else:
            row_shape = getattr(X, "shape", ())[1:]
            if row_shape and max(len(row_shape), len(self.input_shape_)) > 1:
                self._check_row_shape(row_shape)  # scikit-learn looks at one axis
        with advising_allow_nan():
            X = validate_data(
                self,
                with_nan(X),
                reset=reset,
                dtype=FLOATS,
                order="C",  # blocks of rows, and the same bits whatever the layout was
                allow_nd=True,
                ensure_min_samples=min_samples,
                ensure_all_finite="allow-nan" if self._allows_nan else True,
            )
        if 0 in X.shape[1:]:
            raise ValueError(
                f"X has rows of shape {X.shape[1:]}, which hold no number; pass others."
            )
        if reset:
            self.input_shape_ = X.shape[1:]
            hint_at_axes(X, self.network)
        else:
            self._check_row_shape(X.shape[1:])
        return X

    def _check_row_shape(self, shape: tuple[int, ...]) -> None:
        """Raise a ValueError where it is not that of the rows of ``fit``."""
        if shape != self.input_shape_:
            raise ValueError(
                f"X has rows of shape {shape}, but {type(self).__name__} was "
                f"fitted on rows of shape {self.input_shape_}. Pass rows of that shape."
            )

    def _check_codes(self, codes: ArrayLike, name: str) -> NDArray:
        """Return codes as a float array of the network's width."""
        codes = check_array(codes, dtype=FLOATS, input_name=name)
        if codes.shape[1] != self.autoencoder_.width:
            raise ValueError(
                f"{name} has {codes.shape[1]} columns, but the codes of this "
                f"{type(self).__name__} have width {self.autoencoder_.width}. Pass "
                "codes as its encoder returns them."
            )
        return codes

    def _check_weight(
        self, sample_weight: ArrayLike | None, X: NDArray
    ) -> NDArray | None:
        """Return the weights as float64, or None."""
        return None if sample_weight is None else check_sample_weight(sample_weight, X)

    # -------------------------------------------------------------- training

    def _memory_of(self, training: Training, within: Any = None) -> Any:
        """Return what keeps the networks of a training, and what follows from them."""
        # A fold's training is within that of all rows, whose memory has warned.
        if self.memory is None or self.callbacks or self.warm_start:
            return None
        from skae._autoencoder._memory import memory_of  # few use it

        return memory_of(training, self.memory, self.random_state, within)

    def _train(
        self,
        training: Training,
        memory: Any,
        n_networks: int = 1,
        *,
        is_fold: bool = False,
    ) -> list[Autoencoder]:
        """Return trained networks; those of a fold never continue others."""
        is_warm = self.warm_start and not is_fold
        try:
            return train(
                training,
                Watching(self.callbacks, self.verbose),
                n_networks=n_networks,
                known=getattr(self, "_networks", ()) if is_warm else (),
                memory=memory,
            )
        except TrainingInterrupted as exc:
            if is_fold:
                raise
            if memory is not None:
                memory.close()
            n_epochs = len(exc.networks[-1].history["loss"])
            warnings.warn(
                f"Training was interrupted after {n_epochs} epochs of network "
                f"{len(exc.networks)} of {n_networks}: this {type(self).__name__} "
                "keeps what was learned until then.",
                stacklevel=4,  # the caller of a decorated fit
            )
            return exc.networks

    def _train_pass(
        self, settings: Settings, rows: Table, n_networks: int = 1
    ) -> list[Autoencoder]:
        """Return the networks after one pass over some rows."""
        known = getattr(self, "_networks", [])
        passes = getattr(self, "_passes", None) or Passes(seed_from(self.random_state))
        watching = Watching(self.callbacks, self.verbose)
        networks, self._passes = train_pass(
            settings, rows, watching, passes, n_networks=n_networks, known=known
        )
        return networks

    def _set_networks(self, networks: Sequence[Autoencoder]) -> None:
        """Set the attributes that tell of the networks: of the first, where several."""
        self._networks = networks
        first = self.autoencoder_ = networks[0]
        # Copies, which users may change.
        self.history_ = copy.deepcopy(first.history)
        self.scaler_ = copy.deepcopy(first.scaler)
        self.n_iter_ = len(first.history["loss"])
        self.latent_shape_ = first.forward.latent_shape
        self.reconstruction_err_, self.r2_ = first.train_mse, first.train_r2

    # -------------------------------------------------------- fitted network

    def to_keras(self) -> keras.Model:
        """Return the trained network as a Keras model.

        Returns
        -------
        model : keras.Model
            A new model with ``encoder`` and ``decoder``, of rows in scaled space.
        """
        check_is_fitted(self)
        return self.autoencoder_.to_keras()

    def impute(self, X: ArrayLike) -> NDArray | pd.DataFrame:
        """Fill missing entries (NaN) in with the network's output.

        The network gets the training mean where an entry is missing. Needs
        ``allow_nan=True``; a network trained with ``corruption=MaskingNoise(0.2)``,
        about the share that is missing, fills in better.

        Parameters
        ----------
        X : array-like of shape (n_samples, *input_shape_)
            Rows with missing entries.

        Returns
        -------
        rows : ndarray of X's shape
            Observed entries as they were, in X's units. A DataFrame where `set_output`
            or scikit-learn's configuration says so, and X is 2-D.

        Raises
        ------
        ValueError
            Where the network's output has another shape than X.

        Examples
        --------
        >>> import numpy as np
        >>> from sklearn.datasets import load_iris
        >>> from skae import AutoencoderTransformer
        >>> X, _ = load_iris(return_X_y=True)
        >>> X[::10, 2] = np.nan
        >>> filler = AutoencoderTransformer(2, epochs=2, allow_nan=True).fit(X)
        >>> bool(np.isnan(filler.impute(X)).any())
        False
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

    @available_if(_can_sample)
    def sample(
        self,
        n_samples: int = 1,
        random_state: int | np.random.RandomState | None = None,
    ) -> NDArray[np.float64]:
        """Draw new rows, from standard normal codes; only with a `VariationalNetwork`.

        Parameters
        ----------
        n_samples : int, default=1
            Number of rows.
        random_state : int, RandomState instance or None, default=None
            Draws the codes.

        Returns
        -------
        rows : ndarray of shape (n_samples, *input_shape_)
            Drawn rows, float64, in the units of the training rows (a denoiser's: of
            its targets).

        Examples
        --------
        >>> from sklearn.datasets import load_iris
        >>> from skae import AutoencoderTransformer, VariationalNetwork
        >>> X, _ = load_iris(return_X_y=True)
        >>> vae = AutoencoderTransformer(2, network=VariationalNetwork(), epochs=1)
        >>> vae.fit(X).sample(5, random_state=0).shape
        (5, 4)
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
