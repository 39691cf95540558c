"""Published test sets become sheets that the batch reads; small copies of their layouts stand for them."""

import json
import shutil
from pathlib import Path

import pytest
from PIL import Image

from lib.inputs.benchmark_sets import main
from lib.inputs.clips import find_clips
from tests.conftest import ROOT

SOURCE = ROOT / "demo" / "clips" / "star-crossing" / "source.mp4"
SIZE = (160, 96)


def _batch(sheet: Path) -> list[tuple[str, str, str | None]]:
    """Return clip, edit and prompt of each edit that the batch finds in a sheet."""
    batch = find_clips(sheet, num_frames=5, start=0, stride=1)
    assert not batch.problems, batch.problems
    names = {clip.id: clip.name for clip in batch.clips}
    return [(names[clip.id], edit.name, edit.prompt) for clip in batch.clips for edit in clip.edits]


def test_i2vedits_set(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """An item is a clip, each picture an edit; what lacks one of them is told."""
    for item, edits in (("item2", ["a hat", "blue"]), ("item10", ["x"]), ("item11", [])):
        folder = tmp_path / "set" / item / "source_and_edits"
        folder.mkdir(parents=True)
        shutil.copyfile(SOURCE, folder / "source.mp4")
        for edit in edits:
            Image.new("RGB", SIZE, "red").save(folder / f"{edit}.png")
    (tmp_path / "set" / "notes").mkdir()
    assert main(["i2vedit", str(tmp_path / "set"), str(tmp_path / "sheets" / "clips.tsv")]) == 0
    told = capsys.readouterr()
    assert "2 clips, 3 edits" in told.out and "item11: no edited picture" in told.err
    found = _batch(tmp_path / "sheets" / "clips.tsv")
    assert found == [("item2", "a hat", None), ("item2", "blue", None), ("item10", "x", None)]


def test_editversebench(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Items with an edited first frame and their prompts; a missing video, or a frame of several items, is told."""
    folder = tmp_path / "bench"
    (folder / "videos").mkdir(parents=True)
    (folder / "edited_first_frame").mkdir()
    items = {
        "0": {"<text>": "make it red", "<video1>": "videos/101.mp4", "target_prompt": "a red\tstar\nmoving"},
        "1": {"<text>": "add snow", "<video1>": "videos/102.mp4", "target_prompt": "snow"},
        "2": {"<text>": "a", "<video1>": "videos/103.mp4", "target_prompt": "b"},
        "3": {"<text>": "c", "<video1>": "videos/103.mp4", "target_prompt": "d"},
    }
    (folder / "EditVerseBench.json").write_text(json.dumps(items), encoding="utf-8")
    for name in ("101", "103"):
        shutil.copyfile(SOURCE, folder / "videos" / f"{name}.mp4")
    for name in ("101", "102", "103", "999"):
        Image.new("RGB", SIZE, "red").save(folder / "edited_first_frame" / f"{name}.jpg")
    sheet = folder / "clips.csv"
    assert main(["editversebench", str(folder), str(sheet)]) == 0
    told = capsys.readouterr().err
    assert "102.jpg: its video videos/102.mp4 is not here" in told
    assert "103.jpg: of 2 items (2, 3)" in told and "999.jpg: of 0 items" in told
    assert _batch(sheet) == [("101", "item-0", "a red star moving")]


def test_what_is_no_test_set_is_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """With what would be right, and nothing written."""
    sheet = tmp_path / "clips.tsv"
    for layout, folder in (("i2vedit", tmp_path / "none"), ("i2vedit", tmp_path), ("editversebench", tmp_path)):
        assert main([layout, str(folder), str(sheet)]) == 1
    (tmp_path / "test.json").write_text('{"0": {}}')
    assert main(["editversebench", str(tmp_path), str(sheet)]) == 1
    told = capsys.readouterr()
    assert "<video1>" in told.err and "nothing that can be edited" in told.out and not sheet.exists()
