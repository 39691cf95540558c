"""Classes that a detector does not know are told before any work."""

import json
import pickle
from pathlib import Path

from lib.core.files import read_json
from lib.masks.detector import load_detector
from lib.masks.detector_classes import check_classes
from lib.masks.ultralytics_setup import configure_ultralytics
from tests.conftest import ROOT
from tests.lib.masks.hostile_weights import RunsCode

DETECTOR_FOLDER = ROOT / "demo" / "models" / "yolo11-tiny"


def test_a_misspelt_class_is_told_with_the_nearest(tmp_path: Path) -> None:
    """Of a folder, whose names are beside its weights; nothing is asked where all classes count."""
    cache = tmp_path / "classes.json"
    known = json.loads((DETECTOR_FOLDER / "metadata.json").read_text(encoding="utf-8"))["class_names"]
    assert not check_classes(known[:2], str(DETECTOR_FOLDER), cache)
    (problem,) = check_classes([known[0], known[1] + "x"], str(DETECTOR_FOLDER), cache)
    assert known[1] + "x" in problem.found and known[1] in problem.expected
    assert not check_classes(None, str(tmp_path), cache) and not check_classes(["anything"], None, cache)


def test_weights_are_asked_once(tmp_path: Path) -> None:
    """A .pt file is loaded by a process of its own, and what it said is kept until the file changes."""
    path, cache = tmp_path / "saved.pt", tmp_path / "classes.json"
    configure_ultralytics(tmp_path / "ultralytics")
    detector = load_detector(DETECTOR_FOLDER)
    detector.save(path)
    (problem,) = check_classes(["unicorn"], str(path), cache)
    assert problem.found == "'unicorn'"
    assert read_json(cache)["classes"] == list(detector.names.values())
    status = path.stat()
    path.write_bytes(pickle.dumps({"model": RunsCode(tmp_path / "trace"), "train_args": {}}))
    assert status.st_mtime_ns != path.stat().st_mtime_ns
    (problem,) = check_classes(["unicorn"], str(path), cache)
    assert "does not load" in problem.found and "saved.pt" in problem.found
    assert not (tmp_path / "trace").exists()


def test_a_folder_that_is_no_detector_is_told(tmp_path: Path) -> None:
    """It names the file that is missing."""
    (problem,) = check_classes(["star"], str(tmp_path), tmp_path / "classes.json")
    assert "metadata.json" in problem.found
