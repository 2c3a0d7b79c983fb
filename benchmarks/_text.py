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
    seeds = record["seeds"]
    listed = "" if seeds is None else f" ({', '.join(map(str, seeds))})"
    warning = "Quick: the numbers mean nothing. " if record["is_quick"] else ""
    closing = (
        f"{warning}One value per {record['one_value_per']}{listed}; "
        f"{number(record['seconds'])} s in all. {environment_in_words(record)}"
    )
    return "\n\n".join(
        [
            f"### {record['job']}",
            *map(_wrapped, record["about"]),
            *_source(record),
            table(record["measurements"]),
            *map(_wrapped, record.get("notes", [])),
            *_grids(record),
            *_picture(record),
            _wrapped(closing),
        ]
    )


# What only some jobs have, in a list that is empty for the others.


def _source(record):
    """Return whom the job follows, and how far where it stops earlier."""
    if not record["reference"]:
        return []
    epochs = record.get("epochs")
    made = f" Networks were trained for {epochs} epochs." if epochs else ""
    # One line: a wrapped address could not be followed.
    return [f"Reference: {record['reference']}.{made}"]


def _grids(record):
    """Return titles and tables of numbers in rows and columns."""
    for one in record.get("grids", []):
        yield _wrapped(f"{one['title']}:")
        lines = [
            [name, *("" if value is None else number(value) for value in values)]
            for name, values in one["rows"].items()
        ]
        head = [one["corner"], *one["columns"]]
        yield _aligned(head, lines, right=one["columns"])


def _picture(record):
    """Return the picture, as it is found from the folder of the scripts."""
    if not record.get("picture"):
        return []
    return [f"![{record['job']}](results/{record['benchmark']}/{record['picture']})"]


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
    cells = [_cells(record) for record in records]
    # A column for references only where somebody has one.
    head = [
        title
        for title in cells[0]
        if title != "reference" or any(one[title] for one in cells)
    ]
    return _aligned(head, [[one[title] for title in head] for one in cells])


def _aligned(head, lines, right=("median", "min", "max")):
    """Return a Markdown table with columns of equal width.

    Those that ``right`` names hold numbers, which stand to the right.
    """
    widths = [max(2, *map(len, one)) for one in zip(head, *lines, strict=True)]
    right = [title in right for title in head]

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
        "result": {True: "met", False: "MISSED", None: ""}[record["met"]],
    }


def overview(records):
    """Return one table of all that has a bar or a reference, in several records.

    Parameters
    ----------
    records : list of dict
        As ``Jobs.run`` returns them.

    Returns
    -------
    text : str
    """
    columns = ["measured", "contender", "reference", "median", "bar", "result"]
    lines = [
        [record["job"], *(cells[title] for title in columns)]
        for record in records
        for cells in map(_cells, record["measurements"])
        if cells["reference"] or cells["bar"]
    ]
    return _aligned(["row", *columns], lines) if lines else "Not yet run in full."


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
