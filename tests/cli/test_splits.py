"""How rows are split: in time order, by group, or at random; windows of a series."""

import numpy as np
import pandas as pd
import pytest

from skae._cli._read import InputError
from skae._cli._table import Plan, Table, apply_plan, split_rows

N = 100


def table(y=None, *, in_order=False, groups=None, window=1):
    X = pd.DataFrame(np.random.default_rng(0).normal(size=(N, 2)), columns=["a", "b"])
    plan = Plan(
        ["a", "b"], [], [], group=None if groups is None else "g", window=window
    )
    how = {"in_time_order": in_order, "groups": groups, "plan": plan}
    return Table("t", X, None if y is None else np.asarray(y), "o", **how)


def labels(*outliers):
    y = np.ones(N, int)
    y[list(outliers)] = -1
    return y


SPREAD = range(5, N, 10)


def test_rows_in_time_order_are_tested_on_the_latest():
    done, split = split_rows(table(labels(*SPREAD), in_order=True, window=4), 0)
    assert split.test.tolist() == list(range(70, N))
    assert split.train.tolist() == list(range(67))  # no window is in both
    assert "Rows are in time order: the test rows are the last 30." in done.notes[0]
    assert "--shuffle" in done.notes[0]
    held = [test for _, test in split.folds]
    assert sorted(np.concatenate(held)) == list(range(67))
    assert (np.diff(held[0][done.y[held[0]] == 1]) <= 2).all()  # one stretch of time


def test_late_outliers_move_the_cut():
    y = labels(*range(80, N, 3))
    _, split = split_rows(table(y, in_order=True), 0)
    assert split.train.max() < split.test.min()
    assert (y[split.train] == -1).sum() >= 2
    assert (y[split.test] == -1).sum() >= 2


@pytest.mark.parametrize("outliers", [range(40, N), range(5)])
def test_where_no_time_splits_the_labels_it_is_said(outliers):
    y = labels(*outliers)
    done, split = split_rows(table(y, in_order=True), 0)
    if (np.sort(split.test) != np.arange(len(split.train), N)).any():
        assert "they were split at random" in done.notes[0]


def test_rows_without_order_are_shuffled():
    done, split = split_rows(table(labels(*SPREAD)), 0)
    assert done.notes == ()
    assert len(split.test) == 30
    assert split.test.min() < 70
    for train, test in split.folds:
        assert (done.y[split.train][train] == 1).all()
        assert set(done.y[split.train][test]) == {1, -1}


def test_a_group_is_on_one_side():
    groups = np.arange(N) // 5
    done, split = split_rows(table(labels(*SPREAD), groups=groups), 0)
    assert not set(groups[split.train]) & set(groups[split.test])
    inner = groups[split.train]
    for train, test in split.folds:
        assert not set(inner[train]) & set(inner[test])
        assert (done.y[split.train][train] == 1).all()
    _, split = split_rows(table(groups=groups), 0)
    assert all(not set(groups[a]) & set(groups[b]) for a, b in split.folds)


def test_too_few_groups_are_refused():
    with pytest.raises(InputError, match="--group 'g' has 2 groups with outliers, but"):
        split_rows(table(labels(*range(20)), groups=np.arange(N) // 10), 0)


def test_without_labels_all_rows_train_in_blocks_of_time():
    _, split = split_rows(table(in_order=True), 0)
    assert split.train.tolist() == list(range(N))
    assert [len(test) for _, test in split.folds] == [34, 33, 33]
    assert all((np.diff(test) == 1).all() for _, test in split.folds)


def test_a_column_without_a_value_in_a_part_that_trains_is_left_out():
    data = table(in_order=True)
    data.X["b"] = np.where(np.arange(N) < 34, data.X["b"], np.nan)
    done, _ = split_rows(data, 0)
    assert list(done.X) == done.plan.numbers == ["a"]


def test_windows_hold_earlier_rows_and_never_cross_groups():
    raw = pd.DataFrame({"g": ["u", "u", "u", "v", "v"], "x": np.arange(5.0)})
    X, carried, _ = apply_plan(Plan(["x"], [], [], group="g", window=2), raw)
    assert list(X) == ["x[-1]", "x"]
    np.testing.assert_array_equal(X["x[-1]"], [np.nan, 0, 1, np.nan, 3])
    assert list(carried) == ["g"]


@pytest.mark.parametrize(
    ("times", "order"),
    [
        (["2024-01-03", "2024-01-02", "2024-01-02", "2024-01-01"], [3, 2, 1, 0]),
        ([5.0, 1.0, 7.0, 1.0], [1, 3, 0, 2]),
        (["2024-01-01", "2024-01-02", "2024-01-02", "2024-01-03"], [0, 1, 2, 3]),
    ],
)
def test_rows_are_put_in_the_order_of_time(times, order):
    raw = pd.DataFrame({"t": times, "x": np.arange(4.0)})
    X, _, found = apply_plan(Plan(["x"], [], [], time="t"), raw)
    assert list(found) == list(X.index) == order


def test_a_time_that_is_none_is_refused(tmp_path, load_file, frame):
    frame.assign(when="x").to_csv(tmp_path / "x.csv", index=False)
    with pytest.raises(
        InputError, match="--time 'when' needs a date or a number in ea"
    ):
        load_file(tmp_path / "x.csv", "--time", "when")


def test_the_options_of_order(tmp_path, load_file, frame):
    times = pd.date_range("2024-01-01", periods=40).strftime("%Y-%m-%d")
    path = tmp_path / "x.csv"
    frame.assign(when=times, series=["u", "v"] * 20).to_csv(path, index=False)
    assert load_file(path)[0].in_time_order
    assert not load_file(path, "--shuffle")[0].in_time_order
    table, uses = load_file(path, "--group", "series", "--window", 3)
    assert uses["group"] == ["series"]
    assert table.X.shape[1] == 9
    assert set(table.groups) == {0, 1}
    back = [*range(20), 18, *range(20, 199)]  # as where clocks are put back
    late = pd.date_range("2024-01-01", periods=199, freq="h")[back]
    pd.DataFrame({"when": late, "v": np.arange(200) % 7}).to_csv(path, index=False)
    table, uses = load_file(path)
    assert uses["time"] == ["when"]
    assert table.carried["when"].is_monotonic_increasing
    assert "Rows were sorted by 'when'." in table.notes
    mixed = np.random.default_rng(0).permutation(40)
    frame.assign(when=times[mixed]).to_csv(path, index=False)
    table, uses = load_file(path)
    assert not table.in_time_order
    assert uses["carried through"] == ["when"]
    table, _ = load_file(path, "--time", "when")
    assert table.in_time_order
    assert list(table.carried["when"]) == sorted(times)
    assert "Rows were sorted by 'when'." in table.notes
