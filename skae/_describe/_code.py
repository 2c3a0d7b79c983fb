"""What a function reads from outside its own body.

Two functions with the same code compute the same only if what they read is the same:
their closure's cells, the globals that they name, the attributes that they take from a
user's modules, and the packages that they import when they run.
"""

import contextlib
import dis
import importlib
import importlib.util
import types
from dataclasses import dataclass, field

# A function's code is all of these; line numbers and file names are left out.
CODE_PARTS = (
    "co_name",
    "co_argcount",
    "co_posonlyargcount",
    "co_kwonlyargcount",
    "co_flags",
    "co_code",
    "co_consts",
    "co_names",
    "co_varnames",
    "co_freevars",
    "co_cellvars",
    "co_exceptiontable",
)
_GLOBAL_READS = ("LOAD_GLOBAL", "LOAD_NAME", "LOAD_FROM_DICT_OR_GLOBALS")


@dataclass
class Reads:
    """What a function reads.

    Attributes
    ----------
    scope : dict of str to object
        Globals, and modules of the user's that are imported inside; a user's module
        stands as a dict of those of its attributes that the function may take.

    cells : list
        What the closure's cells hold, each in a tuple; an empty cell's is empty.

    packages : list of str
        Modules of known packages that are imported inside.
    """

    scope: dict = field(default_factory=dict)
    cells: list = field(default_factory=list)
    packages: list = field(default_factory=list)


def reads(function, is_known_module):
    """Return what a function and the functions inside it read.

    Parameters
    ----------
    function : function

    is_known_module : callable
        Takes a module's name; returns whether its version says all about it.

    Returns
    -------
    reads : Reads
    """
    found = Reads()
    attributes, global_names, imports = set(), set(), set()
    for code in _codes(function.__code__):
        attributes.update(code.co_names)
        global_names.update(_global_names(code))
        imports.update(_imports(code, function.__globals__.get("__package__")))

    def read(value):
        return _read(value, attributes, is_known_module)

    for cell in function.__closure__ or ():
        found.cells.append(tuple(map(read, _contents(cell))))
    for name in global_names & function.__globals__.keys():
        found.scope[name] = read(function.__globals__[name])
    for name in imports:
        if is_known_module(name):
            found.packages.append(name)
        else:
            found.scope[f"import {name}"] = read(_imported(name))
    return found


def _codes(code):
    """Yield a function's code and that of the functions inside it."""
    yield code
    for constant in code.co_consts:
        if isinstance(constant, types.CodeType):
            yield from _codes(constant)


def _global_names(code):
    return {i.argval for i in dis.get_instructions(code) if i.opname in _GLOBAL_READS}


def _imports(code, package):
    """Yield the absolute names of the modules that a code imports when it runs."""
    steps = [i for i in dis.get_instructions(code) if i.opname != "EXTENDED_ARG"]
    for place, step in enumerate(steps):
        if step.opname == "IMPORT_NAME":
            level = steps[place - 2].argval  # pushed before it: level, names
            if level:
                with contextlib.suppress(ImportError):  # no package: it cannot run
                    yield importlib.util.resolve_name(
                        "." * level + step.argval, package
                    )
            else:
                yield step.argval
                yield step.argval.partition(".")[0]  # ``import a.b`` gives a


def _imported(name):
    """Return a module as the function will see it; None where there is none."""
    try:
        return importlib.import_module(name)
    except Exception:  # the function fails there, too, or knows what to do
        return None


def _read(value, attributes, is_known_module, inside=()):
    """Return a value, or the part of a user's module that some attributes name."""
    if not isinstance(value, types.ModuleType) or is_known_module(value.__name__):
        return value
    if value in inside:
        return f"module {value.__name__}"
    part = {}
    for name in attributes:
        try:
            taken = getattr(value, name)
        except AttributeError:
            continue
        part[name] = _read(taken, attributes, is_known_module, (*inside, value))
    return part


def _contents(cell):
    """Return what a closure's cell holds in a tuple; an empty cell holds nothing."""
    try:
        return (cell.cell_contents,)
    except ValueError:
        return ()
