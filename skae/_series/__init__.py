"""Series: one score for each time step, from windows that a detector learns."""

from skae._series._detector import SlidingWindowDetector

__all__ = ["SlidingWindowDetector"]
