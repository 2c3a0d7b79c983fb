"""ReconstructionOutlierDetector: what does not reconstruct is odd."""

import functools
from math import prod
from numbers import Integral

import numpy as np

from skae import _engine as engine
from skae._base_detector import BaseDetector
from skae._coding import Coding
from skae._errors import learned_measures, measure_of
from skae._explanation import check_top_k, explanation_table
from skae._fitting import Table
from skae._latent_error import learned_latent_measures, rows_to_compare
from skae._settings import Budget
from skae._validation import (
    Interval,
    StrOptions,
    check_is_fitted,
    fit_context,
    normal_rows,
)
from skae.networks import DenseNetwork
from skae.thresholds import Contamination

# Default sizes: of hidden layers and of the code, and of other networks' code.
_DENSE_UNITS, _DENSE_WIDTHS, _OTHER_WIDTH = (256, 64), (8, 32), 4
_ERRORS = ("mse", "mae", "standardized", "negative_elbo")
_parameters = BaseDetector._parameter_constraints


class ReconstructionOutlierDetector(Coding, BaseDetector):
    r"""Outlier detection by the reconstruction error of an autoencoder.

    Trained on normal rows, the network reconstructs them well and others badly; a
    `threshold` rule on the errors turns scores into labels. Stands where
    IsolationForest stands: +1 inlier, -1 outlier.

    Parameters
    ----------
    latent_dim : int, "auto" or None, default="auto"
        Width of the code. "auto" is a quarter of a row's values, at least 8 and at most
        32, with a `DenseNetwork`; 4 with other networks of skae; and of your own Keras
        model it is the model's own.
        None is every network's own: min(32, n_features) for a `DenseNetwork`, 32 for a
        `RecurrentNetwork`, the map for a `ConvNetwork`.

    network : network description, SciKeras wrapper or None, default=None
        What to train. None is ``DenseNetwork(hidden_units=(256, 64))``; its parameters
        can be set and searched as ``network__hidden_units`` either way. `KerasNetwork`
        takes your own Keras model.

    scaler : str, transformer or None, default="auto"
        Applied inside; network, loss and corruption work on the scaled values.
        "standard", "minmax": to each column of 2-D X or each channel (last axis) of n-D
        X. "common": every value of a row is centred, and all columns, or those of a
        channel, have one scale, since they have one unit. "auto" is "common" where X is
        n-D, and where neighbouring columns of 2-D X are so much alike that rows are
        series, spectra or images; else "standard". A scikit-learn transformer needs
        ``inverse_transform``, and is cloned.

    loss : str, keras.losses.Loss or callable, default="mse"
        What training minimises, in scaled space.

    optimizer : str or keras.optimizers.Optimizer, default="adam"
        A Keras name, or an instance, which is copied.

    learning_rate : float, "auto", "one_cycle" or None, default="auto"
        None is the optimizer's own; "one_cycle" rises to eight times that and falls to
        nearly nothing; "auto" is one cycle for ``optimizer="adam"``, unless a callback
        of Keras sets the rate, and None for others. A number beside an instance is an
        error.

    epochs : int or "auto", default="auto"
        Passes over the training rows; "auto" makes as many as give about 1,500 steps,
        or 700 steps for each of several networks, but at least 10 and at most 60;
        fewer where rows have copies.

    batch_size : int, default=128
        Rows per step; the last batch of an epoch may be smaller.

    validation_fraction : float or None, default=None
        Share of the rows, at least one, that is held out to watch the loss. None trains
        on all rows. Unused where ``fit`` is given `X_val`.

    patience : int or None, default=None
        Epochs without a new lowest validation loss (training loss, where there is no
        validation) before training stops and the best weights are restored. None trains
        all epochs and keeps the last weights.

    corruption : corruption, "auto" or None, default="auto"
        Damage done to the inputs, afresh at every step, in scaled space. "auto" is
        noise of a strength that differs from row to row, ``GaussianNoise((0.1, 2.0))``
        times the columns' standard deviation, with a `DenseNetwork`, and None with
        other networks.

    callbacks : list or None, default=None
        Keras callbacks, which are copied for each fit, or functions that return one.

    memory : str, Path, joblib.Memory or None, default=None
        Where trained networks are kept. With an int `random_state`, a network that was
        trained before on the same rows with the same parameters is used again, across
        candidates of a search, calls and processes. Not used with `callbacks`,
        `warm_start` or ``partial_fit``.

    warm_start : bool, default=False
        Whether ``fit`` starts from the weights and the scaler of the previous fit.

    random_state : int, RandomState instance or None, default=None
        Determines weights, validation rows, batch order and corruption. With an int,
        fits are bit-identical on the same machine. None is different every time; the
        global random state is neither read nor changed.

    verbose : int, default=0
        0 is silent, 1 shows a progress bar, 2 also says where the time went.

    threshold : rule, float or None, default=None
        How the threshold is learned from errors. None is ``Contamination(0.1)``, a
        float is used as it is; searchable, as ``threshold=[MeanStd(1),
        Quantile(0.95)]`` and as ``threshold__fraction``.

    threshold_on : {"auto", "train", "validation", "cv"}, default="auto"
        Whose errors the rule sees. "train": the training rows'. "validation": those of
        a fifth of the rows, or as many as the rule needs, which are held out: they
        neither train nor choose an epoch. "cv": every row's, from the one of five more
        networks that is trained without it. "auto": "validation" for rules that
        promise a rate or that need labels, else "train".

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
        Networks that are trained, one after the other, from other seeds; a row's error
        is the mean of theirs. All else is said by the first: codes, reconstructions,
        ``history_``. "auto" is 2 with ``error="latent"``, else 1; and 1 where
        `callbacks` watch the training or `patience` may stop it.

    allow_nan : bool, default=False
        Whether entries may be missing (NaN): they are left out of scaler, loss and
        errors, which average what is observed, and ``impute`` fills them in.

    Attributes
    ----------
    autoencoder_ : object
        The trained network with its scalers, a value that pickles without Keras; the
        first of ``autoencoders_``.

    autoencoders_ : list of object
        All of them, `n_networks`.

    history_ : dict of str to list of float
        ``loss`` and, with validation rows, ``val_loss`` of every epoch; beside them
        what the network adds to the loss, ``kl`` of a `VariationalNetwork` say.

    n_iter_ : int
        Number of passes made.

    scaler_ : object
        The fitted scaler; it transforms, and back, rows of X's shape.

    input_shape_ : tuple of int
        Shape of one row of X.

    n_features_in_ : int
        ``X.shape[1]``.

    feature_names_in_ : ndarray of shape (n_features_in_,)
        Names of the columns of X, where they are all strings.

    latent_shape_ : tuple of int
        Shape of one code before it is flattened: (width,), or a map such as (7, 7, 8).

    reconstruction_err_ : float
        Mean reconstruction error of the training rows, in scaled space.

    r2_ : float
        Share of the variance, in X's units, that is kept of (10,000) training rows.

    train_errors_ : ndarray of shape (n_training_rows,)
        Reconstruction errors of the rows that were trained on, float64; the rows of
        `validation_fraction` are among them, rows with ``y == -1`` are not.

    calibration_errors_ : ndarray of shape (n_calibration_rows,)
        Errors that the threshold was learned from: ``train_errors_``, or those of the
        rows that `threshold_on` says; outliers' last, where the rule needs labels.

    threshold_rule_ : rule
        The fitted clone of the rule.

    threshold_ : float
        Errors above it are outliers.

    offset_ : float
        ``-threshold_``, on the scale of ``score_samples``.

    feature_scale_ : ndarray of shape input_shape_ or None
        Mean squared training error of each feature; None unless
        ``error="standardized"``.

    See Also
    --------
    AutoencoderTransformer : The network as a transformer.
    skae.thresholds : The rules.
    sklearn.ensemble.IsolationForest : Outliers without a network.

    Notes
    -----
    ``score_samples(X)`` is :math:`-e(s(x), s(\hat x))` with :math:`e` the error and
    :math:`s` the scaler; ``decision_function`` subtracts ``offset_``; ``predict`` is
    +1 where that is at least 0. With ``error="latent"`` it is

    .. math:: -\sqrt{e \max((r + d) / 2, D)}

    with :math:`e` the mean squared error, :math:`r` and :math:`d` the mean squared
    distances of the scaled row and of its code to the 5 nearest ones of other training
    rows (of 5,000 of them, where there are more, or as many as 16 MB hold; copies of a
    row count once), and :math:`D` that of the code to the nearest tenth, at least 5, of
    500 of them, at random. r, d and D are in units of their medians over the training
    rows times the mean of e, and at least a thousandth of that. D tells small crowds of
    rows that are alike, outliers among the training rows say, from the others.

    ``scaler="auto"`` takes 20 columns or more for one quantity where von Neumann's
    ratio [3]_ along the rows is below 0.5, and below 1 once they are standardised, and
    their deviations, correlations or bounds agree with it; ``scaler_`` tells.

    With its defaults the detector is a denoising autoencoder [2]_, trained on noise of
    all strengths: that keeps it from reconstructing what it has not seen better than a
    narrow code alone. The training rows should be normal ones. Outliers among them are
    learned, too: say which they are, in `y`.

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
    >>> bool((detector.score_samples(X) >= detector.offset_).mean() > 0.5)
    True
    """

    _parameter_constraints = {
        **_parameters,
        "latent_dim": [*_parameters["latent_dim"], StrOptions({"auto"})],
        # A number, None or a rule: as_threshold_rule has the better messages.
        "threshold": "no_validation",
        "threshold_on": [StrOptions({"auto", "train", "validation", "cv"})],
        "scaler": [*_parameters["scaler"], StrOptions({"auto"})],
        "corruption": [*_parameters["corruption"], StrOptions({"auto"})],
        "error": [StrOptions({"auto", "latent", *_ERRORS})],
        "n_networks": [
            Interval(Integral, 1, None, closed="left"),
            StrOptions({"auto"}),
        ],
    }

    def __init__(
        self,
        latent_dim="auto",
        *,
        network=None,
        scaler="auto",
        loss="mse",
        optimizer="adam",
        learning_rate="auto",
        epochs="auto",
        batch_size=128,
        validation_fraction=None,
        patience=None,
        corruption="auto",
        callbacks=None,
        memory=None,
        warm_start=False,
        random_state=None,
        verbose=0,
        threshold=None,
        threshold_on="auto",
        error="auto",
        n_networks="auto",
        allow_nan=False,
    ):
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
        self.verbose = verbose
        self.threshold = threshold
        self.threshold_on = threshold_on
        self.error = error
        self.n_networks = n_networks
        self.allow_nan = allow_nan

    @fit_context(prefer_skip_nested_validation=True)
    def fit(self, X, y=None, sample_weight=None, *, X_val=None, y_val=None):
        """Train on the normal rows and learn the threshold.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features) or (n_samples, *shape)
            Training rows.

        y : array-like of shape (n_samples,), default=None
            Rows with ``y == -1`` train neither network nor scaler, and are shown to
            rules that need labels alone; all others, whatever their label, count as
            normal. None: all rows are normal.

        sample_weight : array-like of shape (n_samples,), default=None
            A weight of k counts a row k times, 0 leaves it out.

        X_val : array-like of shape (n_val, *X.shape[1:]), default=None
            Rows that watch the loss instead of a part of X.

        y_val : array-like of shape (n_val,), default=None
            Rows of X_val with ``y_val == -1`` are left out.

        Returns
        -------
        self : object
            The fitted estimator.

        Raises
        ------
        ValueError
            Before any training: where the rule needs more rows than can be held out,
            or outliers that y does not name.
        """
        rule = self._check_rule()
        self._check_error()
        X = self._check_X(X, reset=True, min_samples=2)
        weight = self._check_weight(sample_weight, X)
        normal = normal_rows(y, X, "y", at_least=2)
        validation = None
        if X_val is not None:
            X_val = self._check_X(X_val)
            validation = Table(X_val[normal_rows(y_val, X_val, "y_val", at_least=1)])
        outliers = self._known_outliers(rule, X, y, normal, weight)
        weight = None if weight is None else weight[normal]
        table = Table(X[normal], None, weight)
        self._passed = None
        self._fit_and_calibrate(rule, table, outliers, validation)
        return self

    @fit_context(prefer_skip_nested_validation=True)
    def partial_fit(self, X, y=None):
        """Make one pass over some rows; the first call fixes scaler and shapes.

        The threshold stays current. With errors of training rows, it is learned from
        these rows' errors. Otherwise from the latest 10,000 errors of rows, each taken
        before the network trained on it; the first call, which has no network yet,
        holds rows out, as ``fit`` does. Rows that come again are no longer new: pass
        each once. With ``error="latent"``, codes are compared with those of the latest
        5,000 rows that came through this method.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features) or (n_samples, *shape)
            Training rows.

        y : array-like of shape (n_samples,), default=None
            Rows with ``y == -1`` do not train; rules that need labels see them.

        Returns
        -------
        self : object
            The fitted estimator.
        """
        rule = self._check_rule()
        first = not hasattr(self, "autoencoder_")
        X = self._check_X(X, reset=first, min_samples=2 if first else 1)
        normal = normal_rows(y, X, "y", at_least=2 if first else 1)
        if getattr(self, "_passed", None) is None:
            self._passed = X[:0]
        self._partial_fit_and_calibrate(rule, X, y, normal)
        return self

    def feature_errors(self, X):
        """Return each feature's part of the reconstruction error.

        Parameters
        ----------
        X : array-like of shape (n_samples, *input_shape_)
            Rows.

        Returns
        -------
        errors : ndarray of X's shape
            float64; the sum over a row is ``-score_samples``.
        """
        check_is_fitted(self)
        return self._feature_errors(self._check_X(X))

    def explain(self, X, top_k=5):
        """Return which features made rows odd.

        Parameters
        ----------
        X : array-like of shape (n_samples, *input_shape_)
            Rows.

        top_k : int, default=5
            Number of features per row, largest error first.

        Returns
        -------
        table : DataFrame with n_samples * top_k rows
            Columns ``row`` (X's index), ``rank`` (from 1), ``feature``, ``value`` and
            ``reconstruction`` (in X's units), ``error`` (the feature's part, in scaled
            space) and ``share`` of the row's error.

        Raises
        ------
        ValueError
            Where top_k is not a positive integer.
        """
        check_is_fitted(self)
        check_top_k(top_k)
        index = getattr(X, "index", None)
        X = self._check_X(X, min_samples=0)  # perhaps no row was flagged
        return explanation_table(
            X,
            self.autoencoder_.reconstruct(X),
            self._feature_errors(X),
            index=index,
            names=getattr(self, "feature_names_in_", None),
            top_k=top_k,
        )

    # ------------------------------------------------- twins that trust their input

    @np.errstate(over="ignore")
    def _errors(self, X):
        """Return the reconstruction error of each row, infinite for absurd ones."""
        return self._mean("of_rows", X)

    @np.errstate(over="ignore", invalid="ignore")
    def _feature_errors(self, X):
        """Return each value's part of its row's error."""
        return self._mean("of_features", X)

    def _mean(self, method, X):
        """Return the mean of what a method of the networks' measures makes of rows."""
        pairs = list(zip(self.autoencoders_, self._error_measures, strict=True))
        with engine.OneBlasThread():  # once for all networks
            shared = pairs[0][1].shared(pairs[0][0], X)
            first, *others = (getattr(one, method)(of, X, shared) for of, one in pairs)
        return sum(others, first) / len(pairs)

    def _measure(self, table):
        """Set the errors of the training rows, and what describes them."""
        super()._measure(table)
        if self._error() == "latent" and self._passed is not None:
            self._passed = rows_to_compare(self._passed, table.X)
        self._error_measures, errors = self._learned_measures(table)
        self.train_errors_ = np.mean(errors, axis=0)
        self.feature_scale_ = getattr(self._error_measures[0], "feature_scale", None)
        self._train_weight = table.weight
        self.reconstruction_err_ = float(
            np.average(self.train_errors_, weights=table.weight)
        )

    def _learned_measures(self, table):
        """Return the measures of the networks, and the errors of training rows."""
        measure = self._check_error()
        if self._error() == "latent":
            training = (table.X, table.weight, self._passed)
            return learned_latent_measures(self.autoencoders_, *training)
        return learned_measures(measure, self.autoencoders_, table.X, table.weight)

    def _check_error(self):
        """Return how errors are measured, but for what the training rows say."""
        return measure_of(self._error(), self.loss, self.network)

    def _error(self):
        """Return the kind of error: "auto" is resolved."""
        if self.error != "auto":
            return self.error
        return "latent" if _is_dense(self.network) else "standardized"

    def _n_networks(self):
        if self.n_networks != "auto":
            return self.n_networks
        is_watched = self.callbacks or self.patience is not None
        return 2 if self._error() == "latent" and not is_watched else 1

    @property
    def _budget(self):
        # More epochs learn few rows by heart, outliers among them.
        steps = 700 if self._n_networks() > 1 else 1500
        return Budget(steps=steps, most_epochs=60)

    def _known_networks(self):
        return getattr(self, "autoencoders_", [])

    def _set_networks(self, autoencoders):
        super()._set_networks(autoencoders)
        self.autoencoders_ = autoencoders

    def _wanted_width(self, network):
        if self.latent_dim != "auto":
            return self.latent_dim
        if _is_dense(network):
            return int(np.clip(prod(self.input_shape_) // 4, *_DENSE_WIDTHS))
        return _OTHER_WIDTH if network.draws_weights else None

    def _wanted_corruption(self, network):
        if self.corruption != "auto":
            return self.corruption
        return "auto" if _is_dense(network) else None

    def _default_objects(self):
        network = functools.partial(DenseNetwork, hidden_units=_DENSE_UNITS)
        return {"network": network, "threshold": Contamination}


def _is_dense(network):
    """Return whether the defaults for dense networks hold: they were chosen on them."""
    return network is None or isinstance(network, DenseNetwork)
