"""Equal digests mean equal computations; everything that may differ differs."""

import collections
import copy
import datetime
import enum
import functools
import importlib
import os
import pathlib
import pickle
import re
import subprocess
import sys
import textwrap
import threading
import types
from dataclasses import dataclass, field

import numpy as np
import pandas as pd
import pytest
import scipy.sparse
import scipy.special
import scipy.stats
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.base import BaseEstimator, clone
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, MinMaxScaler, StandardScaler

from skae import _engine as engine
from skae._engine._digest import CannotDescribeError, digest, package_version


class Scaler(BaseEstimator):
    """As a user writes it; sklearn adds descriptors to the class."""

    def __init__(self, factor=1.0):
        self.factor = factor

    def fit(self, X, sample_weight=None):
        return self


@dataclass
class Point:
    x: int = 0
    parts: list = field(default_factory=list)


class Slotted:
    __slots__ = ("a",)

    def __init__(self, a):
        self.a = a


class HalfSlotted(Slotted):
    pass


class Colour(enum.Enum):
    RED = 1
    BLUE = 2


class Level(enum.IntEnum):
    LOW = 1
    HIGH = 2


class NamedInt(int):
    pass


class NamedList(list):
    pass


Pair = collections.namedtuple("Pair", ["a", "b"])


def half_slotted(a, b):
    made = HalfSlotted(a)
    made.b = b
    return made


def holder(**attributes):
    return types.SimpleNamespace(**attributes)


def named(cls, value, **attributes):
    made = cls(value)
    vars(made).update(attributes)
    return made


def adder(n, k=0):
    return lambda x: x + n + k


def made_from(source, name="f", **scope):
    """Return what a piece of source defines."""
    exec(textwrap.dedent(source), scope)
    return scope[name]


