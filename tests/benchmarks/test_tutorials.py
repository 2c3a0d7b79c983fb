"""The tutorials' rows: the decorator, what removes noise, and pictures."""

import numpy as np
import pytest
import tutorials
from harness import jobs
from harness.data import Images
from harness.jobs import Bar
from sklearn.datasets import load_digits
from tutorials import pictures, restorers


@pytest.fixture
def noisy_digits():
    """Return scikit-learn's digits, with Gaussian noise, on images of 28 x 28."""
    X, y = load_digits(return_X_y=True)
    clean = np.kron(X.reshape(-1, 8, 8) / 16, np.ones((3, 3)))[:200]
    clean = np.pad(clean, ((0, 0), (2, 2), (2, 2)))[..., np.newaxis]
    noise = np.random.default_rng(0).normal(scale=0.3, size=clean.shape)
    return Images(clean, y[:200], np.clip(clean + noise, 0, 1))


def test_a_row_runs_every_seed_and_draws_the_first():
    some, turns, drawn = jobs.Jobs("some"), [], []

    @tutorials.tutorial(
        "row",
        reference="a book",
        epochs=jobs.Epochs(13, of=50),
        published={("length", "rival"): "about 2"},
        bars={("length", "skae"): Bar("<", 2)},
        max_seeds=2,
        jobs=some,
    )
    def row(turn):
        """Row."""
        turns.append(turn)
        numbers = {("length", "skae"): turn.seed, ("length", "rival"): 2}
        return tutorials.Outcome(numbers, lambda: drawn.append(turn.seed), ("A note.",))

    record = some.run("row", jobs.Size()).record
    assert [turn.seed for turn in turns] == [0, 1]
    assert {turn.epochs for turn in turns} == {13}
    assert turns[0].with_epochs(50).epochs == 50
    assert drawn == [0]
    assert record["notes"] == ["A note."]
    first, second = record["measurements"]
    assert (first["values"], first["met"]) == ([0, 1], True)
    assert (second["reference"], second["bar"]) == ("about 2", None)


@pytest.mark.parametrize("name", restorers.RESTORERS)
def test_restorers_at_their_best_remove_noise(name, noisy_digits):
    judges = {"error": restorers.squared_error}
    restorer = restorers.RESTORERS[name]
    chosen = restorers.choose(restorer, noisy_digits, judges)["error"]
    assert chosen.strength in restorer.strengths
    assert restorer.unit in str(chosen)
    restored = chosen.restore(noisy_digits.noisy)
    assert restored.shape == noisy_digits.clean.shape
    assert restored.min() >= 0
    assert restored.max() <= 1
    before = restorers.squared_error(noisy_digits, noisy_digits.noisy)
    assert restorers.squared_error(noisy_digits, restored) < before


def test_restorers_that_change_nothing(noisy_digits):
    noisy = noisy_digits.noisy
    for threshold in (restorers.bayes_threshold, restorers.visu_threshold):
        unchanged = restorers.wavelet(("sym4", 0.0), threshold=threshold)
        np.testing.assert_allclose(unchanged(noisy), noisy, atol=1e-12)
    np.testing.assert_allclose(restorers.jpeg(100)(noisy), noisy, atol=0.02)
    np.testing.assert_array_equal(restorers.blur(0.0)(noisy), noisy)
    np.testing.assert_array_equal(restorers.median(1)(noisy), noisy)
    whole = restorers.pca(784, noisy_digits)(noisy_digits.clean)
    np.testing.assert_allclose(whole, noisy_digits.clean, atol=1e-6)


def test_strengths_are_chosen_on_held_out_images(noisy_digits):
    learned = []

    def learn(strength, seen):
        learned.append((strength, len(seen)))
        return lambda noisy: np.full_like(noisy, strength)

    def brightness(held, restored):
        assert len(held) == 33
        return restored.mean()

    restorer = restorers.Restorer(learn, (0.5, 0.2, 0.7), "grey")
    judges = {"dark": brightness, "light": lambda *both: -brightness(*both)}
    chosen = restorers.choose(restorer, noisy_digits, judges)
    assert {name: one.strength for name, one in chosen.items()} == {
        "dark": 0.2,
        "light": 0.7,
    }
    assert str(chosen["dark"]) == "0.2 (grey)"
    # A sixth is held out to choose, then the chosen ones learn from all.
    assert learned[:3] == [(0.5, 167), (0.2, 167), (0.7, 167)]
    assert sorted(learned[3:]) == [(0.2, 200), (0.7, 200)]


def test_codes_side_by_side():
    codes = np.arange(2 * 2 * 3 * 5, dtype=float).reshape(2, 2, 3, 5)
    drawn = pictures.mosaic(codes)
    assert drawn.shape == (2, 2 * (2 + 1), 3 * (3 + 1))
    np.testing.assert_array_equal(drawn[1, :2, :3], codes[1, ..., 0])
    np.testing.assert_array_equal(drawn[1, 3:5, 4:7], codes[1, ..., 4])
    assert np.isnan(drawn[:, 2]).all()
    assert np.nansum(drawn) == codes.sum()


def test_picture_stands_next_to_the_record(tmp_path):
    drawn = pictures.strips({"original": np.zeros((10, 784))})
    record = {"benchmark": "some", "job": "it", "picture": "it.png"}
    jobs.write(jobs.Result(record, drawn), tmp_path)
    assert (tmp_path / "some" / "it.png").read_bytes()[1:4] == b"PNG"
