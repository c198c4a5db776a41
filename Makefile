PYTHON ?= python3
LOCK := $(wildcard requirements/*.txt) requirements/install.sh pyproject.toml
WORKERS ?= auto
RUN := DVC_NO_ANALYTICS=1 PATH="$(CURDIR)/.venv/bin:$$PATH"

.DEFAULT_GOAL := help
.PHONY: setup repro test lint type bench bench-train bench-stats coverage-stats check fresh clean help

setup: .venv/installed ## Install the locked packages into .venv (PYTHON=python3.12 names the interpreter)

.venv/installed: $(LOCK)
	@requirements/install.sh "$(PYTHON)"

repro: setup ## Run the default suite, from data to report: about 15 minutes on two CPU cores
	@$(RUN) python -m pipelines.doctor && $(RUN) dvc repro

test: setup ## Run the tests, a process a core (ARGS="-k lock" chooses; WORKERS=0: in one process)
	@$(RUN) python -m pytest -ra -n $(WORKERS) --dist loadfile $(ARGS)

lint: setup ## Check style and format
	@$(RUN) ruff check . && $(RUN) ruff format --check .

type: setup ## Check types
	@$(RUN) mypy

bench: setup ## Measure the relevance engine: about 10 minutes (ARGS="--quick": seconds)
	@$(RUN) python -m pipelines.bench $(ARGS)

bench-train: setup ## Measure the training loop beside a bare one: about 10 minutes (ARGS="--quick": seconds)
	@$(RUN) python -m pipelines.bench_train $(ARGS)

bench-stats: setup ## Measure the bootstrap beside SciPy's: about 3 minutes
	@$(RUN) python -m pipelines.bench_stats $(ARGS)

coverage-stats: setup ## Simulate how often the intervals cover the truth: about 10 minutes
	@$(RUN) python -m pipelines.coverage $(ARGS)

check: setup ## Tell whether published numbers still come out: tables again, a few models trained again: two minutes
	@$(RUN) dvc repro -q inject@mnist5k-corner && $(RUN) python -m benchmark.check --tier recompute retrain $(ARGS)

fresh: setup ## Check that the committed results belong to the committed code
	@$(RUN) python -m pipelines.fresh

clean: ## Remove data/, runs/ and all caches; results/ stays
	rm -rf data runs build dist .dvc/cache .dvc/tmp .pytest_cache .mypy_cache .ruff_cache .hypothesis
	find . -name __pycache__ -not -path './.venv/*' -prune -exec rm -rf {} +

help: ## List the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "make %-14s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)
