"""A procedural world of moving shapes whose edits have an exact ground truth."""
