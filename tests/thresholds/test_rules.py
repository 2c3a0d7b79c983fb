"""Threshold rules: identities, oracles from NumPy and SciPy, and error messages."""

import pickle

import numpy as np
import pandas as pd
import pytest
import sklearn
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.testing import assert_allclose
from scipy import stats
from sklearn.base import BaseEstimator, clone

from skae import thresholds
from skae.thresholds import (
    IQR,
    MAD,
    BestF,
    Conformal,
    Contamination,
    FalseAlarmRate,
    FixedThreshold,
    MeanStd,
    Precision,
    Quantile,
    ThresholdRule,
    as_threshold_rule,
)

LEARNED = [
    MeanStd(),
    MeanStd(2.5),
    Quantile(),
    Quantile(0.31),
    Quantile(1.0),
    Contamination(),
    Contamination(0.5),
    MAD(),
    IQR(),
    Conformal(0.5),
    Conformal(0.9),
]
RULES = [*LEARNED, FixedThreshold(0.3)]

errors_of_rows = arrays(
    np.float64,
    st.integers(1, 40),
    # Zero, or large enough for its square to be a normal number: NumPy's std, the
    # oracle, squares.
    elements=st.just(0.0) | st.floats(1e-100, 1e6),
)


@st.composite
def errors_and_copies(draw):
    """Errors with whole weights, of which at least one is positive."""
    errors = draw(errors_of_rows)
    copies = draw(arrays(np.int64, errors.shape, elements=st.integers(0, 4)))
    copies[draw(st.integers(0, len(errors) - 1))] += 1
    return errors, copies


@pytest.mark.parametrize("rule", RULES, ids=repr)
class TestEveryRule:
    @given(sample=errors_and_copies())
    @settings(max_examples=60, deadline=None)
    def test_weight_of_k_is_k_copies(self, rule, sample):
        errors, copies = sample
        weighted = clone(rule).fit(errors, sample_weight=copies).threshold_
        repeated = clone(rule).fit(np.repeat(errors, copies)).threshold_
        assert_allclose(weighted, repeated, rtol=1e-12)

    @given(errors=errors_of_rows)
    @settings(max_examples=30, deadline=None)
    def test_weights_of_equal_rows_are_no_weights(self, rule, errors):
        plain = clone(rule).fit(errors).threshold_
        shares = np.full(len(errors), 1 / len(errors))
        normalised = clone(rule).fit(errors, sample_weight=shares).threshold_
        assert_allclose(normalised, plain, rtol=1e-12)

    @pytest.mark.parametrize("weight", [1e-300, 1e9, 1e300, 1e308])
    def test_weights_that_are_no_counts_change_nothing(self, rule, weight):
        errors = np.random.default_rng(0).exponential(size=50)
        weighted = clone(rule).fit(errors, sample_weight=np.full(50, weight))
        assert weighted.threshold_ == clone(rule).fit(errors).threshold_

    @given(errors=errors_of_rows, data=st.data())
    @settings(max_examples=30, deadline=None)
    def test_order_of_rows_does_not_matter(self, rule, errors, data):
        shuffled = np.array(data.draw(st.permutations(errors.tolist())))
        assert_allclose(
            clone(rule).fit(shuffled).threshold_,
            clone(rule).fit(errors).threshold_,
            rtol=1e-12,
        )

    def test_weights_next_to_whole_ones_change_little(self, rule):
        rng = np.random.default_rng(0)
        errors, copies = rng.exponential(size=50), rng.integers(1, 4, size=50)
        nearly = copies * (1 + 1e-13)
        assert_allclose(
            clone(rule).fit(errors, sample_weight=nearly).threshold_,
            clone(rule).fit(errors, sample_weight=copies).threshold_,
            rtol=1e-9,
        )

    def test_learns_a_python_float_from_any_vector(self, rule):
        values = [1, 2, 3, 4]
        learned = {
            clone(rule).fit(errors).threshold_
            for errors in (values, pd.Series(values), np.array(values, np.float32))
        }
        assert len(learned) == 1
        assert type(learned.pop()) is float

    def test_is_a_scikit_learn_estimator(self, rule):
        fitted = clone(rule).fit([1.0, 2.0, 4.0], y=["ignored"] * 3)
        assert not hasattr(clone(fitted), "threshold_")
        assert clone(fitted).get_params() == rule.get_params()
        assert pickle.loads(pickle.dumps(fitted)).threshold_ == fitted.threshold_
        assert rule.needs_labels is False

    def test_same_error_everywhere_flags_nothing(self, rule):
        rounded = 0.3 * (1 + 1e-6 * np.random.default_rng(0).uniform(size=30))
        threshold = clone(rule).fit(rounded).threshold_
        if isinstance(rule, FixedThreshold):
            assert threshold == 0.3  # as it was given
        else:
            assert_allclose(threshold, rounded.max() * (1 + 1e-5), rtol=1e-12)

    @pytest.mark.parametrize(
        ("errors", "message"),
        [
            ([], "errors must hold at least one reconstruction error, but is empty"),
            ([[1.0], [2.0]], r"errors must be 1-D, .* but has shape \(2, 1\)"),
            (3.0, r"errors must be 1-D, .* but has shape \(\)"),
            ([1.0, -0.5], r"errors must be >= 0, but the smallest is -0.5. If these"),
            ([1.0, np.nan], "Input errors contains NaN"),
            ([1.0, np.inf], "Input errors contains infinity"),
        ],
    )
    def test_refuses_values_that_are_no_errors(self, rule, errors, message):
        with pytest.raises(ValueError, match=message):
            clone(rule).fit(errors)

    @pytest.mark.parametrize(
        ("weights", "message"),
        [
            ([1.0, -1.0], "Negative values in data passed to `sample_weight`"),
            ([0.0, 0.0], "Sample weights must contain at least one non-zero number"),
            ([1.0], r"sample_weight.shape == \(1,\), expected \(2,\)"),
            ([1.0, np.nan], "Input sample_weight contains NaN"),
        ],
    )
    def test_refuses_bad_weights(self, rule, weights, message):
        with pytest.raises(ValueError, match=message):
            clone(rule).fit([1.0, 2.0], sample_weight=weights)


