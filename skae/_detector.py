"""ReconstructionOutlierDetector: rows that do not reconstruct are outliers."""

from __future__ import annotations

from copy import copy
from dataclasses import replace
from numbers import Integral
from typing import TYPE_CHECKING, Any, ClassVar, Literal

import numpy as np
from sklearn.base import OutlierMixin, clone

from skae._autoencoder import Table, Training, detector_settings
from skae._base import BaseAutoencoder
from skae._dask import fit_context, takes_collections
from skae._missing import counted_rows
from skae._random import seed_from
from skae._row_errors import Window, check_error, explanation_table, learn_scorer
from skae._validation import (
    Interval,
    StrOptions,
    check_is_fitted,
    check_parameters,
    normal_rows,
)
from skae.networks import DenseNetwork
from skae.thresholds import Contamination, as_threshold_rule, conformal_p_values
from skae.thresholds import _calibration as calibration

if TYPE_CHECKING:
    from typing import Self

    import pandas as pd
    from numpy.typing import ArrayLike, NDArray

    from skae._autoencoder import Settings
    from skae._row_errors import ErrorKind, Scorer
    from skae.corruptions import Corruption

_ERRORS = ("auto", "mse", "mae", "standardized", "whitened", "nearest", "negative_elbo")
_SOURCES = ("auto", "train", "out_of_fold", "validation", "cv")
_constraints, _auto = BaseAutoencoder._parameter_constraints, [StrOptions({"auto"})]


