"""Videos of other tools are found beside edits and by patterns, matched with their clips, or told what is wrong."""

import shutil
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from lib.config.sections import OutsideSection, VideoSection
from lib.core.errors import Problem
from lib.core.names import method_name
from lib.inputs.clips import Batch
from lib.inputs.ids import outside_id
from lib.inputs.outside import add_outside, list_notes
from tests.lib.inputs.clips.example_clips import NUM_FRAMES, ROW, USED, look, only_problem, says, write_video

VIDEO = VideoSection(width=64, height=48)  # type: ignore[call-arg]


def _add(clips: Path, methods: Mapping[str, Mapping[str, Any]] | None = None) -> tuple[Batch, list[Problem]]:
    sections = {name: OutsideSection(**section) for name, section in (methods or {}).items()}
    return add_outside(look(clips), clips, sections, VIDEO, None)


def _outside(batch: Batch) -> list[tuple[str, str, tuple[int, ...]]]:
    edits = [edit for clip in batch.clips for edit in clip.edits]
    return [(edit.name, video.name, video.frames) for edit in edits for video in edit.outside]


def test_videos_beside_an_edit_are_methods(clips: Path, add: Callable[..., Path], video: Path) -> None:
    """outside/METHOD.mp4 is found, with the frames of it that are used; the clip is changed where it is."""
    folder = add() / "outside"
    folder.mkdir()
    shutil.copy(video, folder / "Go-with-the-Flow.mp4")
    batch, unused = _add(clips)
    assert batch.problems == () and unused == [] and list_notes(batch) == []
    assert _outside(batch) == [("red", "Go-with-the-Flow", tuple(USED))]
    (clip,) = batch.clips
    assert clip.edits[0].outside[0].id == "outside_Go-with-the-Flow"
    assert folder / "Go-with-the-Flow.mp4" in clip.files and folder / "Go-with-the-Flow.mp4" not in clip.edits[0].files


def test_whole_folders_are_named_by_a_pattern(clips: Path, add: Callable[..., Path], video: Path) -> None:
    """Edits that have a video get it; what lies beside an edit goes before; other edits do without."""
    others = clips.parent / "of others" / "car"
    others.mkdir(parents=True)
    for edit in ("blue", "green", "red"):
        add("car", edit)
    for edit in ("green", "red"):
        shutil.copy(video, others / f"{edit}.mp4")
    (clips / "car/edits/red/outside").mkdir()
    write_video(clips / "car/edits/red/outside/tool.mp4", num_frames=len(USED), rate=5)
    batch, unused = _add(clips, {"tool": {"videos": f"{clips.parent}/of others/{{clip}}/{{edit}}.mp4"}})
    assert batch.problems == () and unused == []
    assert _outside(batch) == [("green", "tool", tuple(USED)), ("red", "tool", (0, 1, 2, 3, 4))]
    assert list_notes(batch)[0].startswith("clip 'car', edit 'red', tool: 5 frames at")
    assert "taken one for one with the run's 5 frames" in list_notes(batch)[0]


def test_a_name_in_braces_is_a_name(sheet: Callable[..., Path], tmp_path: Path, video: Path) -> None:
    """A clip that is called {edit} gets no other edit's video; that Snakemake cannot read its path is told."""
    for folder in ("{edit}", "red"):
        (tmp_path / folder).mkdir()
        shutil.copy(video, tmp_path / folder / "red.mp4")
    batch, _ = _add(sheet({**ROW, "clip": "{edit}"}), {"tool": {"videos": f"{tmp_path}/{{clip}}/{{edit}}.mp4"}})
    assert _outside(batch) == [] and "Snakemake takes for a wildcard" in only_problem(batch).found


def test_a_method_without_any_video_is_told(clips: Path, add: Callable[..., Path]) -> None:
    """A slip in a path or a name must not look like a tool that made nothing."""
    add()
    batch, unused = _add(clips, {"tool": {"videos": "nowhere/{clip}/{edit}.mp4"}, "other": {"step": 2.0}})
    assert batch.problems == () and len(unused) == 2
    assert says(unused[0], "outside_methods.tool", "no video of any edit at nowhere/{clip}/{edit}.mp4", "{clip}")
    assert says(unused[1], "outside_methods.other", "no video of any edit", "outside/NAME.mp4")


def test_one_video_cannot_be_of_two_edits(clips: Path, add: Callable[..., Path], video: Path) -> None:
    """A pattern without {edit} serves clips of one edit."""
    add("car", "red"), add("car", "blue"), add("bus", "red")
    shutil.copy(video, clips.parent / "bus.mp4")
    shutil.copy(video, clips.parent / "car.mp4")
    batch, _ = _add(clips, {"tool": {"videos": f"{clips.parent}/{{clip}}.mp4"}})
    assert [(clip.name, len(clip.edits[0].outside)) for clip in batch.clips] == [("bus", 1), ("car", 0)]
    assert {problem.edit for problem in batch.problems} == {"red", "blue"}
    assert all("one video for 2 edits" in problem.found for problem in batch.problems)


