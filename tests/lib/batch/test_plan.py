"""Which clips a round plans, and when a clip is finished."""

import os
from dataclasses import replace
from pathlib import Path

from lib.batch.files import batch_file
from lib.batch.finished import clip_fingerprint, read_finished, remember_finished
from lib.batch.plan import Round, Work, choose_round, next_round, note_finished, note_plan
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


def test_what_is_finished_is_looked_for_once_in_a_run(tmp_path: Path) -> None:
    """Not for each slice, while nothing that clips share has changed; the next run looks anew."""
    clips = find_clips(ROOT / "demo" / "clips", num_frames=5, start=0, stride=1).clips
    work = Work(tmp_path, {clip.id: clip for clip in clips}, {}, [], [], "run")
    made = tmp_path / clips[0].id / "source_video.mkv"
    made.parent.mkdir()
    made.write_bytes(b"video")
    remember_finished(tmp_path, {clips[0].id: clip_fingerprint(clips[0], tmp_path, "run")}, [])
    first = next_round(work, forced=False)
    assert first.finished == [clips[0].id] and first.chosen == [clip.id for clip in clips[1:]]
    note_plan(work, first, [], anew=False)
    made.unlink()
    assert next_round(work, forced=False).finished == [clips[0].id]
    assert next_round(work, forced=True).finished == []
    assert next_round(replace(work, run="other settings"), forced=False).finished == []
    batch_file(tmp_path, "plan.json").unlink()
    gathering = next_round(work, forced=False, shares=True)
    assert gathering.gathers and gathering.chosen == [] and not gathering.is_last, "first what all clips need"
    note_plan(work, gathering, [], anew=False)
    assert not next_round(work, forced=False, shares=True).gathers, "once in a run, whatever came of it"
    assert clips[0].id in next_round(work, forced=False).chosen


def test_a_clip_that_lacks_something_beside_its_videos_is_planned_again(tmp_path: Path) -> None:
    """Such as a copy of a LoRA that could not be written, or was not before the run was stopped."""
    clips = find_clips(ROOT / "demo" / "clips", num_frames=5, start=0, stride=1).clips[:2]
    videos = [(clip.id, clip.edits[0].id, "mask_lora") for clip in clips]
    for video in videos:
        folder = tmp_path.joinpath(*video)
        folder.mkdir(parents=True)
        for name in ("metrics.json", "edited.mp4"):
            (folder / name).touch()
    work = Work(tmp_path, {clip.id: clip for clip in clips}, {}, videos, [], "run")
    first, second = (clip.id for clip in clips)
    note_finished(work, Round([first, second], [], [], None), reported=False, lacking=[second, "of another round"])
    assert next_round(work, forced=False).chosen == [second]
    note_finished(work, Round([second], [], [], None), reported=False)
    assert next_round(work, forced=False).chosen == []
