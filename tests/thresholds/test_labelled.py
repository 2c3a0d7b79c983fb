"""Rules that need labels: brute force as oracle, and their promises in simulations."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.testing import assert_allclose
from scipy import stats
from sklearn.base import clone
from sklearn.metrics import fbeta_score

from skae.thresholds import BestF, Conformal, FalseAlarmRate, Precision

RULES = [BestF(), BestF(0.5), FalseAlarmRate(0.5), Precision(0.05)]


@st.composite
def labelled(draw, reachable=True):
    """Errors with ties, labels with both classes, and copies."""
    errors = draw(
        arrays(np.float64, st.integers(4, 30), elements=st.integers(0, 15).map(float))
    )
    y = draw(arrays(np.int64, errors.shape, elements=st.sampled_from([1, -1])))
    y[0], y[-1], errors[-1] = 1, -1, 20.0
    copies = draw(arrays(np.int64, errors.shape, elements=st.integers(0, 3)))
    copies[0], copies[-1] = 1, 2
    return errors, y, copies


def flagged_counts(errors, y, threshold):
    above = errors > threshold
    return (above & (y == 1)).sum(), (above & (y == -1)).sum()


@pytest.mark.parametrize("rule", RULES, ids=repr)
class TestEveryLabelledRule:
    @given(sample=labelled())
    @settings(max_examples=60)
    def test_weight_of_k_is_k_copies(self, rule, sample):
        errors, y, copies = sample
        weighted = clone(rule).fit(errors, y, sample_weight=copies).threshold_
        repeated = [np.repeat(part, copies) for part in (errors, y)]
        assert_allclose(clone(rule).fit(*repeated).threshold_, weighted, rtol=1e-12)

    @given(sample=labelled(), factor=st.sampled_from([0.25, 3.0, 1e-3]))
    @settings(max_examples=40)
    def test_scaling_the_errors_scales_the_threshold(self, rule, sample, factor):
        errors, y, _ = sample
        plain = clone(rule).fit(errors, y).threshold_
        scaled = clone(rule).fit(factor * errors, y).threshold_
        assert_allclose(scaled, factor * plain, rtol=1e-9)

    @given(sample=labelled(), data=st.data())
    @settings(max_examples=30)
    def test_order_of_rows_does_not_matter(self, rule, sample, data):
        errors, y, _ = sample
        order = np.array(data.draw(st.permutations(range(len(y)))))
        plain = clone(rule).fit(errors, y).threshold_
        assert clone(rule).fit(errors[order], y[order]).threshold_ == plain

    @pytest.mark.parametrize(
        ("y", "weights", "message"),
        [
            (None, None, "needs known outliers.* but y is None. Pass"),
            ([1, 1], None, "but y holds none. Pass y with them .in"),
            ([1, -1], [1, 0], "but y holds none"),
            ([-1, -1], None, "errors of at least 1 normal rows.*are 0"),
            ([-1], None, "inconsistent numbers of samples"),
        ],
    )
    def test_needs_labels(self, rule, y, weights, message):
        assert rule.needs_labels
        with pytest.raises(ValueError, match=message):
            rule.fit([1.0, 2.0], y, sample_weight=weights)

    def test_any_other_label_is_normal(self, rule):
        errors = [1.0, 2.0, 3.0, 8.0, 9.0]
        named = rule.fit(errors, y=[1, 1, 1, -1, -1]).threshold_
        assert rule.fit(errors, y=[0, 2, 7, -1, -1]).threshold_ == named == 5.5


@given(sample=labelled(), beta=st.sampled_from([0.5, 1.0, 2.0]))
@settings(max_examples=50)
def test_no_threshold_has_a_higher_f_score(sample, beta):
    errors, y, _ = sample
    found = BestF(beta).fit(errors, y).threshold_

    def score(threshold):
        return fbeta_score(y == -1, errors > threshold, beta=beta, zero_division=0.0)

    scores = {threshold: score(threshold) for threshold in np.unique(errors)}
    assert score(found) == pytest.approx(max(scores.values()))
    # The largest of equals: nothing better above.
    assert all(score(t) < score(found) - 1e-9 for t in scores if t > found)


@given(sample=labelled(), rate=st.sampled_from([0.2, 0.3, 0.5]))
@settings(max_examples=150)
def test_no_allowed_rate_finds_more(sample, rate):
    errors, y, _ = sample
    n = (y == 1).sum()
    if 1 / (n + 1) > rate:
        with pytest.raises(
            ValueError, match=r"normal rows \(n >= 1/rate - 1\).*rate .now"
        ):
            FalseAlarmRate(rate).fit(errors, y)
        return
    threshold = FalseAlarmRate(rate).fit(errors, y).threshold_
    conformal = Conformal(rate).fit(errors[y == 1]).threshold_
    assert threshold >= conformal
    recall = flagged_counts(errors, y, threshold)[1]
    assert recall == flagged_counts(errors, y, conformal)[1]
    for candidate in np.unique(errors[errors > threshold]):
        assert flagged_counts(errors, y, candidate)[1] < recall or recall == 0


def test_where_no_outlier_is_found_it_is_the_conformal_threshold():
    errors, y = [1.0, 2.0, 3.0, 4.0, 0.5, 0.6], [1, 1, 1, 1, -1, -1]
    assert FalseAlarmRate(0.4).fit(errors, y).threshold_ == pytest.approx(3.5)
    assert Conformal(0.4).fit(errors[:4]).threshold_ == pytest.approx(3.0, rel=2e-5)


def is_sure(outliers, normal, target):
    chance = stats.binom(outliers + normal, target).sf(outliers - 1)
    return outliers > 0 and chance <= 0.1 * (1 + 1e-6)


@given(sample=labelled(), target=st.sampled_from([0.3, 0.5, 0.8]))
@settings(max_examples=150)
def test_no_allowed_precision_finds_more(sample, target):
    errors, y, _ = sample
    reached = {}
    for candidate in np.unique(errors):
        normal, outliers = flagged_counts(errors, y, candidate)
        if is_sure(outliers, normal, target):
            reached[candidate] = outliers
    if not reached:
        with pytest.raises(ValueError, match="is out of reach: no threshold surely"):
            Precision(target).fit(errors, y)
        return
    threshold = Precision(target).fit(errors, y).threshold_
    normal, outliers = flagged_counts(errors, y, threshold)
    assert outliers == max(reached.values())
    assert is_sure(outliers, normal, target)


@pytest.mark.parametrize("rate", [0.05, 0.2])
def test_rate_of_false_alarms_on_draws(rate):
    rng, n_fits, n = np.random.default_rng(0), 3000, 50
    rates = []
    for _ in range(n_fits):
        errors = np.r_[rng.exponential(size=n), 2 + rng.exponential(size=8)]
        y = np.repeat([1, -1], [n, 8])
        rates.append(np.exp(-FalseAlarmRate(rate).fit(errors, y).threshold_))
    error = np.std(rates) / np.sqrt(n_fits)
    assert np.mean(rates) <= rate + 3 * error
    assert np.mean(rates) >= rate / 3  # not by flagging nothing


@pytest.mark.parametrize(
    ("n", "n_outliers", "distance", "target", "is_reachable"),
    [
        (200, 60, 3, 0.7, True),  # the highest precision is 0.86
        (1000, 200, 3, 0.7, True),  # 0.80
        (1000, 200, 3, 0.9, False),
        (200, 40, 0.5, 0.5, False),  # 0.25
        (1000, 100, 1.5, 0.5, False),  # 0.31
        (100, 10, 1, 0.5, False),  # 0.21
    ],
)
def test_precision_on_draws(n, n_outliers, distance, target, is_reachable):
    """A higher precision than any threshold has was found in up to half of the fits."""
    rng, n_fits = np.random.default_rng(0), 200
    y = np.repeat([1, -1], [n, n_outliers])
    found = []
    for _ in range(n_fits):
        errors = rng.exponential(size=n + n_outliers) + distance * (y == -1)
        try:
            found.append(Precision(target).fit(errors, y).threshold_)
        except ValueError:  # out of reach with these rows: no alarms, none false
            continue
    alarms = n * np.exp(-np.array(found))
    hits = n_outliers * np.exp(-np.maximum(np.array(found) - distance, 0))
    if is_reachable:
        precisions = hits / (hits + alarms)
        assert len(found) > 0.9 * n_fits
        assert np.mean(precisions) >= target
    else:
        assert len(found) <= 0.1 * n_fits
