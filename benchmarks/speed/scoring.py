"""The cases of ``speed.py`` that score."""

from __future__ import annotations

import functools
import pickle
import tempfile
import warnings
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from harness.data import ecg_split, in_unit_range
from harness.jobs import Bar, Findings, Measurement, collect
from harness.machine import import_keras, in_turn, run_process, timed
from harness.networks import ecg_detector
from harness.rivals import PCAErrors
from harness.trainers import ECG_EPOCHS, pyod_autoencoder
from sklearn.ensemble import IsolationForest

from skae import (
    ConvNetwork,
    DenseNetwork,
    ReconstructionOutlierDetector,
    RecurrentNetwork,
)
from speed import JOBS, faster, notes, present, ratios

if TYPE_CHECKING:
    from collections.abc import Callable

    from harness.jobs import Size

N_CALLS = 100
N_ROWS = (1, 100, 5000)
LIMITS = {"Model.predict": 200, "PyOD": 2, "IsolationForest": 20}


@JOBS.job("score", one_value_per="call")
def score(size: Size) -> Findings:
    """``score_samples`` of heartbeats, validation included: 1, 100 and 5,000 rows.

    One network of hidden layers of 256 and 64 and a code of 8, ``error="mse"``. The
    rivals run the same network, as ``to_keras()`` returns it, with the same scaler, and
    the mean squared error written out in NumPy: through ``Model.predict`` (in one
    batch), and by calling the model. PyOD's AutoEncoder has the same layers; PCA keeps
    as many components as the code is wide; IsolationForest is another method. "skae,
    default" is the default detector, of three networks and distances to training rows.
    Every call gets other rows.
    """
    import_keras()
    split = ecg_split(size)
    X = np.concatenate([split.X_train, split.X_test])
    contenders = present(_scorers(split.normals, size))
    measured = []
    for n_rows in N_ROWS:
        measured += _race_calls(contenders, X, min(n_rows, len(X)), size)
    return Findings(measured, notes())


def _detectors(normals: np.ndarray, size: Size) -> tuple[Any, Any]:
    """Return a detector by mean squared errors, and the default one."""
    # How long a score takes does not depend on how long the network was trained.
    options = {"epochs": size.count(5), "random_state": 0}
    network = DenseNetwork((256, 64))
    detector = ReconstructionOutlierDetector(
        8, network=network, error="mse", n_networks=1, threshold_on="train", **options
    )
    default = ReconstructionOutlierDetector(**options)
    return detector.fit(normals), default.fit(normals)


def _scorers(normals: np.ndarray, size: Size) -> dict[str, Callable]:
    """Return functions from rows to scores, by name."""
    detector, default = _detectors(normals, size)
    model, scaler = detector.to_keras(), detector.scaler_

    def written_out(reconstruct: Callable) -> Callable:
        def score_samples(X: np.ndarray) -> np.ndarray:
            scaled = scaler.transform(X)
            return -np.mean(np.square(reconstruct(scaled) - scaled), axis=1)

        return score_samples

    scorers = {
        "skae": detector.score_samples,
        "skae, default": default.score_samples,
        "Model.predict": written_out(
            functools.partial(model.predict, batch_size=5000, verbose=0)
        ),
        "Model(...)": written_out(lambda scaled: model(scaled).numpy()),
        "PyOD": None,
        "IsolationForest": IsolationForest(random_state=0).fit(normals).score_samples,
        "PCA": PCAErrors(8).fit(normals).score_samples,
    }
    scorers = present(scorers)
    if "PyOD" in scorers:
        network = pyod_autoencoder(normals, 0, 2, 128, (256, 64, 8))
        scorers["PyOD"] = network.decision_function
    return scorers


def _race_calls(
    contenders: dict[str, Callable], X: np.ndarray, n_rows: int, size: Size
) -> list[Measurement]:
    """Return milliseconds and ratios of calls with so many rows."""
    words = f"{n_rows:,} row{'s' * (n_rows > 1)}"
    n_calls = size.count(N_CALLS if n_rows < 5000 else 11)
    rng = np.random.default_rng(n_rows)
    for contender in contenders.values():
        contender(X[:n_rows])
    rounds = []
    for turn in range(n_calls):
        rows = X[rng.permutation(len(X))[:n_rows]]
        seconds = {
            name: timed(contender, rows)[0]
            for name, contender in in_turn(contenders, turn)
        }
        rounds.append(
            {(f"{words}, ms", name): 1000 * seconds[name] for name in contenders}
            | ratios(seconds, f"{words}, ")
        )
    bars = {}
    if n_rows == 1:
        bars = {
            faster(rival, f"{words}, "): Bar(">=", limit)
            for rival, limit in LIMITS.items()
            if rival in contenders
        }
    return collect(rounds, bars)


