"""What the engine trains without Keras: a stack of dense layers, in plain words."""

from dataclasses import dataclass


@dataclass(frozen=True)
class DensePlan:
    """One dense layer.

    Attributes
    ----------
    name : str
        Name of Keras's layer.

    n_in, n_out : int

    activation : str or None
        Keras name; None is linear.
    """

    name: str
    n_in: int
    n_out: int
    activation: str | None


@dataclass(frozen=True)
class StackPlan:
    """Dense layers, one after the other, on flat rows.

    Attributes
    ----------
    layers : tuple of DensePlan
        Of encoder, then decoder; the Keras model has kernel and bias of each.

    width : int
        Width of the code.
    """

    layers: tuple
    width: int