def assert_threshold(threshold, expected, errors):
    """It is the expected one, but a bit above the errors that are equal to that."""
    equal = errors[np.isclose(errors, expected, rtol=1.01e-5, atol=0)]
    if len(equal):
        assert expected <= threshold * (1 + 1e-12)
        assert equal.max() <= threshold <= equal.max() * (1 + 1.01e-5)
    else:
        atol = 1e-12 * errors.max()
        assert_allclose(threshold, expected, rtol=1e-12, atol=atol)


@pytest.mark.parametrize("rule", LEARNED, ids=repr)
@given(errors=errors_of_rows, factor=st.floats(1e-3, 1e3))
@settings(max_examples=40, deadline=None)
def test_scaling_the_errors_scales_a_learned_threshold(rule, errors, factor):
    plain = clone(rule).fit(errors).threshold_
    scaled = clone(rule).fit(factor * errors).threshold_
    assert_allclose(scaled, factor * plain, rtol=1e-9)


def test_fixed_threshold_does_not_depend_on_the_errors():
    assert FixedThreshold(2).fit([1e6, 0.0]).threshold_ == 2.0


@given(errors=errors_of_rows)
@settings(max_examples=50, deadline=None)
def test_mean_std_is_the_tutorials_rule(errors):
    expected = np.mean(errors) + np.std(errors)
    assert_threshold(MeanStd().fit(errors).threshold_, expected, errors)


@given(errors=errors_of_rows, q=st.floats(1e-6, 1))
@settings(max_examples=100, deadline=None)
def test_quantile_is_numpys(errors, q):
    expected = np.quantile(errors, q)
    assert_threshold(Quantile(q).fit(errors).threshold_, expected, errors)


