"""Random cases: an estimator, its data, and a sequence of calls, all from one number.

After every call the invariants are checked that hold whatever was passed: a result is
finite or the call raises an error in words of skae or scikit-learn, a failed call
changes nothing, labels are the signs of the decision function, rows are scored alone as
together, a pickle is exact, no warning of NumPy leaks, and no global state is changed.
"""

import contextlib
import copy
import linecache
import os
import pickle
import random
import re
import traceback
import warnings
from pathlib import Path

import numpy as np
import pandas as pd
import sklearn
from sklearn.base import clone
from sklearn.exceptions import ConvergenceWarning
from sklearn.preprocessing import PowerTransformer, QuantileTransformer, RobustScaler

import skae
from skae import (
    AutoencoderTransformer,
    ConvNetwork,
    DenoisingRegressor,
    DenseNetwork,
    GaussianNoise,
    MaskingNoise,
    ReconstructionOutlierDetector,
    SaltAndPepperNoise,
    SwapNoise,
    VariationalNetwork,
    thresholds,
)

# Folders of those whose words an error may have.
OURS = [str(Path(module.__file__).parent) for module in (skae, sklearn)]
# Warnings that tell a user something; all others are leaks.
WORDS = (
    "Training ended far worse",
    "holds the labels",
    "valid feature names",
    "has feature names, but",
    "n_quantiles",
    "trains uncompiled",
)
# What may be called on rows, and whether the result is as long as they are.
METHODS = {
    "transform": True,
    "predict": True,
    "score_samples": True,
    "decision_function": True,
    "feature_errors": True,
    "reconstruct": True,
    "encode": True,
    "impute": True,
    "p_values": True,
    "score": False,
    "explain": False,
}
# Values whose mean squared errors overflow are infinitely far away.
HUGE = 1e150
# Labels alone: "predict", once equal errors have equal labels whatever their rounding.
LABELS: tuple[str, ...] = ()


class Failure(AssertionError):
    """An invariant that does not hold."""


def require(condition, message):
    if not condition:
        raise Failure(message)


# ------------------------------------------------------------------------------- draws


def pick(rng, *options):
    return options[rng.integers(len(options))]


def chance(rng, share):
    return rng.random() < share


