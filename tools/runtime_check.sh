#!/bin/sh
# Proves that the run-time needs neither Torch nor Open3D: installs the package alone into an environment of its own,
# says how big that is, then maps and localizes on SOURCE by the command line and through the ROS nodes (wheels).
# Usage: tools/runtime_check.sh SOURCE [PYTHON]      SOURCE as for `bev_loc run`; 40 scans of a drive are enough
set -eu
source=$(realpath "${1:?SOURCE is wanted: a recording, as for bev_loc run}")
python=${2:-python3}
cd "$(dirname "$0")/.."
work=$(mktemp -d)
nodes=
trap 'kill $nodes 2>/dev/null || true; rm -rf "$work"' EXIT
say() { printf 'run-time check: %s\n' "$*"; }

"$python" -m venv "$work/venv"
bin=$work/venv/bin
begin=$(date +%s)
"$bin/pip" install -q --disable-pip-version-check -c requirements/constraints.txt . 2>"$work/pip.log" || { cat "$work/pip.log"; exit 1; }
say "installed in $(($(date +%s) - begin)) s, $(du -sm "$work/venv" | cut -f1) MB with Python's own environment"
cd "$work"
"$bin/python" - <<'EOF'
from importlib.util import find_spec
there = [name for name in ("torch", "open3d", "rerun", "evo") if find_spec(name)]
raise SystemExit(f"not wanted at run time, and there: {there}" if there else 0)
EOF
export NUMBA_CACHE_DIR="$work/kernels"

"$bin/bev_loc" run "$source" --out a --save-map map --set keyframes.distance_m=1 >/dev/null 2>a.log || { cat a.log; exit 1; }
"$bin/bev_loc" run "$source" --out b --map map --set keyframes.distance_m=1 --json >b.json 2>b.log || { cat b.log; exit 1; }
say "command line: mapped, then localized in the map: $("$bin/python" -c 'import json; r = json.load(open("b.json")); print(r["poses"], "poses, state", r["state"])')"

"$bin/pip" install -q --disable-pip-version-check -c "$OLDPWD/requirements/constraints.txt" -r "$OLDPWD/requirements/ros-test.txt" 2>pip.log || {
    say "no ROS wheels for this Python: nodes not tried"; exit 0; }
export ROS_AUTOMATIC_DISCOVERY_RANGE=LOCALHOST ROS_DOMAIN_ID=91
# as the launch file does: by UDP clouds of 2 MB are lost on a busy machine, and with them keyframes
FASTDDS_DEFAULT_PROFILES_FILE=$(realpath "$OLDPWD/config/fastdds_shared_memory.xml")
export FASTDDS_DEFAULT_PROFILES_FILE FASTRTPS_DEFAULT_PROFILES_FILE="$FASTDDS_DEFAULT_PROFILES_FILE"
for name in odometry_node localization_node; do
    "$bin/bev_loc_$name" --ros-args -p save_map_path:="$work/ros_map" -p keyframes.distance_m:=1.0 >"$name.log" 2>&1 &
    nodes="$nodes $!"
done
"$bin/bev_loc_source_node" --ros-args -p source:="$source" -p rate:=0.0 -p wait_for:="points cloud_deskewed" -p wait_s:=300.0 >source.log 2>&1 || {
    cat ./*.log; exit 1; }
sleep 10
for node in $nodes; do kill -INT "$node"; done
for node in $nodes; do wait "$node" || { cat ./*.log; exit 1; }; done
nodes=
keyframes() { "$bin/bev_loc" map info "$1" --json | "$bin/python" -c 'import json, sys; print(json.load(sys.stdin)["keyframes"])'; }
say "nodes: $(grep -o 'replayed .*' source.log); map with $(keyframes ros_map) keyframes saved, by the command line $(keyframes map)"
[ $((2 * $(keyframes ros_map))) -ge "$(keyframes map)" ] || { echo "run-time check: the nodes' map lacks keyframes"; cat ./*.log; exit 1; }
