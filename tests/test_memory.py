"""With memory, each network is trained once, and never the wrong one is used."""

import io
import os
import pickle
import re
import shutil
import subprocess
import sys
import threading
import time
import warnings
import zipfile
from pathlib import Path

import joblib
import numpy as np
import pandas as pd
import pytest
from joblib import Parallel, delayed
from sklearn.base import BaseEstimator, clone
from sklearn.model_selection import GridSearchCV, ParameterGrid
from sklearn.preprocessing import RobustScaler

from skae import (
    AutoencoderTransformer,
    BestF,
    Conformal,
    Contamination,
    DenoisingRegressor,
    DenseNetwork,
    GaussianNoise,
    InlierKFold,
    MeanStd,
    Quantile,
    ReconstructionOutlierDetector,
    outlier_f1,
)
from skae import _engine as engine
from skae._autoencoder import _memory
from skae._autoencoder._memory import TrainingMemory
from skae._row_errors._learned import Neighbors


def _rows():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(60, 3)) @ rng.normal(size=(3, 6))
    return X, np.where(np.arange(60) % 6 == 0, -1, 1)


@pytest.fixture
def X():
    return _rows()[0]


@pytest.fixture
def y():
    return _rows()[1]


@pytest.fixture
def log(tmp_path):
    """A file with a line for every training; ``len(log())`` counts them."""
    path = tmp_path / "trainings.txt"
    path.touch()

    def read():
        return path.read_text().splitlines()

    read.path = str(path)
    return read


@pytest.fixture
def counting(log):
    """A network that writes a line whenever it is trained.

    Its class is local, as one from a notebook: no worker can import it.
    """

    class CountingNetwork(DenseNetwork):
        def __init__(self, path, hidden_units=(4,)):
            super().__init__(hidden_units)
            self.path = path

        def draw_weight(self, path, shape, rng):
            if path.endswith("latent/kernel"):  # once per training
                # One write, which the system does not mix with other processes' ones.
                with open(self.path, "a") as file:
                    file.write(f"{shape[-1]} in {os.getpid()}\n")
            return super().draw_weight(path, shape, rng)

    return CountingNetwork(log.path)


@pytest.fixture
def memory(tmp_path):
    return str(tmp_path / "cache")


@pytest.fixture
def detector(counting, memory):
    return ReconstructionOutlierDetector(
        2, network=counting, epochs=3, memory=memory, random_state=0, n_networks=1
    )


GRID = {
    "latent_dim": [1, 2],
    "threshold": [MeanStd(1), MeanStd(2), Quantile(0.9), Contamination(0.1)],
}


def search(detector, **params):
    return GridSearchCV(detector, GRID, scoring=outlier_f1, cv=InlierKFold(2), **params)


def comparable(search):
    """Return the scores of a search, without the seconds."""
    return {k: v for k, v in search.cv_results_.items() if k.endswith("test_score")}


@pytest.fixture
def trainings(monkeypatch):
    """A list that grows at every training, which leaves the weights as they start."""
    made = []

    def train(spec, rows, validation, schedule, state, seed, where, check_range):
        made.append(spec)
        weights = engine.initial_weights(spec.architecture, seed)
        state = engine.State(weights, state.optimizer)
        width = spec.architecture.latent_dim
        first = {"first_weights": weights}
        return engine.Trained(state, {"loss": [1.0]}, {}, (width,), **first)

    monkeypatch.setattr(engine, "train", train)
    return made


# ------------------------------------------------------------------- searches


@pytest.fixture(scope="module")
def plain_search():
    """The same search without memory; its network only lacks the log."""
    X, y = _rows()
    detector = ReconstructionOutlierDetector(
        2, network=DenseNetwork((4,)), epochs=3, random_state=0, n_networks=1
    )
    return search(detector).fit(X, y)


@pytest.mark.parametrize("n_jobs", [1, 2, 4])
def test_a_search_trains_each_network_once_per_fold(
    detector, X, y, log, n_jobs, plain_search
):
    found = search(detector, refit=False, n_jobs=n_jobs).fit(X, y)
    assert len(log()) == 2 * 2
    processes = {line.split()[-1] for line in log()}
    assert (str(os.getpid()) in processes) == (n_jobs == 1)
    # Again, in this process and with the refit: one training on all inliers.
    again = search(detector).fit(X, y)
    assert len(log()) == 2 * 2 + 1
    for name, scores in comparable(plain_search).items():
        assert np.array_equal(comparable(found)[name], scores)
        assert np.array_equal(comparable(again)[name], scores)
    assert np.array_equal(plain_search.score_samples(X), again.score_samples(X))


