"""The main job, ``python -m skae``: what it does between its arguments and its report.

One idea per module: `_csv` and `_labels` read a table, `_contenders` are the pipelines,
`_search` searches one of them under a bar from `_progress`, `_comparison` and `_scores`
are its tables, `_figures` its pictures, `_report` its words, and `_run` puts them in
order. Nothing here prints; ``skae.__main__`` does.
"""

from skae._cli._csv import load_csv
from skae._cli._data import Data, InputError, heartbeats
from skae._cli._run import run

__all__ = ["Data", "InputError", "heartbeats", "load_csv", "run"]
