"""Candidates become closures here, or are refused with a reason."""
