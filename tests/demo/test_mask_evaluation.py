"""The mask benchmark: each case is what it says, the measures count right, and the command writes its files."""

import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from demo.evaluation.scenes import HEIGHT, LEAST_VISIBLE, NUM_FRAMES, WIDTH
from demo.mask_evaluation.__main__ import mask_settings, named_scene
from demo.mask_evaluation.cases import CASES, LATEST_CUT, MaskScene, case_scenes, make_scene
from demo.mask_evaluation.inputs import DISTURBANCES, disturb_picture, edited_frames, read_source
from demo.mask_evaluation.measures import measure_mask, recall_by_frame, true_loose_mask
from demo.mask_evaluation.table import case_table, describe_cases_apart
from demo.world.random_scenes import number_scene
from demo.world.rendering import render
from demo.world.truth import edit_region
from lib.config.settings import load_config
from lib.core.errors import InputError
from lib.masks.differences import edit_difference
from tests.conftest import ROOT


def _scenes(case: str, num_scenes: int = 2) -> list[MaskScene]:
    return [named_scene(f"{case}-{number}") for number in case_scenes(case, num_scenes)]


# --- Cases ---


@pytest.mark.parametrize("case", CASES)
def test_scene_is_decided_by_its_name_and_edited_where_its_truth_says(case: str) -> None:
    """The same pixels each time; outside the true region the two videos are one; the edit is seen where it is given."""
    scene, again = _scenes(case, 1)[0], _scenes(case, 1)[0]
    assert scene.source.shape == scene.edited.shape == (NUM_FRAMES, HEIGHT, WIDTH, 3)
    assert np.array_equal(scene.source, again.source) and np.array_equal(scene.edited, again.edited)
    if case != "global":  # whose truth is the whole frame, though a pixel may happen to keep its colour
        assert np.array_equal(scene.region, edit_region(scene.source, scene.edited))
    assert (scene.region[[0, *scene.references]].sum(axis=(1, 2)) >= LEAST_VISIBLE).all()
    assert bool(scene.references) == (case == "evolving")


def test_cases_share_no_scene_and_more_begin_with_the_fewer() -> None:
    """A run with more scenes adds to a shorter one."""
    numbers = {case: case_scenes(case, 2) for case in CASES}
    assert len({number for of_case in numbers.values() for number in of_case}) == 2 * len(CASES)
    for case in ("several", "leaving"):
        assert case_scenes(case, 1) == numbers[case][:1]


def test_removed_figure_is_where_the_truth_says() -> None:
    """What changes is all that was seen of one figure, and what it hid is seen instead."""
    for scene in _scenes("removal"):
        shown = render(number_scene("held_out", scene.number))[1][:, :NUM_FRAMES]
        errors = [float((figure[0] != scene.region[0]).sum()) for figure in shown]
        rim = 0.25 * scene.region[0].sum()  # half-covered pixels belong to the region and not to the figure
        assert min(errors) < rim


def test_added_figure_was_not_there() -> None:
    """The source shows bare ground where the figure is added."""
    for scene in _scenes("addition"):
        ground = render(replace(number_scene("held_out", scene.number), figures=()))[0][0]
        is_ground = (scene.source[0] == ground).all(axis=-1)
        assert is_ground[scene.region[0]].mean() > 0.98


def test_two_figures_are_edited_apart() -> None:
    """Each has a region of its own in the first frame."""
    for scene in _scenes("several"):
        first, second = (part[0] for part in scene.parts)
        assert not (first & second).any()
        assert "+" in scene.edit


def test_leaver_is_gone_and_comes_back() -> None:
    """There, absent, there again."""
    for scene in _scenes("leaving", 4):
        sizes = scene.region.sum(axis=(1, 2))
        assert sizes[0] >= LEAST_VISIBLE and sizes.min() == 0 and sizes[-1] >= LEAST_VISIBLE


