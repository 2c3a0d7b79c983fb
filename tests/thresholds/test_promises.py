"""The promises of the rules, on fresh draws, for detectors that train with early stop.

The mean over some fits, each on its own draw, is compared with the promise; the
allowance is the standard error of that mean. ``--log-cli-level=INFO`` shows the means.
"""

import logging

import numpy as np
import pytest

from skae import (
    BestF,
    Conformal,
    DenseNetwork,
    FalseAlarmRate,
    PeaksOverThreshold,
    Precision,
    ReconstructionOutlierDetector,
    benjamini_hochberg,
)

# By the number of rows. The rate of one fit has a standard deviation of 0.05, 0.022 and
# 0.008 (20, 100 and 1,000 rows are held out): a mean that is off by 0.02, 0.009 and
# 0.0065, four standard errors, is found with a probability of 84 %.
N_FITS = {50: 100, 500: 100, 5000: 25}
N_FRESH, ALPHA = 3000, 0.05
LOADINGS = np.random.default_rng(7).normal(size=(2, 5))
# By the number of rows: a risk that so many rows can say something about. Of 50 rows,
# 20 are held out, of 500 and of 5,000 a fifth.
RISKS = {
    50: PeaksOverThreshold(0.05, tail_fraction=0.5),
    500: PeaksOverThreshold(0.01),
    5000: PeaksOverThreshold(0.001),
}


def draw(rng, n, far=0.0):
    """Return rows of five features near a plane, or some way from it."""
    noise = rng.normal(size=(n, 5))
    return rng.normal(size=(n, 2)) @ LOADINGS + (0.3 + far) * noise


