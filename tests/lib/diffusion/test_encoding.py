"""What is encoded once for training and generation."""

from pathlib import Path
from typing import get_args

import numpy as np
import pytest
import torch

from lib.config.sections import ReferenceContext
from lib.diffusion.encoding import encode_edit, encode_source, largest_batch, load_encoded, load_samples, save_encoded
from lib.models.base import VideoModel
from lib.video.arrays import to_model_video
from tests.lib.video.example_videos import smooth_video

FRAMES, HEIGHT, WIDTH = 9, 48, 64


@pytest.fixture
def edit_mask() -> np.ndarray:
    """A box in the middle of every frame."""
    mask = np.zeros((FRAMES, HEIGHT, WIDTH), bool)
    mask[:, 16:32, 16:40] = True
    return mask


def _encode_edit(model: VideoModel, edit_mask: np.ndarray, kind: str, references: dict[int, np.ndarray]) -> dict:
    source = smooth_video(FRAMES, HEIGHT, WIDTH)
    return encode_edit(model, source, 255 - source[0], references, edit_mask, "a cat", "blurred", kind)


def test_encoded_tensors_survive_the_file(tiny_wan: VideoModel, edit_mask: np.ndarray, tmp_path: Path) -> None:
    """Groups, names and values come back from safetensors; training finds the clip, then its references."""
    source = smooth_video(FRAMES, HEIGHT, WIDTH)
    encoded = encode_source(tiny_wan, source, edit_mask, "a dog", "edit")
    save_encoded(encoded, tmp_path / "source.safetensors")
    again = load_encoded(tmp_path / "source.safetensors", torch.device("cpu"))
    assert {name: tensor.tolist() for name, tensor in again["source"].items()} == {
        name: tensor.tolist() for name, tensor in encoded["source"].items()
    }
    edit = _encode_edit(tiny_wan, edit_mask, "edit", {4: 255 - source[4], 8: 255 - source[8]})
    save_encoded(edit, tmp_path / "edit.safetensors")
    paths = (tmp_path / "source.safetensors", tmp_path / "edit.safetensors")
    samples = load_samples(*paths, torch.device("cpu"))
    (clip,), references = samples.source, samples.references
    assert clip.latents.shape[2] == 3
    assert [sample.latents.shape[2] for sample in references] == [1, 1]
    assert torch.equal(references[0].latents, edit["reference_00004"]["latents"])
    assert "latents" not in clip.conditioning


def test_recoloured_copies_go_with_the_source(tiny_wan: VideoModel, edit_mask: np.ndarray, tmp_path: Path) -> None:
    """Each copy is a sample of its own with the same mask, shown its own colours and a prompt without any."""
    source = smooth_video(FRAMES, HEIGHT, WIDTH)
    encoded = encode_source(tiny_wan, source, edit_mask, "a dog", "edit", 2, "p3rs0n")
    assert set(encoded) == {"source", "recoloured_01", "recoloured_02"}
    plain = encode_source(tiny_wan, source, edit_mask, "a dog", "edit")["source"]
    assert all(torch.equal(encoded["source"][name], plain[name]) for name in plain)
    copy = encode_source(tiny_wan, 255 - source, edit_mask, "p3rs0n", "edit")["source"]
    assert all(torch.equal(encoded["recoloured_01"][name], copy[name]) for name in copy)
    save_encoded(encoded, tmp_path / "source.safetensors")
    save_encoded(_encode_edit(tiny_wan, edit_mask, "edit", {4: source[4]}), tmp_path / "edit.safetensors")
    cpu = torch.device("cpu")
    alone = load_samples(tmp_path / "source.safetensors", None, cpu)
    assert torch.equal(alone.source[0].latents, plain["latents"])
    assert alone.counts == (1, 2, 0)
    both = load_samples(tmp_path / "source.safetensors", tmp_path / "edit.safetensors", cpu)
    assert largest_batch(tmp_path / "source.safetensors", None, 4) == (1, 16, 3, 6, 8)
    assert largest_batch(tmp_path / "source.safetensors", tmp_path / "edit.safetensors", 4) == (4, 16, 1, 6, 8)
    assert both.counts == (1, 2, 1)
    assert both.references[0].latents.shape[2] == 1


