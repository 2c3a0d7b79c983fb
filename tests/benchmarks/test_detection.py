"""The benchmark of detectors: tables, contenders, and how runs are summed up."""

import json
from types import SimpleNamespace

import detection
import numpy as np
import pandas as pd
import pytest
from detection import contenders, findings, tables
from harness import jobs
from harness.jobs import Bar
from harness.rivals import PyODDetector

CHEAP = ["skae", "PCA", "IsolationForest", "LOF", "5-NN"]


@pytest.fixture
def folder(tmp_path):
    """Return a folder of tables as unlike each other as they come."""
    rng = np.random.default_rng(0)
    files = {
        # Integers, a column that is constant, and labels of shape (n, 1).
        "10_ints": (rng.integers(0, 9, (60, 4)), np.arange(60)[:, None] < 6),
        "2_constant": (np.ones((40, 3)), np.arange(40) % 8 == 0),
        "wide": (rng.normal(size=(30, 50)).astype(np.float32), np.arange(30) < 3),
        "3_few": (rng.normal(size=(6, 2)), np.arange(6) < 1),
    }
    for name, (X, y) in files.items():
        np.savez(tmp_path / f"{name}.npz", X=X, y=y.astype(np.int8))
    return tmp_path


def options(folder, names=CHEAP, n_jobs=1):
    return SimpleNamespace(tables=[folder], contenders=names, n_jobs=n_jobs)


# ---------------------------------------------------------------------------- tables


def test_tables_come_in_the_order_of_their_numbers(folder):
    read = tables.read_tables(folder)
    assert [one.name for one in read] == ["2_constant", "3_few", "10_ints", "wide"]
    for one in read:
        assert one.X.dtype == np.float64
        assert set(one.y) == {1, -1}
        assert one.y.shape == (len(one.X),)
    assert (read[2].y == -1).sum() == 6
    assert len(tables.read_tables(folder, is_quick=True)) == tables.QUICK_TABLES


def test_what_cannot_be_used_says_so(tmp_path, monkeypatch):
    with pytest.raises(SystemExit, match="no tables, .* Pass a folder with --tables"):
        tables.read_tables(tmp_path)
    np.savez(tmp_path / "bad.npz", X=np.ones((9, 2)), y=np.zeros(9))
    with pytest.raises(SystemExit, match=r"bad.npz has 9 rows, 9 labels, 0 anomalies"):
        tables.read_tables(tmp_path)
    monkeypatch.setenv("SKAE_DATA", str(tmp_path))
    assert tables.default_folder() == tmp_path / "adbench"
    (tmp_path / "adbench_cv").mkdir()
    found = [path.name for path in tables.default_folders()]
    assert found == ["adbench", "adbench_cv"]
    assert tables.default_folders(is_quick=True) == [tmp_path / "adbench"]


@pytest.mark.parametrize("limits", [tables.LIMITS, tables.Limits(20, 30)])
def test_half_of_the_normal_rows_are_trained_on(limits):
    X = np.random.default_rng(0).normal(3, 5, size=(111, 2))
    table = tables.Table("it", X, np.where(np.arange(111) < 10, -1, 1))
    split = tables.normals_split(table, 0, limits)
    assert len(split.train) == min(50, limits.train)
    assert len(split.test) == min(61, limits.test)
    assert (split.y[split.train] == 1).all()
    assert (split.y[split.test] == -1).sum() == 10
    assert not set(split.train) & set(split.test)
    assert len({*split.train, *split.test}) == len(split.train) + len(split.test)
    np.testing.assert_allclose(split.X[split.train].mean(axis=0), 0, atol=1e-12)
    np.testing.assert_allclose(split.X[split.train].std(axis=0), 1)
    again, other = (tables.normals_split(table, seed, limits) for seed in (0, 1))
    np.testing.assert_array_equal(again.train, split.train)
    np.testing.assert_array_equal(again.test, split.test)
    assert set(other.train) != set(split.train)


def test_contaminated_rows_are_trained_on_and_scored():
    table = tables.Table("it", np.eye(100), np.repeat([1, -1], [98, 2]))
    split = tables.contaminated_split(table, 0, tables.Limits(50, 50))
    np.testing.assert_array_equal(split.train, split.test)
    assert len(set(split.train)) == 50
    assert (split.y[split.train] == -1).sum() == 2


