"""Places: their descriptors, the search among them, and the keyframes that hold them."""
