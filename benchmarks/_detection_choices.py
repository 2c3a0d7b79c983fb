"""What else the default detector could have been: one choice changed at a time."""

from dataclasses import replace

import numpy as np
from sklearn.preprocessing import QuantileTransformer, RobustScaler

from skae import DenseNetwork, GaussianNoise, ReconstructionOutlierDetector, SwapNoise
from skae._latent_error import LatentMeasure
from skae._neighbors import CodeNeighbors, Crowd


class OneDistance(ReconstructionOutlierDetector):
    """The default detector with one of the two distances of codes in the other's place.

    A subclass has it as ``distance``.
    """

    def _learned_measure(self, autoencoder, table):
        codes = self.distance.of(table.X, encode=autoencoder.encode)
        measure = LatentMeasure(codes, codes)
        return measure.scaled_by(autoencoder, table.X, table.weight)


class NearestOnly(OneDistance):
    """The 5 nearest codes say how odd a code is."""

    distance = CodeNeighbors


class CrowdOnly(OneDistance):
    """The nearest tenth of the codes says how odd a code is."""

    distance = Crowd


class ProductMeasure(LatentMeasure):
    """The geometric mean of the two distances, where the larger of them is."""

    def _of(self, squared, near, far):
        product = np.sqrt(self.scales[0] * near * self.scales[1] * far)
        return np.sqrt(squared * np.maximum(product, self.floor))


class BothDistances(ReconstructionOutlierDetector):
    """Both distances say how odd a code is, not the larger one alone."""

    def _learned_measure(self, autoencoder, table):
        measure = ProductMeasure(
            CodeNeighbors.of(table.X, encode=autoencoder.encode),
            Crowd.of(table.X, encode=autoencoder.encode),
        )
        return measure.scaled_by(autoencoder, table.X, table.weight)


class FewEpochs(ReconstructionOutlierDetector):
    """As many steps, but fewer epochs where rows are few."""

    most_epochs = 30

    @property
    def _budget(self):
        return replace(super()._budget, most_epochs=self.most_epochs)


class ManyEpochs(FewEpochs):
    """As many steps, but more epochs where rows are few."""

    most_epochs = 200


# The code of 4 between two layers of 768 that was the default before.
_BOTTLENECK = {
    "latent_dim": 4,
    "network": DenseNetwork(),
    "learning_rate": None,
    "validation_fraction": 0.05,
    "patience": 50,
    "corruption": None,
    "error": "standardized",
}
_CHANGES = {
    "error='mse'": {"error": "mse"},
    "error='mae'": {"error": "mae"},
    "error='standardized'": {"error": "standardized"},
    "the 5 nearest codes only": {"class": NearestOnly},
    "the nearest tenth only": {"class": CrowdOnly},
    "both distances": {"class": BothDistances},
    "one network": {"n_networks": 1},
    "five networks": {"n_networks": 5},
    "corruption=None": {"corruption": None},
    "noise of 0.5": {"corruption": GaussianNoise(0.5)},
    "noise of 0.1 to 1": {"corruption": GaussianNoise((0.1, 1.0))},
    "SwapNoise(0.3)": {"corruption": SwapNoise(0.3)},
    "RobustScaler": {"scaler": RobustScaler()},
    "QuantileTransformer": {
        "scaler": QuantileTransformer(output_distribution="normal", n_quantiles=100)
    },
    "a constant rate": {"learning_rate": None},
    "early stopping": {"validation_fraction": 0.05, "patience": 50, "n_networks": 2},
    "at most 30 epochs": {"class": FewEpochs},
    "at most 200 epochs": {"class": ManyEpochs},
    "15 epochs": {"epochs": 15},
    "200 epochs": {"epochs": 200},
    "a code of 4": {"latent_dim": 4},
    "a code of 32": {"latent_dim": 32},
    "one hidden layer": {"network": DenseNetwork((256,))},
    "narrower layers": {"network": DenseNetwork((64, 32))},
    "the bottleneck of before": _BOTTLENECK,
}


def _maker(changes):
    def make(case):
        params = {**changes, "random_state": case.seed, **case.training}
        kind = params.pop("class", ReconstructionOutlierDetector)
        return kind(**params)

    return make


#: A name, and a function from a Case to a detector.
CHOICES = {f"skae, {name}": _maker(changes) for name, changes in _CHANGES.items()}
