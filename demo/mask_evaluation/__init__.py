"""A benchmark of the automatic edit masks against the exact truth of the procedural world."""
