"""Results that an earlier version left under the names of clips and edits are told, with where they belong now."""

from dataclasses import replace
from pathlib import Path

import pytest

from lib.inputs.clips import find_clips
from lib.inputs.earlier import describe_earlier, find_earlier
from tests.conftest import ROOT

CLIPS = find_clips(ROOT / "demo" / "clips", num_frames=5, start=0, stride=1).clips
SQUARE = next(clip for clip in CLIPS if clip.name == "turning square")


def _made(path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.touch()


def test_a_clips_folder_under_its_name_is_told(tmp_path: Path) -> None:
    """Old and new path, and that renaming keeps it; a clip that is its own id is none of that."""
    _made(tmp_path / SQUARE.name / "source_video.mkv")
    _made(tmp_path / "star-crossing" / "source_video.mkv")
    found = find_earlier(tmp_path, CLIPS)
    assert found == [(tmp_path / SQUARE.name, tmp_path / SQUARE.id)]
    told = describe_earlier(tmp_path, found)
    assert f"{tmp_path / SQUARE.name}: made anew in {tmp_path / SQUARE.id}" in told and "rename" in told


@pytest.mark.parametrize("made", ["", "own"])
def test_what_is_there_under_the_id_is_current(tmp_path: Path, made: str) -> None:
    """Nothing to say where this version has made it, or where the folder is something else."""
    (tmp_path / SQUARE.name).mkdir()
    if made:
        _made(tmp_path / SQUARE.name / "source_video.mkv")
        _made(tmp_path / SQUARE.id / "source_video.mkv")
    assert find_earlier(tmp_path, CLIPS) == []


def test_an_edits_folder_under_its_name_is_told(tmp_path: Path) -> None:
    """In a clip's folder that has kept its name, and in one that is to be renamed first."""
    edit = replace(SQUARE.edits[0], name="a ring", id="a-ring-1")
    for clip_id in ("square", SQUARE.id):
        clip = replace(SQUARE, name=clip_id if clip_id == "square" else SQUARE.name, id=clip_id, edits=(edit,))
        _made(tmp_path / clip.name / "source_video.mkv")
        _made(tmp_path / clip.name / "a ring" / "first_frame.png")
        assert find_earlier(tmp_path, [clip])[-1] == (tmp_path / clip.id / "a ring", tmp_path / clip.id / "a-ring-1")
