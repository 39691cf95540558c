"""Train the demo's detector on one GPU: `python -m demo.training.detector --output FOLDER --seconds 45`.

YOLO11 at its smallest, one class for each shape. Network and loss are ultralytics' own; the loop is ours, because its
trainer reads pictures from files, and here all frames are rendered beforehand on the GPU.
"""

import argparse
import json
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter
from types import SimpleNamespace
from typing import Any

import numpy as np
import torch
import yaml
from safetensors.torch import save_file

from demo.training.frame_pool import FRAMES_AT_ONCE, PIXEL_NOISE, PORTRAIT_SHARE, draw_scenes
from demo.training.steps import Interruptible, clip_gradients, make_adamw, prepare_gpu, set_learning_rate
from demo.world.rendering import NO_SHAPE, Packed, render_with_masks
from demo.world.shapes import SHAPES
from lib.masks.detector import ARCHITECTURE, METADATA, WEIGHTS
from lib.masks.ultralytics_setup import configure_ultralytics, tame_ultralytics

SCALE = (0.33, 0.125, 256)  # YOLO11's depth, width and most channels; YOLO11n has 0.5, 0.25, 1024
IMAGE_SIZE = 160  # pixels, the longer side
LOSS_GAINS = {"box": 7.5, "cls": 0.5, "dfl": 1.5}  # ultralytics' own
PEAK_LEARNING_RATE = 4e-3
GRADIENT_CLIP = 10.0
NUM_FRAMES, FRAME_STEP = 17, 4  # of a scene, every fourth frame is used
SMALLEST_VISIBLE_AREA = 60  # pixels; what is left of a figure behind another one is not worth learning
LOWEST_CONFIDENCE, NMS_OVERLAP = 0.001, 0.7  # of the measurement; as in ultralytics' validation


@dataclass(frozen=True)
class LabelledFrames:
    """Frames of one size and what they show, on one device.

    Attributes:
        frames: (frames, 3, height, width) uint8.
        boxes: (frames, figures, 4) centre x and y, width and height, as shares of the frame.
        classes: (frames, figures) index of the shape.
        is_visible: (frames, figures) whether enough of the figure is seen.
    """

    frames: torch.Tensor
    boxes: torch.Tensor
    classes: torch.Tensor
    is_visible: torch.Tensor


def make_detector(folder: Path) -> None:
    """Write the folder of an untrained detector, where there is no trained one (see lib/masks/detector.py)."""
    if not (folder / WEIGHTS).exists():
        torch.manual_seed(0)
        save_detector(build_network(folder), folder, {"training": {"seconds": 0}})


def build_network(folder: Path) -> Any:
    """Write ultralytics' own yolo11.yaml with our scale and number of classes, and build that network."""
    with tempfile.TemporaryDirectory() as settings_folder:
        configure_ultralytics(settings_folder)
    with tame_ultralytics():
        import ultralytics
        from ultralytics.nn.tasks import DetectionModel
    library_yaml = Path(ultralytics.__file__).parent / "cfg/models/11/yolo11.yaml"
    architecture = yaml.safe_load(library_yaml.read_text(encoding="utf-8"))
    architecture |= {"nc": len(SHAPES), "scales": {"tiny": list(SCALE)}}
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / ARCHITECTURE
    path.write_text(yaml.safe_dump(architecture, sort_keys=False, default_flow_style=None), encoding="utf-8")
    network = DetectionModel(str(path), verbose=False)
    network.args = SimpleNamespace(**LOSS_GAINS)
    return network


def save_detector(network: Any, folder: Path, facts: dict[str, Any]) -> None:
    """Write the half-precision weights, and the metadata with some facts about the training."""
    state = network.state_dict()
    half = {name: (t.half() if t.is_floating_point() else t).contiguous().cpu() for name, t in state.items()}
    save_file(half, folder / WEIGHTS)
    metadata = {"class_names": list(SHAPES), "image_size": IMAGE_SIZE, "scale": SCALE, **facts}
    (folder / METADATA).write_text(json.dumps(metadata, indent=2) + "\n", encoding="utf-8")