@pytest.mark.parametrize(
    ("n_outliers", "n_kept", "expected"),
    [(1, 1000, 1), (90, 1000, 90), (900, 1000, 100), (4000, 1000, 400), (900, 50, 25)],
)
def test_rare_outliers_are_kept(n_outliers, n_kept, expected):
    y = np.repeat([1, -1], [10_000 - n_outliers, n_outliers])
    kept = tables.thinned(np.arange(10_000), y, n_kept, np.random.default_rng(0))
    assert len(set(kept)) == n_kept
    assert (y[kept] == -1).sum() == expected


# ------------------------------------------------------------------------ contenders


def test_contenders_that_are_not_installed_are_noted():
    optional = {"no_such_package": ("PyOD AE",)}
    makers, notes = contenders.available(optional=optional)
    assert "PyOD AE" not in makers
    assert notes == ("Not installed (no_such_package), and so not compared: PyOD AE.",)
    assert contenders.available(["PCA", "skae"]) == (
        {"PCA": contenders.RIVALS["PCA"], "skae": contenders.skae_default},
        (),
    )


def test_only_known_contenders_are_taken(capsys):
    assert contenders.known("PCA,skae") == ["PCA", "skae"]
    with pytest.raises(SystemExit):
        detection.JOBS.main("Words.", ["--contenders", "PCA,LODA"])
    assert "'LODA' does not compete; choose from skae, PCA" in capsys.readouterr().err


# -------------------------------------------------------------------------- findings


def made_runs():
    """Return runs of three contenders over three tables with two seeds."""
    auc = {"skae": (0.9, 0.8, 0.7), "A": (0.8, 0.8, 0.9), "B": (0.7, 0.6, 0.5)}
    return pd.DataFrame(
        {
            "table": f"t{place}",
            "group": "all",
            "seed": seed,
            "method": name,
            "roc_auc": value + 0.01 * seed,
            "average_precision": value / 2,
            "false_alarm_rate": 0.1 + 0.05 * seed,
            "fit_seconds": 2.0,
            "score_seconds": 1.0,
        }
        for place in range(3)
        for seed in (0, 1)
        for name, values in auc.items()
        for value in [values[place]]
    )


def test_means_of_each_folder():
    runs = made_runs()
    assert findings.by_group(runs) == []
    runs["group"] = runs["table"].map({"t0": "a", "t1": "b", "t2": "b"})
    (grid,) = findings.by_group(runs)
    assert [one for one in grid.columns if "ROC" in one] == [
        "a (1): ROC AUC",
        "b (2): ROC AUC",
    ]
    assert grid.rows["skae"][0] == pytest.approx(0.905)
    assert grid.rows["skae"][3] == pytest.approx(0.755)


def test_the_lead_over_the_best_rival():
    found = findings.findings_of(made_runs(), {}, (), lead=Bar(">=", 0.01))
    (lead,) = (
        one for one in found.measurements if one.quantity.endswith("best rival's")
    )
    assert lead.values == pytest.approx((-1 / 30, -1 / 30))
    assert lead.record()["met"] is False


def test_means_margins_ranks_and_losses():
    found = findings.findings_of(made_runs(), {"A": Bar(">", 0)}, ("First.",))
    values = {(one.quantity, one.contender): one for one in found.measurements}
    means = values["mean ROC AUC", "skae"].values
    assert means == pytest.approx((0.8, 0.81))
    margin = values["mean ROC AUC, above A's", "skae"]
    assert margin.values == pytest.approx((-1 / 30, -1 / 30))
    assert margin.record()["met"] is False
    assert values["mean ROC AUC, above B's", "skae"].bar is None
    summary, ahead, auc, precision, fit = found.grids
    assert summary.rows["skae"] == pytest.approx(
        [0.805, 0.805, 0.4, (1 + 1.5 + 2) / 3, 2, 2, 1]
    )
    assert ahead.columns == ("A", "B")
    assert ahead.rows == {"t2": [pytest.approx(0.2), None]}
    assert auc.rows["t0"] == pytest.approx([0.905, 0.805, 0.705])
    assert precision.rows["t0"] == pytest.approx([0.45, 0.4, 0.35])
    assert fit.rows["t2"] == [2, 2, 2]
    assert found.notes[0] == "First."
    assert "behind at least one rival on 1 of 3 tables" in found.notes[1]
    assert "t2 (A, by 0.200)" in found.notes[1]
    assert found.notes[2].startswith("Friedman's test")
    assert found.figure is not None


def test_tables_on_which_one_failed_are_left_out_for_all():
    runs = made_runs()
    runs = runs.drop(runs.index[(runs.table == "t1") & (runs.method == "B")][0])
    found = findings.findings_of(runs, {}, ())
    assert found.notes[0] == "Left out for all, because a contender failed there: t1."
    assert list(found.grids[2].rows) == ["t0", "t2"]