@pytest.mark.parametrize(
    ("name", "options", "found", "expected"),
    [
        ("tool.mp4", {"num_frames": 7, "rate": 24}, "a video of 7 frames at 24", "20 frames at 24 per second"),
        ("tool.mp4", {"width": 48}, "a video of 48x48 pixels", "the shape of the source, 64x48"),
        ("tool.txt", {}, "a file that is no video", ".mp4"),
    ],
    ids=["length", "shape", "kind"],
)
def test_what_cannot_be_matched_is_left_out_alone(
    clips: Path, add: Callable[..., Path], name: str, options: dict[str, int], found: str, expected: str
) -> None:
    """Told with clip and edit, while the edit and its other videos go on."""
    folder = add() / "outside"
    folder.mkdir()
    write_video(folder / "good.mp4")
    write_video(folder / "bad.mp4", **options)
    (folder / "bad.mp4").rename(folder / name)
    batch, _ = _add(clips)
    problem = only_problem(batch)
    assert (problem.clip, problem.edit) == ("car", "red")
    assert says(problem, f"car/edits/red/outside/{name}", found, expected)
    assert [name for _, name, _ in _outside(batch)] == ["good"]


def test_a_step_matches_what_numbers_do_not(clips: Path, add: Callable[..., Path]) -> None:
    """Given by the method's name, also for videos beside edits."""
    folder = add() / "outside"
    folder.mkdir()
    write_video(folder / "tool.mp4", num_frames=3, rate=5)
    batch, _ = _add(clips, {"tool": {"step": 2}})
    assert batch.problems == () and _outside(batch) == [("red", "tool", (0, 0, 1, 1, 2))]


def test_a_method_twice_is_told(clips: Path, add: Callable[..., Path]) -> None:
    """Names that a disk may take for one are one; a damaged video is told too."""
    folder = add() / "outside"
    folder.mkdir()
    write_video(folder / "tool.mp4")
    write_video(folder / "Tool.mkv")
    (folder / "broken.mp4").write_bytes(b"no video")
    batch, _ = _add(clips)
    assert [name for _, name, _ in _outside(batch)] == ["Tool"]
    found = {Path(problem.place).name: problem.found for problem in batch.problems}
    assert found.keys() == {"tool.mp4", "broken.mp4"}
    assert found["tool.mp4"] == "a second 'tool', beside Tool.mkv"


def test_a_sheet_names_outside_videos(sheet: Callable[..., Path], tmp_path: Path) -> None:
    """A folder of videos, or METHOD=FILE; a file without a method is told by its row."""
    (tmp_path / "others").mkdir()
    shutil.copy(tmp_path / "bus.mp4", tmp_path / "others" / "tool.mp4")
    for cell, names in (("others", ["tool"]), ("a tool=bus.mp4; b=others/tool.mp4", ["a tool", "b"])):
        batch, _ = _add(sheet({**ROW, "outside": cell}))
        assert batch.problems == () and [name for _, name, _ in _outside(batch)] == names
    edit = batch.clips[0].edits[0]
    assert method_name(batch.names, "car", "red", edit.outside[0].id) == "a tool"
    assert says(
        only_problem(look(sheet({**ROW, "outside": "bus.mp4"}))),
        "clips.tsv, row 2, outside", "'bus.mp4'", "METHOD=FILE",
    )  # fmt: skip


@pytest.mark.parametrize("name", ["mask_lora", "AnyV2V", "I2VEdit 1.0", "$(touch X)", "../x", "ж" * 99, "", "a" * 33])
def test_a_method_of_any_name_has_a_safe_id(name: str) -> None:
    """None of ours, short enough for a job's name, and the same in all clips."""
    its_id = outside_id(name)
    assert its_id.startswith("outside_") and len(its_id) <= 40
    assert its_id.replace("-", "_").replace("_", "").isalnum() and its_id.isascii()
    assert (its_id == f"outside_{name}") == (name in ("mask_lora", "AnyV2V"))
    assert its_id == outside_id(name) != outside_id(f"{name}.")


def test_frames_are_as_many_as_the_run_uses(clips: Path, add: Callable[..., Path]) -> None:
    """Every third from frame 2 on, of a video at the source's rate."""
    assert NUM_FRAMES == 20
    folder = add() / "outside"
    folder.mkdir()
    write_video(folder / "tool.mp4", num_frames=17)
    assert _outside(_add(clips)[0]) == [("red", "tool", tuple(USED))]
