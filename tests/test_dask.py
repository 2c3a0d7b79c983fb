"""Dask collections in, lazy ones out; fits on samples; searches on a cluster."""

import itertools
import os
import subprocess
import sys

import joblib
import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone
from sklearn.model_selection import GridSearchCV

from skae import (
    AutoencoderTransformer,
    Conformal,
    ConvNetwork,
    DenoisingRegressor,
    DenseNetwork,
    GaussianNoise,
    InlierKFold,
    MeanStd,
    Quantile,
    ReconstructionOutlierDetector,
    compare_detectors,
    outlier_f1,
)
from skae._dask import _some_rows

dask = pytest.importorskip("dask", reason="skae[dask] is not installed")
da = pytest.importorskip("dask.array")
dd = pytest.importorskip("dask.dataframe")

QUICK = {"epochs": 1, "random_state": 0}
NAMES = ["a", "b", "c", "d", "e", "f"]
N = 2500
# One, two and three rows, and blocks of rows that pass the network cut in two.
CUTS = (1, 2, 3, 0, 994, 1000, 500)


@pytest.fixture(scope="module")
def X():
    rng = np.random.default_rng(0)
    return rng.normal(size=(N, 3)) @ rng.normal(size=(3, 6)) + rng.normal(size=(N, 6))


@pytest.fixture(scope="module")
def y():
    return np.where(np.arange(N) % 20 == 0, -1, 1)


@pytest.fixture(scope="module")
def fitted(X, y):
    """Estimators of each kind, fitted on rows without names."""
    denoiser = DenoisingRegressor(corruption=GaussianNoise(0.1), **QUICK)
    conv = ConvNetwork((4,), input_shape=(6, 1))
    return {
        "detector": ReconstructionOutlierDetector(**QUICK).fit(X, y),
        "transformer": AutoencoderTransformer(3, allow_nan=True, **QUICK).fit(X),
        "denoiser": denoiser.fit(X),
        "target": DenoisingRegressor(**QUICK).fit(X, X[:, 0]),
        "conv": AutoencoderTransformer(network=conv, **QUICK).fit(X),
    }


METHODS = [
    *("detector.score_samples", "detector.decision_function", "detector.predict"),
    *("detector.p_values", "detector.feature_errors", "detector.encode"),
    *("detector.reconstruct", "transformer.transform", "transformer.score_samples"),
    *("transformer.reconstruct", "transformer.impute", "denoiser.predict"),
    *("target.predict", "conv.transform"),
]


# ------------------------------------------------------------------- lazy results


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("which", METHODS)
def test_rows_of_chunks_equal_rows_in_memory_to_the_last_bit(fitted, X, which, dtype):
    name, _, method = which.partition(".")
    call, rows = getattr(fitted[name], method), X.astype(dtype)
    expected = call(rows)
    lazy = call(da.from_array(rows, chunks=(CUTS, (4, 2))))
    assert isinstance(lazy, da.Array)
    assert (lazy.shape, lazy.dtype) == (expected.shape, expected.dtype)
    assert lazy.chunks[0] == CUTS
    found = lazy.compute()
    assert found.dtype == expected.dtype
    assert np.array_equal(found, expected)


def test_codes_of_chunks(fitted, X):
    transformer, detector = fitted["transformer"], fitted["detector"]
    lazy = da.from_array(X, chunks=(CUTS, -1))
    for encode, decode in (
        (transformer.transform, transformer.inverse_transform),
        (detector.encode, detector.decode),
    ):
        found = decode(encode(lazy)).compute()
        assert np.array_equal(found, decode(encode(X)))
    with pytest.raises(ValueError, match="X has 6 columns, but the codes of this"):
        transformer.inverse_transform(lazy)


def test_rows_of_any_shape(X):
    images = X.reshape(N, 3, 2, 1).astype(np.float32)
    network = ConvNetwork((2,), kernel_size=2)
    transformer = AutoencoderTransformer(network=network, **QUICK).fit(images)
    lazy = da.from_array(images, chunks=(700, 2, 1, 1))
    for method in (transformer.transform, transformer.reconstruct):
        assert np.array_equal(method(lazy).compute(), method(images))
    with pytest.raises(ValueError, match=r"X has rows of shape \(6,\), but"):
        transformer.transform(da.from_array(X))


