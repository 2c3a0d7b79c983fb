"""The benchmark scripts run, judge rightly, and their committed tables are true."""

import importlib
import json
import math
import operator
import os
import platform
import statistics
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.datasets import load_digits
from sklearn.decomposition import PCA
from sklearn.metrics import mean_squared_error

BENCHMARKS = Path(__file__).parents[1] / "benchmarks"
if not BENCHMARKS.is_dir():
    pytest.skip("not a checkout: no benchmarks", allow_module_level=True)
# Scripts import their neighbours by name, as Python lets scripts do.
sys.path.append(str(BENCHMARKS))

MODULES = (
    "clock",
    "ecg",
    "environment",
    "images",
    "jobs",
    "measurements",
    "networks",
    "pictures",
    "restorers",
    "rivals",
    "text",
    "tutorial",
)
(
    clock,
    ecg,
    environment,
    images,
    jobs,
    measurements,
    networks,
    pictures,
    restorers,
    rivals,
    text,
    tutorial,
) = (importlib.import_module(f"_{name}") for name in MODULES)
report = importlib.import_module("report")
SCRIPTS = {
    name: importlib.import_module(name)
    for name in ("tutorials", "defaults", "timings", "speed", "detection")
}
RIVALS = pytest.mark.draws_globally("rivals seed, and draw from, the global state")
WITH_RIVALS = {"speed", "detection"}
ALL_JOBS = [
    pytest.param(name, job, marks=RIVALS if name in WITH_RIVALS else ())
    for name, script in SCRIPTS.items()
    for job in script.JOBS
]
WITHOUT_DATA = {"digits-code", "digits-denoise", "missing-filled"}
WITHOUT_DATA |= {"import", "many-fits", "curves"}
# Jobs that only look, or that compare and take the outcome as it is.
CHOICES = {"choices", "choices-contaminated"}
WITHOUT_BARS = {"mnist-latent-map", *CHOICES, "codes-as-images", "ecg-lstm", "modes"}
WITHOUT_BARS |= {"score-in-keras", "curves"}
OVER_TABLES = {"normals", "contaminated", *CHOICES}
WITH_PICTURE = {*SCRIPTS["tutorials"].JOBS, "curves", "images", *OVER_TABLES}
MAX_PICTURE_BYTES = 150_000

# Bars that do not depend on time or training, and how many verdicts they give.
SURE = {
    "of TensorFlow, Keras imported",
    "largest relative difference from Model.predict's scores",
}
SURE_VERDICTS = {("timings", "import"): 2, ("timings", "score"): 1}

Bar, Measurement = measurements.Bar, measurements.Measurement
numbers = st.floats(-1e6, 1e6, allow_subnormal=False)
lists = st.lists(numbers, min_size=1, max_size=12)


@pytest.fixture
def result():
    """Return what ``Jobs.run`` returns for a job of two measurements."""
    some = jobs.Jobs("some")

    @some.job("two-things", reference="a book")
    def two_things(size):
        """Two things.

        The second has
        a bar.
        """
        first = Measurement("length, m", "rival", tuple(map(float, size.seeds)))
        return [first, Measurement("length, m", "skae", (3.0,), Bar(">", 4))]

    return some.run("two-things", jobs.Size())


@pytest.fixture
def record(result):
    """Return the record of a job of two measurements."""
    return result.record


@pytest.fixture
def noisy_digits():
    """Return scikit-learn's digits, with Gaussian noise, on images of 28 x 28."""
    X, y = load_digits(return_X_y=True)
    clean = np.kron(X.reshape(-1, 8, 8) / 16, np.ones((3, 3)))[:200]
    clean = np.pad(clean, ((0, 0), (2, 2), (2, 2)))[..., np.newaxis]
    noise = np.random.default_rng(0).normal(scale=0.3, size=clean.shape)
    return images.Images(clean, y[:200], np.clip(clean + noise, 0, 1))


# -------------------------------------------------------------- bars and numbers


@given(lists, numbers)
@settings(max_examples=60, deadline=None)
def test_bar_judges_the_median_or_every_value(values, limit):
    relations = {"<": operator.lt, "<=": operator.le, ">": operator.gt}
    for name, holds in {**relations, ">=": operator.ge}.items():
        median = statistics.median(values)
        assert Bar(name, limit).is_met(values) == holds(median, limit)
        every = all(holds(value, limit) for value in values)
        assert Bar(name, limit, of_every=True).is_met(values) == every