def test_crossers_meet_halfway() -> None:
    """Around the middle of the clip one hides much of the other."""
    for scene in _scenes("crossing", 5):
        whole = number_scene("held_out", scene.number)
        paths = [figure.motion.path for figure in whole.figures if len(figure.motion.path) > 1]
        halves = [np.array(path).T @ [0.25, 0.5, 0.25] for path in paths]
        assert np.allclose(halves[0], halves[1])


def test_camera_moves_the_ground() -> None:
    """The frame's upper and lower row, where figures seldom are, change only with the camera."""

    def border_change(scene: MaskScene) -> float:
        rows = scene.source[:, [0, -1]].astype(float)
        return float(np.median(np.abs(rows[-1] - rows[0])))

    assert min(border_change(scene) for scene in _scenes("camera")) > 2
    assert max(border_change(scene) for scene in _scenes("replacement")) == 0


def test_nothing_is_edited_after_a_cut() -> None:
    """The cut is a jump in the pictures, and the truth ends there."""
    for scene in _scenes("cut"):
        assert scene.cut is not None and scene.cut <= LATEST_CUT
        assert not scene.region[scene.cut :].any()
        jumps = np.abs(np.diff(scene.source.astype(float), axis=0)).mean(axis=(1, 2, 3))
        assert int(jumps.argmax()) == scene.cut - 1


def test_global_edit_changes_nearly_every_pixel() -> None:
    """The truth is the whole frame."""
    for scene in _scenes("global"):
        assert scene.region.all()
        assert edit_region(scene.source, scene.edited).mean() > 0.9


def test_number_without_the_case_makes_no_scene() -> None:
    """A scene of one figure has no two to edit; a name of no scene is told."""
    single = next(number for number in range(100) if len(number_scene("held_out", number).figures) == 1)
    assert make_scene("several", single) is None
    for name in (f"several-{single}", "several-x", "nothing-1"):
        with pytest.raises(InputError, match=name):
            named_scene(name)


# --- Inputs ---


def test_source_passes_through_the_codec_and_edited_frames_do_not() -> None:
    """Near to what was rendered but not the same, and no frame is lost."""
    (scene,) = _scenes("evolving", 1)
    read = read_source(scene)
    assert read.shape == scene.source.shape
    assert 0 < np.abs(read.astype(float) - scene.source).mean() < 3
    name, edited = edited_frames(scene, disturb=False)
    assert name == "none" and set(edited) == {0, *scene.references}
    assert all(np.array_equal(picture, scene.edited[frame]) for frame, picture in edited.items())


@pytest.mark.parametrize("name", DISTURBANCES[1:])
def test_disturbance_is_slight_and_told_from_the_edit(name: str) -> None:
    """Each changes pixels all over the frame, and yet the edit alone is found, give or take a rim."""
    (scene,) = _scenes("recolour", 1)
    picture, region = scene.edited[0], scene.region[0]
    disturbed = disturb_picture(name, picture, np.random.default_rng(0))
    assert disturbed.shape == picture.shape and disturbed.dtype == np.uint8
    assert 0 < np.abs(disturbed.astype(float) - picture).mean() < 20
    found = edit_difference(scene.source[0], disturbed, 6)
    assert found[region].mean() > 0.9 and found.sum() < 2 * region.sum()


# --- Measures ---


def test_recall_is_the_share_held_and_slivers_do_not_count() -> None:
    """Half held is 0.5; under 12 pixels is no measure; a mask elsewhere holds nothing."""
    region = np.zeros((3, 20, 20), np.bool_)
    region[0, 4:8, 4:8] = region[2, 4:8, 4:8] = True
    region[1, 0, :11] = True
    mask = np.zeros_like(region)
    mask[0, :, :6] = mask[1] = mask[2, :, 10:] = True
    recalls = recall_by_frame(mask, region)
    assert recalls[0] == 0.5 and np.isnan(recalls[1]) and recalls[2] == 0


