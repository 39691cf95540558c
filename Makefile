# make demo: from nothing to edited videos and a report.   make test: from nothing to a checked installation.
PYTHON ?= python3
VENV ?= .venv
CORES ?= all
RESULTS ?= results
SCENES ?= 20
EVOLVING ?= 20
MOVING ?= 0
METHODS ?= mask_lora naive_lora base
ABLATION = mask_lora unlocked naive_lora base base_masked all_ones all_zeros tight_mask noisy_mask composited \
	locked_composited
EVALUATION ?= evaluation
TEST_PROCESSES ?= 2
CONFIGFILE ?=
BENCHMARK ?=
PYTEST = OMP_NUM_THREADS=1 $(VENV)/bin/python -m pytest -n $(TEST_PROCESSES)
PIP = $(VENV)/bin/pip --quiet --disable-pip-version-check
TORCH = $(shell grep '^torch==' envs/constraints.txt)
ULTRALYTICS = $(shell grep '^ultralytics==' envs/constraints.txt)

.PHONY: demo test test-slow lint evaluate ablation evaluate-masks benchmark benchmark-clip schema picture benchmark-planning benchmark-report chaos install install-dev clean

demo: install
	$(VENV)/bin/snakemake --cores $(CORES) --config results="$(RESULTS)"
	@echo "Open $$(realpath "$(RESULTS)/report/index.html")"

test: install-dev lint
	$(PYTEST) -m "not slow"

# What changes seldom or few machines can run: the trainings behind the demo's models, real footage where it lies beside
# the checkout, and a SLURM started for the tests (as root), whose nodes die, and which meets faults at random.
test-slow: install-dev
	$(PYTEST) -m slow

lint: install-dev
	$(VENV)/bin/ruff check .
	$(VENV)/bin/ruff format --check .
	$(VENV)/bin/snakefmt --check Snakefile workflow
	$(VENV)/bin/mypy
	$(VENV)/bin/lint-imports
	$(VENV)/bin/snakemake --lint

# How near edits of held-out scenes come to their exact truth. Run again, it goes on; CONFIGFILE holds other settings.
evaluate: install
	$(VENV)/bin/python -m demo.evaluation --output "$(EVALUATION)" --scenes $(SCENES) --moving $(MOVING) \
		--evolving $(EVOLVING) --methods $(METHODS) --cores $(CORES) \
		$(if $(CONFIGFILE),--configfile "$(CONFIGFILE)")

# The paper's ablations and ours, claim by claim. Goes on after a kill, and from what `make evaluate` made.
ablation: install
	$(VENV)/bin/python -m demo.evaluation --output "$(EVALUATION)" --scenes $(SCENES) --moving $(MOVING) \
		--evolving $(EVOLVING) --pairs $(EVOLVING) --drifted $(EVOLVING) --methods $(ABLATION) \
		--cores $(CORES) $(if $(CONFIGFILE),--configfile "$(CONFIGFILE)")

# How well automatic masks hold the true edit, case by case, in 240 held-out scenes.
evaluate-masks: install
	OMP_NUM_THREADS=1 $(VENV)/bin/python -m demo.mask_evaluation --output "$(EVALUATION)/masks"

# Seconds and GPU memory of the 14B model, with random weights, in each memory mode; BENCHMARK="--family all" for all
# families', "--tiny" for a CPU.
benchmark: install
	$(VENV)/bin/python -m demo.benchmark $(BENCHMARK)

# The seconds of each part of one clip, from loading 46 GB of random weights to the decoded video.
benchmark-clip: install
	$(VENV)/bin/python -m demo.benchmark.whole_clip --work "$(EVALUATION)/whole-clip" $(BENCHMARK)

# How long planning a large batch takes.
benchmark-planning: install-dev
	OMP_NUM_THREADS=1 $(VENV)/bin/python -m tests.workflow.benchmark_planning

# How long the report of a large batch takes to write and to open.
benchmark-report: install-dev
	OMP_NUM_THREADS=1 $(VENV)/bin/python -m tests.lib.report.benchmark_report

# Faults at random for five minutes to a batch of 30 clips, on a SLURM started for it (as root; an hour on two cores).
chaos: install-dev
	OMP_NUM_THREADS=1 SLURM_TESTS=required CHAOS_CLIPS=30 CHAOS_SECONDS=300 \
		$(VENV)/bin/python -m pytest -s tests/workflow/test_slurm_chaos.py

# After a change to a model of lib/config: the JSON schema and docs/settings.md; tests fail until it is done.
schema: install
	$(VENV)/bin/python -c 'from lib.config.documentation import json_schema; print(json_schema(), end="")' \
		> workflow/schemas/config.schema.json
	$(VENV)/bin/python -m lib.config.documentation > docs/settings.md

# The README's picture, from the results of `make demo`.
picture: install
	$(VENV)/bin/python -m demo.make_picture --results "$(RESULTS)" --output docs/demo.jpg

install: $(VENV)/installed
install-dev: $(VENV)/installed-dev

# torch first, so that nothing after it brings another build; ultralytics without its dependencies (see the files).
$(VENV)/installed: envs/requirements.txt envs/constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "$(PYTHON) is older than 3.11; name a newer one: make PYTHON=python3.11 $(MAKECMDGOALS)"; exit 1; }
	$(PYTHON) -m venv $(VENV) || { echo "python3-venv is missing: apt install python3-venv"; exit 1; }
	@echo "Installing into $(VENV), once (minutes) ..."
	$(PIP) install "$(TORCH)"
	$(PIP) install -c envs/constraints.txt -r envs/requirements.txt
	$(PIP) install --no-deps "$(ULTRALYTICS)"
	@touch $@

$(VENV)/installed-dev: $(VENV)/installed envs/requirements-dev.txt
	$(PIP) install -c envs/constraints.txt -r envs/requirements-dev.txt
	@touch $@

clean:
	rm -rf $(VENV) .snakemake slurm_logs "$(RESULTS)"
