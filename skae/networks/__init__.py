"""Descriptions of networks: what to build, never how to train it."""

from skae.networks._base import Network
from skae.networks._dense import DenseNetwork

__all__ = ["DenseNetwork", "Network"]
