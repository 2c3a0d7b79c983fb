"""What else the default detector could have been: one choice changed at a time."""

from dataclasses import dataclass, replace

import numpy as np

from skae import DenseNetwork, GaussianNoise, ReconstructionOutlierDetector, SwapNoise
from skae._row_errors import LatentScorer

# What says how unusual a place is, of the distances by rows, codes and wide.
PLACES = {
    "rows": lambda rows, codes, wide: rows,
    "codes": lambda rows, codes, wide: codes,
    "wide": lambda rows, codes, wide: wide,
    "codes and wide": lambda rows, codes, wide: np.maximum(codes, wide),
    "rows and wide": lambda rows, codes, wide: np.maximum(rows, wide),
}


@dataclass(frozen=True)
class OtherScorer(LatentScorer):
    """The default error with another of the PLACES."""

    place: str = ""

    def _joined(self, squared, distances):
        scaled = np.moveaxis(self.scales[:, :, None] * distances, 1, 0)
        far = np.maximum(PLACES[self.place](*scaled), self.floors[:, None])
        return np.sqrt(squared * far)


class OtherPlace(ReconstructionOutlierDetector):
    """The default detector with another of the PLACES, which subclasses name."""

    def fit(self, X, y=None, sample_weight=None, **params):
        super().fit(X, y, sample_weight, **params)
        self._scorer = OtherScorer(**vars(self._scorer), place=self.place)
        return self.fit_threshold(X, y)


class RowsOnly(OtherPlace):
    """The 5 nearest rows are what counts."""

    place = "rows"


class CodesOnly(OtherPlace):
    """The 5 nearest codes say it."""

    place = "codes"


class WideOnly(OtherPlace):
    """The nearest tenth of the codes says it."""

    place = "wide"


class NoRows(OtherPlace):
    """The nearest codes and the nearest tenth of them say it."""

    place = "codes and wide"


class NoCodes(OtherPlace):
    """The nearest rows and the nearest tenth of the codes say it."""

    place = "rows and wide"


class ManySteps(ReconstructionOutlierDetector):
    """Twice as many steps."""

    def _train(self, training, *args, **params):
        settings = training.settings
        budget = replace(settings.budget, steps=2 * settings.budget.steps)
        training = replace(training, settings=replace(settings, budget=budget))
        return super()._train(training, *args, **params)


_CHANGES = {
    "error='mse'": {"error": "mse"},
    "the nearest rows only": {"class": RowsOnly},
    "the nearest codes only": {"class": CodesOnly},
    "the wide neighbours only": {"class": WideOnly},
    "without the nearest rows": {"class": NoRows},
    "without the nearest codes": {"class": NoCodes},
    "one network": {"n_networks": 1},
    "five networks": {"n_networks": 5},
    "corruption=None": {"corruption": None},
    "noise of 0.5": {"corruption": GaussianNoise(0.5)},
    "SwapNoise(0.3)": {"corruption": SwapNoise(0.3)},
    "a constant rate": {"learning_rate": None},
    "early stopping": {"validation_fraction": 0.05, "patience": 50, "n_networks": 2},
    "twice the steps": {"class": ManySteps},
    "200 epochs": {"epochs": 200},
    "a code of 8": {"latent_dim": 8},
    "a code of 32": {"latent_dim": 32},
    "one hidden layer": {"network": DenseNetwork((256,))},
}


def _maker(changes):
    def make(case):
        params = {**changes, "random_state": case.seed, **case.training}
        kind = params.pop("class", ReconstructionOutlierDetector)
        return kind(**params)

    return make


#: A name, and a function from a Case to a detector.
CHOICES = {f"skae, {name}": _maker(changes) for name, changes in _CHANGES.items()}
