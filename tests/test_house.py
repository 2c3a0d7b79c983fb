"""The rules of the house: floors, imports, sizes, style, documented defaults."""

import ast
import importlib
import inspect
import re
import subprocess
import sys
from pathlib import Path

import pytest

import skae

ROOT = Path(skae.__file__).parent
FILES = sorted(ROOT.rglob("*.py"))

# Room: (floor, what it may import from outside beside the standard library and NumPy).
HOUSE = {
    "__main__": (6, {"sklearn", "pandas", "joblib", "tqdm", "matplotlib"}),
    "_cli": (6, {"sklearn", "pandas", "joblib", "tqdm", "matplotlib"}),
    "__init__": (6, set()),
    "_transformer": (5, {"sklearn"}),
    "_denoiser": (5, {"sklearn"}),
    "_detector": (5, {"sklearn", "pandas"}),
    "_base": (4, {"sklearn", "keras", "pandas"}),
    "_autoencoder": (3, {"sklearn", "joblib", "filelock"}),
    "_row_errors": (3, {"scipy", "pandas"}),
    "_engine": (2, {"keras", "tensorflow", "tqdm", "threadpoolctl"}),
    "networks": (1, {"sklearn", "scipy", "keras", "tensorflow"}),
    "thresholds": (1, {"sklearn", "scipy"}),
    "corruptions": (1, {"sklearn", "scipy"}),
    "metrics": (1, {"sklearn", "scipy"}),
    "model_selection": (1, {"sklearn", "scipy", "pandas"}),
    "inspection": (1, {"sklearn", "matplotlib", "pandas"}),
    "datasets": (1, {"sklearn", "pooch", "pandas", "tqdm"}),
    "_scalers": (1, {"sklearn"}),
    "_describe": (0, set()),
    "_lazy": (0, set()),
    "_missing": (0, set()),
    "_random": (0, set()),
    "_numpy_draw": (0, set()),
    "_validation": (0, {"sklearn"}),
}
# Packages that are slow to import or seldom needed: inside functions only, but in the
# engine's own modules, which are themselves imported inside functions.
INSIDE_FUNCTIONS = {"keras", "tensorflow", "matplotlib", "pooch", "tqdm", "pandas"}


def room_of(path):
    return path.relative_to(ROOT).parts[0].removesuffix(".py")