# Each makes a value anew; no two of them may have the same digest.
MAKERS = [
    lambda: None,
    lambda: True,
    lambda: 1,
    lambda: 1.0,
    lambda: 1 + 0j,
    lambda: np.float32(1),
    lambda: np.float64(1),
    lambda: np.int64(1),
    lambda: np.bool_(True),
    lambda: NamedInt(1),
    lambda: named(NamedInt, 1, unit="m"),
    lambda: 10**6000,
    lambda: 0.0,
    lambda: -0.0,
    lambda: float("nan"),
    lambda: float("inf"),
    lambda: "1",
    lambda: b"1",
    lambda: bytearray(b"1"),
    lambda: "\ud800",
    lambda: "",
    lambda: (),
    lambda: [],
    lambda: {},
    lambda: set(),
    lambda: (1, 2),
    lambda: [1, 2],
    lambda: [1, [2]],
    lambda: [[1], 2],
    lambda: ["12"],
    lambda: ["1", "2"],
    lambda: named(NamedList, [1, 2]),
    lambda: named(NamedList, [1, 2], unit="m"),
    lambda: collections.deque([1, 2]),
    lambda: collections.deque([1, 2], maxlen=2),
    lambda: Pair(1, 2),
    lambda: {1, 2},
    lambda: {"a": 1, "b": 2},
    lambda: {"a": 2, "b": 1},
    lambda: {("a",): 1, 3: 2},
    lambda: {"a": {"b": 1}},
    lambda: collections.Counter(a=1, b=2),
    lambda: range(3),
    lambda: range(0, 4, 2),
    lambda: slice(3),
    lambda: slice(0, 4, 2),
    lambda: ...,
    lambda: NotImplemented,
    lambda: int,
    lambda: float,
    lambda: type(None),
    lambda: np.dtype("float32"),
    lambda: np.dtype("float64"),
    lambda: np.dtype([("a", "f4")]),
    lambda: np.dtype([("b", "f4")]),
    lambda: datetime.datetime(2020, 1, 1),
    lambda: datetime.date(2020, 1, 1),
    lambda: datetime.timedelta(1),
    lambda: pathlib.PurePosixPath("/a"),
    lambda: pathlib.PurePosixPath("/b"),
    lambda: re.compile("a"),
    lambda: re.compile("a", re.IGNORECASE),
    lambda: Colour.RED,
    lambda: Colour.BLUE,
    lambda: Level.LOW,
    lambda: Level.HIGH,
    lambda: Point(1),
    lambda: Point(2),
    lambda: Point(1, [3]),
    lambda: Slotted(1),
    lambda: Slotted(2),
    lambda: half_slotted(1, 2),
    lambda: half_slotted(2, 2),
    lambda: half_slotted(1, 3),
    lambda: holder(a=1),
    lambda: holder(a=2),
    lambda: holder(b=1),
    lambda: np.array([1, 2]),
    lambda: np.array([1.0, 2.0]),
    lambda: np.array([1.0, 2.0], np.float32),
    lambda: np.array([1.0, 2.0], ">f8"),
    lambda: np.array([[1.0, 2.0]]),
    lambda: np.array([[1.0], [2.0]]),
    lambda: np.array([2.0, 1.0]),
    lambda: np.array(1.0),
    lambda: np.array([0.0]),
    lambda: np.array([-0.0]),
    lambda: np.array([np.nan]),
    lambda: np.empty((0, 2)),
    lambda: np.empty((0, 3)),
    lambda: np.array([(1.0, 2)], [("a", "f4"), ("b", "i4")]),
    lambda: np.array([(1.0, 2)], [("a", "f4"), ("c", "i4")]),
    lambda: np.array(["2020"], "M8[D]"),
    lambda: np.array(["2020"], "M8[ns]"),
    lambda: np.array(["a", "b"]),
    lambda: np.array(["a", "b"], object),
    lambda: np.array(["a", "b"], np.dtypes.StringDType()),
    lambda: np.array([1, "b"], object),
    lambda: np.ma.masked_array([1.0, 2.0], [False, True]),
    lambda: np.ma.masked_array([1.0, 2.0], [True, False]),
    lambda: pd.DataFrame({"a": [1.0, 2.0]}),
    lambda: pd.DataFrame({"a": [1.0, 3.0]}),
    lambda: pd.DataFrame({"b": [1.0, 2.0]}),
    lambda: pd.DataFrame({"a": [1.0, 2.0]}, index=[1, 0]),
    lambda: pd.DataFrame({"a": ["x", "y"]}),
    lambda: pd.DataFrame({"a": pd.Categorical(["x", "y"])}),
    lambda: pd.Series([1.0, 2.0], name="a"),
    lambda: pd.Timestamp("2020"),
    lambda: scipy.sparse.csr_matrix(np.eye(2)),
    lambda: scipy.sparse.csr_matrix(2 * np.eye(2)),
    lambda: scipy.sparse.csc_matrix(np.eye(2)),
    lambda: np.random.default_rng(0),
    lambda: np.random.default_rng(1),
    lambda: scipy.stats.norm,
    lambda: scipy.stats.expon,
    lambda: StandardScaler(),
    lambda: StandardScaler(with_mean=False),
    lambda: StandardScaler().set_output(transform="pandas"),
    lambda: StandardScaler().fit([[0.0], [1.0]]),
    lambda: StandardScaler().fit([[0.0], [2.0]]),
    lambda: MinMaxScaler(),
    lambda: MinMaxScaler((0, 2)),
    lambda: make_pipeline(StandardScaler(), MinMaxScaler()),
    lambda: make_pipeline(MinMaxScaler(), StandardScaler()),
    lambda: FunctionTransformer(np.log1p, np.expm1),
    lambda: FunctionTransformer(np.sqrt, np.square),
    lambda: FunctionTransformer(adder(1), adder(-1)),
    lambda: Scaler,
    lambda: Scaler(),
    lambda: Scaler(2.0),
    lambda: named(Scaler, 1.0, fitted_=3.0),
    lambda: Scaler().fit,
    lambda: Scaler(2.0).fit,
    lambda: len,
    lambda: np.mean,
    lambda: np.std,
    lambda: np.add,
    lambda: scipy.special.erf,
    lambda: [1, 2].append,
    lambda: "".join,
    lambda: functools.partial(np.mean, axis=0),
    lambda: functools.partial(np.mean, axis=1),
    lambda: functools.partial(np.std, axis=0),
    lambda: adder(1),
    lambda: adder(2),
    lambda: adder(1, k=1),
    lambda: functools.cache(adder(1)),
    lambda: property(adder(1)),
]
# These have no copies.
SINGLE = [
    lambda: staticmethod(adder(1)),
    lambda: functools.cached_property(adder(1)),
    lambda: np,
    lambda: os.path,
]


OLD_NUMPY = np.lib.NumpyVersion(np.__version__) < "2.1.0"


