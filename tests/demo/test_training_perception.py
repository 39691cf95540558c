"""The captioner's, the detector's and CLIP's trainings learn at tiny size on the CPU and write folders that load."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from transformers import AutoProcessor, CLIPModel, Florence2ForConditionalGeneration

import demo.training.captioner as captioner
import demo.training.clip as clip
import demo.training.detector as detector
from demo.training.frame_pool import FramePool, crowd, first_frame_caption, normalise_frames, render_pool, squash_frames
from demo.training.perception import GRID, NO_CELL, SHAPE_NAMES, FigureHead, locate_figures
from demo.training.steps import Interruptible, make_adamw
from demo.world.random_scenes import number_scene
from demo.world.rendering import MAX_FIGURES, render
from demo.world.truth import figure_boxes
from lib.diffusion.captions import caption_frame
from lib.masks.detector import load_detector

pytestmark = pytest.mark.slow

SECONDS = 1e-9  # one step: the loops look at the clock after each


@pytest.fixture(scope="module")
def pool() -> FramePool:
    """Render first frames of a few scenes, twice each."""
    return render_pool("train", 8, captioner.IMAGE_SIZE, "cpu", num_draws=2)


def interrupt(checkpoint: Path, modules: list[torch.nn.Module]) -> None:
    """Leave a checkpoint as after seven steps in five seconds."""
    parameters = [weight for module in modules for weight in module.parameters() if weight.requires_grad]
    Interruptible(checkpoint, modules, make_adamw(parameters, weight_decay=0.01)).save(5.0, 7, least_seconds=0)


def learn(
    parameters: list[torch.nn.Parameter], loss_of_step: Callable[[], torch.Tensor], num_steps: int = 12
) -> list[float]:
    """Take a few optimizer steps and return the loss before each."""
    optimizer = torch.optim.AdamW(parameters, lr=2e-3)
    losses = []
    for _ in range(num_steps):
        loss = loss_of_step()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    return losses


def test_pool_varies_what_no_caption_mentions(pool: FramePool) -> None:
    """The second frame of a scene differs from the first in turns and texture only: its scene is the same."""
    assert pool.frames.shape == (16, 3, captioner.IMAGE_SIZE, captioner.IMAGE_SIZE)
    assert pool.scenes[:8] == pool.scenes[8:]
    assert (pool.frames[:8].float() - pool.frames[8:].float()).abs().mean() > 2
    assert {scene.width < scene.height for scene in pool.scenes} == {True, False}
    assert (
        max(len(crowd(number_scene("train", number), "train", number).figures) for number in range(40)) == MAX_FIGURES
    )


@pytest.mark.parametrize("is_portrait", [False, True])
def test_frames_are_prepared_as_the_processors_do(is_portrait: bool) -> None:
    """Frames squashed and normalised on the device are what the image processors make of them, up to rounding."""
    frame = render(number_scene("train", 3, is_portrait))[0][0]
    tensor = torch.from_numpy(frame).permute(2, 0, 1)[None]
    for processor in (captioner.make_captioner_processor().image_processor, clip.clip_image_processor()):
        expected = processor(images=Image.fromarray(frame), return_tensors="pt").pixel_values
        inputs = normalise_frames(squash_frames(tensor, processor.size["height"]), processor)
        assert inputs.shape == expected.shape
        assert (inputs - expected).abs().max() < 0.05


def test_figures_are_located_from_left_to_right() -> None:
    """A figure's cell holds its centre, its kinds are its own, and its place is that in the caption."""
    scenes = [number_scene("train", number) for number in range(20)]
    cells, kinds = locate_figures(scenes)
    for scene, scene_cells, scene_kinds in zip(scenes, cells.tolist(), kinds.tolist(), strict=True):
        named = captioner.named_figures(first_frame_caption(scene))
        assert [SHAPE_NAMES[kind[0]] for kind in scene_kinds[: len(named)]] == [shape for _, shape in named]
        assert sum(cell != NO_CELL for cell in scene_cells) == len(named) == len(scene.figures)
        columns = [cell % GRID for cell in scene_cells[: len(named)]]
        assert columns == sorted(columns)


