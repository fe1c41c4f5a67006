"""Clouds: points in, points out; what a sensor driver's message holds, as arrays."""
