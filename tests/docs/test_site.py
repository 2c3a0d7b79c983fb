"""The site's sources: every public name is listed, every example has its parts."""

import inspect
import re
from pathlib import Path

import pytest

import skae

ROOT = Path(skae.__file__).parents[1]
if not (ROOT / "docs" / "conf.py").exists():
    pytest.skip("not a checkout", allow_module_level=True)
EXAMPLES = sorted((ROOT / "docs" / "examples").rglob("plot_*.py"))


def public_names():
    """Return the names of skae, and those that only its modules have."""
    names = set(skae.__all__)
    for name in skae.__all__:
        value = getattr(skae, name)
        if inspect.ismodule(value):
            names |= set(value.__all__) - {name}
            names.discard(name)
    return names


def test_every_public_name_is_in_the_reference_and_nothing_else():
    listed = []
    for page in (ROOT / "docs" / "api").glob("*.rst"):
        text = page.read_text("utf-8")
        modules = {f"skae.{name}" for name in skae.__all__} | {"skae"}
        assert set(re.findall(r"currentmodule:: (\S+)", text)) <= modules
        for block in re.findall(r"autosummary::\n(?: +:.+\n)+\n((?: +\w+\n)+)", text):
            listed += block.split()
        listed += re.findall(r"^\.\. data:: (\w+)", text, re.MULTILINE)
    assert sorted(listed) == sorted(public_names())


def test_the_readme_is_short():
    assert len((ROOT / "README.md").read_text("utf-8").splitlines()) < 150


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda path: path.stem)
def test_examples_end_with_what_to_take_away_and_two_links(example):
    """sphinx-gallery runs them: `make docs`."""
    text = example.read_text("utf-8")
    compile(text, example, "exec")
    _, _, end = text.partition("# What to take away\n# ------")
    assert end.count("\n# - ") >= 2
    labels = {
        "auto_examples_" + "_".join(path.relative_to(ROOT / "docs/examples").parts)
        for path in EXAMPLES
    }
    links = re.findall(r":ref:`sphx_glr_(auto_examples_[\w.]+)`", end)
    assert len(links) == 2
    assert set(links) <= labels


def test_every_example_is_reached_from_another_or_a_page():
    pages = [*EXAMPLES, *(ROOT / "docs").rglob("*.md")]
    texts = {path: path.read_text("utf-8") for path in pages}
    for example in EXAMPLES:
        label = "_".join(example.relative_to(ROOT / "docs/examples").parts)
        others = (text for path, text in texts.items() if path != example)
        assert any(label in text or example.name in text for text in others), label
