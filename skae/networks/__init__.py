"""Descriptions of networks: what to build, never how to train it."""

from skae._lazy import lazy_names

_PLACES = {
    "skae.networks._base": ("Built", "Network"),
    "skae.networks._conv": ("ConvNetwork",),
    "skae.networks._dense": ("DenseNetwork",),
    "skae.networks._keras._copies": ("describe_model",),
    "skae.networks._keras._network": ("KerasNetwork",),
    "skae.networks._keras._parts": ("output_range_of",),
    "skae.networks._quiet": ("import_quietly", "without_chatter"),
    "skae.networks._recurrent": ("RecurrentNetwork",),
    "skae.networks._keras": ("as_network",),
    "skae.networks._variational": ("VariationalNetwork",),
}

__all__, __getattr__, __dir__ = lazy_names(__name__, _PLACES)
