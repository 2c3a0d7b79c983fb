"""The work of the command ``python -m skae``."""