def test_true_loose_mask_has_margin_and_latent_frames() -> None:
    """A box of 4 with a margin of 2, the same in frames 1 to 4, and none where a figure is absent."""
    part = np.zeros((9, 30, 30), np.bool_)
    part[0, 10:14, 10:14] = part[2, 10:14, 20:24] = True
    loose = true_loose_mask([part], margin=0.1, min_margin=2, frame_stride=4)
    expected = np.zeros_like(part)
    expected[0, 8:16, 8:16] = expected[1:5, 8:16, 18:26] = True
    assert np.array_equal(loose, expected)


def test_measures_of_a_perfect_a_wide_and_a_late_mask() -> None:
    """A perfect mask has recall and ratio 1; the whole frame is more, after a cut too; the worst frame is told."""
    part = np.zeros((9, 30, 30), np.bool_)
    part[:5, 10:14, 10:14] = True
    margins = {"margin": 0.15, "min_margin": 2, "frame_stride": 4}
    loose = true_loose_mask([part], **margins)
    perfect = measure_mask(loose, [part], 5, **margins)
    assert perfect["mean_recall"] == perfect["lowest_recall"] == perfect["area_ratio"] == 1
    assert perfect["area_after_cut"] == 0 and perfect["num_counted"] == 5
    whole = measure_mask(np.ones_like(part), [part], 5, **margins)
    assert whole["area_after_cut"] == 1 and whole["area_ratio"] == pytest.approx(part.size / loose.sum())
    late = loose.copy()
    late[2] = False
    measured = measure_mask(late, [part], None, **margins)
    assert (measured["lowest_frame"], measured["lowest_recall"], measured["mean_recall"]) == (2, 0, 0.8)
    assert np.isnan(measured["area_after_cut"])


# --- Command ---


def test_settings_are_those_that_the_mask_is_made_with() -> None:
    """From config.yaml, with the model's latent frames, and a rung only where one was named."""
    config = load_config({}, ROOT)
    settings = mask_settings(config, None)
    assert settings.margin == config.mask.margin and settings.frame_stride == 4
    assert settings.methods == tuple(config.mask.methods)
    assert mask_settings(config, "optical_flow") == replace(settings, methods=("optical_flow",))


def test_table_leaves_cuts_and_global_edits_out_of_all() -> None:
    """They ask for something else than following a region, and are summed up in words."""
    row = {"edit": "part", "mean_recall": 0.9, "area_ratio": 1.0, "confidence": 0.5, "seconds": 1.0}
    row |= {"method": "yolo_track", "says_whole_frame": False, "area_after_cut": np.nan}
    rows = pd.DataFrame(
        [
            {**row, "name": "part-1", "case": "part", "lowest_recall": 0.96},
            {**row, "name": "part-2", "case": "part", "lowest_recall": 0.5},
            {**row, "name": "cut-1", "case": "cut", "lowest_recall": 0.1, "area_after_cut": 0.25},
            {**row, "name": "global-1", "case": "global", "lowest_recall": 0.0, "says_whole_frame": True},
        ]
    )
    last = case_table(rows).splitlines()[-1]
    assert [cell.strip() for cell in last.split("|")[1:6]] == ["all", "2", "0.9000", "50%", "part-2: 0.500"]
    told = " ".join(describe_cases_apart(rows))
    assert "25.0%" in told and "0 of 1 scenes" in told and "in 1 of 1 scenes" in told


def test_command_measures_scenes_and_writes_its_files(tmp_path: Path) -> None:
    """One scene of each of three cases: a table, a row for each, and the strip of the worst."""
    cases = ["recolour", "cut", "global"]
    command = [sys.executable, "-m", "demo.mask_evaluation", "--output", str(tmp_path), "--scenes", "1", "--worst", "1"]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    done = subprocess.run(
        [*command, "--disturb", "--cases", *cases], cwd=ROOT, env=environment, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    rows = pd.read_csv(tmp_path / "scenes.csv")
    assert list(rows["case"]) == cases and rows["mean_recall"].between(0, 1).all()
    table = (tmp_path / "table.md").read_text(encoding="utf-8")
    assert table in done.stdout and "| all " in table and "After a cut" in table
    (strip,) = (tmp_path / "strips").glob("*.png")
    assert Image.open(strip).width > 6 * WIDTH