def test_threads_train_each_network_once_per_fold(detector, X, y, log, plain_search):
    with joblib.parallel_backend("threading", n_jobs=4):
        found = search(detector, refit=False, n_jobs=4).fit(X, y)
    assert len(log()) == 2 * 2
    for name, scores in comparable(plain_search).items():
        assert np.array_equal(comparable(found)[name], scores)


def test_without_memory_every_fit_trains(detector, X, y, trainings):
    search(detector.set_params(memory=None)).fit(X, y)
    assert len(trainings) == 2 * 2 * 4 + 1


# ----------------------------------------------------------------- one network


def test_a_second_fit_and_a_clone_train_nothing(detector, X, log):
    first = detector.fit(X).score_samples(X)
    weights, history = detector.autoencoder_.weights, detector.history_
    for again in (detector, clone(detector)):
        again.fit(X)
        assert np.array_equal(again.score_samples(X), first)
        assert all(map(np.array_equal, again.autoencoder_.weights, weights))
        assert again.history_ == history
    assert len(log()) == 1


def test_what_has_no_influence_on_the_training_is_not_part_of_the_key(
    detector, X, trainings
):
    detector.fit(X)
    clone(detector).set_params(threshold=MeanStd(1), error="mae").fit(X)
    clone(detector).set_params(random_state=np.int64(0)).fit(np.asfortranarray(X))
    clone(detector).fit(pd.DataFrame(X.copy()), y=np.ones(len(X)))
    assert len(trainings) == 1
    # Outliers never train, nor do rows of weight 0: what is left is what counts.
    clone(detector).fit(np.vstack([X, X + 9]), np.repeat([1, -1], len(X)))
    assert len(trainings) == 1


@pytest.mark.parametrize(
    "change",
    [
        {"latent_dim": 3},
        {"random_state": 1},
        {"epochs": 4},
        {"batch_size": 7},
        {"learning_rate": 0.1},
        {"optimizer": "sgd"},
        {"loss": "mae"},
        {"loss": lambda y, output: (y - output) ** 2},
        {"scaler": "minmax"},
        {"scaler": None},
        {"scaler": RobustScaler()},
        {"corruption": GaussianNoise(0.1)},
        {"validation_fraction": 0.4},
        {"patience": 1},
        {"engine": "keras"},
        {"network__hidden_units": (5,)},
        {"network__activation": "tanh"},
    ],
    ids=lambda change: next(iter(change)),
)
def test_other_parameters_train_anew(memory, X, trainings, change):
    transformer = AutoencoderTransformer(
        2, network=DenseNetwork((4,)), epochs=3, memory=memory, random_state=0
    )
    transformer.fit(X)
    for _ in range(2):
        clone(transformer).set_params(**change).fit(X)
        assert len(trainings) == 2
    transformer.fit(X)
    assert len(trainings) == 2


def test_other_rows_and_weights_train_anew(detector, X, trainings):
    weight = np.arange(1.0, len(X) + 1)
    changed = X.copy()
    changed[3, 2] = np.nextafter(changed[3, 2], 9)
    fits = [
        (X, {}),
        (changed, {}),
        (X[::-1], {}),
        (X[:-1], {}),
        (X.astype(np.float32), {}),
        (X, {"sample_weight": weight}),
        (X, {"sample_weight": weight[::-1]}),
        (X, {"X_val": X[:20]}),
        (X, {"X_val": X[:21]}),
    ]
    for n, (rows, params) in enumerate(fits, start=1):
        clone(detector).fit(rows, **params)
        assert len(trainings) == n
    for rows, params in fits:
        clone(detector).fit(rows, **params)
    assert len(trainings) == len(fits)


def test_other_targets_train_anew(memory, X, trainings):
    denoiser = DenoisingRegressor(2, epochs=2, memory=memory, random_state=0)
    for n, y in enumerate((X, X + 1, X[:, 0]), start=1):
        clone(denoiser).fit(X, y)
        clone(denoiser).fit(X, y)
        assert len(trainings) == n


