# One command each: `make help` lists them. Everything is done by programs in the checkout;
# this file only names them.
.DEFAULT_GOAL := help
.PHONY: help install run demo test lint lock upgrade-viewer clean
.PHONY: bench bench-store bench-find bench-retrieve bench-million bench-tools
.PHONY: bench-qido bench-metadata bench-frames bench-stow bench-render bench-viewer

PYTHON ?= python3
VENV_PYTHON = .venv/bin/python

help: ## this list
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /	/' | expand -t 16

install: ## install everything into this checkout (needs Python 3.11 or newer)
	@$(PYTHON) -I openpacs/install.py

run: install ## start the department (Ctrl-C stops it)
	@exec $(VENV_PYTHON) -m openpacs.supervisor

demo: install ## fill an empty department with made-up patients, orders and images
	@$(VENV_PYTHON) manage.py migrate --verbosity 0
	@$(VENV_PYTHON) manage.py demo

test: install ## all checks and tests, on SQLite and on PostgreSQL with Redis
	@$(VENV_PYTHON) -m tests.prepare
	@$(VENV_PYTHON) -m tests.everything

lint: install ## the static checks alone
	@$(VENV_PYTHON) -m tests.prepare --python-only
	@$(VENV_PYTHON) -m tests.everything --static

lock: install ## resolve the Python and npm locks anew
	@$(VENV_PYTHON) -m tests.prepare --python-only
	@$(VENV_PYTHON) -m tests.lock

upgrade-viewer: ## VERSION=3.13.2 [VIEWER=volview]: try another release of a viewer, and pin it
	@$(VENV_PYTHON) -m openpacs.upgrade_viewer "$(VERSION)" "$(or $(VIEWER),ohif)"

bench: bench-tools ## every benchmark beside Orthanc (QUICK=1: less of each)
	@$(VENV_PYTHON) -m benchmarks

bench-store: bench-tools ## C-STORE; likewise bench-find, -retrieve, -million, -qido, -stow
	@$(VENV_PYTHON) -m benchmarks.store

bench-find: bench-tools
	@$(VENV_PYTHON) -m benchmarks.find

bench-retrieve: bench-tools
	@$(VENV_PYTHON) -m benchmarks.retrieve

bench-million: bench-tools
	@$(VENV_PYTHON) -m benchmarks.million

bench-metadata: bench-tools ## WADO-RS metadata; likewise bench-frames, bench-render
	@$(VENV_PYTHON) -m benchmarks.metadata

bench-frames: bench-tools
	@$(VENV_PYTHON) -m benchmarks.frames

bench-qido: bench-tools
	@$(VENV_PYTHON) -m benchmarks.qido

bench-render: bench-tools
	@$(VENV_PYTHON) -m benchmarks.render

bench-viewer: bench-tools ## the viewer, in a browser
	@$(VENV_PYTHON) -m benchmarks.viewer

bench-stow: bench-tools
	@$(VENV_PYTHON) -m benchmarks.stow

bench-tools:
	@$(VENV_PYTHON) -m tests.prepare

clean: ## remove what was installed and built; the department's data (var/) stays
	rm -rf .venv node_modules build .coverage .mypy_cache .ruff_cache .pytest_cache .import_linter_cache
