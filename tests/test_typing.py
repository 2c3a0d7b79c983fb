"""Annotations: every public signature has them, and a type checker can use them."""

import importlib
import inspect
import re
import subprocess
import sys
from pathlib import Path

import pytest

import skae

ROOT = Path(skae.__file__).parents[1]

USER_CODE = """\
from typing import assert_type

import numpy as np

import skae
from skae import (
    AutoencoderTransformer,
    DenoisingRegressor,
    DenseNetwork,
    GaussianNoise,
    InlierKFold,
    MeanStd,
    ReconstructionOutlierDetector,
    make_heartbeats,
)

X, y = make_heartbeats(n_samples=200, random_state=0)
detector = ReconstructionOutlierDetector(
    latent_dim=4, epochs=3, threshold=MeanStd(2), memory="cache", random_state=0
)
assert_type(detector.fit(X, y), ReconstructionOutlierDetector)
labels: np.ndarray = detector.predict([[0.0] * 140])
assert_type(detector.set_params(threshold=0.5), ReconstructionOutlierDetector)
transformer = AutoencoderTransformer(
    8, network=DenseNetwork((64,), activation="gelu"), scaler=None, engine="keras"
)
codes: np.ndarray = transformer.fit(X).transform(X)
DenoisingRegressor(corruption=GaussianNoise(0.2), epochs="auto").fit(X).predict(X)
for train, test in InlierKFold(3).split(X, y):
    skae.metrics.psnr(X[train], X[train])
skae.thresholds.Quantile(0.9).fit(np.ones(10))

ReconstructionOutlierDetector(epochs="x")  # error: arg-type
ReconstructionOutlierDetector(epoch=3)  # error: call-arg
AutoencoderTransformer(engine="torch")  # error: arg-type
AutoencoderTransformer(8, DenseNetwork())  # error: call-arg
DenoisingRegressor(corruption=0.2)  # error: arg-type
DenseNetwork(hidden_units="wide")  # error: arg-type
MeanStd(n_std="two")  # error: arg-type
detector.predict()  # error: call-arg
skae.PCA  # error: attr-defined
skae.networks.import_quietly  # error: attr-defined
"""


def public_callables():
    """Yield (name, function) of the public functions, classes and their methods."""
    names = {}
    modules = [getattr(skae, name) for name in skae.__all__ if name != "__version__"]
    for module in [skae, *filter(inspect.ismodule, modules)]:
        for name in module.__all__:
            value = getattr(module, name)
            if inspect.isclass(value) or inspect.isfunction(value):
                names.setdefault(f"{value.__module__}.{value.__qualname__}", value)
    names["skae.__main__.main"] = importlib.import_module("skae.__main__").main
    for name, value in sorted(names.items()):
        if not inspect.isclass(value):
            yield name, value
            continue
        for base in value.__mro__:
            if not base.__module__.startswith("skae"):
                continue
            for method, found in vars(base).items():
                if method.startswith("_") and method != "__init__":
                    continue
                function = getattr(found, "__func__", None)  # a class method
                function = function or getattr(found, "fget", None)  # a property
                function = function or getattr(found, "fn", None) or found
                if inspect.isfunction(function):
                    yield f"{base.__module__}.{base.__qualname__}.{method}", function


def test_public_signatures_are_annotated():
    offenders = {}
    for name, function in public_callables():
        signature = inspect.signature(function)  # follows __wrapped__
        missing = [
            parameter.name
            for parameter in signature.parameters.values()
            if parameter.annotation is parameter.empty
            and parameter.name not in ("self", "cls")
        ]
        is_init = name.endswith(".__init__")
        if signature.return_annotation is signature.empty and not is_init:
            missing.append("return")
        if missing:
            offenders[name] = ", ".join(missing)
    table = "\n".join(f"{name}: {missing}" for name, missing in offenders.items())
    assert not offenders, f"{len(offenders)} without annotations:\n{table}"


@pytest.mark.parametrize("package", ["skae", "skae.metrics", "skae.datasets"])
def test_an_editor_completes_public_names(package):
    """Without running anything: jedi reads the stubs."""
    jedi = pytest.importorskip("jedi")
    project = jedi.Project(ROOT)
    code = f"import {package}\n{package}."
    found = {one.name for one in jedi.Script(code, project=project).complete()}
    public = {*importlib.import_module(package).__all__} - {"__version__"}
    assert public <= found
    found -= {"onnx"}  # needs an extra: imported by its own name
    assert {name for name in found if not name.startswith("_")} == public


@pytest.mark.parametrize("name", ["ReconstructionOutlierDetector", "DenseNetwork"])
def test_an_editor_shows_parameters(name):
    jedi = pytest.importorskip("jedi")
    script = jedi.Script(
        f"from skae import {name}\n{name}(", project=jedi.Project(ROOT)
    )
    (shown,) = script.get_signatures()
    expected = list(inspect.signature(getattr(skae, name)).parameters)
    assert [one.name for one in shown.params if one.name != "*"] == expected


@pytest.mark.slow
def test_mypy_passes_skae_and_knows_misuse(tmp_path):
    """Errors are those that the sample of user code marks, and no others."""
    if not (ROOT / "pyproject.toml").exists():
        pytest.skip("not a checkout: the configuration is that of the repository")
    sample = tmp_path / "user_code.py"
    sample.write_text(USER_CODE)
    expected = {
        (str(sample), number, code)
        for number, line in enumerate(USER_CODE.splitlines(), start=1)
        for code in re.findall(r"# error: (.+)", line)
    }
    done = subprocess.run(
        [sys.executable, "-m", "mypy", "--cache-dir", tmp_path / "cache"]
        + ["--no-error-summary", "skae", sample],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert not done.stderr
    found = {
        (file, int(number), code): text
        for file, number, text, code in re.findall(
            r"^(.+?):(\d+): error: (.+)  \[(.+)\]$", done.stdout, re.MULTILINE
        )
    }
    wrong = [
        f"{file}:{number}: {found[file, number, code]} [{code}]"
        for file, number, code in sorted(found.keys() - expected)
    ]
    missed = [
        f"no error in {USER_CODE.splitlines()[number - 1]}"
        for _, number, _ in sorted(expected - found.keys())
    ]
    assert not wrong + missed, "\n" + "\n".join(wrong + missed)
