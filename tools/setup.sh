#!/bin/sh
# Sets up a virtual environment with everything the demo and the tests need, from Python, make and gcc.
# Usage: tools/setup.sh PYTHON VENV
set -eu
python=$1
venv=$2
cd "$(dirname "$0")/.."

say() { printf 'bev_loc set-up: %s\n' "$*" >&2; }
system() {  # install Debian packages when root, else print the line to copy
    if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null 2>&1; then
        say "installing $*"
        DEBIAN_FRONTEND=noninteractive apt-get update -qq >&2
        DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "$@" >&2
    else
        say "system packages are missing. Run this, then make again:"
        say "    sudo apt-get install -y $*"
        exit 1
    fi
}

if ! command -v "$python" >/dev/null; then
    say "there is no '$python' here; install Python 3.11 or newer, or name it: make PYTHON=python3.12 ..."
    exit 1
fi
if ! "$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
    say "needs Python 3.11 or newer, '$python' is $("$python" -V 2>&1); name another one: make PYTHON=python3.12 ..."
    exit 1
fi
missing=$("$python" bev_loc/cli/system_libraries.py)
# shellcheck disable=SC2086 (one package a word)
[ -z "$missing" ] || system $missing
"$python" -c 'import ensurepip, venv' 2>/dev/null ||
    system "python$("$python" -c 'import sys; print("%d.%d" % sys.version_info[:2])')-venv"

[ -x "$venv/bin/python" ] || "$python" -m venv "$venv"
pip="$venv/bin/python -m pip --disable-pip-version-check"
say "installing Python packages into $venv (a minute or two the first time)"
$pip install -q -c requirements/constraints.txt -e '.[sim,test]'
if ! $pip install -q -c requirements/constraints.txt -r requirements/ros-test.txt; then
    # The ROS wheels exist for Linux on x86-64 and few Pythons; everything else works without them.
    [ -z "${CI:-}" ] || exit 1
    say "no ROS 2 wheels for this machine: the ROS tests will be skipped"
fi

# Numba keeps what it compiles: here, once, instead of in the first seconds of the first run.
say "compiling the kernels"
scratch=$(mktemp -d)
"$venv/bin/bev_loc" run sim:town,seconds=6 --out "$scratch/a" --save-map "$scratch/map" >"$scratch/log" 2>&1 &&
    "$venv/bin/bev_loc" run sim:town,seconds=4 --out "$scratch/b" --map "$scratch/map" >>"$scratch/log" 2>&1 || {
    cat "$scratch/log" >&2
    say "the first run failed, see above"
    exit 1
}
rm -rf "$scratch"
say "ready: $venv/bin/bev_loc --help"
