# `make demo` and `make test` work from a fresh clone: Python 3.11 or newer, make, gcc and a package index.
PYTHON ?= python3
VENV ?= .venv
OUT ?= out/demo
JOBS ?= 2
READY := $(VENV)/.ready

.PHONY: demo test test-jazzy bench lint setup clean

demo: $(READY)
	$(VENV)/bin/python -m bev_loc demo --out $(OUT) --force

test: $(READY)
	$(VENV)/bin/python -m pytest -n $(JOBS) --dist loadfile $(ARGS)

# The ROS tests with Jazzy's client library, in an environment of its own.
test-jazzy:
	[ -x $(VENV)-jazzy/bin/python ] || $(PYTHON) -m venv $(VENV)-jazzy
	$(VENV)-jazzy/bin/python -m pip install -q -c requirements/constraints.txt -e '.[sim,test]'
	$(VENV)-jazzy/bin/python -m pip install -q -r requirements/ros-test-jazzy.txt
	$(VENV)-jazzy/bin/python -m pytest test/ros $(ARGS)

bench: $(READY)
	$(VENV)/bin/python -m pip install -q -c requirements/constraints.txt -e '.[bench]'
	for script in benchmarks/*.py; do $(VENV)/bin/python $$script || exit 1; done

lint: $(READY)
	$(VENV)/bin/python -m pip install -q -c requirements/constraints.txt ruff
	$(VENV)/bin/ruff check .

setup: $(READY)

$(READY): setup.py tools/setup.sh requirements/constraints.txt requirements/ros-test.txt
	tools/setup.sh $(PYTHON) $(VENV)
	touch $@

clean:
	rm -rf $(VENV) out build *.egg-info
