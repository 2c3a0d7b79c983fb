"""A user's own Keras models as a network."""

from __future__ import annotations

import inspect
import weakref
from collections.abc import Callable
from math import prod
from typing import TYPE_CHECKING, Any

from sklearn.base import clone

from skae._validation import StrOptions
from skae.networks._base import Built, Network
from skae.networks._keras._copies import (
    Blueprint,
    check_weights,
    copy_adapted,
    copy_models,
    keep_weights,
)
from skae.networks._keras._parts import (
    as_models,
    built_from,
    is_layer,
    is_pair,
    layers_within,
    model_name,
)

if TYPE_CHECKING:
    from typing import Self

    from skae.networks._base import Shape

_OWN = ("model", "initial_weights")
# Facts about the data that a function gets where its signature names them.
_FACTS = ("n_features", "input_shape", "output_shape", "latent_dim")
_BY_NAME = (inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY)
_NO_DEFAULT = inspect.Parameter.empty
# Layers with weights to train that builders have returned, while they live.
_returned: weakref.WeakSet[Any] = weakref.WeakSet()


class KerasNetwork(Network):
    """A Keras model of your own, as it is.

    Read more in the :doc:`User Guide </guide/own_models>`.

    .. versionadded:: 0.1

    Parameters
    ----------
    model : object
        What encodes and decodes, one of

        - a class of the tutorials' kind, a ``keras.Model`` with ``encoder`` and
          ``decoder``, or a function that returns any of the following, of new layers at
          each call. It is called with ``params`` and with those of ``n_features`` (the
          numbers of a row), ``input_shape``, ``output_shape`` (of a row) and
          ``latent_dim`` (the estimator's, unless None) that its signature names;
        - an instance of such a class;
        - a functional or Sequential model with a layer named "latent";
        - a pair ``(encoder, decoder)`` of Keras models.

        What is already built is never trained or changed: each fit trains a copy.

    initial_weights : {"fresh", "keep"}, default="fresh"
        What a copy of a built model starts from: new draws of its initializers by the
        estimator's ``random_state``, or the model's own weights. What layers learned in
        ``adapt`` is kept. A function's models train from the weights they arrive with.

    **params : dict
        Arguments of the function or class. Any name in its signature is a parameter of
        the network, whether given or not, and can be searched over:
        ``network__units``.

    Raises
    ------
    ValueError
        When an estimator is fitted: for a name that the function does not accept, a
        missing argument, models that take other rows than the data's, and models
        without encoder and decoder.

    See Also
    --------
    DenseNetwork : A network that needs no Keras code.

    Notes
    -----
    The model's penalties and ``add_loss`` are part of the loss; its compiled loss,
    optimizer and metrics are not used, and a ``train_step`` of its own is refused.
    Noise repeats with the estimator's ``random_state`` where it comes from a
    ``keras.random.SeedGenerator``, as that of Keras's layers. What computes in float32
    alone does so, whatever the dtype of the data. An instance of a class without
    ``get_config`` works within one process; ``n_jobs``, pickling and ``memory`` need
    the class.

    Examples
    --------
    >>> from skae import KerasNetwork
    >>> def build(n_features, latent_dim=4, units=32):
    ...     import keras
    ...
    ...     dense = keras.layers.Dense
    ...     encoder = keras.Sequential([dense(units, "relu"), dense(latent_dim)])
    ...     decoder = keras.Sequential([dense(units, "relu"), dense(n_features)])
    ...     return encoder, decoder
    >>> network = KerasNetwork(build)
    >>> sorted(network.get_params())
    ['initial_weights', 'model', 'units']
    >>> network.set_params(units=16)
    KerasNetwork(build, units=16)
    """

    _parameter_constraints = {"initial_weights": [StrOptions({"fresh", "keep"})]}

    #: Fresh weights are what building gives.
    draws_weights = False

    def __init__(
        self, model: Any, *, initial_weights: str = "fresh", **params: Any
    ) -> None:
        self.model = model
        self.initial_weights = initial_weights
        self._params = params

    def get_params(self, deep: bool = True) -> dict[str, Any]:
        """Return all parameters: those of ``__init__`` and those of the function.

        Parameters
        ----------
        deep : bool, default=True
            Whether to add the parameters of parameters that have some.

        Returns
        -------
        params : dict of str to object
            Defaults of the function's signature included.
        """
        params = {"model": self.model, "initial_weights": self.initial_weights}
        if _is_builder(self.model):
            named, not_shown = parameters_of(self.model)[0], {*_FACTS, *_OWN}
            shown = [n for n in named if n not in not_shown]
            params |= {n: named[n] for n in shown if named[n] is not _NO_DEFAULT}
        params |= self._params
        for name, value in list(params.items()) if deep else ():
            if hasattr(value, "get_params") and not isinstance(value, type):
                inner = value.get_params().items()
                params |= {f"{name}__{key}": part for key, part in inner}
        return params

    def set_params(self, **params: Any) -> Self:
        """Set parameters; names that the function lacks are an error at fit.

        Parameters
        ----------
        **params : dict
            Names and values.

        Returns
        -------
        self : object
            This network.
        """
        for name, value in params.items():
            owner, _, inner = name.partition("__")
            held: Any = self.get_params(deep=False).get(owner)
            if inner and hasattr(held, "set_params"):
                held.set_params(**{inner: value})
            elif name in _OWN:
                setattr(self, name, value)
            else:
                self._params[name] = value
        return self

    def __sklearn_clone__(self) -> Self:
        params = {
            name: value if is_layer(value) else clone(value, safe=False)  # shared
            for name, value in self._params.items()
        }
        return type(self)(self.model, initial_weights=self.initial_weights, **params)

    def __repr__(self) -> str:
        shown = [_name(self.model)]
        if self.initial_weights != "fresh":
            shown.append(f"initial_weights={self.initial_weights!r}")
        shown += [f"{name}={value!r}" for name, value in self._params.items()]
        return f"{type(self).__name__}({', '.join(shown)})"

    def check(self) -> None:
        """Raise a ValueError where the function cannot be called with the params."""
        if _is_builder(self.model):
            _check_params(self.model, self._params)
        elif not all(map(is_layer, as_models(self.model))):
            raise ValueError(
                f"model of KerasNetwork is {self.model!r}, but must be a class or "
                "function that builds a Keras model, a Keras model, or a pair "
                "(encoder, decoder) of Keras models."
            )
        elif self._params:
            raise ValueError(
                f"KerasNetwork was given {listed(self._params)}, but its model "
                f"{_name(self.model)} is already built and takes no parameters. Pass "
                "the class or a function that builds it."
            )

    def build(
        self, input_shape: Shape, output_shape: Shape, latent_dim: int | None
    ) -> Built:
        """Return the user's encoder and decoder, and model where it does more.

        Parameters
        ----------
        input_shape, output_shape : tuple of int
            Shapes of one row of inputs and of targets.
        latent_dim : int or None
            Width of the code; None is the network's own.

        Returns
        -------
        built : Built
            Encoder, decoder, and the model that trains, where it is more than both.
        """
        import keras

        shapes = input_shape, output_shape, latent_dim
        policy = keras.config.dtype_policy()
        try:
            return self._build(*shapes)
        except Exception:  # a user's code
            if policy.name != "float64":
                raise
            # Code bound to float32 computes in it; any other raises again.
            keras.config.set_dtype_policy("float32")
            try:
                return self._build(*shapes)
            finally:
                keras.config.set_dtype_policy(policy)

    def _build(
        self, input_shape: Shape, output_shape: Shape, latent_dim: int | None
    ) -> Built:
        """Return what the user's code builds, or a copy of what is already built."""
        if not _is_builder(self.model):
            copies, originals = copy_models(self.model, input_shape)
            built = built_from(copies, input_shape, f"The model {_name(self.model)}")
            pairs = zip(as_models(copies), as_models(originals), strict=True)
            for copy, model in pairs:
                if self.initial_weights == "keep":
                    keep_weights(model, copy)
                else:
                    check_weights(model, copy)
                    copy_adapted(model, copy)
            return built
        latent_dim = None if latent_dim is None else int(latent_dim)
        values = prod(input_shape), input_shape, output_shape, latent_dim
        facts = dict(zip(_FACTS, values, strict=True))
        made = _call_builder(self.model, facts, self._params)
        returned = "" if isinstance(self.model, type) else "returned by "
        source = f"The model {returned}{_name(self.model)}"
        built = built_from(made, input_shape, source)
        _check_new(built, self.model)
        return built

    def check_portable(self) -> None:
        """Raise a TypeError where Keras cannot copy the model."""
        self.__getstate__()

    def output_range(self) -> None:
        """Return None: only the built model can tell."""

    def __getstate__(self) -> dict[str, Any]:
        state = super().__getstate__()
        if _is_builder(self.model):
            return state
        models = tuple(map(Blueprint.of, as_models(self.model)))
        return state | {"model": models if is_pair(self.model) else models[0]}

    def __setstate__(self, state: dict[str, Any]) -> None:
        super().__setstate__(state)
        if isinstance(self.model, Blueprint):
            self.model = self.model.make()
        elif is_pair(self.model):
            self.model = tuple(blueprint.make() for blueprint in self.model)