def test_equal_contents_have_equal_digests_and_others_do_not():
    seen = {}
    for make in MAKERS + SINGLE:
        found = digest(make())
        assert digest(make()) == found
        assert found not in seen, (make(), seen[found])
        seen[found] = make()


@pytest.mark.parametrize("make", MAKERS)
def test_copies_have_the_same_digest(make):
    """A copy is what a clone and a worker process get."""
    value = make()
    if getattr(value, "dtype", None) == np.dtypes.StringDType() and OLD_NUMPY:
        pytest.skip("NumPy before 2.1 crashes where it copies strings of any length")
    assert digest(copy.deepcopy(value)) == digest(value)


def test_a_clone_and_an_unpickled_object_have_the_same_digest():
    scaler = make_pipeline(Scaler(2.0), StandardScaler())
    assert digest(clone(scaler)) == digest(scaler)
    assert digest(pickle.loads(pickle.dumps(scaler))) == digest(scaler)


ATOMS = st.none() | st.booleans() | st.integers() | st.floats() | st.text()
NESTED = st.recursive(
    ATOMS | st.binary(),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.tuples(inner, inner)
        | st.dictionaries(ATOMS.filter(lambda x: x == x), inner, max_size=4)
    ),
    max_leaves=12,
)


@settings(max_examples=60, deadline=None)
@given(NESTED, NESTED)
def test_nested_data(one, two):
    assert (digest(one) == digest(two)) == (repr(one) == repr(two))


def test_the_order_of_mappings_counts_and_that_of_sets_does_not():
    """A user's function may add a layer for each item."""
    names = [f"name {i}" for i in range(50)]
    assert digest(set(names)) == digest(set(reversed(names)))
    items = [("relu", 8), ("tanh", 8)]
    for make in (
        dict,
        collections.OrderedDict,
        lambda pairs: types.MappingProxyType(dict(pairs)),
        lambda pairs: collections.defaultdict(int, pairs),
        lambda pairs: holder(layers=dict(pairs)),
        lambda pairs: functools.partial(dict, layers=dict(pairs)),
        lambda pairs: [{"layers": ({"kinds": dict(pairs)},)}],
    ):
        assert digest(make(items)) == digest(make(items))
        assert digest(make(items)) != digest(make(items[::-1]))


def test_the_layout_of_an_array_does_not_count(tmp_path):
    X = np.arange(60.0).reshape(5, 12)
    np.save(tmp_path / "X.npy", X)
    for same in (
        np.asfortranarray(X),
        np.load(tmp_path / "X.npy", mmap_mode="r"),
        np.hstack([X, X])[:, :12],
        X[::-1][::-1],
        X.reshape(5, 3, 4).reshape(5, 12),
    ):
        assert digest(same) == digest(X)
    assert digest(X.T) != digest(X)


def test_a_single_changed_bit_of_an_array_counts():
    X = np.zeros((4, 3))
    changed = X.copy()
    changed[2, 1] = np.nextafter(0, 1)
    assert digest(changed) != digest(X)


def test_shared_parts_and_cycles():
    loop = [1]
    loop.append(loop)
    same = [1]
    same.append(same)
    assert digest(loop) == digest(same)
    assert digest(loop) != digest([1, [1]])
    node = holder(value=1)
    node.me = node
    assert digest(node) == digest(copy.deepcopy(node))
    mapping = {}
    mapping["me"] = mapping
    assert digest(mapping) == digest(copy.deepcopy(mapping))


# ------------------------------------------------------------------- functions

FUNCTION = """
    offset = 1
    def helper(x):
        return x * 2
    def f(x, scale=3, *, bias=4):
        return helper(x) * scale + bias + offset
"""


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("* scale", "/ scale"),
        ("scale=3", "scale=3.0"),
        ("bias=4", "bias=5"),
        ("offset = 1", "offset = 2"),
        ("x * 2", "x * 2 + 0"),
        ("scale=3, *, bias=4", "scale=3, bias=4"),
        ("(x, scale", "(y, x, scale"),
    ],
)
def test_any_change_of_a_function_counts(old, new):
    assert digest(made_from(FUNCTION)) == digest(made_from("\n\n" + FUNCTION))
    assert old in FUNCTION
    assert digest(made_from(FUNCTION.replace(old, new))) != digest(made_from(FUNCTION))


def test_names_of_parameters_count():
    """Build functions are called by keyword; their bytecode holds positions only."""
    one = made_from("def f(n_features, latent_dim): return n_features, latent_dim * 2")
    two = made_from("def f(latent_dim, n_features): return latent_dim, n_features * 2")
    assert one.__code__.co_code == two.__code__.co_code
    assert digest(one) != digest(two)


