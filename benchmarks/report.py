"""Write the tables of README.md and results/README.md, so that none is typed."""

import argparse
import json
import re
from pathlib import Path

from _jobs import RESULTS
from _text import as_text, overview

README = Path(__file__).parent / "README.md"
PAGES = (README, RESULTS / "README.md")
PLACE = re.compile(
    r"(<!-- (results|overview) of (\w+) -->\n).*?(<!-- end of \2 -->)", re.S
)


def read(name, folder=RESULTS):
    """Return the records of a script, by job in alphabetical order."""
    paths = sorted((Path(folder) / name).glob("*.json"))
    return [json.loads(path.read_text("utf-8")) for path in paths]


def filled(text, folder=RESULTS):
    """Return a text with the results at the places that ask for them."""

    def fill(place):
        opening, kind, name, closing = place.groups()
        records = read(name, folder)
        tables = map(as_text, records) if kind == "results" else [overview(records)]
        return "\n".join([opening, *(f"{one}\n" for one in tables), closing])

    return PLACE.sub(fill, text)


def main(argv=None):
    """Rewrite the pages."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.parse_args(argv)
    for page in PAGES:
        page.write_text(filled(page.read_text("utf-8")), "utf-8")


if __name__ == "__main__":
    main()
