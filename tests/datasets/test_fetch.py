"""Downloads, from a server on this machine with tiny copies of the originals."""

import errno
import gzip
import hashlib
import io
import logging
import struct
import threading
import tracemalloc
import zipfile
from collections import Counter
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pooch
import pytest

from skae._validation import InvalidParameterError
from skae.datasets import fetch_ecg5000, fetch_fashion_mnist, fetch_mnist
from skae.datasets._recorded import (
    ECG5000,
    FASHION_MNIST,
    IDX_FILES,
    MNIST,
    fetch_beats,
    fetch_images,
)
from skae.datasets._store import N_TRIES, Source, content_hash, find_data_home

N_TRAIN, N_TEST, N_BEATS, N_STEPS = 6, 4, 9, 5


class FakeHost:
    """A server whose files, and whose first failures, a test sets."""

    def __init__(self):
        self.files, self.failures, self.requests = {}, Counter(), Counter()
        host = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self):
                name = self.path.lstrip("/")
                host.requests[name] += 1
                broken = host.failures[name] >= host.requests[name]
                content = None if broken else host.files.get(name)
                self.send_response(200 if content is not None else 503)
                self.send_header("Content-Length", str(len(content or b"")))
                self.end_headers()
                self.wfile.write(content or b"")

            def log_message(self, *args):
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        self.thread = threading.Thread(target=self.server.serve_forever, args=(0.01,))
        self.thread.start()

    def close(self):
        self.server.shutdown()
        self.thread.join()
        self.server.server_close()

    def copy(self, data_set, arrays):
        """Return a data set of other arrays, with its files on this server."""
        return replace(
            data_set,
            layout={name: (x.shape, x.dtype.name) for name, x in arrays.items()},
            content_hash=content_hash(arrays, any_row_order=data_set.any_row_order),
            sources=tuple(map(self._relocate, data_set.sources)),
        )

    def _relocate(self, source):
        files = {
            name: checksum and f"sha256:{hashlib.sha256(self.files[name]).hexdigest()}"
            for name, checksum in source.files.items()
        }
        return Source(self.url, files, source.read)


def idx_file(array):
    header = struct.pack(">HBB", 0, 8, array.ndim) + struct.pack(
        f">{array.ndim}I", *array.shape
    )
    return gzip.compress(header + array.tobytes(), mtime=0)


def ts_file(X, classes):
    rows = [
        ",".join(map(repr, row)) + f":{label}"
        for row, label in zip(X.tolist(), classes, strict=True)
    ]
    return "\n".join(["#note", "@problemName beats", "@data", *rows, ""]).encode()


def npz_file(**arrays):
    buffer = io.BytesIO()
    np.savez(buffer, **arrays)
    return buffer.getvalue()


def zip_file(compression=zipfile.ZIP_STORED, **members):
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", compression) as archive:
        for name, content in members.items():
            archive.writestr(f"{name}.ts", content)
    return buffer.getvalue()


@pytest.fixture
def host(monkeypatch):
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(pooch.core, "time", SimpleNamespace(sleep=lambda _: None))
    host = FakeHost()
    yield host
    host.close()


@pytest.fixture
def images():
    rng = np.random.default_rng(0)
    return {
        "x_train": rng.integers(0, 256, (N_TRAIN, 28, 28), dtype=np.uint8),
        "y_train": rng.integers(0, 10, N_TRAIN, dtype=np.uint8),
        "x_test": rng.integers(0, 256, (N_TEST, 28, 28), dtype=np.uint8),
        "y_test": rng.integers(0, 10, N_TEST, dtype=np.uint8),
    }


@pytest.fixture
def image_sets(host, images):
    """Small MNIST and Fashion-MNIST, in the form of every source that they have."""
    for name, array in zip(IDX_FILES, images.values(), strict=True):
        host.files[name] = idx_file(array)
    host.files["mnist.npz"] = npz_file(**images)
    return [host.copy(data_set, images) for data_set in (MNIST, FASHION_MNIST)]


def load(data_set, home, subset="train", download=True):
    """Load images as the public functions do."""
    return fetch_images(data_set, subset, home, download, False)


@pytest.fixture
def beats():
    rng = np.random.default_rng(1)
    X = rng.standard_normal((N_BEATS, N_STEPS)).astype(np.float32)
    return X, np.array([1, 1, 2, 1, 3, 4, 5, 1, 1])


