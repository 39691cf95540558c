"""The benchmark's measures: known outputs get known figures."""

from dataclasses import replace

import numpy as np
import pytest

from demo.evaluation.measures import centroid_errors, find_figure, measure_video, region_psnr
from demo.evaluation.scenes import HEIGHT, NUM_FRAMES, WIDTH, HeldOutScene, Truth, main_scenes, render_truth
from demo.world.edits import EditedScene
from demo.world.scenes import Figure, Motion, Scene, replace_figure
from lib.metrics.background import PSNR_CAP

SHIFT = 5  # pixels


@pytest.fixture(scope="module")
def scenes() -> list[HeldOutScene]:
    """Every kind of edit, twice."""
    return main_scenes(10)


@pytest.fixture
def truth() -> Truth:
    """A striped red star that stays well inside the frame, in place of a blue circle, beside a still square."""
    circle = Figure("circle", "blue", Motion(path=((0.3, 0.5), (0.7, 0.4)), rotation=(0, 40)))
    still = Figure("square", "gold", Motion(path=((0.8, 0.85),), radius=(0.12, 0.12)))
    source = Scene(figures=(still, circle), num_frames=NUM_FRAMES)
    edited = replace_figure(source, 1, replace(circle, shape="star", colour="red", stripe_colour="white"))
    return render_truth(EditedScene("replacement", source, edited, figure=1))


def test_centroid_of_the_truth_is_exact_in_every_kind_of_scene(scenes: list[HeldOutScene]) -> None:
    """The true video has its figure where it is, and most frames can be judged."""
    for scene in scenes:
        truth = render_truth(scene.edit)
        errors, lost = centroid_errors(truth.edited, truth)
        assert np.mean(errors) < 0.5 and max(errors) < 1, scene.name
        assert not any(lost)
    assert len(errors) > NUM_FRAMES // 2


def test_shifted_figure_is_found_where_it_is(truth: Truth) -> None:
    """A video moved by five pixels is five pixels off in each frame."""
    errors, lost = centroid_errors(np.roll(truth.edited, SHIFT, axis=2), truth)
    assert np.allclose(errors, SHIFT, atol=0.5)
    assert len(errors) == NUM_FRAMES - 1 and not any(lost)


def test_figure_is_lost_in_every_frame_of_the_backdrop(scenes: list[HeldOutScene]) -> None:
    """Where there is no figure, the error is half the frame's diagonal."""
    for scene in scenes:
        truth = render_truth(scene.edit)
        errors, lost = centroid_errors(truth.backdrop, truth)
        assert all(lost), scene.name
        assert np.allclose(errors, np.hypot(WIDTH, HEIGHT) / 2)


def test_figure_left_unedited_is_not_taken_for_the_edited_one(scenes: list[HeldOutScene]) -> None:
    """The source as output has lost a figure of other colours; a figure that only gets a mark is there."""
    for scene in scenes:
        truth = render_truth(scene.edit)
        _, lost = centroid_errors(truth.source, truth)
        assert np.mean(lost) == (0 if scene.edit.kind == "part" else 1), scene.name


def test_noise_and_specks_do_not_move_the_figure(truth: Truth) -> None:
    """Errors like a codec's, and a few bright pixels far away, leave the centroid within half a pixel."""
    noise = np.random.default_rng(0).normal(0, 8, truth.edited.shape)
    noisy = np.clip(truth.edited + noise, 0, 255).astype(np.uint8)
    noisy[:, 5:9, 5:9] = truth.palette[0].astype(np.uint8)
    errors, lost = centroid_errors(noisy, truth)
    assert max(errors) < 0.5 and not any(lost)


def test_figure_that_stands_still_is_off_by_its_path(truth: Truth) -> None:
    """The first frame repeated: the error grows to the length of the path."""
    errors, _ = centroid_errors(np.repeat(truth.edited[:1], NUM_FRAMES, axis=0), truth)
    assert errors == sorted(errors)
    assert errors[-1] == pytest.approx(np.hypot(0.4 * WIDTH, 0.1 * HEIGHT), abs=1.5)


def test_frames_that_truly_show_too_little_are_left_out(truth: Truth) -> None:
    """A figure hidden in half of the frames is judged in the other half."""
    hidden = truth.figure.copy()
    hidden[9:] = False
    assert len(centroid_errors(truth.edited, replace(truth, figure=hidden))[0]) == 8


def test_stripes_belong_to_the_figure(truth: Truth) -> None:
    """What is found is nearly all of the figure, and little else."""
    found = find_figure(truth.edited[3], 3, truth)
    assert (found & truth.figure[3]).sum() / (found | truth.figure[3]).sum() > 0.9


def test_region_psnr_is_of_the_region_alone() -> None:
    """An error of 5 in half of the region's pixels; none and no pixels."""
    true = np.full((2, 4, 4, 3), 100, np.uint8)
    output, region = true.copy(), np.zeros((2, 4, 4), bool)
    region[:, 0] = True
    output[0, 0] += 5
    output[:, 2:] = 0
    assert region_psnr(output, true, region) == pytest.approx(10 * np.log10(255**2 / 12.5))
    assert region_psnr(true, true, region) == PSNR_CAP
    assert np.isnan(region_psnr(output, true, np.zeros_like(region)))


def test_source_as_output_is_perfect_but_for_the_edit(truth: Truth) -> None:
    """The truth is perfect everywhere; the source is where nothing changes; a mask that misses some says how much."""
    box = truth.region.any(axis=0, keepdims=True).repeat(NUM_FRAMES, axis=0)
    perfect, source = (measure_video(video, truth, box) for video in (truth.edited, truth.source))
    assert perfect["background_psnr"] == perfect["edit_psnr"] == perfect["late_edit_psnr"] == PSNR_CAP
    assert source["background_psnr"] == source["kept_psnr"] == PSNR_CAP
    assert source["edit_psnr"] < 20
    assert perfect["mask_coverage"] == 1
    half = box.copy()
    half[:, :, WIDTH // 2 :] = False
    assert 0.3 < measure_video(truth.edited, truth, half)["mask_coverage"] < 0.7


def test_first_frame_counts_for_nothing_but_the_jump_after_it(truth: Truth) -> None:
    """It is given, so making it brighter by 9 levels changes no figure but that one, by as much."""
    output, box = truth.edited.copy(), truth.region
    output[0] = np.clip(output[0].astype(int) + 9, 0, 255)
    spoilt, whole = (measure_video(video, truth, box) for video in (output, truth.edited))
    assert whole.pop("first_jump") == 0
    assert spoilt.pop("first_jump") == pytest.approx(9, abs=1)
    assert spoilt == whole
