"""SlidingWindowDetector: time steps that do not reconstruct are outliers."""

from __future__ import annotations

import functools
from copy import copy
from dataclasses import replace
from numbers import Integral
from typing import TYPE_CHECKING, Any, ClassVar, Literal, cast
from warnings import warn

import numpy as np
from sklearn.base import BaseEstimator, OutlierMixin, clone
from sklearn.utils.validation import validate_data

from skae._base import FLOATS
from skae._detector import ReconstructionOutlierDetector
from skae._missing import advising_allow_nan
from skae._random import seed_from
from skae._row_errors import explanation_table
from skae._series._windows import Stream, Windows, pieces_of, times_of
from skae._validation import (
    Interval,
    StrOptions,
    check_dense,
    check_is_fitted,
    check_parameters,
    fit_context,
    normal_rows,
    unchanged_by_failure,
)
from skae.thresholds import FixedThreshold, as_threshold_rule
from skae.thresholds._base import check_outliers_known
from skae.thresholds._calibration import (
    N_FOLDS,
    Calibration,
    kept_for,
    needs_labels,
    source_of,
)

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Self

    import pandas as pd
    from numpy.typing import ArrayLike, NDArray

    Floats = NDArray[np.float64]

# Of a series with fewer time steps than so many widths, no windows are cut.
_FEWEST_WIDTHS = 3
# Errors that partial_fit keeps, the latest ones.
_MOST_KEPT = 10_000


