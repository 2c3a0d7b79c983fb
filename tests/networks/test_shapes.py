"""Shapes that rows have inside a network."""

from math import prod

import pytest
from hypothesis import given
from hypothesis import strategies as st

from skae.networks._shapes import check_asked_shape, inner_shapes

SHAPES = st.lists(st.integers(1, 6), min_size=1, max_size=4).map(tuple)


@given(shape=SHAPES, place=st.integers(0, 3))
def test_the_missing_length_is_filled_in(shape, place):
    asked = tuple(-1 if i == place else n for i, n in enumerate(shape))
    flat = (prod(shape),)
    assert inner_shapes(asked, flat, flat, "N") == (shape, shape)
    assert inner_shapes(list(asked), flat, flat, "N") == (shape, shape)
    assert inner_shapes(asked, flat, (prod(shape) + 1,), "N")[1] == (prod(shape) + 1,)


def test_without_an_asked_shape_all_stays():
    assert inner_shapes(None, (4, 2), (3,), "N") == ((4, 2), (3,))


@pytest.mark.parametrize("asked", [(28, 27, 1), (-1, 5), (785, -1)])
def test_a_shape_of_another_size_raises(asked):
    with pytest.raises(ValueError) as raised:
        inner_shapes(asked, (784,), (784,), "ConvNetwork")
    assert str(raised.value) == (
        f"input_shape={asked} of ConvNetwork does not fit the rows, which have shape "
        "(784,), that is 784 values. Pass an input_shape of as many values, or None "
        "for the rows' own shape."
    )


@pytest.mark.parametrize("asked", [None, (3,), [2, -1], (-1,), (28, 28, 1)])
def test_possible_shapes_pass(asked):
    check_asked_shape(asked, "N")


@pytest.mark.parametrize("asked", [(), (0,), (-1, -1), (-2, 3), (2.0,), (True, 2)])
def test_what_is_no_shape_raises(asked):
    with pytest.raises(ValueError) as raised:
        check_asked_shape(asked, "ConvNetwork")
    assert str(raised.value) == (
        "The 'input_shape' parameter of ConvNetwork must hold positive integers, of "
        f"which one may be -1, to be filled in. Got {asked!r} instead."
    )
