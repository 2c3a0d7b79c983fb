"""AutoencoderTransformer: an autoencoder in the place of PCA."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar, Literal

import numpy as np
from sklearn.base import ClassNamePrefixFeaturesOutMixin, TransformerMixin

from skae._autoencoder import Table, Training
from skae._base import BaseAutoencoder
from skae._dask import fit_context, takes_collections
from skae._missing import check_rows_observed, counted_rows
from skae._random import seed_from
from skae._validation import check_is_fitted
from skae.metrics._reconstruction import _reconstruction_error

if TYPE_CHECKING:
    from typing import Self

    from numpy.typing import ArrayLike, NDArray

    from skae.corruptions import Corruption


@takes_collections
class AutoencoderTransformer(
    ClassNamePrefixFeaturesOutMixin, TransformerMixin, BaseAutoencoder
):
    """Dimensionality reduction by an autoencoder.

    Stands where PCA stands in a pipeline: ``transform`` gives codes,
    ``inverse_transform`` brings them back. Use it where linear components waste
    dimensions on curved data.

    Read more in the :doc:`User Guide </guide/transformer>`.

    .. versionadded:: 0.1

    Parameters
    ----------
    latent_dim : int or None, default=None
        Width of the code. None is the network's own: min(32, n_features) for a
        `DenseNetwork`, 32 for a `RecurrentNetwork`, the map for a `ConvNetwork`.
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
    learning_rate : float, "auto", "one_cycle" or None, default="auto"
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
        Mean squared error of the training rows, in X's units; of 10,000 of them, evenly
        spread, where there are more.
    r2_ : float
        Share of the same rows' variance that reconstruction keeps.
    n_components_ : int
        Width of what ``transform`` returns.

    See Also
    --------
    DenoisingRegressor : Learns to repair rows.
    ReconstructionOutlierDetector : Flags rows that do not reconstruct.
    sklearn.decomposition.PCA : The best linear code.

    Notes
    -----
    An encoder :math:`f` and a decoder :math:`g` are trained together to minimise the
    mean over rows of :math:`L(s(x), g(f(s(x))))`, with :math:`s` the scaler [1]_.

    References
    ----------
    .. [1] Hinton, G. E. and Salakhutdinov, R. R. (2006). Reducing the dimensionality
       of data with neural networks. Science 313(5786):504-507.
       doi:10.1126/science.1127647

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from skae import AutoencoderTransformer
    >>> X, _ = load_digits(return_X_y=True)
    >>> transformer = AutoencoderTransformer(latent_dim=8, epochs=5, random_state=0)
    >>> codes = transformer.fit_transform(X)
    >>> codes.shape
    (1797, 8)
    >>> transformer.inverse_transform(codes).shape
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
        learning_rate: float | Literal["auto", "one_cycle"] | None = "auto",
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
        """Train encoder and decoder.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features) or (n_samples, *shape)
            Rows to learn from.
        y : Ignored
            Not used, present for API consistency by convention.
        sample_weight : array-like of shape (n_samples,), default=None
            A weight of k counts a row k times, 0 leaves it out.
        X_val : array-like of shape (n_val, *X.shape[1:]), default=None
            Rows that watch the loss instead of a part of X.
        y_val : Ignored
            Not used, present for API consistency by convention.

        Returns
        -------
        self : object
            The fitted estimator.
        """
        X = self._check_X(X, reset=True, min_samples=2)
        table = Table(X, None, self._check_weight(sample_weight, X))
        rows, validation = counted_rows(table, self._allows_nan, 2), None
        if X_val is not None:
            validation = counted_rows(Table(self._check_X(X_val)), self._allows_nan, 1)
        seed = seed_from(self.random_state)
        training = Training(self._settings(), rows, validation, seed)
        networks = self._train(training, self._memory_of(training))
        self._passes = None
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
            An iterator of blocks, or a Dask collection: block by block.
        y : Ignored
            Not used, present for API consistency by convention.
        sample_weight : array-like of shape (n_samples,), default=None
            A weight of k counts a row k times, 0 leaves it out.

        Returns
        -------
        self : object
            The fitted estimator.
        """
        first = not hasattr(self, "autoencoder_")
        X = self._check_X(X, reset=first)
        table = Table(X, None, self._check_weight(sample_weight, X))
        rows = counted_rows(table, self._allows_nan, 1)
        self._set_networks(self._train_pass(self._settings(), rows))
        return self

    def transform(self, X: ArrayLike) -> NDArray:
        """Return the codes of rows.

        Parameters
        ----------
        X : array-like of shape (n_samples, *input_shape_)
            Rows to encode.

        Returns
        -------
        codes : ndarray of shape (n_samples, n_components_)
            Codes, float32 for float32 X, else float64.

        Examples
        --------
        >>> from sklearn.datasets import load_iris
        >>> from skae import AutoencoderTransformer
        >>> X, _ = load_iris(return_X_y=True)
        >>> transformer = AutoencoderTransformer(2, epochs=2, random_state=0).fit(X)
        >>> transformer.transform(X).shape
        (150, 2)
        """
        check_is_fitted(self)
        return self.autoencoder_.encode(self._check_X(X))

    def inverse_transform(self, X: ArrayLike) -> NDArray:
        """Return the rows that codes stand for.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_components_)
            Codes.

        Returns
        -------
        rows : ndarray of shape (n_samples, *input_shape_)
            In the units of the training rows.

        Examples
        --------
        >>> from sklearn.datasets import load_iris
        >>> from skae import AutoencoderTransformer
        >>> X, _ = load_iris(return_X_y=True)
        >>> transformer = AutoencoderTransformer(2, epochs=2, random_state=0).fit(X)
        >>> transformer.inverse_transform([[0.0, 0.0]]).shape
        (1, 4)
        """
        check_is_fitted(self)
        return self.autoencoder_.decode(self._check_codes(X, "X"))

    def reconstruct(self, X: ArrayLike) -> NDArray:
        """Return the reconstruction of rows.

        Parameters
        ----------
        X : array-like of shape (n_samples, *input_shape_)
            Rows to reconstruct.

        Returns
        -------
        rows : ndarray of X's shape
            In X's units.

        Examples
        --------
        >>> from sklearn.datasets import load_iris
        >>> from skae import AutoencoderTransformer
        >>> X, _ = load_iris(return_X_y=True)
        >>> transformer = AutoencoderTransformer(2, epochs=2, random_state=0).fit(X)
        >>> transformer.reconstruct(X).shape
        (150, 4)
        """
        check_is_fitted(self)
        return self.autoencoder_.reconstruct(self._check_X(X))

    def score_samples(self, X: ArrayLike) -> NDArray[np.float64]:
        """Return minus the mean squared reconstruction error of each row.

        Parameters
        ----------
        X : array-like of shape (n_samples, *input_shape_)
            Rows to score.

        Returns
        -------
        scores : ndarray of shape (n_samples,)
            Errors as float64, in X's units squared; high is well reconstructed.

        Examples
        --------
        >>> from sklearn.datasets import load_iris
        >>> from skae import AutoencoderTransformer
        >>> X, _ = load_iris(return_X_y=True)
        >>> transformer = AutoencoderTransformer(2, epochs=2, random_state=0).fit(X)
        >>> transformer.score_samples(X).shape
        (150,)
        """
        check_is_fitted(self)
        X = self._check_X(X)
        allows_nan = self.autoencoder_.fill is not None
        if allows_nan:
            check_rows_observed(X, "X")
        output = self.autoencoder_.reconstruct(X)
        return -_reconstruction_error(X, output, "mse", allow_nan=allows_nan)

    def score(
        self,
        X: ArrayLike,
        y: ArrayLike | None = None,
        sample_weight: ArrayLike | None = None,
    ) -> float:
        """Return the mean of ``score_samples``.

        In X's units whatever the scaler, so that a search can compare scalers, too.

        Parameters
        ----------
        X : array-like of shape (n_samples, *input_shape_)
            Rows to score.
        y : Ignored
            Not used, present for API consistency by convention.
        sample_weight : array-like of shape (n_samples,), default=None
            Weights of the rows.

        Returns
        -------
        score : float
            Minus the mean squared error; high is good.

        Examples
        --------
        >>> from sklearn.datasets import load_iris
        >>> from skae import AutoencoderTransformer
        >>> X, _ = load_iris(return_X_y=True)
        >>> transformer = AutoencoderTransformer(2, epochs=2, random_state=0).fit(X)
        >>> bool(transformer.score(X) == transformer.score_samples(X).mean())
        True
        """
        scores = self.score_samples(X)
        weight = self._check_weight(sample_weight, scores)
        return float(np.average(scores, weights=weight))

    @property
    def n_components_(self) -> int:
        """Width of what ``transform`` returns."""
        check_is_fitted(self)
        return self.autoencoder_.width

    @property
    def _n_features_out(self) -> int:
        """Width of what ``transform`` returns, as scikit-learn asks for it."""
        return self.n_components_

    def __sklearn_tags__(self) -> Any:
        """Return scikit-learn's tags."""
        tags = super().__sklearn_tags__()
        tags.transformer_tags.preserves_dtype = ["float64", "float32"]
        return tags
