"""What stage 2 is trained on, sample by sample, beside what the paper's authors' own code trains on.

That code was read by people; what it does is put down here in words and made with the model's encoders alone.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from lib.config.settings import load_config
from lib.config.training_sections import TrainingSection
from lib.diffusion.encoding import encode_edit, encode_source, load_samples, save_encoded
from lib.models.base import Sample, VideoModel
from lib.training.schedule import count_steps, make_schedule
from tests.conftest import ROOT
from tests.lib.video.example_videos import smooth_video

FRAMES, HEIGHT, WIDTH, CELL = 9, 48, 64, 8
REFERENCES = (3, 7)
OF_SOURCE, OF_EDIT = "p3rs0n, a dog", "p3rs0n, a cat"
OF_REFERENCES = {3: "p3rs0n, a cat that turns", 7: "p3rs0n, a cat from behind"}
PRESET = {"model": {"name": "wan2.1-i2v-14b-480p"}}
AS_THE_AUTHORS = {"reference_context": "own", "reference_caption": "own", "appearance_source_share": 0.0526}
"""Where the preset differs on purpose: a reference is shown what generation will be shown, picture and prompt; and a
tenth of the steps is on the source however many references there are, where theirs are 1 to 9 for each reference: 1 in
19 of two."""


@dataclass(frozen=True)
class Given:
    """A clip whose edit is a negative of it inside a box that moves by whole latent cells, and never between frames
    that share a latent."""

    source: np.ndarray
    edited: np.ndarray
    mask: np.ndarray


@pytest.fixture
def given() -> Given:
    """Draw it: frame 0, then two latent frames of four."""
    source, mask = smooth_video(FRAMES, HEIGHT, WIDTH), np.zeros((FRAMES, HEIGHT, WIDTH), bool)
    for start, stop, left in ((0, 1, 8), (1, 5, 16), (5, 9, 24)):
        mask[start:stop, 16:32, left : left + 24] = True
    return Given(source, np.where(mask[..., None], 255 - source, source), mask)


def _stage_2(model: VideoModel, given: Given, training: TrainingSection, folder: Path) -> list[Sample]:
    """Encode clip and edit, and read back what stage 2 is trained on, in the order of a schedule's numbers."""
    own = OF_REFERENCES if training.reference_caption == "own" else None
    source = encode_source(model, given.source, given.mask, OF_SOURCE, "edit", training.recoloured_copies)
    edit = encode_edit(
        model,
        given.source,
        given.edited[0],
        {index: given.edited[index] for index in REFERENCES},
        given.mask,
        OF_EDIT,
        "",
        "edit",
        reference_sample=training.reference_sample,
        reference_context=training.reference_context,
        reference_prompts=own,
    )
    save_encoded(source, folder / "source.safetensors")
    save_encoded(edit, folder / "edit.safetensors")
    samples = load_samples(folder / "source.safetensors", folder / "edit.safetensors", torch.device("cpu"))
    assert samples.counts == (1, 0, 2)
    return samples.in_order


def _training(**changes: Any) -> TrainingSection:
    return load_config({**PRESET, "training": changes}, ROOT).training


def _model_video(pixels: np.ndarray) -> torch.Tensor:
    """(frames, height, width, 3) of 0 to 255 as (1, 3, frames, height, width) of -1 to 1."""
    return torch.from_numpy(pixels).permute(3, 0, 1, 2)[None].float() / 127.5 - 1


def _picture(model: VideoModel, pixels: np.ndarray) -> torch.Tensor:
    """What the model's CLIP makes of a picture."""
    frame, whole = _model_video(pixels[None]), torch.ones(1, 1, 1, HEIGHT, WIDTH)
    return model.encode_conditioning("", frame, whole, frame)["image_embeds"]


def _greyed(pixels: np.ndarray, mask: np.ndarray) -> torch.Tensor:
    """The frames with mid-grey, which is 0, in the edit region."""
    return _model_video(pixels) * torch.from_numpy(~mask)[None, None].float()


