# `make demo` runs the main job, `make test` the tests. Each makes and fills the virtual
# environment .venv where that is still to do, and needs nothing else done before.

PYTHON ?= python3
export PYTHON

.PHONY: demo test lint benchmarks clean

demo: .venv/.demo
	@.venv/bin/python -m skae

test: .venv/.test
	@.venv/bin/python -m pytest -n 2

lint: .venv/.test
	@.venv/bin/python -m ruff check .
	@.venv/bin/python -m ruff format --check .

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
