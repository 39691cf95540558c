"""Which LoRAs of a run are its own, so that they can be copied for other programs."""

from dataclasses import replace
from pathlib import Path

import pytest

from lib.config.methods import MethodSection
from lib.config.settings import Config, load_config
from lib.core.project import ROOT
from lib.inputs.clips import Batch, Clip, find_clips
from lib.inputs.disk import estimate_clip_bytes
from lib.inputs.layout import Layout
from lib.inputs.run_checks import check_run


@pytest.fixture
def clip() -> Clip:
    """A clip of two edits, the second with references."""
    found = find_clips(ROOT / "demo" / "clips", num_frames=17, start=0, stride=1).clips
    one = next(clip for clip in found if len(clip.edits) > 1)
    first, second = one.edits[:2]
    return replace(one, edits=(replace(first, references={}), replace(second, references={4: Path("00004.png")})))


def _made(clip: Clip, layout: Layout, **settings: object) -> list[str | None]:
    method = MethodSection(**settings)  # type: ignore[arg-type]
    return [layout.made_lora(clip, edit, method) for edit in clip.edits]


def test_a_run_makes_the_loras_that_its_videos_are_made_with(clip: Clip, tmp_path: Path) -> None:
    """Stage 1's or stage 2's, the edit's own, the batch's shared one; not a given one, and none without a LoRA."""
    layout, (first, second) = Layout("results", "edit", None), clip.edits
    own, appearance = (f"results/{clip.id}/{edit.id}/lora" for edit in clip.edits)
    decouple = f"results/{clip.id}/lora/edit/decouple.safetensors"
    assert _made(clip, layout) == [decouple, f"{appearance}/edit/appearance.safetensors"]
    assert _made(clip, layout, shared_lora=False, references=False) == [
        f"{folder}/own_edit/decouple.safetensors" for folder in (own, appearance)
    ]
    assert _made(clip, layout, train_mask=None) == [None, None]
    as_it_is = {"clip_lora": False, "references": False}
    assert _made(clip, replace(layout, shared="batch"), **as_it_is) == ["results/shared/edit.safetensors"] * 2
    assert _made(clip, replace(layout, shared="batch", clip_steps=0))[0] == "results/shared/edit.safetensors"
    assert _made(clip, replace(layout, shared="results/shared/{mask}.safetensors"), **as_it_is) == [None, None]
    given = tmp_path / clip.id / "edit.safetensors"
    given.parent.mkdir()
    given.touch()
    assert _made(clip, replace(layout, decouple_lora=f"{tmp_path}/{{clip}}/{{mask}}.safetensors"))[0] is None
    assert (first.id, second.id) == tuple(edit.id for edit in clip.edits)


def _asking(kind: str | None, **model: str) -> Config:
    return load_config({"training": {"lora_format": kind}, **({"model": model} if model else {})}, ROOT)


def test_copies_ask_for_room(clip: Clip) -> None:
    """As much again as the LoRAs."""
    without, with_copies = (estimate_clip_bytes(clip, _asking(kind), 1000) for kind in (None, "comfyui"))
    assert with_copies - without == 1000 * (1 + len(clip.edits))


def test_copies_of_a_family_without_other_names_are_refused() -> None:
    """Before any job, with the key, the family and what would be right."""
    layout = Layout("results", "edit", None)
    hunyuan = _asking("comfyui", name="hunyuanvideo-i2v-33ch")
    told = [str(problem) for problem in check_run(hunyuan, Batch((), (), {}), layout)]
    assert any(line.startswith("training.lora_format: found comfyui, for family hunyuan_video") for line in told), told
    for fine in (_asking(None, name="hunyuanvideo-i2v-33ch"), _asking("comfyui")):
        assert not any("lora_format" in str(problem) for problem in check_run(fine, Batch((), (), {}), layout))