@pytest.fixture
def ecg(host, beats):
    """A small ECG5000, in the form of every source that it has."""
    X, classes = beats
    train, test = ts_file(X[:3], classes[:3]), ts_file(X[3:], classes[3:])
    host.files["ECG5000_TRAIN.ts"], host.files["ECG5000_TEST.ts"] = train, test
    host.files["ECG5000.zip"] = zip_file(ECG5000_TRAIN=train, ECG5000_TEST=test)
    arrays = {"X": X, "y": (classes == 1).astype(np.int8)}
    return host.copy(ECG5000, {name: array[::-1] for name, array in arrays.items()})


def files_in(folder):
    return sorted(path.name for path in Path(folder).rglob("*"))


@pytest.mark.parametrize("number", [0, 1])
def test_images_are_downloaded_once_and_converted(
    number, host, image_sets, images, tmp_path
):
    home = tmp_path / "new" / "home"
    bunch = load(image_sets[number], home)
    assert bunch.data.shape == (N_TRAIN, 28, 28, 1)
    assert bunch.data.dtype == np.float32
    np.testing.assert_allclose(bunch.data[..., 0] * 255, images["x_train"], rtol=1e-6)
    assert bunch.target.dtype == np.int64
    assert np.array_equal(bunch.target, images["y_train"])
    assert len(bunch.target_names) == 10
    assert "28 by 28" in bunch.DESCR
    assert all(url.startswith(f"{host.url}/") for url in bunch.details["urls"])
    assert files_in(home) == [Path(bunch.details["filename"]).name]

    before = host.requests.total()
    again = load(image_sets[number], str(home), download=False)
    assert host.requests.total() == before > 0
    assert np.array_equal(again.data, bunch.data)


def test_subsets_make_up_the_whole(image_sets, images, tmp_path):
    train, test, both = (
        load(image_sets[0], tmp_path, subset) for subset in ("train", "test", "all")
    )
    for name in ("data", "target"):
        assert np.array_equal(both[name], np.concatenate([train[name], test[name]]))
    assert np.array_equal(test.target, images["y_test"])


def test_the_file_in_the_data_home_has_the_published_layout(
    image_sets, images, tmp_path
):
    load(image_sets[1], tmp_path)
    with np.load(tmp_path / "fashion_mnist.npz", allow_pickle=False) as npz:
        assert set(npz.files) == set(images)
        for name, array in images.items():
            assert npz[name].dtype == np.uint8
            assert np.array_equal(npz[name], array)


def check_beats(bunch, beats):
    X, classes = beats
    assert bunch.data.dtype == np.float32
    assert np.array_equal(bunch.data, X)
    assert np.array_equal(bunch.target, np.where(classes == 1, 1, -1))


def test_ecg5000_from_the_archive(ecg, beats, tmp_path):
    bunch = fetch_beats(ecg, tmp_path, True, False)
    check_beats(bunch, beats)
    assert bunch.feature_names == [f"t{step}" for step in range(N_STEPS)]
    assert bunch.target_names == ["abnormal", "normal"]
    assert files_in(tmp_path) == ["ecg5000.npz"]
    X, y = fetch_beats(ecg, tmp_path, True, True)
    assert np.array_equal(X, bunch.data)
    assert np.array_equal(y, bunch.target)


@pytest.mark.parametrize("content", [None, b"", b"<html>Sign in</html>"])
def test_the_second_source_is_used_where_the_first_fails(
    content, host, ecg, beats, tmp_path
):
    host.files["ECG5000.zip"] = content
    check_beats(fetch_beats(ecg, tmp_path, True, False), beats)
    assert host.requests["ECG5000_TEST.ts"] == 1


def test_mnist_also_comes_as_four_files(host, image_sets, images, tmp_path):
    del host.files["mnist.npz"]
    assert np.array_equal(load(image_sets[0], tmp_path).target, images["y_train"])


@pytest.mark.parametrize("n_failures", range(1, N_TRIES))
def test_a_failed_download_is_tried_again(n_failures, host, image_sets, tmp_path):
    host.failures["mnist.npz"] = n_failures
    load(image_sets[0], tmp_path)
    assert host.requests["mnist.npz"] == n_failures + 1
    assert host.requests.total() == n_failures + 1


def test_a_host_that_keeps_failing_is_named(host, image_sets, tmp_path):
    host.files.clear()
    with pytest.raises(OSError) as info:
        load(image_sets[0], tmp_path)
    message = str(info.value)
    assert message.startswith("'mnist.npz' could not be downloaded: ")
    url = f"{host.url}/mnist.npz"
    assert f"{url} failed {N_TRIES} times, last with a HTTPError" in message
    assert f"put the file into the data home {str(tmp_path)!r}" in message
    assert host.requests["mnist.npz"] == N_TRIES
    assert isinstance(info.value.__cause__, OSError)
    assert files_in(tmp_path) == []