def test_answer_logits_are_those_of_the_library(pool: FramePool) -> None:
    """Training's own forward gives the logits that the library's gives for the processor's inputs."""
    model, processor = captioner.make_captioner().eval(), captioner.make_captioner_processor()
    answers = captioner.make_lessons(pool, processor).answers[:2]
    inputs = normalise_frames(pool.frames[:2], processor.image_processor)
    image = Image.new("RGB", (20, 10))
    ids = processor(text=[captioner.TASK] * 2, images=[image] * 2, return_tensors="pt").input_ids
    with torch.no_grad():
        logits, *_ = captioner.answer_logits(model, inputs, captioner.prompt_ids(processor, "cpu"), answers)
        expected = model(input_ids=ids, pixel_values=inputs, decoder_input_ids=answers).logits
    assert torch.allclose(logits, expected, atol=1e-4)


def test_captioner_learns_and_loads(pool: FramePool, tmp_path: Path) -> None:
    """A few steps lower both losses; what is saved captions a frame through lib, as it is measured."""
    torch.manual_seed(0)
    model, processor = captioner.make_captioner(), captioner.make_captioner_processor()
    heads = torch.nn.ModuleList([FigureHead(captioner.WIDTH), FigureHead(captioner.WIDTH)])
    lessons = captioner.make_lessons(pool, processor)
    prompt = captioner.prompt_ids(processor, "cpu")
    for which in (0, 1):
        losses = learn(
            [*model.parameters(), *heads.parameters()],
            lambda which=which: captioner.captioning_loss(model, heads, processor, lessons, prompt, batch=8)[which],
        )
        assert losses[-1] < 0.8 * losses[0]
    assert len(list(captioner.train(model, processor, lessons, batch=2, seconds=SECONDS))) == 1
    checkpoint = tmp_path / "work" / "checkpoint.pt"
    interrupt(checkpoint, [model, *[FigureHead(captioner.WIDTH) for _ in range(2)]])
    (line,) = captioner.train(model, processor, lessons, batch=2, seconds=5.01, checkpoint_path=checkpoint)
    assert "step      8" in line
    model.half().save_pretrained(tmp_path)
    processor.save_pretrained(tmp_path)
    model = Florence2ForConditionalGeneration.from_pretrained(tmp_path, dtype=torch.float32).eval()
    frame = np.full((96, 160, 3), 99, np.uint8)
    said = caption_frame(model, AutoProcessor.from_pretrained(tmp_path), frame, captioner.TASK, 3, 20)
    squashed = squash_frames(torch.from_numpy(frame).permute(2, 0, 1)[None], captioner.IMAGE_SIZE)
    written = captioner.write_captions(model, processor, squashed)[0]
    assert said and written.startswith(said.rstrip("."))


def test_named_figures_are_read_from_captions() -> None:
    """Stripes, marks and grounds are no figures."""
    text = "a red star with white stripes with a blue ring on it and an orange cross over a green ground."
    assert captioner.named_figures(text) == [("red", "star"), ("orange", "cross")]


def test_clip_learns_and_loads(pool: FramePool, tmp_path: Path) -> None:
    """A few steps lower the loss; equal captions count as equal; the saved folder tells frames apart as before."""
    torch.manual_seed(0)
    small = FramePool(squash_frames(pool.frames, clip.IMAGE_SIZE), pool.scenes)
    model, processor = clip.make_clip(), clip.make_clip_processor()
    pairs = clip.make_pairs(small, processor)
    assert pairs.caption_numbers[:8].tolist() == pairs.caption_numbers[8:].tolist()
    head = FigureHead(clip.WIDTH)
    losses = learn(
        [*model.parameters(), *head.parameters()],
        lambda: torch.stack(clip.contrastive_loss(model, head, processor, pairs, batch=16)).sum(),
    )
    assert losses[-1] < 0.8 * losses[0]
    assert len(list(clip.train(model, processor, pairs, batch=4, seconds=SECONDS))) == 1
    checkpoint = tmp_path / "work" / "checkpoint.pt"
    interrupt(checkpoint, [model, head])
    (line,) = clip.train(model, processor, pairs, batch=4, seconds=5.01, checkpoint_path=checkpoint)
    assert "step      8" in line
    model.half().save_pretrained(tmp_path)
    processor.save_pretrained(tmp_path)
    loaded = CLIPModel.from_pretrained(tmp_path, dtype=torch.float32).eval()
    inputs = normalise_frames(small.frames[:2], processor.image_processor)
    with torch.no_grad():
        difference = loaded.get_image_features(pixel_values=inputs).pooler_output
        difference -= model.float().get_image_features(pixel_values=inputs).pooler_output
    assert difference.abs().max() < 1e-2


