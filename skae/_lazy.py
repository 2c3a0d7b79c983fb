"""Packages whose names are imported when they are first used (PEP 562).

A process that unpickles a detector and scores rows imports what that takes, and no
more. The stub of a package, ``__init__.pyi``, is the one list of its public names: type
checkers read it, and so does `lazy_names`. It does without `ast` and `typing`, whose
imports take longer than all of it.
"""

import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable


def lazy_names(
    package: str,
) -> "tuple[list[str], Callable[[str], object], Callable[[], list[str]]]":
    """Return ``__all__``, ``__getattr__`` and ``__dir__`` of a package with a stub."""
    module = sys.modules[package]
    home: dict[str, str] = {}
    with open(f"{module.__path__[0]}/__init__.pyi", encoding="utf-8") as stub:
        words = iter(stub.read().split())
    for word in words:  # of lines "from a.b import C as C"
        if word == "from":
            source = next(words)
        elif word == "as":
            home[next(words).rstrip(",")] = source

    def get(name: str) -> object:
        from importlib import import_module

        if name not in home:
            raise AttributeError(f"module {package!r} has no attribute {name!r}")
        if home[name] == package:
            value = import_module(f"{package}.{name}")
        else:
            value = getattr(import_module(home[name]), name)
        setattr(module, name, value)
        return value

    return sorted(home), get, lambda: module.__all__
