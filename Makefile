# healthsvc: `make demo` sets everything up and runs the main job; `make test` sets everything up and runs all tests.
PYTHON ?= $(shell command -v python3.11 || command -v python3)
BIN := .venv/bin
ARGS ?=

.PHONY: setup demo test lint lint-types lint-imports lint-style bench clients lock wheelhouse sbom audit clean

setup: .venv/.ready healthsvc/web/static/vendor/.ready

# Pinned dependencies, each checked against its hash; then this tree itself. All of it is compiled on all cores, which pip does on one.
.venv/.installed: requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info[:2] != (3, 11))' || { echo "healthsvc needs Python 3.11: make PYTHON=/path/to/python3.11"; exit 1; }
	@test -x $(BIN)/python || $(PYTHON) -m venv .venv
	@echo "installing pinned dependencies (a few minutes the first time)"
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-input --no-compile --require-hashes -r requirements.lock
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-input --no-deps --no-build-isolation -e .
	@$(BIN)/python -m compileall -q -j 0 .venv/lib healthsvc integrations
	@touch $@

# The planner's kernels, compiled once; nothing but planning waits for them.
.venv/.ready: .venv/.installed
	@$(BIN)/healthsvc plan warm
	@touch $@

# Scripts and styles of the pages come from npm packages named in a lock file; nothing is fetched at run time.
healthsvc/web/static/vendor/.ready: .venv/.installed healthsvc/web/package.json healthsvc/web/package-lock.json
	@$(BIN)/python -m healthsvc.web.assets
	@touch $@

demo: setup
	@$(BIN)/healthsvc demo $(ARGS)

test: setup
	@$(BIN)/python -m pytest -n 2 --dist loadfile --no-loadscope-reorder $(ARGS)

lint: lint-types lint-imports lint-style

lint-types: .venv/.installed
	$(BIN)/mypy

lint-imports: .venv/.installed
	$(BIN)/lint-imports

lint-style: .venv/.installed
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

bench: setup
	@$(BIN)/python -m tests.bench $(ARGS)

# FHIR clients that nobody here wrote, and the validator of HL7 (java and mvn, node and npm); they are fetched when it runs.
clients: setup
	@$(BIN)/python -m tests.clients

# Pins and hashes anew from pyproject.toml; needs `uv`. No download host goes into the file.
lock:
	uv pip compile --quiet --python-version 3.11 --generate-hashes --no-header --no-annotate --group dev pyproject.toml -o requirements.lock
	uv pip compile --quiet --python-version 3.11 --generate-hashes --no-header --no-annotate --constraint requirements.lock pyproject.toml -o healthsvc/deploy/runtime.lock

# Everything for a closed network in one folder; `sh wheelhouse/install.sh TARGET` installs from it without any network.
wheelhouse: setup
	@$(BIN)/healthsvc deploy wheelhouse --source . --out dist/wheelhouse $(ARGS)

# What the product is made of (CycloneDX, from the lock file with its hashes), for whoever must know: artifacts/sbom.json
sbom: setup
	@mkdir -p artifacts
	@$(BIN)/cyclonedx-py requirements requirements.lock --pyproject pyproject.toml --output-reproducible --output-format JSON --output-file artifacts/sbom.json
	@echo "artifacts/sbom.json"

# Known weaknesses of the pinned packages; needs the advisories of the package index, and fails where it has none.
audit: setup
	@$(BIN)/python tests/advisories.py

clean:
	rm -rf .venv healthsvc/web/static/vendor healthsvc/web/node_modules demo-data artifacts
