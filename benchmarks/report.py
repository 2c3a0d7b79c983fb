"""Write the pages of results and the tables of README.md, so that none is typed."""

from __future__ import annotations

import argparse
import ast
import json
import re
from pathlib import Path
from typing import Any

from harness.jobs import RESULTS
from harness.machine import FOLDER
from harness.text import overview, page

SCRIPTS = ("tutorials", "defaults", "linear", "timings", "speed", "detection")
# Results that are older than the detector's present defaults, until they are run again.
EARLIER = {
    "defaults/ecg-outliers",
    "detection/ecg",
    "detection/series",
    "speed/curves",
    "speed/dense-default-batch",
    "speed/grid-search",
    "speed/many-fits",
    "timings/modes",
    "timings/score",
}
EARLIER_WORDS = "**Run before the detector's present defaults were chosen.**"
INDEX = FOLDER / "README.md"
PLACE = re.compile(r"(<!-- overview -->\n).*?(<!-- end of overview -->)", re.S)


def read(name: str, folder: Path = RESULTS) -> list[dict[str, Any]]:
    """Return the records of a script, by job in alphabetical order."""
    paths = sorted((Path(folder) / name).glob("*.json"))
    records = [json.loads(path.read_text("utf-8")) for path in paths]
    for record in records:
        if f"{name}/{record['job']}" in EARLIER:
            record["notes"] = [EARLIER_WORDS, *record.get("notes", [])]
    return records


def about(name: str) -> str:
    """Return the docstring of a script, without importing what it needs."""
    source = (FOLDER / f"{name}.py").read_text("utf-8")
    return ast.get_docstring(ast.parse(source))


def pages(folder: Path = RESULTS) -> dict[Path, str]:
    """Return the text of all pages: one for each script, and the index."""
    found = {name: (about(name), read(name, folder)) for name in SCRIPTS}
    texts = {RESULTS / f"{name}.md": page(name, *one) for name, one in found.items()}
    tables = f"\\1\n{overview(found)}\n\n\\2"
    return {**texts, INDEX: PLACE.sub(tables, INDEX.read_text("utf-8"))}


def main(argv: list[str] | None = None) -> None:
    """Write the pages."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.parse_args(argv)
    for path, text in pages().items():
        path.write_text(text, "utf-8")


if __name__ == "__main__":
    main()
