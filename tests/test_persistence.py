"""Estimators on disk: pickles know their version, skops loads without running code."""

import copy
import importlib
import inspect
import pickle
import subprocess
import sys
import warnings

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.exceptions import InconsistentVersionWarning
from sklearn.preprocessing import FunctionTransformer, RobustScaler

import skae
from skae import (
    IQR,
    MAD,
    AutoencoderTransformer,
    BestF,
    Conformal,
    Contamination,
    ConvNetwork,
    DenoisingRegressor,
    DenseNetwork,
    FalseAlarmRate,
    FixedThreshold,
    GaussianNoise,
    MaskingNoise,
    MeanStd,
    PeaksOverThreshold,
    Precision,
    Quantile,
    ReconstructionOutlierDetector,
    RecurrentNetwork,
    SaltAndPepperNoise,
    SlidingWindowDetector,
    SwapNoise,
    VariationalNetwork,
)
from skae import _engine as engine

FAMILIES = [
    DenseNetwork((4,), tied_weights=True),
    ConvNetwork((2,), input_shape=(3, 2, 1)),
    VariationalNetwork(DenseNetwork((4,))),
    RecurrentNetwork((3,), input_shape=(3, 2)),
]
RULES = [MeanStd(), Quantile(0.9), Contamination(), FixedThreshold(1.0), MAD(), IQR()]
RULES += [Conformal(0.2), PeaksOverThreshold(tail_fraction=0.3), BestF()]
RULES += [Precision(0.01), FalseAlarmRate(0.2)]


@pytest.fixture(scope="module")
def X():
    return np.random.default_rng(0).normal(size=(80, 6))


@pytest.fixture
def untrained(monkeypatch):
    """Trainings that leave weights drawn at random: TensorFlow is not needed."""

    def train(spec, rows, *others):
        layers = spec.architecture.layers.all
        rng, weights = np.random.default_rng(0), []
        for layer in layers:
            for name, shape in layer.variables:
                weights.append(spec.architecture.network.draw_weight(name, shape, rng))
        latent = spec.architecture.layers.latent_shape or (2,)
        first = {"first_weights": weights}
        return engine.Trained(
            engine.State(weights), {"loss": [1.0]}, {}, latent, **first
        )

    monkeypatch.setattr(engine, "train", train)


def estimators(X, families=FAMILIES[:3]):
    """Yield fitted estimators of all kinds."""
    y = np.where(np.arange(len(X)) % 8 == 0, -1, 1)
    params = {"epochs": 1, "random_state": 0}
    for rule in RULES:
        detector = ReconstructionOutlierDetector(threshold=rule, n_networks=1, **params)
        yield detector.set_params(error="mse").fit(X, y)
    for network in families:
        yield AutoencoderTransformer(2, network=clone(network), **params).fit(X)
        yield ReconstructionOutlierDetector(2, network=network, **params).fit(X)
        yield DenoisingRegressor(2, network=network, **params).fit(X, X)
    for scaler in ("minmax", "common", None, RobustScaler()):
        yield DenoisingRegressor(scaler=scaler, **params).fit(X, X[:, :2])
    for noise in (GaussianNoise(), MaskingNoise(), SaltAndPepperNoise(), SwapNoise()):
        yield DenoisingRegressor(corruption=noise, **params).fit(X)
    yield ReconstructionOutlierDetector(error="nearest", **params).partial_fit(X)
    yield AutoencoderTransformer(allow_nan=True, **params).partial_fit(X)
    yield SlidingWindowDetector(ReconstructionOutlierDetector(**params), 8).fit(X)


def output(fitted, X):
    method = "score_samples" if hasattr(fitted, "score_samples") else "predict"
    return getattr(fitted, method)(X)


# --------------------------------------------------------------------- versions


