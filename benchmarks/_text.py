"""A record in words: what was measured, the table, and where it ran."""

import textwrap

import numpy as np

# As many values stand in the table one by one; of more, the spread has to do.
N_SHOWN = 5
WIDTH = 88


def as_text(record):
    """Return a record as Markdown that can also be read as it is.

    Parameters
    ----------
    record : dict
        As ``Jobs.run`` returns it.

    Returns
    -------
    text : str
        Heading, description, table, and where it ran.
    """
    reference = record["reference"]
    seeds = record["seeds"]
    listed = "" if seeds is None else f" ({', '.join(map(str, seeds))})"
    note = "Quick: the numbers mean nothing. " if record["is_quick"] else ""
    closing = (
        f"{note}One value per {record['one_value_per']}{listed}; "
        f"{number(record['seconds'])} s in all. {environment_in_words(record)}"
    )
    return "\n\n".join(
        [
            f"### {record['job']}",
            *map(_wrapped, record["about"]),
            *([f"Reference: {reference}."] if reference else []),
            table(record["measurements"]),
            _wrapped(closing),
        ]
    )


def _wrapped(text):
    return textwrap.fill(text, WIDTH)


def table(records):
    """Return a Markdown table that can also be read as it is.

    Parameters
    ----------
    records : list of dict
        As ``Measurement.record`` returns them.

    Returns
    -------
    text : str
    """
    head = ["measured", "contender", "median", "min", "max", "values", "bar", "result"]
    lines = [_cells(record) for record in records]
    widths = [max(map(len, column)) for column in zip(head, *lines, strict=True)]
    # Numbers to the right, words to the left.
    right = [title in ("median", "min", "max") for title in head]

    def line(cells):
        padded = [
            cell.rjust(width) if is_right else cell.ljust(width)
            for cell, width, is_right in zip(cells, widths, right, strict=True)
        ]
        return f"| {' | '.join(padded)} |"

    rule = [
        "-" * (width - 1) + (":" if is_right else "-")
        for width, is_right in zip(widths, right, strict=True)
    ]
    return "\n".join([line(head), line(rule), *map(line, lines)])


def _cells(record):
    """Return a record as the cells of one line."""
    values = record["values"]
    if len(values) == 1:
        listed = "one"
    elif len(values) <= N_SHOWN:
        listed = ", ".join(map(number, values))
    else:
        listed = f"{len(values)} values"
    return [
        record["quantity"],
        record["contender"],
        *(number(record[name]) for name in ("median", "min", "max")),
        listed,
        record["bar"] or "",
        {True: "met", False: "MISSED", None: ""}[record["met"]],
    ]


def number(value):
    """Return a number with four significant digits, never as a power of ten."""
    return np.format_float_positional(value, 4, fractional=False, trim="-")


def environment_in_words(record):
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
    waiting = record["load_before"]
    busy = "" if waiting is None else f"; load {waiting} before the start"
    return f"{', '.join(parts)}{busy}. {packages}."
