"""DenoisingRegressor: from damaged rows to clean ones."""

from __future__ import annotations

from dataclasses import replace
from math import prod
from typing import TYPE_CHECKING, Any, ClassVar, Literal, cast

import numpy as np
from sklearn.base import MultiOutputMixin, RegressorMixin

from skae._autoencoder import Settings, Table, Training
from skae._base import FLOATS, BaseAutoencoder
from skae._dask import fit_context, takes_collections
from skae._missing import (
    advising_allow_nan,
    counted_rows,
    goodness_of_observed,
)
from skae._random import seed_from
from skae._validation import (
    check_array,
    check_consistent_length,
    check_is_fitted,
)
from skae.corruptions import corrupt

if TYPE_CHECKING:
    from typing import Self

    from numpy.typing import ArrayLike, NDArray

    from skae.corruptions import Corruption

# Width of a code that need not be narrow, at most.
_WIDTH = 256
# ``score(X)`` damages X the same way at every call.
_SCORE_SEED = 0


@takes_collections
class DenoisingRegressor(MultiOutputMixin, RegressorMixin, BaseAutoencoder):
    """Denoising by an autoencoder.

    Learns to turn noisy rows into clean ones, from pairs ``fit(X_noisy, X_clean)`` or
    from clean rows alone and a kind of noise, ``fit(X_clean)`` with `corruption`.

    Read more in the :doc:`User Guide </guide/denoiser>`.

    .. versionadded:: 0.1

    Parameters
    ----------
    latent_dim : int or None, default=None
        Width of the code. None is min(256, n_features) for a `DenseNetwork` with a
        linear path, the default, since noise restrains it enough; and otherwise the
        network's own: min(32, n_features) for a `DenseNetwork`, 32 for a
        `RecurrentNetwork`, the map for a `ConvNetwork`.
    network : network description, SciKeras wrapper or None, default=None
        What to train. None is ``DenseNetwork(linear_path=True)``; its parameters can
        be set and searched as ``network__hidden_units`` either way. `KerasNetwork`
        takes your own Keras model.
    scaler : {"standard", "minmax", "common"}, transformer or None, default="standard"
        Applied inside; network, loss and corruption work on the scaled values.
        "standard", "minmax": to each column of 2-D X or each channel (last axis) of n-D
        X. "common": every value of a row is centred, and all columns, or those of a
        channel, have one scale: for values in the same unit. A scikit-learn
        transformer needs ``inverse_transform``, and is cloned.
    loss : str, keras.losses.Loss or callable, default="mse"
        What training minimises, in scaled space.
    optimizer : str or keras.optimizers.Optimizer, default="adam"
        A Keras name, or an instance, which is copied.
    learning_rate : float, "auto", "one_cycle" or None, default=None
        None is the optimizer's own; "one_cycle" rises to eight times that and falls to
        nearly nothing; "auto" is one cycle for ``optimizer="adam"``, unless a callback
        of Keras sets the rate, and None for others. A number needs an optimizer's name.
    epochs : int or "auto", default="auto"
        Passes over the training rows; "auto" makes as many as give about 4,000 steps,
        at least 10.
    batch_size : int, default=128
        Rows per step; the last batch of an epoch may be smaller.
    validation_fraction : float or None, default=0.05
        Share of the rows, at least one, that is held out to watch the loss. None trains
        on all rows. Unused where ``fit`` is given `X_val`.
    patience : int or None, default=30
        Epochs without a new lowest validation loss (training loss, where there is no
        validation) before training stops and the best weights are restored. None trains
        all epochs and keeps the last weights.
    corruption : corruption or None, default=None
        Damage done to the inputs, afresh at every step, in scaled space, for instance
        ``GaussianNoise(0.2)``.
    callbacks : list or None, default=None
        Keras callbacks, copied shallowly for each fit, or functions that return one.
    memory : str, Path, joblib.Memory or None, default=None
        Where networks are kept. With an int `random_state`, one that was trained before
        on the same rows with the same parameters is used again, across candidates of a
        search, calls and processes. Not used with `callbacks`, `warm_start` or
        ``partial_fit``.
    warm_start : bool, default=False
        Whether ``fit`` starts from the weights and the scaler of the previous fit.
    random_state : int, RandomState instance or None, default=None
        Determines weights, validation rows, batch order and corruption. With an int,
        fits are bit-identical on the same machine. None is different every time.
    engine : {"auto", "keras", "numpy"}, default="auto"
        "auto" trains in NumPy where all layers can, and in Keras otherwise; "keras" in
        Keras whatever the network, on a GPU where TensorFlow sees one; "numpy" demands
        NumPy, and ``fit`` says what stands against it.
    verbose : int, default=0
        0 is silent, 1 shows a progress bar, 2 also says where the time went.
    allow_nan : bool, default=False
        Whether entries may be missing (NaN): they are left out of scaler, loss and
        errors, which average what is observed, and ``impute`` fills them in.

    Attributes
    ----------
    autoencoder_ : object
        The trained network with its scalers, a value that pickles without Keras.
    history_ : dict of str to list of float
        ``loss`` and, with validation rows, ``val_loss`` of every epoch; also what the
        network adds to the loss, such as ``kl`` of a `VariationalNetwork`.
    n_iter_ : int
        Number of passes made.
    scaler_ : object
        The fitted scaler; its ``transform`` and ``inverse_transform`` take rows of X's
        shape.
    input_shape_ : tuple of int
        Shape of one row of X.
    n_features_in_ : int
        ``X.shape[1]``.
    feature_names_in_ : ndarray of shape (n_features_in_,)
        Names of the columns of X, where they are all strings.
    latent_shape_ : tuple of int
        Shape of one code before it is flattened: (width,), or a map such as (7, 7, 8).
    reconstruction_err_ : float
        Mean squared error of predictions on the training rows (inputs undamaged), in
        y's units; on 10,000 of them, evenly spread, where there are more.
    r2_ : float
        The same as a coefficient of determination, as ``score`` counts it.

    See Also
    --------
    AutoencoderTransformer : Codes instead of repaired rows.
    skae.corruptions.GaussianNoise : The usual noise.

    Notes
    -----
    The network minimises the mean of :math:`L(s_y(y), g(f(c(s(x)))))`, with :math:`s`
    and :math:`s_y` the scalers and :math:`c` the corruption [1]_. Targets with rows of
    X's shape share its scaler; any other `y` has its own. With both `y` and
    `corruption`, the corruption is added to X only.

    References
    ----------
    .. [1] Vincent, P., Larochelle, H., Lajoie, I., Bengio, Y. and Manzagol, P.-A.
       (2010). Stacked denoising autoencoders. JMLR 11:3371-3408.

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from skae import DenoisingRegressor, GaussianNoise
    >>> X, _ = load_digits(return_X_y=True)
    >>> denoiser = DenoisingRegressor(
    ...     corruption=GaussianNoise(0.3), epochs=5, random_state=0
    ... ).fit(X)
    >>> denoiser.predict(X).shape
    (1797, 64)
    """

    _parameter_constraints: ClassVar[dict[str, Any]] = {
        **BaseAutoencoder._parameter_constraints
    }

    def __init__(
        self,
        latent_dim: int | None = None,
        *,
        network: Any = None,
        scaler: Any = "standard",
        loss: Any = "mse",
        optimizer: Any = "adam",
        learning_rate: float | Literal["auto", "one_cycle"] | None = None,
        epochs: int | Literal["auto"] = "auto",
        batch_size: int = 128,
        validation_fraction: float | None = 0.05,
        patience: int | None = 30,
        corruption: Corruption | None = None,
        callbacks: list[Any] | None = None,
        memory: Any = None,
        warm_start: bool = False,
        random_state: int | np.random.RandomState | None = None,
        engine: Literal["auto", "keras", "numpy"] = "auto",
        verbose: int = 0,
        allow_nan: bool = False,
    ) -> None:
        self.latent_dim = latent_dim
        self.network = network
        self.scaler = scaler
        self.loss = loss
        self.optimizer = optimizer
        self.learning_rate = learning_rate
        self.epochs = epochs
        self.batch_size = batch_size
        self.validation_fraction = validation_fraction
        self.patience = patience
        self.corruption = corruption
        self.callbacks = callbacks
        self.memory = memory
        self.warm_start = warm_start
        self.random_state = random_state
        self.engine = engine
        self.verbose = verbose
        self.allow_nan = allow_nan

    @fit_context(prefer_skip_nested_validation=True)
    def fit(
        self,
        X: ArrayLike,
        y: ArrayLike | None = None,
        sample_weight: ArrayLike | None = None,
        *,
        X_val: ArrayLike | None = None,
        y_val: ArrayLike | None = None,
    ) -> Self:
        """Learn to predict clean rows.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features) or (n_samples, *shape)
            Noisy rows, or clean ones where `y` is None.
        y : array-like of shape (n_samples,) or (n_samples, *target_shape), default=None
            Clean rows, or any real target. None: X is clean, and `corruption` damages
            it.
        sample_weight : array-like of shape (n_samples,), default=None
            A weight of k counts a row k times, 0 leaves it out.
        X_val, y_val : array-like, default=None
            Rows that watch the loss instead of a part of X and y.

        Returns
        -------
        self : object
            The fitted estimator.

        Raises
        ------
        ValueError
            Where both `y` and `corruption` are None.
        """
        X = self._check_X(X, reset=True, min_samples=2)
        y = self._check_y(y, X)
        table = Table(X, _as_rows(y), self._check_weight(sample_weight, X))
        validation = self._check_validation(X_val, y_val, y)
        rows = counted_rows(table, self._allows_nan, 2)
        seed = seed_from(self.random_state)
        training = Training(self._settings(), rows, validation, seed)
        networks = self._train(training, self._memory_of(training))
        self._passes, self._target_ndim = None, X.ndim if y is None else y.ndim
        self._set_networks(networks)
        return self

    @fit_context(prefer_skip_nested_validation=True)
    def partial_fit(
        self,
        X: ArrayLike,
        y: ArrayLike | None = None,
        sample_weight: ArrayLike | None = None,
    ) -> Self:
        """Make one pass over some rows; the first 100 or more fix the scaler.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features) or (n_samples, *shape)
            Noisy rows, or clean ones where `y` is None.
            An iterator of blocks, or a Dask collection: block by block.
        y : array-like of shape (n_samples,) or (n_samples, *target_shape), default=None
            Clean rows, or any real target.
        sample_weight : array-like of shape (n_samples,), default=None
            A weight of k counts a row k times, 0 leaves it out.

        Returns
        -------
        self : object
            The fitted estimator.
        """
        first = not hasattr(self, "autoencoder_")
        X = self._check_X(X, reset=first)
        y = self._check_y(y, X)
        table = Table(X, _as_rows(y), self._check_weight(sample_weight, X))
        rows = counted_rows(table, self._allows_nan, 1)
        networks = self._train_pass(self._settings(), rows)
        self._target_ndim = X.ndim if y is None else y.ndim
        self._set_networks(networks)
        return self

    def predict(self, X: ArrayLike) -> NDArray:
        """Return clean rows for noisy ones.

        Parameters
        ----------
        X : array-like of shape (n_samples, *input_shape_)
            Noisy rows.

        Returns
        -------
        y : ndarray of shape (n_samples,) or (n_samples, *target_shape)
            With as many dimensions as the `y` of ``fit``, in its units; float32 for
            float32 X, else float64.

        Examples
        --------
        >>> from sklearn.datasets import load_iris
        >>> from skae import DenoisingRegressor, GaussianNoise
        >>> X, _ = load_iris(return_X_y=True)
        >>> denoiser = DenoisingRegressor(
        ...     corruption=GaussianNoise(0.1), epochs=2, random_state=0
        ... ).fit(X)
        >>> denoiser.predict(X).shape
        (150, 4)
        """
        check_is_fitted(self)
        return self._as_targets(self.autoencoder_.reconstruct(self._check_X(X)))

    def score(
        self,
        X: ArrayLike,
        y: ArrayLike | None = None,
        sample_weight: ArrayLike | None = None,
    ) -> float:
        """Return the coefficient of determination R² of the predictions.

        Rows are flattened, and features count by their variance, so that nearly
        constant pixels do not decide.

        Parameters
        ----------
        X : array-like of shape (n_samples, *input_shape_)
            Noisy rows, or clean ones where `y` is None.
        y : array-like of the shape of ``predict(X)``, default=None
            Clean rows. None: X is clean, and is damaged by `corruption` with a fixed
            seed before it is predicted.
        sample_weight : array-like of shape (n_samples,), default=None
            Weights of the rows.

        Returns
        -------
        score : float
            1 is perfect, 0 is as good as the mean; no unit. Where nothing varies, as in
            a single row, it is 1 if all is predicted exactly, else 0.

        Examples
        --------
        >>> from sklearn.datasets import load_iris
        >>> from skae import DenoisingRegressor, GaussianNoise
        >>> X, _ = load_iris(return_X_y=True)
        >>> denoiser = DenoisingRegressor(
        ...     corruption=GaussianNoise(0.1), epochs=2, random_state=0
        ... ).fit(X)
        >>> denoiser.score(X) <= 1
        True
        """
        check_is_fitted(self)
        X = self._check_X(X)
        targets, weight = self._check_y(y, X), self._check_weight(sample_weight, X)
        if targets is None:
            targets, predicted = X, self._restore_damaged(X)
        else:
            predicted = self._as_targets(self.autoencoder_.reconstruct(X))
        if targets.shape != predicted.shape:
            raise ValueError(
                f"y has shape {targets.shape}, but predictions have shape "
                f"{predicted.shape}. Pass targets like those of fit."
            )
        parts = [(slice(None), predicted)]
        return goodness_of_observed(targets, parts, weight)[1]

    def _settings(self) -> Settings:
        """Return the training parameters; a linear path has a wide code by default."""
        settings = super()._settings()
        network, width = settings.network, settings.latent_dim
        if width is None and getattr(network, "linear_path", False):
            width = min(_WIDTH, prod(self.input_shape_))
        return replace(settings, latent_dim=width)

    def _restore_damaged(self, X: NDArray) -> NDArray:
        """Return predictions for X after the corruption, which acts in scaled space."""
        autoencoder = self.autoencoder_
        damaged = corrupt(
            cast("Corruption", self.corruption),
            autoencoder.scaler.transform(X),
            seed=_SCORE_SEED,
        )
        scaled = autoencoder.reconstruct_scaled(damaged)
        return self._as_targets(autoencoder.target_scaler.inverse_transform(scaled))

    def _as_targets(self, rows: NDArray) -> NDArray:
        """Return rows with the number of dimensions that y had."""
        return rows[:, 0] if self._target_ndim == 1 else rows

    def _require_corruption(self) -> None:
        """Raise a ValueError where nothing damages X."""
        if self.corruption is None:
            raise ValueError(
                f"This {type(self).__name__} estimator requires y to be passed, but "
                "the target y is None. Pass the clean rows as y, or set corruption, "
                "for instance corruption=GaussianNoise(0.1)."
            )

    def _check_y(self, y: ArrayLike | None, X: NDArray) -> NDArray | None:
        """Return targets as a float array of any number of dimensions, or None."""
        if y is None:
            self._require_corruption()
            return None
        with advising_allow_nan():
            y = check_array(
                y,
                dtype=FLOATS,
                ensure_2d=False,
                allow_nd=True,
                input_name="y",
                ensure_all_finite="allow-nan" if self._allows_nan else True,
            )
        check_consistent_length(X, y)
        return y

    def _check_validation(
        self, X_val: ArrayLike | None, y_val: ArrayLike | None, y: NDArray | None
    ) -> Table | None:
        """Return the validation table, or None."""
        if X_val is None:
            return None
        X_val = self._check_X(X_val)
        if (y_val is None) != (y is None):
            given, missing = ("y_val", "y") if y is None else ("y", "y_val")
            raise ValueError(
                f"{given} is given, but {missing} is None. Pass both, or neither."
            )
        targets = self._check_y(y_val, X_val)
        if targets is not None and y is not None and targets.shape[1:] != y.shape[1:]:
            raise ValueError(
                f"y_val has rows of shape {targets.shape[1:]}, but y has rows of shape "
                f"{y.shape[1:]}. Pass targets of the same kind."
            )
        return counted_rows(Table(X_val, _as_rows(targets)), self._allows_nan, 1)

    def __sklearn_tags__(self) -> Any:
        """Return scikit-learn's tags."""
        tags = super().__sklearn_tags__()
        tags.target_tags.required = self.corruption is None
        return tags


def _as_rows(y: NDArray | None) -> NDArray | None:
    """Return targets of at least two dimensions."""
    return y[:, np.newaxis] if y is not None and y.ndim == 1 else y
