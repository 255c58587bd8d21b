# One command each: install, run, test, check. CI calls the same ones.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
PORT ?= 4000
REVIEW ?=
REVIEW_URL := http://127.0.0.1:4105/graphql
REVIEW_STAMP := backends/review/node_modules/.installed
PEERS ?=
PEERS_STAMP := benchmarks/peers/node_modules/.installed
ARGS ?=

.PHONY: run test check lint bench ide protos clean system-packages

run: $(STAMP) $(if $(REVIEW),$(REVIEW_STAMP)) ## example backends and gateway
	@$(if $(REVIEW),REVIEW_URL=$(REVIEW_URL)) $(BIN)/graphgw dev \
	  --config graphgw.yaml --port $(PORT) $(if $(REVIEW),--with review)

test: $(STAMP) system-packages $(REVIEW_STAMP) ## the whole test suite (ARGS="-k planning")
	$(BIN)/python -m pytest --numprocesses 2 --dist loadfile --no-loadscope-reorder --benchmark-disable $(ARGS)

check: $(STAMP) ## format, lint, types, import rules
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/python -m pytest -q tests/test_architecture.py

lint: $(STAMP) ## mend what can be mended
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

bench: $(STAMP) $(if $(PEERS),$(PEERS_STAMP)) ## CPU per request (PEERS=1: beside Node gateways)
	$(BIN)/python -m benchmarks $(if $(PEERS),--peers) $(ARGS)
	$(if $(ARGS),,$(BIN)/python -m benchmarks plan)

ide: ## build GraphiQL into graphgw/server/ide (needs Node 20)
	cd ide && npm ci --no-audit --no-fund && npm run build

protos: $(STAMP) ## generate the Python modules of the example's .proto files
	$(BIN)/python -m backends.protos.generate

clean:
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .hypothesis dist

$(STAMP): pyproject.toml
	@$(PYTHON) -c 'import ensurepip' 2>/dev/null || sh tools/install-packages.sh python3-venv
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --upgrade pip
	$(BIN)/python -m pip install --quiet --editable '.[dev]'
	@touch $@

$(REVIEW_STAMP): backends/review/package-lock.json
	@command -v npm >/dev/null || sh tools/install-packages.sh nodejs npm
	cd backends/review && npm ci --no-audit --no-fund --silent
	@touch $@

$(PEERS_STAMP): benchmarks/peers/package-lock.json
	@command -v npm >/dev/null || sh tools/install-packages.sh nodejs npm
	cd benchmarks/peers && npm ci --no-audit --no-fund --silent
	@touch $@

system-packages: ## what the tests need beside Python
	@command -v chromium >/dev/null || sh tools/install-packages.sh chromium
	@command -v redis-server >/dev/null || sh tools/install-packages.sh redis-server
	@command -v node >/dev/null || sh tools/install-packages.sh nodejs npm
