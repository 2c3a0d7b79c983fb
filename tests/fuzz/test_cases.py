"""The first random cases; `python -m tests.fuzz --cases 20000` runs more."""

import importlib.util
from pathlib import Path

import pytest

path = Path(__file__).with_name("cases.py")
spec = importlib.util.spec_from_file_location("cases", path)
cases = importlib.util.module_from_spec(spec)
spec.loader.exec_module(cases)


@pytest.mark.parametrize("first", range(0, 500, 50))
def test_invariants(first):
    for number in range(first, first + 50):
        try:
            cases.run_case(number)
        except Exception as exc:
            exc.add_note(f"python -m tests.fuzz --case {number}")
            raise