def test_a_changed_class_trains_anew(memory, X, trainings):
    """As in a notebook, where a cell is run again with another body."""

    def make(factor):
        class Mine(DenseNetwork):
            def draw_weight(self, path, shape, rng):
                return factor * super().draw_weight(path, shape, rng)

        return AutoencoderTransformer(
            2, network=Mine(), epochs=1, memory=memory, random_state=0
        )

    one, same, other = (make(factor).fit(X) for factor in (0.5, 0.5, 0.25))
    assert len(trainings) == 2
    assert np.array_equal(one.transform(X), same.transform(X))
    assert not np.array_equal(one.transform(X), other.transform(X))


def test_different_estimators_share_networks(detector, X, trainings):
    detector.set_params(corruption=None, scaler="standard", threshold_on="train")
    detector.fit(X)
    names = AutoencoderTransformer().get_params(deep=False)
    own = detector.get_params(deep=False)
    AutoencoderTransformer(**{name: own[name] for name in names}).fit(X)
    assert len(trainings) == 1


# ------------------------------------------------- what follows from the networks


@pytest.fixture
def measured(monkeypatch):
    """A list that grows whenever distances to training rows or codes are found."""
    calls, found = [], Neighbors.factors

    def counted(self, codes):
        calls.append(len(codes))
        return found(self, codes)

    monkeypatch.setattr(Neighbors, "factors", counted)
    return calls


@pytest.mark.parametrize(
    "rules",
    [
        {"threshold": [MeanStd(1), MeanStd(2), Quantile(0.9), 0.5]},
        {"threshold": [Conformal(0.2), Conformal(0.3)]},
        {"threshold": [MeanStd(1), Conformal(0.2)], "threshold_on": ["cv"]},
        {"threshold": [BestF(), BestF(2)]},
        {"threshold": [BestF(), BestF(2)], "threshold_on": ["train", "cv"]},
    ],
    ids=["train", "validation", "cv", "labels", "labels by source"],
)
def test_a_further_threshold_measures_no_distance(memory, X, y, rules, measured):
    params = {"epochs": 1, "memory": memory, "random_state": 0}
    seen = set()
    for chosen in ParameterGrid(rules):
        detector = ReconstructionOutlierDetector(**params, **chosen).fit(X, y)
        assert bool(measured) == (chosen.get("threshold_on") not in seen)
        seen.add(chosen.get("threshold_on"))
        plain = ReconstructionOutlierDetector(**{**params, "memory": None}, **chosen)
        plain.fit(X, y)
        assert plain.threshold_ == detector.threshold_
        assert plain.reconstruction_err_ == detector.reconstruction_err_
        assert plain.r2_ == detector.r2_
        for name in ("train_errors_", "calibration_errors_"):
            assert np.array_equal(getattr(plain, name), getattr(detector, name))
        assert np.array_equal(plain.score_samples(X), detector.score_samples(X))
        measured.clear()


def test_other_errors_and_numbers_of_networks_are_learned_anew(memory, X):
    params = {"epochs": 1, "random_state": 0, "latent_dim": 2}
    for error in ("nearest", "standardized", "mse"):
        for n in (1, 2):
            pair = [
                ReconstructionOutlierDetector(
                    **params, error=error, n_networks=n, memory=place
                ).fit(X)
                for place in (memory, None)
            ]
            assert np.array_equal(*(one.score_samples(X) for one in pair))


# ------------------------------------------------------------ never from memory


def test_callbacks_always_train(detector, X, log):
    engine.import_quietly()
    import keras

    detector.set_params(callbacks=[keras.callbacks.Callback()])
    for n in (1, 2):
        detector.fit(X)
        assert len(log()) == n


def test_warm_starts_and_partial_fits_always_train(detector, X):
    detector.set_params(warm_start=True)
    first = [w.copy() for w in detector.fit(X).autoencoder_.weights]
    assert not all(map(np.array_equal, detector.fit(X).autoencoder_.weights, first))
    fresh = clone(detector).set_params(warm_start=False)
    one = [w.copy() for w in fresh.partial_fit(X).autoencoder_.weights]
    assert not all(map(np.array_equal, fresh.partial_fit(X).autoencoder_.weights, one))


@pytest.mark.parametrize("random_state", [None, np.random.RandomState(0)])
def test_only_an_int_seed_can_be_remembered(detector, X, trainings, random_state):
    detector.set_params(random_state=random_state)
    for n in (1, 2):
        with pytest.warns(
            UserWarning,
            match=rf"memory is set, but random_state={re.escape(repr(random_state))}: "
            "only a training with an int random_state can be used again. Pass an int",
        ):
            detector.fit(X)
        assert len(trainings) == n


