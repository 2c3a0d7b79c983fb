"""ReconstructionOutlierDetector: rows that do not reconstruct are outliers."""

from __future__ import annotations

import functools
from dataclasses import replace
from numbers import Integral
from typing import TYPE_CHECKING, Any, ClassVar, Literal

import numpy as np
from sklearn.base import OutlierMixin, clone

from skae._autoencoder import Table, Training, detector_settings, is_dense
from skae._base import BaseAutoencoder
from skae._missing import counted_rows
from skae._random import seed_from
from skae._row_errors import check_error, explanation_table, latest_rows, learn_scorer
from skae._validation import (
    Interval,
    StrOptions,
    check_is_fitted,
    check_parameters,
    fit_context,
    normal_rows,
)
from skae.networks import DenseNetwork
from skae.thresholds import Contamination, as_threshold_rule, conformal_p_values
from skae.thresholds import _calibration as calibration

if TYPE_CHECKING:
    from typing import Self

    import pandas as pd
    from numpy.typing import ArrayLike, NDArray

    from skae._row_errors import ErrorKind, Scorer
    from skae.corruptions import Corruption

_SIMPLE_ERRORS = ("mse", "mae", "standardized", "latent")
_constraints, _auto = BaseAutoencoder._parameter_constraints, [StrOptions({"auto"})]