@takes_collections
class ReconstructionOutlierDetector(OutlierMixin, BaseAutoencoder):
    r"""Outlier detection by the reconstruction error of an autoencoder.

    Trained on normal rows, the network reconstructs them well and others badly; a
    `threshold` rule on the errors turns scores into labels, +1 inlier, -1 outlier.

    Read more in the :doc:`User Guide </guide/detector>`.

    .. versionadded:: 0.1

    Parameters
    ----------
    latent_dim : int, "auto" or None, default="auto"
        Width of the code. "auto" is 128 with a `DenseNetwork`, 4 with other networks of
        skae, and your own Keras model's own. None is the network's own: min(32,
        n_features), 32 (recurrent), a map (convolutions).
    network : network description, SciKeras wrapper or None, default=None
        What to train. None is ``DenseNetwork((128,), latent_activation="relu")``, held
        back by noise, not a narrow code; where there are fewer rows than values in one,
        and `latent_dim` is "auto", a linear network of width 64 by the SVD. Parameters
        can be searched as ``network__hidden_units``; `KerasNetwork` takes your model.
    scaler : str, transformer or None, default="auto"
        Applied inside: network, loss and corruption work on scaled values. "standard",
        "minmax": per column of 2-D X, per channel (last axis) of n-D X. "common": every
        value is centred, but all, or those of a channel, have one scale. "auto" is
        "common" where X is n-D, or its columns are so much alike that rows are series,
        spectra or images; else "standard". A transformer needs ``inverse_transform``.
    loss : str, keras.losses.Loss or callable, default="mse"
        What training minimises, in scaled space.
    optimizer : str or keras.optimizers.Optimizer, default="adam"
        A Keras name, or an instance, which is copied.
    learning_rate : float, "auto", "one_cycle" or None, default="auto"
        None is the optimizer's own; "one_cycle" rises to eight times that and falls to
        nearly nothing; "auto" is one cycle for ``optimizer="adam"``, unless a callback
        sets the rate, and None for others.
    epochs : int or "auto", default="auto"
        Passes over the training rows; "auto" gives about 4,000 steps to each network,
        in 10 to 500 epochs, fewer where rows have copies.
    batch_size : int, default=128
        Rows per step.
    validation_fraction : float or None, default=None
        Share of the rows that watch the loss only.
    patience : int or None, default=None
        Epochs without a new lowest loss (of validation rows, where there are some)
        before training stops, at the best weights. None trains all epochs.
    corruption : corruption, "auto" or None, default="auto"
        Damage done to the inputs, afresh at every step, in scaled space. "auto" is
        noise of a strength that differs from row to row, 0.1 to 1 standard deviations
        of the columns, with a `DenseNetwork`; None with other networks.
    callbacks : list or None, default=None
        Keras callbacks, copied shallowly for each fit, or functions that return one.
    memory : str, Path, joblib.Memory or None, default=None
        Where networks, and the errors that follow from them, are kept and found again
        by candidates of a search, calls and processes; needs an int `random_state`. Not
        used with `callbacks`, `warm_start` or ``partial_fit``.
    warm_start : bool, default=False
        Whether ``fit`` continues the previous fit's networks and scaler.
    random_state : int, RandomState instance or None, default=None
        Determines weights, folds, batch order and corruption. With an int, fits are
        bit-identical on the same machine.
    engine : {"auto", "keras", "numpy"}, default="auto"
        "auto" trains in NumPy where all layers can, else in Keras; "keras" in Keras, on
        a GPU where TensorFlow sees one; "numpy" says what stands against NumPy.
    verbose : int, default=0
        1 shows a progress bar, 2 also says where the time went.
    threshold : rule, float or None, default=None
        How the threshold is learned from errors. None is ``Contamination(0.1)``, a
        float is used as it is; searchable, also as ``threshold__fraction``.
    threshold_on : {"auto", "train", "out_of_fold", "validation", "cv"}, default="auto"
        Whose errors the rule sees. "train": the training rows', which are smaller than
        those of new rows. "out_of_fold": every row's, from the one of several networks
        that is trained without it. "validation": those of a fifth of the rows, or as
        many as the rule needs, held out of everything. "cv": every row's, from five
        more trainings, each without a fifth. "auto": "validation" for rules that
        promise a rate; for others "out_of_fold" with several networks, else
        "validation"; but "train" for a number, below 10 rows, and for a warm start.
    error : str, default="auto"
        Error of a row, in scaled space. "mse", "mae": mean squared or absolute error of
        its reconstruction. "standardized": mean squared after dividing by each
        feature's mean squared error, so that features that are hard to reconstruct do
        not drown the others. "whitened": mean over features of minus the logarithm of
        Student's density of the residuals, made uncorrelated. "nearest": that times how
        far the row lies from those of training. "negative_elbo": with a
        `VariationalNetwork`, what training minimises, at the mean of the code. "auto":
        "nearest" with a `DenseNetwork` ("whitened" with a linear one by default), else
        "standardized".
    n_networks : int or "auto", default="auto"
        Networks that are trained, from other seeds. Each of several leaves out its fold
        of the rows, of as many as there are networks, but 3 at least; a row's error is
        the mean of theirs, all else is the first one's. "auto" is 3 with "nearest", 10
        with the linear network, but 1 with `callbacks` or `patience`, and for others.
    allow_nan : bool, default=False
        Whether entries may be missing (NaN): scaler, loss and errors leave them out.

    Attributes
    ----------
    autoencoders_, autoencoder_ : list of object, object
        The trained networks with their scalers, which pickle; and the first of them.
    history_ : dict of str to list of float
        ``loss``, perhaps ``val_loss``, of every epoch, and what else the network adds.
    n_iter_, scaler_ : int, object
        Number of passes made; the fitted scaler of rows of X's shape.
    input_shape_, latent_shape_ : tuple of int
        Shapes of one row of X, and of one code before it is flattened.
    n_features_in_, feature_names_in_ : int, ndarray of shape (n_features_in_,)
        ``X.shape[1]``, and the names of the columns, where they are all strings.
    reconstruction_err_ : float
        Mean of ``train_errors_``, by the rows' weights.
    r2_ : float
        Share of the variance, in X's units, that is kept of (10,000) training rows.
    train_errors_ : ndarray of shape (n_training_rows,)
        Errors of the rows that trained, float64; `validation_fraction` is a part.
    calibration_errors_ : ndarray of shape (n_calibration_rows,)
        Errors that the threshold was learned from, by `threshold_on`; outliers' last.
    threshold_rule_ : rule
        The fitted clone of the rule.
    threshold_, offset_ : float
        Errors above the threshold are outliers; ``-threshold_``.
    feature_scale_ : ndarray of shape input_shape_ or None
        Mean squared error of each feature with ``error="standardized"``.

    See Also
    --------
    AutoencoderTransformer : The network as a transformer.

    Notes
    -----
    ``score_samples(X)`` is :math:`-e(s(x), s(\hat x))` with :math:`e` the error and
    :math:`s` the scaler; ``decision_function`` subtracts ``offset_``; ``predict`` is
    +1 where that is at least 0. With ``error="nearest"`` the error of a row is

    .. math:: \frac{2}{p} \sum_j \log(1 + z_j^2 / 3) \max(d / m, D / M)

    with :math:`z` the p residuals divided by their deviations and multiplied by the
    inverse root of their correlations, shrunken as Ledoit and Wolf do [3]_ (not where
    there are fewer residuals than p, or more than 1,024 values); d the distance to the
    nearest of up to 512 other training rows, and D the root mean square of those to the
    nearest ones of random groups of 16 of them [5]_, with medians m and M; copies of
    the row do not count. D finds outliers that training rows resemble. Scales and
    correlations come from rows out of fold.

    ``scaler="auto"`` takes 20 columns or more for one quantity where von Neumann's
    ratio [4]_ along the rows is below 0.5, and below 1 once they are standardised, and
    their deviations, correlations or bounds agree with it.

    With its defaults the detector is a denoising autoencoder [2]_. Outliers among the
    training rows are learned, too: name them in `y`.

    There is no ``score``, as IsolationForest has none; `skae.metrics` has scorers for
    searches with labels, ``cv=InlierKFold()``, and without, ``reconstruction_score``.

    References
    ----------
    .. [1] Hawkins, S. et al. (2002). Outlier detection using replicator neural
       networks. DaWaK. doi:10.1007/3-540-46145-0_17
    .. [2] Vincent, P. et al. (2010). Stacked denoising autoencoders. JMLR 11:3371-3408.
    .. [3] Ledoit, O. and Wolf, M. (2004). A well-conditioned estimator for
       large-dimensional covariance matrices. doi:10.1016/S0047-259X(03)00096-4
    .. [4] von Neumann, J. (1941). Distribution of the ratio of the mean square
       successive difference to the variance. doi:10.1214/aoms/1177731677
    .. [5] Sugiyama, M. and Borgwardt, K. (2013). Rapid distance-based outlier detection
       via sampling. NeurIPS 26.

    Examples
    --------
    >>> from skae import ReconstructionOutlierDetector, make_heartbeats
    >>> X, y = make_heartbeats(n_samples=500, random_state=0)
    >>> detector = ReconstructionOutlierDetector(epochs=20, random_state=0).fit(X, y)
    >>> sorted(set(detector.predict(X).tolist()))
    [-1, 1]
    """

    _defaults: ClassVar[dict[str, Any]] = {
        "network": lambda: DenseNetwork((128,), latent_activation="relu"),
        "threshold": Contamination,
    }

    _parameter_constraints: ClassVar[dict[str, Any]] = {
        **_constraints,
        "latent_dim": [*_constraints["latent_dim"], *_auto],
        # A number, None or a rule: as_threshold_rule has the better messages.
        "threshold": "no_validation",
        "threshold_on": [
            StrOptions({"auto", "train", "out_of_fold", "validation", "cv"})
        ],
        "scaler": [*_constraints["scaler"], *_auto],
        "corruption": [*_constraints["corruption"], *_auto],
        "error": [StrOptions(set(_ERRORS))],
        "n_networks": [Interval(Integral, 1, None, closed="left"), *_auto],
    }

    def __init__(
        self,
        latent_dim: int | Literal["auto"] | None = "auto",
        *,
        network: Any = None,
        scaler: Any = "auto",
        loss: Any = "mse",
        optimizer: Any = "adam",
        learning_rate: float | Literal["auto", "one_cycle"] | None = "auto",
        epochs: int | Literal["auto"] = "auto",
        batch_size: int = 128,
        validation_fraction: float | None = None,
        patience: int | None = None,
        corruption: Corruption | Literal["auto"] | None = "auto",
        callbacks: list[Any] | None = None,
        memory: Any = None,
        warm_start: bool = False,
        random_state: int | np.random.RandomState | None = None,
        engine: Literal["auto", "keras", "numpy"] = "auto",
        verbose: int = 0,
        threshold: Any = None,
        threshold_on: str = "auto",
        error: str = "auto",
        n_networks: int | Literal["auto"] = "auto",
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
        self.threshold = threshold
        self.threshold_on = threshold_on
        self.error = error
        self.n_networks = n_networks
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
        """Train on the normal rows and learn the threshold.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features) or (n_samples, *shape)
            Rows to learn from.
        y : array-like of shape (n_samples,), default=None
            Rows with ``y == -1`` train neither network nor scaler, and are shown only
            to rules that need labels; all others, whatever their label, are normal.
        sample_weight : array-like of shape (n_samples,), default=None
            A weight of k counts a row k times, 0 leaves it out.
        X_val, y_val : array-like, default=None
            Rows that watch the loss instead of a part of X, but for ``y_val == -1``.

        Returns
        -------
        self : object
            The fitted estimator.
        """
        rule = self._check_rule()
        check_error(self.error, self.loss, self.network)
        X = self._check_X(X, reset=True, min_samples=2)
        table = Table(X, None, self._check_weight(sample_weight, X))
        is_normal = normal_rows(y, X, "y", at_least=2)
        outliers = calibration.known_outliers(rule, table, y, is_normal)
        normal = counted_rows(table.take(is_normal), self._allows_nan, 2)
        validation = None
        if X_val is not None:
            table = Table(self._check_X(X_val))
            is_normal = normal_rows(y_val, table.X, "y_val", at_least=1)
            validation = counted_rows(table.take(is_normal), self._allows_nan, 1)

        settings, kind, n_networks = self._resolved(len(normal.X))
        is_warm = self.warm_start and self.__sklearn_is_fitted__()
        has_folds = Training(settings, normal).folds(n_networks) is not None
        known = len(normal.X), has_folds, is_warm
        source = calibration.source_of(rule, self.threshold_on, *known)
        is_split = source in ("validation", "cv")
        split_seed = seed_from(self.random_state) if is_split else 0
        rows, held = calibration.divide(normal, rule, source, split_seed, is_warm)
        training = Training(settings, rows, validation, seed_from(self.random_state))
        memory = self._memory_of(training)

        networks = self._train(training, memory, n_networks)
        folds = training.folds(n_networks)
        scorer = learn_scorer(kind, networks, rows, folds, memory=memory)

        def seen_by_rule() -> calibration.Calibration:
            """Return the errors that the rule sees."""
            if source != "cv":
                return calibration.calibrate(scorer, normal, held, outliers, source)
            return calibration.cross_fitted(learn_part, normal, outliers, split_seed)

        def learn_part(rows: Table, seed: int) -> Scorer:
            """Return the scorer of networks that are trained without a fold."""
            part = replace(training, rows=rows, seed=seed)
            kept = self._memory_of(part, memory)
            networks = self._train(part, kept, n_networks, is_fold=True)
            folds = part.folds(n_networks)
            return learn_scorer(kind, networks, rows, folds, memory=kept)

        tables = [one and vars(one) for one in (held, outliers)]
        name = ["errors", source, *kind, n_networks, *tables]
        seen = seen_by_rule() if memory is None else memory.recall(name, seen_by_rule)
        self._passes, self._window = None, Window.after_fit(rows, seen)
        self._set_scorer(scorer, rows)
        self._set_threshold(rule, seen, source)
        return self

    @fit_context(prefer_skip_nested_validation=True)
    def partial_fit(
        self,
        X: ArrayLike,
        y: ArrayLike | None = None,
        sample_weight: ArrayLike | None = None,
    ) -> Self:
        """Make one pass over some rows; the first 100 or more fix the scaler.

        A fifth of the rows, half of the first 100, are held out at random: the
        threshold follows from the latest 1,000, or as many as the rule needs, by the
        present networks; with ``threshold_on="train"`` from the latest that trained.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features) or (n_samples, *shape)
            An iterator of blocks, or a Dask collection: block by block.
        y : array-like of shape (n_samples,), default=None
            Rows with ``y == -1`` do not train; rules that need labels see them.
        sample_weight : array-like of shape (n_samples,), default=None
            A weight of k counts a row k times, 0 leaves it out.

        Returns
        -------
        self : object
            The fitted estimator.

        Examples
        --------
        >>> from skae import ReconstructionOutlierDetector, make_heartbeats
        >>> X, _ = make_heartbeats(n_samples=400, random_state=0)
        >>> detector = ReconstructionOutlierDetector(n_networks=1, random_state=0)
        >>> for chunk in (X[:200], X[200:]):
        ...     detector = detector.partial_fit(chunk)
        >>> detector.predict(X).shape
        (400,)
        """
        rule = self._check_rule()
        check_error(self.error, self.loss, self.network)
        is_first = not hasattr(self, "autoencoder_")
        X = self._check_X(X, reset=is_first)
        table = Table(X, None, self._check_weight(sample_weight, X))
        is_normal = normal_rows(y, X, "y", at_least=1)
        window = getattr(self, "_window", None) or Window()
        outliers = window.outliers and table.take(~is_normal)
        if outliers is None:
            outliers = calibration.known_outliers(rule, table, y, is_normal)
        normal = counted_rows(table.take(is_normal), self._allows_nan, 1)

        settings, kind, n_networks = self._resolved(None)
        source = calibration.source_of(rule, self.threshold_on)
        source = "train" if source == "train" else "validation"
        n_needed, rows, held = getattr(rule, "min_errors", 1), normal, None
        if source != "train":
            seed = seed_from(self.random_state)
            if is_first and n_needed > 1:  # or raises
                calibration.hold_out(normal, rule, seed)
            rows, held = window.divided(normal, n_needed, seed)
        networks = self._networks if not len(rows.X) else None
        networks = networks or self._train_pass(settings, rows, n_networks)
        window = window.followed_by(rows, held, outliers, n_needed)
        scorer = learn_scorer(kind, networks, window.rows)
        tables = window.rows, window.held, window.outliers
        seen = calibration.calibrate(scorer, *tables, "train", window.held_share)
        seen = window.with_errors_of_fit(seen, n_needed)
        seen.check(rule, y)
        self._window = window
        self._set_scorer(scorer, window.rows)
        self._set_threshold(rule, seen, source)
        return self

    @fit_context(prefer_skip_nested_validation=True)
    def fit_threshold(
        self, X: ArrayLike | None = None, y: ArrayLike | None = None
    ) -> Self:
        """Learn the threshold again, by the present rule, without training.

        Parameters
        ----------
        X : array-like of shape (n_samples, *input_shape_), default=None
            Rows whose errors the rule sees; new ones, where its promise should hold.
            None: the rows of ``fit`` that `threshold_on` says.
        y : array-like of shape (n_samples,), default=None
            Rows with ``y == -1`` are left out, unless the rule needs labels.

        Returns
        -------
        self : object
            The fitted estimator.

        Examples
        --------
        >>> from skae import Contamination, ReconstructionOutlierDetector
        >>> from skae import make_heartbeats
        >>> X, y = make_heartbeats(n_samples=200, random_state=0)
        >>> detector = ReconstructionOutlierDetector(epochs=2, random_state=0).fit(X)
        >>> before = detector.threshold_
        >>> detector = detector.set_params(threshold=Contamination(0.01))
        >>> detector.fit_threshold().threshold_ > before
        True
        """
        check_is_fitted(self)
        rule = self._check_rule()
        if X is None:
            kept = self._calibrations
            seen = calibration.kept_for(rule, self.threshold_on, kept, y)
        else:
            X = self._check_X(X)
            is_normal = normal_rows(y, X, "y", at_least=1)
            outliers = calibration.known_outliers(rule, Table(X), y, is_normal)
            rows = Table(X).take(is_normal)
            seen = calibration.calibrate(self._scorer, rows, rows, outliers, "new")
        self._set_threshold(rule, seen)
        return self

    def fit_predict(self, X: ArrayLike, y: Any = None, **fit_params: Any) -> NDArray:
        """Fit, and return the labels of the rows of X, as ``predict`` does.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features) or (n_samples, *shape)
            Rows to learn from.
        y, **fit_params : object
            What ``fit`` takes.

        Returns
        -------
        labels : ndarray of shape (n_samples,)
            +1 for inliers, -1 for outliers.
        """
        return self.fit(X, y, **fit_params).predict(X)

    def score_samples(self, X: ArrayLike) -> NDArray[np.float64]:
        """Return minus the reconstruction error of each row, in scaled space.

        Parameters
        ----------
        X : array-like of shape (n_samples, *input_shape_)
            Rows to score.

        Returns
        -------
        scores : float64 ndarray of shape (n_samples,)
            High is normal, low is an outlier.

        Examples
        --------
        >>> from skae import ReconstructionOutlierDetector, make_heartbeats
        >>> X, y = make_heartbeats(n_samples=200, random_state=0)
        >>> detector = ReconstructionOutlierDetector(epochs=2, random_state=0).fit(X)
        >>> detector.score_samples(X).shape
        (200,)
        """
        check_is_fitted(self)
        return -self._scorer.errors(self._check_X(X))

    def decision_function(self, X: ArrayLike) -> NDArray[np.float64]:
        """Return ``score_samples(X) - offset_``, which is negative for outliers.

        Parameters
        ----------
        X : array-like of shape (n_samples, *input_shape_)
            Rows to score.

        Returns
        -------
        decision : ndarray of shape (n_samples,)
            Negative for outliers.
        """
        return self.score_samples(X) - self.offset_

    def predict(self, X: ArrayLike) -> NDArray[np.int64]:
        """Return +1 where the decision function is at least 0, else -1: outliers.

        Parameters
        ----------
        X : array-like of shape (n_samples, *input_shape_)
            Rows to label.

        Returns
        -------
        labels : ndarray of shape (n_samples,)
            +1 for inliers, -1 for outliers.

        Examples
        --------
        >>> from skae import ReconstructionOutlierDetector, make_heartbeats
        >>> X, y = make_heartbeats(n_samples=200, random_state=0)
        >>> detector = ReconstructionOutlierDetector(epochs=2, random_state=0).fit(X)
        >>> labels = detector.predict(X)
        >>> is_low = detector.score_samples(X) < detector.offset_
        >>> bool(((labels == -1) == is_low).all())
        True
        """
        return np.where(self.decision_function(X) >= 0, 1, -1)

    def p_values(self, X: ArrayLike) -> NDArray[np.float64]:
        """Return how likely an error as large as each row's is for a normal row.

        They come from ``calibration_errors_`` of normal rows, which must not have
        trained. With ``threshold_on="validation"``, the default of `Conformal`, at most
        a share alpha of exchangeable normal rows has a p-value of alpha or less, on
        average over fits; only about that with "out_of_fold", "cv" and in streams.

        Parameters
        ----------
        X : array-like of shape (n_samples, *input_shape_)
            Rows to judge.

        Returns
        -------
        p_values : ndarray of shape (n_samples,)
            As `skae.conformal_p_values` defines them; small for outliers.
            `skae.benjamini_hochberg` selects the outliers of a batch.

        Examples
        --------
        >>> from skae import Conformal, ReconstructionOutlierDetector, make_heartbeats
        >>> X, _ = make_heartbeats(n_samples=200, random_state=0)
        >>> detector = ReconstructionOutlierDetector(
        ...     threshold=Conformal(0.1), epochs=2, random_state=0
        ... ).fit(X)
        >>> p_values = detector.p_values(X)
        >>> bool(((p_values <= 0.1) == (detector.predict(X) == -1)).all())
        True
        """
        check_is_fitted(self)
        X = self._check_X(X)
        self._calibration.check_held_out(self.threshold_rule_)
        normal = self._calibration.normal()
        most = np.finfo(np.float64).max  # absurd rows have infinite errors
        errors, known = (
            np.minimum(one, most) for one in (self._scorer.errors(X), normal.errors)
        )
        return conformal_p_values(errors, known, normal.weight)

    def feature_errors(self, X: ArrayLike) -> NDArray[np.float64]:
        """Return each feature's part of the error, which add up to ``-score_samples``.

        Parameters
        ----------
        X : array-like of shape (n_samples, *input_shape_)
            Rows to explain.

        Returns
        -------
        errors : float64 ndarray of X's shape
            0 where an entry is missing.

        Examples
        --------
        >>> from skae import ReconstructionOutlierDetector, make_heartbeats
        >>> X, y = make_heartbeats(n_samples=200, random_state=0)
        >>> detector = ReconstructionOutlierDetector(epochs=2, random_state=0).fit(X)
        >>> import numpy as np
        >>> errors = detector.feature_errors(X)
        >>> np.allclose(errors.sum(axis=1), -detector.score_samples(X))
        True
        """
        check_is_fitted(self)
        return self._scorer.feature_errors(self._check_X(X))

    def explain(self, X: ArrayLike, top_k: int = 5) -> pd.DataFrame:
        """Return the features with the largest errors of each row.

        Parameters
        ----------
        X : array-like of shape (n_samples, *input_shape_)
            Rows to explain, flagged ones for instance.
        top_k : int, default=5
            Number of features per row, largest error first.

        Returns
        -------
        table : DataFrame with n_samples * top_k rows
            Columns ``row`` (X's index), ``rank`` (from 1), ``feature``, ``value`` and
            ``reconstruction`` (in X's units), ``error`` (the feature's part, in scaled
            space) and ``share`` of the row's error.

        Examples
        --------
        >>> from skae import ReconstructionOutlierDetector, make_heartbeats
        >>> X, y = make_heartbeats(n_samples=200, random_state=0)
        >>> detector = ReconstructionOutlierDetector(epochs=2, random_state=0).fit(X)
        >>> table = detector.explain(X[:3], top_k=2)
        >>> table.columns.tolist()
        ['row', 'rank', 'feature', 'value', 'reconstruction', 'error', 'share']
        >>> table["row"].tolist()
        [0, 0, 1, 1, 2, 2]
        """
        check_is_fitted(self)
        rows = self._check_X(X, min_samples=0)  # perhaps no row was flagged
        return explanation_table(
            rows,
            self.autoencoder_.reconstruct(rows),
            self._scorer.feature_errors(rows),
            index=getattr(X, "index", None) if hasattr(X, "iloc") else None,
            names=getattr(self, "feature_names_in_", None),
            top_k=top_k,
        )

    def reconstruct(self, X: ArrayLike) -> NDArray:
        """Return the reconstruction of rows, in X's units.

        Parameters
        ----------
        X : array-like of shape (n_samples, *input_shape_)
            Rows to reconstruct.

        Returns
        -------
        rows : ndarray of X's shape
            What the network expects in their place.

        Examples
        --------
        >>> from skae import ReconstructionOutlierDetector, make_heartbeats
        >>> X, y = make_heartbeats(n_samples=200, random_state=0)
        >>> detector = ReconstructionOutlierDetector(epochs=2, random_state=0).fit(X)
        >>> detector.reconstruct(X).shape
        (200, 140)
        """
        check_is_fitted(self)
        return self.autoencoder_.reconstruct(self._check_X(X))

    def encode(self, X: ArrayLike) -> NDArray:
        """Return the codes of rows.

        Parameters
        ----------
        X : array-like of shape (n_samples, *input_shape_)
            Rows to encode.

        Returns
        -------
        codes : ndarray of shape (n_samples, width)
            Codes of the first network.

        Examples
        --------
        >>> from skae import ReconstructionOutlierDetector, make_heartbeats
        >>> X, y = make_heartbeats(n_samples=200, random_state=0)
        >>> detector = ReconstructionOutlierDetector(epochs=2, random_state=0).fit(X)
        >>> codes = detector.encode(X)
        >>> detector.decode(codes).shape
        (200, 140)
        """
        check_is_fitted(self)
        return self.autoencoder_.encode(self._check_X(X))

    def decode(self, codes: ArrayLike) -> NDArray:
        """Return the rows that codes stand for, in X's units.

        Parameters
        ----------
        codes : array-like of shape (n_samples, width)
            Codes, as ``encode`` returns them.

        Returns
        -------
        rows : ndarray of shape (n_samples, *input_shape_)
            Rows of the decoder of the first network.
        """
        check_is_fitted(self)
        return self.autoencoder_.decode(self._check_codes(codes, "codes"))

    def _resolved(self, n_rows: int | None) -> tuple[Settings, ErrorKind, int]:
        """Return settings, kind of error and number of networks, "auto" resolved."""
        # By the training rows; None where they come bit by bit.
        rows = self.input_shape_, n_rows
        settings, error, n_networks = detector_settings(
            self._settings(), *rows, self.error, self.n_networks,
            is_watched=bool(self.callbacks) or self.patience is not None,
            is_own=self.network is not None,
        )  # fmt: skip
        return settings, check_error(error, self.loss, self.network), n_networks

    def _check_rule(self) -> Any:
        """Return the checked threshold rule."""
        rule = as_threshold_rule(self.threshold)
        check_parameters(rule)
        return rule

    def _set_scorer(self, scorer: Scorer, rows: Table) -> None:
        """Set the attributes that tell of networks and errors."""
        self._set_networks(scorer.networks)
        self.autoencoders_ = list(scorer.networks)
        self._scorer = scorer
        errors, scale = scorer.train_errors, scorer.feature_scale
        self.train_errors_, self.feature_scale_ = copy(errors), copy(scale)
        self.reconstruction_err_ = float(np.average(errors, weights=rows.weight))
        seen = calibration.Calibration(errors, rows.weight, held_out=False)
        self._calibrations = {"train": seen}  # what fit_threshold may use again

    def _set_threshold(
        self, rule: Any, seen: calibration.Calibration, source: str | None = None
    ) -> None:
        """Fit the rule to errors; keep those of a fit by their source."""
        self._calibration = seen
        if source is not None:
            self._calibrations[source] = seen
        self.threshold_rule_, self.calibration_errors_ = seen.fit(clone(rule))
        self.threshold_ = float(self.threshold_rule_.threshold_)
        self.offset_ = -self.threshold_
