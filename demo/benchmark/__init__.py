"""Speed and memory of the real architecture."""
