"""A thousand damaged clouds, and one far too big: a scan or a counted reason comes out, never anything else."""

import array
from collections import Counter

import numpy as np
import pytest

pytest.importorskip("rclpy", reason="ROS 2 is not installed: source it, or pip install the wheels the README lists")

from rclpy.serialization import deserialize_message, serialize_message
from sensor_msgs.msg import PointCloud2, PointField

from bev_loc.clouds.damaged import DamagedScan
from bev_loc.config import InputConfig, OdometryConfig
from bev_loc.odometry.lio import Lio
from bev_loc.records import Dropped, LidarScan, Odometry
from bev_loc.ros.conversions import cloud_message, cloud_points
from bev_loc.ros.scan_reader import ScanReader

pytestmark = pytest.mark.ros
STAMP_NS = 1_700_000_000_000_000_000
MUTATIONS = 1000


def sound_cloud(rng: np.random.Generator, points: int = 400) -> PointCloud2:
    xyz = rng.uniform(-20, 20, (points, 3))
    return cloud_message(xyz, STAMP_NS, "lidar", np.linspace(0, 0.1, points, dtype=np.float32))


def mutated(rng: np.random.Generator) -> PointCloud2:
    """A sound cloud with one to three of its parts replaced by something random."""
    message = sound_cloud(rng)
    for kind in rng.integers(0, 10, rng.integers(1, 4)):
        fields = message.fields
        match int(kind):
            case 0:
                message.width = int(rng.choice([0, 1, 7, 399, 401, 10**6, 2**32 - 1]))
            case 1:
                message.height = int(rng.choice([0, 2, 3, 1000, 2**32 - 1]))
            case 2:
                message.point_step = int(rng.choice([0, 1, 3, 15, 17, 32, 2**16, 2**32 - 1]))
            case 3:
                message.row_step = int(rng.choice([0, 1, 15, 2**20, 2**32 - 1]))
            case 4:
                message.is_bigendian = not message.is_bigendian
            case 5:
                message.data = array.array("B", bytes(message.data)[: int(rng.integers(0, len(message.data) + 1))])
            case 6:  # the same bytes, some of them changed
                data = np.frombuffer(message.data, np.uint8).copy()
                if len(data):
                    data[rng.integers(0, len(data), 200)] = rng.integers(0, 256, 200)
                message.data = array.array("B", data.tobytes())
            case 7 if fields:
                fields[rng.integers(len(fields))].datatype = int(rng.integers(0, 256))
            case 8 if fields:
                fields[rng.integers(len(fields))].offset = int(rng.choice([0, 1, 5, 14, 16, 2**31, 2**32 - 1]))
            case _:
                count = int(rng.choice([0, 1, 2, 3, 2**20, 2**32 - 1]))
                name = str(rng.choice(["x", "y", "z", "t", "", "ring", "é\n", "time"]))
                fields.append(PointField(name=name, offset=int(rng.integers(0, 16)), datatype=int(rng.integers(0, 12)), count=count))
                if rng.random() < 0.3:
                    del fields[int(rng.integers(len(fields)))]
    stamp = message.header.stamp
    stamp.sec = int(rng.choice([stamp.sec, stamp.sec, 0, -1, -(2**31), 2**31 - 1]))
    return message


@pytest.mark.parametrize("seed", range(4))
def test_a_fuzzed_cloud_becomes_a_scan_or_a_counted_reason(seed):
    rng = np.random.default_rng(seed)
    reader, counts, readable = ScanReader(InputConfig(), "points"), Counter(), []
    for _ in range(MUTATIONS // 4):
        message = deserialize_message(serialize_message(mutated(rng)), PointCloud2)
        result = reader.read(message, STAMP_NS)
        assert isinstance(result, (LidarScan, Dropped))
        if isinstance(result, Dropped):
            assert result.kind and len(result.reason) > 20
            counts[result.kind] += 1
        else:
            assert result.points_lidar.shape == (len(result.offsets_s), 3) if result.offsets_s is not None else True
            readable.append(result)
        try:
            assert cloud_points(message).shape[1] == 3
        except DamagedScan as damage:
            assert damage.kind
    assert counts["truncated scan"] and counts["malformed cloud"] and len(readable) > 10, counts

    lio, outcomes = Lio(OdometryConfig()), Counter()
    for scan in readable:
        result = lio.on_scan(scan)
        assert isinstance(result, (Odometry, Dropped))
        outcomes[result.kind if isinstance(result, Dropped) else "pose"] += 1
        if isinstance(result, Odometry):
            assert np.isfinite(result.T_odom_base).all() and np.isfinite(result.points_base).all()
    assert sum(outcomes.values()) == len(readable)


def test_ten_million_points_are_thinned_and_that_is_counted():
    points = np.random.default_rng(0).uniform(-60, 60, (10_000, 3)).astype(np.float32)
    message = cloud_message(np.tile(points, (1000, 1)), STAMP_NS, "lidar")
    reader = ScanReader(InputConfig(), "points")
    scan = reader.read(message, STAMP_NS)
    assert isinstance(scan, LidarScan) and len(scan.points_lidar) == 1_000_000 and reader.thinned == 1
    assert isinstance(Lio(OdometryConfig()).on_scan(scan), (Odometry, Dropped))
