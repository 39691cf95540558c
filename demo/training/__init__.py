"""Training of the demo's models on one GPU: one module, one command, per model."""
