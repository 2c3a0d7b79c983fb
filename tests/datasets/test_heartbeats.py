"""Generated heartbeats: identities, physiology, and how hard they are."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.integrate import cumulative_trapezoid
from sklearn.decomposition import PCA
from sklearn.ensemble import IsolationForest
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import train_test_split
from sklearn.neural_network import MLPRegressor
from sklearn.preprocessing import StandardScaler

from skae._validation import InvalidParameterError
from skae.datasets import _heartbeats, make_heartbeats
from skae.datasets._heartbeats import KINDS

TIME = np.linspace(*_heartbeats.WINDOW, 140)


@settings(max_examples=40, deadline=None)
@given(
    n_samples=st.integers(1, 60),
    n_timesteps=st.integers(2, 30),
    outlier_fraction=st.floats(0, 1, exclude_max=True),
    kinds=st.none() | st.lists(st.sampled_from(list(KINDS)), min_size=1),
    seed=st.integers(0, 2**32 - 1),
)
def test_shapes_labels_and_kinds(n_samples, n_timesteps, outlier_fraction, kinds, seed):
    X, y, drawn = make_heartbeats(
        n_samples,
        n_timesteps=n_timesteps,
        outlier_fraction=outlier_fraction,
        kinds=kinds,
        random_state=seed,
        return_kinds=True,
    )
    assert X.shape == (n_samples, n_timesteps)
    assert X.dtype == np.float64
    assert np.isfinite(X).all()
    assert np.array_equal(y, np.where(drawn == "normal", 1, -1))
    assert (y == -1).sum() == round(outlier_fraction * n_samples)
    expected = list(KINDS) if kinds is None else set(kinds)
    counts = [(drawn == kind).sum() for kind in expected]
    assert sum(counts) == (y == -1).sum()
    assert max(counts) - min(counts) <= 1


def test_defaults():
    X, y = make_heartbeats(random_state=0)
    assert X.shape == (5000, 140)
    assert (y == -1).sum() == 1000
    assert abs(np.corrcoef(y, np.arange(5000))[0, 1]) < 0.1  # in random order


def test_the_seed_decides():
    first, _ = make_heartbeats(20, random_state=3)
    assert np.array_equal(first, make_heartbeats(20, random_state=3)[0])
    assert not np.array_equal(first, make_heartbeats(20, random_state=4)[0])
    assert not np.array_equal(make_heartbeats(20)[0], make_heartbeats(20)[0])


@pytest.mark.parametrize("make", [np.random.RandomState, np.random.default_rng])
def test_generators_are_used_up(make):
    generator = make(0)
    first, second = (make_heartbeats(20, random_state=generator)[0] for _ in range(2))
    assert not np.array_equal(first, second)
    assert np.array_equal(first, make_heartbeats(20, random_state=make(0))[0])


def test_noise_is_added_in_proportion():
    clean, small, large = (
        make_heartbeats(200, noise=noise, random_state=0)[0] for noise in (0, 0.1, 0.2)
    )
    np.testing.assert_allclose(large - clean, 2 * (small - clean), atol=1e-12)
    assert np.std(small - clean) == pytest.approx(0.1, rel=0.05)


def test_more_timesteps_are_the_same_beats_in_more_detail():
    coarse, _ = make_heartbeats(30, n_timesteps=50, noise=0, random_state=0)
    fine, _ = make_heartbeats(30, n_timesteps=99, noise=0, random_state=0)
    np.testing.assert_allclose(fine[:, ::2], coarse, atol=1e-12)


@pytest.mark.parametrize("rate", [50.0, 60.0, 110.0])
def test_the_trace_is_the_integral_of_the_published_equation(rate):
    time = np.linspace(-0.5, 0.5, 20001) * 60 / rate  # one whole cycle
    beat = np.rec.fromarrays(
        [_heartbeats.ANGLE[None], _heartbeats.HEIGHT[None], _heartbeats.WIDTH[None]],
        dtype=_heartbeats.FIELDS,
    )
    z = _heartbeats.voltage(beat, np.array([rate]), time[None])[0]

    # Table I; ECGSYN's factors for another heart rate. Written out again on purpose.
    factor = np.sqrt(rate / 60)
    root = np.sqrt(factor)
    angle = np.radians([-60, -15, 0, 15, 90]) * [root, factor, 1, factor, root]
    a = np.array([1.2, -5.0, 30.0, -7.5, 0.75])
    b = np.array([0.25, 0.1, 0.1, 0.1, 0.4]) * factor
    omega = 2 * np.pi * rate / 60
    delta = omega * time[:, None] - angle
    slope = -(a * omega * delta * np.exp(-(delta**2) / (2 * b**2))).sum(axis=1)
    expected = cumulative_trapezoid(slope, time, initial=0)
    expected /= 30 * b[2] ** 2
    np.testing.assert_allclose(z - z[0], expected, atol=1e-4)


def mean_beat(kind):
    X, _ = make_heartbeats(
        600, outlier_fraction=0.99, kinds=[kind], noise=0, random_state=0
    )
    return X.mean(axis=0)


@pytest.fixture(scope="module")
def normal():
    return make_heartbeats(600, outlier_fraction=0, noise=0, random_state=0)[0].mean(0)


def between(start, stop):
    return (start <= TIME) & (stop >= TIME)


P_WAVE, QRS, ST = between(-0.18, -0.1), between(-0.08, 0.1), between(0.06, 0.12)
T_WAVE = between(0.12, 0.45)


def qrs_width(beat):
    return (beat[QRS] > beat[QRS].max() / 2).mean()


def test_a_normal_beat_has_its_five_waves(normal):
    peak = TIME[np.argmax(normal)]
    assert abs(peak) < 0.02
    assert normal[P_WAVE].mean() > 0.1
    assert normal[between(-0.08, 0)].min() < 0
    assert normal[between(0, 0.08)].min() < 0
    assert normal[T_WAVE].max() > 0.2


@pytest.mark.parametrize("kind", ["premature_ventricular", "bundle_branch_block"])
def test_ventricular_kinds_have_a_wide_qrs(kind, normal):
    assert qrs_width(mean_beat(kind)) > 1.3 * qrs_width(normal)


@pytest.mark.parametrize("kind", ["premature_ventricular", "junctional"])
def test_kinds_from_elsewhere_have_no_upright_p(kind, normal):
    assert mean_beat(kind)[P_WAVE].mean() < 0.02 < normal[P_WAVE].mean()


@pytest.mark.parametrize("kind", ["premature_ventricular", "t_inversion"])
def test_inverted_t(kind, normal):
    assert mean_beat(kind)[T_WAVE].mean() < 0 < normal[T_WAVE].mean()


def test_st_segments_move_up_and_down(normal):
    depressed, elevated = map(mean_beat, ["st_depression", "st_elevation"])
    low, middle, high = (beat[ST].mean() for beat in (depressed, normal, elevated))
    assert low + 0.05 < middle < high - 0.05


def test_long_qt_has_a_late_t(normal):
    peaks = [TIME[T_WAVE][np.argmax(b[T_WAVE])] for b in (normal, mean_beat("long_qt"))]
    assert peaks[0] + 0.02 < peaks[1] < 0.4


@pytest.mark.parametrize("kinds", [[], ["normal"], ["junctional", "fibrillation"]])
def test_unknown_kinds_are_refused(kinds):
    pattern = r"kinds must name at least one kind of outlier.*but it is .*Leave it None"
    with pytest.raises(ValueError, match=pattern):
        make_heartbeats(kinds=kinds)


@pytest.mark.parametrize(
    "wrong",
    [
        {"n_samples": 0},
        {"n_timesteps": 1},
        {"outlier_fraction": 1.0},
        {"noise": -1.0},
        {"kinds": "junctional"},
        {"random_state": "today"},
    ],
)
def test_wrong_arguments_are_refused(wrong):
    with pytest.raises(InvalidParameterError, match=next(iter(wrong))):
        make_heartbeats(**wrong)


def outlier_auc(y, errors):
    return roc_auc_score(y == -1, errors)


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
@pytest.mark.parametrize("seed", range(3))
def test_the_defaults_are_too_hard_for_pca_and_isolation_forest(seed):
    X, y = make_heartbeats(random_state=seed)
    X_train, X_test, y_train, y_test = train_test_split(
        X, y, test_size=0.5, stratify=y, random_state=seed
    )
    normals = X_train[y_train == 1]
    areas = {}
    scaler = StandardScaler().fit(normals)
    for name, train, test in (
        ("raw", normals, X_test),
        ("scaled", scaler.transform(normals), scaler.transform(X_test)),
    ):
        for n_components in (2, 4, 8, 16):
            pca = PCA(n_components).fit(train)
            rest = test - pca.inverse_transform(pca.transform(test))
            areas[name, n_components] = outlier_auc(y_test, (rest**2).mean(axis=1))
    forest = IsolationForest(random_state=seed).fit(normals)
    areas["forest"] = outlier_auc(y_test, -forest.score_samples(X_test))
    assert max(areas.values()) <= 0.97, areas
    assert areas["forest"] > 0.5  # the labels are the right way round

    # The promise of the docstring: following the curved surface of normal beats pays.
    train, test = scaler.transform(normals), scaler.transform(X_test)
    autoencoder = MLPRegressor(
        hidden_layer_sizes=(64, 32, 8, 32, 64),
        batch_size=32,
        learning_rate_init=2e-3,
        max_iter=25,
        random_state=seed,
    ).fit(train, train)
    errors = ((test - autoencoder.predict(test)) ** 2).mean(axis=1)
    assert outlier_auc(y_test, errors) > max(areas.values())
