# `make demo` runs the main job, `make check` the style checks and the fast tests, `make test`
# all tests. Each makes and fills the virtual environment .venv where that is still to do, and
# needs nothing else done before.

PYTHON ?= python3
export PYTHON

.PHONY: demo check test benchmarks clean

demo: .venv/.demo
	@.venv/bin/python -m skae

check: .venv/.test
	@.venv/bin/python -m ruff check .
	@.venv/bin/python -m ruff format --check .
	@.venv/bin/python -m pytest -n 2 -m "not slow"

test: .venv/.test
	@.venv/bin/python -m pytest -n 2

benchmarks: .venv/.benchmarks
	@for one in tutorials defaults timings speed report; do \
	    .venv/bin/python benchmarks/$$one.py || exit 1; \
	done

clean:
	@rm -rf .venv

.venv/.demo: pyproject.toml
	@.ci/venv $@ .

.venv/.benchmarks: pyproject.toml
	@.ci/venv $@ ".[benchmarks]"

.venv/.test: pyproject.toml
	@.ci/venv $@ ".[tests]"
