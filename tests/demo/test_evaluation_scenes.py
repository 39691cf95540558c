"""The benchmark's scenes: always the same ones, editable in their first frame, written as the workflow reads them."""

from dataclasses import replace
from pathlib import Path

import numpy as np

from demo.evaluation.scenes import (
    EVOLVING_EDITS,
    FIRST_EVOLVING_NUMBER,
    FIRST_NUMBER,
    KINDS,
    LATE_FRAMES,
    LEAST_VISIBLE,
    NUM_FRAMES,
    PAIR_EDITS,
    evolving_scenes,
    main_scenes,
    moving_scenes,
    pair_scenes,
    render_truth,
    with_read_source,
    write_batch,
)
from demo.world.edits import REFERENCE_FRAME
from demo.world.scenes import Camera
from lib.inputs.clips import find_clips
from lib.video.images import read_image


def test_more_scenes_begin_with_the_fewer() -> None:
    """Kinds go round, numbers rise, and a longer run adds to a shorter one."""
    scenes = main_scenes(7)
    assert [scene.edit.kind for scene in scenes] == [*KINDS, *KINDS[:2]]
    assert [scene.number for scene in scenes] == sorted({scene.number for scene in scenes})
    assert scenes[0].number >= FIRST_NUMBER
    assert scenes[:3] == main_scenes(3)


def test_a_set_of_its_own_has_a_moving_camera() -> None:
    """With the edits of the main set, whose scenes stand still as they always did."""
    scenes = moving_scenes(6)
    assert [scene.edit.kind for scene in scenes] == [*KINDS, KINDS[0]]
    assert all(scene.edit.source.camera == scene.edit.edited.camera != Camera() for scene in scenes)
    assert scenes[:2] == moving_scenes(2) and all(scene.edit.source.camera == Camera() for scene in main_scenes(6))


def test_edited_figure_is_seen_in_the_first_frame_and_late_where_it_changes_late() -> None:
    """What no frame shows can neither be edited nor judged."""
    for scene in main_scenes(5):
        assert render_truth(scene.edit).figure[0].sum() >= LEAST_VISIBLE
    for scene in evolving_scenes(3):
        assert scene.number >= FIRST_EVOLVING_NUMBER
        visible = render_truth(scene.edit).figure.sum(axis=(1, 2))
        assert (visible[[0, REFERENCE_FRAME, *range(NUM_FRAMES - LATE_FRAMES, NUM_FRAMES)]] >= LEAST_VISIBLE).all()


def test_truth_round_the_edit_is_what_the_workflow_read() -> None:
    """After H.264 the background is the decoded one, and the edit stays exact."""
    truth = render_truth(main_scenes(1)[0].edit)
    read = with_read_source(truth, np.clip(truth.source.astype(int) + 3, 0, 255).astype(np.uint8))
    assert np.array_equal(read.edited[~read.region], read.source[~read.region])
    assert np.array_equal(read.edited[truth.region], truth.edited[truth.region])


def test_workflow_finds_every_clip_of_the_sheet(tmp_path: Path) -> None:
    """One reference, for the edit that is named after it."""
    scenes = evolving_scenes(2)
    sheet = write_batch(scenes, EVOLVING_EDITS, tmp_path)
    batch = find_clips(sheet, num_frames=NUM_FRAMES, start=0, stride=1)
    assert not batch.problems
    assert [clip.name for clip in batch.clips] == [scene.name for scene in scenes]
    for clip in batch.clips:
        references = {edit.name: [index for index, _ in edit.references] for edit in clip.edits}
        assert references == {"without-reference": [], "with-reference": [REFERENCE_FRAME]}


def test_second_writing_touches_only_what_changed(tmp_path: Path) -> None:
    """A file of a newer date would run its clip again; a scene drawn otherwise must."""
    scenes = main_scenes(2)
    write_batch(scenes, ("edit",), tmp_path)
    dates = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("clips/*/*")}
    edit = scenes[1].edit
    scenes[1] = replace(scenes[1], edits={"edit": replace(edit, edited=replace(edit.edited, texture_seed=0))})
    write_batch(scenes, ("edit",), tmp_path)
    changed = [path for path, date in dates.items() if path.stat().st_mtime_ns != date]
    assert changed == [tmp_path / "clips" / scenes[1].name / "first_frame.png"]
    assert set(dates) == set(tmp_path.rglob("clips/*/*"))


def test_pairs_are_two_edits_of_one_scene(tmp_path: Path) -> None:
    """One source, two first frames, each edit seen in its own; the sheet lists both for the same clip."""
    (scene,) = pair_scenes(1)
    first, second = (render_truth(edit) for edit in scene.edits.values())
    assert (first.source == second.source).all()
    assert [edit.kind for edit in scene.edits.values()] == list(PAIR_EDITS)
    assert (first.edited[0] != second.edited[0]).any()
    sheet = write_batch([scene], PAIR_EDITS, tmp_path)
    (clip,) = find_clips(sheet, num_frames=NUM_FRAMES, start=0, stride=1).clips
    frames = [read_image(edit.first_frame) for edit in clip.edits]
    assert (frames[0] == first.edited[0]).all() and (frames[1] == second.edited[0]).all()
