"""A record in words: in full for the console, and in short for the generated pages."""

from __future__ import annotations

import textwrap
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    Record = dict[str, Any]  # as ``Jobs.run`` returns it, and as JSON keeps it
    Measured = dict[str, Any]  # as ``Measurement.record`` returns it

# As many values stand in the table one by one; of more, the spread has to do.
N_SHOWN = 5
WIDTH = 88
VERDICTS = {True: "MET", False: "MISSED", None: ""}


def as_text(record: Record) -> str:
    """Return a record as Markdown that can also be read as it is, with all values."""
    seeds = record["seeds"]
    listed = "" if seeds is None else f" ({', '.join(map(str, seeds))})"
    warning = "Quick: the numbers mean nothing. " if record["is_quick"] else ""
    closing = (
        f"{warning}One value per {record['one_value_per']}{listed}; "
        f"{number(record['seconds'])} s in all{_load(record)}. {environment(record)}"
    )
    return "\n\n".join(
        [
            f"### {record['job']}",
            *map(_wrapped, record["about"]),
            *_source(record),
            table(record["measurements"]),
            *map(_wrapped, record.get("notes", [])),
            *map(grid, record.get("grids", [])),
            *_picture(record, "results/"),
            _wrapped(closing),
        ]
    )


def as_section(record: Record) -> str:
    """Return a record in short: a line for each quantity, and the first grid only."""
    made = (
        f"*One value per {record['one_value_per']}; {number(record['seconds'])} s in "
        f"all{_load(record)}.*"
    )
    about = " ".join([*record["about"], *_source(record), made])
    return "\n\n".join(
        [
            f"## {record['job']}",
            about,
            summary(record["measurements"]),
            *record.get("notes", []),
            *map(grid, record.get("grids", [])[:1]),
            *_picture(record),
        ]
    )


def page(name: str, about: str, records: list[Record]) -> str:
    """Return the page of a script: its question, its records, and where they ran."""
    places: dict[str, list[str]] = {}
    for record in records:
        places.setdefault(environment(record), []).append(record["job"])
    where = [f"- {', '.join(jobs)}: {place}" for place, jobs in places.items()]
    return "\n\n".join(
        [
            f"# {name}.py: {about.partition(chr(10))[0]}",
            *(" ".join(one.split()) for one in about.split("\n\n")[1:]),
            f"`report.py` writes this page from `{name}/*.json`, which hold all "
            "values. Numbers are medians, with the smallest and the largest value in "
            f"brackets; a bar is MET or MISSED. {_count(records)} bars are met.",
            *map(as_section, records),
            "## Where it ran",
            "\n".join(where) + "\n",
        ]
    )


def overview(pages: dict[str, tuple[str, list[Record]]]) -> str:
    """Return a table of scripts, and the bars that are missed, for the index."""
    scripts, missed = [], []
    for name, (about, records) in pages.items():
        link = f"[{name}](results/{name}.md)"
        scripts.append(
            [link, about.partition("\n")[0], str(len(records)), _count(records)]
        )
        for record in records:
            for one in record["measurements"]:
                if one["met"] is False:
                    job = f"[{record['job']}](results/{name}.md#{record['job']})"
                    value = number(one["median"])
                    what = f"{one['quantity']} ({one['contender']})"
                    missed.append([job, what, value, one["bar"]])
    return "\n\n".join(
        [
            _aligned(["script", "question", "rows", "bars met"], scripts, ("rows",)),
            "What is missed:",
            _aligned(["row", "measured", "median", "bar"], missed, ("median",)),
        ]
    )


# --------------------------------------------------------------------------- tables


def table(records: list[Measured]) -> str:
    """Return all measurements as a Markdown table that can also be read as it is."""
    cells = [_cells(record) for record in records]
    # A column for references only where there is one.
    head = [
        title
        for title in cells[0]
        if title != "reference" or any(one[title] for one in cells)
    ]
    return _aligned(head, [[one[title] for title in head] for one in cells])


def _cells(record: Measured) -> dict[str, str]:
    """Return a measurement's cells by the title of their column."""
    values = record["values"]
    if len(values) == 1:
        listed = "one"
    elif len(values) <= N_SHOWN:
        listed = ", ".join(map(number, values))
    else:
        listed = f"{len(values)} values"
    return {
        "measured": record["quantity"],
        "contender": record["contender"],
        "reference": record.get("reference") or "",
        **{name: number(record[name]) for name in ("median", "min", "max")},
        "values": listed,
        "bar": record["bar"] or "",
        "result": VERDICTS[record["met"]],
    }