def test_retrieval_is_perfect_where_embeddings_agree(monkeypatch: pytest.MonkeyPatch, pool: FramePool) -> None:
    """Among two scenes, a model that scores each with its own caption highest gets 1, one that swaps them 0."""
    monkeypatch.setattr(clip, "RETRIEVAL_GROUP", 2)
    small = FramePool(squash_frames(pool.frames, clip.IMAGE_SIZE), pool.scenes)
    pairs = clip.make_pairs(small, clip.make_clip_processor())

    for logits, share in ((torch.eye(2), 1.0), (1 - torch.eye(2), 0.0)):
        scores = type("Scores", (), {"logits_per_image": logits})
        measured = clip.measure_retrieval(lambda scores=scores, **_: scores, clip.make_clip_processor(), pairs)
        assert measured["image to text"] == measured["text to image"] == share


def test_boxes_of_masks_are_the_worlds() -> None:
    """Boxes found on the device are those of demo.world.truth."""
    scene = number_scene("train", 1)
    _, masks = render(scene)
    found = detector.relative_boxes(torch.from_numpy(masks))
    size = torch.tensor([scene.width, scene.height, scene.width, scene.height])
    corners = (detector.corner_boxes(found) * size).numpy()
    seen = masks.any(axis=(2, 3))
    assert np.allclose(corners[seen], figure_boxes(masks)[seen], atol=1e-3)


def test_detector_learns_and_loads(tmp_path: Path) -> None:
    """A few steps lower the loss; the saved folder loads through lib with the names of the shapes."""
    torch.manual_seed(0)
    parts = detector.render_split("train", 4, "cpu")
    assert [tuple(part.frames.shape[-2:]) for part in parts] == [(96, 160), (160, 96)]
    network = detector.build_network(tmp_path)
    losses = learn(list(network.parameters()), lambda: detector.detection_loss(network, parts[0], batch=8))
    assert losses[-1] < 0.9 * losses[0]
    assert len(list(detector.train(network, parts, batch=2, seconds=SECONDS))) == 1
    interrupt(tmp_path / "checkpoint.pt", [network])
    (line,) = detector.train(network, parts, batch=2, seconds=5.01, checkpoint_path=tmp_path / "checkpoint.pt")
    assert "step      8" in line
    assert 0 <= detector.measure_detections(network, parts)["mAP50"] <= 1
    detector.save_detector(network, tmp_path, {"training": {}})
    assert list(load_detector(tmp_path).model.names.values()) == SHAPE_NAMES


def test_detections_are_matched_once() -> None:
    """Of two detections of a figure the surer one is right, a wrong class never is, and the overlap decides."""
    boxes, classes = torch.tensor([[0.0, 0, 10, 10]]), torch.tensor([2])
    detections = torch.tensor(
        [[0.0, 0, 10, 10, 0.9, 1], [0, 0, 10, 8, 0.8, 2], [0, 0, 10, 10, 0.7, 2]]  # wrong class, 0.8 overlap, again
    )
    is_right = detector.match_detections(detections, boxes, classes)
    assert is_right[:, 0].tolist() == [False, True, False]
    assert is_right[:, -1].tolist() == [False, False, True]
