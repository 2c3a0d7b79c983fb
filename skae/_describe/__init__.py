"""One digest of everything that a computation depends on.

Compiled programs and cached trainings are found again by a digest of what they were
made from. It holds contents, never identities or pickles: arrays by their bytes,
objects by their class and state, functions by their code, defaults, closure and the
globals that they read. Two equal digests mean equal computations, in any process; where
that cannot be promised, there is no digest. In doubt two things count as different: a
needless training costs time, a wrong reuse costs the result.
"""

from skae._describe._digest import CannotDescribeError, digest
from skae._describe._versions import package_version

__all__ = ["CannotDescribeError", "digest", "package_version"]