def render_labelled(packed: Packed, device: str) -> LabelledFrames:
    """Render frames of packed scenes with their labels."""
    parts: list[tuple[torch.Tensor, ...]] = []
    at_once = FRAMES_AT_ONCE[device] // NUM_FRAMES
    for first in range(0, len(packed["num_frames"]), at_once):
        rows = {key: tensor[first : first + at_once] for key, tensor in packed.items()}
        videos, masks = render_with_masks(rows, NUM_FRAMES, device)
        masks = masks[:, :, ::FRAME_STEP].transpose(1, 2).flatten(0, 1)  # (frames, figures, height, width)
        shapes = rows["figure_shape"].to(device).repeat_interleave(len(masks) // len(videos), dim=0)
        is_visible = (masks.sum(dim=(2, 3)) >= SMALLEST_VISIBLE_AREA) & (shapes != NO_SHAPE)
        frames = videos[:, :, ::FRAME_STEP].transpose(1, 2).flatten(0, 1)  # (frames, 3, height, width)
        parts.append((frames, relative_boxes(masks), shapes, is_visible))
    return LabelledFrames(*(torch.cat(tensors) for tensors in zip(*parts, strict=True)))


def relative_boxes(masks: torch.Tensor) -> torch.Tensor:
    """Bound masks (..., height, width) by (..., 4) centre x and y, width and height, as shares of the frame."""
    edges = []
    for axis in (-2, -1):  # columns, which are what is left without the rows, then rows
        seen = masks.any(dim=axis).float()
        size = seen.shape[-1]
        edges.append((seen.argmax(dim=-1) / size, 1 - seen.flip(-1).argmax(dim=-1) / size))
    (left, right), (top, bottom) = edges
    return torch.stack([(left + right) / 2, (top + bottom) / 2, right - left, bottom - top], dim=-1)


def detection_loss(network: Any, labelled: LabelledFrames, batch: int) -> torch.Tensor:
    """Return ultralytics' loss of random frames, mirrored at random: box, class and distribution, for one frame."""
    device = labelled.frames.device
    chosen = torch.randint(len(labelled.frames), (batch,), device=device)
    frames, boxes = labelled.frames[chosen].float(), labelled.boxes[chosen].clone()
    frames = (frames + PIXEL_NOISE * torch.randn_like(frames)).clamp(0, 255) / 255
    for axis, coordinate in ((-1, 0), (-2, 1)):
        if torch.rand(()) < 0.5:
            frames = frames.flip(axis)
            boxes[..., coordinate] = 1 - boxes[..., coordinate]
    frame_index, figure_index = labelled.is_visible[chosen].nonzero(as_tuple=True)
    targets = {
        "img": frames,
        "batch_idx": frame_index.float(),
        "cls": labelled.classes[chosen][frame_index, figure_index].float(),
        "bboxes": boxes[frame_index, figure_index],
    }
    losses: torch.Tensor = network.loss(targets)[0]
    return losses.sum() / batch


def train(
    network: Any, parts: list[LabelledFrames], batch: int, seconds: float, checkpoint_path: Path | None = None
) -> Iterator[str]:
    """Train in place; yields lines for the log.

    Args:
        network: on the frames' device.
        parts: frames of each size, drawn from according to their numbers.
        batch: frames a step.
        seconds: of training in all, those before an interruption included.
        checkpoint_path: of the state after an interruption; None: keep none.
    """
    torch.manual_seed(0)
    device = parts[0].frames.device
    shares = torch.tensor([float(len(part.frames)) for part in parts])
    parameters = [parameter for parameter in network.parameters() if parameter.requires_grad]
    optimizer = make_adamw(parameters, weight_decay=5e-4)
    network.train()
    training = Interruptible(checkpoint_path, [network], optimizer)
    spent, num_steps = training.seconds, training.steps
    started = perf_counter() - spent
    while spent < seconds:
        set_learning_rate(optimizer, spent / seconds, PEAK_LEARNING_RATE)
        loss = detection_loss(network, parts[int(torch.multinomial(shares, 1))], batch)
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        clip_gradients(parameters, GRADIENT_CLIP)
        optimizer.step()
        num_steps += 1
        spent = perf_counter() - started
        if num_steps % 200 == 0 or device.type == "cpu":
            yield f"{spent:6.1f} s  step {num_steps:6d}  loss {loss.item():.4f}"
        training.save(spent, num_steps)
    network.eval()


@torch.no_grad()
def measure_detections(network: Any, parts: list[LabelledFrames]) -> dict[str, float]:
    """Measure the mean average precision of a network in eval mode over labelled frames."""
    with tame_ultralytics():
        from ultralytics.utils.metrics import ap_per_class
        from ultralytics.utils.nms import non_max_suppression
    are_right, confidences, predicted, true = [], [], [], []
    for part in parts:
        height, width = part.frames.shape[-2:]
        corners = corner_boxes(part.boxes) * torch.tensor([width, height, width, height], device=part.boxes.device)
        for first in range(0, len(part.frames), 50):
            outputs = network(part.frames[first : first + 50].float() / 255)[0].cpu()
            found = non_max_suppression(outputs, LOWEST_CONFIDENCE, NMS_OVERLAP, multi_label=True)
            for index, detections in enumerate(found, start=first):
                seen = part.is_visible[index]
                classes = part.classes[index][seen]
                are_right.append(match_detections(detections, corners[index][seen].cpu(), classes.cpu()))
                confidences.append(detections[:, 4].numpy())
                predicted.append(detections[:, 5].numpy())
                true.append(classes.cpu().numpy())
    arrays = (np.concatenate(values) for values in (are_right, confidences, predicted, true))
    _, _, precision, recall, _, average_precision, *_ = ap_per_class(*arrays)
    figures = {
        "mAP50": average_precision[:, 0].mean(),
        "mAP50-95": average_precision.mean(),
        "precision": precision.mean(),
        "recall": recall.mean(),
    }
    num_frames = sum(len(part.frames) for part in parts)
    return {"images": num_frames, **{name: round(float(value), 3) for name, value in figures.items()}}


def corner_boxes(boxes: torch.Tensor) -> torch.Tensor:
    """Turn (..., 4) centre and size into x1, y1, x2, y2."""
    centre, size = boxes.split(2, dim=-1)
    return torch.cat([centre - size / 2, centre + size / 2], dim=-1)


def match_detections(detections: torch.Tensor, boxes: torch.Tensor, classes: torch.Tensor) -> np.ndarray:
    """Tell which detections are right, each figure being found once, by the surest of its detections.

    Args:
        detections: (detections, 6) x1, y1, x2, y2 in pixels, confidence and class, the surest first.
        boxes: (figures, 4) x1, y1, x2, y2 in pixels.
        classes: (figures,).

    Returns:
        (detections, 10) bool, for overlaps (IoU) of at least 0.5, 0.55 ... 0.95.
    """
    with tame_ultralytics():
        from ultralytics.utils.metrics import box_iou
    thresholds = np.linspace(0.5, 0.95, 10)
    overlaps = box_iou(detections[:, :4], boxes) * (detections[:, 5:] == classes)  # (detections, figures)
    is_right = np.zeros((len(detections), len(thresholds)), np.bool_)
    for column, threshold in enumerate(thresholds):
        free = torch.ones(len(boxes))
        for row, candidates in enumerate(overlaps):
            if len(boxes) and (candidates * free).max() >= threshold:
                is_right[row, column] = True
                free[(candidates * free).argmax()] = 0
    return is_right


def render_split(split: str, num_scenes: int, device: str, num_workers: int = 1) -> list[LabelledFrames]:
    """Render numbered scenes of both orientations, a part for each."""
    num_portrait = max(1, int(num_scenes * PORTRAIT_SHARE))
    parts = [(range(num_scenes - num_portrait), False), (range(num_portrait), True)]
    drawn = [draw_scenes(split, numbers, is_portrait, num_workers)[1] for numbers, is_portrait in parts]
    return [render_labelled(packed, device) for packed in drawn]


def main() -> None:
    """Render the frames, train, save the half-precision weights, then measure held-out frames with those."""
    parser = argparse.ArgumentParser(description="Train the demo's detector.")
    parser.add_argument("--output", type=Path, required=True, help="folder to write, see lib/masks/detector.py")
    parser.add_argument("--seconds", type=float, default=45, help="of training")
    parser.add_argument("--scenes", type=int, default=8000, help="scenes to train on")
    parser.add_argument("--batch", type=int, default=128, help="frames a step")
    parser.add_argument("--held-out", type=int, default=60, help="scenes to measure")
    parser.add_argument("--workers", type=int, default=1, help="processes that draw scenes")
    parser.add_argument("--work", type=Path, default=Path(".cache/training/detector"), help="checkpoint's folder")
    arguments = parser.parse_args()
    device, started = prepare_gpu(), perf_counter()
    parts = render_split("train", arguments.scenes, device, arguments.workers)
    num_frames = sum(len(part.frames) for part in parts)
    print(f"{num_frames} frames rendered in {perf_counter() - started:.0f} s", flush=True)
    torch.manual_seed(0)
    network = build_network(arguments.output).to(device)
    for line in train(network, parts, arguments.batch, arguments.seconds, arguments.work / "checkpoint.pt"):
        print(line, flush=True)
    network.load_state_dict({name: t.half().float() for name, t in network.state_dict().items()})
    figures = measure_detections(network, render_split("held_out", arguments.held_out, device))
    training = {"scenes": arguments.scenes, "images": num_frames, "seconds": round(arguments.seconds)}
    save_detector(network, arguments.output, {"training": training, "validation": figures})
    print(json.dumps(figures), flush=True)


if __name__ == "__main__":
    main()
