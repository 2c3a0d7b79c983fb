"""SciKeras wrappers as networks; SciKeras itself is not imported.

Importing SciKeras changes how Keras's classes pickle, in the whole process. A wrapper
in the user's hands is read as what it is: parameters with names.
"""

from __future__ import annotations

import inspect
import warnings
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from skae.networks._keras._network import KerasNetwork, listed, parameters_of
from skae.networks._quiet import import_quietly

if TYPE_CHECKING:
    from collections.abc import Callable

# What the estimator alone decides, and SciKeras's defaults.
_OF_ESTIMATOR = {
    **dict.fromkeys(("batch_size", "callbacks", "class_weight", "metrics")),
    **dict.fromkeys(("random_state", "validation_batch_size")),
    **{"epochs": 1, "run_eagerly": False, "shuffle": True, "validation_split": 0.0},
    **{"verbose": 1, "warm_start": False},
}
_PREFIXES_OF_ESTIMATOR = ("callbacks", "compile", "fit", "metrics", "predict")
_COMPILED = ("loss", "optimizer")
# What SciKeras hands to a function that names it.
_OF_SCIKERAS = ("meta", "compile_kwargs", "params")


def is_scikeras_wrapper(value: Any) -> bool:
    """Return whether a value is a wrapper of SciKeras's."""
    return not isinstance(value, type) and any(
        cls.__module__.partition(".")[0] == "scikeras" for cls in type(value).__mro__
    )


def from_scikeras(wrapper: Any) -> tuple[KerasNetwork, Any, Any]:
    """Return a wrapper's network, loss and optimizer; None leaves the estimator's."""
    name, params = type(wrapper).__name__, wrapper.get_params(deep=False)
    _warn_of_ignored(name, params)
    places = ("model", "build_fn", "_keras_build_fn")  # the last is a subclass's
    held = [getattr(wrapper, place, None) for place in places]
    model = next((one for one in held if one is not None), None)
    if model is None:
        raise ValueError(
            f"network is a SciKeras {name} without a model. Pass {name}(model=...), a "
            "function that builds one."
        )
    for_model = _routed("model", params)
    for key in getattr(wrapper, "_user_params", ()):
        if "__" not in key:
            for_model.setdefault(key, params[key])
    if inspect.isroutine(model) or hasattr(model, "func"):
        named, takes_any = parameters_of(model)
        if takes_any or not named.keys().isdisjoint(_OF_SCIKERAS):
            model = _SciKerasBuilder(name, model, params)
    compiled = [_compiled(kind, name, params) for kind in _COMPILED]
    return KerasNetwork(model, **for_model), *compiled


def _warn_of_ignored(name: str, params: dict[str, Any]) -> None:
    """Warn where a wrapper sets how long or how to train."""
    ignored = [
        key
        for key, default in _OF_ESTIMATOR.items()
        if key in params and params[key] is not default and params[key] != default
    ]
    for prefix in _PREFIXES_OF_ESTIMATOR:
        used = _COMPILED if prefix == "compile" else ()
        routed = _routed(prefix, params)
        ignored += [f"{prefix}__{key}" for key in routed if key not in used]
    if ignored:
        warnings.warn(
            f"The SciKeras {name} sets {listed(sorted(ignored))}, which has no effect: "
            "how long and how to train is the estimator's alone. Set it there.",
            UserWarning,
            stacklevel=2,
        )


def _routed(prefix: str, params: dict[str, Any]) -> dict[str, Any]:
    """Return the parameters that are routed to a place, by their names there."""
    start = f"{prefix}__"
    return {k.removeprefix(start): v for k, v in params.items() if k.startswith(start)}


def _compiled(kind: str, wrapper: str, params: dict[str, Any]) -> Any:
    """Return a wrapper's "loss" or "optimizer": a name, a function or an instance."""
    value = params.get(f"compile__{kind}", params.get(kind))
    routed = _routed(kind, params)
    if isinstance(value, (list, tuple, dict)):
        raise ValueError(
            f"{kind} of the SciKeras {wrapper} is {value!r}, but a network here has "
            f"one output and one {kind}. Pass a single {kind}."
        )
    if kind == "optimizer" and isinstance(value, str) and routed:
        value = _optimizer_class(value, wrapper)
    if isinstance(value, type):
        return _instance(value, routed)
    if routed:
        raise ValueError(
            f"The SciKeras {wrapper} routes {listed(sorted(routed))} to its {kind}, "
            f"but {kind} is {value!r}, which takes no parameters. Pass a class of "
            "Keras's instead."
        )
    return value


def _optimizer_class(name: str, wrapper: str) -> type:
    """Return the class of the optimizer that Keras knows by a name."""
    import_quietly()
    import keras

    try:
        return type(keras.optimizers.get(name))
    except ValueError as exc:
        raise ValueError(
            f"optimizer of the SciKeras {wrapper} is {name!r}, which is no optimizer "
            "of Keras; pass a name such as 'adam' or 'sgd', a class or an instance."
        ) from exc


def _instance(cls: type, params: dict[str, Any]) -> Any:
    """Return an instance of a class; classes among its arguments get their own ones."""
    given = {
        key: _instance(value, _routed(key, params))
        if isinstance(value, type)
        else value
        for key, value in params.items()
        if "__" not in key
    }
    # Names that are numbers stand for arguments by position, as SciKeras has them.
    by_position = sorted((key for key in given if key.isdecimal()), key=int)
    return cls(*[given.pop(key) for key in by_position], **given)


@dataclass(frozen=True)
class _SciKerasBuilder:
    """A wrapper's function; shapes of the data replace what SciKeras hands to it."""

    wrapper: str  # its name in messages
    function: Callable
    params: dict  # of the wrapper

    @property
    def __name__(self) -> str:
        return getattr(self.function, "func", self.function).__name__

    @property
    def __signature__(self) -> inspect.Signature:
        parameters = inspect.signature(self.function).parameters
        own = {n: p for n, p in parameters.items() if n not in _OF_SCIKERAS}
        for name in ("input_shape", "output_shape"):
            own[name] = inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY)
        return inspect.Signature(sorted(own.values(), key=lambda p: p.kind))

    def __call__(self, *, input_shape: tuple, output_shape: tuple, **given: Any) -> Any:
        """Return what the function builds for rows of these shapes."""
        named, takes_any = parameters_of(self.function)
        meta = {  # what SciKeras would have learned from X and y
            "n_features_in_": input_shape[0],
            "X_shape_": (None, *input_shape),
            "X_dtype_": "float32",
            "n_outputs_": output_shape[0],
            "n_outputs_expected_": 1,
            "target_type_": "continuous-multioutput",
        }
        values = {"meta": meta, "params": dict(self.params)}
        shapes = {"input_shape": input_shape, "output_shape": output_shape}
        wanted = _OF_SCIKERAS if takes_any else named
        if "compile_kwargs" in wanted:
            both = [_compiled(kind, self.wrapper, self.params) for kind in _COMPILED]
            loss, optimizer = both
            if optimizer is None or isinstance(optimizer, str):
                optimizer = _optimizer_class(optimizer or "rmsprop", self.wrapper)()
            # For a ``Model.compile`` whose result does not matter here.
            compiled = {"optimizer": optimizer, "loss": loss, "metrics": None}
            values["compile_kwargs"] = compiled
        given |= {name: values[name] for name in values if name in wanted}
        given |= {name: shapes[name] for name in shapes if name in named}
        return self.function(**given)
