"""The digest: a walk over a value that feeds a hash."""

import copyreg
import functools
import hashlib
import reprlib
import types

import numpy as np

from skae._describe._code import CODE_PARTS, reads
from skae._describe._versions import (
    is_known,
    is_known_module,
    look_up,
    version_if_known,
)

# More parts than any sensible parameter has: a whole library hangs on the value.
_MOST_PARTS = 300_000

_PRIMITIVES = {
    type(None): lambda value: b"",
    bool: lambda value: repr(value).encode(),
    int: lambda value: hex(value).encode(),
    float: lambda value: repr(value).encode(),
    complex: lambda value: repr(value).encode(),
    str: lambda value: value.encode("utf-8", "surrogatepass"),
    bytes: lambda value: value,
}
_SEQUENCES = (list, tuple)
_MAPPINGS = (dict, types.MappingProxyType)
_SETS = (set, frozenset)

# What a class holds beside what its body says, or what changes nothing it computes.
_NOT_IN_BODY = frozenset(
    {"__dict__", "__weakref__", "__doc__", "__module__"}
    | {"__firstlineno__", "__static_attributes__", "__annotations_cache__"}
)


class CannotDescribeError(TypeError):
    """The digest of an object cannot be taken."""


def digest(value, special=None):
    """Return the digest of a value as a hexadecimal string.

    Parameters
    ----------
    value : object
        Nested containers, arrays, classes, functions, and objects that are the sum of
        their contents: those that pickle could take apart.

    special : callable, default=None
        Called with every object that is none of the simple ones; returns a describable
        stand-in (a Keras object's configuration), or None.

    Returns
    -------
    digest : str

    Raises
    ------
    CannotDescribeError
        Where something holds contents that cannot be read.
    """
    writer = _Writer(special)
    try:
        writer.write(value)
    except RecursionError as exc:
        raise CannotDescribeError(
            f"{_short(value)} is nested too deeply to be described."
        ) from exc
    return writer.hash.hexdigest()


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


class _Writer:
    """Feeds a hash with tagged, self-delimiting pieces."""

    def __init__(self, special):
        self.hash = hashlib.sha256()
        self._special = special
        self._n_parts = 0
        self._open = {}  # containers being written, for cycles: id -> depth
        # What has an identity is written once, then referred to by number. The values
        # are kept, so that no id is used again.
        self._numbers = {}
        self._kept = []

    def write(self, value):
        kind = type(value)
        self._n_parts += 1
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
        elif kind in _SEQUENCES + _MAPPINGS + _SETS:
            self._container(kind, value)
        elif kind is types.CodeType:
            self._all("code", [getattr(value, part) for part in CODE_PARTS])
        elif id(value) in self._numbers:
            self._piece("seen", str(self._numbers[id(value)]).encode())
        else:
            self._numbers[id(value)] = len(self._numbers)
            self._kept.append(value)
            self._composite(kind, value)

    def _piece(self, tag, content):
        self.hash.update(f"{tag}:{len(content)}:".encode())
        self.hash.update(content)

    def _all(self, tag, values):
        self._piece(tag, str(len(values)).encode())
        for value in values:
            self.write(value)

    def _array(self, tag, array):
        self._piece(tag, f"{array.dtype!r}{array.shape}".encode())
        if array.dtype.hasobject:
            self._all("items", array.ravel().tolist())
        elif array.nbytes:
            flat = np.ascontiguousarray(array).reshape(-1)
            self.hash.update(flat.view(np.uint8))

    def _container(self, kind, value):
        if id(value) in self._open:
            self._piece("cycle", str(self._open[id(value)]).encode())
            return
        self._open[id(value)] = len(self._open)
        if kind in _SEQUENCES:
            self._all(kind.__name__, value)
        elif kind in _SETS:
            self._all("set", sorted(digest(item, self._special) for item in value))
        else:
            keys = sorted(value, key=self._place)
            self._all("dict", [part for key in keys for part in (key, value[key])])
        del self._open[id(value)]

    def _place(self, key):
        """Return what a mapping's keys are sorted by, whatever their order in it."""
        return key if type(key) is str else digest(key, self._special)

    def _composite(self, kind, value):
        if kind in _WRAPPERS:
            parts = [getattr(value, part) for part in _WRAPPERS[kind]]
            self._all(kind.__name__, parts)
        elif isinstance(value, types.ModuleType):
            self._module(value)
        elif is_known(value):
            name = [value.__module__, value.__qualname__]
            self._all("known", [*name, version_if_known(value.__module__)])
        elif isinstance(value, type):
            self._class(value)
        elif kind is types.FunctionType:
            self._function(value)
        else:
            self._instance(kind, value)

    def _module(self, module):
        if not is_known_module(module.__name__):
            raise CannotDescribeError(
                f"{_short(module)} is no package whose version tells it apart."
            )
        name = module.__name__
        self._all("module", [name, version_if_known(name)])

    def _class(self, cls):
        body = {
            name: value
            for name, value in vars(cls).items()
            if name not in _NOT_IN_BODY and not name.startswith("_abc_")
        }
        # Not the qualified name: cloudpickle loses it on the way to a worker.
        self._all("class", [type(cls), cls.__name__, cls.__bases__, body])

    def _function(self, function):
        found = reads(function, is_known_module)
        packages = {name: version_if_known(name) for name in found.packages}
        self._all(
            "function",
            [
                function.__code__,
                function.__defaults__,
                function.__kwdefaults__,
                vars(function),
                found.cells,
                found.scope,
                packages,
            ],
        )

    def _instance(self, kind, value):
        stand_in = self._special(value) if self._special else None
        if stand_in is not None:
            self._all("special", [kind, stand_in])
        elif any(_is_keras(cls) for cls in kind.__mro__):
            # Keras's pickles hold time stamps.
            raise CannotDescribeError(f"{_short(value)} is an object of Keras.")
        else:
            self._all("object", [kind, *_taken_apart(value)])


def _taken_apart(value):
    """Return the parts from which pickle would make an equal object.

    Raises
    ------
    CannotDescribeError
        Where there are none.
    """
    reduce = copyreg.dispatch_table.get(type(value))
    try:
        parts = value.__reduce_ex__(4) if reduce is None else reduce(value)
    except RecursionError:
        raise
    except Exception as exc:
        raise CannotDescribeError(
            f"{_short(value)} has no contents that can be read: {exc}."
        ) from exc
    if isinstance(parts, str):
        return [_home_of(value, parts), parts]
    make, args, state, items, pairs, setter = (*parts, None, None, None, None)[:6]
    return [make, args, state, list(items or ()), list(pairs or ()), setter]


def _home_of(value, name):
    """Return the package in which a global of a package is found by its name."""
    own = getattr(value, "__module__", None), type(value).__module__
    for module in (*own, "builtins", "numpy", "scipy.special"):
        version = isinstance(module, str) and version_if_known(module)
        if version and look_up(module, name) is value:
            return [module, version]
    raise CannotDescribeError(f"{_short(value)} can be told apart by its name only.")


def _is_keras(cls):
    return str(cls.__module__).partition(".")[0] == "keras"


def _short(value):
    """Return a short text for a message."""
    return f"{reprlib.repr(value)} of type {type(value).__name__}"
