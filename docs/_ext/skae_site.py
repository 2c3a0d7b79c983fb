"""What the site adds to Sphinx: links of names, links of examples, their order."""

import inspect
import re
from pathlib import Path

import skae

EXAMPLE_FOLDERS = ["start", "detect", "reduce", "denoise", "practice"]


def example_order(folder):
    """Return the place of a folder of examples in the gallery."""
    return EXAMPLE_FOLDERS.index(Path(folder).name)


def public_names():
    """Return {name: its page's name} of all public classes and functions."""
    names = {}
    for name in skae.__all__:
        value = getattr(skae, name)
        if inspect.ismodule(value):
            for inner in value.__all__:
                names.setdefault(inner, f"{value.__name__}.{inner}")
        elif not name.startswith("__"):
            names[name] = f"skae.{name}"
    return names


NAMES = public_names()
NAME_IN_TICKS = re.compile(
    r"(?<![`:\w\[])`(" + "|".join(sorted(NAMES, key=len, reverse=True)) + r")`(?![`\]])"
)


PARAMETER = re.compile(r"^(\s*[\w*][\w, *]* : )(.+)$")


def escape_types(app, what, name, obj, options, lines):
    """Escape what reStructuredText takes for markup in types: (n, *shape_)."""
    for number, line in enumerate(lines):
        match = PARAMETER.match(line)
        if match and "`" not in line:
            line = match[1] + re.sub(r"\*|_(?!\w)", r"\\\g<0>", match[2])
        lines[number] = line


def link_names(app, what, name, obj, options, lines):
    """Link names of skae in docstrings; unlink references to scikit-learn's pages."""
    for number, line in enumerate(lines):
        line = NAME_IN_TICKS.sub(lambda m: f":py:obj:`~{NAMES[m[1]]}`", line)
        module = getattr(obj, "__module__", None) or ""
        if module.startswith("sklearn"):
            line = re.sub(r":(?:ref|term):`([^`<]+?)(?: <[^>]+>)?`", r"\1", line)
        lines[number] = line


def link_pages(app, docname, source):
    """In Markdown, link names of skae, and files of examples to their pages."""
    if Path(app.env.doc2path(docname)).suffix != ".md":
        return
    blocks = re.split(r"(^(?:```+|:::).*?$)", source[0], flags=re.MULTILINE)
    inside = False
    for number, text in enumerate(blocks):
        if text.startswith("```"):
            inside = not inside
        elif not inside:
            lines = [
                line
                if line.startswith("#")
                else NAME_IN_TICKS.sub(lambda m: f"{{py:obj}}`~{NAMES[m[1]]}`", line)
                for line in text.split("\n")
            ]
            text = "\n".join(lines)
            text = re.sub(
                r"\]\(((?:\.\./)*)examples/([\w/]+)\.py\)",
                r"](\1auto_examples/\2.rst)",
                text,
            )
            blocks[number] = text
    source[0] = "".join(blocks)


def skip_member(app, what, name, obj, skip, options):
    """Leave out what scikit-learn adds to every estimator."""
    if name.startswith("set_") and name.endswith("_request"):
        return True
    if name in {"get_metadata_routing", "get_params", "set_params"}:
        return True
    return None


def setup(app):
    """Connect the functions above."""
    app.connect(
        "autodoc-process-docstring", escape_types, priority=400
    )  # numpydoc: 500
    app.connect("autodoc-process-docstring", link_names, priority=1000)
    app.connect("source-read", link_pages)
    app.connect("autodoc-skip-member", skip_member)
    return {"parallel_read_safe": True, "version": skae.__version__}