@pytest.mark.parametrize(
    "estimator",
    [AutoencoderTransformer, DenoisingRegressor, ReconstructionOutlierDetector],
)
@pytest.mark.parametrize("version", ["0.0.1", None])
def test_a_pickle_of_another_version_warns(estimator, version, monkeypatch):
    made = estimator(latent_dim=3)
    payload = pickle.dumps(made)
    for again in (pickle.loads(payload), clone(made), copy.deepcopy(made)):
        assert again.get_params() == made.get_params()
        assert vars(again).keys() == vars(made).keys()
    if version is None:  # as before versions were kept
        monkeypatch.setattr(estimator, "__getstate__", lambda self: vars(self))
        payload = pickle.dumps(made)
        monkeypatch.undo()
    else:
        with monkeypatch.context() as patch:
            patch.setattr(skae, "__version__", version)
            payload = pickle.dumps(made)
    with pytest.warns(
        InconsistentVersionWarning,
        match=f"{estimator.__name__} from version {version or 'unknown'} of skae when "
        f"using version {skae.__version__} of skae",
    ):
        again = pickle.loads(payload)
    assert again.get_params() == made.get_params()


# ------------------------------------------------------------------ types of skops


def types_within(value, seen):
    """Add the names of all types of skae of which a value is made."""
    if id(value) in seen[0]:
        return
    seen[0][id(value)] = value
    kind = type(value)
    if kind.__module__.startswith("skae"):
        seen[1].add(f"{kind.__module__}.{kind.__qualname__}")
        parts = [] if isinstance(value, tuple) else [value.__getstate__()]
    else:
        parts = []
    if isinstance(value, dict):
        parts += [*value.keys(), *value.values()]
    elif isinstance(value, (list, tuple)):
        parts += value
    for part in parts:
        types_within(part, seen)


@pytest.mark.filterwarnings("ignore:overflow", "ignore:invalid value")
def test_the_trusted_types_are_those_of_fitted_estimators(X, untrained):
    found = set()
    for fitted in estimators(X, [*FAMILIES[:3], DenseNetwork()]):
        types_within(fitted, ({}, found))
    assert found | {"skae.networks._recurrent.RecurrentNetwork"} == set(
        skae.SKOPS_TRUSTED
    )
    assert len(set(skae.SKOPS_TRUSTED)) == len(skae.SKOPS_TRUSTED)


def test_trusted_types_hold_no_code():
    for name in skae.SKOPS_TRUSTED:
        module, _, kind = name.rpartition(".")
        assert inspect.isclass(getattr(importlib.import_module(module), kind))
    assert not any(
        "Keras" in name or "Blueprint" in name for name in skae.SKOPS_TRUSTED
    )


LOADING = """
import sys
import numpy as np
import skae
from pathlib import Path
from skops.io import load

folder = Path(sys.argv[1])
X = np.load(folder / "X.npy")
for file in sorted(folder.glob("*.skops")):
    fitted = load(file, trusted=skae.SKOPS_TRUSTED)
    method = "score_samples" if hasattr(fitted, "score_samples") else "predict"
    np.save(file.with_suffix(".npy"), getattr(fitted, method)(X))
"""


@pytest.mark.slow
def test_skops_loads_the_same_in_a_fresh_process(X, tmp_path):
    io = pytest.importorskip("skops.io", reason="skops is not installed")
    np.save(tmp_path / "X.npy", X)
    expected = {}
    for number, fitted in enumerate(estimators(X, FAMILIES)):
        io.dump(fitted, tmp_path / f"{number}.skops")
        expected[number] = output(fitted, X)
    subprocess.run([sys.executable, "-c", LOADING, str(tmp_path)], check=True)
    for number, values in expected.items():
        assert np.array_equal(np.load(tmp_path / f"{number}.npy"), values), number


def test_skops_refuses_what_may_hold_code(X):
    io = pytest.importorskip("skops.io", reason="skops is not installed")
    transformer = AutoencoderTransformer(
        2, scaler=FunctionTransformer(np.add), epochs=1, random_state=0
    )
    payload = io.dumps(transformer)
    assert io.get_untrusted_types(data=payload)
    with pytest.raises(TypeError, match="Untrusted types found"):
        io.loads(payload, trusted=[])


def test_skops_keeps_the_version(monkeypatch):
    io = pytest.importorskip("skops.io", reason="skops is not installed")
    with monkeypatch.context() as patch:
        patch.setattr(skae, "__version__", "0.0.1")
        payload = io.dumps(AutoencoderTransformer())
    with pytest.warns(InconsistentVersionWarning, match="from version 0.0.1 of skae"):
        io.loads(payload, trusted=skae.SKOPS_TRUSTED)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        io.loads(io.dumps(AutoencoderTransformer()), trusted=skae.SKOPS_TRUSTED)
