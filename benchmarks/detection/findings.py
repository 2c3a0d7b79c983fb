"""The runs of ``detection.py`` summed up: means, ranks, wins, losses, a picture."""

from __future__ import annotations

import numpy as np
import pandas as pd
from harness.jobs import Bar, Findings, Grid, Measurement
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from scipy import stats

from detection.contenders import OWN

AUC, PRECISION = "ROC AUC", "average precision"
# By the default rule, which flags a tenth of the training rows.
FLAGGED = "mean share of normal rows flagged"
ALPHA = 0.05
_GROUP_COLUMNS = {
    "roc_auc": AUC,
    "average_precision": PRECISION,
    "false_alarm_rate": "normal rows flagged",
}
# Of the picture.
AHEAD, BEHIND = "#D55E00", "#0072B2"
N_NAMED = 2  # tables whose names stand next to their points, per rival
SMALLEST_NAMED = 0.01


def findings_of(
    runs: pd.DataFrame,
    bars: dict[str, Bar],
    notes: tuple[str, ...],
    *,
    by_others: bool = False,
    lead: Bar | None = None,
) -> Findings:
    """Return the findings of runs over tables.

    ``runs`` has a row for each table, seed and contender: ``table``, ``group``,
    ``seed``, ``method``, ``roc_auc``, ``average_precision``, ``false_alarm_rate``,
    ``fit_seconds``, ``score_seconds``. A bar is how far skae's mean ROC AUC should be
    above a rival's. ``by_others`` adds what each table would have by the choice of the
    other tables. ``lead`` is the bar of the lead over the best rival.
    """
    kept, left_out = complete_tables(runs)
    auc = per_table(kept, "roc_auc")
    means = kept.groupby(["seed", "method"], sort=False)["roc_auc"].mean().unstack()
    means = means[list(auc)]
    rivals = [name for name in auc if name != OWN]
    measured = [Measurement(f"mean {AUC}", one, tuple(means[one])) for one in means]
    own = OWN in auc
    if own:
        measured += [
            Measurement(
                f"mean {AUC}, above {rival}'s",
                OWN,
                tuple(means[OWN] - means[rival]),
                bars.get(rival),
            )
            for rival in rivals
        ]
        if lead is not None and rivals:
            best = max(rivals, key=lambda rival: means[rival].mean())
            values = tuple(means[OWN] - means[best])
            words = f"mean {AUC}, above the best rival's"
            measured.append(Measurement(words, OWN, values, lead))
        flagged = kept[kept["method"] == OWN].groupby("seed")["false_alarm_rate"]
        measured.append(Measurement(FLAGGED, OWN, tuple(flagged.mean())))
    precision = per_table(kept, "average_precision")
    grids = [
        summary(kept, auc, precision),
        *by_group(kept),
        _grid(f"{AUC}, mean over the seeds", auc),
        _grid(f"{PRECISION[0].upper()}{PRECISION[1:]}, mean over the seeds", precision),
        _grid("Seconds to fit, median of the seeds", _times(kept, "fit_seconds")),
    ]
    if own and rivals:
        grids.insert(-3, ahead_of_own(auc))
    return Findings(
        measured,
        (
            *notes,
            *left_out,
            *(losses(auc) if own else ()),
            *(chosen_by_others(auc) if by_others else ()),
            *_test(auc),
        ),
        differences(auc, OWN) if own and rivals else None,
        tuple(grids),
    )


def complete_tables(runs: pd.DataFrame) -> tuple[pd.DataFrame, tuple[str, ...]]:
    """Return the runs of tables on which none failed, and sentences on the others.

    Means over tables compare only where they are means over the same ones.
    """
    n_methods, n_seeds = runs["method"].nunique(), runs["seed"].nunique()
    counts = runs.groupby("table", sort=False)["method"].count()
    left_out = list(counts.index[counts < n_methods * n_seeds])
    if not left_out:
        return runs, ()
    return runs[~runs["table"].isin(left_out)], (
        f"Left out for all, because a contender failed there: {', '.join(left_out)}.",
    )


