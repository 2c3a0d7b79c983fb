"""The check that every metric of two arrays begins with."""

from sklearn.utils import check_array


def check_pair(y_true, y_pred, *, allow_nan=False):
    """Return two finite arrays of one shape, their dtypes kept, or raise.

    With ``allow_nan``, entries of the first may be missing.
    """
    y_true, y_pred = (
        check_array(
            values,
            ensure_2d=False,
            allow_nd=True,
            input_name=name,
            ensure_all_finite=finite,
        )
        for name, values, finite in (
            ("y_true", y_true, "allow-nan" if allow_nan else True),
            ("y_pred", y_pred, True),
        )
    )
    if y_true.shape != y_pred.shape:
        raise ValueError(
            f"y_true and y_pred must have the same shape, but y_true has "
            f"{y_true.shape} and y_pred {y_pred.shape}. Reshape one of them: nothing "
            "is broadcast."
        )
    if y_true.size == 0:
        raise ValueError(
            f"y_true must hold at least one value per row, but has shape "
            f"{y_true.shape}. Remove the axis of length 0."
        )
    return y_true, y_pred
