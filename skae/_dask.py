"""Dask collections, and other rows that memory need not hold.

Methods that return rows return lazy collections for lazy ones. ``fit`` takes as many
rows, drawn at random, as it needs; ``partial_fit`` takes all of them, block by block.
Collections are recognised without Dask, which is imported when one comes in.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Iterator
from copy import copy
from math import isnan, prod
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np
from sklearn.base import is_outlier_detector

from skae._engine import one_thread
from skae._random import seed_from, stream
from skae._row_errors import feature_names
from skae._validation import (
    FLOAT_DTYPES,
    check_array,
    check_is_fitted,
    container_adapter,
    fitting,
    num_samples,
    safe_indexing,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import ArrayLike, NDArray

    _Class = TypeVar("_Class", bound=type)
    _Method = TypeVar("_Method", bound=Callable[..., Any])

# Methods that return one number for each row; codes and rows; and what takes codes.
_NUMBERS = ("score_samples", "decision_function", "p_values")
_OF_ROWS = ("transform", "encode", "reconstruct", "impute", "predict", "feature_errors")
_OF_CODES = ("inverse_transform", "decode")
# Those that return a DataFrame where `set_output` says so.
_IN_CONTAINERS = ("transform", "impute")
# Attributes that scoring does not need, with numbers or rows of the training.
_NOT_SENT = (
    "train_errors_",
    "calibration_errors_",
    "_calibrations",
    "_window",
    "_passes",
)
# Rows, and numbers in them (0.5 GB of float64), that ``fit`` takes at most.
_MOST_ROWS, _MOST_NUMBERS = 1 << 18, 1 << 26
_TABLES = ("X", "y", "sample_weight"), ("X_val", "y_val")


def is_dask(X: Any) -> bool:
    """Return whether this is a Dask array, DataFrame or Series."""
    package = type(X).__module__.partition(".")[0]
    return package in ("dask", "dask_expr") and hasattr(X, "ndim")


# ------------------------------------------------------------------- lazy results


def takes_collections(cls: _Class) -> _Class:
    """Let the methods of an estimator that return rows take Dask collections."""
    # Outside of what scikit-learn wraps for `set_output`, which would compute them.
    for name in (*_NUMBERS, *_OF_ROWS, *_OF_CODES):
        if hasattr(cls, name):
            setattr(cls, name, _routed(getattr(cls, name)))
    if hasattr(cls, "fit_transform"):
        cls.fit_transform = _in_two_steps(cls.fit_transform)
    return cls


def _routed(method: Any) -> Any:
    """Return a method that is mapped over the blocks of a collection."""
    name, parameters = method.__name__, list(inspect.signature(method).parameters)

    @functools.wraps(method)
    def routed(estimator: Any, *args: Any, **kwargs: Any) -> Any:
        X = args[0] if args else kwargs.get(parameters[1])
        if not is_dask(X):
            return method(estimator, *args, **kwargs)
        return _mapped(estimator, name, X)

    return routed


def _in_two_steps(method: Any) -> Any:
    """Return ``fit_transform``, which fits and then transforms a collection."""

    def fit_transform(
        self: Any, X: ArrayLike, y: ArrayLike | None = None, **fit_params: Any
    ) -> NDArray:
        if is_dask(X):
            return self.fit(X, y, **fit_params).transform(X)
        return method(self, X, y, **fit_params)

    fit_transform.__doc__ = method.__doc__
    return fit_transform


def _mapped(estimator: Any, method: str, X: Any) -> Any:
    """Return lazily what a method returns for the rows of a collection."""
    import dask

    check_is_fitted(estimator)
    meta = _without_rows(X)
    if method in _OF_CODES:
        codes = check_array(meta, dtype=FLOAT_DTYPES, ensure_min_samples=0)
        codes = np.zeros_like(codes, shape=(1, codes.shape[1]))
        rows = estimator._check_codes(codes, "codes" if method == "decode" else "X")
    else:
        rows = estimator._check_X(meta, min_samples=0)
    shape, dtype = _returned(estimator, method, rows.dtype)
    empty, columns = np.empty((0, *shape), dtype), _columns(estimator, method, shape)
    # A copy, which stays as it is where the estimator is fitted again. It has one key
    # in the graph, so that a worker gets it once, whatever the number of blocks.
    sent = copy(estimator)
    sent._sklearn_output_config = {"transform": "default"}
    for name in _NOT_SENT:
        vars(sent).pop(name, None)
    sent = dask.delayed(sent, pure=True, traverse=False)
    if not _is_array(X):
        if columns is not None:
            import pandas as pd

            empty = pd.DataFrame(empty, columns=columns)
        # By name: a positional DataFrame would be aligned with the partitions.
        return X.map_partitions(_of_partition, sent, method, empty=empty, meta=empty)
    X = _in_whole_rows(X)
    made = X.map_blocks(
        _of_block,
        sent,
        method,
        empty,
        drop_axis=list(range(1, X.ndim)),
        new_axis=list(range(1, empty.ndim)),
        chunks=(X.chunks[0], *((length,) for length in shape)),
        dtype=dtype,
        meta=empty,
    )
    return made if columns is None else made.to_dask_dataframe(columns=columns)


def _without_rows(X: Any) -> Any:
    """Return a collection's rows in memory, but none of them."""
    if not _is_array(X):
        return X._meta
    if any(map(isnan, X.shape[1:])):
        raise ValueError(
            f"X has shape {X.shape}: the size of its rows is not known. Call "
            "X.compute_chunk_sizes() before."
        )
    return np.empty((0, *X.shape[1:]), X.dtype)