def detector(n, seed, epochs=30, **params):
    return ReconstructionOutlierDetector(
        2,
        network=DenseNetwork((8,)),
        epochs=epochs,
        patience=3,
        validation_fraction=0.1,
        learning_rate=0.02,
        batch_size=max(32, n // 10),
        random_state=seed,
        **{"corruption": None, "error": "standardized", **params},
    )


def exceedance(fitted, rule, errors):
    """Return the share of errors above the threshold of another rule."""
    fitted.set_params(threshold=rule).fit_threshold()
    return np.mean(errors > fitted.threshold_)


@pytest.fixture(scope="module", params=RISKS)
def simulated(request):
    """Shares of fresh rows that are flagged, for each rule one of each fit."""
    n, seen = request.param, {}

    def keep(name, value):
        seen.setdefault(name, []).append(value)

    stopped = 0
    for seed in range(N_FITS[n]):
        rng = np.random.default_rng([n, seed])
        n_outliers = n // 5
        X = np.vstack([draw(rng, n), draw(rng, n_outliers, far=1.0)])
        y = np.repeat([1, -1], [n, n_outliers])
        # The rule that holds out most, so that the others learn from the same rows.
        first = FalseAlarmRate(min(ALPHA, 1 / (RISKS[n].min_errors + 1)))
        fitted = detector(n, seed, threshold=first).fit(X, y)
        stopped += fitted.n_iter_ < 30
        new, new_outliers = draw(rng, N_FRESH), draw(rng, N_FRESH // 5, far=1.0)
        fresh, far = -fitted.score_samples(new), -fitted.score_samples(new_outliers)
        keep("in-sample", np.mean(fresh > np.quantile(fitted.train_errors_, 1 - ALPHA)))
        keep("conformal", exceedance(fitted, Conformal(ALPHA), fresh))
        p_values = fitted.p_values(np.vstack([new[:200], new_outliers[:40]]))
        selected = benjamini_hochberg(p_values, 0.2)
        keep("discoveries", selected[:200].sum() / max(1, selected.sum()))
        keep("risk", exceedance(fitted, RISKS[n], fresh))
        keep("rate", exceedance(fitted, FalseAlarmRate(ALPHA), fresh))
        keep("recall", np.mean(far > fitted.threshold_))
        if n > 50:  # of 10 outliers, too few are found for a bound on the precision
            false = N_FRESH * exceedance(fitted, Precision(0.5), fresh)
            found = np.sum(far > fitted.threshold_)
            keep("precision", found / max(1, found + false))
        fitted.set_params(threshold=BestF()).fit_threshold()
    assert stopped > N_FITS[n] / 4
    for name, values in seen.items():
        report(n, name, values)
    return n, len(fitted.train_errors_), {k: np.array(v) for k, v in seen.items()}


def standard_error(values):
    return np.std(values, ddof=1) / np.sqrt(len(values))


def report(n, name, values):
    """Log a mean over fits."""
    mean, error = np.mean(values), standard_error(values)
    logging.getLogger("promises").info(
        "%5d rows: %-11s %.5f, standard error %.5f", n, name, mean, error
    )


def conformal_error(n_held, n_fits, n_fresh=N_FRESH):
    """Return the exact mean of a conformal rate, and the standard error of a mean.

    Whatever the errors' distribution, the rate of a fit is Beta(m, n + 1 - m) with
    m = floor(alpha (n + 1)), and a count of fresh rows is binomial around it.
    """
    m = np.floor(ALPHA * (n_held + 1) + 1e-9)
    mean = m / (n_held + 1)
    between = mean * (1 - mean) / (n_held + 2)
    within = (mean * (1 - mean) - between) / n_fresh
    return mean, np.sqrt((between + within) / n_fits)


def test_conformal_rate(simulated):
    n, n_trained, seen = simulated
    mean, error = conformal_error(n - n_trained, N_FITS[n])
    assert mean <= ALPHA
    assert abs(seen["conformal"].mean() - mean) <= 3 * error


def test_the_simulation_finds_a_broken_promise(simulated):
    """Errors of training rows give a threshold that is too low where they are few."""
    n, _, seen = simulated
    excess = seen["in-sample"].mean() - ALPHA
    assert n > 500 or excess > 4 * standard_error(seen["in-sample"])


def test_risk_of_peaks_over_threshold(simulated):
    n, _, seen = simulated
    excess = seen["risk"].mean() - RISKS[n].risk
    assert excess <= 3 * standard_error(seen["risk"])
    assert seen["risk"].mean() >= RISKS[n].risk / 3


def test_false_alarm_rate_with_labels(simulated):
    _, _, seen = simulated
    assert seen["rate"].mean() <= ALPHA + 3 * standard_error(seen["rate"])
    assert seen["recall"].mean() > 0.3


def test_precision_with_labels(simulated):
    n, _, seen = simulated
    if n == 50:
        assert "precision" not in seen
        return
    assert seen["precision"].mean() >= 0.5 - 3 * standard_error(seen["precision"])


def test_share_of_false_discoveries(simulated):
    _, _, seen = simulated
    bound = 0.2 * 200 / 240  # the procedure's own: alpha times the share of normals
    assert seen["discoveries"].mean() <= bound + 3 * standard_error(seen["discoveries"])


@pytest.mark.parametrize("n", [50, 500])
def test_rate_of_cross_fitted_errors(n):
    """No theorem, but as many false alarms or fewer: rather too large errors."""
    rates = []
    for seed in range(40):  # of six networks each
        rng = np.random.default_rng([n, seed])
        params = {"threshold": Conformal(ALPHA), "threshold_on": "cv"}
        fitted = detector(n, seed, epochs=12, **params).fit(draw(rng, n))
        rates.append(np.mean(fitted.predict(draw(rng, N_FRESH)) == -1))
    report(n, "cv", rates)
    assert np.mean(rates) <= ALPHA + 3 * standard_error(rates)
    assert np.mean(rates) >= ALPHA / 2


def test_rate_of_a_stream():
    """The network still learns: errors of earlier rows are larger, alarms rarer."""
    rates = []
    for seed in range(100):
        rng = np.random.default_rng(seed)
        fitted = detector(100, seed, threshold=Conformal(ALPHA))
        for _ in range(10):
            fitted.partial_fit(draw(rng, 100))
        rates.append(np.mean(fitted.predict(draw(rng, N_FRESH)) == -1))
    report(1000, "stream", rates)
    assert np.mean(rates) <= ALPHA + 3 * standard_error(rates)
    assert np.mean(rates) >= ALPHA / 4


def test_conformal_rate_on_real_heartbeats(data_folder):
    with np.load(data_folder / "ecg5000.npz") as file:
        X = file["X"][file["y"] == 1]
    n_fits, n, rates = 20, 500, []
    for seed in range(n_fits):
        order = np.random.default_rng(seed).permutation(len(X))
        fitted = detector(n, seed, threshold=Conformal(ALPHA)).fit(X[order[:n]])
        rates.append(np.mean(fitted.predict(X[order[n:]]) == -1))
    report(n, "heartbeats", rates)
    mean, error = conformal_error(len(fitted.calibration_errors_), n_fits)
    assert abs(np.mean(rates) - mean) <= 3 * error


@pytest.mark.parametrize("n", [50, 500, 5000])
def test_conformal_rate_of_the_default_detector(n):
    """With corruption, codes and their neighbours, as a user gets it."""
    rates, n_held, n_fresh = [], 0, 1000
    for seed in range(N_FITS[n]):
        rng = np.random.default_rng([n, seed])
        fitted = ReconstructionOutlierDetector(
            threshold=Conformal(ALPHA),
            epochs=4,
            batch_size=max(32, n // 10),
            validation_fraction=0.1,
            patience=1,
            n_networks=2,
            random_state=seed,
        ).fit(draw(rng, n))
        n_held = len(fitted.calibration_errors_)
        rates.append(np.mean(fitted.predict(draw(rng, n_fresh)) == -1))
    report(n, "default", rates)
    mean, error = conformal_error(n_held, N_FITS[n], n_fresh)
    assert abs(np.mean(rates) - mean) <= 3 * error
