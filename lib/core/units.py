"""Units."""

GIB = 2**30  # bytes