def test_integers(X):
    rows = np.round(10 * X).astype(np.int64)
    transformer = AutoencoderTransformer(3, **QUICK).fit(rows)
    lazy = transformer.transform(da.from_array(rows, chunks=700))
    assert lazy.dtype == np.float64
    assert np.array_equal(lazy.compute(), transformer.transform(rows))


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_partitions(X, y, dtype):
    """They keep their number, and may be empty; their lengths are not known."""
    frame = pd.DataFrame(X.astype(dtype), columns=NAMES)
    detector = ReconstructionOutlierDetector(**QUICK).fit(frame, y)
    lazy = dd.from_pandas(frame, npartitions=4)
    lazy = lazy[(lazy.index > 700) & (lazy.a > 0)]
    kept = lazy.compute()
    assert lazy.map_partitions(len).compute().tolist()[0] == 0 < len(kept) < N / 2
    for name in ("score_samples", "predict", "reconstruct", "feature_errors"):
        method = getattr(detector, name)
        found, expected = method(lazy), method(kept)
        assert isinstance(found, da.Array)
        assert found.numblocks[0] == 4
        assert (found.dtype, found.ndim) == (expected.dtype, expected.ndim)
        found = found.compute()
        assert found.shape == expected.shape
        np.testing.assert_allclose(
            found, expected, rtol=1e-5 if dtype != X.dtype else 1e-12
        )
    with pytest.raises(ValueError, match="feature names should match"):
        detector.predict(lazy.rename(columns={"a": "z"}))
    rows = lazy.to_dask_array(lengths=True)
    unnamed = ReconstructionOutlierDetector(**QUICK).fit(X, y)
    assert np.array_equal(
        unnamed.predict(lazy.to_dask_array()).compute(), unnamed.predict(rows).compute()
    )


def test_set_output(X):
    frame = pd.DataFrame(X, columns=NAMES)
    transformer = AutoencoderTransformer(3, allow_nan=True, **QUICK)
    transformer.set_output(transform="pandas").fit(frame)
    lazy, expected = dd.from_pandas(frame, npartitions=3), transformer.transform(frame)
    found = transformer.transform(lazy)
    assert list(found.columns) == list(expected.columns)
    pd.testing.assert_frame_equal(found.compute(), expected)
    unknown = transformer.transform(lazy.clear_divisions()).compute()
    pd.testing.assert_frame_equal(unknown, expected)
    assert found.dtypes.equals(expected.dtypes)
    pd.testing.assert_frame_equal(
        transformer.fit_transform(lazy).compute(), transformer.fit_transform(frame)
    )
    assert list(transformer.impute(lazy).columns) == NAMES
    transformer.fit(X)
    found = transformer.transform(da.from_array(X, chunks=700)).compute()
    assert np.array_equal(found.to_numpy(), expected.to_numpy())
    transformer.set_output(transform="polars")
    with pytest.raises(ValueError, match="set_output asks for polars, but Dask's"):
        transformer.transform(da.from_array(X))


class Counted:
    """Rows that tell which of them are read."""

    def __init__(self, X):
        self.X, self.shape, self.dtype, self.ndim = X, X.shape, X.dtype, X.ndim
        self.read = []

    def __getitem__(self, key):
        self.read.append((key[0].start, key[0].stop))
        return self.X[key]


def test_nothing_is_computed_that_is_not_asked_for(fitted, X):
    detector, counted = fitted["detector"], Counted(X)
    lazy = da.from_array(counted, chunks=(500, 6), meta=np.empty((0, 0)))
    scores, labels = detector.score_samples(lazy), detector.predict(lazy)
    assert not counted.read
    scores[600:700].compute()
    assert counted.read == [(500, 1000)]
    dask.compute(scores, labels)
    assert sorted(set(counted.read)) == [(i, i + 500) for i in range(0, N, 500)]


