"""Detect objects with ultralytics YOLO: offline, without torchvision, without unpickling foreign code.

ultralytics reads its settings when it is first imported, so call `configure_ultralytics` before anything else here.
"""

import json
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors.torch import load_file

from lib.core.errors import InputError, Problem
from lib.inputs.checkpoints import resolve_path
from lib.masks.detector_classes import METADATA
from lib.masks.object_links import Detection
from lib.masks.ultralytics_setup import configure_ultralytics, tame_ultralytics
from lib.video.arrays import DecodedVideo

STRIDE = 32  # pixels; YOLO's input sizes are multiples of it
# A detector folder: the architecture, its weights, and what the network itself does not hold.
ARCHITECTURE, WEIGHTS = "model.yaml", "model.safetensors"  # of a detector folder, beside METADATA


def find_objects(
    video: DecodedVideo, detector: str, confidence: float, device: torch.device
) -> tuple[list[Detection], list[str]]:
    """Load a detector and find every object in every frame of a video.

    Args:
        video, confidence, device: see `detect_objects`.
        detector: see `load_detector`.

    Returns:
        The objects, and the names of all classes that the detector knows.
    """
    with tempfile.TemporaryDirectory() as run_folder:
        configure_ultralytics(run_folder)
        loaded = load_detector(resolve_path(detector))
        return detect_objects(loaded, video, confidence, device), list(loaded.names.values())


def load_detector(path: str | Path) -> Any:
    """Load a YOLO detector as an `ultralytics.YOLO`.

    Args:
        path: a folder with model.yaml, model.safetensors and metadata.json, or an ultralytics .pt file.

    Raises:
        InputError: nothing usable there, or a .pt file that holds more than an ultralytics model.
    """
    path = Path(path)
    with tame_ultralytics():
        if path.is_dir():
            return _load_folder(path)
        if path.is_file():
            return load_checkpoint(path, "YOLO", "an ultralytics detection model, such as yolo11x.pt")
    raise InputError([Problem(str(path), "nothing", "a detector folder or an ultralytics .pt file")])


def _load_folder(folder: Path) -> Any:
    from ultralytics import YOLO

    missing = [name for name in (ARCHITECTURE, WEIGHTS, METADATA) if not (folder / name).is_file()]
    if missing:
        raise InputError([Problem(str(folder), f"no {', '.join(missing)}", "a complete detector folder")])
    detector = YOLO(folder / ARCHITECTURE, task="detect")
    weights = {name: tensor.float() for name, tensor in load_file(folder / WEIGHTS).items()}
    # num_batches_tracked, a count, is as well a float: only training with momentum=None reads it.
    detector.model.load_state_dict(weights)
    metadata = json.loads((folder / METADATA).read_text(encoding="utf-8"))
    detector.model.names = dict(enumerate(metadata["class_names"]))
    detector.overrides["imgsz"] = metadata["image_size"]
    return _without_warm_up(detector)


def load_checkpoint(path: Path, class_name: str, expected: str) -> Any:
    """Load a .pt file, which is a pickle: only ultralytics' and torch's own network classes are let in.

    Args:
        path: of the file.
        class_name: of ultralytics' that loads it, YOLO or YOLOE.
        expected: what the file should be, for the error.

    Raises:
        InputError: no file, or one that holds more than such a model.
    """
    if not path.is_file():  # ultralytics would look for it on the network
        raise InputError([Problem(str(path), "no file", expected)])
    with tame_ultralytics():
        import ultralytics
        from ultralytics.nn import tasks

        # Without both, ultralytics would unpickle whatever the file holds, and so run code from it.
        assert tasks.SAFE_LOAD and tasks._SafeLoad.SUPPORTED, "call configure_ultralytics before importing ultralytics"
        # Under a plain name: ultralytics drops apostrophes from paths, renames those of some old models, and then looks
        # on the network for what it does not find.
        with tempfile.TemporaryDirectory() as folder:
            plain = Path(folder) / "weights.pt"
            plain.symlink_to(path.resolve())
            try:
                return _without_warm_up(getattr(ultralytics, class_name)(plain))
            except (TypeError, AttributeError, ModuleNotFoundError) as error:
                reason = " ".join(str(error).replace(str(plain), path.name).split())
                found = f"a file that cannot be loaded safely ({reason})"
                raise InputError([Problem(str(path), found, expected)]) from error


def _without_warm_up(detector: Any) -> Any:
    """Let a detector's predictors begin at once: their warm-up, for those who time them, would import torchvision."""
    detector.add_callback("on_predict_start", lambda predictor: setattr(predictor, "done_warmup", True))
    return detector


def detect_objects(
    detector: Any,
    video: DecodedVideo,
    confidence: float,
    device: torch.device,
) -> list[Detection]:
    """Find every object in every frame of a video, each frame by itself.

    Args:
        detector: from `load_detector`.
        video: (frames, height, width, 3) uint8 RGB.
        confidence: lowest score of a detection that counts, 0 to 1.
        device: where the detector runs.
    """
    detections = []
    with tame_ultralytics():
        for index, frame in enumerate(video):
            (result,) = detector.predict(
                np.ascontiguousarray(frame[..., ::-1]),  # ultralytics takes BGR
                conf=confidence,
                imgsz=input_size(detector, video),
                device=device,
                verbose=False,
            )
            found = result.boxes.cpu().numpy()
            for kind, box, score in zip(found.cls, found.xyxy, found.conf, strict=True):
                name = detector.names[int(kind)]
                detections.append(Detection(index, name, box.astype(np.float64), float(score)))
    return detections


def input_size(detector: Any, video: DecodedVideo) -> int:
    """Return the side in pixels at which a detector looks at a video: not below the size it was trained at."""
    _, height, width, _ = video.shape
    longest_side = max(height, width, int(detector.overrides.get("imgsz", STRIDE)))
    size: int = -(-longest_side // STRIDE) * STRIDE
    return size
