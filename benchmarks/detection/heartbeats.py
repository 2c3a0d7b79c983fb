"""The job of ``detection.py`` on heartbeats."""

from __future__ import annotations

from typing import Any

import numpy as np
from harness.data import ecg_split
from harness.jobs import Bar, Findings, Key, Size, collect
from sklearn.preprocessing import StandardScaler

from detection import JOBS, options_of, warm_up, without_advice
from detection.contenders import OWN, Case, available
from detection.findings import AUC, PRECISION
from skae import (
    Conformal,
    Contamination,
    Quantile,
    ReconstructionOutlierDetector,
    compare_detectors,
)

# The same beats in their own units, and in units of each column's deviation.
FORMS = ("", ", standardised")
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


@JOBS.job("ecg")
def ecg(size: Size) -> Findings:
    """Odd heartbeats of ECG5000, by the same contenders.

    Split as the tutorials split it: trained on the normal beats of the training part,
    scored on the test part. All contenders get tables of 140 columns: the beats in
    their own units, as anybody would pass them first, and standardised by the normal
    beats. skae's default detector sees that the columns of the first are one quantity,
    and gives them one scale. The shares of normal beats that it flags, and of odd ones
    that it finds, are measured for some threshold rules. Two normal beats may look
    odder than nearly all odd ones: what they alone cost is measured, too.
    """
    options = options_of(size)
    makers, notes = available(options.contenders)
    split = ecg_split(size)
    beats = np.concatenate([split.X_train, split.X_test])
    scaler = StandardScaler().fit(split.normals)
    forms = dict(zip(FORMS, (beats, scaler.transform(beats)), strict=True))
    y = np.concatenate([split.y_train, split.y_test])
    n_train = len(split.y_train)
    cv = [(np.arange(n_train), np.arange(n_train, len(y)))]
    warm_up(makers)
    rounds = []
    for seed in size.seeds:
        case, found = Case(seed, False, size.training(), size.is_quick), {}
        for form, X in forms.items():
            detectors = {name + form: make(case) for name, make in makers.items()}
            with without_advice():
                found |= _compared(detectors, X, y, cv)
            if OWN in makers:
                found[COST, OWN + form] = _cost_of_two(makers[OWN](case), X, y, n_train)
                found |= _alarms(OWN + form, case, X, y, cv)
        rounds.append(found)
    bars = {}
    if OWN in makers:
        bars[AUC, OWN] = AUC_BAR
        for rule, (_, promised) in RULES.items():
            if promised is not None:
                bars[OFF, f"{OWN}, {rule}"] = OFF_BAR
                bars[FOUND, f"{OWN}, {rule}"] = FOUND_BAR
    return Findings(collect(rounds, bars), notes)


def _compared(
    detectors: dict[str, Any], X: np.ndarray, y: np.ndarray, cv: Any
) -> dict[Key, float]:
    """Return how well detectors find the outliers, and how fast they fit."""
    table = compare_detectors(detectors, X, y, cv=cv)
    return {
        (quantity, name): table.loc[name, key]
        for quantity, key in QUANTITIES.items()
        for name in detectors
    }


def _cost_of_two(
    detector: ReconstructionOutlierDetector, X: np.ndarray, y: np.ndarray, n_train: int
) -> float:
    """Return the ROC AUC that two normal test rows cost: those with lowest scores."""
    detector.fit(X[:n_train], y[:n_train])
    scores, y = detector.score_samples(X[n_train:]), y[n_train:]
    costs = [np.mean(scores[y == -1] > score) for score in scores[y == 1]]
    return float(np.sum(np.sort(costs)[-2:]) / len(costs))


def _alarms(
    own: str, case: Case, X: np.ndarray, y: np.ndarray, cv: Any
) -> dict[Key, float]:
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
