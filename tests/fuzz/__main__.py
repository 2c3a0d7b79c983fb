"""Run many random cases: ``python -m tests.fuzz --cases 20000``.

A case that fails prints its number; ``--case N`` runs it again, with its traceback.
"""

import argparse
import collections
import sys
import time
import traceback

from tests.fuzz.cases import Failure, run_case


def main():
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__)
    parser.add_argument("--cases", type=int, default=500, help="how many to run")
    parser.add_argument("--first", type=int, default=0, help="number of the first case")
    parser.add_argument("--case", type=int, help="run this one alone")
    parser.add_argument("--keras", action="store_true", help="train in Keras, too")
    given = parser.parse_args()
    if given.case is not None:
        run_case(given.case, given.keras)
        return 0
    start, found = time.process_time(), collections.defaultdict(list)
    for number in range(given.first, given.first + given.cases):
        try:
            run_case(number, given.keras)
        except Exception as exc:
            words = str(exc) if isinstance(exc, Failure) else traceback.format_exc(-2)
            print(f"case {number}: {words}", flush=True)  # noqa: T201
            found[words.partition(":")[0]].append(number)
    seconds = time.process_time() - start
    n_failed = sum(map(len, found.values()))
    print(f"{given.cases} cases, {n_failed} failed, {seconds:.0f} s of CPU")  # noqa: T201
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
