"""The embedded default batch: its procedural clips, its tiny models, and the code that makes both."""
