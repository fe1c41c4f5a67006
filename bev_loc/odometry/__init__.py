"""Odometry: where the base is relative to where it started, scan by scan."""
