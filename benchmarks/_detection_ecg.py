"""The job of ``detection.py`` on heartbeats."""

import numpy as np
from _detection import JOBS, options_of, warm_up, without_advice
from _detection_findings import AUC, OWN, PRECISION
from _detection_rivals import Case, contenders
from _ecg import ecg_split
from _jobs import Findings, Job
from _measurements import Bar, collect
from sklearn.preprocessing import StandardScaler

from skae import Conformal, Contamination, Quantile, ReconstructionOutlierDetector
from skae.model_selection import compare_detectors

SERIES = "skae, as series"
AUC_BAR = Bar(">=", 0.996, of_every=True)
# Threshold rules whose share of false alarms is measured: a name, a rule, and the share
# that it promises, or None.
RULES = {
    "Contamination(0.1)": (Contamination(0.1), None),
    "Quantile(0.95)": (Quantile(0.95), None),
    "Conformal(0.05)": (Conformal(0.05), 0.05),
}
FLAGGED, OFF, FOUND = (
    "normal beats flagged",
    "normal beats flagged, off the promised share",
    "odd beats found",
)
OFF_BAR, FOUND_BAR = Bar("<=", 0.02, of_every=True), Bar(">=", 0.95, of_every=True)
COST = "ROC AUC that the two oddest normal beats cost"
QUANTITIES = {
    AUC: "roc_auc",
    PRECISION: "average_precision",
    "fit, seconds": "fit_seconds",
}


def ecg(size):
    """Odd heartbeats of ECG5000, by the same contenders.

    Split as the tutorials split it: trained on the normal beats of the training part,
    scored on the test part. All contenders get tables of 140 columns, standardised by
    these normal beats. "as series" is the default detector on the same beats as what
    they are, (n, 140, 1) in their own units: its scaler then has one scale for all of a
    beat. The shares of normal beats that the default detector flags, and of odd ones
    that it finds, are measured for some threshold rules. Two normal beats look odder to
    it than nearly all odd ones do: what they alone cost is measured, too.
    """
    options = options_of(size)
    makers, notes = contenders(options.contenders)
    split = ecg_split(size)
    beats = np.concatenate([split.X_train, split.X_test])
    X = StandardScaler().fit(split.normals).transform(beats)
    y = np.concatenate([split.y_train, split.y_test])
    n_train = len(split.y_train)
    cv = [(np.arange(n_train), np.arange(n_train, len(y)))]
    own = {OWN: X, SERIES: beats[:, :, np.newaxis]} if OWN in makers else {}
    warm_up(makers, size)
    rounds = []
    for seed in size.seeds:
        case = Case(seed, False, size.training(), size.is_quick)
        detectors = {name: make(case) for name, make in makers.items()}
        with without_advice():
            found = _compared(detectors, X, y, cv)
        if own:
            found |= _compared({SERIES: makers[OWN](case)}, own[SERIES], y, cv)
        for name, rows in own.items():
            found[COST, name] = _cost_of_two(makers[OWN](case), rows, y, n_train)
            found |= _alarms(name, case, rows, y, cv)
        rounds.append(found)
    bars = {(AUC, name): AUC_BAR for name in own}
    for name in own:
        for rule, (_, promised) in RULES.items():
            if promised is not None:
                bars[OFF, f"{name}, {rule}"] = OFF_BAR
                bars[FOUND, f"{name}, {rule}"] = FOUND_BAR
    return Findings(collect(rounds, bars), notes)


def _compared(detectors, X, y, cv):
    """Return how well detectors find the odd beats, and how fast they fit."""
    table = compare_detectors(detectors, X, y, cv=cv)
    return {
        (quantity, name): table.loc[name, key]
        for quantity, key in QUANTITIES.items()
        for name in detectors
    }


def _cost_of_two(detector, X, y, n_train):
    """Return the ROC AUC that two normal test rows take: those that rank as oddest."""
    detector.fit(X[:n_train], y[:n_train])
    scores, y = detector.score_samples(X[n_train:]), y[n_train:]
    costs = [np.mean(scores[y == -1] > score) for score in scores[y == 1]]
    return float(np.sum(np.sort(costs)[-2:]) / len(costs))


def _alarms(own, case, X, y, cv):
    """Return the default detector's shares of flagged beats, by threshold rule."""
    detectors = {
        f"{own}, {name}": ReconstructionOutlierDetector(
            threshold=rule, random_state=case.seed, **case.training
        )
        for name, (rule, _) in RULES.items()
    }
    table = compare_detectors(detectors, X, y, cv=cv)
    found = {
        (quantity, name): table.loc[name, key]
        for quantity, key in ((FLAGGED, "false_alarm_rate"), (FOUND, "recall"))
        for name in detectors
    }
    for name, (_, promised) in RULES.items():
        if promised is not None:
            flagged = found[FLAGGED, f"{own}, {name}"]
            found[OFF, f"{own}, {name}"] = abs(flagged - promised)
    return found


JOBS.add(Job("ecg", ecg))