@JOBS.job("score-in-keras", one_value_per="call")
def score_in_keras(size: Size) -> Findings:
    """``score_samples`` of convolutional and recurrent networks, beside Model.predict.

    Convolutions score in NumPy, the LSTM in Keras. Heartbeats as series of 140 x 1.
    Model.predict gets all rows in one batch; the error is written out in NumPy. Every
    call gets other rows.
    """
    import_keras()
    X = ecg_split(size).normals[..., np.newaxis]
    networks = {
        "convolutions": ConvNetwork((16, 8)),
        "LSTM": RecurrentNetwork((16,)),
    }
    measured = []
    for words, network in networks.items():
        detector = ReconstructionOutlierDetector(
            network=network, error="mse", epochs=1, scaler=None, random_state=0
        ).fit(X[:200])
        model = detector.to_keras()

        def by_keras(X: np.ndarray, model: Any = model) -> np.ndarray:
            restored = model.predict(X, batch_size=len(X), verbose=0)
            return -np.mean(np.square(restored - X), axis=(1, 2))

        contenders = {"skae": detector.score_samples, "Model.predict": by_keras}
        for n_rows in (1, 100, min(2000, len(X))):
            for one in _race_calls(contenders, X, n_rows, size):
                quantity = f"{words}: {one.quantity}"
                measured.append(Measurement(quantity, one.contender, one.values))
    return Findings(measured)


@JOBS.job("score-in-onnx", one_value_per="call")
def score_in_onnx(size: Size) -> Findings:
    """``score_samples`` of heartbeats, and the same in ONNX: 1 and 5,000 rows.

    The detectors of score, converted by skl2onnx and run by onnxruntime with its
    default threads: the scorer that a process without Python's packages has. Rows are
    float32, and other ones at every call. The difference is that of onnxruntime's
    scores from skae's, relative to these, the largest of all rows.
    """
    split = ecg_split(size)
    X = np.concatenate([split.X_train, split.X_test]).astype(np.float32)
    detector, default = _detectors(split.normals, size)
    contenders = {
        "skae": detector.score_samples,
        "onnxruntime": None,
        "skae, default": default.score_samples,
        "onnxruntime, default": None,
    }
    contenders, differences = present(contenders), []
    for words, one in (("", detector), (", default", default)):
        if f"onnxruntime{words}" in contenders:
            in_onnx = contenders[f"onnxruntime{words}"] = _by_onnxruntime(one, X)
            expected = one.score_samples(X)
            worst = float(np.max(np.abs(in_onnx(X)[:, 0] / expected - 1)))
            quantity = "largest relative difference of a score"
            differences.append(Measurement(quantity, f"onnxruntime{words}", (worst,)))
    measured = []
    for n_rows in (1, 5000):
        measured += _race_calls(contenders, X, min(n_rows, len(X)), size)
    words = notes()
    if differences:
        packages = (f"{name} {version(name)}" for name in ("skl2onnx", "onnxruntime"))
        words += (f"With {' and '.join(packages)}.",)
    return Findings([*measured, *differences], words)


def _by_onnxruntime(detector: Any, X: np.ndarray) -> Callable:
    """Return the function from rows to scores of a detector in ONNX."""
    import onnxruntime
    import skl2onnx

    import skae.onnx  # noqa: F401  (its converters)

    options = {type(detector): {"score_samples": True}}
    model = skl2onnx.to_onnx(detector, X[:1], target_opset=17, options=options)
    session = onnxruntime.InferenceSession(model.SerializeToString())
    return lambda rows: session.run(["score_samples"], {"X": rows})[0]


N_BULK = 1_000_000
BULK_SCORERS = "skae", "Model.predict", "NumPy alone"


