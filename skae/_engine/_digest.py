"""One digest of everything that a computation depends on.

Compiled programs and cached trainings are found again by a digest of what they were
made from. It holds contents, never identities or pickles: arrays by their bytes,
objects by their class and state, functions by their code, defaults, closure and the
globals that they read. Two equal digests mean equal computations, in any process; where
that cannot be promised, there is no digest. In doubt two things count as different: a
needless training costs time, a wrong reuse costs the result.
"""

from __future__ import annotations

import contextlib
import copyreg
import dis
import functools
import hashlib
import importlib.metadata
import importlib.util
import platform
import reprlib
import sys
import sysconfig
import types
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from skae.networks._keras import CannotDescribeError

if TYPE_CHECKING:
    from collections.abc import Callable

# More parts than any sensible parameter has: a whole library hangs on the value.
_MOST_PARTS = 300_000

_PRIMITIVES = {
    type(None): lambda value: b"",
    int: lambda value: hex(value).encode(),
    str: lambda value: value.encode("utf-8", "surrogatepass"),
    bytes: lambda value: value,
    **dict.fromkeys((bool, float, complex), lambda value: repr(value).encode()),
}
_CONTAINERS = (list, tuple, set, frozenset, dict, types.MappingProxyType)
# What pickle cannot take apart, and all that matters of it.
_WRAPPERS = {
    property: ("fget", "fset", "fdel"),
    staticmethod: ("__func__",),
    classmethod: ("__func__",),
    types.MethodType: ("__func__", "__self__"),
    types.GetSetDescriptorType: ("__objclass__", "__name__"),
    types.MemberDescriptorType: ("__objclass__", "__name__"),
    functools.cached_property: ("func", "attrname"),
    type(functools.cache(len)): ("__wrapped__",),
}
# What a class holds besides what its body says, or what changes nothing it computes.
_NOT_IN_BODY = frozenset(
    {"__dict__", "__weakref__", "__doc__", "__module__"}
    | {"__firstlineno__", "__static_attributes__", "__annotations_cache__"}
)
# A function's code is all of these; line numbers and file names are left out.
_CODE_PARTS = ("co_name", "co_argcount", "co_posonlyargcount", "co_kwonlyargcount")
_CODE_PARTS += ("co_flags", "co_code", "co_consts", "co_names", "co_varnames")
_CODE_PARTS += ("co_freevars", "co_cellvars", "co_exceptiontable")
_GLOBAL_READS = ("LOAD_GLOBAL", "LOAD_NAME", "LOAD_FROM_DICT_OR_GLOBALS")
# Packages whose versions say all about their code, as Python's does of its own modules.
_PACKAGES = frozenset(
    {"joblib", "keras", "numpy", "pandas", "scipy", "skae", "sklearn", "tensorflow"}
    | {"polars", "pyarrow"}  # which strings of pandas are made of
)
_MISSING = object()
_HEAP_TYPE = 1 << 9  # Py_TPFLAGS_HEAPTYPE


def digest(value: Any, special: Callable[[Any], Any] | None = None) -> str:
    """Return the digest of a value, or raise a `CannotDescribeError`."""
    # special: called with every object that is none of the simple ones; returns None,
    # or a stand-in that can be described (a Keras object's configuration).
    writer = _Writer(special)
    try:
        writer.write(value)
    except RecursionError as exc:
        raise CannotDescribeError(
            f"{_short(value)} is nested too deeply to be described."
        ) from exc
    return writer.hash.hexdigest()


