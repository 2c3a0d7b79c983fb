"""A user's function or class that builds a network: what it accepts, and its call."""

import inspect
import weakref
from dataclasses import dataclass

from skae.networks._keras_configs import layers_within

#: What a function is told about the data where its signature names it.
FACTS = ("n_features", "input_shape", "output_shape", "latent_dim")

# Layers with weights to train that builders have returned, while they live.
_returned = weakref.WeakSet()

_BY_NAME = (inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY)


@dataclass(frozen=True)
class Signature:
    """What a function or class accepts by name.

    Attributes
    ----------
    defaults : dict of str to object
        The names that have a default, in order.

    required : tuple of str
        The names that have none.

    takes_any : bool
        Whether it takes any other name, too.
    """

    defaults: dict
    required: tuple
    takes_any: bool

    @property
    def names(self):
        """All names that it accepts."""
        return {*self.defaults, *self.required}


def signature_of(function):
    """Return the `Signature` of a function or class."""
    try:
        parameters = inspect.signature(function).parameters.values()
    except (TypeError, ValueError):  # written in C, which does not say
        return Signature({}, (), takes_any=True)
    named = [p for p in parameters if p.kind in _BY_NAME]
    return Signature(
        {p.name: p.default for p in named if p.default is not p.empty},
        tuple(p.name for p in named if p.default is p.empty),
        any(p.kind is p.VAR_KEYWORD for p in parameters),
    )


def name_of(function):
    """Return what messages call a function, a class or a callable object."""
    inner = getattr(function, "func", function)  # of a functools.partial
    return getattr(inner, "__name__", None) or type(function).__name__


def check_params(function, params):
    """Raise a ValueError where a function cannot be called with some parameters.

    Parameters
    ----------
    function : callable

    params : dict of str to object
        What it will get beside the facts about the data.

    Raises
    ------
    ValueError
        For names that it does not accept, and for arguments that nobody gives.
    """
    signature = signature_of(function)
    unknown = [name for name in params if name not in signature.names]
    if unknown and not signature.takes_any:
        own = signature.names - {*FACTS} | signature.names & {"latent_dim"}
        accepted = _listed(sorted(own)) or "no parameters"
        raise ValueError(
            f"{name_of(function)}, the model of KerasNetwork, does not accept "
            f"{_listed(unknown)}; it accepts {accepted}. Correct the name, or add it "
            f"to the signature of {name_of(function)}."
        )
    missing = [n for n in signature.required if n not in params and n not in FACTS]
    if missing:
        raise ValueError(
            f"{name_of(function)}, the model of KerasNetwork, needs "
            f"{_listed(missing)}, which nobody gives. Pass "
            f"KerasNetwork({name_of(function)}, {missing[0]}=...)."
        )


def call_builder(function, facts, params):
    """Return what a function makes of the facts that it names and of parameters.

    Parameters
    ----------
    function : callable

    facts : dict of str to object
        A value for each of ``FACTS``; a ``latent_dim`` of None is not handed on.

    params : dict of str to object
        They win over the facts.

    Raises
    ------
    ValueError
        Where ``latent_dim`` is asked for in two ways, or in none but needed.
    """
    signature = signature_of(function)
    told = {
        name: value
        for name, value in facts.items()
        if name in signature.names and value is not None
    }
    width, asked = params.get("latent_dim"), facts["latent_dim"]
    if width is not None and asked is not None and width != asked:
        raise ValueError(
            f"latent_dim={asked!r} is asked of the estimator, but "
            f"latent_dim={width!r} of {name_of(function)}, the model of KerasNetwork. "
            "Set one of them, or both to the same width."
        )
    given = told | params
    if "latent_dim" in signature.required and "latent_dim" not in given:
        raise ValueError(
            f"{name_of(function)}, the model of KerasNetwork, needs 'latent_dim', but "
            "the estimator has latent_dim=None. Pass latent_dim=..., an int, to the "
            "estimator."
        )
    return function(**given)


def check_new(built, function):
    """Raise a ValueError where a builder returned layers that it returned before.

    They would be trained further by every fit, and by several at once.

    Parameters
    ----------
    built : Built

    function : callable
    """
    layers = {
        layer
        for part in (built.encoder, built.decoder)
        for layer in layers_within(part)
        if layer.trainable_variables
    }
    again = [layer.name for layer in layers if layer in _returned]
    if again:
        raise ValueError(
            f"{name_of(function)}, the model of KerasNetwork, returns the same layers "
            f"at each call, {_listed(sorted(again))}, so that fits would train them "
            "further. Build new layers in it, or pass the model itself, of which each "
            "fit trains a copy."
        )
    _returned.update(layers)


def _listed(names):
    return ", ".join(map(repr, names))
