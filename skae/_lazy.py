"""Packages whose names are imported when they are first used (PEP 562).

A process that unpickles a detector and scores rows imports what that takes, and no
more. Type checkers read the same names in the stub beside a package, ``__init__.pyi``.
"""

import importlib
import sys


def lazy_names(package, places, modules=()):
    """Return ``__all__``, ``__getattr__`` and ``__dir__`` of a package.

    Parameters
    ----------
    package : str
        Its ``__name__``.

    places : dict of str to tuple of str
        Maps modules to the public names that they define.

    modules : iterable of str, default=()
        Names of the package's own public modules.

    Returns
    -------
    public : list of str
        All these names, sorted.

    get : callable
        Imports the object of a name; the package keeps it.

    list_names : callable
        Returns the names that are there and those that can be imported.
    """
    home = {name: module for module, names in places.items() for name in names}
    modules = frozenset(modules)
    public = sorted([*home, *modules])
    kept = vars(sys.modules[package])

    def get(name):
        if name in home:
            value = getattr(importlib.import_module(home[name]), name)
        elif name in modules:
            value = importlib.import_module(f"{package}.{name}")
        else:
            raise AttributeError(f"module {package!r} has no attribute {name!r}")
        kept[name] = value
        return value

    def list_names():
        return sorted({*kept, *public})

    return public, get, list_names