class Locked(DenseNetwork):
    """Holds what cannot be described."""

    def __init__(self, hidden_units=(4,), lock=None):
        super().__init__(hidden_units)
        self.lock = lock

    def __sklearn_clone__(self):
        return self


def test_what_cannot_be_told_apart_is_trained_anew(memory, X, trainings):
    detector = AutoencoderTransformer(
        2,
        network=Locked(lock=threading.Lock()),
        epochs=1,
        memory=memory,
        random_state=0,
    )
    for n in (1, 2):
        with pytest.warns(
            UserWarning,
            match="memory is set, but this training cannot be told apart from others: "
            ".*of type lock has no contents .* The network is trained anew",
        ):
            detector.fit(X)
        assert len(trainings) == n


# ---------------------------------------------------------- the function itself


def remembered(memory, random_state, content, compute):
    """Return ``compute()``, or what it returned before for the same content."""
    return TrainingMemory(memory, random_state, content).recall(["one"], compute)


def remember(memory, content, result=None, random_state=0):
    """Return what is remembered, and whether it had to be computed."""
    calls = []

    def compute():
        calls.append(1)
        return [content] if result is None else result

    return remembered(memory, random_state, content, compute), bool(calls)


def test_paths_and_joblib_memories_are_taken(tmp_path):
    for place in (
        str(tmp_path / "a"),
        tmp_path / "b",
        joblib.Memory(tmp_path / "c", verbose=0),
        joblib.Memory(tmp_path / "d", verbose=0, compress=3),
        joblib.Memory(tmp_path / "e", verbose=0, mmap_mode="r"),
    ):
        assert remember(place, 1) == ([1], True)
        assert remember(place, 1) == ([1], False)
        assert remember(place, 2) == ([2], True)
    for place in (None, joblib.Memory(None)):
        assert remember(place, 1) == remember(place, 1) == ([1], True)


def test_a_path_and_a_joblib_memory_there_are_the_same(tmp_path):
    remember(tmp_path, 1)
    assert remember(str(tmp_path), 1) == ([1], False)
    assert remember(joblib.Memory(str(tmp_path), verbose=0), 1) == ([1], False)


def test_a_memory_can_be_cleared_and_reduced(tmp_path):
    memory = joblib.Memory(tmp_path, verbose=0)
    remember(memory, 1)
    memory.reduce_size(bytes_limit=1)
    assert remember(memory, 1) == ([1], True)
    memory.clear(warn=False)
    assert remember(memory, 1) == ([1], True)
    assert remember(memory, 1) == ([1], False)


def test_a_memory_without_a_folder_raises():
    class Own(BaseEstimator):
        def cache(self, function):
            return function

    with pytest.raises(
        ValueError,
        match=r"memory is Own\(\), which has no folder of its own; pass a path or a "
        "joblib.Memory",
    ):
        remember(Own(), 1)


def test_an_error_is_not_remembered(tmp_path):
    def fail():
        raise ArithmeticError("diverged")

    for _ in range(2):
        with pytest.raises(ArithmeticError):
            remembered(tmp_path, 0, "content", fail)
    assert remember(tmp_path, "content") == (["content"], True)