def test_bar_in_words():
    assert str(Bar(">=", 0.945)) == "median >= 0.945"
    assert str(Bar("<", 1.0, of_every=True)) == "every < 1"


@given(lists, numbers)
@settings(max_examples=60, deadline=None)
def test_verdict_is_that_of_the_numbers_which_are_kept(values, limit):
    bar = Bar(">=", limit, of_every=True)
    kept = Measurement("length", "skae", tuple(values), bar).record()
    assert kept["met"] == bar.is_met(kept["values"])
    assert kept["min"] <= kept["median"] <= kept["max"]
    np.testing.assert_allclose(kept["values"], values, rtol=1e-5)


def test_without_a_bar_there_is_no_verdict():
    assert Measurement("length", "skae", (1.0,)).record()["met"] is None


def test_collect_gathers_rounds_in_order():
    rounds = [{("b", "x"): i, ("a", "y"): 10 * i} for i in range(3)]
    bar = Bar("<", 5)
    found = measurements.collect(rounds, {("a", "y"): bar})
    assert found == [
        Measurement("b", "x", (0, 1, 2)),
        Measurement("a", "y", (0, 10, 20), bar),
    ]


@pytest.mark.parametrize("name", ["bars", "references"])
def test_collect_refuses_words_for_what_is_not_measured(name):
    message = (
        rf"{name} has \[\('c', 'x'\)\], but only \[\('b', 'x'\)\] are measured\. Give "
        r"one of these\."
    )
    with pytest.raises(ValueError, match=message):
        measurements.collect([{("b", "x"): 1}], **{name: {("c", "x"): None}})


@given(numbers)
@settings(max_examples=100, deadline=None)
def test_number_has_four_digits_and_no_power_of_ten(value):
    shown = text.number(value)
    assert "e" not in shown
    assert math.isclose(float(shown), value, rel_tol=1e-3)


# ------------------------------------------------------------------------ tables


def test_table_has_a_cell_for_each_thing(record):
    head, rule, *lines = text.table(record["measurements"]).splitlines()
    assert len({len(line) for line in (head, rule, *lines)}) == 1
    rows = [dict(zip(cells_of(head), cells_of(line), strict=True)) for line in lines]
    assert [row["contender"] for row in rows] == ["rival", "skae"]
    assert [row["values"] for row in rows] == ["0, 1, 2, 3, 4", "one"]
    assert [row["median"] for row in rows] == ["2", "3"]
    assert [(row["bar"], row["result"]) for row in rows] == [
        ("", ""),
        ("median > 4", "MISSED"),
    ]


def cells_of(line):
    return [cell.strip() for cell in line.strip("|").split("|")]


def test_many_values_are_counted_in_the_table():
    many = Measurement("time", "skae", (1.0,) * 11, Bar("<", 2)).record()
    last = cells_of(text.table([many]).splitlines()[-1])
    assert last[-3:] == ["11 values", "median < 2", "met"]


def test_references_have_a_column_where_there_is_one(record):
    first, second = record["measurements"]
    head, *_ = text.table([first, second]).splitlines()
    assert "reference" not in cells_of(head)
    head, _, *lines = text.table([first, second | {"reference": "3"}]).splitlines()
    place = cells_of(head).index("reference")
    assert [cells_of(line)[place] for line in lines] == ["", "3"]


def test_overview_has_what_has_a_bar_or_a_reference(record):
    first, second = record["measurements"]
    both = record | {"measurements": [first | {"reference": "2"}, second]}
    lines = [cells_of(line) for line in text.overview([both, record]).splitlines()]
    assert lines[0] == [
        *("row", "measured", "contender", "reference", "median", "bar", "result")
    ]
    assert lines[2:] == [
        ["two-things", "length, m", "rival", "2", "2", "", ""],
        ["two-things", "length, m", "skae", "", "3", "median > 4", "MISSED"],
        ["two-things", "length, m", "skae", "", "3", "median > 4", "MISSED"],
    ]


def test_text_shows_epochs_notes_and_picture_where_there_are_any(record):
    more = {"epochs": "13 of 50", "notes": ["A note."], "picture": "two-things.png"}
    shown = text.as_text(record | more)
    assert "Networks were trained for 13 of 50 epochs." in shown
    assert "\n\nA note.\n\n" in shown
    assert "![two-things](results/some/two-things.png)" in shown
    without = text.as_text({key: record[key] for key in record if key not in more})
    assert without == text.as_text(record)
    assert "epochs" not in without
    assert "![" not in without


