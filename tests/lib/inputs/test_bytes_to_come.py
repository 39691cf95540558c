"""Room on the disk is asked for per clip, and only for what is not there yet."""

from dataclasses import replace
from pathlib import Path

import pytest

from lib.config.settings import load_config
from lib.core.units import GIB
from lib.inputs.clips import Clip, find_clips
from lib.inputs.disk import bytes_for_a_while, bytes_to_come, estimate_clip_bytes
from lib.inputs.layout import Layout
from tests.conftest import ROOT

REAL = {"model": {"name": "wan2.1-i2v-14b-480p"}}  # 49 frames of 832x480
LORA = 307_000_000  # bytes, of rank 16 at 14B


@pytest.fixture
def clip() -> Clip:
    """A clip of one edit and 49 frames."""
    found = find_clips(ROOT / "demo" / "clips", num_frames=17, start=0, stride=1).clips
    one = next(clip for clip in found if len(clip.edits) == 1)
    return replace(one, indices=tuple(range(49)))


def test_one_long_clip_counts_for_itself_alone(clip: Clip) -> None:
    """Of a thousand clips one is ten times as long: it asks for ten times one clip's videos, not for a thousand's."""
    settings = load_config(REAL, ROOT)
    short = estimate_clip_bytes(clip, settings, LORA)
    long = estimate_clip_bytes(replace(clip, indices=tuple(range(481))), settings, LORA)
    assert 0.5 * GIB < short < 1.2 * GIB
    assert short < long < 10 * short


def test_what_is_there_asks_for_no_room_again(clip: Clip, tmp_path: Path) -> None:
    """A resume on a disk that holds just what is left must start."""
    settings = load_config({"results": str(tmp_path)}, ROOT)
    layout = Layout(str(tmp_path), settings.mask.shape, None)
    other = replace(clip, id="other")
    whole = bytes_to_come(settings, layout, [clip, other], [])
    assert bytes_to_come(settings, layout, [clip], [other]) == whole
    part = tmp_path / clip.id / "lora" / "edit" / "decouple.safetensors"
    part.parent.mkdir(parents=True)
    part.write_bytes(bytes(whole // 10))
    assert bytes_to_come(settings, layout, [clip, other], []) == whole - whole // 10
    part.write_bytes(bytes(whole))
    assert bytes_to_come(settings, layout, [clip, other], []) == whole // 2, "one clip's rest is not another's room"
    assert bytes_to_come(settings, layout, [other], []) == whole // 2, "a clip that is finished is not asked for"


def test_trainings_at_work_need_room_for_their_states(clip: Clip, tmp_path: Path) -> None:
    """Each holds three times its LoRA, and one more while it writes; none is needed where the LoRAs are made."""
    settings = load_config({"results": str(tmp_path)}, ROOT)
    layout = Layout(str(tmp_path), settings.mask.shape, None)
    clips = [replace(clip, id=f"clip-{number}") for number in range(4)]
    state = bytes_for_a_while(settings, layout, clips[:1], 1) // 2
    made = layout.stage_1_lora(clips[0].id, clip.edits[0].id, "edit")
    Path(made).parent.mkdir(parents=True)
    assert state > 0 and state % 3 == 0
    assert [bytes_for_a_while(settings, layout, clips, at_once) for at_once in (1, 3, 100)] == [
        2 * state,
        4 * state,
        5 * state,
    ]
    Path(made).touch()
    assert bytes_for_a_while(settings, layout, clips, 100) == 4 * state
    assert bytes_for_a_while(settings, layout, clips[:1], 100) == 0


def test_samples_of_the_shared_lora_need_room_until_it_is_there(clip: Clip, tmp_path: Path) -> None:
    """Only of the clips that are to train it, and of each as many as the settings say."""
    shared = {"training": {"shared": "batch"}, "shared": {"clips": 2, "samples_per_clip": 3, "scale": 1}}
    clips = [replace(clip, id=f"clip-{number}") for number in range(4)]
    none, batch = (load_config({**REAL, "results": str(tmp_path), **more}, ROOT) for more in ({}, shared))
    layout = Layout(str(tmp_path), batch.mask.shape, None, "batch")
    more = bytes_to_come(batch, layout, clips, []) - bytes_to_come(none, layout, clips, [])
    assert 2 * 3 * 15 * 2**20 < more < 2 * 3 * 40 * 2**20
    made = Path(layout.shared_lora("edit") or "")
    made.parent.mkdir()
    made.touch()
    assert bytes_to_come(batch, layout, clips, []) == bytes_to_come(none, layout, clips, [])
