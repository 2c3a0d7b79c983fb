"""Shapes of rows inside a network, where they are not the data's own."""

from math import prod
from numbers import Integral


def is_size(value):
    """Return whether a value is a positive integer."""
    return isinstance(value, Integral) and not isinstance(value, bool) and value > 0


def check_asked_shape(asked, name):
    """Raise where the parameter ``input_shape`` of a network is no shape.

    Parameters
    ----------
    asked : tuple, list or None

    name : str
        The network's name, for the message.

    Raises
    ------
    ValueError
        Where it holds anything but positive integers and one -1.
    """
    if asked is None:
        return
    free = [size for size in asked if not is_size(size)]
    if not asked or len(free) > 1 or not all(_is_free(size) for size in free):
        raise ValueError(
            f"The 'input_shape' parameter of {name} must hold positive integers, of "
            f"which one may be -1, to be filled in. Got {asked!r} instead."
        )


def inner_shapes(asked, input_shape, output_shape, name):
    """Return the shapes of one row, input and output, inside a network.

    Parameters
    ----------
    asked : tuple, list or None
        The parameter ``input_shape`` of the network. None keeps both shapes.

    input_shape, output_shape : tuple of int
        Shapes of one row outside.

    name : str
        The network's name, for the message.

    Returns
    -------
    inner_input, inner_output : tuple of int
        The output is shaped like the input where it is so outside, too.

    Raises
    ------
    ValueError
        Where the rows hold another number of values.
    """
    if asked is None:
        return input_shape, output_shape
    inner = _filled(asked, prod(input_shape))
    if inner is None:
        raise ValueError(
            f"input_shape={tuple(asked)} of {name} does not fit the rows, which have "
            f"shape {input_shape}, that is {prod(input_shape)} values. Pass an "
            "input_shape of as many values, or None for the rows' own shape."
        )
    return inner, inner if output_shape == input_shape else output_shape


def _is_free(size):
    return isinstance(size, Integral) and size == -1


def _filled(asked, n_values):
    """Return a shape of so many values with its -1 filled in; None if there is none."""
    known = prod(size for size in asked if size != -1)
    shape = tuple(n_values // known if size == -1 else int(size) for size in asked)
    return shape if prod(shape) == n_values else None
