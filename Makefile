# Everything a person does with this checkout. `make` alone says what there is.

SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help

# CUDA=1 brings the libraries for NVIDIA GPUs, PYTORCH=1 those and what it takes to import PyTorch; DATA=folder makes the
# demo train on images of your own.
CUDA ?=
PYTORCH ?=
DATA ?=
# The Debian release whose RabbitMQ broker-check takes.
SUITE ?=
# Which tests: TEST=name runs those whose name holds it.
TEST ?=

# cargo-nextest runs tests side by side, each in a process of its own; cargo test does without.
NEXTEST := $(shell cargo nextest --version >/dev/null 2>&1 && echo yes)
ifdef CI
NEXTEST_PROFILE := --profile ci
endif

.PHONY: help
help: ## Say what there is
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | sort | expand -t 16

.PHONY: setup
setup: ## Bring what is missing on this machine (CUDA=1: for NVIDIA GPUs too)
	@python3 scripts/setup.py $(if $(CUDA),--cuda) $(if $(PYTORCH),--pytorch)

.PHONY: build
build: setup ## Build every program
	cargo build --workspace --bins

.PHONY: demo
demo: build ## Train on a real broker, kill the trainer, watch it recover (DATA=folder: your images)
	@python3 scripts/demo.py $(if $(DATA),--data "$(DATA)")

.PHONY: demo-dit
demo-dit: build ## Train a diffusion transformer to draw digits, and have a classifier read what it drew
	@python3 scripts/demo_dit.py

.PHONY: test
test: build ## Run every test (TEST=name: some of them)
	python3 -m unittest discover --start-directory scripts --top-level-directory scripts
ifeq ($(NEXTEST),yes)
	cargo nextest run --workspace $(NEXTEST_PROFILE) $(TEST)
else
	@echo "cargo-nextest is not installed; cargo test runs the same tests, one program after the other."
	RUST_TEST_THREADS=2 cargo test --workspace --no-fail-fast -- $(TEST)
endif

# How many histories, or which one.
HISTORIES ?= 100000
SEED ?=
.PHONY: simulate
simulate: setup ## Play the scheduler through random histories (HISTORIES=number, SEED=number: one of them)
	$(if $(SEED),REKINDLE_SIMULATION_SEED=$(SEED)) REKINDLE_SIMULATION_HISTORIES=$(HISTORIES) \
		cargo test --package scheduler --lib every_history_keeps_the_promises $(if $(SEED),-- --nocapture)

# How long a storm lasts.
MINUTES ?= 3
.PHONY: storm
storm: setup ## Run real programs through everything that can go wrong at random (MINUTES=number, SEED=number)
	cargo build --package scheduler --package checkpoint-store --package system-tests --bins
	target/debug/storm --minutes $(MINUTES) $(if $(SEED),--seed $(SEED))

.PHONY: check
check: setup ## Look at formatting, lints, documentation and licences
	cargo fmt --all --check
	cargo clippy --locked --workspace --all-targets -- -D warnings
	RUSTDOCFLAGS="-D warnings -A rustdoc::private-intra-doc-links" \
		cargo doc --locked --workspace --no-deps --document-private-items --quiet
	@if cargo deny --version >/dev/null 2>&1; then cargo deny check; \
	else echo "cargo-deny is not installed; licences and advisories were not looked at (cargo install cargo-deny)."; fi

.PHONY: bench
bench: ## Measure beside PyTorch, and write the figures into docs/benchmarks.md
	@python3 scripts/setup.py --pytorch
	cargo build --release --workspace --bins
	target/release/bench

.PHONY: bench-train
bench-train: ## Measure training alone beside PyTorch: steps, images, memory, start (REKINDLE_BENCH_IMAGES=folder: an epoch)
	@python3 scripts/setup.py --pytorch
	cargo build --release --workspace --bins
	target/release/bench step dit-twin dit-step limit pipeline cold-start $(if $(REKINDLE_BENCH_IMAGES),epoch)
	$(if $(REKINDLE_BENCH_IMAGES),,@echo "No epoch was measured: REKINDLE_BENCH_IMAGES names no folder with catdog-100px.")

.PHONY: schemas
schemas: setup ## Write docs/schemas anew from the message types
	UPDATE=1 cargo test --package contract

.PHONY: docker-check
docker-check: ## Build the images without a registry and run a job through docker compose
	@python3 scripts/docker_check.py

.PHONY: broker-check
broker-check: setup ## Run the tests against the newest RabbitMQ that Debian carries (SUITE=trixie: another)
	@python3 scripts/broker_check.py $(if $(SUITE),--suite $(SUITE))

.PHONY: clean
clean: ## Remove what was built and what runs left behind; keep what setup brought
	rm -rf target data/demo data/.demo.lock
