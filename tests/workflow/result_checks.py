"""What is asked of the results of any edit, of footage made by code or of a camera's."""

import json
from pathlib import Path

import numpy as np
import pytest

from lib.video.probing import probe_video
from lib.video.reading import read_first_frame, read_mask, read_video
from lib.video.sound import read_sound


def check_video_is_whole(source: Path, folder: Path, num_frames: int, width: int, height: int) -> None:
    """Length and size are those of the run; rate, pixel shape and, where there is some, the sound are the source's."""
    given, made = probe_video(source), probe_video(folder / "edited.mp4")
    assert (made.num_frames, made.width, made.height) == (num_frames, width, height)
    assert made.fps == pytest.approx(given.fps, rel=1e-3)
    assert made.pixel_aspect == pytest.approx(given.pixel_aspect, rel=1e-3)
    assert made.has_audio == given.has_audio
    assert read_video(folder / "edited.mkv").shape == (num_frames, height, width, 3)
    if given.has_audio:
        end = num_frames / given.fps
        theirs, ours = read_sound(source, 0, end), read_sound(folder / "edited.mp4", 0, end)
        assert theirs is not None and ours is not None and ours.rate == theirs.rate
        loudness = [np.sqrt((sound.samples**2).mean()) for sound in (theirs, ours)]
        assert loudness[1] == pytest.approx(loudness[0], rel=0.1)


def check_mask_covers_the_edit(clip: Path, edit: str) -> None:
    """The mask holds what the edit changed in frame 0, is empty in no frame, and leaves background."""
    mask = read_mask(clip / edit / "edit_mask.mkv")
    source, edited = read_video(clip / "source_video.mkv")[0], read_first_frame(clip / edit / "first_frame.png")
    changed = np.abs(source.astype(int) - edited).max(axis=-1) > 60
    assert changed.sum() > 20
    assert mask[0][changed].mean() > 0.99
    assert mask.any(axis=(1, 2)).all()
    assert mask[0].mean() < 0.7


def check_provenance(folder: Path) -> None:
    """Seeds, versions, settings and hashes stand beside a result; the scores have their rows for comparison."""
    made = json.loads((folder / "edited.json").read_text())
    assert made["settings"]["sampling"]["seed"] == 0 and made["versions"]["torch"]
    assert made["device"] == "cpu" and made["execution"]["mode"] == "fast"
    assert made["inputs"] and made["outputs"]
    assert all(len(digest) == 64 for digest in {**made["inputs"], **made["outputs"]}.values())
    rows = json.loads((folder / "metrics.json").read_text())["rows"]
    assert set(rows) == {"edited", "vae_round_trip", "source_copy"}
    assert rows["source_copy"]["mean"]["background_psnr"] == 100