class _Writer:
    """Walks over a value and feeds a hash with tagged, self-delimiting pieces."""

    def __init__(self, special: Callable[[Any], Any] | None) -> None:
        self.hash = hashlib.sha256()
        self._special = special
        self._n_parts = 0
        # Depths of the containers being written, by id, for cycles.
        self._open: dict[int, int] = {}
        # What has an identity is written once, then referred to by its number. Values
        # are kept, so that no id is used again: id -> (value, number).
        self._seen: dict[int, tuple[Any, int]] = {}

    def write(self, value: Any) -> None:
        """Feed the hash with any value."""
        self._n_parts += 1
        kind = type(value)
        if self._n_parts > _MOST_PARTS:
            raise CannotDescribeError(
                f"too much hangs on it to be described (at {_short(value)})."
            )
        if kind in _PRIMITIVES:
            self._piece(kind.__name__, _PRIMITIVES[kind](value))
        elif kind in (np.ndarray, np.memmap):
            self._array("array", value)
        elif isinstance(value, np.generic) and kind.__module__ == "numpy":
            self._array("scalar", np.asarray(value))
        elif kind in _CONTAINERS:
            self._container(kind, value)
        elif kind is types.CodeType:
            self._all("code", [getattr(value, part) for part in _CODE_PARTS])
        elif id(value) in self._seen:
            self._piece("seen", str(self._seen[id(value)][1]).encode())
        else:
            self._seen[id(value)] = value, len(self._seen)
            self._composite(kind, value)

    def _piece(self, tag: str, content: bytes) -> None:
        """Feed the hash with bytes."""
        self.hash.update(f"{tag}:{len(content)}:".encode())
        self.hash.update(content)

    def _all(self, tag: str, values: list | tuple) -> None:
        """Feed the hash with values in their order."""
        self._piece(tag, str(len(values)).encode())
        for value in values:
            self.write(value)

    def _array(self, tag: str, array: np.ndarray) -> None:
        """Feed the hash with an array, whatever its layout."""
        self._piece(tag, f"{array.dtype!r}{array.shape}".encode())
        if array.dtype.hasobject:
            self._all("items", array.ravel().tolist())
        elif array.nbytes:
            flat: Any = np.ascontiguousarray(array).reshape(-1)
            self.hash.update(flat.view(np.uint8))

    def _container(self, kind: type, value: Any) -> None:
        """Feed the hash with a container; sets in an order of our own."""
        if id(value) in self._open:
            self._piece("cycle", str(self._open[id(value)]).encode())
            return
        self._open[id(value)] = len(self._open)
        if kind in (list, tuple):
            self._all(kind.__name__, value)
        elif kind in (set, frozenset):
            self._all("set", sorted(digest(item, self._special) for item in value))
        else:
            # In its own order, by which a user's function may add layers.
            self._all("dict", [part for item in value.items() for part in item])
        del self._open[id(value)]

    def _composite(self, kind: type, value: Any) -> None:
        """Feed the hash with an object by the parts that it is made of."""
        if kind in _WRAPPERS:
            parts = [getattr(value, part) for part in _WRAPPERS[kind]]
            self._all(kind.__name__, parts)
        elif isinstance(value, types.ModuleType):
            if (version := _version_if_known(value.__name__)) is None:
                raise CannotDescribeError(
                    f"{_short(value)} is no package whose version tells it apart."
                )
            self._all("module", [value.__name__, version])
        elif _is_known(value):
            name = [value.__module__, value.__qualname__]
            self._all("known", [*name, _version_if_known(value.__module__)])
        elif isinstance(value, type):
            names = sorted(n for n in vars(value) if n not in _NOT_IN_BODY)
            body = {n: vars(value)[n] for n in names if not n.startswith("_abc_")}
            # Not the qualified name: cloudpickle loses it on the way to a worker.
            self._all("class", [kind, value.__name__, value.__bases__, body])
        elif kind is types.FunctionType:
            parts = ("__code__", "__defaults__", "__kwdefaults__", "__dict__")
            parts = [getattr(value, part) for part in parts]
            self._all("function", [*parts, *_reads(value)])
        elif self._special and (stand_in := self._special(value)) is not None:
            self._all("special", [kind, stand_in])
        elif any(str(c.__module__).partition(".")[0] == "keras" for c in kind.__mro__):
            # Keras's pickles hold time stamps.
            raise CannotDescribeError(f"{_short(value)} is an object of Keras.")
        else:
            self._all("object", [kind, *_pickled_parts(value)])


def _pickled_parts(value: Any) -> list:
    """Return the parts from which pickle would make an equal object."""
    reduce = copyreg.dispatch_table.get(type(value))
    try:
        parts = value.__reduce_ex__(4) if reduce is None else reduce(value)
    except RecursionError:
        raise
    except Exception as exc:
        raise CannotDescribeError(
            f"{_short(value)} has no contents that can be read: {exc}."
        ) from exc
    if not isinstance(parts, str):
        make, args, state, items, pairs, setter = (*parts, None, None, None, None)[:6]
        return [make, args, state, list(items or ()), list(pairs or ()), setter]
    # A global of a package, which is found by its name.
    own = str(getattr(value, "__module__", None)), type(value).__module__
    for module in (*own, "builtins", "numpy", "scipy.special"):
        version = _version_if_known(module)
        if version and _look_up(module, parts) is value:
            return [module, version, parts]
    raise CannotDescribeError(f"{_short(value)} can be told apart by its name only.")


