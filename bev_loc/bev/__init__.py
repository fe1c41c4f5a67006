"""Bird's-eye-view images of clouds: grid, raster, keypoints."""
