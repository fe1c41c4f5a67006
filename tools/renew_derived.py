"""Writes what derives from bev_loc/config.py: config/bev_loc.yaml, config/ros_parameters.yaml and the table in README.md."""

import re
from pathlib import Path

from bev_loc.config import Config
from bev_loc.config_io import dump, table
from bev_loc.ros.params import ros_yaml

root = Path(__file__).resolve().parents[1]
(root / "config" / "bev_loc.yaml").write_text(dump(Config()))
(root / "config" / "ros_parameters.yaml").write_text(ros_yaml(Config()))
readme = root / "README.md"
shown = re.compile(r"(?<=<!-- configuration: tools/renew_derived.py -->\n).*?(?=<!-- end -->)", re.DOTALL)
readme.write_text(shown.sub(lambda _: table(Config()), readme.read_text()))
