# `make demo` runs the main job, `make check` the style checks and the fast tests, `make test`
# all tests. `make test-oldest` and `make test-newest` run all tests with the oldest releases
# of all dependencies that skae supports (.ci/oldest.txt), and with the newest ones. Each makes
# and fills a virtual environment where that is still to do, and needs nothing else done before.

PYTHON ?= python3
export PYTHON
BIN := $(if $(filter Windows_NT,$(OS)),Scripts,bin)

.PHONY: demo check test test-oldest test-newest benchmarks clean

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

clean:
	@rm -rf .venv .venv-oldest .venv-newest

.venv/.demo: pyproject.toml
	@sh .ci/venv $@ .

.venv/.benchmarks: pyproject.toml
	@sh .ci/venv $@ ".[benchmarks]"

.venv/.test: pyproject.toml
	@sh .ci/venv $@ ".[tests,onnx]"

.venv-oldest/.test: pyproject.toml .ci/oldest.txt
	@sh .ci/venv $@ ".[tests]" --constraint .ci/oldest.txt