def test_a_later_fit_does_not_change_lazy_scores(X):
    transformer = AutoencoderTransformer(3, **QUICK).fit(X)
    expected = transformer.score_samples(X)
    lazy = transformer.score_samples(da.from_array(X, chunks=700))
    transformer.set_params(random_state=1).fit(X)
    assert np.array_equal(lazy.compute(), expected)


def test_score(fitted, X):
    transformer = fitted["transformer"]
    for lazy in (da.from_array(X, chunks=700), dd.from_pandas(pd.DataFrame(X))):
        assert transformer.score(lazy) == pytest.approx(transformer.score(X))


# ----------------------------------------------------------------------- training


def test_a_fit_of_what_is_small_is_that_in_memory(X, y):
    weight = np.arange(N) % 3
    quick = ReconstructionOutlierDetector(**QUICK, threshold=Conformal(0.1))
    expected = quick.fit(X, y, weight).score_samples(X)
    rows, labels = da.from_array(X, chunks=(700, 4)), da.from_array(y, chunks=900)
    frame = dd.from_pandas(pd.DataFrame(X, columns=NAMES), npartitions=3)
    for given in (
        (rows, labels, weight),
        (frame, dd.from_pandas(pd.Series(y)), weight),
    ):
        detector = clone(quick).fit(*given)
        assert detector.threshold_ == quick.threshold_
        named = pd.DataFrame(X, columns=getattr(detector, "feature_names_in_", None))
        found = detector.score_samples(named if given[0] is frame else X)
        assert np.array_equal(found, expected)
    assert detector.fit_threshold(frame, y).threshold_ > 0
    pairs = DenoisingRegressor(**QUICK).fit(
        rows, X_val=rows, y=2 * rows, y_val=2 * rows
    )
    expected = DenoisingRegressor(**QUICK).fit(X, 2 * X, X_val=X, y_val=2 * X)
    assert np.array_equal(pairs.predict(X), expected.predict(X))
    with pytest.raises(ValueError, match="belongs to it have 2500 and 2499 rows"):
        quick.fit(rows, y[1:])