def test_try_blocks_count():
    """Their extent is in a table beside the code."""
    source = """
        def f(x):
            try:
                a = g(x)
            except ValueError:
                a = 0
            return a
    """
    assert digest(made_from(source)) != digest(
        made_from(source.replace("ValueError", "TypeError"))
    )


def test_functions_inside_functions_count():
    source = "scale = 1\ndef f(x): return [[i * scale for i in row] for row in x]"
    changed = source.replace("scale = 1", "scale = 2")
    assert digest(made_from(source)) != digest(made_from(changed))
    assert digest(made_from(source)) == digest(made_from(source))


def test_attributes_of_a_function_count():
    one, two = adder(1), adder(1)
    two.factor = 2
    assert digest(one) != digest(two)


def test_globals_that_are_not_read_do_not_count():
    source = "def f(x): return x.mean()"
    assert digest(made_from(source, mean=1)) == digest(made_from(source, mean=2))


def test_recursion_ends():
    source = """
        def f(n): return n and g(n - 1)
        def g(n): return n and f(n - 1) + {k}
    """
    assert digest(made_from(source.format(k=1))) == digest(
        made_from(source.format(k=1))
    )
    assert digest(made_from(source.format(k=1))) != digest(
        made_from(source.format(k=2))
    )


def test_many_functions_that_call_each_other_take_little_time():
    names = [f"f{i}" for i in range(60)]
    calls = " + ".join(f"{name}(x)" for name in names)
    source = "\n".join(f"def {name}(x): return {calls}" for name in names)
    assert digest(made_from(source, "f0")) == digest(made_from(source, "f0"))


def test_a_wrapped_function_is_not_the_one_whose_name_it_has():
    @functools.wraps(np.mean)
    def doubled(*args):
        return 2 * np.mean(*args)

    assert digest(doubled) != digest(np.mean)


def test_decorators_count():
    def times(factor):
        def decorate(function):
            @functools.wraps(function)
            def decorated(x):
                return factor * function(x)

            return decorated

        return decorate

    assert digest(times(2)(adder(1))) == digest(times(2)(adder(1)))
    assert digest(times(2)(adder(1))) != digest(times(3)(adder(1)))
    assert digest(times(2)(adder(1))) != digest(times(2)(adder(2)))


def test_an_empty_cell_is_no_value():
    def outer(fill):
        if fill:
            value = fill
        return lambda: value

    digests = {digest(outer(fill)) for fill in (None, "empty cell", (), ((),))}
    assert digest(outer("x")) not in digests
    assert len(digests) == 3  # None and () leave the cell empty


def test_fitted_state_in_a_closure_counts():
    """Parameters alone would not tell these losses apart."""

    def loss_with(scaler):
        return lambda y, output: ((y - output) / scaler.scale_) ** 2

    X = np.random.default_rng(0).normal(size=(10, 2))
    one, two = StandardScaler().fit(X), StandardScaler().fit(2 * X)
    assert digest(loss_with(one)) != digest(loss_with(two))
    assert digest(loss_with(one)) == digest(loss_with(StandardScaler().fit(X)))


def test_a_bound_method_is_its_function_and_its_object():
    one = types.MethodType(adder(1), 3)
    assert digest(one) == digest(types.MethodType(adder(1), 3))
    assert digest(one) != digest(types.MethodType(adder(2), 3))
    assert digest(one) != digest(types.MethodType(adder(1), 4))


# --------------------------------------------------------------------- classes

CLASS = """
    class Base:
        shift = 1
        def g(self): return 2
    class Other:
        def g(self): return 2
    class f(Base):
        "Words."
        kind = "a"
        def __init__(self, a=1): self.a = a
        def fit(self, X, sample_weight=None): return super().g()
        @property
        def p(self): return 5
        @staticmethod
        def s(): return 6
        @classmethod
        def c(cls): return 7
"""


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("shift = 1", "shift = 2"),
        ("g(self): return 2", "g(self): return 3"),
        ("f(Base)", "f(Other)"),
        ('kind = "a"', 'kind = "b"'),
        ("a=1", "a=2"),
        ("sample_weight=None", "weight=None"),
        ("return 5", "return 55"),
        ("return 6", "return 66"),
        ("return 7", "return 77"),
        ("@staticmethod", "@classmethod"),
        ("f(Base)", "f(Base, metaclass=__import__('abc').ABCMeta)"),
    ],
)
def test_any_change_of_a_class_counts_for_it_and_its_objects(old, new):
    one, same = made_from(CLASS), made_from(CLASS.replace("Words.", "Other words."))
    assert old in CLASS
    other = made_from(CLASS.replace(old, new))
    assert digest(one) == digest(same)
    assert digest(one()) == digest(same())
    assert digest(one) != digest(other)
    assert digest(one()) != digest(other())