def summary(records: list[Measured]) -> str:
    """Return a table with a line for each quantity, and each bar or reference.

    The other contenders stand in the last column.
    """
    lines = []
    for quantity in dict.fromkeys(one["quantity"] for one in records):
        group = [one for one in records if one["quantity"] == quantity]
        first = [one for one in group if one["bar"] or one.get("reference")]
        first = first or group[:1]
        others = ", ".join(
            f"{one['contender']} {_spread(one)}" for one in group if one not in first
        )
        for one in first:
            bar = f"{one['bar']}: {VERDICTS[one['met']]}" if one["bar"] else ""
            reference = one.get("reference") or ""
            cells = [quantity, one["contender"], _spread(one), bar, reference, others]
            lines.append(cells)
            others = ""
    head = ["measured", "contender", "median (spread)", "bar", "reference", "others"]
    shown = [
        place
        for place, title in enumerate(head)
        if title in head[:3] or any(line[place] for line in lines)
    ]
    return _plain([[line[place] for place in shown] for line in [head, *lines]])


def _spread(record: Measured) -> str:
    """Return the median and, where there are several values, the range in brackets."""
    if len(record["values"]) == 1:
        return number(record["median"])
    low, high = (number(record[name]) for name in ("min", "max"))
    return f"{number(record['median'])} ({low} to {high})"


def grid(record: dict[str, Any]) -> str:
    """Return the title and the table of numbers in rows and columns."""
    lines = [
        [name, *("" if value is None else number(value) for value in values)]
        for name, values in record["rows"].items()
    ]
    head = [record["corner"], *record["columns"]]
    shown = _aligned(head, lines, right=record["columns"])
    return f"{_wrapped(record['title'] + ':')}\n\n{shown}"


def _aligned(
    head: list[str],
    lines: list[list[str]],
    right: Iterable[str] = ("median", "min", "max"),
) -> str:
    """Return a Markdown table with columns of equal width; some stand to the right."""
    widths = [max(2, *map(len, one)) for one in zip(head, *lines, strict=True)]
    is_right = [title in right for title in head]

    def line(cells: list[str]) -> str:
        padded = [
            cell.rjust(width) if one else cell.ljust(width)
            for cell, width, one in zip(cells, widths, is_right, strict=True)
        ]
        return f"| {' | '.join(padded)} |"

    rule = [
        "-" * (width - 1) + (":" if one else "-")
        for width, one in zip(widths, is_right, strict=True)
    ]
    return "\n".join([line(head), line(rule), *map(line, lines)])


def _plain(lines: list[list[str]]) -> str:
    """Return a Markdown table without padding, whose first line is its head."""
    head, *rest = (f"| {' | '.join(cells)} |" for cells in lines)
    return "\n".join([head, f"|{' --- |' * len(lines[0])}", *rest])


# ---------------------------------------------------------------------------- words


def _source(record: Record) -> Iterator[str]:
    """Return what the job follows, and how far where it stops earlier."""
    if record["reference"]:
        epochs = record.get("epochs")
        made = f" Networks were trained for {epochs} epochs." if epochs else ""
        # One line: a wrapped address could not be followed.
        yield f"Reference: {record['reference']}.{made}"


def _picture(record: Record, folder: str = "") -> Iterator[str]:
    """Return the picture, where there is one; its path continues that of a folder."""
    if record.get("picture"):
        path = f"{folder}{record['benchmark']}/{record['picture']}"
        yield f"![{record['job']}]({path})"


def _wrapped(text: str) -> str:
    """Return a paragraph in lines."""
    return textwrap.fill(text, WIDTH)


def _load(record: Record) -> str:
    """Return how busy the machine was, in words."""
    waiting = record["load_before"]
    return "" if waiting is None else f"; load {waiting} before the start"


def _count(records: list[Record]) -> str:
    """Return how many bars are met, in words."""
    verdicts = [
        one["met"]
        for record in records
        for one in record["measurements"]
        if one["met"] is not None
    ]
    return f"{sum(verdicts)} of {len(verdicts)}"


def number(value: float) -> str:
    """Return a number with four significant digits, never as a power of ten."""
    return np.format_float_positional(value, 4, fractional=False, trim="-")


def environment(record: Record) -> str:
    """Return one sentence for the machine and one for the versions of a record."""
    where = record["machine"]
    memory = where["memory_gib"]
    parts = [
        where["cpu"],
        f"{where['cores']} cores",
        *([f"{memory} GiB"] if memory else []),
        where["system"],
    ]
    packages = ", ".join(f"{name} {v}" for name, v in record["versions"].items())
    return f"{', '.join(parts)}. {packages}."