def test_drawn_rows_do_not_depend_on_chunks(X, y):
    frame = pd.DataFrame(X, columns=NAMES)
    expected = _some_rows([da.from_array(X, chunks=N), y, da.from_array(y)], 0, 800)
    rows, labels, same = expected
    assert (len(rows), len(np.unique(rows, axis=0))) == (800, 800)
    assert np.array_equal(labels, same)
    places = np.flatnonzero(np.isin(X[:, 0], rows[:, 0]))
    assert np.array_equal(rows, X[places])
    assert np.array_equal(labels, y[places])
    # Each tenth of the rows has its share, to five standard deviations.
    assert np.abs(np.bincount(places * 10 // N) - 80).max() < 5 * np.sqrt(80)
    lazy = dd.from_pandas(frame, npartitions=3)
    for given in (da.from_array(X, chunks=(CUTS, (4, 2))), lazy, lazy[lazy.a > -1e9]):
        drawn = _some_rows([given, da.from_array(y, chunks=999), y], 0, 800)
        assert type(drawn[0]) is (
            np.ndarray if isinstance(given, da.Array) else pd.DataFrame
        )
        assert np.array_equal(drawn[0], rows)
        assert np.array_equal(drawn[1], labels)
        assert np.array_equal(drawn[2], labels)
    other, *_ = _some_rows([da.from_array(X)], 1, 800)
    assert not np.array_equal(other, rows)


def test_a_fit_of_many_rows_takes_some_of_them():
    """As many as the module says, and the detector's rule sees them all."""
    n = 300_000
    X = da.random.default_rng(0).normal(size=(n, 2), chunks=(50_000, 2))
    detector = ReconstructionOutlierDetector(error="mse", n_networks=1, **QUICK)
    detector.set_params(threshold_on="train", threshold=Quantile(0.9), batch_size=4096)
    detector.fit(X.astype(np.float32))
    assert len(detector.train_errors_) == 1 << 18
    flagged = detector.predict(X.astype(np.float32)) == -1
    assert float(flagged.mean()) == pytest.approx(0.1, abs=0.005)


@pytest.mark.parametrize(
    "kind", [AutoencoderTransformer, ReconstructionOutlierDetector]
)
def test_partial_fit_takes_blocks(kind, X, y, tmp_path):
    sizes = [700, 0, 900, 900]
    cuts = np.cumsum([0, *sizes])
    blocks = [slice(*pair) for pair in itertools.pairwise(cuts)]
    expected = kind(**QUICK)
    for block in blocks:
        if X[block].size:
            expected.partial_fit(X[block], y[block])
    path = tmp_path / "rows.npy"
    np.save(path, X)
    mapped = np.load(path, mmap_mode="r")
    frame = pd.DataFrame(X, columns=NAMES)
    partitions = dd.from_map(lambda block: frame[block], blocks)
    streams = [
        (da.from_array(X, chunks=(sizes, 4)), da.from_array(y, chunks=500)),
        (da.from_array(X, chunks=(sizes, 6)), y),
        (partitions, dd.from_map(lambda block: pd.Series(y)[block], blocks)),
        (((mapped[block], y[block]) for block in blocks),),
    ]
    for stream in streams:
        found = kind(**QUICK).partial_fit(*stream)
        rows = frame if stream[0] is partitions else X
        assert found.n_iter_ == 3
        assert np.array_equal(found.score_samples(rows), expected.score_samples(X))
    assert np.array_equal(expected.score_samples(mapped), expected.score_samples(X))


def test_a_stream_that_fails_changes_nothing(X):
    def blocks():
        yield X[:500]
        yield X[500:, :5]

    transformer = AutoencoderTransformer(3, **QUICK)
    with pytest.raises(ValueError, match="X has 5 features, but"):
        transformer.partial_fit(blocks())
    assert not hasattr(transformer, "autoencoder_")
    with pytest.raises(ValueError, match="Pass an iterator of tuples"):
        transformer.partial_fit(iter([X]), np.ones(N))
    with pytest.raises(ValueError, match="X has no rows"):
        transformer.partial_fit(iter([X[:0]]))


def test_dask_is_imported_when_a_collection_comes_in():
    code = """
        import sys
        import numpy as np
        from skae import AutoencoderTransformer
        X = np.random.default_rng(0).normal(size=(50, 4))
        fitted = AutoencoderTransformer(2, epochs=1).fit(X).partial_fit(iter([X, X]))
        fitted.transform(X)
        print("dask" in sys.modules)
    """
    done = subprocess.run(
        [sys.executable, "-c", "\n".join(map(str.strip, code.splitlines()))],
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout == "False\n"


# ------------------------------------------------------------------------ a cluster


@pytest.fixture(scope="module")
def client():
    """A client of two worker processes with a thread each."""
    distributed = pytest.importorskip("distributed")
    with (
        distributed.LocalCluster(
            n_workers=2, threads_per_worker=1, processes=True, dashboard_address=None
        ) as cluster,
        distributed.Client(cluster) as client,
    ):
        yield client


@pytest.fixture
def network(tmp_path):
    """A network that writes a line whenever it is trained, and perhaps ends a process.

    Its class is local, as one from a notebook: no worker can import it.
    """

    from skae._engine._threads import allowed_threads

    class CountingNetwork(DenseNetwork):
        def __init__(self, folder, hidden_units=(4,), is_deadly=False):
            super().__init__(hidden_units)
            self.folder = folder
            self.is_deadly = is_deadly

        def draw_weight(self, path, shape, rng):
            if path.endswith("latent/kernel"):  # once per training
                # One write, which the system does not mix with other processes' ones.
                with open(os.path.join(self.folder, "trainings"), "a") as file:
                    file.write(f"{os.getpid()} {allowed_threads()}\n")
                died = os.path.join(self.folder, "died")
                if self.is_deadly and not os.path.exists(died):
                    open(died, "x").close()
                    os._exit(1)
            return super().draw_weight(path, shape, rng)

    return CountingNetwork(str(tmp_path))


def trainings(folder):
    """Return process and number of threads of each training, and forget them."""
    path = folder / "trainings"
    lines = [tuple(line.split()) for line in path.read_text().splitlines()]
    path.unlink()
    return lines


def searching(detector):
    """Return a search over networks and rules."""
    grid = {"latent_dim": [1, 2], "threshold": [MeanStd(1), Quantile(0.9)]}
    return GridSearchCV(detector, grid, scoring=outlier_f1, cv=InlierKFold(3))


def scores_of(search):
    """Return the scores of all candidates in all folds."""
    return np.array([search.cv_results_[f"split{i}_test_score"] for i in range(3)])


@pytest.mark.draws_globally("distributed draws ports and waiting times")
def test_detectors_compared_on_a_cluster(client, X, y):
    detectors = {
        "cv": ReconstructionOutlierDetector(threshold_on="cv", n_networks=1, **QUICK),
        "several": ReconstructionOutlierDetector(n_networks=3, **QUICK),
    }
    tables = [compare_detectors(detectors, X[:300], y[:300], cv=3)]
    with joblib.parallel_config(backend="dask"):
        tables.append(compare_detectors(detectors, X[:300], y[:300], cv=3))
    kept = [one.filter(regex="^(?!.*seconds)") for one in tables]
    pd.testing.assert_frame_equal(*kept, check_exact=True)


@pytest.mark.draws_globally("distributed draws ports and waiting times")
def test_a_cluster_gets_an_estimator_once_per_worker(client, X, tmp_path):
    """And uses no more threads than the workers have."""

    class Detector(ReconstructionOutlierDetector):
        def __setstate__(self, state):
            super().__setstate__(state)
            with open(self.folder, "a") as file:
                file.write(f"{os.getpid()}\n")

        def score_samples(self, X):
            from skae._engine._threads import allowed_threads

            if isinstance(X, np.ndarray):
                with open(self.folder, "a") as file:
                    file.write(f"{allowed_threads()} threads\n")
            return super().score_samples(X)

    detector = Detector(**QUICK).fit(X)
    detector.folder = str(tmp_path / "received")
    lazy = detector.score_samples(da.from_array(X, chunks=(100, 6)))
    assert np.array_equal(lazy.compute(), detector.score_samples(X))
    lines = (tmp_path / "received").read_text().splitlines()
    pids = {str(pid) for pid in client.run(os.getpid).values()}
    assert max(lines.count(pid) for pid in pids) == 1
    assert lines.count("1 threads") >= N / 100


@pytest.mark.draws_globally("distributed draws ports and waiting times")
@pytest.mark.parametrize("is_deadly", [False, True])
def test_a_search_on_a_cluster_is_that_in_one_process(
    client, network, tmp_path, X, y, is_deadly
):
    """Each network is trained once, but what died with its worker.

    joblib's backend sends an array to one worker. Where that one dies, the search may
    fail: the next call finds what was trained.
    """
    from distributed.client import FutureCancelledError

    rows, labels = X[:300], y[:300]
    detector = ReconstructionOutlierDetector(
        network=network, n_networks=2, memory=str(tmp_path / "one"), **QUICK
    )
    expected = searching(detector).fit(rows, labels)
    n_trainings = len(trainings(tmp_path))
    assert n_trainings == 2 * (2 * 3 + 1)
    detector.set_params(memory=str(tmp_path / "all"), network__is_deadly=is_deadly)
    found = searching(detector)
    with joblib.parallel_config(backend="dask"):
        try:
            found.fit(rows, labels)
        except FutureCancelledError:
            assert is_deadly
            client.wait_for_workers(2)  # joblib starts none for a single one
            found.fit(rows, labels)
    found_trainings = trainings(tmp_path)
    assert len(found_trainings) == n_trainings + is_deadly
    # The refit is this process's.
    by_workers = [one for one in found_trainings if one[0] != str(os.getpid())]
    assert len(by_workers) == n_trainings + is_deadly - 2
    assert {threads for _, threads in by_workers} == {"1"}
    assert found.best_params_["latent_dim"] == expected.best_params_["latent_dim"]
    assert np.array_equal(scores_of(found), scores_of(expected))
    best = [one.best_estimator_.score_samples(X) for one in (found, expected)]
    assert np.array_equal(*best)