# ------------------------------------------------- the user's function or class


def parameters_of(function: Callable) -> tuple[dict[str, Any], bool]:
    """Return name and default of what a function takes, and whether any other name."""
    try:
        parameters = inspect.signature(function).parameters.values()
    except (TypeError, ValueError):  # written in C, which does not say
        return {}, True
    named = {p.name: p.default for p in parameters if p.kind in _BY_NAME}
    return named, any(p.kind is p.VAR_KEYWORD for p in parameters)


def _is_builder(model: Any) -> bool:
    """Return whether a model is a class or function that builds one."""
    return callable(model) and not is_layer(model)


def _name(model: Any) -> str:
    """Return what messages call a model, whatever it is."""
    if _is_builder(model):
        inner = getattr(model, "func", model)  # of a functools.partial
        return getattr(inner, "__name__", None) or type(model).__name__
    return model_name(model) if all(map(is_layer, as_models(model))) else repr(model)


def _check_params(function: Callable, params: dict[str, Any]) -> None:
    """Raise a ValueError for unknown and for missing parameters of a function."""
    (named, takes_any), name = parameters_of(function), _name(function)
    unknown = [key for key in params if key not in named]
    if unknown and not takes_any:
        own = {key for key in named if key not in _FACTS or key == "latent_dim"}
        raise ValueError(
            f"{name}, the model of KerasNetwork, does not accept {listed(unknown)}; "
            f"it accepts {listed(sorted(own)) or 'no parameters'}. Correct the name, "
            f"or add it to the signature of {name}."
        )
    required = [key for key in named if named[key] is _NO_DEFAULT]
    missing = [key for key in required if key not in params and key not in _FACTS]
    if missing:
        raise ValueError(
            f"{name}, the model of KerasNetwork, needs {listed(missing)}, which is "
            f"not given. Pass KerasNetwork({name}, {missing[0]}=...)."
        )


