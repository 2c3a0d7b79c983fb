"""The smallest of many distances, and their sums: fast, and exact to float64.

A distance of nearly nothing is that of a row to itself, and does not count.
"""

import numpy as np

# For so few rows the fewest calls are the fastest.
_FEW_ROWS = 8
# Codes nearer than this, as a share of their squared lengths, are those of one row.
_SAME = 1e-12
# Distances that float32 can put in order.
_ORDERED_IN_SINGLE = 1e-20, 1e30


def is_same(distance, size):
    """Return whether squared distances are those of rows to themselves.

    `size` are the squared lengths of the rows.
    """
    return distance <= _SAME * (1e-300 + size)


def places_of_smallest(values, n):
    """Return where the n smallest of each row's float32 values are, in any order.

    As ``argpartition`` does. But NumPy partitions integers several at a time, so that
    value and place are packed into one.
    """
    if len(values) < _FEW_ROWS:
        return np.argpartition(values, n - 1, axis=1)[:, :n]
    bits = values.view(np.int32)
    packed = (bits ^ (bits >> 31 & 0x7FFFFFFF)).astype(np.int64)  # in the values' order
    packed <<= 32
    packed |= np.arange(values.shape[1])
    packed.partition(n - 1, axis=1)
    return packed[:, :n] & 0xFFFFFFFF


def sum_of_many_smallest(distance, size, n_wanted):
    """Return the same as `sum_of_smallest`, faster where many are wanted.

    NumPy sorts float32 several at a time. It says which distances are the smallest,
    where no other one equals the last of them there.
    """
    low, high = _ORDERED_IN_SINGLE
    is_slower = len(distance) < _FEW_ROWS or distance.shape[1] <= n_wanted
    if is_slower or not low < distance.max() < high:
        return sum_of_smallest(distance, size, n_wanted)
    single = distance.astype(np.float32)
    last = np.sort(single, axis=1)[:, n_wanted - 1 : n_wanted]
    is_counted = single <= last
    total = np.vecdot(distance, is_counted)
    is_itself = is_same(distance.min(axis=1), size[:, 0])
    unclear = is_itself | (np.count_nonzero(is_counted, axis=1) > n_wanted)
    if unclear.any():
        total[unclear], _ = sum_of_smallest(distance[unclear], size[unclear], n_wanted)
    return total, float(n_wanted)


def sum_of_smallest(distance, size, n_wanted):
    """Return sums of the smallest distances, and of how many they are."""
    place = min(n_wanted, distance.shape[1] - 1)
    distance = np.partition(distance, (0, place), axis=1)[:, : place + 1]
    return sum_of_sorted(distance, size, n_wanted)


def sum_of_sorted(distance, size, n_wanted):
    """Return the same, of as many as are wanted and one more, or all that there are.

    The first is the smallest one, the last the largest.
    """
    is_itself = is_same(distance[:, 0], size[:, 0])
    others, last = np.add.reduce(distance[:, :-1], axis=1), distance[:, -1]
    if distance.shape[1] <= n_wanted:  # there are no more
        return others + last, distance.shape[1] - is_itself.astype(np.float64)
    return np.where(is_itself, others + last, others), float(n_wanted)
