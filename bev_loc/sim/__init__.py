"""Simulated drives: worlds of triangles, ray-cast lidar with motion distortion, IMU, camera, known truth."""
