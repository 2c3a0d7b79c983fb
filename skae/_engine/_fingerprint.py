"""What a user's code builds, told apart: the code alone does not say it.

A build function may read what no digest of it sees: an environment variable, a file,
``globals()["width"]``. So its networks are known by what they turned out to be.
"""

from __future__ import annotations

import platform
from dataclasses import replace
from typing import Any, NamedTuple

from skae._engine._digest import CannotDescribeError, digest, package_version
from skae._engine._spec import Architecture


class Fingerprint(NamedTuple):
    """What tells a network that a user's code builds from all others."""

    value: str | None  # None where it cannot be told
    seed: int  # with which it was built
    versions: str  # of Python and Keras: others describe the same network otherwise


def is_users(network: Any) -> bool:
    """Return whether code of the user's has a part in what a network builds."""
    parts = [network, getattr(network, "base", None)]
    modules = [type(part).__module__ for part in parts if part is not None]
    own = all(module.startswith("skae.") for module in modules)
    return not (own and network.draws_weights)


def fingerprint(
    architecture: Architecture, seed: int, models: Any = None
) -> tuple[Fingerprint | None, Any]:
    """Return the fingerprint of a user's network, None of another, and its models."""
    # The models, unless they are given, are built where NumPy does not run the layers.
    if not is_users(architecture.network):
        return None, None
    versions = f"Python {platform.python_version()}, Keras {package_version('keras')}"
    layers: Any = architecture.layers
    if layers is not None and all(one.runs_in_numpy for one in layers.all):
        parts, special = layers.all, None
    else:
        from skae.networks._quiet import import_quietly

        import_quietly()
        from skae._engine._keras._models import build_models
        from skae.networks._keras._copies import outline, stand_in

        models = models or build_models(architecture, seed=seed)
        parts = outline([models.model, models.encoder, models.decoder])
        special = stand_in
    try:
        value = digest(parts, special)
    except CannotDescribeError:
        value = None
    return Fingerprint(value, seed, versions), models


def check_same(
    architecture: Architecture, known: Fingerprint | None, models: Any = None
) -> None:
    """Raise a ValueError where a user's code no longer builds what was trained."""
    if known is None or known.value is None:
        return
    now, _ = fingerprint(architecture, known.seed, models)
    if now is None or now == known or now.versions != known.versions:
        return
    # Perhaps it depends on the dtype of the models, or is never the same.
    one, other = (fingerprint(replace(architecture), known.seed)[0] for _ in range(2))
    if one == known or one != other:
        return
    raise ValueError(
        f"{architecture.network!r} no longer builds the network that was trained. "
        "Something that its code reads has changed: an environment variable, a "
        "global, a file. Restore it, or fit again."
    )
