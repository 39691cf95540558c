"""The demo batch is written in the clips-folder form."""

from pathlib import Path

import av
import numpy as np
import pytest
import yaml
from PIL import Image

from demo.make_clips import DemoClip, demo_clips, write_clip
from demo.world.rendering import render

CLIPS_FOLDER = Path(__file__).parents[2] / "demo/clips"


@pytest.mark.parametrize("clip", demo_clips(), ids=lambda clip: clip.name)
def test_written_clip_holds_its_scene(clip: DemoClip, tmp_path: Path) -> None:
    """The source decodes to nearly the rendered frames, and the edited frames are exact."""
    write_clip(clip, tmp_path)
    folder = tmp_path / clip.name
    source, _ = render(clip.scene)
    with av.open(str(folder / "source.mp4")) as container:
        assert container.streams.video[0].average_rate == clip.scene.fps
        assert bool(container.streams.audio) == clip.has_sound
        decoded = np.stack([frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)])
    assert decoded.shape == source.shape
    assert np.abs(decoded.astype(int) - source).mean() < 3  # of 255; chroma is halved by yuv420p
    for edit in clip.edits:
        edited, _ = render(edit.scene)
        frames = {"first_frame.png": 0, **{f"references/{index:05d}.png": index for index in edit.references}}
        for name, index in frames.items():
            assert np.array_equal(np.asarray(Image.open(folder / "edits" / edit.name / name)), edited[index])


def test_only_the_portrait_edit_has_a_prompt(tmp_path: Path) -> None:
    """edit.yaml is written where an edit has a prompt, and holds it."""
    for clip in demo_clips():
        write_clip(clip, tmp_path)
    (path,) = tmp_path.rglob("edit.yaml")
    assert path.parent.name == "white-cross"
    assert "a white cross on it" in yaml.safe_load(path.read_text(encoding="utf-8"))["prompt"]


def test_stored_clips_are_those_of_the_code() -> None:
    """The repository's clips have the frames that the code renders, and stay below 1 MB."""
    assert sorted(path.name for path in CLIPS_FOLDER.iterdir()) == sorted(clip.name for clip in demo_clips())
    for clip in demo_clips():
        for edit in clip.edits:
            stored = np.asarray(Image.open(CLIPS_FOLDER / clip.name / "edits" / edit.name / "first_frame.png"))
            # Another processor may round a colour differently.
            assert np.abs(stored.astype(int) - render(edit.scene)[0][0]).max() <= 1
    assert sum(path.stat().st_size for path in CLIPS_FOLDER.rglob("*") if path.is_file()) < 1_000_000