def test_without_a_rival_ahead_the_words_say_so():
    runs = made_runs()
    found = findings.findings_of(runs[runs.method != "A"], {}, ())
    assert found.notes == ("No rival is ahead of skae on any of the 3 tables.",)
    assert found.grids[1].rows == {}


def test_without_skae_nothing_is_set_against_it():
    runs = made_runs()
    found = findings.findings_of(runs[runs.method != "skae"], {}, ())
    assert {one.quantity for one in found.measurements} == {"mean ROC AUC"}
    assert found.figure is None


def test_a_choice_is_cross_validated_over_tables():
    auc = pd.DataFrame(
        {"skae": [0.9, 0.6, 0.7], "other": [0.5, 0.9, 0.8]}, index=["t0", "t1", "t2"]
    )
    # The others' means: t0 0.65 and 0.85, t1 0.8 and 0.65, t2 0.75 and 0.7.
    (words,) = findings.chosen_by_others(auc)
    assert f"mean ROC AUC {(0.5 + 0.6 + 0.7) / 3:.4f}" in words
    assert "skae (2), other (1)." in words
    assert findings.chosen_by_others(auc[:1]) == ()
    found = findings.findings_of(made_runs(), {}, (), by_others=True)
    assert any(note.startswith("Each table by the choice") for note in found.notes)


def test_the_critical_difference_is_the_published_one():
    # Demsar (2006), Table 5: q is 2.343 for 3 and 2.728 for 5 contenders.
    for n_contenders, q in ((3, 2.343), (5, 2.728)):
        expected = q * np.sqrt(n_contenders * (n_contenders + 1) / (6 * 14))
        found = findings.critical_difference(n_contenders, 14)
        assert found == pytest.approx(expected, rel=1e-3)


def test_the_picture_has_a_point_for_each_table():
    auc = findings.per_table(made_runs(), "roc_auc")
    (ax,) = findings.differences(auc, "skae").axes
    labels = [label.get_text() for label in ax.get_yticklabels()]
    assert labels == ["B\n(ahead on 0)", "A\n(ahead on 1)"]
    points = [one.get_offsets()[:, 0] for one in ax.collections]
    np.testing.assert_allclose(points[1], [-0.1, 0, 0.2])
    assert [one.get_text() for one in ax.texts] == ["t2"]


# ------------------------------------------------------------------------------ jobs


@pytest.mark.parametrize("job", ["normals", "contaminated"])
@pytest.mark.parametrize("n_jobs", [1, 2])
def test_any_folder_of_tables(folder, job, n_jobs):
    size = jobs.Size(seeds=(0,), is_quick=True, options=options(folder, n_jobs=n_jobs))
    result = detection.JOBS.run(job, size)
    record = result.record
    summary = record["grids"][0]["rows"]
    assert list(summary) == CHEAP
    assert result.figure is not None
    shared = [note for note in record["notes"] if "times cannot be compared" in note]
    assert len(shared) == (n_jobs > 1)
    bars = {one["quantity"] for one in record["measurements"] if one["bar"]}
    assert "mean ROC AUC, above IsolationForest's" in bars
    assert ("mean ROC AUC, above PCA's" in bars) == (job == "normals")


def test_a_rival_may_fail_but_skae_may_not(folder):
    def broken(case):
        return PyODDetector("NoSuchNetwork")

    table = tables.read_tables(folder)[0]
    makers = {"PCA": contenders.RIVALS["PCA"], "X": broken}
    race = detection.Race(makers, tables.normals_split, "inliers", jobs.QUICK)
    runs, (failure,) = race.play(table, 0)
    assert list(runs["method"]) == ["PCA"]
    assert failure.startswith("X failed on 2_constant, seed 0: ")
    assert "NoSuchNetwork" in failure
    race = detection.Race({"skae": broken}, tables.normals_split, "inliers", jobs.QUICK)
    with pytest.raises(KeyError, match="NoSuchNetwork"):
        race.play(table, 0)


def test_options_come_from_the_command_line(folder, tmp_path, capsys):
    detection.JOBS.main(
        "Words.",
        [
            *("normals", "--quick", "--tables", str(folder)),
            *("--contenders", "skae,PCA", "--output", str(tmp_path / "out")),
        ],
    )
    record = json.loads((tmp_path / "out" / "detection" / "normals.json").read_text())
    assert list(record["grids"][0]["rows"]) == ["skae", "PCA"]
    assert record["seeds"] == [0]
    assert (tmp_path / "out" / "detection" / "normals.png").is_file()
    assert "Tables on which a rival is ahead of skae" in capsys.readouterr().out