def test_windows_of_a_long_clip_are_samples_of_their_own(
    tiny_wan: VideoModel, edit_mask: np.ndarray, tmp_path: Path
) -> None:
    """Each window is encoded as a clip of its own would be, its copies too; only the first is generated from here."""
    source, windows = smooth_video(FRAMES, HEIGHT, WIDTH), [(0, 5), (4, 9)]
    encoded = encode_source(tiny_wan, source, edit_mask, "a dog", "edit", 1, "p3rs0n", windows)
    assert list(encoded) == ["source", "recoloured_01", "source_window_01", "recoloured_01_window_01"]
    second = encode_source(tiny_wan, source[4:], edit_mask[4:], "a dog", "edit", 1, "p3rs0n")
    for name, again in (("source", "source_window_01"), ("recoloured_01", "recoloured_01_window_01")):
        assert all(torch.equal(encoded[again][key], tensor) for key, tensor in second[name].items())
    save_encoded(encoded, tmp_path / "source.safetensors")
    samples = load_samples(tmp_path / "source.safetensors", None, torch.device("cpu"))
    assert samples.counts == (2, 2, 0)
    edited, references = 255 - source[0], {3: 255 - source[3], 7: 255 - source[7]}
    how = ("a cat", "", "edit", "placed")
    edit = encode_edit(tiny_wan, source, edited, references, edit_mask, *how, window=5)
    alone = encode_edit(tiny_wan, source[:5], edited, {3: references[3]}, edit_mask[:5], *how)
    assert all(torch.equal(edit["generation"][key], tensor) for key, tensor in alone["generation"].items())
    assert torch.equal(edit["reference_00003"]["latents"], alone["reference_00003"]["latents"])
    assert edit["reference_00007"]["latents"].shape[2] == 1, "in a later window a reference is a still"


def test_the_image_context_may_be_the_sources(tiny_wan: VideoModel, edit_mask: np.ndarray) -> None:
    """`source` shows the image encoder the unedited frame 0, and changes nothing else."""
    source = smooth_video(FRAMES, HEIGHT, WIDTH)
    how = (tiny_wan, source, 255 - source[0], {}, edit_mask, "a cat", "", "edit", "still")
    edited, plain = (encode_edit(*how, image_context=context)["generation"] for context in ("edited", "source"))
    of_source = encode_source(tiny_wan, source, edit_mask, "a dog", "edit")["source"]
    assert torch.equal(plain["image_embeds"], of_source["image_embeds"])
    assert not torch.equal(edited["image_embeds"], plain["image_embeds"])
    assert all(torch.equal(edited[name], plain[name]) for name in edited if name != "image_embeds")


def test_a_still_reference_may_be_shown_beside_another_picture(tiny_wan: VideoModel, edit_mask: np.ndarray) -> None:
    """`own` is the paper's code: the frame that was edited; else frame 0, edited (`generation`) or not (`source`)."""
    source = smooth_video(FRAMES, HEIGHT, WIDTH)
    how = (tiny_wan, source, 255 - source[0], {3: 255 - source[3]}, edit_mask, "a cat", "", "edit", "still")
    same, first, own = (encode_edit(*how, reference_context=context) for context in get_args(ReferenceContext))
    of_frame_0, of_frame_3 = (
        encode_source(tiny_wan, source[index : index + 1], edit_mask[:1], "a dog", "edit")["source"]["image_embeds"]
        for index in (0, 3)
    )
    assert torch.equal(same["reference_00003"]["image_embeds"], same["generation"]["image_embeds"])
    for encoded, picture in ((own, of_frame_3), (first, of_frame_0)):
        assert torch.equal(encoded["reference_00003"]["image_embeds"], picture)
        for name in ("latents", "condition_latents", "prompt_embeds", "packed_mask"):
            assert torch.equal(encoded["reference_00003"][name], same["reference_00003"][name]), name
        assert all(torch.equal(encoded["generation"][name], tensor) for name, tensor in same["generation"].items())