def test_local_classes_are_described():
    def make(k):
        class Local(Scaler):
            def fit(self, X, sample_weight=None):
                return k

        return Local(3.0)

    assert digest(make(1)) == digest(make(1))
    assert digest(make(1)) != digest(make(2))


# ------------------------------------------------- modules and other processes

HELPERS = """
    def taken(x): return x + {taken}
    def used(x): return x + {used}
    def deep(x): return also(x)
    def also(x): return x + {also}
    def unused(x): return x + {unused}
"""
READERS = """
    import numpy as np
    import its_helpers
    from its_helpers import taken
    class Thing:
        def f(self): return its_helpers.used(self)
    def loss(y, output):
        import its_helpers as inside
        return np.mean(inside.deep(y - output)) * taken(1)
    def closing(helpers):
        return lambda x: helpers.used(x)
    closure = closing(its_helpers)
"""


@pytest.mark.parametrize(
    ("name", "read"),
    [("loss", {"taken", "also"}), ("Thing", {"used"}), ("closure", {"used"})],
)
def test_what_is_read_from_a_users_module_counts(monkeypatch, name, read):
    """By name, as an attribute, or imported inside the function."""

    def described(**changed):
        values = {"taken": 1, "used": 1, "also": 1, "unused": 1} | changed
        helpers = types.ModuleType("its_helpers")
        exec(textwrap.dedent(HELPERS.format(**values)), vars(helpers))
        monkeypatch.setitem(sys.modules, "its_helpers", helpers)
        return digest(made_from(READERS, name))

    for changed in ("taken", "used", "also", "unused"):
        differs = described(**{changed: 2}) != described()
        assert differs == (changed in read), changed


def test_modules_that_name_each_other(monkeypatch):
    for name, other in (("its_a", "its_b"), ("its_b", "its_a")):
        monkeypatch.setitem(sys.modules, name, types.ModuleType(name))
        sys.modules[name].k = 1
        sys.modules[name].other = sys.modules.get(other)
    sys.modules["its_a"].other = sys.modules["its_b"]

    def function():
        import its_a

        return its_a.other.other.k

    before = digest(function)
    sys.modules["its_b"].k = 2
    assert digest(function) != before


def test_an_import_that_fails_is_described():
    def one():
        import no_such_module_a

        return no_such_module_a

    def two():
        import no_such_module_b

        return no_such_module_b

    assert digest(one) == digest(one)
    assert digest(one) != digest(two)


ELSEWHERE = """
    import functools, numpy as np
    from sklearn.base import BaseEstimator
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler
    from skae import DenseNetwork, GaussianNoise
    import other_helpers

    LIMITS = {"low", "high", "middle", "none"}

    class Mine(BaseEstimator):
        names = frozenset(LIMITS)
        def __init__(self, k=1): self.k = k
        def fit(self, X, sample_weight=None): return other_helpers.scale(X)
        def transform(self, X): return {x in LIMITS for x in X}

    def make(k):
        return lambda x: np.mean(x) + k + len(LIMITS)

    VALUES = [
        Mine, Mine(2), make(1), functools.partial(make(2), k=3), Mine().fit,
        {"a": {1, "x", None}, "b": np.arange(3.0)}, LIMITS,
        make_pipeline(Mine(), StandardScaler()), DenseNetwork((3,)), GaussianNoise(),
    ]
"""


def test_digests_are_the_same_in_another_process(tmp_path, monkeypatch):
    """Also where hashes of strings, and so the order of sets, are others."""
    (tmp_path / "other_helpers.py").write_text("def scale(x): return 2 * x\n")
    (tmp_path / "elsewhere.py").write_text(textwrap.dedent(ELSEWHERE))
    monkeypatch.syspath_prepend(tmp_path)
    here = [digest(value) for value in importlib.import_module("elsewhere").VALUES]
    script = (
        "import sys, elsewhere; from skae._engine._digest import digest; "
        "print(*map(digest, elsewhere.VALUES)); "
        "assert not {'keras', 'tensorflow'} & set(sys.modules)"
    )
    done = subprocess.run(
        [sys.executable, "-c", script],
        capture_output=True,
        text=True,
        check=True,
        env=os.environ | {"PYTHONHASHSEED": "1", "PYTHONPATH": str(tmp_path)},
    )
    assert done.stdout.split() == here
    assert len(set(here)) == len(here)