def _returned(
    estimator: Any, method: str, dtype: np.dtype
) -> tuple[tuple[int, ...], np.dtype]:
    """Return the shape for one row, and the dtype, of what a method returns."""
    network = estimator.autoencoder_
    output_shape = network.architecture.output_shape
    if method in _NUMBERS:
        return (), np.dtype(np.float64)
    if method == "predict" and is_outlier_detector(estimator):
        return (), np.where([True], 1, -1).dtype
    if method == "predict":
        return (() if estimator._target_ndim == 1 else output_shape), dtype
    if method == "feature_errors":
        return estimator.input_shape_, np.dtype(np.float64)
    if method in ("transform", "encode"):
        return (network.width,), dtype
    return output_shape, dtype


def _columns(estimator: Any, method: str, shape: tuple[int, ...]) -> Any:
    """Return the columns of a DataFrame that a method returns, None of an array."""
    adapter = container_adapter("transform", estimator)
    if method not in _IN_CONTAINERS or adapter is None or len(shape) != 1:
        return None
    if adapter.container_lib != "pandas":
        raise ValueError(
            f"set_output asks for {adapter.container_lib}, but Dask's DataFrames are "
            "pandas's. Use set_output(transform='pandas'), or 'default'."
        )
    if method == "transform":
        return estimator.get_feature_names_out()
    return getattr(estimator, "feature_names_in_", feature_names(shape))


def _in_whole_rows(X: Any) -> Any:
    """Return a Dask array whose chunks hold whole rows."""
    return X.rechunk(dict.fromkeys(range(1, X.ndim), -1))


def _of_partition(rows: Any, estimator: Any, method: str, empty: Any) -> Any:
    """Return what a method returns for a partition of a DataFrame."""
    if not len(rows):
        return empty
    with one_thread():  # of several, Dask's
        made = getattr(estimator, method)(rows)
    if hasattr(empty, "columns"):
        return type(empty)(made, index=rows.index, columns=empty.columns)
    return made


def _of_block(
    rows: NDArray,
    estimator: Any,
    method: str,
    empty: NDArray,
    block_info: Any = None,
) -> NDArray:
    """Return what a method returns for a chunk, as if for the whole array."""
    # The last bits of a matrix product depend on where among how many rows a row is.
    # So the rows get the place that they have in the whole array.
    if not len(rows):
        return empty
    n, start = block_info[0]["shape"][0], block_info[0]["array-location"][0][0]
    n_before = n_after = 0
    if not (isnan(n) or isnan(start)):
        dtype = rows.dtype if rows.dtype in FLOAT_DTYPES else FLOAT_DTYPES[0]
        step = estimator.autoencoder_.rows_at_once(dtype)
        stop = start + len(rows)
        n_before, n_after = start % step, min(-stop % step, n - stop)
    if n_before or n_after:
        widths = [(n_before, n_after)] + [(0, 0)] * (rows.ndim - 1)
        rows = np.pad(rows, widths, mode="edge")
    with one_thread():  # of several, Dask's
        made = getattr(estimator, method)(rows)
    return made[n_before : len(made) - n_after]


# ------------------------------------------------------------------------- training


def fit_context(*, prefer_skip_nested_validation: bool) -> Callable[[_Method], _Method]:
    """Return a decorator as `skae._validation` has it, of methods that take rows."""

    def decorated(method: Any) -> Any:
        signature = inspect.signature(method)
        is_stream = method.__name__ == "partial_fit"

        @functools.wraps(method)
        def checked(estimator: Any, *args: Any, **kwargs: Any) -> Any:
            with fitting(estimator, prefer_skip_nested_validation):
                given = [*args, *kwargs.values()]
                if not any(is_dask(one) or isinstance(one, Iterator) for one in given):
                    return method(estimator, *args, **kwargs)
                tables = dict(signature.bind(estimator, *args, **kwargs).arguments)
                del tables["self"]
                if not is_stream:
                    return method(estimator, **_sampled(tables, estimator.random_state))
                n_rows = 0
                for block in _blocks(**tables):
                    method(estimator, *block)
                    n_rows += num_samples(block[0])
                if not n_rows:
                    raise ValueError("X has no rows. Pass a block with some.")
                return estimator

        return checked

    return decorated


