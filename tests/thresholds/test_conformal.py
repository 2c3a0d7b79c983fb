"""Conformal thresholds, p-values and their selection: identities and simulations."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.testing import assert_allclose, assert_array_equal
from scipy import stats

from skae.thresholds import Conformal, benjamini_hochberg, conformal_p_values

# Few values, so that ties are common.
tied_errors = arrays(
    np.float64, st.integers(1, 60), elements=st.integers(0, 12).map(float)
)


def needed(alpha):
    """Return the smallest n with 1 / (n + 1) <= alpha, by counting."""
    n = 1
    while 1 / (n + 1) > alpha:
        n += 1
    return n


@given(errors=tied_errors, alpha=st.sampled_from([0.05, 0.1, 0.29, 0.3, 0.5, 0.58]))
@settings(max_examples=200)
def test_a_row_is_flagged_where_its_p_value_is_at_most_alpha(errors, alpha):
    if len(errors) < needed(alpha):
        with pytest.raises(ValueError, match=f"at least {needed(alpha)} normal rows"):
            Conformal(alpha).fit(errors)
        return
    threshold = Conformal(alpha).fit(errors).threshold_
    fresh = np.arange(-0.0, 13.5, 0.5)
    assert_array_equal(fresh > threshold, conformal_p_values(fresh, errors) <= alpha)


@given(errors=tied_errors, data=st.data())
@settings(max_examples=100)
def test_fractional_weights_flag_alike(errors, data):
    quarters = data.draw(arrays(np.int64, errors.shape, elements=st.integers(4, 12)))
    rule, weights = Conformal(0.55), quarters / 4
    threshold = rule.fit(errors, sample_weight=weights).threshold_
    fresh = np.arange(0.0, 13.5, 0.5)
    p_values = conformal_p_values(fresh, errors, sample_weight=weights)
    assert_array_equal(fresh > threshold, p_values <= 0.55 * (1 + 1e-9))


@pytest.mark.parametrize("alpha", [0.3, 0.1, 0.07, 0.05, 0.01, 1e-3, 1 / 3, 0.29])
def test_fewest_errors(alpha):
    n = needed(alpha)
    assert Conformal(alpha).min_errors == n
    errors = np.arange(1.0, n + 1)
    assert_allclose(Conformal(alpha).fit(errors).threshold_, n * (1 + 1e-5), 1e-12)
    if n == 1:
        return
    message = (
        rf"needs the errors of at least {n} normal rows \(n >= 1/alpha - 1\), but "
        rf"there are {n - 1}. Pass more rows, or raise alpha \(now {alpha}\)."
    )
    with pytest.raises(ValueError, match=message):
        Conformal(alpha).fit(errors[:-1])
    with pytest.raises(ValueError, match=message):  # absent rows do not count
        Conformal(alpha).fit(errors, sample_weight=np.r_[0, np.ones(n - 1)])


def test_p_values_are_their_definition():
    rng = np.random.default_rng(0)
    known, fresh = rng.integers(0, 30, 40) / 7.0, rng.integers(0, 40, 100) / 7.0
    copies = rng.integers(0, 4, 40)
    expected = [(1 + (known >= e).sum()) / 41 for e in fresh]
    assert_array_equal(conformal_p_values(fresh, known), expected)
    weighted = conformal_p_values(fresh, known, sample_weight=copies)
    repeated = conformal_p_values(fresh, np.repeat(known, copies))
    assert_allclose(weighted, repeated, rtol=1e-12)


@pytest.mark.parametrize("distribution", [stats.expon(), stats.t(2), stats.poisson(3)])
@pytest.mark.parametrize(("n", "alpha"), [(19, 0.05), (50, 0.1), (200, 0.01)])
def test_rate_of_false_alarms_on_draws(distribution, n, alpha):
    """Known exactly without ties: floor(alpha (n + 1)) / (n + 1); at most that with."""
    rng = np.random.default_rng(0)
    n_fits = 4000
    errors = np.abs(distribution.rvs((n_fits, n), random_state=rng))
    fresh = np.abs(distribution.rvs(n_fits, random_state=rng))
    alarms = [
        e > Conformal(alpha).fit(known).threshold_
        for e, known in zip(fresh, errors, strict=True)
    ]
    exact = np.floor(alpha * (n + 1) + 1e-9) / (n + 1)
    spread = 3.5 * np.sqrt(exact * (1 - exact) / n_fits)
    assert np.mean(alarms) <= exact + spread
    if hasattr(distribution, "pdf") and distribution.dist.name != "poisson":
        assert np.mean(alarms) >= exact - spread


class TestBenjaminiHochberg:
    @given(
        p=arrays(np.float64, st.integers(1, 50), elements=st.floats(0, 1)),
        alpha=st.floats(0.01, 0.9),
    )
    def test_is_scipys(self, p, alpha):
        adjusted = stats.false_discovery_control(p)
        if np.isclose(adjusted, alpha, rtol=1e-6).any():
            return  # equality up to a rounding is either one's
        assert_array_equal(benjamini_hochberg(p, alpha), adjusted <= alpha)

    def test_equality_is_enough(self):
        assert benjamini_hochberg([0.02, 0.04, 0.06], alpha=0.06).all()
        assert not benjamini_hochberg([0.5, 0.9], alpha=0.1).any()
        assert benjamini_hochberg([]).shape == (0,)

    @pytest.mark.parametrize(
        ("p", "message"),
        [
            ([0.1, 1.5], "p_values must lie between 0 and 1, but range from 0.1 to 1."),
            ([[0.1]], r"p_values must be 1-D, one per row, but has shape \(1, 1\)"),
            ([0.1, np.nan], "Input p_values contains NaN"),
        ],
    )
    def test_refuses_values_that_are_no_p_values(self, p, message):
        with pytest.raises(ValueError, match=message):
            benjamini_hochberg(p)

    def test_refuses_an_impossible_alpha(self):
        with pytest.raises(ValueError, match="The 'alpha' parameter of benj"):
            benjamini_hochberg([0.1], alpha=1.0)

    @pytest.mark.parametrize("alpha", [0.1, 0.3])
    def test_share_of_false_discoveries_on_draws(self, alpha):
        rng = np.random.default_rng(0)
        shares, found = [], []
        for _ in range(1500):
            known = rng.exponential(size=200)
            batch = rng.exponential(size=100) + np.repeat([0.0, 6.0], [80, 20])
            selected = benjamini_hochberg(conformal_p_values(batch, known), alpha)
            shares.append(selected[:80].sum() / max(1, selected.sum()))
            found.append(selected[80:].mean())
        error = np.std(shares) / np.sqrt(len(shares))
        # The procedure's own bound is alpha times the share of normal rows.
        assert np.mean(shares) <= 0.8 * alpha + 3 * error
        assert np.mean(shares) >= 0.5 * alpha  # it is no empty promise
        assert np.mean(found) > 0.3


def test_p_values_agree_with_thresholds_next_to_an_error():
    """Both take the error of a row that is scored with others for the same."""
    rng = np.random.default_rng(0)
    known = rng.exponential(size=200) + 1e-4
    known[:50] = known[50:100] * (1 + 1e-6)
    fresh = np.ravel(known * (1 + np.array([[-2e-5], [0], [2e-6], [9e-6], [3e-5]])))
    for alpha in (0.05, 0.1, 0.3, 0.5):
        threshold = Conformal(alpha).fit(known).threshold_
        p_values = conformal_p_values(fresh, known)
        assert_array_equal(fresh > threshold, p_values <= alpha * (1 + 1e-9))


def test_the_threshold_is_slightly_above_an_error_and_below_the_next():
    """The row whose error it is has the same label when it is scored with others."""
    threshold = Conformal(0.4).fit([1.0, 2.0, 3.0, 4.0]).threshold_
    assert 3.0 * (1 + 9e-6) < threshold < 3.0 * (1 + 1.1e-5)
    close = 3.0 * (1 + 1.2e-5)
    threshold = Conformal(0.4).fit([1.0, 2.0, 3.0, close]).threshold_
    assert 3.0 * (1 + 5e-6) < threshold < close
