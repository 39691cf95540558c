"""A clips folder and what can be put into it."""

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.lib.inputs.clips.example_clips import COLUMNS, USED, write_image, write_video


@pytest.fixture(scope="module")
def video(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small video, written once."""
    path = tmp_path_factory.mktemp("video") / "source.mp4"
    write_video(path)
    return path


@pytest.fixture
def clips(tmp_path: Path) -> Path:
    """An empty clips folder, one level down so that tests have an outside."""
    folder = tmp_path / "clips"
    folder.mkdir()
    return folder


@pytest.fixture
def add(clips: Path, video: Path) -> Callable[..., Path]:
    """Add a good edit, and its clip if it is new; returns the edit's folder."""

    def add_edit(clip: str = "car", edit: str = "red") -> Path:
        folder = clips / clip / "edits" / edit
        folder.mkdir(parents=True)
        shutil.copy(video, clips / clip / "source.mp4")
        write_image(folder / "first_frame.png")
        return folder

    return add_edit


@pytest.fixture
def sheet(tmp_path: Path, video: Path) -> Callable[..., Path]:
    """Write a sheet from rows of cells, beside files that rows can name."""
    shutil.copy(video, tmp_path / "car.mp4")
    shutil.copy(video, tmp_path / "bus.mp4")
    write_image(tmp_path / "red.png")
    for index in USED:
        write_image(tmp_path / f"masks/{index:05}.png")
    write_image(tmp_path / "more/00005.png")
    write_image(tmp_path / "more/00011.png")

    def write_sheet(*rows: dict[str, str], name: str = "clips.tsv", columns: list[str] = COLUMNS) -> Path:
        separator = "\t" if name.endswith(".tsv") else ","
        lines = [columns, *([row.get(column, "") for column in columns] for row in rows)]
        text = "\n".join(separator.join(line) for line in lines) + "\n"
        (tmp_path / name).write_text(text, encoding="utf-8-sig")
        return tmp_path / name

    return write_sheet
