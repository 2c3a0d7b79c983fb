"""Write the tables of benchmarks/README.md from the results, so that none is typed."""

import argparse
import json
import re
from pathlib import Path

from _jobs import RESULTS
from _text import as_text

README = Path(__file__).parent / "README.md"
PLACE = re.compile(r"(<!-- results of (\w+) -->\n).*?(<!-- end of results -->)", re.S)


def read(name, folder=RESULTS):
    """Return the records of a script, by job in alphabetical order."""
    paths = sorted((Path(folder) / name).glob("*.json"))
    return [json.loads(path.read_text("utf-8")) for path in paths]


def filled(text, folder=RESULTS):
    """Return a text with the results at the places that ask for them."""

    def fill(place):
        opening, name, closing = place.groups()
        tables = [as_text(record) for record in read(name, folder)]
        return "\n".join([opening, *(f"{one}\n" for one in tables), closing])

    return PLACE.sub(fill, text)


def main(argv=None):
    """Rewrite README.md."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.parse_args(argv)
    README.write_text(filled(README.read_text("utf-8")), "utf-8")


if __name__ == "__main__":
    main()