def imports_of(path):
    """Yield (module, is at the top of the file) for every import of a file."""
    tree = ast.parse(path.read_text())
    top = set(tree.body)
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from ((alias.name, node in top) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import"
            for alias in node.names:
                inner = f"{node.module}.{alias.name}"
                is_module = (ROOT.parent / inner.replace(".", "/")).exists() or (
                    ROOT.parent / (inner.replace(".", "/") + ".py")
                ).exists()
                yield (inner if is_module else node.module), node in top


@pytest.mark.parametrize("path", FILES, ids=lambda p: str(p.relative_to(ROOT)))
def test_imports_go_down_the_floors(path):
    room = room_of(path)
    floor, outside = HOUSE[room]
    for module, at_top in imports_of(path):
        package, _, rest = module.partition(".")
        if package == "skae":
            target = rest.partition(".")[0] or "__init__"
            # Same floor: within one room, the fitting step of the base, and the main
            # job, which uses the public names as a user does.
            below = HOUSE[target][0] < floor or target == room
            shared = floor == HOUSE[target][0] == 4 or floor == 6
            assert below or shared, f"{room} (floor {floor}) imports {module}"
        elif package not in sys.stdlib_module_names and package != "numpy":
            assert package in outside, f"{room} imports {module}"
            if at_top and package in INSIDE_FUNCTIONS:
                allowed = room == "_engine" or floor == 6
                assert allowed, f"{room} imports {module} at the top"
            private = any(part.startswith("_") for part in module.split("."))
            assert room == "_validation" or not private, f"{room} imports {module}"


def test_every_room_is_in_the_house():
    assert {room_of(path) for path in FILES} == set(HOUSE)


@pytest.mark.parametrize("path", FILES, ids=lambda p: str(p.relative_to(ROOT)))
def test_files_stay_small(path):
    lines = path.read_text().splitlines()
    # The three public estimators hold three long docstrings and signatures each.
    limit = 650 if HOUSE[room_of(path)][0] == 5 else 450
    assert len(lines) <= limit


@pytest.mark.parametrize("path", FILES, ids=lambda p: str(p.relative_to(ROOT)))
def test_nothing_reads_the_global_random_state(path):
    text = path.read_text()
    assert not re.search(r"np\.random\.(seed|rand|randn|normal|uniform|choice)\(", text)
    assert not re.search(r"^import random|set_random_seed|tf\.random\.set_seed", text)


def test_importing_skae_imports_neither_tensorflow_nor_sklearn():
    script = (
        "import sys, skae; "
        "assert not {'tensorflow', 'keras', 'sklearn', 'pandas'} & set(sys.modules); "
        "from skae import *; "
        "print(AutoencoderTransformer(), clone(ReconstructionOutlierDetector(3))); "
        "assert not {'tensorflow', 'keras', 'matplotlib'} & set(sys.modules)"
    ).replace("print(", "from sklearn.base import clone; print(")
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""


def test_every_public_name_can_be_imported():
    for name in skae.__all__:
        assert getattr(skae, name) is not None
    assert set(skae.__all__) <= set(dir(skae))
    with pytest.raises(AttributeError, match="module 'skae' has no attribute 'PCA'"):
        skae.PCA


@pytest.mark.parametrize("package", ["skae", "skae.metrics", "skae.networks"])
def test_type_checkers_see_the_names_that_are_imported_late(package):
    module = importlib.import_module(package)
    tree = ast.parse(Path(module.__file__ + "i").read_text())
    places = {node.module: node for node in tree.body if hasattr(node, "module")}
    places.pop("skae", None)  # the modules
    seen = {
        name: tuple(one.name for one in node.names) for name, node in places.items()
    }
    assert seen == module._PLACES
    (listed,) = (node.value for node in tree.body if isinstance(node, ast.Assign))
    assert sorted(ast.literal_eval(listed)) == sorted(module.__all__)
    assert set(module.__all__) <= set(dir(module))


@pytest.mark.parametrize("package", ["metrics", "networks"])
def test_a_name_of_a_package_is_imported_when_it_is_used(package):
    """Whatever was imported before: a star import gets all names."""
    module = importlib.import_module(f"skae.{package}")
    script = f"from skae.{package} import *; print(*sorted(dir()))"
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )
    assert set(module.__all__) <= set(done.stdout.split())
    with pytest.raises(AttributeError, match=f"'skae.{package}' has no attribute 'PCA"):
        module.PCA


def public_objects():
    for name in sorted(set(skae.__all__) - {"__version__"}):
        value = getattr(skae, name)
        if inspect.isclass(value) or inspect.isfunction(value):
            yield pytest.param(value, id=name)


@pytest.mark.parametrize("documented", list(public_objects()))
def test_documented_defaults_are_the_real_ones(documented):
    """Every parameter is documented, with the default that it has."""
    signature = inspect.signature(documented)
    doc = inspect.getdoc(documented)
    parameters = [
        p for p in signature.parameters.values() if p.kind is not p.VAR_KEYWORD
    ]
    if parameters:
        assert "Parameters\n----------" in doc
    for parameter in parameters:
        line = re.search(rf"^([\w, ]*\b)?{parameter.name}\b[\w, ]* : (.+)$", doc, re.M)
        assert line, f"{parameter.name} is not documented"
        described = re.search(r"default=(.+)$", line[2])
        if parameter.default is parameter.empty:
            assert not described, f"{parameter.name} has no default"
        elif "Ignored" not in line[2]:
            assert described, f"{parameter.name}: the default is not documented"
            assert ast.literal_eval(described[1]) == parameter.default


@pytest.mark.parametrize(
    "command", [["check", "--output-format=concise", "--quiet"], ["format", "--check"]]
)
def test_style(command):
    repository = ROOT.parent
    if not (repository / "pyproject.toml").exists():
        pytest.skip("not a checkout: the style is a matter of the repository")
    done = subprocess.run(
        [sys.executable, "-m", "ruff", *command, "skae", "tests", "benchmarks"],
        cwd=repository,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout
