"""Train the demo's detector: YOLO11 at its smallest, on rendered scenes, one class for each shape."""

import json
import tempfile
from pathlib import Path
from time import perf_counter

import numpy as np
import torch
import yaml
from PIL import Image
from safetensors.torch import save_file

from demo.scenes import SHAPES, figure_boxes, random_scene, render
from lib.detector import ARCHITECTURE, METADATA, WEIGHTS, configure_ultralytics, provide_nms_without_torchvision

SCALE = (0.33, 0.125, 256)  # YOLO11's depth, width and most channels; YOLO11n has 0.5, 0.25, 1024
IMAGE_SIZE = 160  # pixels, the longer side
NUM_TRAINING_SCENES, NUM_VALIDATION_SCENES = 400, 50
FRAMES_PER_SCENE = 3  # first, middle and last
NUM_EPOCHS = 14
SMALLEST_VISIBLE_AREA = 60  # pixels; what is left of a figure behind another one is not worth learning


def make_detector(folder: Path) -> None:
    """Train a detector on the CPU, for one or two minutes, and write its folder (see lib/detector.py)."""
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as work:
        configure_ultralytics(Path(work) / "settings")
        write_architecture(folder / ARCHITECTURE)
        write_dataset(Path(work) / "data")
        started = perf_counter()
        state, figures = train(folder / ARCHITECTURE, Path(work))
        seconds = perf_counter() - started
    half = {name: (t.half() if t.is_floating_point() else t).contiguous() for name, t in state.items()}
    save_file(half, folder / WEIGHTS)
    metadata = {
        "class_names": list(SHAPES),
        "image_size": IMAGE_SIZE,
        "scale": SCALE,
        "training": {
            "scenes": NUM_TRAINING_SCENES,
            "images": NUM_TRAINING_SCENES * FRAMES_PER_SCENE,
            "epochs": NUM_EPOCHS,
            "seconds": round(seconds),
        },
        "validation": {"images": NUM_VALIDATION_SCENES * FRAMES_PER_SCENE, **figures},
    }
    (folder / METADATA).write_text(json.dumps(metadata, indent=2) + "\n", encoding="utf-8")


def write_architecture(path: Path) -> None:
    """Write ultralytics' own yolo11.yaml with our scale and number of classes."""
    with provide_nms_without_torchvision():
        import ultralytics
    library_yaml = Path(ultralytics.__file__).parent / "cfg/models/11/yolo11.yaml"
    architecture = yaml.safe_load(library_yaml.read_text(encoding="utf-8"))
    architecture |= {"nc": len(SHAPES), "scales": {"tiny": list(SCALE)}}
    path.write_text(yaml.safe_dump(architecture, sort_keys=False, default_flow_style=None), encoding="utf-8")


def write_dataset(folder: Path) -> None:
    """Render scenes in ultralytics' layout: images/, labels/ of equal names, and data.yaml."""
    for split, num_scenes, seed in (("train", NUM_TRAINING_SCENES, 1), ("val", NUM_VALIDATION_SCENES, 2)):
        images, labels = folder / "images" / split, folder / "labels" / split
        images.mkdir(parents=True)
        labels.mkdir(parents=True)
        generator = np.random.default_rng(seed)
        for number in range(num_scenes):
            write_samples(generator, images, labels, f"{number:04d}", is_portrait=number % 4 == 0)
    description = {"path": str(folder), "train": "images/train", "val": "images/val", "names": list(SHAPES)}
    (folder / "data.yaml").write_text(yaml.safe_dump(description), encoding="utf-8")


def write_samples(generator: np.random.Generator, images: Path, labels: Path, name: str, is_portrait: bool) -> None:
    """Render a scene and write its frames, each with a line "class x y width height" (shares) per figure."""
    width, height = (96, 160) if is_portrait else (160, 96)
    scene = random_scene(generator, width, height, FRAMES_PER_SCENE)
    video, masks = render(scene)
    boxes = figure_boxes(masks)
    classes = [list(SHAPES).index(figure.shape) for figure in scene.figures]
    for index, frame in enumerate(video):
        lines = []
        for figure, kind in enumerate(classes):
            if masks[figure, index].sum() >= SMALLEST_VISIBLE_AREA:
                x1, y1, x2, y2 = boxes[figure, index] / (width, height, width, height)
                lines.append(f"{kind} {(x1 + x2) / 2:.5f} {(y1 + y2) / 2:.5f} {x2 - x1:.5f} {y2 - y1:.5f}")
        Image.fromarray(frame).save(images / f"{name}-{index}.png")
        (labels / f"{name}-{index}.txt").write_text("\n".join(lines) + "\n", encoding="utf-8")


def train(architecture: Path, work: Path) -> tuple[dict[str, torch.Tensor], dict[str, float]]:
    """Train with ultralytics, deterministically.

    Returns:
        The weights, and mAP50, mAP50-95, precision and recall on the held-out scenes.
    """
    with provide_nms_without_torchvision():
        from ultralytics import YOLO

        detector = YOLO(architecture, task="detect")
        metrics = detector.train(
            data=str(work / "data/data.yaml"),
            imgsz=IMAGE_SIZE,
            epochs=NUM_EPOCHS,
            batch=16,
            optimizer="AdamW",
            lr0=4e-3,
            warmup_epochs=1,
            mosaic=0.0,  # whole scenes only: they are what it will see, and it learns them sooner
            scale=0.2,
            flipud=0.5,
            hsv_h=0.0,
            workers=0,
            device=torch.device("cpu"),
            seed=0,
            deterministic=True,
            amp=False,
            cache="ram",
            val=False,  # only once, at the end
            plots=False,
            project=str(work / "runs"),
            verbose=False,
        )
    box = metrics.box
    names = {"mAP50": box.map50, "mAP50-95": box.map, "precision": box.mp, "recall": box.mr}
    return detector.model.state_dict(), {name: round(float(value), 3) for name, value in names.items()}
