"""YAML is read with care: what asks for too much is refused before it is built, and what people write is not."""

import time
from pathlib import Path

import pytest
import yaml

from lib.core.yaml_files import describe_no_yaml, read_yaml
from tests.conftest import ROOT
from tests.lib.core.hostile_yaml import HOSTILE, write_hostile

MAPPINGS = ("list", "text")  # are YAML, only not of settings


@pytest.mark.parametrize("kind", [kind for kind in HOSTILE if kind not in MAPPINGS])
def test_what_asks_for_too_much_is_refused_at_once(kind: str, tmp_path: Path) -> None:
    """Large, nested deep, or short but standing for thousands of millions: an error of one short line, in seconds."""
    path = tmp_path / "my.yaml"
    write_hostile(path, kind)
    begun = time.process_time()
    with pytest.raises((ValueError, yaml.YAMLError)) as caught:
        read_yaml(path)
    assert time.process_time() - begun < 3
    line, reason = describe_no_yaml(caught.value)
    assert reason and len(line + reason) < 200 and "\n" not in line + reason


def test_what_people_write_is_read(tmp_path: Path) -> None:
    """Every preset and profile of ours, anchors and merges among them, as PyYAML's safe loader reads it."""
    paths = [ROOT / "config.yaml", *(ROOT / "workflow").rglob("*.yaml")]
    assert len(paths) > 5
    for path in paths:
        assert read_yaml(path) == yaml.safe_load(path.read_text(encoding="utf-8"))
    path = tmp_path / "my.yaml"
    path.write_text("a: &a {x: 1, y: [2, 3]}\nb: {<<: *a, y: *a}\n")
    assert read_yaml(path)["b"] == {"x": 1, "y": {"x": 1, "y": [2, 3]}}
    path.write_text("")
    assert read_yaml(path) is None