def per_table(runs: pd.DataFrame, key: str) -> pd.DataFrame:
    """Return the mean over the seeds: a row per table, a column per contender."""
    means = runs.groupby(["table", "method"], sort=False)[key].mean().unstack()
    return means.loc[runs["table"].unique(), runs["method"].unique()]


def _times(runs: pd.DataFrame, key: str) -> pd.DataFrame:
    """Return the median over the seeds: a row per table, a column per contender."""
    medians = runs.groupby(["table", "method"], sort=False)[key].median().unstack()
    return medians.loc[runs["table"].unique(), runs["method"].unique()]


def ranks(auc: pd.DataFrame) -> pd.Series:
    """Return each contender's mean rank over the tables; 1 is the best."""
    return (-auc).rank(axis=1).mean()


def wins(auc: pd.DataFrame) -> pd.Series:
    """Return the number of tables on which no other has a larger value."""
    return auc.eq(auc.max(axis=1), axis=0).sum()


def summary(runs: pd.DataFrame, auc: pd.DataFrame, precision: pd.DataFrame) -> Grid:
    """Return all contenders in one grid."""
    columns = {
        f"mean {AUC}": auc.mean(),
        f"median {AUC}": auc.median(),
        f"mean {PRECISION}": precision.mean(),
        "mean rank": ranks(auc),
        "wins": wins(auc),
        "fit, s": _times(runs, "fit_seconds").mean(),
        "score, s": _times(runs, "score_seconds").mean(),
    }
    title = (
        f"Over {len(auc)} tables, of each table's mean over the seeds; ranks and wins "
        f"by {AUC}, ties share a win; seconds are means over the tables"
    )
    rows = {
        name: [float(values[name]) for values in columns.values()] for name in list(auc)
    }
    return Grid(title, "contender", tuple(columns), rows)


def by_group(runs: pd.DataFrame) -> list[Grid]:
    """Return the means over the tables of each folder, where there are several."""
    if "group" not in runs or runs["group"].nunique() < 2:
        return []
    columns = {}
    for group, some in runs.groupby("group", sort=False):
        for key, words in _GROUP_COLUMNS.items():
            n = some["table"].nunique()
            columns[f"{group} ({n}): {words}"] = per_table(some, key).mean()
    names, means = runs["method"].unique(), list(columns.values())
    rows = {name: [float(values[name]) for values in means] for name in names}
    title = "Means over the tables of each folder, of as many as are in brackets"
    return [Grid(title, "contender", tuple(columns), rows)]


def _grid(title: str, values: pd.DataFrame) -> Grid:
    """Return a grid with a row per table and a column per contender."""
    rows = {name: list(map(float, row)) for name, row in values.iterrows()}
    return Grid(title, "table", tuple(values), rows)


def ahead_of_own(auc: pd.DataFrame) -> Grid:
    """Return by how much each rival is ahead of skae, where one is."""
    leads = auc.drop(columns=OWN).sub(auc[OWN], axis=0)
    leads = leads[(leads > 0).any(axis=1)]
    rows = {
        name: [float(lead) if lead > 0 else None for lead in row]
        for name, row in leads.iterrows()
    }
    return Grid(
        f"Tables on which a rival is ahead of skae, and by how much {AUC}",
        "table",
        tuple(leads),
        rows,
    )


def losses(auc: pd.DataFrame) -> tuple[str, ...]:
    """Return a sentence on where skae loses."""
    leads = auc.drop(columns=OWN).sub(auc[OWN], axis=0)
    if leads.empty or leads.shape[1] == 0:
        return ()
    behind = leads.max(axis=1)
    behind = behind[behind > 0].sort_values(ascending=False)
    if behind.empty:
        return (f"No rival is ahead of skae on any of the {len(auc)} tables.",)
    listed = (
        f"{name} ({leads.loc[name].idxmax()}, by {lead:.3f})"
        for name, lead in behind.items()
    )
    return (
        f"skae is behind at least one rival on {len(behind)} of {len(auc)} tables; the "
        f"best one there, and its lead: {', '.join(listed)}.",
    )