def test_text_says_what_where_and_with_what(record):
    shown = text.as_text(record)
    assert shown.startswith("### two-things\n\nTwo things.\n\nThe second has a bar.\n")
    assert "Reference: a book." in shown
    words = " ".join(shown.split())
    assert "One value per seed (0, 1, 2, 3, 4)" in words
    assert f"{environment.machine()['cores']} cores" in words
    assert f"python {platform.python_version()}" in words
    assert "Quick" not in words
    assert "Quick" in text.as_text(record | {"is_quick": True})


def test_environment_names_versions_but_no_host():
    assert set(environment.PACKAGES) < set(environment.versions())
    found = environment.machine()
    assert found["cores"] >= 1
    assert found["cpu"]
    if platform.node() not in ("", "localhost"):
        assert platform.node() not in json.dumps(found)


# ----------------------------------------------------------- records and commands


def test_record_is_the_same_after_a_file(result, tmp_path):
    record = result.record
    jobs.write(result, tmp_path)
    path = tmp_path / "some" / "two-things.json"
    assert json.loads(path.read_text()) == record
    assert '"values": [0.0, 1.0, 2.0, 3.0, 4.0]' in path.read_text()
    assert report.read("some", tmp_path) == [record]


def test_picture_stands_beside_the_record(result, tmp_path):
    drawn = pictures.strips({"original": np.zeros((10, 784))})
    record = result.record | {"picture": "two-things.png"}
    jobs.write(jobs.Result(record, drawn), tmp_path)
    assert (tmp_path / "some" / "two-things.png").read_bytes()[1:4] == b"PNG"


def test_results_replace_what_stood_in_their_place(result, tmp_path):
    jobs.write(result, tmp_path)
    page = "A\n<!-- results of some -->\nold\n<!-- end of results -->\nB\n"
    once = report.filled(page, tmp_path)
    assert once.startswith("A\n<!-- results of some -->\n\n### two-things\n")
    assert once.endswith("\n\n<!-- end of results -->\nB\n")
    assert "old" not in once
    assert report.filled(once, tmp_path) == once


def test_overview_replaces_what_stood_in_its_place(result, tmp_path):
    jobs.write(result, tmp_path)
    page = "<!-- overview of some -->\nold\n<!-- end of overview -->\n"
    expected = f"\n{text.overview([result.record])}\n\n<!-- end of overview -->\n"
    assert report.filled(page, tmp_path).partition("-->\n")[2] == expected


def test_two_jobs_of_one_name_are_refused():
    some = jobs.Jobs("some")
    some.job("one")(len)
    message = "'one' is a job of some already. Choose another name."
    with pytest.raises(ValueError, match=message):
        some.job("one")(len)


@pytest.mark.parametrize(
    ("argv", "message"),
    [
        (["digits"], "'digits' is no job here; choose from ecg-outliers, digits-code"),
        (["--seeds", "0"], "'0' is no positive integer"),
        (["--repeats", "x"], "'x' is no positive integer"),
    ],
)
def test_wrong_command_lines(argv, message, capsys):
    with pytest.raises(SystemExit):
        SCRIPTS["defaults"].JOBS.main("Words.", argv)
    assert message in capsys.readouterr().err