def _short(value: Any) -> str:
    """Return a short text for a message."""
    return f"{reprlib.repr(value)} of type {type(value).__name__}"


def _reads(function: types.FunctionType) -> tuple[list, dict, dict]:
    """Return cells, globals and versions of packages that a function reads."""
    # Two functions with the same code compute the same only if these are the same, and
    # the attributes that they take from a user's modules.
    scope = function.__globals__
    package = scope.get("__package__")
    attributes: set[str] = set()
    names: set[str] = set()
    imports: set[str] = set()
    codes = [function.__code__]
    for code in codes:
        codes += [part for part in code.co_consts if isinstance(part, types.CodeType)]
        attributes.update(code.co_names)
        steps = [i for i in dis.get_instructions(code) if i.opname != "EXTENDED_ARG"]
        names.update(i.argval for i in steps if i.opname in _GLOBAL_READS)
        for level, _, step in zip(steps, steps[1:], steps[2:], strict=False):
            if step.opname == "IMPORT_NAME":  # its level was pushed before it
                with contextlib.suppress(ImportError):  # no package: it cannot run
                    name = "." * level.argval + step.argval
                    imports.add(importlib.util.resolve_name(name, package))
                if not level.argval:
                    imports.add(step.argval.partition(".")[0])  # what binds a.b's a
    cells, read, packages = [], {}, {}
    for cell in function.__closure__ or ():
        contents = []  # of an empty cell
        with contextlib.suppress(ValueError):
            contents.append(cell.cell_contents)
        cells.append([_part_read(value, attributes) for value in contents])
    for name in sorted(names & scope.keys()):
        read[name] = _part_read(scope[name], attributes)
    for name in sorted(imports):
        packages[name], module = _version_if_known(name), None
        if packages[name] is None:
            with contextlib.suppress(Exception):  # the function fails there, too
                module = importlib.import_module(name)
        read[f"import {name}"] = _part_read(module, attributes)
    return cells, read, packages


def _part_read(value: Any, attributes: set[str], inside: tuple = ()) -> Any:
    """Return a value; of a user's module a dict of the attributes that are named."""
    is_module = isinstance(value, types.ModuleType)
    if not is_module or _version_if_known(value.__name__) is not None:
        return value
    if value in inside:
        return f"module {value.__name__}"
    taken = {name: getattr(value, name, _MISSING) for name in sorted(attributes)}
    return {
        name: _part_read(found, attributes, (*inside, value))
        for name, found in taken.items()
        if found is not _MISSING
    }


@functools.cache
def package_version(package: str) -> str:
    """Return the version of an installed package without importing it."""
    package = {"sklearn": "scikit-learn"}.get(package, package)
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return "unknown"


def _version_if_known(module: str) -> str | None:
    """Return the version that says all about a module, None for a user's module."""
    top = module.partition(".")[0]
    if top in _PACKAGES:
        return package_version(top)
    return platform.python_version() if _is_standard(top) else None


@functools.cache
def _is_standard(top: str) -> bool:
    """Return whether a name is Python's own module and not a user's file (code.py)."""
    spec = None
    with contextlib.suppress(ValueError):  # what runs as __main__ has none
        spec = importlib.util.find_spec(top) if top in sys.stdlib_module_names else None
    if spec is None or spec.origin in (None, "built-in", "frozen"):
        return spec is not None
    places = (sysconfig.get_path("stdlib"), sysconfig.get_path("platstdlib"))
    inside = any(Path(spec.origin).is_relative_to(place) for place in places)
    return inside and "site-packages" not in spec.origin


def _is_known(value: Any) -> bool:
    """Return whether a class or function is what a known module has by its name."""
    # A name alone proves nothing: ``functools.wraps`` gives it to a user's function.
    module, name = (getattr(value, n, None) for n in ("__module__", "__qualname__"))
    if not (isinstance(module, str) and isinstance(name, str)):
        return False
    # Python's own types in C, which no user's code can make, may be found nowhere.
    is_static = isinstance(value, type) and not value.__flags__ & _HEAP_TYPE
    is_found = is_static or _look_up(module, name) is value
    return is_found and _version_if_known(module) is not None


def _look_up(module: str, name: str) -> Any:
    """Return what an imported module has under a dotted name, or None."""
    found: Any = sys.modules.get(module)
    for part in name.split("."):
        found = getattr(found, part, None)
    return found