def _authors_reference(model: VideoModel, given: Given, index: int) -> Sample:
    """Put down a reference's sample: a clip of one frame."""
    mask = given.mask[index : index + 1]
    cells = torch.from_numpy(~mask[:, ::CELL, ::CELL]).float()  # (1, 6, 8)
    conditioning = {
        "condition_latents": model.encode_video(_greyed(given.source[index : index + 1], mask)),
        "packed_mask": cells[None, None].expand(1, 4, 1, HEIGHT // CELL, WIDTH // CELL),
        "image_embeds": _picture(model, given.source[index]),
        **model.encode_prompt(OF_REFERENCES[index]),
    }
    return Sample(model.encode_video(_model_video(given.edited[index : index + 1])), conditioning)


def _authors_clip(model: VideoModel, given: Given) -> Sample:
    """Put down the sample of stage 1, which stage 2 repeats: the source, shown its own frame 0 whole."""
    hidden = given.mask.copy()
    hidden[0] = False
    cells = torch.from_numpy(~hidden[:, ::CELL, ::CELL]).float()  # (9, 6, 8)
    packed = torch.stack([cells[[0, 0, 0, 0]], cells[1:5], cells[5:9]], dim=1)  # (4, 3, 6, 8)
    conditioning = {
        "condition_latents": model.encode_video(_greyed(given.source, hidden)),
        "packed_mask": packed[None],
        "image_embeds": _picture(model, given.source[0]),
        **model.encode_prompt(OF_SOURCE),
    }
    return Sample(model.encode_video(_model_video(given.source)), conditioning)


def _differences(sample: Sample, authors: Sample) -> set[str]:
    """Name what of two samples differs."""
    ours, theirs = ({"latents": each.latents, **each.conditioning} for each in (sample, authors))
    assert ours.keys() == theirs.keys()
    return {name for name in ours if not torch.allclose(ours[name], theirs[name], atol=1e-6)}


def _schedule(training: TrainingSection) -> list[tuple[int, ...]]:
    steps = count_steps(training.appearance_steps, training.appearance_steps_per_reference, len(REFERENCES))
    share = 1 - training.appearance_source_share
    return make_schedule(steps, (1, 0, 2), training.recoloured_share, share, training.reference_draws)


def test_samples_are_the_authors_where_the_settings_say_so(tiny_wan: VideoModel, given: Given, tmp_path: Path) -> None:
    """Target, condition, mask, picture and prompt of the clip and of both references are those of the authors' code."""
    samples = _stage_2(tiny_wan, given, _training(**AS_THE_AUTHORS), tmp_path)
    authors = [_authors_clip(tiny_wan, given), *(_authors_reference(tiny_wan, given, index) for index in REFERENCES)]
    assert [_differences(*pair) for pair in zip(samples, authors, strict=True)] == [set(), set(), set()]


def test_steps_are_the_authors_where_the_settings_say_so() -> None:
    """Ten rounds of the clip once and each of two references nine times: 10 x (1 + 9 x 2) steps of one sample each."""
    schedule = _schedule(_training(**AS_THE_AUTHORS))
    assert len(schedule) == 10 * (1 + 9 * 2) and all(len(step) == 1 for step in schedule)
    rounds = [[index for (index,) in schedule[start : start + 19]] for start in range(0, 190, 19)]
    assert all([each.count(index) for index in range(3)] == [1, 9, 9] for each in rounds)


def test_the_preset_differs_in_what_it_names_alone(tiny_wan: VideoModel, given: Given, tmp_path: Path) -> None:
    """By itself the 14B preset shows references with the edit's picture and prompt, and the source every tenth step."""
    training = _training()
    clip, *references = _stage_2(tiny_wan, given, training, tmp_path)
    assert not _differences(clip, _authors_clip(tiny_wan, given))
    picture, prompt = _picture(tiny_wan, given.edited[0]), tiny_wan.encode_prompt(OF_EDIT)["prompt_embeds"]
    for sample, index in zip(references, REFERENCES, strict=True):
        assert _differences(sample, _authors_reference(tiny_wan, given, index)) == {"image_embeds", "prompt_embeds"}
        assert torch.equal(sample.conditioning["image_embeds"], picture)
        assert torch.equal(sample.conditioning["prompt_embeds"], prompt)
    schedule = _schedule(training)
    assert [schedule.count((index,)) for index in range(3)] == [19, 86, 85]
