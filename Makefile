# Everything here sets itself up: Python 3.11 or newer and make are all that is needed.

PYTHON ?= $(shell for name in python3 python3.13 python3.12 python3.11; do \
	$$name -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo $$name && break; done)
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
# Test files that run at once: most of them wait for processes, sockets and clocks.
AT_ONCE ?= 4
CHAOS_AT_ONCE ?= 1

LOCK := pip compile --universal --python-version 3.11 --generate-hashes --no-annotate --no-header --quiet --upgrade

.PHONY: help install demo test api-fuzz check format bench chaos screenshots lock clean

help:
	@echo "make demo    a campaign through a local carrier, from a file to a report (about a minute; KEEP=1: it goes on, with its dashboard)"
	@echo "make test    the tests, against a real Valkey of their own"
	@echo "make api-fuzz  every operation of the HTTP API asked with good and bad, at length (EXAMPLES=100 of each)"
	@echo "make check   formatting, lint, types, import rules, sizes"
	@echo "make screenshots  pictures of the page for the docs (needs chromium and chromium-driver)"
	@echo "make lock    what the image stands on, pinned anew to the newest that pyproject.toml allows (deploy/container)"
	@echo "make chaos   it is broken in every way we know, and the promises are checked (ONLY=\"1 2 5\" SEED=7 SCALE=short)"
	@echo "make bench   the measurements that the README quotes (ONLY=send for one of them)"

install: $(READY)

$(READY): pyproject.toml
	@test -n "$(PYTHON)" || { echo "Volley needs Python 3.11 or newer (make PYTHON=/path/to/python3)" >&2; exit 1; }
	@echo "setting up $(VENV) ..." >&2
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check -e '.[dev]'
	@touch $@

demo: $(READY)
	@$(BIN)/volley demo $(if $(KEEP),--keep)

test: $(READY)
	@$(BIN)/python -m pytest -n $(AT_ONCE) --dist loadfile --no-loadscope-reorder

api-fuzz: $(READY)
	@API_FUZZ_EXAMPLES=$(or $(EXAMPLES),100) $(BIN)/python -m pytest tests/flow/api/test_fuzz.py

check: $(READY)
	@$(BIN)/ruff format --check --quiet . || { echo "make format puts this right" >&2; exit 1; }
	@$(BIN)/ruff check --quiet .
	@$(BIN)/mypy
	@report=$$($(BIN)/lint-imports --no-logo 2>&1) || { echo "$$report"; exit 1; }
	@$(BIN)/python scripts/check_sizes.py

format: $(READY)
	@$(BIN)/ruff check --quiet --fix-only .
	@$(BIN)/ruff format --quiet .

bench: $(READY)
	@$(BIN)/python -m bench $(ONLY)

screenshots: $(READY)
	@SCREENSHOTS=$(CURDIR)/docs/images $(BIN)/python -m pytest tests/web/test_pictures.py

lock: $(READY)
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check 'uv>=0.9'
	@$(BIN)/uv $(LOCK) pyproject.toml --extra postgres --output-file deploy/container/requirements.txt
	@$(BIN)/python -c 'import tomllib; print(*tomllib.load(open("pyproject.toml", "rb"))["build-system"]["requires"], sep="\n")' | \
		$(BIN)/uv $(LOCK) - --output-file deploy/container/build.txt

chaos: $(READY)
	@ONLY="$(ONLY)" SEED="$(SEED)" SCALE="$(SCALE)" AT_ONCE="$(CHAOS_AT_ONCE)" $(BIN)/python -m tests.chaos

clean:
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis
