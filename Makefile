# Everything runs from the virtual environment .venv, which the first target that needs it sets up.
PYTHON ?= python3.11
BIN := .venv/bin
# The locks name all that is needed, so that there is nothing to look for. An index that only pip is told of is asked
# where uv, which is ten times as fast, finds nothing. What is imported is compiled then, once: images for containers
# often forbid that, and each dbt would begin with ten seconds of compiling.
UV := uv==0.13.9
LOCKED := --require-hashes --no-deps --requirement
install = $(1)/pip install --quiet --disable-pip-version-check $(UV) && \
	{ $(1)/uv pip install --system-certs --python $(1)/python $(LOCKED) $(2) || { echo "uv could not: asking pip ..." >&2; \
	$(1)/pip install --disable-pip-version-check --no-compile $(LOCKED) $(2); }; }
unexport PYTHONDONTWRITEBYTECODE
export DBT_SEND_ANONYMOUS_USAGE_STATS := false

.DEFAULT_GOAL := help
.PHONY: help build build-spark test dagster dashboard superset docs lint lint-python lint-sql demo-data bench lock clean

help: ## Say what each target does
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 14

build: .venv/.ready ## Build, test and publish the warehouse (the demo shop, or CARTWRIGHT_RAW_PATH)
	@# A build that failed is not published, and that says which check failed, by which rows.
	@$(BIN)/dbt build; built=$$?; $(BIN)/python -m orchestration.publish && exit $$built

build-spark: export CARTWRIGHT_TARGET := spark
build-spark: .venv/.ready-spark ## Build, test and publish it on Apache Spark (docs/scale-out.md); needs Java 17
	@$(BIN)/python -m orchestration.spark build; built=$$?; $(BIN)/python -m orchestration.publish && exit $$built

dashboard: .venv/.ready ## Open the dashboard on 127.0.0.1:8501, or PORT=
	@$(BIN)/streamlit run dashboards/app.py --server.port $(or $(PORT),8501)

superset: export SUPERSET_HOME ?= $(CURDIR)/.superset
superset: export SUPERSET_CONFIG_PATH := $(CURDIR)/dashboards/superset/superset_config.py
superset: .superset/.ready ## Open Apache Superset over the marts, on http://127.0.0.1:8088 (PORT=...)
	@.superset/venv/bin/python -m dashboards.superset.provision
	@echo "Superset is at http://127.0.0.1:$(or $(PORT),8088), user admin; Ctrl+C ends it"
	@.superset/venv/bin/gunicorn --bind 127.0.0.1:$(or $(PORT),8088) --workers 2 --worker-class gthread --threads 8 \
		--timeout 120 --log-level warning "superset.app:create_app()"

docs: .venv/.ready ## Write the docs of every model, column and metric, with lineage: target/static_index.html
	@$(BIN)/dbt docs generate --static
	@echo "Open target/static_index.html in a browser; it is one file, and asks for nothing else"

test: .venv/.ready-dev lint ## Run the linters and the project's own tests
	@$(BIN)/python -m pytest --numprocesses 2 --dist loadgroup --no-loadscope-reorder

dagster: export DAGSTER_HOME ?= $(CURDIR)/.dagster
dagster: export VIRTUAL_ENV := $(CURDIR)/.venv
dagster: .venv/.ready ## Refresh every day: Dagster, its schedule on, its UI on http://127.0.0.1:3000 (PORT=...)
	@$(BIN)/python -m orchestration.dagster_home --serve $(or $(PORT),3000)

lint: .venv/.ready-dev ## Check the style of SQL and Python
	@echo "ruff, mypy, sqlfluff ..."
	@$(MAKE) --no-print-directory --jobs 2 lint-python lint-sql

lint-python: .venv/.ready-dev
	@$(BIN)/ruff check --quiet . && $(BIN)/ruff format --quiet --check .
	@$(BIN)/mypy

lint-sql: .venv/.ready-dev
	@CARTWRIGHT_WAREHOUSE=target/lint/cartwright.duckdb DBT_TARGET_PATH=target/lint PYTHONWARNINGS=ignore \
		$(BIN)/sqlfluff lint --quiet --processes 2 --disable-progress-bar models tests/singular

demo-data: .venv/.ready ## Write the demo shop's raw tables again (seeds/raw)
	@$(BIN)/python -m seeds.simulator demo

bench: .venv/.ready-dev ## Measure, and write docs/bench.md: make bench EVENTS="1000000 10000000"
	@$(BIN)/python -m benchmarks.bench --events $(or $(EVENTS),1000000) $(BENCH)

lock: .venv/.ready ## Lock the versions of pyproject.toml into requirements*.txt
	@$(BIN)/pip install --quiet --disable-pip-version-check $(UV)
	@$(BIN)/uv pip compile --quiet --python-version 3.11 --generate-hashes --no-header --no-annotate --no-strip-extras \
		--extra dev pyproject.toml --output-file requirements-dev.txt
	@sed -e 's/ \\$$//' -e '/--hash/d' requirements-dev.txt > .venv/constraints.txt
	@$(BIN)/uv pip compile --quiet --python-version 3.11 --generate-hashes --no-header --no-annotate --no-strip-extras \
		--constraint .venv/constraints.txt pyproject.toml --output-file requirements.txt
	@$(BIN)/uv pip compile --quiet --python-version 3.11 --generate-hashes --no-header --no-annotate --no-strip-extras \
		--constraint .venv/constraints.txt --extra spark pyproject.toml --output-file requirements-spark.txt
	@$(BIN)/uv pip compile --quiet --python-version 3.11 --generate-hashes --no-header --no-annotate \
		--group pyproject.toml:superset --output-file dashboards/superset/requirements.txt

clean: ## Remove what was built; the environment stays
	rm -rf warehouse published target logs

.venv/.python:
	@command -v $(PYTHON) > /dev/null || { echo "Python 3.11 is needed; install it, or set PYTHON=..." >&2; exit 1; }
	@$(PYTHON) -m venv .venv || { echo "Python's venv module is needed: apt-get install python3-venv" >&2; exit 1; }
	@# The project's own package, so that dbt finds its plugin from any folder.
	@echo "$(CURDIR)" > .venv/lib/python3.11/site-packages/cartwright.pth
	@touch $@

.venv/.ready: .venv/.python requirements.txt
	@echo "Setting up .venv (once; a minute or less) ..."
	@$(call install,$(BIN),requirements.txt)
	@touch $@

.venv/.ready-dev: .venv/.python requirements-dev.txt
	@echo "Setting up .venv with the test tools (once; a minute or less) ..."
	@$(call install,$(BIN),requirements-dev.txt)
	@touch .venv/.ready $@

.venv/.ready-spark: .venv/.ready requirements-spark.txt
	@java -version > /dev/null 2>&1 || { echo "Java 17 is needed for Spark: install it (apt-get install openjdk-17-jre-headless)" >&2; exit 1; }
	@echo "Adding Spark to .venv (once; a minute or two) ..."
	@$(call install,$(BIN),requirements-spark.txt)
	@touch $@

.superset/.ready: dashboards/superset/requirements.txt
	@command -v $(PYTHON) > /dev/null || { echo "Python 3.11 is needed; install it, or set PYTHON=..." >&2; exit 1; }
	@echo "Setting up .superset with Apache Superset (once; about two minutes) ..."
	@$(PYTHON) -m venv .superset/venv || { echo "Python's venv module is needed: apt-get install python3-venv" >&2; exit 1; }
	@$(call install,.superset/venv/bin,$<)
	@touch $@
