"""References that are shown with captions of their own: from the pictures to what stage 2 is trained on."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from lib.core.files import read_json, write_json
from lib.diffusion.captions import caption_frame, load_captioner
from lib.diffusion.encoding import load_encoded
from lib.models.base import VideoModel
from lib.stages.caption_references import caption_references
from lib.stages.encode_edit import encode_edit
from lib.stages.job import call_stage
from lib.video.images import write_image
from lib.video.reading import read_video
from lib.video.writing import write_lossless, write_mask
from tests.conftest import ROOT, TINY_WAN

CAPTIONER = str(ROOT / "demo" / "models" / "florence-2-tiny")
CAPTION = {"model": CAPTIONER, "task": "<DETAILED_CAPTION>", "num_beams": 1, "max_new_tokens": 16}
ON_THE_CPU = {"device": "cpu", "download": False}
MODEL = {"name": str(TINY_WAN), "family": "wan", "dtype": "float32", "memory": "auto", **ON_THE_CPU}
INDICES = [10, 12, 14, 16, 18]  # of the source, that are used


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """An edit of a demo clip with references at its source frames 14 and 18, as the stages before leave it."""
    video = read_video(ROOT / "demo" / "clips" / "star-crossing" / "source.mp4")[INDICES]
    write_lossless(tmp_path / "source_video.mkv", video, [index / 25 for index in range(5)])
    write_mask(tmp_path / "edit_mask.mkv", np.ones(video.shape[:3], bool), [index / 25 for index in range(5)])
    write_json(tmp_path / "source_video.json", {"indices": INDICES})
    write_json(tmp_path / "edit_mask.json", {})
    write_json(tmp_path / "caption.json", {"caption": "a red star."})
    write_image(tmp_path / "first_frame.png", 255 - video[0])
    (tmp_path / "references").mkdir()
    for place, picture in ((2, 255 - video[2]), (4, video[4])):
        write_image(tmp_path / "references" / f"{INDICES[place]:05d}.png", picture)
    return tmp_path


def _call(stage: Any, folder: Path, inputs: dict[str, Any], outputs: dict[str, str], params: dict[str, Any]) -> None:
    """Call a stage with files of the folder; an empty list is no file."""
    described = {
        "inputs": {name: str(folder / path) if path else [] for name, path in inputs.items()},
        "outputs": {name: str(folder / path) for name, path in outputs.items()},
        "params": params,
        "log": str(folder / "stage.log"),
        "num_threads": 1,
    }
    call_stage(stage, described)


def _caption(folder: Path) -> None:
    params = {"caption": {**CAPTION, "trigger_word": "p3rs0n"}, "model": ON_THE_CPU}
    names = {"references": "references"}, {"captions": "reference_captions.json"}
    _call(caption_references, folder, *names, params)


def _encode(folder: Path, reference_captions: str) -> dict[str, dict[str, torch.Tensor]]:
    inputs = {
        "video": "source_video.mkv",
        "facts": "source_video.json",
        "first_frame": "first_frame.png",
        "references": "references",
        "caption": "caption.json",
        "reference_captions": reference_captions,
        "mask": "edit_mask.mkv",
        "mask_facts": "edit_mask.json",
    }
    own = {
        "mask_kind": "edit",
        "reference_sample": "still",
        "reference_context": "generation",
        "window": 5,
        "own_prompt": None,
    }
    params = {
        "model": MODEL,
        "mask": {"correct_edited": "none"},
        "sampling": {"negative_prompt": "", "image_context": "edited"},
        "caption": {"trigger_word": "p3rs0n"},
        **own,
    }
    _call(encode_edit, folder, inputs, {"encoded": "encoded.safetensors", "provenance": "encoded.json"}, params)
    return load_encoded(folder / "encoded.safetensors", torch.device("cpu"))


def test_each_reference_is_captioned_by_itself(folder: Path) -> None:
    """Each is named by its source frame, with what the captioner says of that picture and the prompt made of it."""
    _caption(folder)
    known = read_json(folder / "reference_captions.json")["references"]
    assert list(known) == ["00014", "00018"]
    model, processor = load_captioner(CAPTIONER, torch.device("cpu"), download=False)
    picture = read_video(ROOT / "demo" / "clips" / "star-crossing" / "source.mp4")[18]
    words = caption_frame(model, processor, picture, "<DETAILED_CAPTION>", 1, 16)
    assert known["00018"] == {"caption": words, "prompt": f"p3rs0n, {words}"}
    assert known["00014"]["caption"] != words, "another picture"


def test_a_reference_is_shown_with_its_own_caption(folder: Path, tiny_wan: VideoModel) -> None:
    """Each at its position among the used frames, with the trigger word; the edit itself keeps its first frame's."""
    _caption(folder)
    known = read_json(folder / "reference_captions.json")["references"]
    encoded, of_edit = _encode(folder, "reference_captions.json"), tiny_wan.encode_prompt("p3rs0n, a red star.")
    assert torch.equal(encoded["generation"]["prompt_embeds"], of_edit["prompt_embeds"])
    for position, name in ((2, "00014"), (4, "00018")):
        expected = tiny_wan.encode_prompt(known[name]["prompt"])["prompt_embeds"]
        assert torch.equal(encoded[f"reference_{position:05d}"]["prompt_embeds"], expected)
    made = read_json(folder / "encoded.json")
    assert made["settings"]["reference_prompts"] == {"2": known["00014"]["prompt"], "4": known["00018"]["prompt"]}
    assert str(folder / "reference_captions.json") in made["inputs"]


def test_without_captions_of_their_own_references_have_the_edits(folder: Path) -> None:
    """As in generation, which is also what a prompt of the user's comes to."""
    encoded = _encode(folder, "")
    for position in (2, 4):
        shown = encoded[f"reference_{position:05d}"]["prompt_embeds"]
        assert torch.equal(shown, encoded["generation"]["prompt_embeds"])
