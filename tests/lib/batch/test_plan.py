"""Which clips a round plans, and when a clip is finished."""

import os
import time
from pathlib import Path

import pytest

from lib.batch.finished import clip_fingerprint, read_finished, remember_finished
from lib.batch.plan import Round, Work, choose_round, note_finished, note_plan
from lib.batch.status import read_status
from lib.inputs.clips import find_clips
from tests.conftest import ROOT


def test_rounds_take_every_clip_once_in_slices() -> None:
    """What is finished or was tried is left out; a clip that appears in mid-run is taken up; the last round reports."""
    first = choose_round(list("abcdef"), ["b"], [], None, 2)
    assert (first.chosen, first.num_left, first.is_last) == (["a", "c"], 3, False)
    second = choose_round(list("abcdef"), ["b"], first.chosen, None, 2)
    assert second.chosen == ["d", "e"]
    last = choose_round(["0", *"abcdef"], ["b", "d"], [*first.chosen, *second.chosen], None, 2)
    assert (last.chosen, last.is_last) == (["0", "f"], True)
    assert choose_round(list("abc"), [], [], ["c", "gone"], 2).chosen == ["c"]


def test_a_clip_is_finished_until_anything_of_it_changes(tmp_path: Path) -> None:
    """Its inputs, its results, its settings: each change, and a file that is gone, makes another fingerprint."""
    clips = ROOT / "demo" / "clips"
    clip = find_clips(clips, num_frames=5, start=0, stride=1).clips[0]
    made = tmp_path / clip.id / "an edit" / "edited.mp4"
    made.parent.mkdir(parents=True)
    made.write_bytes(b"video")
    prints = [clip_fingerprint(clip, tmp_path, "run")]
    assert prints == [clip_fingerprint(clip, tmp_path, "run")]
    prints.append(clip_fingerprint(clip, tmp_path, "other settings"))
    os.utime(made, (1, 1))
    prints.append(clip_fingerprint(clip, tmp_path, "run"))
    made.unlink()
    prints.append(clip_fingerprint(clip, tmp_path, "run"))
    other = find_clips(clips, num_frames=9, start=0, stride=1).clips[0]
    prints.append(clip_fingerprint(other, tmp_path, "run"))
    assert len(set(prints)) == len(prints)
    remember_finished(tmp_path, {"a": "1", "b": "2"}, [])
    remember_finished(tmp_path, {"c": "3"}, ["a"])
    assert read_finished(tmp_path) == {"b": "2", "c": "3"}


def test_what_is_made_is_finished_whatever_this_machines_clock_says(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A network disk may date new files an hour before the driver began, by the driver's own clock."""
    clip = find_clips(ROOT / "demo" / "clips", num_frames=5, start=0, stride=1).clips[0]
    video, own = (clip.id, clip.edits[0].id, "mask_lora"), time.time
    work = Work(tmp_path, {clip.id: clip}, {}, [video], [], "run")
    chosen = Round([clip.id], [], [], None)
    monkeypatch.setattr(time, "time", lambda: own() + 3600)
    note_plan(work, chosen, [video], anew=True)
    note_finished(work, chosen, reported=False)
    assert not read_finished(tmp_path)
    folder = tmp_path.joinpath(*video)
    folder.mkdir(parents=True)
    for name in ("edited.mp4", "metrics.json"):
        (folder / name).touch()
    note_finished(work, chosen, reported=False)
    assert list(read_finished(tmp_path)) == [clip.id]
    assert list(read_status(tmp_path).clips.values()) == ["done"]