@pytest.mark.parametrize("memory", ["", " ", "\n"])
def test_a_path_without_a_name_raises(memory, X, trainings, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(
        ValueError, match=r"memory is '.*', which names no folder; pass"
    ):
        AutoencoderTransformer(2, memory=memory, random_state=0).fit(X)
    assert not trainings
    assert not list(tmp_path.iterdir())


def entries(folder):
    """Return the files that hold results."""
    return sorted(folder.rglob("entry.npz"))


def test_what_cannot_be_read_is_trained_anew_and_replaced(tmp_path):
    remember(tmp_path, 1)
    (kept,) = entries(tmp_path)
    kept.write_bytes(b"damaged")
    with pytest.warns(
        UserWarning,
        match="memory holds this training in .* but it cannot be used .*trained anew",
    ) as seen:
        assert remember(tmp_path, 1) == ([1], True)
    assert len(seen) == 1
    assert remember(tmp_path, 1) == ([1], False)


def test_an_entry_of_another_training_is_not_used(tmp_path):
    remember(tmp_path, 1)
    (kept,) = entries(tmp_path)
    remember(tmp_path, 2)
    (other,) = set(entries(tmp_path)) - {kept}
    shutil.copy(other, kept)
    with pytest.warns(UserWarning, match="it belongs to another training"):
        assert remember(tmp_path, 1) == ([1], True)


def flipped(content, place, bit):
    """Return bytes of which one bit is another."""
    changed = bytearray(content)
    changed[place] ^= 1 << bit
    return bytes(changed)


@pytest.mark.filterwarnings("ignore:memory holds this training")
def test_no_flipped_bit_gives_another_result(tmp_path):
    """Those of what is not numbers, and 300 of anything."""
    result = {
        "a": np.random.default_rng(0).normal(size=(40, 3)),
        "b": (np.arange(5, dtype=np.float32), [1.5, None, "x"], True),
    }
    remember(tmp_path, 1, result)
    (kept,) = entries(tmp_path)
    content = kept.read_bytes()
    rng, n_computed = np.random.default_rng(1), 0
    places = [*range(0, 600, 4), *range(len(content) - 300, len(content), 4)]
    places += rng.integers(len(content), size=300).tolist()
    for place in places:
        kept.write_bytes(flipped(content, place, rng.integers(8)))
        found, is_computed = remember(tmp_path, 1, result)
        assert np.array_equal(found["a"], result["a"])
        assert np.array_equal(found["b"][0], result["b"][0])
        assert found["b"][1:] == result["b"][1:]
        n_computed += is_computed
    assert n_computed > len(places) / 2  # a date, say, may be any


def test_a_damaged_folder_gives_the_same_detector_and_one_warning(memory, X):
    params = {"epochs": 1, "memory": memory, "random_state": 0, "threshold_on": "cv"}
    scores = ReconstructionOutlierDetector(**params).fit(X).score_samples(X)
    rng = np.random.default_rng(0)
    for kept in entries(Path(memory)):
        content = kept.read_bytes()
        place = len(content) // 2 + rng.integers(99)
        kept.write_bytes(flipped(content, place, 3))
    with pytest.warns(UserWarning, match="memory holds this training") as seen:
        again = ReconstructionOutlierDetector(**params).fit(X)
    assert len(seen) == 1
    assert np.array_equal(again.score_samples(X), scores)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        ReconstructionOutlierDetector(**params).fit(X)


class Hostile:
    """Writes a file where it is unpickled."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return Path.touch, (Path(self.path),)


@pytest.mark.filterwarnings("ignore:memory holds this training")
def test_no_pickle_in_the_folder_is_loaded(tmp_path, memory, X):
    trace = tmp_path / "trace"
    hostile = Hostile(trace)
    pickle.loads(pickle.dumps(hostile))
    assert trace.exists()
    trace.unlink()
    params = {"epochs": 1, "memory": memory, "random_state": 0}
    scores = ReconstructionOutlierDetector(**params).fit(X).score_samples(X)
    objects = np.array([hostile, None], dtype=object)
    for place in entries(Path(memory)):
        for number in range(4):
            joblib.dump(hostile, place.with_name("output.pkl"))
            if number == 0:
                place.write_bytes(pickle.dumps(hostile))
            elif number == 1:
                joblib.dump(hostile, place)
            elif number == 2:
                np.savez(place, header=objects, data=objects)
            else:
                content = io.BytesIO()
                np.save(content, objects)
                with zipfile.ZipFile(place, "w") as archive:
                    archive.writestr("header.json", '{"key": 1, "state": 1}')
                    archive.writestr("data.npy", content.getvalue())
            again = ReconstructionOutlierDetector(**params).fit(X)
            assert np.array_equal(again.score_samples(X), scores)
    assert not trace.exists()


KILLED = """
import os, signal, sys, time
from pathlib import Path
import numpy as np
from skae._autoencoder._memory import TrainingMemory

def recall(content, compute):
    return TrainingMemory(Path(sys.argv[1]), 0, content).recall(["one"], compute)

n_kept = 0
for number in range(30):
    result = np.full(300_000, float(number))
    child = os.fork()
    if not child:
        recall(number, lambda: result)
        os._exit(0)
    time.sleep(0.0007 * number)
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    found = recall(number, lambda: None)
    assert found is None or np.array_equal(found, result), number
    n_kept += found is not None
print(n_kept)
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="kills children that it forks")
def test_killed_writers_leave_nothing_wrong(tmp_path):
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", KILLED, str(tmp_path)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr


