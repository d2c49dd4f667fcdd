# `make demo` and `make test` do all of their own set-up; `make help` lists the rest.
SHELL := /bin/bash
.DEFAULT_GOAL := help

# The interpreter that runs the set-up; it looks for one that the package supports by itself.
SETUP_PYTHON := $(or $(PYTHON),$(firstword $(foreach name,python3 python3.12 python3.11 python3.13 python3.10,$(shell command -v $(name)))))
IN_ENV := source scripts/env.sh &&
export PYTHON TORCH TORCH_INDEX

TASK ?= pick_place
PORT ?= 8080
# Passed on only when given; the demo has its own defaults.
DEMO_OPTIONS = --task $(TASK) $(if $(EPISODES),--episodes $(EPISODES)) $(if $(SEED),--seed $(SEED)) $(if $(ARM),--arm $(ARM)) \
	$(if $(EXECUTION),--execution $(EXECUTION)) $(if $(RECORD),--record)

.PHONY: help build demo dashboard own-data subgoals test test-fast faults soak bench monitor lint docs format clean

help:  ## this list
	@sed -nE 's/^([a-z-]+):[^#]*## (.*)/  make \1\t\2/p' Makefile | expand -t 20

build:  ## make .venv/ and build the package (PYTHON=, TORCH=, TORCH_INDEX= choose what with)
	@test -n "$(SETUP_PYTHON)" || { echo "No python3 found. Debian, Ubuntu: apt-get install python3 python3-venv python3-dev" >&2; exit 1; }
	@"$(SETUP_PYTHON)" scripts/bootstrap.py

demo: build  ## the simulated arm follows goal images: TASK=pick_place|reach|gripper EPISODES=n SEED=n EXECUTION=pipelined RECORD=1
	@$(IN_ENV) python -m vjepa_mpc.tools.demo $(DEMO_OPTIONS)

dashboard: build  ## the operator's page on a simulated arm, with goals to try: TASK= SEED=n PORT=n
	@$(IN_ENV) python -m vjepa_mpc.tools.dashboard --task $(TASK) $(if $(SEED),--seed $(SEED)) --port $(PORT)

test: build  ## every test (PYTEST_ARGS= adds options)
	@$(IN_ENV) python -m pytest test $(PYTEST_ARGS)

# Any Python with the packages of setup.py will do: these tests are ROS-free.
test-fast:  ## the unit tests that take no more than a few seconds each; they need no ROS build (PYTHON= chooses what with)
	@"$(or $(PYTHON),$(wildcard .venv/bin/python),python3)" -m pytest test/unit -m "not slow" $(PYTEST_ARGS)

faults: build  ## the fault suite alone; results/faults.md and faults.json
	@$(IN_ENV) python -m pytest test/system/faults $(PYTEST_ARGS)
	@cat results/faults.md

MINUTES ?= 10
soak: build  ## goals in a loop with random faults: MINUTES=n SEED=n RECORD=1; results/soak.md and soak.json
	@$(IN_ENV) python test/system/faults/soak.py --minutes $(MINUTES) --seed $(or $(SEED),0) $(if $(RECORD),--record)

BENCHMARKS = rollout plan quality loop growth
BENCH = $(BENCHMARKS)
bench: build  ## every benchmark into results/bench/ (BENCH="rollout plan" chooses; half an hour on two CPU cores)
	@$(IN_ENV) { python -c "import vjepa2" 2>/dev/null || python -m pip install --quiet --no-deps cc-vjepa2==0.0.3; } || true
	@mkdir -p results/bench
	@failed=; $(IN_ENV) for name in $(BENCH); do \
		python benchmarks/bench_$$name.py --json results/bench/$$name.json || failed="$$failed $$name"; \
	done; \
	{ printf '# Benchmarks\n\nBy `make bench`; what each measures is told in docs/performance.md.\n\n'; \
		cat $(BENCHMARKS:%=results/bench/%.md) 2>/dev/null; } > results/bench/README.md; \
	[ -z "$$failed" ] || { echo "These benchmarks failed:$$failed" >&2; exit 1; }

calibration: build  ## what camera calibration does for a turned camera, into results/calibration.md
	@$(IN_ENV) vjepa-mpc calibrate-sim --out results

# Ten minutes and n = 30: make own-data MINUTES=10 STEPS=600 SAMPLES=60 EPISODES=30
OWN_DATA_OPTIONS = $(if $(filter file,$(origin MINUTES)),,--minutes $(MINUTES)) $(if $(STEPS),--steps $(STEPS)) $(if $(SAMPLES),--samples $(SAMPLES)) \
	$(if $(EPISODES),--episodes $(EPISODES)) $(if $(SEED),--seed $(SEED)) $(if $(TURN),--turn $(TURN))
own-data: build  ## a camera that the model does not know: play, record, post-train, judge and reach before and after; MINUTES=n STEPS=n EPISODES=n
	@$(IN_ENV) python -m vjepa_mpc.tools.own_data $(OWN_DATA_OPTIONS)

monitor: build  ## how well the monitor notices what goes wrong, in the simulator, into results/monitor.md (goes on where it was)
	@$(IN_ENV) vjepa-mpc monitor evaluate --out results

goals: build  ## sub-goals that end by budget beside ones that end early, into results/goals.md
	@$(IN_ENV) vjepa-mpc compare-endings --seed 4071 --out results

subgoals: build  ## pick and place with sub-goals found in a video of one demonstration; results/subgoals.json
	@$(IN_ENV) mkdir -p results && vjepa-mpc evaluate --task pick_place --goals demonstration --ends early --preset fast --seed 4081 --no-baselines \
		--require 0.9 --json results/subgoals.json

lint: build  ## ruff, and a type check of the whole package
	@$(IN_ENV) ruff check . && ruff format --check . && mypy

docs: build  ## state every parameter in config/*.yaml and docs/parameters.md, from where it is declared
	@$(IN_ENV) python -m vjepa_mpc.tools.docs

format: build  ## let ruff rewrite what it can
	@$(IN_ENV) ruff check --fix . && ruff format .

clean:  ## remove everything that was made, the results included
	rm -rf .venv build install log results .pytest_cache .ruff_cache .mypy_cache *.egg-info
	find vjepa_mpc test launch scripts -name __pycache__ -type d -prune -exec rm -rf {} +
