"""Speed and memory of real architectures, family by family."""
