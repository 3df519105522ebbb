# Everything a developer types. `make` alone lists it; CI calls the same targets.
SHELL := /bin/bash
.DEFAULT_GOAL := help
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
export PYTHONDONTWRITEBYTECODE = 1

##@ For users
.PHONY: help
help: ## Show this list
	@awk 'BEGIN {FS = ":.*##"} /^##@/ {printf "\n%s\n", substr($$0, 5)} /^[a-z-]+:.*##/ {printf "  %-14s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

.PHONY: demo
demo: $(VENV)/stamp ## From nothing to a real prediction on a real cluster, without Docker
	$(BIN)/python -m hack.demo up

.PHONY: demo-down
demo-down: $(VENV)/stamp ## End the demo: operator, cluster, everything it started
	$(BIN)/python -m hack.demo down

.PHONY: support-bundle
support-bundle: $(VENV)/stamp ## Collect what helps to see what is wrong (NAMESPACE=, PIPELINE=)
	$(BIN)/python -m hack.support --namespace "$(NAMESPACE)" --pipeline "$(PIPELINE)"

##@ For developers
.PHONY: venv
venv: $(VENV)/stamp ## Make .venv with the pinned dependencies

$(VENV)/stamp: requirements/dev.txt pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(0 if sys.version_info >= (3, 11) else "Python 3.11 or newer is needed; set PYTHON=python3.x")'
	@$(PYTHON) -m venv $(VENV) || { echo "cannot make a virtual environment: apt-get install python3-venv"; exit 1; }
	$(BIN)/pip install --quiet --require-hashes -r requirements/dev.txt
	$(BIN)/pip install --quiet --no-deps --no-build-isolation --editable .
	@touch $@

.PHONY: generate
generate: $(VENV)/stamp ## Write what is generated: the CRD, pages of docs/, the chart's schema and README, config/
	$(BIN)/python -m hack.generate

.PHONY: format
format: $(VENV)/stamp ## Format the code
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix --quiet .

.PHONY: verify
verify: $(VENV)/stamp ## Format, lint, types, import contracts, spelling, generated files
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/codespell
	$(BIN)/python -m hack.generate --check

.PHONY: chart
chart: $(VENV)/stamp ## Lint the chart, run its tests, compare its snapshots, try its alerts; no cluster
	$(BIN)/pytest tests/chart tests/alerts -m "not api" --deselect tests/chart/test_judges.py

.PHONY: scan
scan: $(VENV)/stamp ## What a scanner and Kubernetes' schemas say of the chart (installs checkov once)
	$(BIN)/pytest tests/chart/test_judges.py

.PHONY: test
test: $(VENV)/stamp ## All tests: pure, on a real API server, on a real node
	$(BIN)/pytest

.PHONY: test-unit
test-unit: $(VENV)/stamp ## The pure tests only: no cluster, no tool to build
	$(BIN)/pytest -m "not api and not node" --ignore=tests/chart --ignore=tests/alerts

.PHONY: test-api
test-api: $(VENV)/stamp ## The tests against a real API server
	$(BIN)/pytest -m api

.PHONY: test-node
test-node: $(VENV)/stamp ## The tests on a real kubelet (root)
	$(BIN)/pytest -m node

.PHONY: requirements
requirements: $(VENV)/stamp ## Pin the dependencies again, with hashes
	env -u PIP_FIND_LINKS $(BIN)/pip-compile $(COMPILE) -o requirements/operator.txt pyproject.toml
	env -u PIP_FIND_LINKS $(BIN)/pip-compile $(COMPILE) --extra dev -c requirements/operator.txt -o requirements/dev.txt pyproject.toml
	env -u PIP_FIND_LINKS $(BIN)/pip-compile $(COMPILE) -o requirements/scan.txt requirements/scan.in

COMPILE := --quiet --generate-hashes --allow-unsafe --strip-extras --no-header \
  --no-emit-index-url --no-emit-find-links --no-emit-trusted-host --no-emit-options

# A tag vX.Y.Z names the version; between tags it is the one that the source says.
VERSION ?= $(or $(patsubst v%,%,$(shell git describe --tags --exact-match --match 'v[0-9]*' 2>/dev/null)),$(shell \
  sed -n 's/^__version__ = "\(.*\)"$$/\1/p' operator/modelpipeline/__init__.py))
ENGINE ?= docker
REPOSITORY ?= modelpipeline
ARGUMENTS = --build-arg VERSION=$(VERSION) --build-arg REVISION=$(shell git rev-parse HEAD) \
  $(foreach name,BASE RUNTIME SOURCE,$(if $($(name)),--build-arg $(name)=$($(name))))

.PHONY: images
images: $(VENV)/stamp ## Build both images (ENGINE=docker|podman|buildah, REPOSITORY, VERSION, BASE, RUNTIME, SOURCE)
	cp "$$($(BIN)/python -c 'from hack.cluster import binaries; print(binaries.path("crane"))')" crane
	$(ENGINE) build $(ARGUMENTS) --target operator --tag $(REPOSITORY)/operator:v$(VERSION) .
	$(ENGINE) build $(ARGUMENTS) --target build --tag $(REPOSITORY)/build:v$(VERSION) .

.PHONY: sbom
sbom: $(VENV)/stamp ## Write build/sbom/*.cdx.json: what both images hold (NAME=dev, or IMAGES="operator=REF build=REF")
	$(BIN)/python -m hack.images sbom --name $(or $(NAME),dev) $(addprefix --image ,$(IMAGES))

.PHONY: bench
bench: $(VENV)/stamp ## Measure sizes, start and a look at a pipeline, as counts and ratios (NAME=dev)
	$(BIN)/python -m hack.bench images --name $(or $(NAME),dev)
	$(BIN)/python -m hack.bench startup --name $(or $(NAME),dev)
	$(BIN)/python -m hack.bench pass

##@ A cluster of your own
.PHONY: cluster-up
cluster-up: $(VENV)/stamp ## A real Kubernetes (TIER=api|node|kind, NAME=dev)
	$(BIN)/python -m hack.cluster up --tier $(or $(TIER),node) --name $(or $(NAME),dev)

.PHONY: cluster-down
cluster-down: $(VENV)/stamp ## End it and leave nothing (NAME=dev)
	$(BIN)/python -m hack.cluster down --name $(or $(NAME),dev)
