"""Check a built site: `python docs/check.py docs/_build/check`.

Links inside and their anchors lead somewhere; every public name has a page, and every page
of the reference a public name; docstrings pass numpydoc's validation.
"""

import inspect
import sys
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urldefrag

from numpydoc.validate import validate

DOCS = Path(__file__).parent
sys.path[:0] = [str(DOCS.parent), str(DOCS / "_ext")]

from skae_site import NAMES

# No See Also, no example and no longer summary needed; a single return value has no type.
LEFT_OUT = {"SA01", "EX01", "ES01", "RT02"}


class Page(HTMLParser):
    """Links, pictures and anchors of a page."""

    def __init__(self, text):
        super().__init__()
        self.targets, self.anchors = set(), set()
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        """Collect what the tag has."""
        attrs = dict(attrs)
        self.anchors |= {attrs[key] for key in ("id", "name") if attrs.get(key)}
        for key in ("href", "src"):
            if tag in ("a", "img") and attrs.get(key):
                self.targets.add(attrs[key])


def broken_links(folder):
    """Yield a sentence for each link that leads nowhere."""
    pages = {path: Page(path.read_text("utf-8")) for path in folder.rglob("*.html")}
    if len(pages) < 50:
        yield f"{folder} holds {len(pages)} pages only: build the site first"
    for path, page in pages.items():
        for target in page.targets:
            name, anchor = urldefrag(unquote(target))
            if ":" in name or name.startswith("//"):
                continue
            file = (path.parent / name).resolve() if name else path
            where = path.relative_to(folder)
            if not file.exists():
                yield f"{where}: no file {target}"
            elif anchor and file in pages and anchor not in pages[file].anchors:
                yield f"{where}: no anchor {target}"


def unpaired_names(folder):
    """Yield names without a page, and pages of the reference without a name."""
    pages = {path.stem for path in (folder / "api" / "generated").glob("*.html")}
    names = {whole for whole in NAMES.values() if whole != "skae.SKOPS_TRUSTED"}
    yield from (f"{name} has no page" for name in sorted(names - pages))
    yield from (
        f"the page {page} is of no public name" for page in sorted(pages - names)
    )


def public_objects():
    """Yield the paths of public classes and functions, and of their methods."""
    import skae

    for whole in NAMES.values():
        value = skae
        for part in whole.split(".")[1:]:
            value = getattr(value, part)
        if inspect.isclass(value):
            yield whole
            for name, member in inspect.getmembers(value):
                module = (
                    getattr(getattr(member, "fget", member), "__module__", "") or ""
                )
                is_method = inspect.isfunction(member) or inspect.ismethod(member)
                if name.startswith("_") or not module.startswith("skae"):
                    continue
                if is_method or isinstance(member, property):
                    yield f"{whole}.{name}"
        elif callable(value):  # functions and scorers
            yield whole


def poor_docstrings():
    """Yield what numpydoc finds."""
    n_validated = 0
    for whole in public_objects():
        n_validated += 1
        for code, message in validate(whole)["errors"]:
            if code not in LEFT_OUT:
                yield f"{whole}: {code} {' '.join(message.split())}"
    print(f"{n_validated} docstrings validated")


def main():
    """Print what is wrong, and exit with 1 if anything is."""
    folder = Path(sys.argv[1]).resolve()
    found = [*broken_links(folder), *unpaired_names(folder), *poor_docstrings()]
    print(*found, sep="\n")
    if found:
        sys.exit(f"{len(found)} findings")
    print("links, names and docstrings are in order")


if __name__ == "__main__":
    main()