class ReconstructionOutlierDetector(OutlierMixin, BaseAutoencoder):
    r"""Outlier detection by the reconstruction error of an autoencoder.

    Trained on normal rows, the network reconstructs them well and others badly; a
    `threshold` rule on the errors turns scores into labels, +1 inlier, -1 outlier.

    Parameters
    ----------
    latent_dim : int, "auto" or None, default="auto"
        Width of the code. "auto" is a quarter of a row's values, but 8 to 32, with a
        `DenseNetwork`; 4 with other networks of skae; your own Keras model's own. None
        is the network's own: min(32, n_features), 32 (recurrent), a map (convolutions).
    network : network description, SciKeras wrapper or None, default=None
        What to train. None is ``DenseNetwork(hidden_units=(256, 64))``; its parameters
        can be set and searched as ``network__hidden_units`` either way. `KerasNetwork`
        takes your own Keras model.
    scaler : str, transformer or None, default="auto"
        Applied inside: network, loss and corruption work on scaled values. "standard",
        "minmax": per column of 2-D X, per channel (last axis) of n-D X. "common": every
        value of a row is centred, but all columns, or those of a channel, have one
        scale, since they have one unit. "auto" is "common" where X is n-D, or its
        columns are so much alike that rows are series, spectra or images; else
        "standard". A transformer needs ``inverse_transform``, and is cloned.
    loss : str, keras.losses.Loss or callable, default="mse"
        What training minimises, in scaled space.
    optimizer : str or keras.optimizers.Optimizer, default="adam"
        A Keras name, or an instance, which is copied.
    learning_rate : float, "auto", "one_cycle" or None, default="auto"
        None is the optimizer's own; "one_cycle" rises to eight times that and falls to
        nearly nothing; "auto" is one cycle for ``optimizer="adam"``, unless a callback
        of Keras sets the rate, and None for others. A number needs an optimizer's name.
    epochs : int or "auto", default="auto"
        Passes over the training rows; "auto" gives about 1,500 steps, or 700 for each
        of several networks, in 10 to 60 epochs; fewer where rows have copies.
    batch_size : int, default=128
        Rows per step; the last batch of an epoch may be smaller.
    validation_fraction : float or None, default=None
        Share of the rows, at least one, that watch the loss only; None is none.
    patience : int or None, default=None
        Epochs without a new lowest loss (of validation rows, where there are some)
        before training stops and the best weights are restored. None trains all epochs.
    corruption : corruption, "auto" or None, default="auto"
        Damage done to the inputs, afresh at every step, in scaled space. "auto" is
        noise of a strength that differs from row to row, 0.1 to 2 standard deviations
        of the columns, with a `DenseNetwork`; None with other networks.
    callbacks : list or None, default=None
        Keras callbacks, copied shallowly for each fit, or functions that return one.
    memory : str, Path, joblib.Memory or None, default=None
        Where networks, and the errors that follow from them, are kept. With an int
        `random_state`, what came of the same rows and parameters is used again, across
        candidates of a search, calls and processes. Not used with `callbacks`,
        `warm_start` or ``partial_fit``.
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
    threshold : rule, float or None, default=None
        How the threshold is learned from errors. None is ``Contamination(0.1)``, a
        float is used as it is; searchable, also as ``threshold__fraction``.
    threshold_on : {"auto", "train", "validation", "cv"}, default="auto"
        Whose errors the rule sees. "train": the training rows'. "validation": those of
        a fifth of the rows, or as many as the rule needs, which are held out: they
        neither train nor choose an epoch. "cv": every row's, from the one of five more
        networks that is trained without it. "auto": "validation" for rules that promise
        a rate or that need labels, else "train".
    error : str, default="auto"
        Error of a row, in scaled space. "mse", "mae": mean squared or absolute error of
        its reconstruction. "standardized": mean squared after dividing by each
        feature's mean squared training error, so that features that are hard to
        reconstruct do not drown the others. "latent": the geometric mean of the mean
        squared error and of how far row and code lie from those of training: from the 5
        nearest, or, for codes, from the nearest tenth. "negative_elbo": with a
        `VariationalNetwork`, what training minimises, at the mean of the code. "auto":
        "latent" with a `DenseNetwork`, else "standardized".
    n_networks : int or "auto", default="auto"
        Networks that are trained, from other seeds; a row's error is the mean of
        theirs, all else is the first one's. "auto" is 2 with ``error="latent"``, but 1
        with `callbacks` or `patience`, else 1.
    allow_nan : bool, default=False
        Whether entries may be missing (NaN): they are left out of scaler, loss and
        errors, which average what is observed, and ``impute`` fills them in.

    Attributes
    ----------
    autoencoders_, autoencoder_ : list of object, object
        The trained networks with their scalers, values that pickle without Keras; and
        the first of them.
    history_ : dict of str to list of float
        ``loss`` and, with validation rows, ``val_loss`` of every epoch; also what the
        network adds to the loss, such as ``kl`` of a `VariationalNetwork`.
    n_iter_ : int
        Number of passes made.
    scaler_ : object
        The fitted scaler; it transforms, and back, rows of X's shape.
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
        Errors that the threshold was learned from, by `threshold_on`; outliers' last,
        where the rule needs labels.
    threshold_rule_ : rule
        The fitted clone of the rule.
    threshold_, offset_ : float
        Errors above the threshold are outliers; the offset is ``-threshold_``.
    feature_scale_ : ndarray of shape input_shape_ or None
        Mean squared training error of each feature with ``error="standardized"``.

    See Also
    --------
    AutoencoderTransformer : The network as a transformer.
    sklearn.ensemble.IsolationForest : Outliers without a network.

    Notes
    -----
    ``score_samples(X)`` is :math:`-e(s(x), s(\hat x))` with :math:`e` the error and
    :math:`s` the scaler; ``decision_function`` subtracts ``offset_``; ``predict`` is
    +1 where that is at least 0. With ``error="latent"`` it is

    .. math:: -\sqrt{e \max((r + d) / 2, D)}

    with :math:`e` the mean squared error, :math:`r` and :math:`d` the mean squared
    distances of the scaled row and of its code to the 5 nearest ones of other training
    rows (of 5,000 of them, where there are more, or as many as 32 MB hold; copies of a
    row count once), and :math:`D` that of the code to the nearest tenth, at least 5, of
    500 of them, at random. r, d and D are in units of their medians over the training
    rows times the mean of e, and at least a thousandth of that. D finds small groups.

    ``scaler="auto"`` takes 20 columns or more for one quantity where von Neumann's
    ratio [3]_ along the rows is below 0.5, and below 1 once they are standardised, and
    their deviations, correlations or bounds agree with it.

    With its defaults the detector is a denoising autoencoder [2]_, trained on noise of
    all strengths: that keeps it from reconstructing what it has not seen. Outliers
    among the training rows are learned, too: name them in `y`.

    There is no ``score``, as IsolationForest has none. To search with labels, pass
    ``scoring=outlier_f1``, ``outlier_average_precision`` or ``outlier_roc_auc`` from
    `skae.metrics` and ``cv=InlierKFold()``; without labels, ``reconstruction_score``.

    References
    ----------
    .. [1] Hawkins, S., He, H., Williams, G. and Baxter, R. (2002). Outlier detection
       using replicator neural networks. DaWaK. doi:10.1007/3-540-46145-0_17
    .. [2] Vincent, P., Larochelle, H., Lajoie, I., Bengio, Y. and Manzagol, P.-A.
       (2010). Stacked denoising autoencoders. JMLR 11:3371-3408.
    .. [3] von Neumann, J. (1941). Distribution of the ratio of the mean square
       successive difference to the variance. Annals of Mathematical Statistics
       12:367-395. doi:10.1214/aoms/1177731677

    Examples
    --------
    >>> from skae import ReconstructionOutlierDetector, make_heartbeats
    >>> X, y = make_heartbeats(n_samples=500, random_state=0)
    >>> detector = ReconstructionOutlierDetector(epochs=20, random_state=0).fit(X, y)
    >>> sorted(set(detector.predict(X).tolist()))
    [-1, 1]
    """

    _defaults: ClassVar[dict[str, Any]] = {
        "network": functools.partial(DenseNetwork, hidden_units=(256, 64)),
        "threshold": Contamination,
    }

    _parameter_constraints: ClassVar[dict[str, Any]] = {
        **_constraints,
        "latent_dim": [*_constraints["latent_dim"], *_auto],
        # A number, None or a rule: as_threshold_rule has the better messages.
        "threshold": "no_validation",
        "threshold_on": [StrOptions({"auto", "train", "validation", "cv"})],
        "scaler": [*_constraints["scaler"], *_auto],
        "corruption": [*_constraints["corruption"], *_auto],
        "error": [StrOptions({"auto", "negative_elbo", *_SIMPLE_ERRORS})],
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
        threshold_on: Literal["auto", "train", "validation", "cv"] = "auto",
        error: Literal[
            "auto", "mse", "mae", "standardized", "latent", "negative_elbo"
        ] = "auto",
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

        Raises
        ------
        ValueError
            Where the rule needs more rows, or outliers that y does not name.
        """
        rule, source = self._check_rule()
        kind, n_networks = self._check_error()
        X = self._check_X(X, reset=True, min_samples=2)
        table = Table(X, None, self._check_weight(sample_weight, X))
        is_normal, outliers = normal_rows(y, X, "y", at_least=2), None
        if calibration.needs_labels(rule):
            outliers = calibration.known_outliers(rule, table, y, is_normal)
        normal = counted_rows(table.take(is_normal), self._allows_nan, 2)
        validation = None
        if X_val is not None:
            table = Table(self._check_X(X_val))
            is_normal = normal_rows(y_val, table.X, "y_val", at_least=1)
            validation = counted_rows(table.take(is_normal), self._allows_nan, 1)

        split_seed = 0 if source == "train" else seed_from(self.random_state)
        is_warm = self.warm_start and self.__sklearn_is_fitted__()
        rows, held = calibration.divide(normal, rule, source, split_seed, is_warm)
        settings = detector_settings(self._settings(), self.input_shape_, n_networks)
        training = Training(settings, rows, validation, seed_from(self.random_state))
        memory = self._memory_of(training)

        networks = self._train(training, memory, n_networks)
        scorer = learn_scorer(kind, networks, rows, memory=memory)

        def seen_by_rule() -> calibration.Calibration:
            """Return the errors that the rule sees."""
            if source != "cv":
                return calibration.calibrate(scorer, normal, held, outliers)

            def learn(rows: Table, seed: int) -> Scorer:
                """Return the scorer of networks that are trained without a fold."""
                fold = replace(training, rows=rows, seed=seed)
                memory = self._memory_of(fold, is_fold=True)
                networks = self._train(fold, memory, n_networks, is_fold=True)
                return learn_scorer(kind, networks, rows, memory=memory)

            return calibration.cross_fitted(learn, normal, outliers, split_seed)

        tables = [one and vars(one) for one in (held, outliers)]
        name = ["errors", source, *kind, n_networks, *tables]
        seen = seen_by_rule() if memory is None else memory.recall(name, seen_by_rule)
        self._passes = None
        self._compared_rows: NDArray | None = None
        self._set_scorer(scorer, rows)
        self._set_threshold(rule, seen, source)
        return self

    @fit_context(prefer_skip_nested_validation=True)
    def partial_fit(self, X: ArrayLike, y: ArrayLike | None = None) -> Self:
        """Make one pass over some rows; the first call fixes scaler and shapes.

        The threshold is learned from these rows' errors, or, where the rule needs those
        of rows that did not train, from the latest 10,000 errors, each taken before its
        row trained: pass each row once. The first call holds rows out, as ``fit`` does.
        With ``error="latent"``, rows are compared with the latest 5,000 ones.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features) or (n_samples, *shape)
        y : array-like of shape (n_samples,), default=None
            Rows with ``y == -1`` do not train; rules that need labels see them.

        Returns
        -------
        self : object
        """
        rule, source = self._check_rule()
        kind, n_networks = self._check_error()
        is_first = not hasattr(self, "autoencoder_")
        at_least = 2 if is_first else 1
        X = self._check_X(X, reset=is_first, min_samples=at_least)
        is_normal = normal_rows(y, X, "y", at_least=at_least)
        rows = normal = counted_rows(Table(X).take(is_normal), self._allows_nan, 1)

        seen: calibration.Calibration | None = None
        if source == "train" or is_first:
            outliers = calibration.known_outliers(rule, Table(X), y, is_normal)
            part = "train" if source == "train" else "validation"
            split_seed = 0 if part == "train" else seed_from(self.random_state)
            rows, held = calibration.divide(normal, rule, part, split_seed)
        else:
            labels = X, y, is_normal
            seen = calibration.latest(self._scorer, self._calibration, rule, *labels)

        settings = detector_settings(self._settings(), self.input_shape_, n_networks)
        networks = self._train_pass(settings, rows, n_networks)
        compared = getattr(self, "_compared_rows", None)
        if kind.values == "latent":
            compared = latest_rows(X[:0] if compared is None else compared, rows.X)
        scorer = learn_scorer(kind, networks, rows, compared)
        self._compared_rows = compared
        if seen is None:
            seen = calibration.calibrate(scorer, normal, held, outliers)
        self._set_scorer(scorer, rows)
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

        Raises
        ------
        ValueError
            Where y is given without X, or the rule needs errors that fit did not keep.
        """
        check_is_fitted(self)
        rule, _ = self._check_rule()
        if X is None:
            kept = self._calibrations
            seen = calibration.kept_for(rule, self.threshold_on, kept, y)
        else:
            X = self._check_X(X)
            is_normal = normal_rows(y, X, "y", at_least=1)
            outliers = calibration.known_outliers(rule, Table(X), y, is_normal)
            rows = Table(X).take(is_normal)
            seen = calibration.calibrate(self._scorer, rows, rows, outliers)
        self._set_threshold(rule, seen)
        return self

    def fit_predict(self, X: ArrayLike, y: Any = None, **fit_params: Any) -> NDArray:
        """Fit, and return the labels of the rows of X, as ``predict`` does.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features) or (n_samples, *shape)
        y, **fit_params : object
            What ``fit`` takes.

        Returns
        -------
        labels : ndarray of shape (n_samples,)
        """
        return self.fit(X, y, **fit_params).predict(X)

    def score_samples(self, X: ArrayLike) -> NDArray[np.float64]:
        """Return minus the reconstruction error of each row, in scaled space.

        Parameters
        ----------
        X : array-like of shape (n_samples, *input_shape_)

        Returns
        -------
        scores : float64 ndarray of shape (n_samples,)
        """
        check_is_fitted(self)
        return -self._scorer.errors(self._check_X(X))

    def decision_function(self, X: ArrayLike) -> NDArray[np.float64]:
        """Return ``score_samples(X) - offset_``, which is negative for outliers.

        Parameters
        ----------
        X : array-like of shape (n_samples, *input_shape_)

        Returns
        -------
        decision : ndarray of shape (n_samples,)
        """
        return self.score_samples(X) - self.offset_

    def predict(self, X: ArrayLike) -> NDArray[np.int64]:
        """Return +1 where the decision function is at least 0, else -1: outliers.

        Parameters
        ----------
        X : array-like of shape (n_samples, *input_shape_)

        Returns
        -------
        labels : ndarray of shape (n_samples,)
        """
        return np.where(self.decision_function(X) >= 0, 1, -1)

    def p_values(self, X: ArrayLike) -> NDArray[np.float64]:
        """Return how likely an error as large as each row's is for a normal row.

        They come from ``calibration_errors_``, those of normal rows. Where these rows
        trained, it is an error: fit with ``threshold_on="validation"``, the default of
        `Conformal`. Of normal rows exchangeable with the held-out ones, at most a share
        alpha has a p-value of alpha or less, on average over fits; only about that with
        "cv" and after ``partial_fit``, where other networks give the errors.

        Parameters
        ----------
        X : array-like of shape (n_samples, *input_shape_)

        Returns
        -------
        p_values : ndarray of shape (n_samples,)
            As `skae.conformal_p_values` defines them; small for outliers.
            `skae.benjamini_hochberg` selects the outliers of a batch.
        """
        check_is_fitted(self)
        X = self._check_X(X)
        self._calibration.check_held_out(self.threshold_rule_)
        normal = self._calibration.normal()
        errors = self._scorer.errors(X)
        return conformal_p_values(errors, normal.errors, normal.weight)

    def feature_errors(self, X: ArrayLike) -> NDArray[np.float64]:
        """Return each feature's part of the error, which add up to ``-score_samples``.

        Parameters
        ----------
        X : array-like of shape (n_samples, *input_shape_)

        Returns
        -------
        errors : float64 ndarray of X's shape
        """
        check_is_fitted(self)
        return self._scorer.feature_errors(self._check_X(X))

    def explain(self, X: ArrayLike, top_k: int = 5) -> pd.DataFrame:
        """Return the features with the largest errors of each row.

        Parameters
        ----------
        X : array-like of shape (n_samples, *input_shape_)
        top_k : int, default=5
            Number of features per row, largest error first.

        Returns
        -------
        table : DataFrame with n_samples * top_k rows
            Columns ``row`` (X's index), ``rank`` (from 1), ``feature``, ``value`` and
            ``reconstruction`` (in X's units), ``error`` (the feature's part, in scaled
            space) and ``share`` of the row's error.
        """
        check_is_fitted(self)
        index = getattr(X, "index", None)
        X = self._check_X(X, min_samples=0)  # perhaps no row was flagged
        return explanation_table(
            X,
            self.autoencoder_.reconstruct(X),
            self._scorer.feature_errors(X),
            index=index,
            names=getattr(self, "feature_names_in_", None),
            top_k=top_k,
        )

    def reconstruct(self, X: ArrayLike) -> NDArray:
        """Return the reconstruction of rows, in X's units.

        Parameters
        ----------
        X : array-like of shape (n_samples, *input_shape_)

        Returns
        -------
        rows : ndarray of X's shape
        """
        check_is_fitted(self)
        return self.autoencoder_.reconstruct(self._check_X(X))

    def encode(self, X: ArrayLike) -> NDArray:
        """Return the codes of rows.

        Parameters
        ----------
        X : array-like of shape (n_samples, *input_shape_)

        Returns
        -------
        codes : ndarray of shape (n_samples, width)
        """
        check_is_fitted(self)
        return self.autoencoder_.encode(self._check_X(X))

    def decode(self, codes: ArrayLike) -> NDArray:
        """Return the rows that codes stand for, in X's units.

        Parameters
        ----------
        codes : array-like of shape (n_samples, width)

        Returns
        -------
        rows : ndarray of shape (n_samples, *input_shape_)
        """
        check_is_fitted(self)
        return self.autoencoder_.decode(self._check_codes(codes, "codes"))

    def _check_error(self) -> tuple[ErrorKind, int]:
        """Return how errors are measured, and by how many networks."""
        error, n_networks = self.error, self.n_networks
        if error == "auto":
            error = "latent" if is_dense(self.network) else "standardized"
        if isinstance(n_networks, str):  # "auto"
            is_watched = self.callbacks or self.patience is not None
            n_networks = 2 if error == "latent" and not is_watched else 1
        return check_error(error, self.loss, self.network), n_networks

    def _check_rule(self) -> tuple[Any, str]:
        """Return the checked threshold rule, and which errors it sees."""
        rule = as_threshold_rule(self.threshold)
        check_parameters(rule)
        return rule, calibration.source_of(rule, self.threshold_on)

    def _set_scorer(self, scorer: Scorer, rows: Table) -> None:
        """Set the attributes that tell of networks and errors."""
        self._set_networks(scorer.networks)
        self.autoencoders_ = scorer.networks
        self._scorer = scorer
        self.feature_scale_ = scorer.feature_scale
        self.train_errors_ = errors = scorer.train_errors
        self.reconstruction_err_ = float(np.average(errors, weights=rows.weight))
        seen = calibration.Calibration(errors, rows.weight, held_out=False)
        self._calibrations = {"train": seen}  # what fit_threshold may use again

    def _set_threshold(
        self, rule: Any, seen: calibration.Calibration, source: str | None = None
    ) -> None:
        """Fit the rule to errors; keep those of a fit by their source."""
        self._calibration = seen  # also where the rule fails: another may be tried
        if source is not None:
            self._calibrations[source] = seen
        self.threshold_rule_, self.calibration_errors_ = seen.fit(clone(rule))
        self.threshold_ = float(self.threshold_rule_.threshold_)
        self.offset_ = -self.threshold_
