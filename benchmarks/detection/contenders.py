"""The contenders of ``detection.py``: the default detector, its rivals, other choices.

All are scikit-learn detectors, so that `skae.compare_detectors` takes them. None needs
to scale: the rows are standardised for all.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from harness.rivals import (
    NeighborDistance,
    PCAErrors,
    PyODDetector,
    PyODStatistics,
    TrainingLOF,
    missing,
)
from sklearn.ensemble import IsolationForest
from sklearn.neighbors import LocalOutlierFactor
from sklearn.svm import OneClassSVM

from skae import DenseNetwork, GaussianNoise, ReconstructionOutlierDetector, SwapNoise

OWN = "skae"


@dataclass(frozen=True)
class Case:
    """What a detector is made for."""

    seed: int
    scores_training_rows: bool  # no row is then a neighbour of its own
    training: dict[str, int]  # parameters of skae's estimators; none, unless quick
    is_quick: bool


Maker = Callable[[Case], Any]


def skae_default(case: Case) -> ReconstructionOutlierDetector:
    """Return the detector that a user gets who sets nothing."""
    return ReconstructionOutlierDetector(random_state=case.seed, **case.training)


# ---------------------------------------------------------------------------- rivals


def _lof(case: Case) -> Any:
    """Return LocalOutlierFactor as it is meant for the rows that are scored."""
    if case.scores_training_rows:
        return TrainingLOF()
    return LocalOutlierFactor(novelty=True)


def _pyod(name: str) -> Maker:
    """Return a function that makes a network of PyOD."""

    def make(case: Case) -> PyODDetector:
        params = {"epoch_num": 2} if case.is_quick else None
        return PyODDetector(name, random_state=case.seed, params=params)

    return make


def _pyod_alone(name: str) -> Maker:
    """Return a function that makes a detector of PyOD without a network."""
    return lambda case: PyODStatistics(name)


RIVALS: dict[str, Maker] = {
    "PCA": lambda case: PCAErrors(),
    "IsolationForest": lambda case: IsolationForest(random_state=case.seed),
    "LOF": _lof,
    "OneClassSVM": lambda case: OneClassSVM(),  # gamma="scale" is its default
    "5-NN": lambda case: NeighborDistance(
        scores_training_rows=case.scores_training_rows
    ),
    "PyOD ECOD": _pyod_alone("ECOD"),
    "PyOD COPOD": _pyod_alone("COPOD"),
    "PyOD HBOS": _pyod_alone("HBOS"),
    "PyOD AE": _pyod("AutoEncoder"),
    "PyOD VAE": _pyod("VAE"),
}
# Package: the contenders that need it, and PyTorch below some of them.
_WITH_TORCH = "PyOD AE", "PyOD VAE"
OPTIONAL = {
    "pyod": ("PyOD ECOD", "PyOD COPOD", "PyOD HBOS", *_WITH_TORCH),
    "torch": _WITH_TORCH,
}


# --------------------------------------------------------------------- other choices

_CHANGES: dict[str, dict[str, Any]] = {
    "error='mse'": {"error": "mse", "n_networks": 3},
    "error='standardized'": {"error": "standardized", "n_networks": 3},
    "without distances": {"error": "whitened", "n_networks": 3},
    "one network": {"n_networks": 1},
    "five networks": {"n_networks": 5},
    "corruption=None": {"corruption": None},
    "noise of 0.5": {"corruption": GaussianNoise(0.5)},
    "noise up to 2": {"corruption": GaussianNoise((0.1, 2.0))},
    "SwapNoise(0.3)": {"corruption": SwapNoise(0.3)},
    "a constant rate": {"learning_rate": None},
    "60 epochs": {"epochs": 60},
    "a code of 8": {"latent_dim": 8},
    "a code of 32": {"latent_dim": 32},
    "256 units, code of 256": {
        "network": DenseNetwork((256,), latent_activation="relu"),
        "latent_dim": 256,
    },
}


def _changed(changes: dict[str, Any]) -> Maker:
    """Return a function that makes the default detector with some changes."""

    def make(case: Case) -> Any:
        params = {**changes, "random_state": case.seed, **case.training}
        return params.pop("class", ReconstructionOutlierDetector)(**params)

    return make


CHOICES = {f"{OWN}, {name}": _changed(changes) for name, changes in _CHANGES.items()}
ALL = {OWN: skae_default} | RIVALS | CHOICES


def available(
    names: list[str] | None = None,
    optional: dict[str, tuple[str, ...]] = OPTIONAL,
) -> tuple[dict[str, Maker], tuple[str, ...]]:
    """Return the contenders that can run, by name, and sentences on the others.

    Without names, they are the default detector and its rivals.
    """
    chosen = names or [OWN, *RIVALS]
    packages = missing(optional)
    absent = {name for needed in packages.values() for name in needed}
    makers = {name: ALL[name] for name in chosen if name not in absent}
    left_out = [name for name in chosen if name in absent]
    if not left_out:
        return makers, ()
    return makers, (
        f"Not installed ({', '.join(packages)}), and so not compared: "
        f"{', '.join(left_out)}.",
    )


def known(text: str) -> list[str]:
    """Return the contenders that a command line names."""
    names = text.split(",")
    unknown = [name for name in names if name not in ALL]
    if unknown:
        raise ValueError(
            f"{unknown[0]!r} does not compete; choose from {', '.join(ALL)}"
        )
    return names
