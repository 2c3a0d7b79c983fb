"""What the repository says of itself: versions, extras, targets and workflows."""

import re
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

import skae

ROOT = Path(skae.__file__).parents[1]
if not (ROOT / "pyproject.toml").exists():
    pytest.skip("not a checkout", allow_module_level=True)

CONFIGURATION = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
PROJECT = CONFIGURATION["project"]

FLOORS = {
    canonicalize_name(one.name): str(one.specifier)
    for one in map(Requirement, PROJECT["dependencies"])
}


def test_the_oldest_versions_are_the_floors():
    """One file, of plain pins: neither hashes nor addresses."""
    lines = (ROOT / ".ci" / "oldest.txt").read_text("utf-8").splitlines()
    pins = [Requirement(line) for line in lines if not line.startswith("#")]
    oldest = {canonicalize_name(one.name): str(one.specifier) for one in pins}
    assert len(oldest) == len(pins)
    assert {name: pin.replace("==", ">=") for name, pin in oldest.items()} == FLOORS


def test_every_dependency_is_used():
    imported = {"sklearn": "scikit-learn"}
    text = "".join(path.read_text("utf-8") for path in (ROOT / "skae").rglob("*.py"))
    found = set(re.findall(r"^\s*(?:from|import) (\w+)", text, re.MULTILINE))
    known = {imported.get(name, name) for name in found}
    assert FLOORS.keys() - known <= {"scikeras"}  # recognised, never imported


def test_python_versions_are_classified():
    classifiers = PROJECT["classifiers"]
    minors = {f"3.{minor}" for minor in (11, 12, 13, 14)}
    prefix = "Programming Language :: Python :: 3."
    assert {one[len(prefix) - 2 :] for one in classifiers if prefix in one} == minors
    assert PROJECT["requires-python"] == ">=3.11"
    # An SPDX expression; a classifier besides it is refused by package indexes.
    assert PROJECT["license"] == "BSD-3-Clause"
    assert not any(one.startswith("License ::") for one in classifiers)
    workflow = (ROOT / ".github/workflows/tests.yml").read_text("utf-8")
    assert all(f'"{minor}"' in workflow for minor in minors)


def targets():
    """Return the targets of make that the workflows call."""
    for path in sorted((ROOT / ".github" / "workflows").glob("*.yml")):
        text = path.read_text("utf-8")
        for called in re.findall(r"run: make (.+)", text):
            if called.startswith("${{"):
                yield from re.findall(r"target: ([\w-]+)", text)
            else:
                yield from called.split()


@pytest.mark.parametrize("target", sorted({*targets(), "test-oldest", "test-newest"}))
def test_workflows_call_targets_that_exist(target):
    text = (ROOT / "Makefile").read_text("utf-8")
    assert re.search(rf"^{re.escape(target)}:", text, re.MULTILINE)
    assert re.search(rf"^\.PHONY:.*\b{re.escape(target)}\b", text, re.MULTILINE)


def test_html_of_estimators_does_not_lead_to_scikit_learns_site():
    described = [getattr(skae, name) for name in skae.__all__]
    classes = [one for one in described if hasattr(one, "_get_doc_link")]
    assert len(classes) > 15
    for one in classes:
        assert one._doc_link_module == "skae"
        assert "scikit-learn.org" not in one._doc_link_template
    assert skae.ReconstructionOutlierDetector()._get_doc_link() == ""
    assert skae.thresholds.MeanStd()._get_doc_link() == ""
