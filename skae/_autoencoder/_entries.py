"""Files of arrays and plain values: NPZ files that hold numbers and JSON.

``np.load(file, allow_pickle=False)`` reads them, too. They hold no pickles, which would
run code, but the key that they were written with, and ZIP's checksums.
"""

from __future__ import annotations

import io
import json
import struct
import zipfile
import zlib
from dataclasses import fields
from math import prod
from pathlib import Path
from typing import Any

import numpy as np

_ALIGNMENT = 64  # bytes; of an array within an entry
_MOST_BYTES = 1 << 31
_LOCAL = struct.Struct("<4s5H3L2H")  # what a member of a ZIP file begins with


def write_entry(file: Path, state: Any, key: str, kinds: tuple[type, ...]) -> None:
    """Write a state and its key; raise a TypeError where it is more than numbers."""
    # All arrays lie in one member: many members take long to read.
    arrays: list[bytes] = []
    n_bytes = 0

    def plain(value: Any) -> Any:
        """Return a value in terms of JSON, its arrays put aside."""
        nonlocal n_bytes
        kind = type(value)
        if value is None or kind in (bool, int, float, str):
            return value
        if kind is np.ndarray or isinstance(value, np.generic):
            name = value.dtype.name
            if value.dtype.kind not in "biuf" or value.dtype != np.dtype(name):
                raise TypeError(f"an array of {value.dtype!r} is not made of numbers.")
            tag = "array" if kind is np.ndarray else "scalar"
            content = [name, list(value.shape), n_bytes]
            arrays.append(value.tobytes())
            arrays.append(bytes(-value.nbytes % _ALIGNMENT))
            n_bytes += len(arrays[-2]) + len(arrays[-1])
            return {tag: content}
        if kind is list:
            return [*map(plain, value)]
        if kind is tuple:
            return {"tuple": [*map(plain, value)]}
        if kind is dict and all(type(name) is str for name in value):
            return {"dict": {name: plain(part) for name, part in value.items()}}
        if kind in kinds:
            names = getattr(value, "_fields", None)
            names = names or [field.name for field in fields(value)]
            return {kind.__name__: {n: plain(getattr(value, n)) for n in names}}
        raise TypeError(f"{value!r} of type {kind.__name__} is not made of numbers.")

    header = json.dumps({"key": key, "state": plain(state)})
    if n_bytes >= _MOST_BYTES:
        raise TypeError(f"{n_bytes} bytes are more than an entry holds.")
    shape = {"descr": "|u1", "fortran_order": False, "shape": (n_bytes,)}
    start = io.BytesIO()
    np.lib.format.write_array_header_1_0(start, shape)
    # The arrays begin where processors like to read them.
    names = "header.json", "data.npy"
    before = 2 * _LOCAL.size + len("".join(names)) + start.tell()
    header += " " * (-(before + len(header.encode())) % _ALIGNMENT)
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr(names[0], header)
        archive.writestr(names[1], b"".join([start.getvalue(), *arrays]))


def read_entry(file: Path, key: str, kinds: tuple[type, ...]) -> Any:
    """Return the state that was written with a key; raise where it is damaged."""
    payload = np.fromfile(file, np.uint8)
    # As ``np.load`` does, but many times faster for small arrays.
    content, end = _member(payload, 0)
    header = json.loads(content.tobytes())
    content, _ = _member(payload, end)
    data = content[10 + int(content[8:10].view("<u2")[0]) :]
    if header["key"] != key:
        raise ValueError("it belongs to another training.")
    classes = {kind.__name__: kind for kind in kinds}

    def full(value: Any) -> Any:
        """Return what a value in terms of JSON stands for."""
        if isinstance(value, list):
            return [*map(full, value)]
        if not isinstance(value, dict):
            return value
        ((tag, content),) = value.items()
        if tag in ("array", "scalar"):
            name, shape, start = content
            dtype = np.dtype(name)
            flat = data[start : start + prod(shape) * dtype.itemsize]
            array = flat.view(dtype).reshape(shape)
            return array if tag == "array" else array[()]
        if tag == "tuple":
            return tuple(map(full, content))
        state = {name: full(part) for name, part in content.items()}
        return state if tag == "dict" else classes[tag](**state)

    return full(header["state"])


def _member(payload: np.ndarray, start: int) -> tuple[np.ndarray, int]:
    """Return what an uncompressed member of a ZIP file holds, and where it ends."""
    fields_end = start + _LOCAL.size
    signature, *_, checksum, _, size, n_name, n_more = _LOCAL.unpack(
        payload[start:fields_end].tobytes()
    )
    end = fields_end + n_name + n_more + size
    content = payload[end - size : end]
    if signature != b"PK\3\4" or zlib.crc32(content.data) != checksum:
        raise ValueError("its checksum is that of other contents.")
    return content, end