def draw_values(rng, shape):
    """Return float64 rows of one of many kinds."""
    X = rng.normal(size=shape)
    kind = rng.integers(12)
    if kind == 0:
        X = X * 10.0 ** rng.integers(-300, 300)
    elif kind == 1:
        X = X + 10.0 ** rng.integers(1, 14)
    elif kind == 2:
        X = X * 10.0 ** rng.integers(-30, 30, size=shape[-1])
    elif kind == 3:
        X = np.round(X)
    elif kind == 4:
        X = X[rng.integers(max(1, shape[0] // 4), size=shape[0])]
    elif kind == 5:
        X[..., rng.integers(shape[-1])] = pick(rng, 0.0, 1.0, 1e300, 1e-300, -7e22)
    elif kind == 6:
        X = np.full(shape, pick(rng, 0.0, 1.0, 1 / 3, -1e30, 1e-310))
    elif kind == 7:
        X[rng.integers(shape[0])] *= 10.0 ** rng.integers(1, 300)
    elif kind == 8:
        X = rng.random(shape) < 0.3
    return X.astype(float)


def draw_rows(rng, shape, missing):
    """Return rows as one of the containers that users have."""
    X = draw_values(rng, shape)
    if missing:
        X[rng.random(shape) < 0.15] = np.nan
    form = rng.integers(10)
    with np.errstate(all="ignore"):
        if form == 0:
            return X.astype(np.float32)
        if form == 1 and not missing and np.abs(X).max() < 100:
            return X.astype(pick(rng, np.int64, np.int8, np.uint8, bool, np.float16))
    if form == 2:
        return X.tolist()
    if form == 3:
        return np.asfortranarray(X)
    if form == 4:
        return np.ma.masked_invalid(X)
    if form == 5 and X.ndim == 2:
        return pd.DataFrame(X, columns=[f"c{i}" for i in range(shape[1])])
    return X


def draw_rule(rng):
    return pick(
        rng,
        None,
        0.5,
        pick(rng, 0, 1e-300, 1e300, 10**30, np.float32(0.1)),
        thresholds.MeanStd(pick(rng, 0, 1.0, 3)),
        thresholds.MAD(3.0),
        thresholds.IQR(1.5),
        thresholds.Quantile(pick(rng, 0.5, 0.95, 1.0)),
        thresholds.Contamination(pick(rng, 0.05, 0.5)),
        thresholds.Conformal(pick(rng, 0.2, 0.5)),
        thresholds.PeaksOverThreshold(0.01, 0.3),
        thresholds.BestF(),
        thresholds.FalseAlarmRate(0.2),
        thresholds.Precision(0.5),
    )


def draw_params(rng, kind, ndim, keras):
    """Return parameters, a few of which are impossible."""
    dense = DenseNetwork(
        hidden_units=pick(rng, (), (3,), (5, 3)),
        activation=pick(rng, "relu", "tanh", "elu"),
        output_activation=pick(rng, None, "sigmoid") if chance(rng, 0.3) else None,
        tied_weights=keras and chance(rng, 0.1),
    )
    network = dense if chance(rng, 0.7) else None
    if ndim > 2 and chance(rng, 0.7):
        network = ConvNetwork(filters=(2,))
    if keras:
        network = pick(rng, network, VariationalNetwork(DenseNetwork((3,))))
    params = {
        "latent_dim": pick(rng, None, 1, 2, 3),
        "network": network,
        "scaler": pick(rng, "standard", "standard", "minmax", "common", None, "other"),
        "loss": pick(rng, "mse", "mse", "mse", "mae"),
        "optimizer": pick(
            rng, "adam", "adam", "adam", "sgd", "rmsprop" * keras or "adam"
        ),
        "learning_rate": pick(rng, None, "auto", "one_cycle", 1e-3, 1e-30, 10.0, 1e6),
        "epochs": int(rng.integers(1, 4)),
        "batch_size": pick(rng, 1, 7, 128, 10**18) if chance(rng, 0.5) else 32,
        "validation_fraction": pick(rng, None, 0.05, 0.5),
        "patience": pick(rng, None, 1, 2),
        "corruption": pick(
            rng,
            None,
            GaussianNoise(pick(rng, 0.1, (0.1, 2.0), 1e10)),
            MaskingNoise(0.2),
            SaltAndPepperNoise(0.2),
            SwapNoise(0.2),
        ),
        "warm_start": chance(rng, 0.1),
        "random_state": pick(rng, 0, 7, np.random.RandomState(3)),
        "engine": "auto" if keras else "numpy",
        "allow_nan": chance(rng, 0.3),
    }
    if dense.output_activation and network is dense:
        params |= {"scaler": "minmax", "loss": pick(rng, "mse", "binary_crossentropy")}
    if params["scaler"] == "other":
        scaler = QuantileTransformer(n_quantiles=2)
        params["scaler"] = pick(rng, RobustScaler(), scaler, PowerTransformer())
    if kind is ReconstructionOutlierDetector:
        params |= {
            "threshold": draw_rule(rng),
            "threshold_on": pick(rng, "auto", "auto", "train", "validation", "cv"),
            "error": pick(rng, "auto", "mse", "mae", "standardized", "latent"),
            "n_networks": pick(rng, "auto", 1, 2),
        }
        for name in ("latent_dim", "scaler", "corruption"):
            if chance(rng, 0.3):
                params[name] = "auto"
    if chance(rng, 0.05):
        name = pick(rng, *params)
        params[name] = pick(rng, -1, "bogus", 1e300, 10**30, np.nan, [3], object)
    return params


def draw_weight(rng, n):
    """Return weights of rows, or None, or what no weights are."""
    if chance(rng, 0.6):
        return None
    kind = rng.integers(12)
    if kind == 0:
        return np.maximum(np.arange(n) == 0, rng.integers(0, 3, n))
    if kind == 1:
        return np.full(n, 10.0 ** rng.integers(-300, 300))
    if kind == 2:
        return 10.0 ** rng.integers(-300, 300, n)
    if kind == 3:
        return rng.normal(size=n)
    if kind == 4:
        return np.zeros(n)
    if kind == 5:
        return np.ones(n + 1)
    return rng.random(n)


# -------------------------------------------------------------------------- invariants


def has_own_words(exc):
    """Return whether skae or scikit-learn raised an error, and not code below them."""
    frame = traceback.extract_tb(exc.__traceback__)[-1]
    line = linecache.getline(frame.filename, frame.lineno).strip()
    return line.startswith("raise") and any(map(frame.filename.startswith, OURS))


def fingerprint(estimator):
    """Return all that an estimator holds, as bytes."""
    return [(name, pickle.dumps(value)) for name, value in vars(estimator).items()]


def world():
    """Return the global state that no call may change."""
    kind, keys, *others = np.random.get_state()
    return (
        random.getstate(),
        (kind, keys.tobytes(), *others),
        np.geterr(),
        list(warnings.filters),
        dict(os.environ),
        sklearn.get_config(),
    )


@contextlib.contextmanager
def watched(name, allowed=WORDS):
    """Check that the block changes no global state, and leaks no warning."""
    before = world()
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        yield
    for one in caught:
        is_told = issubclass(one.category, (UserWarning, ConvergenceWarning))
        is_told &= any(words in str(one.message) for words in allowed)
        where = f"{Path(one.filename).name}:{one.lineno}"
        kind = one.category.__name__
        require(is_told, f"{name} leaks at {where}: {kind}: {one.message}")
    for old, new in zip(before, world(), strict=True):
        require(old == new, f"{name} changed global state")


def attempt(name, function, *args, **kwargs):
    """Return (result, None), or (None, an error in words of our own)."""
    copies = copy.deepcopy([*args, *kwargs.values()])
    error = result = None
    with watched(name):
        try:
            result = function(*args, **kwargs)
        except (ValueError, TypeError, AttributeError) as exc:
            error = exc
            require(has_own_words(exc), f"{name} raised {describe(exc)}")
    given = zip([*args, *kwargs.values()], copies, strict=True)
    require(all(are_equal(*pair) for pair in given), f"{name} changed its arguments")
    return result, error


def are_equal(one, other):
    """Return whether two arguments are equal, also where their memory differs."""
    if isinstance(one, np.ma.MaskedArray):
        return are_equal(one.mask, other.mask) and are_equal(one.data, other.data)
    if isinstance(one, (np.ndarray, list, pd.DataFrame)):
        one, other = np.asarray(one), np.asarray(other)
        return np.array_equal(one, other, equal_nan=one.dtype.kind == "f")
    return one == other


def describe(exc):
    frame = traceback.extract_tb(exc.__traceback__)[-1]
    where = f"{Path(frame.filename).name}:{frame.lineno}"
    return f"{type(exc).__name__} at {where}: {str(exc)[:300]}"


def numbers(result):
    """Return the numbers of a result as an array."""
    if isinstance(result, pd.DataFrame):
        result = result[["reconstruction", "error", "share"]]
    return np.asarray(result, dtype=float)


def is_huge(rows):
    """Return whether squares of values may overflow."""
    largest = np.nanmax(np.abs(np.asarray(rows, float)), initial=0)
    return largest > (1e15 if getattr(rows, "dtype", None) == np.float32 else HUGE)


def has_own_scaler(estimator):
    return estimator.scaler is None or isinstance(estimator.scaler, str)


def check_fitted(estimator, rows):
    """Check what holds for every fitted estimator, on rows that it accepts."""
    results = {}
    for name, is_per_row in METHODS.items():
        if not hasattr(estimator, name):
            continue
        result, error = attempt(name, getattr(estimator, name), rows)
        if error is None:
            results[name] = numbers(result)
            if name == "explain":  # what is missing has no share in anything
                continue
            # Rows of weight 0 may be absurd, and an inverse may overflow.
            if has_own_scaler(estimator) and not is_huge(rows):
                require(np.isfinite(results[name]).all(), f"{name} is not finite")
            require(not is_per_row or len(result) == len(rows), f"{name}: its length")
        else:
            refused = "p_values needs|no observed|y to be passed|y has shape"
            has_reason = re.search(f"{refused}|impute needs", str(error))
            require(has_reason, f"{name} refuses rows of fit: {error}")
    for name in ("reconstruction_err_", "r2_", "threshold_", "train_errors_"):
        is_finite = np.isfinite(getattr(estimator, name, 0.0)).all()
        require(is_finite or not has_own_scaler(estimator), f"{name}: not finite")
    if {"predict", "decision_function"} <= results.keys():
        decision = results["decision_function"]
        require(((decision >= 0) == (results["predict"] > 0)).all(), "sign of decision")
        scores = results["score_samples"] - estimator.offset_
        require(np.array_equal(decision, scores), "decision is not score - offset")
    check_alone(estimator, rows, results)
    again = pickle.loads(pickle.dumps(estimator))
    for name in ("transform", "score_samples", "predict"):
        if name in results:
            result, _ = attempt(name, getattr(again, name), rows)
            same = np.array_equal(numbers(result), results[name])
            require(same, f"{name} differs after pickling")


def check_alone(estimator, rows, results):
    """Check that rows have the results alone that they have together."""
    is_single = getattr(rows, "dtype", None) == np.float32
    n = min(4, len(rows))
    for name in ("transform", "score_samples", "reconstruct", *LABELS):
        if name not in results:
            continue
        for i in range(n):
            one = rows.iloc[i : i + 1] if hasattr(rows, "iloc") else rows[i : i + 1]
            alone, error = attempt(name, getattr(estimator, name), one)
            require(error is None, f"{name} refuses a row alone: {error}")
            together, alone = results[name], numbers(alone)[0]
            if np.array_equal(alone, together[i]):  # perhaps infinite
                continue
            size = np.abs(together).max(initial=1e-300)
            difference = np.abs(alone - together[i]).max(initial=0.0)
            message = f"{name} of row {i} differs alone by {difference} of {size}"
            require(difference <= (1e-5 if is_single else 1e-9) * size, message)


# ------------------------------------------------------------------------------- cases


def run_case(number, keras=False):
    """Run one case; raise an error that says what does not hold."""
    rng = np.random.default_rng([number, 20])
    Case(rng, keras).run()


class Case:
    """An estimator, rows, and what has been done to them."""

    def __init__(self, rng, keras):
        self.rng, self.keras = rng, keras
        self.kind = pick(
            rng,
            AutoencoderTransformer,
            DenoisingRegressor,
            ReconstructionOutlierDetector,
            ReconstructionOutlierDetector,
        )
        n, p = int(rng.integers(2, 60)), int(rng.integers(1, 9))
        self.shape = (n, p) if chance(rng, 0.85) else (n, 6, pick(rng, 1, 2))
        params = draw_params(rng, self.kind, len(self.shape), keras)
        self.missing = params["allow_nan"] is True and chance(rng, 0.7)
        self.estimator = self.kind(**params)
        self.rows = draw_rows(rng, self.shape, self.missing)
        self.fitted = None  # rows that the present network was fitted on

    def run(self):
        repr(self.estimator)
        for _ in range(self.rng.integers(1, 5)):
            step = pick(
                self.rng,
                self.fit,
                self.fit,
                self.fit,
                self.fail,
                self.pass_rows,
                self.set_params,
                self.clone,
                self.learn_threshold,
                self.score_others,
            )
            step()
            if self.fitted is not None:
                check_fitted(self.estimator, self.fitted)

    def call(self, method, rows, *args, **kwargs):
        """Call a method that fits; a failure must change nothing."""
        before = fingerprint(self.estimator)
        function = getattr(self.estimator, method)
        _, error = attempt(method, function, rows, *args, **kwargs)
        if error is None:
            self.fitted = rows
        else:
            now = fingerprint(self.estimator)
            require(now == before, f"{method} failed, but left a trace: {error}")
        return error

    def arguments(self, rows):
        """Return y and keywords that go with rows."""
        rng, n = self.rng, len(rows)
        y = None
        if self.kind is DenoisingRegressor:
            is_given = self.estimator.corruption is None or chance(rng, 0.4)
            y = rows if is_given else None
            if chance(rng, 0.2):
                y = draw_values(rng, pick(rng, (n,), (n, 2)))
        elif self.kind is ReconstructionOutlierDetector:
            rule = self.estimator.threshold
            if getattr(rule, "needs_labels", False) or chance(rng, 0.3):
                y = np.where(rng.random(n) < 0.2, -1, 1)
        return y, {"sample_weight": draw_weight(rng, n)}

    def fit(self):
        if chance(self.rng, 0.3):
            self.rows = draw_rows(self.rng, self.shape, self.missing)
        y, kwargs = self.arguments(self.rows)
        self.call("fit", self.rows, y, **kwargs)

    def fail(self):
        """Fit what cannot be fitted, or can, but is of another kind."""
        rng, (n, *shape) = self.rng, self.shape
        wide = (n, *shape[:-1], shape[-1] + 1)
        X = draw_rows(rng, wide, missing=chance(rng, 0.5))
        X = pick(rng, X, [], np.full(self.shape, np.inf), np.ones(n), None)
        weight = pick(rng, None, -np.ones(n))
        before, fitted = fingerprint(self.estimator), self.fitted
        if self.call(pick(rng, "fit", "partial_fit"), X, sample_weight=weight):
            self.fitted = fitted
            require(fingerprint(self.estimator) == before, "a failed call left a trace")

    def pass_rows(self):
        rng = self.rng
        rows = self.rows if self.fitted is None else self.fitted
        size = pick(rng, 1, 2, len(rows))
        rows = rows.iloc[:size] if hasattr(rows, "iloc") else rows[:size]
        y, kwargs = self.arguments(rows)
        self.call("partial_fit", rows, y, **kwargs)

    def set_params(self):
        params = draw_params(self.rng, self.kind, len(self.shape), self.keras)
        chosen = self.rng.permutation(list(params))[: self.rng.integers(1, 4)]
        self.estimator.set_params(**{str(name): params[name] for name in chosen})

    def clone(self):
        """Check that a clone has the same parameters, and an int seed repeats."""
        other = clone(self.estimator)
        if type(self.estimator.random_state) is not int or self.estimator.warm_start:
            return
        require(repr(other) == repr(self.estimator), "a clone has another repr")
        y, kwargs = self.arguments(self.rows)
        if self.call("fit", self.rows, y, **kwargs) is None:
            _, error = attempt("fit", other.fit, self.rows, y, **kwargs)
            require(error is None, f"a clone does not fit: {error}")
            weights = self.estimator.autoencoder_.weights, other.autoencoder_.weights
            same = all(map(np.array_equal, *weights))
            require(same, "a clone with the same seed has other weights")

    def learn_threshold(self):
        if self.kind is ReconstructionOutlierDetector:
            rows = None if self.fitted is None or chance(self.rng, 0.5) else self.fitted
            y = None if rows is None else self.arguments(rows)[0]
            fitted = self.fitted
            self.call("fit_threshold", rows, y)
            self.fitted = fitted

    def score_others(self):
        """Score rows of the same shape, which may be anything."""
        if self.fitted is None:
            return
        shape = np.shape(self.fitted)[1:]
        rows = draw_rows(self.rng, (5, *shape), self.missing)
        scale = np.min(getattr(self.estimator.scaler_, "scale_", 1.0))
        absurd = is_huge(rows) or is_huge(np.asarray(rows, float) / min(scale, 1.0))
        for name in METHODS:
            if not hasattr(self.estimator, name):
                continue
            result, error = attempt(name, getattr(self.estimator, name), rows)
            if error is None and name != "explain" and not absurd:
                require(not np.isnan(numbers(result)).any(), f"{name} of others is NaN")