@JOBS.job("score-bulk", one_value_per="process")
def score_bulk(size: Size) -> Findings:
    """``score_samples`` of 1,000,000 x 140 rows by the tutorials' ECG network.

    140-32-16-8 and back, mean absolute errors. Every time is that of a process of its
    own, after one call on few rows; Model.predict takes the best of several batch
    sizes. Peak memory is what the process needs beside its packages, over the size of
    the rows, which it holds. "NumPy alone" is the fewest calls that compute these
    scores, in two threads, without a check: what is left to gain. Rows of float64 are
    computed in float64, but by Model.predict in float32.
    """
    n_rows = 2000 if size.is_quick else N_BULK
    normals = in_unit_range(ecg_split(size)).normals
    measured = []
    with tempfile.TemporaryDirectory() as folder:
        detector = ecg_detector(0, size.count(ECG_EPOCHS)).fit(normals)
        Path(folder, "detector.pkl").write_bytes(pickle.dumps(detector))
        np.savez(Path(folder, "weights.npz"), *detector.to_keras().get_weights())
        for dtype in ("float32",) if size.is_quick else ("float64", "float32"):
            rounds = []
            for turn in range(min(size.n_repeats, 5)):
                found = {
                    name: run_process("score_bulk", name, folder, n_rows, dtype, turn)
                    for name, _ in in_turn(dict.fromkeys(BULK_SCORERS), turn)
                }
                rounds.append(
                    {(f"{dtype}: seconds", name): one[0] for name, one in found.items()}
                    | {
                        (f"{dtype}: peak memory, over the rows'", name): one[1]
                        for name, one in found.items()
                    }
                    | {
                        (f"{dtype}: {faster('Model.predict')[0]}", name): (
                            found["Model.predict"][0] / found[name][0]
                        )
                        for name in ("skae", "NumPy alone")
                    }
                )
            bars = {
                (f"{dtype}: {faster('Model.predict')[0]}", "skae"): Bar(">=", 5),
                (f"{dtype}: peak memory, over the rows'", "skae"): Bar("<=", 1.5),
            }
            measured += collect(rounds, bars)
    return Findings(measured)


ONLY_IMPORT = "import sklearn.base"


@JOBS.job("unpickle", one_value_per="process")
def unpickle(size: Size) -> Findings:
    """A fresh process that unpickles a fitted dense detector, and scores one row.

    Beside it, the same with a network that needs TensorFlow, and a process that loads
    the network's Keras file and predicts; and one that only imports ``sklearn.base``,
    as every estimator has to. The interpreter's start is counted.
    """
    normals = in_unit_range(ecg_split(size)).normals
    import_keras()
    with tempfile.TemporaryDirectory() as folder:
        dense = ecg_detector(0, 2).fit(normals)
        recurrent = ecg_detector(0, 2).set_params(
            network=RecurrentNetwork((8,), input_shape=(140, 1))
        )
        paths = {
            "skae": Path(folder, "dense.pkl"),
            "skae, in TensorFlow": Path(folder, "lstm.pkl"),
            "Keras": Path(folder, "model.keras"),
        }
        paths["skae"].write_bytes(pickle.dumps(dense))
        paths["skae, in TensorFlow"].write_bytes(
            pickle.dumps(recurrent.fit(normals[:100]))
        )
        with warnings.catch_warnings():  # Keras 3.15 has one for NumPy 2
            warnings.simplefilter("ignore", DeprecationWarning)
            dense.to_keras().save(paths["Keras"])
        np.save(Path(folder, "row.npy"), normals[:1])
        rivals = [name for name in paths if name != "skae"]
        calls = {name: ("unpickle", path) for name, path in paths.items()}
        calls[ONLY_IMPORT] = ("only_import",)
        rounds = []
        for turn in range(min(size.n_repeats, 5)):
            seconds = {
                name: timed(run_process, *call)[0]
                for name, call in in_turn(calls, turn)
            }
            rounds.append(
                {("seconds", name): one for name, one in seconds.items()}
                | {
                    (faster(rival)[0], name): seconds[rival] / seconds[name]
                    for name in ("skae", ONLY_IMPORT)
                    for rival in rivals
                }
            )
    bars = {faster(rival): Bar(">=", 4) for rival in rivals}
    return Findings(collect(rounds, bars))
