"""The detector finds and follows moving shapes, and refuses files that could run code."""

import importlib.metadata
import importlib.util
import pickle
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import load_file

from demo.make_clips import demo_clips
from demo.world.random_scenes import random_scene
from demo.world.rendering import render
from demo.world.truth import figure_boxes
from lib.core.errors import InputError
from lib.core.files import read_json, write_json
from lib.masks.detector import detect_objects, load_detector
from lib.masks.object_links import Detection, detections_as_json, detections_from_json, of_classes
from lib.masks.ultralytics_setup import configure_ultralytics, tame_ultralytics
from tests.lib.masks.hostile_weights import RunsCode

DETECTOR_FOLDER = Path(__file__).parents[3] / "demo/models/yolo11-tiny"
CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def detector(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """Load the demo's detector."""
    configure_ultralytics(tmp_path_factory.mktemp("ultralytics"))
    return load_detector(DETECTOR_FOLDER)


def overlap(first: np.ndarray, second: np.ndarray) -> float:
    """Intersection over union of two boxes; 0 where one is absent."""
    sides = np.minimum(first[2:], second[2:]) - np.maximum(first[:2], second[:2])
    common = np.prod(np.maximum(np.nan_to_num(sides), 0))
    return float(common / (np.prod(first[2:] - first[:2]) + np.prod(second[2:] - second[:2]) - common or 1))


def share_of_frames_found(detections: list[Detection], truth: np.ndarray) -> float:
    """Return the share of frames in which a detection is on the object whose boxes are `truth`, (frames, 4)."""
    found = {one.frame for one in detections if overlap(one.box, truth[one.frame]) > 0.5}
    return len(found) / len(truth)


@pytest.mark.parametrize("clip", demo_clips(), ids=lambda clip: clip.name)
def test_mover_of_each_demo_clip_is_found(detector: Any, clip: Any) -> None:
    """The mover is detected in at least 90 % of the clip, landscape or portrait."""
    video, masks = render(clip.scene)
    detections = detect_objects(detector, video, confidence=0.1, device=CPU)
    assert share_of_frames_found(detections, figure_boxes(masks)[-1]) >= 0.9


def test_figures_of_unseen_scenes_are_found(detector: Any) -> None:
    """In scenes it was not trained on, detections cover most of the figures in most of the frames."""
    generator = np.random.default_rng(1234)
    found = []
    for _ in range(15):
        scene = random_scene(generator, num_frames=12)
        video, masks = render(scene)
        detections = detect_objects(detector, video, confidence=0.1, device=CPU)
        # Whatever is mostly hidden behind another figure is not to be found.
        seen = [figure for figure in range(len(masks)) if masks[figure].sum(axis=(1, 2)).min() > 150]
        found += [share_of_frames_found(detections, figure_boxes(masks)[figure]) for figure in seen]
    assert np.mean(found) >= 0.8


def test_nothing_is_found_where_nothing_is(detector: Any) -> None:
    """An object that vanishes halfway is not detected from there on; an empty video has no detections."""
    video, _ = render(demo_clips()[0].scene)
    empty = np.full_like(video[:4], 110)
    detections = detect_objects(detector, np.concatenate([video[:6], empty]), confidence=0.1, device=CPU)
    assert {one.frame for one in detections} == set(range(6))
    assert all(one.box.shape == (4,) and 0.1 <= one.score <= 1 for one in detections)
    assert detect_objects(detector, empty, confidence=0.1, device=CPU) == []


def test_no_state_passes_from_one_video_to_the_next(detector: Any) -> None:
    """The same video gives the same detections whatever came before it."""
    first, other = render(demo_clips()[1].scene)[0][:6], render(demo_clips()[2].scene)[0][:6]
    before = detect_objects(detector, first, confidence=0.1, device=CPU)
    detect_objects(detector, other, confidence=0.1, device=CPU)
    after = detect_objects(detector, first, confidence=0.1, device=CPU)
    assert [one.frame for one in before] == [one.frame for one in after]
    for one, two in zip(before, after, strict=True):
        np.testing.assert_array_equal(one.box, two.box)


def test_classes_limit_what_is_found(detector: Any) -> None:
    """Only the classes asked for are kept, and an unknown one is an error that suggests the nearest."""
    video, _ = render(demo_clips()[0].scene)
    known = list(detector.names.values())
    detections = detect_objects(detector, video[:6], confidence=0.1, device=CPU)
    kept = of_classes(detections, ["star"], known)
    assert kept and kept == [one for one in detections if one.class_name == "star"]
    assert of_classes(detections, [name for name in known if name != "star"], known) != detections
    assert of_classes(detections, None, known) == detections
    with pytest.raises(InputError, match="'star'"):
        of_classes(detections, ["stars"], known)


def test_detections_survive_their_file_to_the_last_digit(detector: Any, tmp_path: Path) -> None:
    """What segmentation reads is what detection saw: masks must not depend on a file between them."""
    video, _ = render(demo_clips()[0].scene)
    detections = detect_objects(detector, video[:3], confidence=0.1, device=CPU)
    write_json(tmp_path / "objects.json", detections_as_json(detections))
    read = detections_from_json(read_json(tmp_path / "objects.json"))
    assert detections and [replace(one, box=None) for one in read] == [replace(one, box=None) for one in detections]
    for one, other in zip(read, detections, strict=True):
        np.testing.assert_array_equal(one.box, other.box)


def test_checkpoint_of_ultralytics_loads(detector: Any, tmp_path: Path) -> None:
    """A .pt file as ultralytics writes them gives the network back."""
    path = tmp_path / "saved.pt"
    detector.save(path)
    loaded = load_detector(path)
    stored = load_file(DETECTOR_FOLDER / "model.safetensors")
    weights = loaded.model.state_dict()
    assert loaded.names == detector.names
    assert all(torch.equal(weights[name].float(), tensor.float()) for name, tensor in stored.items())


@pytest.mark.usefixtures("detector")
@pytest.mark.parametrize("form", ["torch", "plain pickle"])
def test_checkpoint_with_foreign_code_is_refused(tmp_path: Path, form: str) -> None:
    """A .pt file that would run code is an error naming the file, and nothing has run."""
    path, trace = tmp_path / "hostile.pt", tmp_path / "trace"
    content = {"model": RunsCode(trace), "train_args": {}}
    if form == "torch":
        torch.save(content, path)
    else:
        path.write_bytes(pickle.dumps(content))
    with pytest.raises(InputError, match="hostile.pt"):
        load_detector(path)
    assert not trace.exists()


@pytest.mark.usefixtures("detector")
def test_missing_detector_is_an_error(tmp_path: Path) -> None:
    """A path without a file, and a folder without the files, are errors that name them; nothing is downloaded."""
    with pytest.raises(InputError, match="yolo11n.pt"):
        load_detector(tmp_path / "yolo11n.pt")
    with pytest.raises(InputError, match="model.yaml"):
        load_detector(tmp_path)


@pytest.mark.usefixtures("detector")
def test_pillow_opens_pictures_as_before() -> None:
    """ultralytics, imported by then, has not put its own function in Pillow's place."""
    assert Image.open.__module__ == "PIL.Image"


@pytest.mark.usefixtures("detector")
def test_ultralytics_runs_without_torchvision(detector: Any) -> None:
    """Its own suppression of overlapping boxes is what runs; outside of it nobody takes torchvision for installed."""
    assert detect_objects(detector, render(demo_clips()[0].scene)[0][:1], confidence=0.1, device=CPU)
    with tame_ultralytics():
        assert importlib.metadata.version("torchvision").startswith("0.")
    if importlib.util.find_spec("torchvision") is None:
        assert "torchvision" not in sys.modules
        with pytest.raises(importlib.metadata.PackageNotFoundError):
            importlib.metadata.version("torchvision")
