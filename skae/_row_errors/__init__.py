"""Errors of rows and of their features, in scaled space, out of trained networks.

A *scorer* holds the networks and what it learned from their training rows. It knows
arrays and autoencoders, not estimators.
"""

from skae._row_errors._scorer import (
    ErrorKind,
    Scorer,
    Window,
    check_error,
    explanation_table,
    feature_names,
    learn_scorer,
)

__all__ = [
    "ErrorKind",
    "Scorer",
    "Window",
    "check_error",
    "explanation_table",
    "feature_names",
    "learn_scorer",
]
