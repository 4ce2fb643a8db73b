# Everything is made from the lock files into .venv; a target repeats nothing that is there.

PYTHON ?= python3
VENV := .venv
PY := $(VENV)/bin/python
STAMPS := $(VENV)/stamps
DEMO := examples/topnwords

.DEFAULT_GOAL := help
.PHONY: help setup demo daemon-demo test test-compat test-page faults storm check format bench crash contract soak lock clean

help:  ## what can be made
	@grep -hE '^[a-z-]+:.*## ' $(firstword $(MAKEFILE_LIST)) | sed -E 's/^([a-z-]+):.*## /  make \1\t/' | expand -t 20

setup: $(STAMPS)/blobs  ## .venv with everything, the blob server included, from the lock files

$(STAMPS)/venv:
	@command -v $(PYTHON) >/dev/null || { echo "make setup: there is no $(PYTHON); install Python 3.11 or newer, or name one: make setup PYTHON=..." >&2; exit 2; }
	@$(PYTHON) -c 'import sys; sys.version_info >= (3, 11) or sys.exit("make setup: %s is Python %d.%d, and 3.11 or newer is needed; name another: make setup PYTHON=..." % ((sys.executable,) + sys.version_info[:2]))'
	@$(PYTHON) -c 'import ensurepip, venv' || { echo "make setup: $(PYTHON) has no venv module; install it (python3-venv on Debian and Ubuntu)" >&2; exit 2; }
	@[ -x $(PY) ] || $(PYTHON) -m venv $(VENV)
	@mkdir -p $(STAMPS)
	@touch $@

$(STAMPS)/packages: requirements/dev.txt $(STAMPS)/venv
	$(PY) -m pip install --quiet --disable-pip-version-check --require-hashes --requirement requirements/dev.txt
	@touch $@

$(STAMPS)/orchestrator: pyproject.toml $(STAMPS)/packages
	$(PY) -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	@touch $@

$(STAMPS)/blobs: orchestrator/local/blob/azurite/package-lock.json $(STAMPS)/orchestrator
	$(PY) -m orchestrator.local.blob
	@touch $@

demo: setup  ## run examples/topnwords on the local service, and show the first result
	@$(PY) -m orchestrator run $(DEMO)/job.toml
	@first=$$(find $(DEMO)/results -type f -name '*_OUTPUT.txt' | LC_ALL=C sort | head -n 1) && \
	printf '\n%s:\n' "$$first" && cat "$$first"

daemon-demo: setup  ## start a daemon on its own local service, and hand it three jobs: by HTTP, inbox and command line; LOOK=1 lets you look at the page
	@$(PY) -m examples.daemon.demo $(if $(LOOK),--look)

test: setup  ## run the tests
	$(PY) -m pytest

test-compat: setup  ## other people's clients (az, older SDKs, JavaScript), installed into .compat, against the local service
	@$(PY) -m tests.compat.install
	$(PY) -m pytest tests/compat -m compat

$(STAMPS)/page: requirements/page.txt $(STAMPS)/packages
	$(PY) -m pip install --quiet --disable-pip-version-check --require-hashes --requirement requirements/page.txt
	@touch $@

test-page: setup $(STAMPS)/page  ## the daemon's page in Chromium, which is installed if it is missing; pictures in build/page
	@$(PY) -m tests.page.install
	$(PY) -m pytest tests/page -m page

faults: setup  ## N seeded mixtures of faults (default 100), each over a run of 300 tasks
	FAULT_MIXTURES=$(or $(N),100) FAULT_TASKS=300 $(PY) -m pytest tests/faults/lab/test_mixtures.py

storm: setup  ## N tasks (default 20000) while connections break and answers get lost
	STORM_TASKS=$(or $(N),20000) $(PY) -m pytest tests/faults/lab/test_storm.py -s

check: setup  ## lint, types, and who may import whom
	@$(VENV)/bin/ruff check
	@$(VENV)/bin/ruff format --check
	@$(VENV)/bin/mypy
	@$(VENV)/bin/lint-imports --no-logo

format: setup  ## format the code, and correct what the linter can
	$(VENV)/bin/ruff format
	$(VENV)/bin/ruff check --fix

bench: setup  ## measure beside the SDK, the tutorial's way and plain aiohttp
	@$(PY) -m tests.bench

crash: setup  ## what dies at random moments: make crash KIND=orchestrator|batch|blobs N=200 SEED=1
	CRASH_KIND=$(or $(KIND),orchestrator) CRASH_N=$(N) CRASH_SEED=$(or $(SEED),1) $(PY) -m pytest tests/faults/test_crash_matrix.py -s

contract: setup  ## ask the API for all that its description allows and forbids, N examples of each (default 100), and pelt it with 10,000 malformed requests
	CONTRACT_EXAMPLES=$(or $(N),100) MALFORMED=10000 SOAK_SEED=$(SEED) $(PY) -m pytest -s tests/acceptance/daemon/test_contract.py tests/acceptance/daemon/test_malformed.py

soak: setup  ## a daemon under load for minutes: make soak [KIND=day|kill|many|crowd] [SECONDS=600] [SEED=1]
	SOAK_SECONDS=$(SECONDS) SOAK_SEED=$(SEED) $(PY) -m pytest -s -m soak tests/soak $(if $(KIND),-k $(KIND))

lock: $(STAMPS)/orchestrator  ## make requirements/dev.txt from pyproject.toml
	$(VENV)/bin/uv pip compile --quiet --generate-hashes --no-emit-index-url --custom-compile-command 'make lock' --universal --python-version 3.11 --all-extras --group dev pyproject.toml --output-file requirements/dev.txt
	$(VENV)/bin/uv pip compile --quiet --generate-hashes --no-emit-index-url --no-emit-find-links --custom-compile-command 'make lock' --universal --python-version 3.11 --group page --constraint requirements/dev.txt --output-file requirements/page.txt
	cd tests/compat && for name in cli sdk14; do ../../$(VENV)/bin/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-emit-find-links --custom-compile-command 'make lock' requirements-$$name.in --output-file requirements-$$name.txt || exit 1; done
	cd tests/compat/javascript && npm install --package-lock-only --omit-lockfile-registry-resolved=true --ignore-scripts --no-audit --no-fund

clean:  ## delete what was made here; the blob server's cache and your results stay
	rm -rf $(VENV) .compat build dist .mypy_cache .pytest_cache .ruff_cache .import_linter_cache .hypothesis
