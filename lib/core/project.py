"""Where the project itself lies."""

from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
"""The folder that holds config.yaml and demo/; model paths may be relative to it."""
