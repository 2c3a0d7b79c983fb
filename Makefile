# `make demo` runs the main job, `make check` the style checks and the fast tests, `make test`
# all tests. `make test-oldest` and `make test-newest` run all tests with the oldest releases
# of all dependencies that skae supports (.ci/oldest.txt), and with the newest ones. `make docs`
# builds the site with its examples, `make docs-check` checks it without running them, and
# `make dist` builds the packages and tries the wheel in an empty environment. Each makes
# and fills a virtual environment where that is still to do, and needs nothing else done before.

PYTHON ?= python3
export PYTHON
# Two processes test at once: each gets one thread for linear algebra.
test check test-oldest test-newest: export OPENBLAS_NUM_THREADS = 1
test check test-oldest test-newest: export OMP_NUM_THREADS = 1
BIN := $(if $(filter Windows_NT,$(OS)),Scripts,bin)

.PHONY: demo check test test-oldest test-newest benchmarks docs docs-check dist clean

demo: .venv/.demo
	@.venv/$(BIN)/python -m skae

check: .venv/.test
	@.venv/$(BIN)/python -m ruff check .
	@.venv/$(BIN)/python -m ruff format --check .
	@.venv/$(BIN)/python -m pytest -n 2 -m "not slow"

test: .venv/.test
	@.venv/$(BIN)/python -m pytest -n 2

test-oldest: .venv-oldest/.test
	@.venv-oldest/$(BIN)/python -m pytest -n 2

test-newest:
	@sh .ci/venv .venv-newest/.test ".[tests,onnx]" --upgrade --upgrade-strategy eager
	@.venv-newest/$(BIN)/python -m pytest -n 2

benchmarks: .venv/.benchmarks
	@for one in tutorials defaults timings speed report; do \
	    .venv/$(BIN)/python benchmarks/$$one.py || exit 1; \
	done

docs: .venv-docs/.docs
	@.venv-docs/$(BIN)/python -m sphinx -b html -n docs docs/_build/html
	@echo "skae: open docs/_build/html/index.html"

docs-check: .venv-docs/.docs
	@rm -rf docs/api/generated docs/sg_execution_times.rst
	@.venv-docs/$(BIN)/python -m sphinx -b html -E -q -D plot_gallery=0 -W -n --keep-going \
	    docs docs/_build/check
	@.venv-docs/$(BIN)/python docs/check.py docs/_build/check

dist: .venv-dist/.dist
	@rm -rf dist
	@.venv-dist/$(BIN)/python -m build --quiet
	@.venv-dist/$(BIN)/python -m twine check --strict dist/*
	@.venv-dist/$(BIN)/python .ci/try_wheel.py dist

clean:
	@rm -rf .venv .venv-oldest .venv-newest .venv-docs .venv-dist docs/_build

.venv/.demo: pyproject.toml
	@sh .ci/venv $@ .

.venv/.benchmarks: pyproject.toml
	@sh .ci/venv $@ ".[benchmarks]"

.venv-docs/.docs: pyproject.toml
	@sh .ci/venv $@ ".[docs]"

.venv-dist/.dist: pyproject.toml
	@sh .ci/venv $@ ".[dist]"

.venv/.test: pyproject.toml
	@sh .ci/venv $@ ".[tests,onnx]"

.venv-oldest/.test: pyproject.toml .ci/oldest.txt
	@sh .ci/venv $@ ".[tests]" --constraint .ci/oldest.txt