def test_what_is_more_than_numbers_is_not_kept(tmp_path):
    for _ in range(2):
        with pytest.warns(
            UserWarning, match="memory cannot keep this training: .* of type lock is"
        ):
            assert remember(tmp_path, 1, result=[threading.Lock()])[1]
    assert not entries(tmp_path)


def test_what_is_kept_comes_back_exactly(tmp_path):
    result = {
        "arrays": (np.arange(6).reshape(2, 3), np.zeros((0, 4), np.float32)),
        "others": [np.float32(0.1), np.True_, float("nan"), float("inf"), -0.0],
        "nested": {
            "none": None,
            "text": "\u00fc",
            "int": 10**30,
            "empty": ((), [], {}),
        },
    }
    remember(tmp_path, 1, result)
    found, is_computed = remember(tmp_path, 1, result)
    assert not is_computed
    assert repr(found) == repr(result)
    assert [type(one) for one in found["others"]] == [*map(type, result["others"])]
    (kept,) = entries(tmp_path)
    with np.load(kept, allow_pickle=False) as members:  # it is what it is called
        assert set(members) == {"header.json", "data"}


# ------------------------------------------------ a user's scaler is fitted again


class Centered(BaseEstimator):
    """Subtracts what a function makes of a column; perhaps never learns the same."""

    def __init__(self, center=np.mean, changes=False):
        self.center = center
        self.changes = changes

    def fit(self, X, y=None):
        self.center_ = self.center(X, axis=0)
        if self.changes:
            self.fitted_at_ = time.perf_counter_ns()
        return self

    def transform(self, X):
        return X - self.center_

    def inverse_transform(self, X):
        return X + self.center_


def test_a_users_scaler_is_that_of_the_estimator_which_asks(memory, X, trainings):
    scaler = Centered(lambda X, axis: np.median(X, axis))  # which no pickle holds
    made = [
        AutoencoderTransformer(2, scaler=scaler, memory=memory, random_state=0).fit(X)
        for _ in range(2)
    ]
    assert len(trainings) == 1
    assert np.array_equal(made[0].transform(X), made[1].transform(X))
    DenoisingRegressor(2, scaler=scaler, memory=memory, random_state=0).fit(X, X[:, :2])
    assert len(trainings) == 2
    again = DenoisingRegressor(2, scaler=scaler, memory=memory, random_state=0)
    again.fit(X, X[:, :2])
    assert len(trainings) == 2
    target = again.autoencoder_.target_scaler
    assert np.array_equal(target.transformer_.center_, np.median(X[:, :2], axis=0))


def test_a_scaler_that_learns_something_else_trains_anew(memory, X, trainings):
    scaler = Centered(changes=True)
    params = {"scaler": scaler, "memory": memory, "random_state": 0}
    AutoencoderTransformer(2, **params).fit(X)
    with pytest.warns(UserWarning, match="scaler does not learn the same of the same"):
        AutoencoderTransformer(2, **params).fit(X)
    assert len(trainings) == 2


# ------------------------------------------- folders and processes that do not work


def test_a_folder_that_cannot_be_written_to(memory, X):
    """What it holds is used, the rest is trained, and one warning says so."""
    params = {"epochs": 1, "memory": memory, "random_state": 0}
    scores = ReconstructionOutlierDetector(**params).fit(X).score_samples(X)
    folder = Path(memory) / "joblib"
    shutil.rmtree(folder / "skae-locks")
    (folder / "skae-locks").touch()  # no folder: even root cannot write there
    known = ReconstructionOutlierDetector(threshold=MeanStd(1), **params).fit(X)
    assert np.array_equal(known.score_samples(X), scores)
    shutil.rmtree(folder / "skae")
    (folder / "skae").touch()
    with pytest.warns(UserWarning, match="memory cannot be written to .* is used") as w:
        again = ReconstructionOutlierDetector(**params).fit(X)
    assert len(w) == 1
    assert np.array_equal(again.score_samples(X), scores)


@pytest.mark.parametrize("inside", ["", "more", "more/still"])
def test_a_path_that_is_a_file_is_no_error(tmp_path, X, inside, trainings):
    (tmp_path / "file").touch()
    place = tmp_path / "file" / inside
    with pytest.warns(UserWarning, match="memory cannot be written to") as seen:
        AutoencoderTransformer(2, memory=place, random_state=0).fit(X)
    assert len(seen) == len(trainings) == 1


