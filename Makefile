# What CONTRIBUTING.md lists. Everything runs in .venv, which `make venv` makes.
.PHONY: help venv fast test lint types check pictures architecture plugin site graphs tutorial

help: ## Show these targets
	@grep -hE '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 16

venv: ## Make .venv with the tested versions
	python3 -m venv .venv && .venv/bin/pip install -c constraints.txt -e ".[test]"

fast: ## The tests of some seconds
	.venv/bin/python -m pytest -n 2 -m "not slow"

test: ## All tests
	.venv/bin/python -m pytest -n 2

lint: ## ruff
	.venv/bin/ruff check . && .venv/bin/ruff format --check .

types: ## mypy, strict
	.venv/bin/mypy

check: lint types fast ## What a pull request must pass first

plugin: ## Make the zip of the plugin for QGIS in build/
	.venv/bin/python qgis_plugin/build.py

site: ## Build the site of docs/ in build/site
	NO_MKDOCS_2_WARNING=1 .venv/bin/mkdocs build

graphs: ## Export the shipped network for onnxruntime again, after its checkpoint changed
	.venv/bin/python -c "from geochange.models.onnx.export.engine_graphs import write_graphs; write_graphs()"

architecture: ## Draw docs/architecture.svg again from the imports
	.venv/bin/python docs/architecture.py

tutorial: ## Run docs/tutorial.ipynb and keep its light outputs, after it changed
	.venv/bin/python docs/tutorial.py

pictures: ## Make the pictures of docs/pipelines.md again, in build/pictures
	.venv/bin/python docs/pictures.py build/pictures
