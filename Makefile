# Everything goes through make; 'make help' lists the targets. Nothing here needs more than make and python3.

SHELL := /bin/sh
VENV := .venv
BIN := $(VENV)/bin
STATE ?= .state
PYTHON ?= python3
JOBS ?= 2
.DEFAULT_GOAL := help
.PHONY: help debian venv lint types unit live crash test cloud down bench chaos migration news clean

help:  ## Show this list.
	@sed -n 's/^\([a-z]*\):.*## /\1\t/p' $(MAKEFILE_LIST) | expand -t 10

debian:  ## Install the Debian packages that are missing (root only).
	@sh conf/install-debian.sh conf/debian-packages.txt

venv: $(VENV)/.complete  ## Make the virtual environment in .venv, with all extras of this machine.

$(VENV)/.complete: setup.cfg setup.py pyproject.toml conf/make-venv.sh | debian
	@sh conf/make-venv.sh $(PYTHON) $(VENV)
	@touch $@

lint: venv  ## Style: ruff.
	@echo "lint: ruff"
	@$(BIN)/ruff check .

types: venv  ## Types: mypy, strict, with the zope plugin.
	@echo "types: mypy"
	@$(BIN)/mypy

unit: venv  ## The tests that need no machine.
	@echo "tests: unit"
	@$(BIN)/python -m pytest -n $(JOBS) --ignore tests/live

live: venv  ## The tests on real libvirt, QEMU, kernel networking, RabbitMQ, PostgreSQL and MariaDB.
	@echo "tests: live"
	@$(BIN)/python -m pytest -n $(JOBS) --dist loadfile tests/live --durations=15

crash: debian venv  ## The crash suite; with BROKER=1 and DB=postgresql or mariadb on servers of its own.
	@$(BIN)/python -m stackd.testing.crashing --jobs $(JOBS) $(if $(BROKER),--broker) --db "$(DB)" -- $(PYTEST)

test: debian  ## All of it: lint, types, unit and live tests.
	@$(MAKE) --no-print-directory lint
	@$(MAKE) --no-print-directory types
	@$(MAKE) --no-print-directory unit
	@$(MAKE) --no-print-directory live

cloud: debian venv  ## A whole cloud with its first VM, left running in the background.
	@$(BIN)/python -m stackd.testing.demo up --state $(STATE)

down:  ## Stop the cloud of 'make cloud' and leave nothing behind.
	@if [ -x $(BIN)/python ]; then $(BIN)/python -m stackd.testing.demo down --state $(STATE); fi

bench: venv  ## Figures as JSON lines.
	@$(BIN)/python -m bench

chaos: venv  ## Break a cloud for MINUTES while clients use it, and check it: make chaos [DB=..] [DRIVERS=..] [SEED=..].
	@$(BIN)/python -m stackd.testing.chaos $(if $(MINUTES),--minutes $(MINUTES)) $(if $(DB),--database $(DB)) \
		$(if $(DRIVERS),--drivers $(DRIVERS)) $(if $(SEED),--seed $(SEED))

migration: venv  ## Write the next migration of the database: make migration NAME=words.
	@$(BIN)/python -m stackd.store.schema $(NAME)

news: venv  ## The release notes as they would be now.
	@$(BIN)/towncrier build --draft

clean: down  ## Remove everything that was made here.
	@rm -rf $(VENV) $(STATE) build dist *.egg-info .mypy_cache .pytest_cache .ruff_cache .hypothesis
	@find . -name __pycache__ -prune -exec rm -rf {} + ; find . -name dropin.cache -delete
