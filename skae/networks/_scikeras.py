"""SciKeras wrappers as networks; SciKeras itself is not imported.

Importing SciKeras changes how Keras's classes pickle, in the whole process. A wrapper
in the user's hands is read as what it is: parameters with names.
"""

import inspect
import warnings
from dataclasses import dataclass
from typing import Any

from skae.networks._builders import signature_of
from skae.networks._keras_network import KerasNetwork
from skae.networks._quiet import import_quietly

# What the estimator alone decides, and SciKeras's defaults.
_OF_ESTIMATOR = {
    "batch_size": None,
    "callbacks": None,
    "class_weight": None,
    "epochs": 1,
    "metrics": None,
    "random_state": None,
    "run_eagerly": False,
    "shuffle": True,
    "validation_batch_size": None,
    "validation_split": 0.0,
    "verbose": 1,
    "warm_start": False,
}
_PREFIXES_OF_ESTIMATOR = ("callbacks", "compile", "fit", "metrics", "predict")
_COMPILING = ("loss", "optimizer")
# What SciKeras tells a function that names it.
_TOLD = ("meta", "compile_kwargs", "params")


def is_scikeras_wrapper(value):
    """Return whether a value is a wrapper of SciKeras's."""
    return not isinstance(value, type) and any(
        cls.__module__.partition(".")[0] == "scikeras" for cls in type(value).__mro__
    )


def from_scikeras(wrapper):
    """Return a SciKeras wrapper as a network, and what it wins over the estimator.

    Parameters
    ----------
    wrapper : scikeras.wrappers.BaseWrapper

    Returns
    -------
    network : KerasNetwork
        Of the wrapper's function and its routed parameters (``model__units``), or of
        its model.

    loss, optimizer : object or None
        With their routed parameters (``optimizer__learning_rate``); None leaves the
        estimator's.

    Raises
    ------
    ValueError
        Where the wrapper has no model, or its loss or optimizer cannot be made.

    Warns
    -----
    UserWarning
        Where the wrapper sets what the estimator alone decides.
    """
    name, params = type(wrapper).__name__, wrapper.get_params(deep=False)
    _warn_of_ignored(name, params)
    model = _model_of(wrapper)
    for_model = _routed("model", params)
    for key in getattr(wrapper, "_user_params", ()):
        if "__" not in key:
            for_model.setdefault(key, params[key])
    if _Told.wanted_by(model):
        model = _Told(name, model, params)
    compiling = [_compiling(kind, name, params) for kind in _COMPILING]
    return KerasNetwork(model, **for_model), *compiling


def _model_of(wrapper):
    """Return the function or model that a wrapper holds."""
    for name in ("model", "build_fn", "_keras_build_fn"):  # the last is a subclass's
        model = getattr(wrapper, name, None)
        if model is not None:
            return model
    name = type(wrapper).__name__
    raise ValueError(
        f"network is a SciKeras {name} without a model. Pass {name}(model=...), a "
        "function that builds one."
    )


def _warn_of_ignored(name, params):
    """Warn where a wrapper sets how long or how to train."""
    ignored = [
        key
        for key, value in params.items()
        if key in _OF_ESTIMATOR
        and value is not _OF_ESTIMATOR[key]
        and value != _OF_ESTIMATOR[key]
    ]
    for prefix in _PREFIXES_OF_ESTIMATOR:
        ignored += [
            f"{prefix}__{key}"
            for key in _routed(prefix, params)
            if prefix != "compile" or key not in _COMPILING
        ]
    if ignored:
        listed = ", ".join(map(repr, sorted(ignored)))
        warnings.warn(
            f"The SciKeras {name} sets {listed}, which has no effect: how long and how "
            "to train is the estimator's alone. Set it there.",
            UserWarning,
            stacklevel=2,
        )


def _routed(prefix, params):
    """Return the parameters that are routed to a place, by their names there."""
    start = f"{prefix}__"
    return {
        key.removeprefix(start): value
        for key, value in params.items()
        if key.startswith(start)
    }


# -------------------------------------------------------------------- compiling


def _compiling(kind, wrapper, params):
    """Return a wrapper's loss or optimizer: a name, a function or an instance.

    Parameters
    ----------
    kind : {"loss", "optimizer"}

    wrapper : str
        What messages call the wrapper.

    params : dict of str to object
        Of the wrapper.
    """
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
            f"The SciKeras {wrapper} routes {', '.join(map(repr, sorted(routed)))} to "
            f"its {kind}, but {kind} is {value!r}, which takes no parameters. Pass a "
            f"class of Keras's instead."
        )
    return value


def _optimizer_class(name, wrapper):
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


def _instance(cls, params):
    """Return an instance of a class; classes among its arguments get their own ones.

    Names that are numbers stand for arguments by position, as SciKeras has them.
    """
    given = {key: value for key, value in params.items() if "__" not in key}
    for key, value in given.items():
        if isinstance(value, type):
            given[key] = _instance(value, _routed(key, params))
    by_place = sorted((key for key in given if key.isdecimal()), key=int)
    places = [given.pop(key) for key in by_place]
    return cls(*places, **given)


# ------------------------------------------------------------------------- told


@dataclass(frozen=True)
class _Told:
    """A function that builds a model, told what SciKeras tells it.

    It is called by the names of the function but ``meta``, ``compile_kwargs`` and
    ``params``, and by the shapes of the data, from which it makes these.

    Attributes
    ----------
    wrapper : str
        What messages call the wrapper.

    function : callable

    params : dict of str to object
        Of the wrapper.
    """

    wrapper: str
    function: Any
    params: dict

    @classmethod
    def wanted_by(cls, model):
        """Return whether a model is a function that is to be told something."""
        is_function = inspect.isroutine(model) or hasattr(model, "func")
        if not is_function:
            return False
        signature = signature_of(model)
        return signature.takes_any or not signature.names.isdisjoint(_TOLD)

    @property
    def __name__(self):
        inner = getattr(self.function, "func", self.function)
        return inner.__name__

    @property
    def __signature__(self):
        parameters = inspect.signature(self.function).parameters
        own = {n: p for n, p in parameters.items() if n not in _TOLD}
        for name in ("input_shape", "output_shape"):
            own[name] = inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY)
        return inspect.Signature(sorted(own.values(), key=lambda p: p.kind))

    def __call__(self, *, input_shape, output_shape, **given):
        """Return what the function builds for rows of these shapes."""
        signature = signature_of(self.function)
        told = {
            "input_shape": lambda: input_shape,
            "output_shape": lambda: output_shape,
            "meta": lambda: _meta(input_shape, output_shape),
            "compile_kwargs": self._compile_kwargs,
            "params": lambda: dict(self.params),
        }
        for name, make in told.items():
            named = name in signature.names
            if named or (signature.takes_any and name in _TOLD):
                given[name] = make()
        return self.function(**given)

    def _compile_kwargs(self):
        """Return arguments for ``Model.compile``, whose result does not matter here."""
        loss, optimizer = (
            _compiling(kind, self.wrapper, self.params) for kind in _COMPILING
        )
        if optimizer is None or isinstance(optimizer, str):
            optimizer = _optimizer_class(optimizer or "rmsprop", self.wrapper)()
        return {"optimizer": optimizer, "loss": loss, "metrics": None}


def _meta(input_shape, output_shape):
    """Return what SciKeras would have learned from X and y."""
    return {
        "n_features_in_": input_shape[0],
        "X_shape_": (None, *input_shape),
        "X_dtype_": "float32",
        "n_outputs_": output_shape[0],
        "n_outputs_expected_": 1,
        "target_type_": "continuous-multioutput",
    }