@given(sample=errors_and_copies(), low=st.floats(0.01, 1), high=st.floats(0.01, 1))
@settings(max_examples=50, deadline=None)
def test_quantile_grows_with_q_for_fractional_weights(sample, low, high):
    errors, weights = sample
    low, high = sorted((low, high))
    thresholds = [
        Quantile(q).fit(errors, sample_weight=0.37 * weights).threshold_
        for q in (low, high)
    ]
    assert thresholds[0] <= thresholds[1] * (1 + 1e-12)
    present = errors[weights > 0]
    assert present.min() * (1 - 1e-12) <= thresholds[0]
    assert thresholds[1] <= present.max() * (1 + 1.01e-5)


def test_mad_and_iqr_are_scipys():
    errors = np.random.default_rng(0).exponential(size=101)
    mad = stats.median_abs_deviation(errors)
    assert_allclose(
        MAD(2.0).fit(errors).threshold_, np.median(errors) + 2 * 1.4826 * mad
    )
    assert_allclose(
        IQR(2.0).fit(errors).threshold_,
        np.quantile(errors, 0.75) + 2 * stats.iqr(errors),
    )


@pytest.mark.parametrize(("rule", "share"), [(MAD(), 0.4), (IQR(), 0.2)], ids=repr)
def test_robust_rules_do_not_follow_outliers(rule, share):
    errors = np.random.default_rng(0).uniform(1, 2, size=200)
    errors[: int(share * 200)] = 1e9
    threshold = rule.fit(errors).threshold_
    assert threshold < 20
    assert MeanStd().fit(errors).threshold_ > 1e8


class TestContamination:
    @given(
        ranks=st.sets(st.integers(0, 10_000), min_size=1, max_size=60),
        fraction=st.floats(0.001, 0.5),
        spacing=st.sampled_from([1.0, 1e-3]),
    )
    @settings(max_examples=150, deadline=None)
    def test_flags_exactly_its_share(self, ranks, fraction, spacing):
        errors = 1 + spacing * np.array(list(ranks), dtype=float)  # 9e-5 apart
        threshold = Contamination(fraction).fit(errors).threshold_
        flagged = errors > threshold
        assert flagged.sum() == round(fraction * len(errors))
        if flagged.any():
            assert errors[~flagged].max() < errors[flagged].min()

    @given(errors=arrays(np.float64, 30, elements=st.sampled_from([0.0, 1.0, 2.0])))
    @settings(max_examples=50, deadline=None)
    def test_ties_only_flag_fewer(self, errors):
        threshold = Contamination(0.3).fit(errors).threshold_
        assert (errors > threshold).sum() <= 9

    @pytest.mark.parametrize("almost", [1.0, np.nextafter(1.0, 2.0), 1 + 1e-6])
    def test_tie_at_the_cut_stays_below(self, almost):
        threshold = Contamination(0.5).fit([1.0, 1.0, almost, 5.0]).threshold_
        assert almost < threshold < 1 + 2e-5

    def test_nothing_to_flag_is_a_bit_above_the_largest_error(self):
        assert 3.0 < Contamination(0.1).fit([1.0, 2.0, 3.0]).threshold_ < 3.0001

    def test_rows_of_a_large_table_are_not_equal_for_being_many(self):
        """A hundred thousand distinct errors: some are nearer than float32 tells."""
        errors = np.random.default_rng(0).exponential(size=100_000)
        for fraction in np.linspace(0.05, 0.5, 50):
            threshold = Contamination(fraction).fit(errors).threshold_
            assert (errors > threshold).sum() == round(fraction * 100_000)

    def test_a_tenth_of_300_rows_is_30_rows(self):
        errors = np.random.default_rng(0).exponential(size=300)
        threshold = Contamination(0.1).fit(errors).threshold_
        assert (errors > threshold).sum() == 30
        # Midway: rounding of the errors elsewhere moves no row across.
        assert (errors * (1 + 1e-12) > threshold).sum() == 30
        assert (errors * (1 - 1e-12) > threshold).sum() == 30


