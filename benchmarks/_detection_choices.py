"""What else the default detector could have been: one choice changed at a time."""

from skae import DenseNetwork, GaussianNoise, ReconstructionOutlierDetector, SwapNoise

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
    "corruption=None": {"corruption": None},
    "noise of 0.5": {"corruption": GaussianNoise(0.5)},
    "noise of 0.1 to 1": {"corruption": GaussianNoise((0.1, 1.0))},
    "SwapNoise(0.3)": {"corruption": SwapNoise(0.3)},
    "a constant rate": {"learning_rate": None},
    "early stopping": {"validation_fraction": 0.05, "patience": 50},
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
        return ReconstructionOutlierDetector(**params)

    return make


#: A name, and a function from a Case to a detector.
CHOICES = {f"skae, {name}": _maker(changes) for name, changes in _CHANGES.items()}
