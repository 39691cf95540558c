"""The ground-truth benchmark: held-out scenes of the procedural world, edited by the real workflow and measured."""