MAIN = """
    import sys
    from skae._engine._digest import digest
    LIMITS = {"low", "high", "middle", "none"}
    def loss(y, output, power=2):
        return abs(y - output) ** power * len(LIMITS)
    class Thing:
        def call(self, x): return {name for name in LIMITS if name in x}
    print(digest(loss), digest(Thing), digest(Thing().call))
"""


def test_digests_of_what_a_script_or_notebook_defines(tmp_path):
    """Neither the file, as each cell has one of its own, nor the line counts."""

    def digests(name, source, seed):
        (tmp_path / name).write_text(textwrap.dedent(source))
        done = subprocess.run(
            [sys.executable, tmp_path / name],
            capture_output=True,
            text=True,
            check=True,
            env=os.environ | {"PYTHONHASHSEED": seed},
        )
        return done.stdout.split()

    found = digests("one.py", MAIN, "1")
    assert digests("cell.py", "\n\n" + MAIN, "2") == found
    changed = digests("one.py", MAIN.replace('"none"', '"nil"'), "1")
    assert all(one != other for one, other in zip(found, changed, strict=True))
    changed = digests("one.py", MAIN.replace("power=2", "power=3"), "1")
    assert (changed[0] != found[0], changed[1:]) == (True, found[1:])


def test_a_users_file_with_the_name_of_a_standard_module_is_read(tmp_path):
    script = (
        "import sys, queue; from skae._engine._digest import digest; "
        "assert 'tmp' in queue.__file__ or 'pytest' in queue.__file__; "
        "print(digest(queue.scale))"
    )
    seen = set()
    for k in (1, 2):
        (tmp_path / "queue.py").write_text(f"def scale(x): return x * {k}\n")
        done = subprocess.run(
            [sys.executable, "-c", script],
            capture_output=True,
            text=True,
            check=False,
            env=os.environ | {"PYTHONPATH": str(tmp_path)},
        )
        if done.returncode:  # something else needed Python's own queue
            assert "queue" in done.stderr, done.stderr
            pytest.skip(done.stderr.splitlines()[-1])
        seen.add(done.stdout)
    assert len(seen) == 2


# ---------------------------------------------------------------- no digest


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (threading.Lock(), "of type lock has no contents that can be read: cannot"),
        ((i for i in range(3)), "of type generator has no contents that can be read"),
        ({"a": [threading.Lock()]}, "of type lock"),
        (np.frompyfunc(lambda x: x, 1, 1), "ufunc can be told apart by its name only"),
        (holder(module=pytest), "is no package whose version tells it apart"),
        (list(range(400_000)), "too much hangs on it to be described"),
        (
            functools.reduce(lambda inner, _: [inner], range(50_000), []),
            "of type list is nested too deeply to be described",
        ),
    ],
)
def test_what_cannot_be_described_raises(value, message):
    with pytest.raises(CannotDescribeError, match=message):
        digest(value)


def test_special_stands_in_for_what_it_knows():
    lock = threading.Lock()

    def special(value):
        return "a lock" if value is lock else None

    assert digest([lock], special) == digest([lock], special)
    assert digest([lock], special) != digest([lock], lambda value: "another")


def test_keras_objects_are_told_apart_by_their_configuration():
    engine.import_quietly()
    import keras

    def adam(rate):
        return digest(keras.optimizers.Adam(rate), engine.keras_config)

    assert adam(0.1) == adam(0.1)
    assert adam(0.1) != adam(0.2)
    loss = digest(keras.losses.Huber(0.5), engine.keras_config)
    assert loss != digest(keras.losses.Huber(0.7), engine.keras_config)
    with pytest.raises(CannotDescribeError, match="Flatten is an object of Keras"):
        digest(keras.layers.Flatten())


def test_versions_of_packages():
    assert package_version("numpy") == np.__version__
    assert package_version("sklearn") == package_version("scikit-learn")
    assert package_version("no such package") == "unknown"