@pytest.mark.parametrize("kind", ["still", "placed"])
def test_a_reference_may_have_a_prompt_of_its_own(tiny_wan: VideoModel, edit_mask: np.ndarray, kind: str) -> None:
    """Its sample has it, and is else the same; generation and a reference without one keep the edit's."""
    source = smooth_video(FRAMES, HEIGHT, WIDTH)
    references = {3: 255 - source[3], 6: 255 - source[6]}
    how = (tiny_wan, source, 255 - source[0], references, edit_mask, "a cat", "", "edit", kind)
    plain, own = encode_edit(*how), encode_edit(*how, reference_prompts={6: "a dog"})
    assert torch.equal(own["reference_00006"].pop("prompt_embeds"), tiny_wan.encode_prompt("a dog")["prompt_embeds"])
    assert torch.equal(plain["reference_00006"].pop("prompt_embeds"), plain["generation"]["prompt_embeds"])
    for group, tensors in plain.items():
        assert own[group].keys() == tensors.keys()
        assert all(torch.equal(own[group][name], tensor) for name, tensor in tensors.items()), group


def test_generation_sees_the_edited_frame_and_training_the_source(tiny_wan: VideoModel, edit_mask: np.ndarray) -> None:
    """Stage 1 is shown the source's frame 0, generation the edited one, each with its own prompt."""
    source = encode_source(tiny_wan, smooth_video(FRAMES, HEIGHT, WIDTH), edit_mask, "a dog", "edit")["source"]
    generation = _encode_edit(tiny_wan, edit_mask, "edit", {})["generation"]
    assert torch.equal(source["packed_mask"], generation["packed_mask"])
    for name in ("condition_latents", "image_embeds", "prompt_embeds"):
        assert not torch.equal(source[name], generation[name]), name


def test_edit_region_of_the_source_never_reaches_the_model(tiny_wan: VideoModel, edit_mask: np.ndarray) -> None:
    """Whatever the source shows inside the mask after frame 0, generation is encoded to the same tensors."""
    source = smooth_video(FRAMES, HEIGHT, WIDTH)
    other = source.copy()
    other[1:][edit_mask[1:]] = 7
    encoded = [
        encode_edit(tiny_wan, video, 255 - source[0], {}, edit_mask, "a cat", "", "edit")["generation"]
        for video in (source, other)
    ]
    assert all(torch.equal(encoded[0][name], encoded[1][name]) for name in encoded[0])


def test_reference_is_a_still_with_its_edit_region_hidden(tiny_wan: VideoModel, edit_mask: np.ndarray) -> None:
    """Stage 2: one latent frame, mask 1 on the background, 0 on the region, target the edited frame."""
    reference = 255 - smooth_video(FRAMES, HEIGHT, WIDTH)[4]
    group = _encode_edit(tiny_wan, edit_mask, "edit", {4: reference})["reference_00004"]
    assert group["latents"].shape == (1, 16, 1, HEIGHT // 8, WIDTH // 8)
    expected = torch.ones(4, HEIGHT // 8, WIDTH // 8)
    expected[:, 2:4, 2:5] = 0
    assert torch.equal(group["packed_mask"][0, :, 0], expected)


def test_placed_reference_stands_after_the_first_frame_at_its_own_time(
    tiny_wan: VideoModel, edit_mask: np.ndarray, tmp_path: Path
) -> None:
    """Stage 2, placed: the clip's latent frames 0 and 2 as generation is shown them; targets are both edited frames."""
    source = smooth_video(FRAMES, HEIGHT, WIDTH)
    reference = 255 - source[6]
    encoded = encode_edit(
        tiny_wan, source, 255 - source[0], {6: reference}, edit_mask, "a cat", "", "edit", reference_sample="placed"
    )
    group, generation = encoded["reference_00006"], encoded["generation"]
    assert group["latents"].shape == (1, 16, 2, HEIGHT // 8, WIDTH // 8)
    assert group["frame_positions"].tolist() == [0, 2]
    for name in ("packed_mask", "condition_latents"):
        assert torch.equal(group[name], generation[name][:, :, [0, 2]]), name
    assert torch.equal(group["prompt_embeds"], generation["prompt_embeds"])
    first_frame, still = to_model_video(255 - source[:1]), to_model_video(np.stack([reference] * 5))
    assert torch.equal(group["latents"][:, :, :1], tiny_wan.encode_video(first_frame))
    assert torch.equal(group["latents"][:, :, 1:], tiny_wan.encode_video(still)[:, :, 1:])
    save_encoded(encoded, tmp_path / "edit.safetensors")
    again = load_encoded(tmp_path / "edit.safetensors", torch.device("cpu"))["reference_00006"]
    assert all(torch.equal(again[name], group[name]) for name in group) and again.keys() == group.keys()
