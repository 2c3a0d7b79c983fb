"""The picture of ``detection.py``: on how many tables a rival is ahead, and how far."""

import numpy as np
from matplotlib.figure import Figure

AHEAD, BEHIND = "#D55E00", "#0072B2"
N_NAMED = 2  # tables whose names stand beside their points, per rival
SMALLEST_NAMED = 0.01


def differences(auc, own):
    """Return a figure of the rivals' ROC AUC minus that of one contender.

    Parameters
    ----------
    auc : DataFrame
        A row per table, a column per contender.

    own : str
        The one that the others are compared with.

    Returns
    -------
    figure : matplotlib Figure
        A box of the differences for each rival, and a point for each table; the names
        of those on which the rival leads most.
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


def _name_points(ax, lead, height):
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