class SlidingWindowDetector(OutlierMixin, BaseEstimator):
    r"""Outlier detection in series: one score for each time step.

    A detector learns windows of the series. The error of a time step is the mean error
    of the windows that hold it; a threshold rule on these errors turns scores into
    labels, +1 inlier, -1 outlier.

    Read more in the :doc:`User Guide </guide/series>`.

    .. versionadded:: 0.1

    Parameters
    ----------
    detector : ReconstructionOutlierDetector or None, default=None
        What learns the windows, rows of shape (width, n_channels); None is a detector
        with its defaults. Its parameters can be set and searched as
        ``detector__latent_dim`` either way. Its ``threshold`` and ``threshold_on`` are
        used for the errors of time steps: what is held out are blocks of time.
    width : int, default=32
        Time steps of a window; a period of the series, where there is one.
    step : int, default=1
        Time steps between the starts of windows, at most `width`. With more, fewer
        windows train and score, and each step is in ``width / step`` of them.
    aggregate : {"window", "step"}, default="window"
        What a window adds to the error of a time step in it. "window": the window's
        mean error per step, which finds spans that are outliers best; "step": the
        step's own part of it, which finds short ones best and points at single steps.
    random_state : int, RandomState instance or None, default=None
        That of the detector; None leaves the detector's own.

    Attributes
    ----------
    detector_ : ReconstructionOutlierDetector
        The fitted clone. Its threshold, for whole windows, is not used.
    width_ : int
        `width`, or 1 where X has fewer time steps than ``3 * width``.
    calibration_errors_ : ndarray of shape (n_calibration_steps,)
        Errors of time steps that the threshold was learned from.
    threshold_rule_ : rule
        The fitted clone of the detector's rule.
    threshold_, offset_ : float
        Errors above the threshold are outliers; the offset is ``-threshold_``.
    buffer_ : ndarray of shape (width_ - 1, n_channels)
        The last time steps that were learned. In a stream, pass them before new ones:
        ``score_samples(np.concatenate([buffer_, X]))[len(buffer_):]``.
    n_features_in_, feature_names_in_ : int, ndarray of shape (n_features_in_,)
        Number of channels, and their names, where they are all strings.

    See Also
    --------
    ReconstructionOutlierDetector : The detector for rows without an order.
    skae.BlockKFold : Folds for searches with series.
    skae.SeriesDisplay : A picture of a series and its scores.

    Notes
    -----
    Rows are in the order of time. They are cut, so that no window goes across, where
    `groups` says that another series begins, and where the index of a DataFrame or a
    Series has a gap: times or numbers that are more than 1.5 times as far apart as
    usual (their median), or that go back. A piece that is shorter than a window does
    not train, and is continued by its mirror image to be scored.

    With :math:`W_t` the windows that hold step t, k their width, and f their
    ``feature_errors`` by the detector, the part of channel c in the error of t is

    .. math:: \frac{1}{|W_t|} \sum_{w \in W_t} f_{w, t, c} \quad\text{or}\quad
        \frac{1}{|W_t|} \sum_{w \in W_t} \frac{1}{k} \sum_s f_{w, s, c}

    with ``aggregate="step"`` or "window". The second smooths the first over time, by
    weights that fall linearly to 0 at a distance of k steps: it is highest where
    errors are, too. Windows are cut and scored in blocks, so that long series need
    little memory. Evenly spaced ones train where there are more than hold 32 million
    numbers.

    With ``threshold_on="auto"`` or "validation", the rule sees the errors of the last
    fifth, or of as much as it needs, of each of up to five equal parts of time; windows
    that touch it do not train. There are fewer parts where that would be less than two
    windows. With "cv" it sees each step's error by one of five more detectors, trained
    on the windows that do not touch the same fifth of time; with "train" the errors of
    the steps that trained, which are too small. Neighbouring errors are alike: promised
    shares hold less exactly than for independent rows, and not for a series that
    drifts.

    Examples
    --------
    >>> import numpy as np
    >>> from skae import ReconstructionOutlierDetector, SlidingWindowDetector
    >>> X = np.sin(np.arange(600) / 5).reshape(-1, 1)
    >>> detector = SlidingWindowDetector(
    ...     ReconstructionOutlierDetector(epochs=5), width=16, random_state=0
    ... ).fit(X[:400])
    >>> X[500] += 3
    >>> int(detector.score_samples(X).argmin())
    500
    """

    _doc_link_module = "skae"  # scikit-learn's site has no pages of these
    _doc_link_template = ""

    _stream: Stream
    _calibration: Calibration

    _parameter_constraints: ClassVar[dict[str, Any]] = {
        "detector": [ReconstructionOutlierDetector, None],
        "width": [Interval(Integral, 1, None, closed="left")],
        "step": [Interval(Integral, 1, None, closed="left")],
        "aggregate": [StrOptions({"window", "step"})],
        "random_state": ["random_state"],
    }

    def __init__(
        self,
        detector: ReconstructionOutlierDetector | None = None,
        width: int = 32,
        step: int = 1,
        *,
        aggregate: Literal["window", "step"] = "window",
        random_state: int | np.random.RandomState | None = None,
    ) -> None:
        self.detector = detector
        self.width = width
        self.step = step
        self.aggregate = aggregate
        self.random_state = random_state

    def set_params(self, **params: Any) -> Self:
        """Set parameters, those of the detector included.

        Parameters
        ----------
        **params : dict
            Names and values; ``detector__latent_dim`` first puts the default detector
            where `detector` is None.

        Returns
        -------
        self : object
            The detector.
        """
        if params.get("detector", self.detector) is None and any(
            name.startswith("detector__") for name in params
        ):
            params["detector"] = ReconstructionOutlierDetector()
        return cast("Self", super().set_params(**params))

    @fit_context(prefer_skip_nested_validation=False)
    def fit(
        self,
        X: ArrayLike,
        y: ArrayLike | None = None,
        groups: ArrayLike | None = None,
    ) -> Self:
        """Learn normal windows, and the threshold of steps.

        Parameters
        ----------
        X : array-like of shape (n_timesteps, n_channels), or Series
            Time steps in their order.
        y : array-like of shape (n_timesteps,), default=None
            Windows that touch a step with ``y == -1`` do not train; all other steps,
            whatever their label, are normal.
        groups : array-like of shape (n_timesteps,), default=None
            Which series a step belongs to. None is one series.

        Returns
        -------
        self : object
            The fitted estimator.

        Raises
        ------
        ValueError
            Where too few windows can be cut, or the rule needs more steps, or outliers
            that y does not name.
        """
        with unchanged_by_failure(self):
            detector, rule, source = self._check_detector()
            rows, times = self._check_X(X, reset=True, min_samples=2)
            is_normal = normal_rows(y, rows, "y", at_least=2)
            outliers = needs_labels(rule)
            if outliers:
                check_outliers_known(rule, y, ~is_normal)
            pieces = pieces_of(len(rows), groups, times)
            self.width_ = self._check_width(len(rows), pieces)
            windows = Windows.of(rows, pieces, self.width_, self.step, is_normal)
            blocks = windows.blocks(source, rule)
            held = blocks if source == "validation" else []
            training = functools.reduce(Windows.without, held, windows).that_train()
            self.detector_ = clone(detector).fit(training)
            judges = [self.detector_] * len(blocks)
            if source == "cv":
                others = (windows.without(block).that_train() for block in blocks)
                judges = [clone(detector).fit(one) for one in others]
            judged = list(zip(judges, blocks, strict=True))
            # Outliers train nothing: where a part is held out, all of them are seen.
            shown = judged if source == "cv" else [(self.detector_, slice(None))]
            seen = self._seen(windows, judged, shown if outliers else [])
            self._set_threshold(rule, replace(seen, held_out=source != "train"))
            self._source = source
            self._remember(Stream(rows, is_normal, times, len(rows)), pieces[-1])
        return self

    @fit_context(prefer_skip_nested_validation=False)
    def partial_fit(self, X: ArrayLike, y: ArrayLike | None = None) -> Self:
        """Make one pass over the windows that end in new time steps.

        The last ``width - 1`` steps are kept, so that windows go on where the latest
        ended. The first pass, which fixes the scaler, needs ``2 * width`` steps, or as
        many as the rule needs: until then steps are kept, and nothing can be scored.
        The rule sees the errors of the latest half of all steps, but of at most 10,000,
        each taken before its step trained.

        Parameters
        ----------
        X : array-like of shape (n_timesteps, n_channels), or Series
            The time steps that follow those of the last call, or of ``fit``.
        y : array-like of shape (n_timesteps,), default=None
            Windows that touch a step with ``y == -1`` do not train.

        Returns
        -------
        self : object
            The fitted estimator.
        """
        with unchanged_by_failure(self):
            detector, rule, _ = self._check_detector()
            is_first = not hasattr(self, "_stream")
            rows, times = self._check_X(X, reset=is_first)
            is_normal = normal_rows(y, rows, "y", at_least=0)
            stream = Stream(rows, is_normal, times, len(rows))
            n_known = 0 if is_first else len(self._stream.rows)
            if not is_first:
                stream = self._stream.followed_by(stream)
            if not self.__sklearn_is_fitted__():
                n, needed = len(stream.rows), getattr(rule, "min_errors", 1)
                n_known = n - max(n // N_FOLDS, needed)  # the others are judged first
                self._stream, self.width_ = stream, self.width
                if n < 2 * self.width or n_known <= self.width:
                    return self
                windows = self._windows_of(stream.part(slice(n_known)))
                self.detector_ = detector.partial_fit(windows.that_train())
            windows = self._windows_of(stream)
            new = slice(n_known, len(stream.rows))
            judged = [(self.detector_, new)]
            seen = self._seen(windows, judged, judged if needs_labels(rule) else [])
            earlier = getattr(self, "_calibration", None)
            if earlier is not None and earlier.held_out:
                seen = earlier.followed_by(seen)
            seen = seen.latest(rule, min(_MOST_KEPT, stream.n_seen // 2))
            seen.check(rule, y)
            training = windows.ending_in(new).that_train(at_least=0)
            if len(training):
                self.detector_ = copy(self.detector_).partial_fit(training)
            self._set_threshold(rule, seen)
            self._source = "stream"
            self._remember(stream, pieces_of(len(stream.rows), None, stream.times)[-1])
        return self

    @fit_context(prefer_skip_nested_validation=False)
    def fit_threshold(
        self,
        X: ArrayLike | None = None,
        y: ArrayLike | None = None,
        groups: ArrayLike | None = None,
    ) -> Self:
        """Learn the threshold again, by the detector's present rule, without training.

        Parameters
        ----------
        X : array-like of shape (n_timesteps, n_channels), or Series, default=None
            Time steps whose errors the rule sees. None: those that ``fit`` kept.
        y : array-like of shape (n_timesteps,), default=None
            Windows that touch a step with ``y == -1`` are left out, but for outliers'
            own errors, where the rule needs labels.
        groups : array-like of shape (n_timesteps,), default=None
            Which series a step belongs to.

        Returns
        -------
        self : object
            The fitted estimator.

        Raises
        ------
        ValueError
            Where y is given without X, or the rule needs errors that fit did not keep.

        Examples
        --------
        >>> import numpy as np
        >>> from skae import SlidingWindowDetector
        >>> X = np.sin(np.arange(300) / 5).reshape(-1, 1)
        >>> detector = SlidingWindowDetector(width=8, random_state=0)
        >>> detector = detector.set_params(detector__epochs=1).fit(X)
        >>> from skae import Contamination
        >>> rule = Contamination(0.01)
        >>> detector.set_params(detector__threshold=rule).fit_threshold().threshold_ > 0
        True
        """
        check_is_fitted(self)
        _, rule, source = self._check_detector()
        outliers = needs_labels(rule)
        if X is None:
            kept = {self._source: self._calibration}
            if self._source == "stream":
                kept[source] = self._calibration
            seen = kept_for(rule, source, kept, y)
            seen.check(rule, y)
        else:
            rows, times = self._check_X(X)
            is_normal = normal_rows(y, rows, "y", at_least=1)
            if outliers:
                check_outliers_known(rule, y, ~is_normal)
            pieces = pieces_of(len(rows), groups, times)
            windows = Windows.of(rows, pieces, self.width_, self.step, is_normal)
            judged = [(self.detector_, slice(None))]
            seen = self._seen(windows, judged, judged if outliers else [])
        self._set_threshold(rule, seen)
        return self

    def fit_predict(
        self,
        X: ArrayLike,
        y: ArrayLike | None = None,
        groups: ArrayLike | None = None,
    ) -> NDArray[np.int64]:
        """Fit, and return the labels of the time steps, as ``predict`` does.

        Parameters
        ----------
        X, y, groups : array-like
            As in ``fit``.

        Returns
        -------
        labels : ndarray of shape (n_timesteps,)
            +1 for inliers, -1 for outliers.
        """
        return self.fit(X, y, groups).predict(X, groups)

    def feature_errors(self, X: ArrayLike, groups: ArrayLike | None = None) -> Floats:
        """Return each channel's part of the errors, which add up to -score_samples.

        Parameters
        ----------
        X : array-like of shape (n_timesteps, n_channels), or Series
            Time steps in order.
        groups : array-like of shape (n_timesteps,), default=None
            Which series a step belongs to.

        Returns
        -------
        errors : float64 ndarray of shape (n_timesteps, n_channels)
            Parts of the errors of time steps.
        """
        return self._over_windows(self._parts_by, X, groups)

    def score_samples(self, X: ArrayLike, groups: ArrayLike | None = None) -> Floats:
        """Return minus the error of each time step, in scaled space.

        Parameters
        ----------
        X : array-like of shape (n_timesteps, n_channels), or Series
            Time steps in order.
        groups : array-like of shape (n_timesteps,), default=None
            Which series a step belongs to.

        Returns
        -------
        scores : float64 ndarray of shape (n_timesteps,)
            High is normal, low is an outlier.
        """
        return -self._over_windows(self._errors_by, X, groups, 1)[:, 0]

    def decision_function(
        self, X: ArrayLike, groups: ArrayLike | None = None
    ) -> Floats:
        """Return ``score_samples(X) - offset_``, which is negative for outliers.

        Parameters
        ----------
        X : array-like of shape (n_timesteps, n_channels), or Series
            Time steps in order.
        groups : array-like of shape (n_timesteps,), default=None
            Which series a step belongs to.

        Returns
        -------
        decision : ndarray of shape (n_timesteps,)
            Negative for outliers.
        """
        return self.score_samples(X, groups) - self.offset_

    def predict(
        self, X: ArrayLike, groups: ArrayLike | None = None
    ) -> NDArray[np.int64]:
        """Return +1 where the decision function is at least 0, else -1: outliers.

        Parameters
        ----------
        X : array-like of shape (n_timesteps, n_channels), or Series
            Time steps in order.
        groups : array-like of shape (n_timesteps,), default=None
            Which series a step belongs to.

        Returns
        -------
        labels : ndarray of shape (n_timesteps,)
            +1 for inliers, -1 for outliers.

        Examples
        --------
        >>> import numpy as np
        >>> from skae import SlidingWindowDetector
        >>> X = np.sin(np.arange(300) / 5).reshape(-1, 1)
        >>> detector = SlidingWindowDetector(width=8, random_state=0)
        >>> detector = detector.set_params(detector__epochs=1).fit(X)
        >>> detector.predict(X).shape
        (300,)
        """
        return np.where(self.decision_function(X, groups) >= 0, 1, -1)

    def reconstruct(self, X: ArrayLike, groups: ArrayLike | None = None) -> Floats:
        """Return the mean reconstruction of each time step, in X's units.

        Parameters
        ----------
        X : array-like of shape (n_timesteps, n_channels), or Series
            Time steps in order.
        groups : array-like of shape (n_timesteps,), default=None
            Which series a step belongs to.

        Returns
        -------
        rows : ndarray of shape (n_timesteps, n_channels)
            In X's units, the mean over windows.
        """
        return self._over_windows(lambda detector: detector.reconstruct, X, groups)

    def explain(
        self, X: ArrayLike, top_k: int = 5, groups: ArrayLike | None = None
    ) -> pd.DataFrame:
        """Return the channels with the largest errors at each time step.

        Parameters
        ----------
        X : array-like of shape (n_timesteps, n_channels), or Series
            Whole series: explain first, and select time steps in the table.
        top_k : int, default=5
            Number of channels per step, largest error first.
        groups : array-like of shape (n_timesteps,), default=None
            Which series a step belongs to.

        Returns
        -------
        table : DataFrame with n_timesteps * top_k rows
            Columns ``time`` (X's index), ``rank`` (from 1), ``channel``, ``value`` and
            ``reconstruction`` (in X's units), ``error`` (the channel's part, in scaled
            space) and ``share`` of the step's error.

        Examples
        --------
        >>> import numpy as np
        >>> from skae import SlidingWindowDetector
        >>> X = np.sin(np.arange(300) / 5).reshape(-1, 1)
        >>> detector = SlidingWindowDetector(width=8, random_state=0)
        >>> detector = detector.set_params(detector__epochs=1).fit(X)
        >>> detector.explain(X[:50], top_k=1).shape[0]
        50
        """
        errors = self.feature_errors(X, groups)
        table = explanation_table(
            self._check_X(X)[0],
            self.reconstruct(X, groups),
            errors,
            index=getattr(X, "index", None) if hasattr(X, "iloc") else None,
            names=getattr(self, "feature_names_in_", None),
            top_k=top_k,
        )
        return table.rename(columns={"row": "time", "feature": "channel"})

    def __sklearn_tags__(self) -> Any:
        """Return scikit-learn's tags."""
        tags = super().__sklearn_tags__()
        tags.input_tags.allow_nan = getattr(self.detector, "allow_nan", False)
        return tags

    def __sklearn_is_fitted__(self) -> bool:
        """Return whether there is a network."""
        return hasattr(self, "detector_")

    # ---------------------------------------------------------------- checks

    def _check_detector(self) -> tuple[Any, Any, str]:
        """Return an unfitted detector, the rule for steps, and what the rule sees."""
        detector = self.detector
        detector = (
            ReconstructionOutlierDetector() if detector is None else clone(detector)
        )
        if self.random_state is not None:
            detector.set_params(random_state=seed_from(self.random_state))
        rule = as_threshold_rule(detector.threshold)
        check_parameters(rule)
        source = detector.threshold_on
        source = source_of(rule, "validation" if source == "auto" else source)
        # It would hold out windows that share steps with those that train.
        detector.set_params(threshold=FixedThreshold(0.0), threshold_on="train")
        return detector, rule, source

    def _check_X(
        self, X: Any, *, reset: bool = False, min_samples: int = 1
    ) -> tuple[NDArray, NDArray | None]:
        """Return time steps as a float array, and their times, where X has some."""
        check_dense(X)
        times = times_of(X.index) if hasattr(X, "iloc") else None
        if hasattr(X, "iloc") and X.ndim == 1:
            X = X.to_frame()
        allow_nan = getattr(self.detector, "allow_nan", False)
        with advising_allow_nan():
            rows = validate_data(
                self,
                X,
                reset=reset,
                dtype=FLOATS,
                ensure_min_samples=min_samples,
                ensure_all_finite="allow-nan" if allow_nan else True,
            )
        return rows, times

    def _check_width(self, n: int, pieces: list[NDArray]) -> int:
        """Return the width of windows of so many steps; warn, or raise, if too few."""
        if self.step > self.width:
            raise ValueError(
                f"step={self.step!r} leaves steps between windows of "
                f"width={self.width!r} out. Use a step of at most {self.width!r}."
            )
        if n < _FEWEST_WIDTHS * self.width:
            if self.width > 1:
                warn(
                    f"X has {n} time steps, too few for windows of width="
                    f"{self.width!r}: each step is scored by itself. Pass at least "
                    f"{_FEWEST_WIDTHS * self.width} steps, or use width="
                    f"{max(1, n // _FEWEST_WIDTHS)}.",
                    UserWarning,
                    stacklevel=4,  # the caller of a decorated fit
                )
            return 1
        longest = max(map(len, pieces))
        if longest < self.width:
            raise ValueError(
                f"groups and gaps of the index cut X into {len(pieces)} pieces of at "
                f"most {longest} time steps, fewer than width={self.width!r}. Use a "
                "smaller width, or X.reset_index(drop=True) where the index does not "
                "tell the order of time."
            )
        return self.width

    # ---------------------------------------------------------------- windows

    def _parts_by(self, detector: Any) -> Callable[[NDArray], Floats]:
        """Return the function from windows to what they add to the errors of steps."""

        def parts(windows: NDArray) -> Floats:
            """Return errors of the shape of the windows."""
            errors = detector.feature_errors(windows)
            if self.aggregate == "window":
                errors[:] = errors.mean(axis=1, keepdims=True)
            return errors

        return parts

    def _errors_by(self, detector: Any) -> Callable[[NDArray], Floats]:
        """Return the function from windows to what they add, without channels."""

        def errors(windows: NDArray) -> Floats:
            """Return errors of shape (n_windows, width, 1)."""
            if self.aggregate == "step":
                return detector.feature_errors(windows).sum(axis=2, keepdims=True)
            whole = -detector.score_samples(windows) / self.width_  # faster than parts
            return np.broadcast_to(whole[:, None, None], (*windows.shape[:2], 1))

        return errors

    def _over_windows(
        self,
        function: Callable[[Any], Any],
        X: ArrayLike,
        groups: ArrayLike | None,
        n_columns: int | None = None,
    ) -> Floats:
        """Return the means over windows of what the detector makes of them."""
        check_is_fitted(self)
        rows, times = self._check_X(X)
        pieces = pieces_of(len(rows), groups, times)
        windows = Windows.of(rows, pieces, self.width_, self.step)
        means, _ = windows.means(
            function(self.detector_), n_columns=n_columns or rows.shape[1]
        )
        found = np.empty_like(means, shape=(len(rows), means.shape[1]))
        found[windows.places[windows.is_real]] = means[windows.is_real]
        return found

    def _windows_of(self, stream: Stream) -> Windows:
        """Return the windows of a stream."""
        rows, times = stream.rows, stream.times
        pieces = pieces_of(len(rows), None, times)
        return Windows.of(rows, pieces, self.width_, self.step, stream.is_normal)

    def _seen(
        self,
        windows: Windows,
        judged: list[tuple[Any, slice]],
        shown: list[tuple[Any, slice]],
    ) -> Calibration:
        """Return detectors' errors of normal steps of blocks, of outliers of others."""
        found = []
        for judge, block in judged:
            # By windows of normal steps: with outliers beside them, errors are larger.
            kept = windows.touch(block) & windows.are_normal
            means, count = windows.means(self._errors_by(judge), kept)
            found.append(means[block][count[block] > 0][:, 0])
        seen = Calibration(np.concatenate(found))
        if not shown:
            return seen
        found, n_normal = [], 0
        for judge, block in shown:
            means, _ = windows.means(self._errors_by(judge), windows.touch(block))
            found.append(means[block][windows.are_outliers[block]][:, 0])
            n_normal += windows.are_covered[block].sum()
        errors = np.concatenate(found)
        # Each counts by the part of the normal steps that is seen.
        share = len(seen.errors) / max(1, n_normal)
        return seen.with_outliers(errors, np.full(len(errors), share))

    def _set_threshold(self, rule: Any, seen: Calibration) -> None:
        """Fit the rule to errors of steps."""
        self._calibration = seen
        self.threshold_rule_, self.calibration_errors_ = seen.fit(clone(rule))
        self.threshold_ = float(self.threshold_rule_.threshold_)
        self.offset_ = -self.threshold_

    def _remember(self, stream: Stream, last: NDArray) -> None:
        """Keep the end of the last piece, on which a stream goes on."""
        self._stream = stream.part(last[max(0, len(last) - self.width_ + 1) :])
        self.buffer_ = self._stream.rows