def _call_builder(
    function: Callable, facts: dict[str, Any], params: dict[str, Any]
) -> Any:
    """Return the result of a function for parameters and the facts that it names."""
    accepted, name = parameters_of(function)[0], _name(function)
    width, asked = params.get("latent_dim"), facts["latent_dim"]
    if width is not None and asked is not None and width != asked:
        raise ValueError(
            f"latent_dim={asked!r} is asked of the estimator, but "
            f"latent_dim={width!r} of {name}, the model of KerasNetwork. Set one of "
            "them, or both to the same width."
        )
    given = {n: v for n, v in facts.items() if n in accepted and v is not None}
    given |= params
    if accepted.get("latent_dim") is _NO_DEFAULT and "latent_dim" not in given:
        raise ValueError(
            f"{name}, the model of KerasNetwork, needs 'latent_dim', but the estimator "
            "has latent_dim=None. Pass latent_dim=..., an int, to the estimator."
        )
    return function(**given)


def _check_new(built: Built, function: Callable) -> None:
    """Raise where a builder returned layers before: fits would train them further."""
    layers = {
        layer
        for part in (built.encoder, built.decoder)
        for layer in layers_within(part)
        if layer.trainable_variables
    }
    again = sorted(layer.name for layer in layers if layer in _returned)
    if again:
        raise ValueError(
            f"{_name(function)}, the model of KerasNetwork, returns the same layers at "
            f"each call, {listed(again)}, so that fits would train them further. "
            "Build new layers in it, or pass the model itself, of which each fit "
            "trains a copy."
        )
    _returned.update(layers)


def listed(names: Any) -> str:
    """Return names as a message lists them."""
    return ", ".join(map(repr, names))
