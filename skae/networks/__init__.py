"""Descriptions of networks: what to build, never how to train it."""

from skae._lazy import lazy_names as _lazy_names

__all__, __getattr__, __dir__ = _lazy_names(__name__)
