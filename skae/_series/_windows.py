"""Windows of series: how they are cut, which of them train, and their means.

A series is cut into *pieces*, runs of time steps without a gap. Windows are cut and
used in blocks, so that long series need little memory.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np
from sklearn.utils import check_array, check_consistent_length

from skae.thresholds._base import check_enough_errors
from skae.thresholds._calibration import HELD_FRACTION, N_FOLDS

if TYPE_CHECKING:
    from collections.abc import Callable

    import pandas as pd
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

# Steps with more than this many usual intervals between them are no neighbours.
_LARGEST_INTERVAL = 1.5
# Numbers in the windows that are used at a time, and in those that train, at most.
_MOST_AT_A_TIME, _MOST_TRAINED = 1 << 20, 1 << 25


@dataclass(frozen=True)
class Stream:
    """The latest steps of a series that goes on."""

    rows: NDArray
    is_normal: NDArray[np.bool_]
    times: NDArray | None
    n_seen: int  # steps, those that are no longer kept included

    def followed_by(self, later: Stream) -> Stream:
        """Return these steps and later ones."""
        times = None
        if self.times is not None and later.times is not None:
            times = np.concatenate([self.times, later.times])
        return Stream(
            np.concatenate([self.rows, later.rows]),
            np.concatenate([self.is_normal, later.is_normal]),
            times,
            self.n_seen + later.n_seen,
        )

    def part(self, places: NDArray | slice) -> Stream:
        """Return a copy of some steps."""
        times = None if self.times is None else self.times[places].copy()
        rows, is_normal = self.rows[places].copy(), self.is_normal[places].copy()
        return Stream(rows, is_normal, times, self.n_seen)


@dataclass(frozen=True)
class Windows:
    """Windows of a series that is cut into pieces, in the order of time."""

    rows: NDArray  # (n, n_channels), the pieces one after another
    places: NDArray[np.intp]  # (n,) of the steps in X; -1 for those of a mirror image
    is_normal: NDArray[np.bool_]  # (n,)
    starts: NDArray[np.intp]  # the first steps of the windows
    width: int

    @classmethod
    def of(
        cls,
        rows: NDArray,
        pieces: list[NDArray],
        width: int,
        step: int,
        is_normal: NDArray | None = None,
    ) -> Windows:
        """Return the windows of pieces, each a list of rows."""
        step = min(step, width)
        lengths = [max(len(piece), width) for piece in pieces]
        firsts = np.cumsum([0, *lengths])
        starts, places = [], []
        for piece, length, first in zip(pieces, lengths, firsts, strict=False):
            last = length - width
            # The last window ends where the piece ends, whatever the step is.
            starts.append(first + np.append(np.arange(0, last, step), last))
            places.append(np.append(piece, np.full(length - len(piece), -1)))
        joined = np.concatenate(places)
        if len(pieces) > 1 or len(joined) > len(rows):
            sources = np.concatenate(
                [
                    np.pad(piece, (0, length - len(piece)), mode="symmetric")
                    for piece, length in zip(pieces, lengths, strict=True)
                ]
            )
            rows = rows[sources]
        else:
            sources = joined
        normal = np.ones(len(joined), bool) if is_normal is None else is_normal[sources]
        normal &= joined >= 0
        return cls(rows, joined, normal, np.concatenate(starts), width)

    @property
    def is_real(self) -> NDArray[np.bool_]:
        """Mask of the steps that are none of a mirror image."""
        return self.places >= 0

    @property
    def are_normal(self) -> NDArray[np.bool_]:
        """Mask of the windows that hold normal steps only."""
        n_others = np.concatenate([[0], np.cumsum(~self.is_normal)])
        return n_others[self.starts + self.width] == n_others[self.starts]

    def touch(self, block: slice) -> NDArray[np.bool_]:
        """Return the mask of the windows that hold a step of a block."""
        start, stop, _ = block.indices(len(self.rows))
        return (self.starts < stop) & (self.starts + self.width > start)

    def without(self, block: slice) -> Windows:
        """Return the same windows, but those that touch a block do not train."""
        is_normal = self.is_normal.copy()
        is_normal[block] = False
        return replace(self, is_normal=is_normal)

    def ending_in(self, block: slice) -> Windows:
        """Return the windows whose last step is in a block."""
        start, stop, _ = block.indices(len(self.rows))
        ends = self.starts + self.width - 1
        return replace(self, starts=self.starts[(ends >= start) & (ends < stop)])

    def blocks(self, source: str, rule: Any) -> list[slice]:
        """Return the blocks of steps whose errors a rule sees."""
        needed, covered = getattr(rule, "min_errors", 1), self.are_covered
        n, n_covered = len(covered), int(covered.sum())
        check_enough_errors(rule, n_covered)
        if source == "train":
            return [slice(0, n)]
        if source == "cv":
            edges = np.arange(N_FOLDS + 1) * n // N_FOLDS
            return [slice(*pair) for pair in pairwise(edges.tolist())]
        n_held = max(round(HELD_FRACTION * n_covered), needed)
        n_parts = int(np.clip(n_held // (2 * self.width), 1, N_FOLDS))
        parts = np.array_split(np.flatnonzero(covered), n_parts)
        each = -(-n_held // n_parts)
        return [slice(int(part[-each:][0]), int(part[-1]) + 1) for part in parts]

    @property
    def are_outliers(self) -> NDArray[np.bool_]:
        """Mask of the steps with y == -1."""
        return self.is_real & ~self.is_normal

    @property
    def are_covered(self) -> NDArray[np.bool_]:
        """Mask of the steps that windows of normal steps hold."""
        change = np.zeros(len(self.rows) + 1, dtype=int)
        starts = self.starts[self.are_normal]
        np.add.at(change, starts, 1)
        np.add.at(change, starts + self.width, -1)
        return np.cumsum(change[:-1]) > 0

    def that_train(self, at_least: int = 2) -> NDArray:
        """Return the windows of normal steps: all, or evenly spaced ones."""
        starts = self.starts[self.are_normal]
        if len(starts) < at_least:
            raise ValueError(
                f"Of {len(self.rows)} time steps {len(starts)} windows of width="
                f"{self.width} can train, which touch no step that is held out for the "
                "threshold or has y == -1, but at least 2 are needed. Use a smaller "
                "width, pass more steps, or use detector__threshold_on='train'."
            )
        most = max(2, _MOST_TRAINED // (self.width * self.rows.shape[1]))
        return self._cut(starts[:: 1 + len(starts) // most])

    def means(
        self,
        function: Callable[[NDArray], NDArray],
        kept: NDArray | None = None,
        n_columns: int = 1,
    ) -> tuple[Floats, NDArray[np.intp]]:
        """Return the means over windows of a function of them, and their number."""
        # Of each step, from a function that returns (n_windows, width, n_columns).
        starts = self.starts if kept is None else self.starts[kept]
        n = len(self.rows)
        total, count = np.zeros((n, n_columns)), np.zeros(n, np.intp)
        size = max(1, _MOST_AT_A_TIME // (self.width * self.rows.shape[1]))
        for first in range(0, len(starts), size):
            some = starts[first : first + size]
            windows = self._cut(some)
            seen = ~np.isnan(windows).all(axis=(1, 2))  # nothing is known of others
            if not seen.all():
                some, windows = some[seen], windows[seen]
            if len(some):
                values = function(windows)
                for place in range(self.width):
                    total[some + place] += values[:, place]
                    count[some + place] += 1
        return total / np.maximum(count, 1)[:, None], count

    def _cut(self, starts: NDArray) -> NDArray:
        """Return windows as rows of shape (width, n_channels)."""
        return self.rows[starts[:, None] + np.arange(self.width)]


def pieces_of(n: int, groups: Any, times: NDArray | None) -> list[NDArray[np.intp]]:
    """Return the rows of each piece of a series, in the order of time."""
    pieces = [np.arange(n)]
    if groups is not None:
        groups = check_array(groups, ensure_2d=False, dtype=None, input_name="groups")
        check_consistent_length(pieces[0], groups)
        _, first, labels = np.unique(groups, return_index=True, return_inverse=True)
        labels = np.argsort(np.argsort(first))[labels]  # by their first rows
        pieces = _split(np.argsort(labels, kind="stable"), np.diff(np.sort(labels)) > 0)
    if times is None:
        return pieces
    cut = []
    for piece in pieces:
        intervals = np.diff(times[piece])
        forward = intervals[intervals > 0]
        usual = np.median(forward) if len(forward) else 0
        is_gap = (intervals <= 0) | (intervals > _LARGEST_INTERVAL * usual)
        cut += _split(piece, is_gap)
    return cut


def _split(piece: NDArray, is_cut: NDArray) -> list[NDArray]:
    """Return the parts of a piece between the places where it is cut."""
    return np.split(piece, np.flatnonzero(is_cut) + 1)


def times_of(index: pd.Index) -> NDArray | None:
    """Return the times of an index as numbers, or None where it holds others."""
    values = getattr(index, "asi8", None)  # of dates, periods and durations
    if values is None and index.dtype.kind in "iuf":
        values = index.to_numpy()
        values = values if index.dtype.kind == "f" else values.astype(np.int64)
    return values
