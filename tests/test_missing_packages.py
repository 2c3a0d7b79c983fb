"""Where a declared package is missing all the same: what does without it works."""

import subprocess
import sys
import textwrap

import pytest

BLOCKED = """
    import importlib.abc, sys

    class Missing(importlib.abc.MetaPathFinder):
        def find_spec(self, name, path=None, target=None):
            if name.partition(".")[0] in {packages!r}:
                raise ModuleNotFoundError(f"No module named {{name!r}}", name=name)

    sys.meta_path.insert(0, Missing())
"""
OPTIONAL = ["tensorflow", "keras", "scikeras", "pandas", "matplotlib", "pooch", "dask"]


def run(code, *arguments, packages=OPTIONAL):
    """Run code in a process without these packages."""
    blocked = textwrap.dedent(BLOCKED).format(packages=set(packages))
    return subprocess.run(
        [sys.executable, "-c", blocked + textwrap.dedent(code), *arguments],
        capture_output=True,
        text=True,
        check=False,
    )


def test_what_needs_no_package_works_and_the_rest_names_it(tmp_path):
    code = """
        import pickle
        import numpy as np
        import skae
        from skae._engine import _numpy

        _numpy.fastest = lambda *args: "xla"  # as of a training that is long enough
        X = np.random.default_rng(0).normal(size=(60, 6))
        quick = {"epochs": 2, "random_state": 0}
        detector = skae.ReconstructionOutlierDetector(**quick, error="mse").fit(X)
        pickle.loads(pickle.dumps(detector)).predict(X)
        skae.ReconstructionOutlierDetector(**quick).fit(X).score_samples(X)
        skae.AutoencoderTransformer(2, **quick).fit_transform(X)
        noise = skae.GaussianNoise(0.1)
        skae.DenoisingRegressor(corruption=noise, **quick).fit(X).predict(X)
        convolutional = skae.ConvNetwork((2,), input_shape=(6, 1))
        skae.AutoencoderTransformer(network=convolutional, **quick).fit(X)
        recurrent = skae.RecurrentNetwork((2,))
        series = X.reshape(60, 6, 1)
        calls = [
            lambda: skae.AutoencoderTransformer(network=recurrent, **quick).fit(series),
            lambda: skae.AutoencoderTransformer(engine="keras", **quick).fit(X),
            lambda: skae.AutoencoderTransformer(optimizer="lion", **quick).fit(X),
            detector.to_keras,
            lambda: detector.explain(X),
            lambda: skae.compare_detectors({"one": detector}, X, np.ones(60)),
            lambda: skae.LossCurveDisplay.from_estimator(detector),
            lambda: skae.ErrorHistogramDisplay.from_estimator(detector, X),
            lambda: skae.ReconstructionDisplay.from_estimator(detector, X),
            lambda: skae.FeatureErrorDisplay.from_estimator(detector, X[:1]),
            lambda: skae.LatentSpaceDisplay.from_estimator(detector, X),
            lambda: skae.fetch_mnist(data_home=sys.argv[1]),
        ]
        for call in calls:
            try:
                call()
                print("nothing")
            except ModuleNotFoundError as exc:
                print("bare", exc)
            except ImportError as exc:
                print(str(exc).rpartition("pip install ")[2].split()[0])
    """
    done = run(code, str(tmp_path))
    assert done.returncode == 0, done.stderr
    expected = ["tensorflow"] * 4 + ["pandas"] * 2 + ["matplotlib"] * 5 + ["pooch"]
    assert done.stdout.split() == expected


@pytest.mark.parametrize("package", ["pandas", "matplotlib"])
def test_the_command_names_a_missing_package(package):
    code = "from skae.__main__ import main; sys.exit(main([]))"
    done = run(code, packages=[package])
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == (
        f"skae: error: the package {package} is not installed. "
        f"Install it: pip install {package}\n"
    )


@pytest.mark.parametrize("package", ["onnx", "skl2onnx"])
def test_onnx_names_its_extra(package):
    code = """
        import skae
        from skae import *

        skae.AutoencoderTransformer()
        import skae.onnx
    """
    done = run(code, packages=[package])
    assert done.stderr.splitlines()[-1] == (
        f"ImportError: skae.onnx needs the package skae[onnx], but the module "
        f"{package!r} is not installed. Install it: pip install skae[onnx]"
    )