def chosen_by_others(auc: pd.DataFrame) -> tuple[str, ...]:
    """Return a sentence on a choice that is cross-validated over the tables.

    Each table gets the contender whose mean over the other tables is the highest.
    """
    if len(auc) < 2:
        return ()
    chosen = ((auc.sum() - auc) / (len(auc) - 1)).idxmax(axis=1)
    mean = np.mean([auc.loc[table, name] for table, name in chosen.items()])
    counts = ", ".join(f"{name} ({n})" for name, n in chosen.value_counts().items())
    return (
        f"Each table by the choice that is best on the mean of the other tables: mean "
        f"{AUC} {mean:.4f}. It is, on so many tables: {counts}.",
    )


def critical_difference(n_contenders: int, n_tables: int) -> float:
    """Return Nemenyi's critical difference of mean ranks."""
    spread = stats.studentized_range.ppf(1 - ALPHA, n_contenders, np.inf) / np.sqrt(2)
    return float(spread * np.sqrt(n_contenders * (n_contenders + 1) / (6 * n_tables)))


def _test(auc: pd.DataFrame) -> tuple[str, ...]:
    """Return Friedman's and Nemenyi's tests of the ranks, in words."""
    n_tables, n_contenders = auc.shape
    if n_contenders < 3 or n_tables < 2:
        return ()
    p = stats.friedmanchisquare(*auc.to_numpy().T).pvalue
    difference = critical_difference(n_contenders, n_tables)
    return (
        f"Friedman's test that all rank alike: p = {p:.2g}. By Nemenyi's test, mean "
        f"ranks that differ by less than {difference:.2f} may do so by chance "
        f"({ALPHA:.0%}).",
    )


# ------------------------------------------------------------------------- picture


def differences(auc: pd.DataFrame, own: str) -> Figure:
    """Return a figure of the rivals' ROC AUC minus that of one contender.

    A box of the differences for each rival, and a point for each table; the names of
    those on which the rival leads most. ``auc`` has a row per table, a column per
    contender.
    """
    leads = auc.drop(columns=own).sub(auc[own], axis=0)
    leads = leads[leads.mean().sort_values().index]
    figure = Figure(figsize=(8.8, 1.3 + 0.62 * leads.shape[1]), layout="constrained")
    ax = figure.subplots()
    ax.axvline(0, color="0.2", linewidth=1)
    ax.boxplot(
        [leads[name] for name in leads],
        orientation="horizontal",
        positions=range(leads.shape[1]),
        widths=0.6,
        showfliers=False,
        medianprops={"color": "0.2"},
        boxprops={"color": "0.6"},
        whiskerprops={"color": "0.6"},
        capprops={"color": "0.6"},
    )
    rng = np.random.default_rng(0)
    for place, name in enumerate(leads):
        lead = leads[name]
        height = place + rng.uniform(-0.18, 0.18, len(lead))
        colors = [AHEAD if value > 0 else BEHIND for value in lead]
        ax.scatter(lead, height, s=16, c=colors, alpha=0.8, linewidths=0, zorder=3)
        _name_points(ax, lead, height)
    ax.set_yticks(
        range(leads.shape[1]),
        [f"{name}\n(ahead on {int((leads[name] > 0).sum())})" for name in leads],
    )
    ax.set_xlabel(
        f"ROC AUC minus that of {own}, on each of {len(leads)} tables "
        f"(right of 0: the rival is ahead)"
    )
    ax.spines[["top", "right"]].set_visible(False)
    return figure


def _name_points(ax: Axes, lead: pd.Series, height: np.ndarray) -> None:
    """Write the names of the tables on which a rival leads most."""
    largest = np.argsort(-lead.to_numpy(), kind="stable")[:N_NAMED]
    # One above its point and one below, so that neighbours do not meet.
    for place, offset in zip(largest, (6, -10), strict=False):
        if lead.iloc[place] >= SMALLEST_NAMED:
            ax.annotate(
                lead.index[place],
                (lead.iloc[place], height[place]),
                xytext=(4, offset),
                textcoords="offset points",
                fontsize=7,
                color="0.3",
            )