def _sampled(tables: dict[str, Any], random_state: Any) -> dict[str, Any]:
    """Return the arguments of ``fit`` with rows in memory in place of collections."""
    # Rows are drawn by their numbers: which ones does not depend on the chunks.
    sampled = dict(tables)
    for group in _TABLES:
        names = [name for name in group if tables.get(name) is not None]
        if any(is_dask(tables[name]) for name in names):
            rows = _some_rows([tables[name] for name in names], random_state)
            sampled.update(zip(names, rows, strict=True))
    return sampled


def _some_rows(
    tables: list[Any], random_state: Any, most: int = _MOST_ROWS
) -> list[Any]:
    """Return all rows of some tables in memory, or as many of each as are taken."""
    import dask

    lengths = [_lengths(one) if is_dask(one) else [num_samples(one)] for one in tables]
    n_rows = {sum(one) for one in lengths}
    if len(n_rows) > 1:
        numbers = " and ".join(str(sum(one)) for one in lengths)
        raise ValueError(f"X and what belongs to it have {numbers} rows. Pass as many.")
    (n,) = n_rows
    most = max(2, min(most, _MOST_NUMBERS // max(1, prod(tables[0].shape[1:]))))
    if n <= most or not is_dask(tables[0]):
        return list(dask.compute(*tables))
    rng = stream(seed_from(random_state), "rows")
    chosen = np.sort(rng.choice(n, most, replace=False, shuffle=False))
    parts = []
    for table, own in zip(tables, lengths, strict=True):
        if not is_dask(table):
            parts.append([safe_indexing(table, chosen)])
            continue
        ends = np.cumsum(own)
        places = np.split(chosen, np.searchsorted(chosen, ends[:-1]))
        take = dask.delayed(safe_indexing, pure=True)
        parts.append(
            [
                take(block, place - end + length)
                for block, place, end, length in zip(
                    _delayed(table), places, ends, own, strict=True
                )
                if len(place)
            ]
        )
    return [_joined(part) for part in dask.compute(*parts)]


def _blocks(
    X: Any, y: Any = None, sample_weight: Any = None
) -> Iterator[tuple[Any, ...]]:
    """Yield the tables of ``partial_fit`` block by block, but no empty ones."""
    if not isinstance(X, Iterator):
        yield from _blocks_of_tables(X, y, sample_weight)
        return
    if y is not None or sample_weight is not None:
        raise ValueError(
            "X is an iterator of blocks, so that y and sample_weight have to come with "
            "them. Pass an iterator of tuples (X, y) or (X, y, sample_weight)."
        )
    for block in X:
        tables = block if isinstance(block, tuple) else (block,)
        if num_samples(tables[0]):
            yield tables


def _blocks_of_tables(X: Any, *others: Any) -> Iterator[tuple[Any, ...]]:
    """Yield the blocks of a collection, with the rows of other tables for them."""
    import dask

    if not is_dask(X):
        yield dask.compute(X, *others)
        return
    blocks, start = _delayed(X), 0
    parts = [_delayed(one, like=X) if is_dask(one) else one for one in others]
    for number, block in enumerate(blocks):
        with_block = [one[number] if isinstance(one, list) else None for one in parts]
        rows, *tables = dask.compute(block, *with_block)
        places = np.arange(start, start + len(rows))
        start += len(rows)
        if len(rows):
            yield (
                rows,
                *(
                    one
                    if isinstance(part, list) or part is None
                    else safe_indexing(part, places)
                    for one, part in zip(tables, parts, strict=True)
                ),
            )


def _delayed(table: Any, like: Any = None) -> list[Any]:
    """Return the blocks of a collection, those of another one where it has others."""
    if not _is_array(table):
        blocks = table.to_delayed()
    else:
        table = _in_whole_rows(table)
        if _is_array(like) and not isnan(like.shape[0] + table.shape[0]):
            table = table.rechunk({0: like.chunks[0]})
        blocks = table.to_delayed().ravel().tolist()
    return blocks


def _lengths(table: Any) -> list[int]:
    """Return the numbers of rows of the blocks of a collection."""
    import dask

    if _is_array(table) and not isnan(table.shape[0]):
        return list(table.chunks[0])
    if table.ndim > 1 and not _is_array(table):
        table = table[list(table.columns[:1])]  # a file need not be read for the others
    return list(dask.compute(*map(dask.delayed(len), _delayed(table))))


def _is_array(table: Any) -> bool:
    """Return whether a table is a Dask array."""
    return is_dask(table) and hasattr(table, "map_blocks")


def _joined(parts: list[Any]) -> Any:
    """Return parts of one table in one."""
    if hasattr(parts[0], "iloc"):
        import pandas as pd

        return pd.concat(parts)
    return np.concatenate(parts)
