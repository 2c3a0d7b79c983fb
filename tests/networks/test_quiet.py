"""Importing TensorFlow without a word, and without leaving traces."""

import gc
import os
import subprocess
import sys
import tempfile
import textwrap

import pytest

from skae.networks import _quiet

CHATTER = (
    b"WARNING: All log messages before absl::InitializeLog() is called are written to\n"
    b"I0000 00:00:1795215293.614163   17541 port.cc:153] oneDNN custom operations\n"
    b"E0000 00:00:1795215293.614515   17541 cuda_dnn.cc:8310] Unable to register\n"
    b"2026-11-20 22:00:00.123456: I tensorflow/core/util/port.cc:113] oneDNN\n"
    b"2026-11-20 22:00:00.1: W external/local_xla/xla/stream_executor/cuda.cc:1] no\n"
    b"To enable the following instructions: AVX2 AVX512F, in other operations\n"
)
OF_OTHERS = b"I was here\n\nTraceback: tensorflow\nI0000 no log line\n2026-11-20 note\n"

QUIET = """
    import logging, os, random, sys

    class Bystander:
        # Writes while TensorFlow is imported, as another thread might.
        def find_spec(self, name, path=None, target=None):
            if name == "tensorflow":
                os.write(2, b"bystander\\n\\n")

    sys.meta_path.insert(0, Bystander())
    import numpy as np
    from skae import AutoencoderTransformer, DenseNetwork, GaussianNoise
    from sklearn.base import clone

    estimator = clone(AutoencoderTransformer(
        network=DenseNetwork((4,), normalization="layer"),  # trains in TensorFlow
        corruption=GaussianNoise(0.1),
        patience=2,
        epochs=3,
        random_state=0,
    ))
    assert repr(estimator) and estimator._repr_html_()
    assert not {"tensorflow", "keras"} & set(sys.modules)
    variables, state = dict(os.environ), random.getstate()
    handlers = logging.getLogger().handlers[:]
    X = np.random.default_rng(0).normal(size=(30, 5))
    estimator.fit(X).transform(X)
    # TensorFlow leaves some variables of its own.
    assert {name: os.environ.get(name) for name in variables} == variables
    assert "TF_CPP_MIN_LOG_LEVEL" not in os.environ
    assert random.getstate() == state
    assert logging.getLogger().handlers == handlers
    assert "tensorflow" in sys.modules
"""


def without_settings(**more):
    """Return the environment of a user who has set nothing."""
    prefixes = "TF_", "KERAS_", "CUDA_", "ABSL_"
    kept = {k: v for k, v in os.environ.items() if not k.startswith(prefixes)}
    return {**kept, **more}


def run(code, **environment):
    return subprocess.run(
        [sys.executable, "-c", textwrap.dedent(code)],
        capture_output=True,
        env=without_settings(**environment),
        check=False,
    )


def test_a_first_fit_says_nothing_and_changes_nothing():
    done = run(QUIET)
    assert done.stderr == b"bystander\n\n"
    assert (done.stdout, done.returncode) == (b"", 0)


def test_a_failing_import_says_why(tmp_path):
    (tmp_path / "keras.py").write_text(
        "import os\n"
        f"os.write(2, {CHATTER[:86]!r})\n"
        "raise ImportError('no such instruction')\n"
    )
    code = "from skae.networks._quiet import import_quietly; import_quietly()"
    path = os.pathsep.join([str(tmp_path), os.environ.get("PYTHONPATH", "")])
    done = run(code, PYTHONPATH=path)
    assert done.returncode == 1
    assert done.stderr.startswith(b"WARNING: All log messages before absl")
    assert done.stderr.endswith(b"ImportError: no such instruction\n")


# --------------------------------------------------------- the standard error


def test_chatter_is_dropped_and_the_rest_forwarded(capfd):
    with _quiet.without_chatter():
        os.write(2, CHATTER + OF_OTHERS)
        assert capfd.readouterr().err == ""
    assert capfd.readouterr().err.encode() == OF_OTHERS
    os.write(2, CHATTER)
    assert capfd.readouterr().err.encode() == CHATTER


def test_much_text_is_forwarded_whole(capfd):
    lines = b"a line that is not short\n" * 20_000
    with _quiet.without_chatter():
        os.write(2, lines)
    assert capfd.readouterr().err.encode() == lines


def test_an_error_forwards_everything(capfd):
    def fail():
        with _quiet.without_chatter():
            os.write(2, CHATTER)
            raise KeyError

    with pytest.raises(KeyError):
        fail()
    assert capfd.readouterr().err.encode() == CHATTER


@pytest.mark.parametrize(
    "broken", [(os, "dup"), (os, "dup2"), (tempfile, "TemporaryFile")]
)
def test_where_nothing_can_be_held_back(broken, monkeypatch, capfd):
    def refuse(*args):
        raise OSError("none here")

    with monkeypatch.context() as patch:
        patch.setattr(*broken, refuse)
        with _quiet.without_chatter():
            patch.undo()  # pytest needs them, too
            os.write(2, CHATTER)
    assert capfd.readouterr().err.encode() == CHATTER


# ------------------------------------------------------------- the environment


def test_the_log_level_is_set_for_the_import_only(monkeypatch):
    monkeypatch.delenv("TF_CPP_MIN_LOG_LEVEL", raising=False)
    with _quiet._fast_and_silent():
        assert os.environ["TF_CPP_MIN_LOG_LEVEL"] == "2"
    assert "TF_CPP_MIN_LOG_LEVEL" not in os.environ


def test_the_users_log_level_stays(monkeypatch):
    monkeypatch.setenv("TF_CPP_MIN_LOG_LEVEL", "0")
    with _quiet._fast_and_silent():
        assert os.environ["TF_CPP_MIN_LOG_LEVEL"] == "0"
    assert os.environ["TF_CPP_MIN_LOG_LEVEL"] == "0"


@pytest.mark.parametrize("enabled", [True, False])
def test_garbage_is_looked_for_as_before(enabled):
    before = gc.isenabled()
    try:
        (gc.enable if enabled else gc.disable)()
        with _quiet._fast_and_silent():
            assert not gc.isenabled()
        assert gc.isenabled() == enabled
    finally:
        (gc.enable if before else gc.disable)()


MESSAGE = (
    "skae trains with Keras on TensorFlow, but Keras is set to the 'jax' backend. "
    "Set the environment variable KERAS_BACKEND=tensorflow before"
)


def test_another_backend_in_the_environment_is_refused_at_once(monkeypatch):
    for name in [name for name in sys.modules if name.partition(".")[0] == "keras"]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setenv("KERAS_BACKEND", "jax")
    with pytest.raises(ImportError, match=MESSAGE):
        _quiet.import_quietly.__wrapped__()
    assert "keras" not in sys.modules


def test_another_backend_in_keras_is_refused(keras, monkeypatch):
    monkeypatch.setattr(keras.backend, "backend", lambda: "jax")
    with pytest.raises(ImportError, match=MESSAGE):
        _quiet.import_quietly.__wrapped__()


def test_an_imported_keras_counts_more_than_the_environment(keras, monkeypatch):
    monkeypatch.setenv("KERAS_BACKEND", "jax")
    _quiet.import_quietly.__wrapped__()
