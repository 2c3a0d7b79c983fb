"""Which modules are known by name and version, so that their code need not be read."""

import functools
import importlib.metadata
import importlib.util
import platform
import sys
import sysconfig
from pathlib import Path

_PACKAGES = frozenset(
    {"joblib", "keras", "numpy", "pandas", "scipy", "skae", "sklearn", "tensorflow"}
)
_HEAP_TYPE = 1 << 9  # Py_TPFLAGS_HEAPTYPE


@functools.cache
def package_version(package):
    """Return the version of an installed package without importing it."""
    try:
        return importlib.metadata.version(
            {"sklearn": "scikit-learn"}.get(package, package)
        )
    except importlib.metadata.PackageNotFoundError:
        return "unknown"


def version_if_known(module):
    """Return the version of the package that a module belongs to, None for others.

    Known are the packages that skae stands on, and Python's own modules.
    """
    top = module.partition(".")[0]
    if top in _PACKAGES:
        return package_version(top)
    return platform.python_version() if _is_standard(top) else None


def is_known_module(name):
    """Return whether a module's name and version say all about it."""
    return version_if_known(name) is not None


def is_known(value):
    """Return whether a class or function is what a known module has by its name.

    A name alone proves nothing: ``functools.wraps`` gives a user's function the name of
    the function that it wraps.
    """
    module = getattr(value, "__module__", None)
    name = getattr(value, "__qualname__", None)
    if not isinstance(module, str) or not isinstance(name, str):
        return False
    if not is_known_module(module):
        return False
    return look_up(module, name) is value or _is_static_type(value)


def _is_static_type(value):
    """Return whether a value is a type written in C, which no user's code can make.

    Python's own (the type of None) are often to be found nowhere by their name.
    """
    return isinstance(value, type) and not value.__flags__ & _HEAP_TYPE


def look_up(module, name):
    """Return what an imported module has under a dotted name, or None."""
    found = sys.modules.get(module)
    for part in name.split("."):
        found = getattr(found, part, None)
    return found


@functools.cache
def _is_standard(top):
    """Return whether a name is Python's own module and not a user's file (code.py)."""
    if top not in sys.stdlib_module_names:
        return False
    try:
        spec = importlib.util.find_spec(top)
    except ValueError:  # what runs as __main__ has no specification
        return False
    if spec is None or spec.origin in (None, "built-in", "frozen"):
        return spec is not None
    places = (sysconfig.get_path("stdlib"), sysconfig.get_path("platstdlib"))
    inside = any(Path(spec.origin).is_relative_to(place) for place in places)
    return inside and "site-packages" not in spec.origin