@pytest.mark.parametrize(
    "rule",
    [
        FixedThreshold(-1.0),
        FixedThreshold(np.nan),
        FixedThreshold(np.inf),
        FixedThreshold("0.1"),
        MeanStd(-1.0),
        Quantile(0.0),
        Quantile(1.1),
        Contamination(0.0),
        Contamination(0.6),
        MAD(-1.0),
        IQR(None),
        Conformal(0.0),
        Conformal(1.0),
        BestF(0.0),
        FalseAlarmRate(1.0),
        Precision(0.0),
    ],
    ids=repr,
)
def test_bad_parameters_are_refused_by_name(rule):
    (name,) = rule.get_params()
    with pytest.raises(ValueError, match=f"The '{name}' parameter of"):
        rule.fit([1.0, 2.0])


class LargestTimes(ThresholdRule):
    _parameter_constraints = {"factor": [float]}

    def __init__(self, factor=1.0):
        self.factor = factor

    def _compute_threshold(self, errors, weights):
        return self.factor * errors.max()


class Overflowing(ThresholdRule):
    _parameter_constraints = {}

    def _compute_threshold(self, errors, weights):
        return np.inf


def test_threshold_that_overflows_is_an_error():
    with pytest.raises(ValueError, match="must learn a finite threshold, but got"):
        Overflowing().fit([0.0, 1e300])


def test_mean_and_std_survive_squares_that_overflow_or_vanish():
    for scale in (1e300, 1e-200):
        threshold = MeanStd(2).fit(np.array([0.0, 1.0]) * scale).threshold_
        assert_allclose(threshold, 1.5 * scale)


def test_base_class_is_abstract():
    with pytest.raises(TypeError, match="abstract class ThresholdRule"):
        ThresholdRule()


def test_rule_of_a_user_is_a_scikit_learn_estimator():
    rule = LargestTimes(2.0)
    assert repr(rule) == "LargestTimes(factor=2.0)"
    assert clone(rule).get_params() == {"factor": 2.0}
    fitted = pickle.loads(pickle.dumps(rule.fit([1.0, 3.0])))
    assert fitted.threshold_ == 6.0
    with pytest.raises(ValueError, match="The 'factor' parameter of LargestTimes"):
        rule.set_params(factor="2").fit([1.0])


def test_package_shows_its_public_names():
    assert dir(thresholds) == sorted(thresholds.__all__)


def test_errors_are_not_metadata():
    with sklearn.config_context(enable_metadata_routing=True):
        rule = MeanStd().set_fit_request(sample_weight=True)
        with pytest.raises(TypeError, match=r"Unexpected args: \{'errors'\}"):
            rule.set_fit_request(errors=True)


class DuckRule(BaseEstimator):
    """A rule that does not inherit from skae's base class."""

    def fit(self, errors, y=None, sample_weight=None):
        self.threshold_ = float(np.max(errors))
        return self


class TestAsThresholdRule:
    def test_none_is_a_tenth(self):
        rule = as_threshold_rule(None)
        assert isinstance(rule, Contamination)
        assert rule.fraction == 0.1

    @pytest.mark.parametrize("value", [0, 3, 0.25, np.float32(0.25), np.int64(2)])
    def test_number_is_a_fixed_threshold(self, value):
        rule = as_threshold_rule(value)
        assert isinstance(rule, FixedThreshold)
        assert rule.fit([1.0]).threshold_ == value

    @pytest.mark.parametrize("rule", [*RULES, DuckRule()], ids=repr)
    def test_rule_is_itself(self, rule):
        assert as_threshold_rule(rule) is rule

    @pytest.mark.parametrize("value", [-0.1, np.nan, np.inf])
    def test_impossible_number(self, value):
        with pytest.raises(
            ValueError, match=r"threshold must be finite and >= 0 .* but"
        ):
            as_threshold_rule(value)

    @pytest.mark.parametrize("value", [True, np.True_, "auto", [0.1], {}])
    def test_refuses_values_that_are_no_rule(self, value):
        message = "threshold must be None, a number or a threshold rule .* but is "
        with pytest.raises(TypeError, match=message):
            as_threshold_rule(value)

    def test_class_instead_of_instance(self):
        with pytest.raises(TypeError, match=r"is the class MeanStd. .* MeanStd\(\)"):
            as_threshold_rule(MeanStd)
