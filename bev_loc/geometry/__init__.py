"""Rotations and rigid motions: pure functions on arrays. `p_a = T_a_b @ p_b`; tangents are rotation first."""
