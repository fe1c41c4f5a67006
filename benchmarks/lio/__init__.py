"""What the odometry benchmarks share: systems under test, simulated drives, runs that are kept, their figures."""