def hurried(memory, **seconds):
    """Return a memory that loses its patience soon."""
    hurried = TrainingMemory(memory, 0, "content")
    vars(hurried).update(warns_after=0.1, gives_up_after=0.6, beats_every=0.1)
    vars(hurried).update(seconds)
    return hurried


def test_a_holder_without_a_sign_of_life_is_not_waited_for_for_ever(tmp_path):
    """As of a process that was stopped: the lock is held, and nothing moves."""
    computing, stopped = threading.Event(), threading.Event()

    def hold():
        computing.set()
        stopped.wait(60)
        return 2

    silent = hurried(tmp_path, beats_every=60)
    thread = threading.Thread(target=silent.recall, args=(["one"], hold))
    thread.start()
    assert computing.wait(60)
    with pytest.warns(UserWarning, match="memory wait") as seen:
        assert hurried(tmp_path).recall(["one"], lambda: 3) == 3
    stopped.set()
    thread.join()
    first, second = (str(one.message) for one in seen)
    assert first.startswith("memory waits for another process or thread, which trains")
    assert re.match(
        r"memory waited \d+ seconds .* shows no sign of life. .* trained here, too",
        second,
    )
    assert not list(tmp_path.rglob("*.beat"))


@pytest.mark.filterwarnings("ignore:memory waits for another")
def test_a_holder_that_lives_is_waited_for(tmp_path):
    computing = threading.Event()

    def slowly():
        computing.set()
        time.sleep(2.5)
        return 2

    thread = threading.Thread(
        target=hurried(tmp_path).recall, args=(["one"], slowly), daemon=True
    )
    thread.start()
    assert computing.wait(60)
    waiting = hurried(tmp_path, gives_up_after=1.5)
    assert waiting.recall(["one"], lambda: 3) == 2
    thread.join()


def test_none_is_a_result(tmp_path):
    def compute():
        calls.append(1)

    calls = []
    assert remembered(tmp_path, 0, 1, compute) is None
    assert remembered(tmp_path, 0, 1, compute) is None
    assert len(calls) == 1


def test_seeds_and_versions_are_part_of_the_key(tmp_path, monkeypatch):
    assert remember(tmp_path, 1)[1]
    assert remember(tmp_path, 1, random_state=1)[1]
    assert not remember(tmp_path, 1, random_state=np.int32(1))[1]
    monkeypatch.setattr(_memory, "package_version", lambda package: "another")
    assert remember(tmp_path, 1)[1]


def slowly(memory, content, log):
    """Remember something that takes a while, and write a line for it."""

    def compute():
        with open(log, "a") as file:
            file.write(f"{content}\n")
        time.sleep(0.3)
        return content

    return remembered(memory, 0, content, compute)


@pytest.mark.parametrize("backend", ["threading", "loky"])
def test_who_comes_at_the_same_time_waits(tmp_path, log, backend):
    with joblib.parallel_backend(backend, n_jobs=4):
        found = Parallel()(
            delayed(slowly)(str(tmp_path), i // 4, log.path) for i in range(16)
        )
    assert found == [i // 4 for i in range(16)]
    assert sorted(log()) == ["0", "1", "2", "3"]


def test_different_trainings_do_not_wait_for_each_other(tmp_path):
    meeting = threading.Barrier(2, timeout=20)
    threads = [
        threading.Thread(target=remembered, args=(tmp_path, 0, i, meeting.wait))
        for i in range(2)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not meeting.broken


def test_a_training_inside_a_training(tmp_path):
    def outer():
        return remembered(tmp_path, 0, "inner", lambda: 1) + 1

    assert remembered(tmp_path, 0, "outer", outer) == 2


def test_a_folder_that_was_used_elsewhere_is_read(tmp_path):
    """joblib's own cache forgets what a process without its source code wrote."""
    remember(tmp_path / "first", 1)
    remember(tmp_path / "second", 1)
    shutil.move(tmp_path / "second", tmp_path / "third")
    script = (
        "import sys; from pathlib import Path; "
        "from skae._autoencoder._memory import TrainingMemory; "
        "memory = TrainingMemory(Path(sys.argv[1]), 0, 1); "
        "print(memory.recall(['one'], lambda: 'computed'))"
    )
    done = subprocess.run(
        [sys.executable, "-c", script, str(tmp_path / "third")],
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout == "[1]\n"
