"""Training of the demo's models: one module, one command, per model; `everything` runs them all."""
