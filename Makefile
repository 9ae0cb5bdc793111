# Copyright 2026 The audiosynth authors. Licensed under the Apache License, Version 2.0.
# .venv is made once, and again whenever the files that describe it change.
export TF_CPP_MIN_LOG_LEVEL ?= 2
PYTHON ?=
BIN := .venv/bin

define CHOOSE
import os, sys, sysconfig
if not (3, 11) <= sys.version_info < (3, 14): sys.exit(2)
try: import venv, ensurepip
except ImportError: sys.exit(3)
if not os.path.exists(os.path.join(sysconfig.get_paths()["include"], "Python.h")): sys.exit(4)
endef
export CHOOSE

define NO_PYTHON

  audiosynth needs Python 3.11, 3.12 or 3.13, and none was found. Install one:
    Debian/Ubuntu  sudo apt install python3 python3-venv python3-dev build-essential
    Fedora         sudo dnf install python3.13 python3.13-devel gcc gcc-c++
    macOS          brew install python@3.13
  or name one:     make PYTHON=/path/to/python3.12 $(MAKECMDGOALS)

endef
define NO_VENV

  This Python cannot make environments, or its C headers are missing (the package pesq is built from source):
    Debian/Ubuntu  sudo apt install python3-venv python3-dev
    Fedora         sudo dnf install python3-devel
  or name another Python:  make PYTHON=/path/to/python3.12 $(MAKECMDGOALS)

endef
define NO_COMPILER

  No C compiler was found; the package pesq is built from source and needs one:
    Debian/Ubuntu  sudo apt install build-essential python3-dev
    Fedora         sudo dnf install gcc gcc-c++ python3-devel
    macOS          xcode-select --install

endef
export NO_PYTHON NO_VENV NO_COMPILER

.PHONY: help python demo test lab site bench clean
.DEFAULT_GOAL := help

help:  ## this list
	@awk -F ':.*## ' '/^[a-z]+:.*## / {printf "  make %-7s %s\n", $$1, $$2}' Makefile

# Print the Python that the environment is made with: the first that fits, or say what to install.
python:
	@seen=; \
	for candidate in $(PYTHON) python3.13 python3.12 python3.11 python3; do \
	  status=0; "$$candidate" -c "$$CHOOSE" 2>/dev/null || status=$$?; \
	  if [ $$status = 0 ]; then command -v "$$candidate"; exit 0; fi; \
	  if [ $$status = 3 ] || [ $$status = 4 ]; then seen="$$candidate"; fi; \
	  if [ "$(PYTHON)" ] && [ "$$candidate" = "$(PYTHON)" ]; then break; fi; \
	done; \
	if [ "$$seen" ]; then echo "$$seen: $$NO_VENV" >&2; else echo "$$NO_PYTHON" >&2; fi; exit 1

.venv/ready: settings.ini setup.py constraints.txt
	@command -v "$${CC:-cc}" >/dev/null || command -v gcc >/dev/null || command -v clang >/dev/null || { echo "$$NO_COMPILER" >&2; exit 1; }
	@if [ "$(PYTHON)" ] || ! $(BIN)/python -c "$$CHOOSE" 2>/dev/null; then \
	  python=$$($(MAKE) --no-print-directory python) || exit 1; \
	  echo "Making .venv with $$python: about 2 GB to download and unpack, some minutes."; \
	  rm -rf .venv; "$$python" -m venv .venv; fi
	$(BIN)/python -m pip install --disable-pip-version-check --use-pep517 --prefer-binary -c constraints.txt -e '.[dev]'
	@if [ -d nbs ]; then $(BIN)/nbdev_trust --fname nbs --force_all; fi
	@touch $@

demo: .venv/ready  ## train the digit model here, about five minutes, and leave a page of sounds
	$(BIN)/python tools/demo.py

test: .venv/ready  ## every test; one kind only: make test ARGS=tests/test_export.py
	$(BIN)/python -m pytest $(ARGS)

lab: .venv/ready  ## read the book in JupyterLab
	@$(BIN)/nbdev_trust --fname nbs --force_all
	$(BIN)/jupyter lab --notebook-dir=nbs

site: .venv/ready  ## the documentation site, into _site/
	$(BIN)/python docs/build.py

bench: .venv/ready  ## the benchmarks; one only: make bench ONLY=name
	@for file in benchmarks/$(or $(ONLY),*).py; do \
	  if [ -e "$$file" ]; then echo "== $$file"; $(BIN)/python "$$file" || exit 1; else echo "no benchmark at $$file"; fi; done

clean:  ## remove what was built (not .venv, runs or data)
	rm -rf _site _proc _docs _book build dist *.egg-info .pytest_cache
