"""The rules of the house: floors, imports, sizes, style, documented defaults."""

import ast
import functools
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

# Room: (floor, what it may import in addition to the standard library and NumPy).
HOUSE = {
    "__init__": (8, set()),
    "__main__": (8, set()),
    "_cli": (8, {"sklearn", "pandas", "tqdm", "matplotlib"}),
    "onnx": (8, {"sklearn", "onnx", "skl2onnx"}),
    "_transformer": (6, {"sklearn", "joblib"}),
    "_denoiser": (6, {"sklearn", "joblib"}),
    "_series": (7, {"sklearn", "pandas"}),
    "_detector": (6, {"sklearn", "joblib", "pandas"}),
    "_base": (5, {"sklearn", "keras", "pandas"}),
    "_dask": (5, {"sklearn", "dask", "pandas"}),
    "_autoencoder": (4, {"sklearn", "joblib", "filelock"}),
    "_row_errors": (4, {"sklearn", "pandas"}),
    "_engine": (3, {"keras", "tensorflow", "tqdm", "threadpoolctl"}),
    "networks": (2, {"sklearn", "scipy", "keras", "tensorflow"}),
    "_layers": (1, {"sklearn", "scipy", "keras", "tensorflow"}),
    "thresholds": (1, {"sklearn", "scipy"}),
    "corruptions": (1, {"sklearn", "scipy"}),
    "metrics": (1, {"sklearn", "scipy"}),
    "model_selection": (1, {"sklearn", "scipy", "pandas"}),
    "inspection": (1, {"sklearn", "matplotlib", "pandas"}),
    "datasets": (1, {"sklearn", "pooch", "pandas", "tqdm"}),
    "_scalers": (1, {"sklearn"}),
    "_lazy": (0, set()),
    "_missing": (0, set()),
    "_random": (0, set()),
    "_validation": (0, {"sklearn"}),
}
ESTIMATORS = {"_transformer", "_denoiser", "_detector", "_series"}
# Packages that are slow to import or seldom needed: inside functions only, but in the
# engine's own modules, which are themselves imported inside functions.
INSIDE_FUNCTIONS = {
    "keras",
    "tensorflow",
    "matplotlib",
    "pooch",
    "tqdm",
    "pandas",
    "dask",
}


def room_of(path):
    return path.relative_to(ROOT).parts[0].removesuffix(".py")


def is_module(name):
    path = ROOT.parent / name.replace(".", "/")
    return path.is_dir() or path.with_suffix(".py").exists()


def for_types_only(tree):
    """Return the nodes below `if TYPE_CHECKING:`."""
    return {
        inner
        for node in ast.walk(tree)
        if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING"
        for inner in ast.walk(node)
    }


def imports_of(path):
    """Yield (module, where) for every import of a file.

    Where is "top", "inside" functions, or "types": below `if TYPE_CHECKING:`.
    """
    tree = ast.parse(path.read_text())
    types = for_types_only(tree)
    for node in ast.walk(tree):
        where = "types" if node in types else "top" if node in tree.body else "inside"
        if isinstance(node, ast.Import):
            yield from ((alias.name, where) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import"
            for alias in node.names:
                inner = f"{node.module}.{alias.name}"
                yield (inner if is_module(inner) else node.module), where


@pytest.mark.parametrize("path", FILES, ids=lambda p: str(p.relative_to(ROOT)))
def test_imports_go_down_the_floors(path):
    room = room_of(path)
    floor, outside = HOUSE[room]
    for module, where in imports_of(path):
        package, _, rest = module.partition(".")
        if package == "skae":
            target = rest.partition(".")[0] or "__init__"
            # The command line uses the public names as a user does.
            below = HOUSE[target][0] < floor or target == room
            assert below or floor == 8, f"{room} (floor {floor}) imports {module}"
        elif package not in sys.stdlib_module_names and package != "numpy":
            if where == "types":
                continue
            assert package in outside, f"{room} imports {module}"
            if where == "top" and package in INSIDE_FUNCTIONS:
                # In the engine's own modules, which are imported inside functions.
                allowed = room == "_engine" or floor == 8
                assert allowed, f"{room} imports {module} at the top"
            private = any(part.startswith("_") for part in module.split("."))
            assert room == "_validation" or not private, f"{room} imports {module}"


def test_every_room_is_in_the_house():
    assert {room_of(path) for path in FILES} == set(HOUSE)


def test_few_rooms_at_the_top():
    assert len({room_of(path) for path in FILES}) <= 27


def lines_of_docstrings(tree):
    """Return how many lines the docstrings of a file have."""
    kinds = (ast.Module, ast.ClassDef, ast.FunctionDef)
    holders = [node for node in ast.walk(tree) if isinstance(node, kinds)]
    docs = [node.body[0] for node in holders if ast.get_docstring(node) is not None]
    return sum(doc.end_lineno - doc.lineno + 1 for doc in docs)


@pytest.mark.parametrize("path", FILES, ids=lambda p: str(p.relative_to(ROOT)))
def test_files_stay_readable(path):
    """Of code: a docstring is as long as its readers need."""
    text = path.read_text()
    n_lines = len(text.splitlines()) - lines_of_docstrings(ast.parse(text))
    assert n_lines <= 420


def test_no_fragments():
    """A short private module with one importer belongs in its importer."""
    importers = {}
    for path in [*FILES, *ROOT.rglob("*.pyi")]:
        for module, where in imports_of(path):
            if where != "types":
                importers.setdefault(module, set()).add(path)
    fragments = []
    for path in FILES:
        if path.stem.startswith("_") and not path.stem.endswith("__"):
            module = ".".join(path.relative_to(ROOT.parent).with_suffix("").parts)
            lines = len(path.read_text().splitlines())
            if lines < 80 and len(importers.get(module, ())) < 2:
                fragments.append(f"{module}: {lines} lines")
    assert not fragments, "\n".join(fragments)


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


@pytest.mark.parametrize(
    "package", ["skae", "skae.metrics", "skae.networks", "skae.thresholds"]
)
def test_the_stub_of_a_package_is_the_one_list_of_its_names(package):
    """A name comes from where the stub says, and `dir` shows no other names."""
    module = importlib.import_module(package)
    tree = ast.parse(Path(module.__file__ + "i").read_text())
    imports = [node for node in tree.body if isinstance(node, ast.ImportFrom)]
    listed = []
    for node in imports:
        for alias in node.names:
            assert alias.asname == alias.name, "a checker takes it for private"
            origin = importlib.import_module(node.module)
            assert getattr(module, alias.name) is getattr(origin, alias.name)
            listed.append(alias.name)
    listed += [node.target.id for node in tree.body if isinstance(node, ast.AnnAssign)]
    assert len(tree.body) == len(listed)
    assert sorted(listed) == sorted(module.__all__) == dir(module)


@pytest.mark.parametrize("package", ["metrics", "networks", "thresholds"])
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


def test_packages_show_public_names_only():
    """A public name has one list: that of its package, from which skae takes it."""
    estimators = {skae.AutoencoderTransformer, skae.DenoisingRegressor}
    estimators |= {skae.ReconstructionOutlierDetector, skae.SlidingWindowDetector}
    listed = {}
    for name in skae.__all__:
        module = getattr(skae, name)
        if inspect.ismodule(module):
            shown = {one for one in dir(module) if not one.startswith("_")}
            if hasattr(module, "__path__"):
                assert shown == set(module.__all__)
            listed |= {one: getattr(module, one) for one in module.__all__}
    for name in set(skae.__all__) - {"__version__", "SKOPS_TRUSTED"}:
        value = getattr(skae, name)
        if not inspect.ismodule(value) and value not in estimators:
            assert listed[name] is value


@functools.cache
def public_names():
    """Return (module, name) of the public functions and classes, and of their bases."""
    values = [getattr(skae, name) for name in skae.__all__]
    for module in filter(inspect.ismodule, list(values)):
        values += [getattr(module, name) for name in module.__all__]
    public = {("skae.__main__", "main"), ("skae.__main__", "build_parser")}
    for value in values:
        for base in getattr(value, "__mro__", [value]):
            public.add((getattr(base, "__module__", ""), getattr(base, "__name__", "")))
    return public


def definitions(path):
    """Yield (name, node, is public) of the functions and classes of a file.

    Functions inside functions and dunder methods are left out.
    """
    module = ".".join(path.relative_to(ROOT.parent).with_suffix("").parts)
    module = module.removesuffix(".__init__")
    public = public_names()
    for node in ast.parse(path.read_text()).body:
        if not isinstance(node, (ast.FunctionDef, ast.ClassDef)):
            continue
        is_public = (module, node.name) in public and not node.name.startswith("_")
        yield f"{module}.{node.name}", node, is_public
        for inner in node.body if isinstance(node, ast.ClassDef) else ():
            if isinstance(inner, ast.FunctionDef) and not inner.name.endswith("__"):
                whole = f"{module}.{node.name}.{inner.name}"
                private = (
                    inner.name.startswith("_") or (module, node.name) not in public
                )
                yield whole, inner, not private


DEFINITIONS = [one for path in FILES for one in definitions(path)]


def table(offenders):
    return f"{len(offenders)}:\n" + "\n".join(offenders)


def test_private_functions_are_annotated():
    """Public ones are looked at where they are called: tests/test_typing.py."""
    offenders = []
    for name, node, is_public in DEFINITIONS:
        if isinstance(node, ast.FunctionDef) and not is_public:
            given = node.args
            parameters = given.posonlyargs + given.args + given.kwonlyargs
            parameters += [one for one in (given.vararg, given.kwarg) if one]
            missing = [
                one.arg
                for one in parameters
                if one.annotation is None and one.arg not in ("self", "cls")
            ]
            if missing or node.returns is None:
                missing += ["return"] * (node.returns is None)
                offenders.append(f"{name}: {', '.join(missing)}")
    assert not offenders, table(offenders)


def test_private_docstrings_are_one_line():
    """Of functions; none for one statement, or where the class it overrides has it."""
    documented = {
        node.name for _, node, _ in DEFINITIONS if ast.get_docstring(node) is not None
    }
    offenders = []
    for name, node, is_public in DEFINITIONS:
        doc = ast.get_docstring(node)
        if is_public:
            continue
        if doc is None:
            overrides = isinstance(node, ast.FunctionDef) and node.name in documented
            is_trivial = len(node.body) == 1 or overrides
            if not is_trivial:
                offenders.append(f"{name}: none")
        elif "\n" in doc and isinstance(node, ast.FunctionDef):
            offenders.append(f"{name}: {doc.count(chr(10)) + 1} lines")
    assert not offenders, table(offenders)


def test_public_docstrings_have_their_sections():
    """One line is enough for a method that a base class documents in full."""
    documented = {
        node.name
        for _, node, is_public in DEFINITIONS
        if is_public and "\n---" in (ast.get_docstring(node) or "")
    }
    offenders = []
    for name, node, is_public in DEFINITIONS:
        doc = ast.get_docstring(node) or ""
        if not is_public or not isinstance(node, ast.FunctionDef):
            continue
        if node.name in documented and "\n" not in doc:
            continue
        given = [one.arg for one in node.args.args + node.args.kwonlyargs]
        is_property = any(ast.unparse(one) == "property" for one in node.decorator_list)
        returns = node.returns is not None and ast.unparse(node.returns) != "None"
        if set(given) - {"self", "cls"} and "Parameters\n----------" not in doc:
            offenders.append(f"{name}: Parameters")
        if returns and not is_property and not re.search("(Returns|Yields)\n---", doc):
            offenders.append(f"{name}: Returns")
    assert not offenders, table(offenders)


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
        [sys.executable, "-m", "ruff", *command, "skae", "tests", "benchmarks", "docs"],
        cwd=repository,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout


def test_slow_tests_exist(slow_tests):
    for entry in slow_tests:
        file, _, name = entry.partition("::")
        text = (Path(__file__).parent / file).read_text()
        assert not name or f"def {name}(" in text, f"conftest.SLOW: no {entry}"
