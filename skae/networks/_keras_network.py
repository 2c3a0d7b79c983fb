"""A user's own Keras models as a network."""

from math import prod

from sklearn.base import clone

from skae._validation import StrOptions
from skae.networks._base import Network
from skae.networks._builders import (
    FACTS,
    call_builder,
    check_new,
    check_params,
    name_of,
    signature_of,
)
from skae.networks._keras_copies import Blueprint, copy_adapted
from skae.networks._keras_instances import (
    blueprint_of,
    check_weights,
    copied,
    each,
    is_layer,
    is_pair,
    keep_weights,
    short,
)
from skae.networks._keras_models import built_from

_OWN = ("model", "initial_weights")


class KerasNetwork(Network):
    """A Keras model of your own, as it is.

    Parameters
    ----------
    model : object
        What encodes and decodes, one of

        - a class of the tutorials' kind, a ``keras.Model`` with ``encoder`` and
          ``decoder``, or a function that returns any of the following. It is called
          with those of ``n_features`` (the numbers of a row), ``input_shape``,
          ``output_shape`` (of a row) and ``latent_dim`` (the estimator's, unless None)
          that its signature names, and with ``params``. It must build new layers at
          each call;
        - an instance of such a class;
        - a functional or Sequential model with a layer named "latent";
        - a pair ``(encoder, decoder)`` of Keras models.

        What is already built is never trained or changed: each fit trains a copy.

    initial_weights : {"fresh", "keep"}, default="fresh"
        What a copy of a built model starts from: new draws of its initializers, decided
        by the estimator's ``random_state``, or the model's own weights. What layers
        learned in ``adapt`` is kept either way. A function or class decides itself: its
        models train from the weights that they arrive with.

    **params : dict
        Arguments of the function or class. Any name in its signature is a parameter of
        the network, whether given or not, and can be searched over:
        ``network__units``.

    Raises
    ------
    ValueError
        When an estimator is fitted: for a name that the function does not accept, an
        argument that nobody gives, models that take other rows than the data's, and
        models without encoder and decoder.

    See Also
    --------
    DenseNetwork : A network that needs no Keras code.

    Notes
    -----
    The model's penalties and ``add_loss`` are part of the loss; its compiled loss,
    optimizer and metrics are not used, and a ``train_step`` of its own is refused.
    Noise that it draws while it trains repeats with the estimator's ``random_state``
    where it comes from a ``keras.random.SeedGenerator``, as that of Keras's layers.
    What computes in float32 alone does so, whatever the dtype of the data. An
    instance of a class that Keras cannot copy (one without ``get_config``) works within
    one process; ``n_jobs``, pickling and ``memory`` need the class.

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

    def __init__(self, model, *, initial_weights="fresh", **params):
        self.model = model
        self.initial_weights = initial_weights
        self._params = params

    # ------------------------------------------------------------ parameters

    def get_params(self, deep=True):
        """Return all parameters: those of ``__init__`` and those of the function.

        Parameters
        ----------
        deep : bool, default=True
            Whether to add the parameters of parameters that have some.

        Returns
        -------
        params : dict of str to object
            What was not given has the default of the function's signature; what has
            none is left out.
        """
        params = {"model": self.model, "initial_weights": self.initial_weights}
        if _is_builder(self.model):
            defaults = signature_of(self.model).defaults
            params |= {n: v for n, v in defaults.items() if n not in {*FACTS, *_OWN}}
        params |= self._params
        for name, value in list(params.items()) if deep else ():
            if hasattr(value, "get_params") and not isinstance(value, type):
                inner = value.get_params().items()
                params |= {f"{name}__{key}": part for key, part in inner}
        return params

    def set_params(self, **params):
        """Set parameters; names that the function lacks are an error at fit.

        Parameters
        ----------
        **params : dict
            Parameter names and values.

        Returns
        -------
        self : KerasNetwork
        """
        for name, value in params.items():
            owner, _, inner = name.partition("__")
            held = self.get_params(deep=False).get(owner)
            if inner and hasattr(held, "set_params"):
                held.set_params(**{inner: value})
            elif name in _OWN:
                setattr(self, name, value)
            else:
                self._params[name] = value
        return self

    def __sklearn_clone__(self):
        params = {name: _cloned(value) for name, value in self._params.items()}
        kept = {"initial_weights": self.initial_weights}
        return type(self)(self.model, **kept, **params)

    def __repr__(self):
        shown = [_name(self.model)]
        if self.initial_weights != "fresh":
            shown.append(f"initial_weights={self.initial_weights!r}")
        shown += [f"{name}={value!r}" for name, value in self._params.items()]
        return f"{type(self).__name__}({', '.join(shown)})"

    def check(self):
        """Raise a ValueError where the function cannot be called with the params."""
        if _is_builder(self.model):
            check_params(self.model, self._params)
        elif not _is_built(self.model):
            raise ValueError(
                f"model of KerasNetwork is {self.model!r}, but must be a class or "
                "function that builds a Keras model, a Keras model, or a pair "
                "(encoder, decoder) of Keras models."
            )
        elif self._params:
            raise ValueError(
                f"KerasNetwork was given {', '.join(map(repr, self._params))}, but its "
                f"model {_name(self.model)} is already built and takes no parameters. "
                "Pass the class or a function that builds it."
            )

    # -------------------------------------------------------------- building

    def build(self, input_shape, output_shape, latent_dim):
        """Return the user's encoder and decoder, and model where it does more.

        Models whose code is bound to float32 compute in it, whatever the dtype policy.
        """
        import keras

        shapes = input_shape, output_shape, latent_dim
        policy = keras.config.dtype_policy()
        if policy.name != "float64":
            return self._build(*shapes)
        try:
            return self._build(*shapes)
        except Exception:  # a user's code; where it is not the dtype, it raises again
            keras.config.set_dtype_policy("float32")
            try:
                return self._build(*shapes)
            finally:
                keras.config.set_dtype_policy(policy)

    def _build(self, input_shape, output_shape, latent_dim):
        if not _is_builder(self.model):
            return self._build_copy(input_shape)
        facts = {
            "n_features": prod(input_shape),
            "input_shape": input_shape,
            "output_shape": output_shape,
            "latent_dim": None if latent_dim is None else int(latent_dim),
        }
        made = call_builder(self.model, facts, self._params)
        source = f"The model returned by {name_of(self.model)}"
        if isinstance(self.model, type):
            source = f"The model {name_of(self.model)}"
        built = built_from(made, input_shape, source)
        check_new(built, self.model)
        return built

    def _build_copy(self, input_shape):
        """Return a copy of what is already built."""
        source = f"The model {_name(self.model)}"
        copies, original = copied(self.model, input_shape)
        built = built_from(copies, input_shape, source)
        for copy, model in zip(each(copies), each(original), strict=True):
            if self.initial_weights == "keep":
                keep_weights(model, copy)
            else:
                check_weights(model, copy)
                copy_adapted(model, copy)
        return built

    def check_portable(self):
        """Raise a TypeError where Keras cannot copy the model."""
        self.__getstate__()

    def output_range(self):
        """Return None: only the built model can tell."""
        return None

    # -------------------------------------------------------------- pickling

    def __getstate__(self):
        state = super().__getstate__()
        if _is_builder(self.model):
            return state
        models = [blueprint_of(model) for model in each(self.model)]
        return state | {"model": tuple(models) if is_pair(self.model) else models[0]}

    def __setstate__(self, state):
        super().__setstate__(state)
        if isinstance(self.model, Blueprint):
            self.model = self.model.make()
        elif is_pair(self.model):
            self.model = tuple(blueprint.make() for blueprint in self.model)


def _is_builder(model):
    """Return whether a model is a class or function that builds one."""
    return callable(model) and not is_layer(model)


def _is_built(model):
    """Return whether a model is one, or a pair."""
    return all(map(is_layer, each(model)))


def _name(model):
    """Return what messages call a model, whatever it is."""
    if _is_builder(model):
        return name_of(model)
    return short(model) if _is_built(model) else repr(model)


def _cloned(value):
    """Return a clone of a parameter; models and layers are shared."""
    return value if is_layer(value) else clone(value, safe=False)
