"""LiDAR global localization and mapping: map, close loops, find yourself in the map, stay found."""

__version__ = "0.1.0"