def test_without_a_network_one_error_says_what_to_do(host, image_sets, tmp_path):
    host.close()
    pattern = f"{host.url}/mnist.npz failed {N_TRIES} times, last with a Connection.*"
    with pytest.raises(OSError, match=pattern + "Check the network"):
        load(image_sets[0], tmp_path)


def test_a_damaged_download_is_refused_by_its_checksum(host, image_sets, tmp_path):
    content = bytearray(host.files["mnist.npz"])
    content[len(content) // 2] ^= 1
    host.files = {"mnist.npz": bytes(content)}
    with pytest.raises(OSError, match=f"mnist.npz sent a damaged file {N_TRIES} times"):
        load(image_sets[0], tmp_path)
    assert files_in(tmp_path) == []


def test_other_data_are_refused_by_their_content(host, ecg, beats, tmp_path):
    X, classes = beats
    other = ts_file(X + 1e-3, classes)
    host.files.clear()
    host.files["ECG5000.zip"] = zip_file(ECG5000_TRAIN=other, ECG5000_TEST=other)
    with pytest.raises(OSError, match="ECG5000.zip holds other data than published"):
        fetch_beats(ecg, tmp_path, True, False)
    assert files_in(tmp_path) == []


def test_an_archive_that_unpacks_to_much_more_is_not_unpacked(
    host, ecg, image_sets, tmp_path
):
    """Each of a few hundred kilobytes."""
    much = bytes(1 << 27)
    host.files = {
        "ECG5000.zip": zip_file(
            zipfile.ZIP_DEFLATED, ECG5000_TRAIN=b"", ECG5000_TEST=much
        ),
        IDX_FILES[0]: gzip.compress(much, compresslevel=1),
        "mnist.npz": zip_file(zipfile.ZIP_DEFLATED, x_train=much),
    }
    assert max(map(len, host.files.values())) < 1 << 20
    for data_set in (ecg, *image_sets):
        for source in data_set.sources:
            name = next(iter(source.files))
            if name in host.files:
                path = tmp_path / name
                path.write_bytes(host.files[name])
                tracemalloc.start()
                with pytest.raises(ValueError, match="unpacks to more than 67,108,864"):
                    source.read(path, *[path] * (len(source.files) - 1))
                assert tracemalloc.get_traced_memory()[1] < 1.5 * (1 << 26)
                tracemalloc.stop()


@pytest.mark.parametrize("where", ["while downloading", "while writing"])
def test_a_full_disk_says_so(where, host, image_sets, tmp_path, monkeypatch):
    def refuse(*args, **kwargs):
        raise OSError(errno.ENOSPC, "No space left on device")

    if where == "while downloading":
        monkeypatch.setattr(pooch.HTTPDownloader, "__call__", refuse)
    else:
        monkeypatch.setattr(np, "savez_compressed", refuse)
    with pytest.raises(OSError, match="No space left on device. Make room") as info:
        load(image_sets[0], tmp_path)
    message = str(info.value)
    assert message.startswith("'mnist.npz' could not be kept in the data home")
    assert "times" not in message
    assert host.requests.total() <= 1
    assert files_in(tmp_path) == []


def test_a_data_home_that_is_a_file_says_so(image_sets, tmp_path):
    (tmp_path / "home").write_text("a file")
    with pytest.raises(OSError, match="could not be kept in the data home .*exists"):
        load(image_sets[0], tmp_path / "home")


@pytest.mark.parametrize("number", [0, 1])
def test_a_file_of_other_values_is_refused(number, image_sets, images, tmp_path):
    """Its layout is right, and its archive is whole."""
    details = load(image_sets[number], tmp_path).details
    images["x_test"][0, 0, 0] ^= 1
    Path(details["filename"]).write_bytes(npz_file(**images))
    for subset in ("train", "test"):
        with pytest.raises(OSError, match="but their values are others. Delete it"):
            load(image_sets[number], tmp_path, subset)


def test_an_interrupted_conversion_leaves_nothing(host, image_sets, tmp_path):
    def interrupt(*paths):
        assert all(path.is_file() for path in paths)
        raise KeyboardInterrupt

    source = replace(image_sets[0].sources[0], read=interrupt)
    with pytest.raises(KeyboardInterrupt):
        load(replace(image_sets[0], sources=(source,)), tmp_path)
    assert host.requests["mnist.npz"] == 1
    assert files_in(tmp_path) == []


def test_a_download_shows_a_bar_and_no_log(image_sets, tmp_path, capfd):
    level = pooch.get_logger().level
    records = []
    handler = logging.Handler()
    handler.emit = records.append
    pooch.get_logger().addHandler(handler)
    try:
        load(image_sets[0], tmp_path)
    finally:
        pooch.get_logger().removeHandler(handler)
    out, err = capfd.readouterr()
    assert out == ""
    assert "100%" in err
    assert records == []
    assert pooch.get_logger().level == level


@pytest.mark.parametrize(
    ("fetch", "filename"),
    [
        (fetch_fashion_mnist, "fashion_mnist.npz"),
        (fetch_mnist, "mnist.npz"),
        (fetch_ecg5000, "ecg5000.npz"),
    ],
)
def test_a_missing_file_is_an_error_without_download(fetch, filename, tmp_path):
    with pytest.raises(OSError) as info:
        fetch(data_home=tmp_path / "nowhere", download_if_missing=False)
    assert str(info.value).startswith(
        f"{filename!r} is not in the data home and download_if_missing=False. Pass"
        " download_if_missing=True, or put the file there."
    )
    assert "nowhere" in str(info.value)
    assert files_in(tmp_path) == []


def test_the_data_home_is_the_argument_or_the_variable_or_the_default(monkeypatch):
    monkeypatch.setenv("HOME", "/home/name")
    monkeypatch.setenv("USERPROFILE", "/home/name")
    monkeypatch.delenv("SKAE_DATA", raising=False)
    assert find_data_home() == Path("/home/name/skae_data")
    monkeypatch.setenv("SKAE_DATA", "~/variable")
    assert find_data_home() == Path("/home/name/variable")
    assert find_data_home("~/argument") == Path("/home/name/argument")
    assert find_data_home(Path("/a")) == Path("/a")
    monkeypatch.setenv("SKAE_DATA", "")
    assert find_data_home() == Path("/home/name/skae_data")


def test_files_are_kept_where_the_variable_says(image_sets, tmp_path, monkeypatch):
    monkeypatch.setenv("SKAE_DATA", str(tmp_path))
    details = load(image_sets[0], None).details
    assert files_in(tmp_path) == ["mnist.npz"]
    assert details["filename"] == str(tmp_path / "mnist.npz")


def damaged_files():
    """Contents that are no MNIST, and what the message says of each."""
    x, y = np.zeros((60000, 28, 28), np.uint8), np.zeros(60000, np.uint8)
    buffer = io.BytesIO()
    np.save(buffer, y)
    whole = npz_file(x_train=x[:100], y_train=y[:100])
    names = {"x_test": x[:0], "y_test": y[:0]}
    return {
        "empty": (b"", "cannot be read"),
        "text": (b"<html>Sign in</html>", "cannot be read"),
        "cut": (whole[: len(whole) // 2], "cannot be read"),
        "other names": (npz_file(images=x[:1]), "cannot be read"),
        "one array": (buffer.getvalue(), "cannot be read"),
        "pickle": (npz_file(x_train=np.array([{}]), y_train=y, **names), "cannot be"),
        "other shape": (
            npz_file(x_train=x[:3], y_train=y, **names),
            r"'x_train' has the shape \(3, 28, 28\) and dtype uint8",
        ),
        "other dtype": (
            npz_file(x_train=x, y_train=y.astype(float), **names),
            r"'y_train' has the shape \(60000,\) and dtype float64",
        ),
    }


@pytest.mark.parametrize("kind", damaged_files())
def test_a_damaged_file_is_named(kind, tmp_path):
    content, complaint = damaged_files()[kind]
    (tmp_path / "mnist.npz").write_bytes(content)
    with pytest.raises(OSError, match=complaint) as info:
        fetch_mnist(data_home=tmp_path)
    message = str(info.value)
    assert message.startswith(f"'mnist.npz' in the data home {str(tmp_path)!r} is dam")
    assert "'x_train' of shape (60000, 28, 28) and dtype uint8" in message
    assert message.endswith("Delete it, and it will be downloaded again.")


@pytest.mark.parametrize(
    "wrong", [{"subset": "validation"}, {"data_home": 3}, {"return_X_y": "yes"}]
)
def test_wrong_arguments_are_refused(wrong):
    with pytest.raises(InvalidParameterError, match=next(iter(wrong))):
        fetch_mnist(**wrong)


@pytest.mark.parametrize("data_set", [MNIST, FASHION_MNIST, ECG5000])
def test_the_table_of_originals_is_well_formed(data_set):
    lengths = {"md5": 32, "sha256": 64}
    assert len(data_set.content_hash) == lengths["sha256"]
    for source in data_set.sources:
        assert source.base_url.startswith(("https://", "http://"))
        for name, checksum in source.files.items():
            assert source.url(name) == f"{source.base_url}/{name}"
            if checksum is not None:
                kind, digest = checksum.split(":")
                assert len(digest) == lengths[kind]
            # What nothing else protects must not travel in the clear.
            assert checksum or source.base_url.startswith("https://")