def test_command_line_sets_size_and_folder(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(jobs, "RESULTS", tmp_path / "usual")
    some, sizes = jobs.Jobs("some"), []

    @some.job("one")
    def one(size):
        """One."""
        sizes.append(size)
        return [Measurement("length", "skae", (1.0,))]

    some.main("Words.", ["--quick"])
    assert list(tmp_path.iterdir()) == []
    some.main("Words.", ["one", "--seeds", "2", "--repeats", "3"])
    some.main("Words.", ["--output", str(tmp_path / "other")])
    assert sizes == [jobs.QUICK, jobs.Size((0, 1), 3), jobs.Size()]
    assert (tmp_path / "usual" / "some" / "one.json").is_file()
    assert (tmp_path / "other" / "some" / "one.json").is_file()
    assert capsys.readouterr().out.count("### one") == 3


def test_a_long_job_runs_fewer_seeds():
    some, seen = jobs.Jobs("some"), []

    @some.job("long", max_seeds=2, epochs=jobs.Epochs(13, of=50))
    def long(size):
        """Long."""
        seen.append(size.seeds)
        return [Measurement("length", "skae", (1.0,))]

    records = [some.run("long", size).record for size in (jobs.Size(), jobs.QUICK)]
    assert seen == [(0, 1), (0,)]
    assert [record["seeds"] for record in records] == [[0, 1], [0]]
    assert [record["epochs"] for record in records] == ["13 of 50", "2 of 50"]


def test_a_row_runs_every_seed_and_draws_the_first(monkeypatch):
    monkeypatch.setattr(tutorial, "JOBS", jobs.Jobs("some"))
    turns, drawn = [], []

    @tutorial.tutorial(
        "row",
        reference="a book",
        epochs=jobs.Epochs(13, of=50),
        published={("length", "rival"): "about 2"},
        bars={("length", "skae"): Bar("<", 2)},
        max_seeds=2,
    )
    def row(turn):
        """Row."""
        turns.append(turn)
        numbers = {("length", "skae"): turn.seed, ("length", "rival"): 2}
        return tutorial.Outcome(numbers, lambda: drawn.append(turn.seed), ("A note.",))

    record = tutorial.JOBS.run("row", jobs.Size()).record
    assert [turn.seed for turn in turns] == [0, 1]
    assert {turn.epochs for turn in turns} == {13}
    assert turns[0].with_epochs(50).epochs == 50
    assert drawn == [0]
    assert record["notes"] == ["A note."]
    first, second = record["measurements"]
    assert (first["values"], first["met"]) == ([0, 1], True)
    assert (second["reference"], second["bar"]) == ("about 2", None)


def test_contenders_take_turns_at_being_first():
    contenders = {"a": abs, "b": bool, "c": chr}
    firsts = [clock.in_turn(contenders, turn)[0][0] for turn in range(6)]
    assert firsts == ["a", "b", "c", "a", "b", "c"]
    assert dict(clock.in_turn(contenders, 1)) == contenders


def test_a_timed_call_returns_its_result():
    seconds, result = clock.timed(sorted, [2, 1], reverse=True)
    assert seconds >= 0
    assert result == [2, 1]


# -------------------------------------------------------------------------- rivals


def test_rivals_measure_what_they_say():
    X = load_digits().data
    X_train, X_test = X[:900], X[900:]
    pca = PCA(8).fit(X_train)
    output = pca.inverse_transform(pca.transform(X_test))
    expected = mean_squared_error(X_test, output)
    errors = rivals.pca_errors(8, X_train, X_test)
    assert rivals.pca_test_error(8, X_train, X_test) == pytest.approx(expected)
    assert errors.mean() == pytest.approx(expected)
    # With as many components as columns nothing is lost.
    np.testing.assert_allclose(rivals.pca_errors(64, X_train, X_test), 0, atol=1e-12)
    # A training row is its own nearest neighbour.
    np.testing.assert_allclose(
        rivals.neighbor_distances(1, X_train, X_train), 0, atol=1e-6
    )


def test_noise_is_the_same_for_everybody(data_folder, monkeypatch):
    monkeypatch.setenv("SKAE_DATA", str(data_folder))
    turn, other = (tutorial.Turn(seed, jobs.QUICK) for seed in (0, 1))
    parts, again = (images.load_noisy("MNIST", turn, 0.5) for _ in range(2))
    for part, same, different in zip(
        parts, again, images.load_noisy("MNIST", other, 0.5), strict=True
    ):
        np.testing.assert_array_equal(part.noisy, same.noisy)
        np.testing.assert_array_equal(part.clean, different.clean)
        assert (part.noisy != different.noisy).any()
        assert part.noisy.min() == 0
        assert part.noisy.max() == 1
        assert part.noisy.dtype == np.float32
    # Half of the noise on black is clipped away, the rest has a known mean square.
    black = parts[0].noisy[parts[0].clean == 0]
    assert np.mean(black == 0) == pytest.approx(0.5, abs=0.01)


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


SAME_NETWORKS = {
    "dense": (networks.dense(), (784,), 32, {}),
    "deep": (networks.dense(128, 64), (784,), 32, {"units": (128, 64, 32)}),
    "conv_small": (networks.CONV_SMALL, (28, 28, 1), None, {}),
    "conv": (networks.CONV, (28, 28, 1), None, {}),
    "conv_strided": (networks.CONV_STRIDED, (28, 28, 1), None, {}),
    "dense_denoiser": (networks.dense(512), (28, 28, 1), 32, {}),
}


@pytest.mark.parametrize("name", SAME_NETWORKS)
def test_plain_keras_builds_the_same_network(name):
    network, shape, width, params = SAME_NETWORKS[name]
    keras_networks = importlib.import_module("_keras_networks")
    build = getattr(keras_networks, "dense" if name == "deep" else name)
    built = network.build(shape, shape, width)
    ours = [*built.encoder.weights, *built.decoder.weights]
    theirs = build(0, **params).weights
    assert [w.shape for w in ours] == [w.shape for w in theirs]
    again, other = (build(seed, **params).get_weights()[0] for seed in (0, 1))
    np.testing.assert_array_equal(again, theirs[0].numpy())
    assert (again != other).any()


def test_plain_keras_trains_the_same_network(data_folder, monkeypatch):
    monkeypatch.setenv("SKAE_DATA", str(data_folder))
    normals = ecg.in_unit_range(ecg.ecg_split(jobs.QUICK)).normals
    detector = ecg.tutorial_detector(0, epochs=2).fit(normals)
    keras_tutorial = importlib.import_module("_keras_tutorial")

    def train():
        keras_tutorial.seed_batch_order(0)
        return keras_tutorial.train(normals, 0, epochs=2, batch_size=512)

    model, losses = train()
    ours = [w.shape for w in detector.autoencoder_.weights]
    assert ours == [w.shape for w in model.get_weights()]
    assert detector.history_["loss"] == pytest.approx(losses, rel=0.2)
    assert train()[1] == pytest.approx(losses)


# ------------------------------------------------------------------- the scripts


@pytest.mark.parametrize(("script", "job"), ALL_JOBS)
def test_every_job_runs(script, job, monkeypatch, request):
    if job not in WITHOUT_DATA:
        folder = request.getfixturevalue("data_folder")
        if job in OVER_TABLES and not (folder / "adbench").is_dir():
            pytest.skip(f"no tables: {folder} has no folder adbench")
        monkeypatch.setenv("SKAE_DATA", str(folder))
    result = SCRIPTS[script].JOBS.run(job, jobs.QUICK)
    record = result.record
    found = record["measurements"]
    assert json.loads(json.dumps(record, allow_nan=False)) == record
    assert len({(one["quantity"], one["contender"]) for one in found}) == len(found)
    assert any(one["bar"] for one in found) == (job not in WITHOUT_BARS)
    assert (result.figure is not None) == (job in WITH_PICTURE)
    assert len({one["contender"] for one in found}) >= 2
    sure = [one["met"] for one in found if one["quantity"] in SURE]
    assert sure == [True] * SURE_VERDICTS.get((script, job), 0)


@pytest.mark.parametrize("script", SCRIPTS)
def test_script_is_a_command(script):
    done = subprocess.run(
        [sys.executable, BENCHMARKS / f"{script}.py", "--help"],
        env={**os.environ, "COLUMNS": "1000"},  # names with hyphens are not cut
        capture_output=True,
        text=True,
        check=True,
    )
    words = " ".join(done.stdout.split())
    assert f"one of {', '.join(SCRIPTS[script].JOBS)}" in words


# ------------------------------------------------------------- committed results


@pytest.mark.parametrize("path", report.PAGES, ids=lambda path: path.parent.name)
def test_tables_in_the_pages_are_those_of_the_results(path):
    page = path.read_text("utf-8")
    assert report.filled(page) == page


@pytest.mark.parametrize("script", SCRIPTS)
def test_committed_results_are_whole_runs_of_jobs(script):
    records = report.read(script)
    assert {record["job"] for record in records} == {*SCRIPTS[script].JOBS}
    for record in records:
        assert not record["is_quick"]
        assert record["about"] == SCRIPTS[script].JOBS[record["job"]].about
        for one in record["measurements"]:
            assert one["median"] == statistics.median(one["values"])


def test_committed_pictures_are_small_and_belong_to_a_result():
    drawn = {path: path.stat().st_size for path in jobs.RESULTS.rglob("*.png")}
    run = [record for script in SCRIPTS for record in report.read(script)]
    named = {record.get("picture") for record in run} - {None}
    assert {path.name for path in drawn} == named
    assert max(drawn.values()) <= MAX_PICTURE_BYTES
