"""A user's masks and edit.yaml: every mistake in them is told in the user's terms."""

import shutil
import time
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path

import pytest

from lib.inputs.clips import find_clips
from tests.lib.core.hostile_yaml import HOSTILE, write_hostile
from tests.lib.inputs.clips.example_clips import (
    HEIGHT,
    NUM_FRAMES,
    USED,
    WIDTH,
    edit_problem,
    look,
    only_problem,
    says,
    write_image,
    write_video,
)

# Masks

KNOWN_KEYS = (
    "one of classes, guidance, instruction, lora_scale, negative_prompt, num_steps, prompt, "
    "reference_instructions, seed"
)


@pytest.mark.parametrize(("width", "height"), [(WIDTH + 1, HEIGHT), (2 * WIDTH, 2 * HEIGHT)])
def test_a_mask_of_another_size_is_told(clips: Path, add: Callable[..., Path], width: int, height: int) -> None:
    """A mask must match the source pixel by pixel; the same aspect is not enough."""
    folder = add()
    for index in USED:
        write_image(folder / f"mask/{index:05}.png")
    write_image(folder / "mask/00008.png", width, height)
    problem = edit_problem(clips, add)
    assert says(problem, "car/edits/red/mask/00008.png", f"{width}x{height}", "exactly the size of the source, 64x48")


def test_missing_masks_are_told(clips: Path, add: Callable[..., Path]) -> None:
    """Which of the used frames lack one is said."""
    folder = add()
    for index in (2, 8, 14):
        write_image(folder / f"mask/{index:05}.png")
    found = "no mask for frames 5, 11 (2 of 5 frames)"
    assert says(edit_problem(clips, add), "car/edits/red/mask", found, "each frame that this run uses")


def test_an_empty_mask_folder_is_told(clips: Path, add: Callable[..., Path]) -> None:
    """A folder for masks without any is no wish for automatic masks."""
    (add() / "mask").mkdir()
    assert says(edit_problem(clips, add), "car/edits/red/mask", "no mask for frames 2, 5, 8, 11, 14", "a mask for each")


def test_a_mask_without_index_is_told(clips: Path, add: Callable[..., Path]) -> None:
    """Names such as those of an export are refused."""
    folder = add()
    for index in USED:
        write_image(folder / f"mask/{index:05}.png")
    write_image(folder / "mask/mask_00020.png")
    assert says(edit_problem(clips, add), "car/edits/red/mask/mask_00020.png", "no whole number", "00024.png")


def test_a_damaged_mask_is_told_only_if_used(clips: Path, add: Callable[..., Path]) -> None:
    """Masks of frames that the run does not use are not opened."""
    folder = add()
    for index in range(NUM_FRAMES):
        write_image(folder / f"mask/{index:05}.png")
    (folder / "mask/00003.png").write_bytes(b"junk")
    assert look(clips).problems == ()
    (folder / "mask/00005.png").write_bytes(b"junk")
    assert says(edit_problem(clips, add), "car/edits/red/mask/00005.png", "no readable image", "a whole PNG")


def test_a_mask_may_be_a_video(clips: Path, add: Callable[..., Path], video: Path) -> None:
    """One file beside the first frame, in any container, instead of a folder of images."""
    folder = add()
    shutil.copy(video, folder / "mask.MP4")
    batch = look(clips)
    assert batch.problems == ()
    (edit,) = batch.clips[0].edits
    assert (edit.masks, edit.mask_video) == ((), folder / "mask.MP4")


@pytest.mark.parametrize(
    ("made", "found", "expected"),
    [
        ({"width": WIDTH * 2}, "a mask of 128x48", "exactly the size of the source, 64x48"),
        ({"num_frames": 14}, "a mask video of 14 frames", "at least 15"),
        ({"rate": 25}, "a mask video of 25 frames per second", "the source's rate, 24"),
    ],
)
def test_a_mask_video_unlike_the_source_is_told(
    clips: Path, add: Callable[..., Path], made: dict[str, int], found: str, expected: str
) -> None:
    """Its frames must be the source's, one for one and pixel by pixel."""
    write_video(add() / "mask.mp4", **made)
    assert says(edit_problem(clips, add), "car/edits/red/mask.mp4", found, expected)


def test_masks_given_twice_are_told(clips: Path, add: Callable[..., Path], video: Path) -> None:
    """Images and a video, or two videos: which one is meant cannot be known."""
    folder = add()
    shutil.copy(video, folder / "mask.mp4")
    shutil.copy(video, folder / "mask.mov")
    for index in USED:
        write_image(folder / f"mask/{index:05}.png")
    found = "masks given twice: mask.mov, mask.mp4, the folder mask"
    assert says(edit_problem(clips, add), "car/edits/red", found, "one mask video or one folder")


def test_long_lists_of_frames_are_brief(clips: Path, add: Callable[..., Path]) -> None:
    """Neighbouring frames are joined to ranges."""
    folder = add()
    write_image(folder / "mask/00003.png")
    batch = find_clips(clips, num_frames=10, start=0, stride=1)
    assert "no mask for frames 0 to 2, 4 to 9 (9 of 10 frames)" in only_problem(batch).found


# edit.yaml


@pytest.mark.parametrize(
    ("text", "place", "found", "expected"),
    [
        ("prompt: [a\nseed: 3\n", ", line 2", "not YAML", "key: value"),
        ("prompt: \x07", "", "not YAML", "key: value"),
        ("just words", "", "'just words'", "keys and values"),
        ("promt: a car", "", "an unknown key 'promt'", "'prompt' (the nearest known key)"),
        (
            "xyz: 1",
            "",
            "an unknown key 'xyz'",
            KNOWN_KEYS,
        ),
        (
            "3: 1",
            "",
            "an unknown key '3'",
            KNOWN_KEYS,
        ),
        ("seed: three", ", key 'seed'", "'three'", "a whole number, 0 or more"),
        ("seed: -1", ", key 'seed'", "-1", "a whole number, 0 or more"),
        ("seed: true", ", key 'seed'", "True", "a whole number, 0 or more"),
        ("seed: 1.5", ", key 'seed'", "1.5", "a whole number, 0 or more"),
        ("seed: 2024-13-45", "", "not YAML", "key: value"),
        ("prompt: 12", ", key 'prompt'", "12", "text that describes"),
        ("prompt: ''", ", key 'prompt'", "''", "text that describes"),
        ("classes: car", ", key 'classes'", "'car'", "a list of detector classes"),
        ("classes: [1]", ", key 'classes'", "1", "a list of detector classes"),
        ("classes: []", ", key 'classes'", "[]", "a list of detector classes"),
    ],
)
def test_wrong_settings_are_told(
    clips: Path, add: Callable[..., Path], text: str, place: str, found: str, expected: str
) -> None:
    """Each wrong key or value of an edit.yaml is named."""
    (add() / "edit.yaml").write_text(text)
    assert says(edit_problem(clips, add), f"car/edits/red/edit.yaml{place}", found, expected)


@pytest.mark.parametrize("kind", HOSTILE)
def test_an_edit_yaml_that_asks_for_too_much_is_told_in_seconds(
    clips: Path, add: Callable[..., Path], kind: str
) -> None:
    """A few hundred bytes once made a message of 35 MB, and brackets alone ended the process; now it is one line."""
    write_hostile(add() / "edit.yaml", kind)
    begun = time.process_time()
    problem = edit_problem(clips, add)
    assert time.process_time() - begun < 5
    assert problem.place.startswith("car/edits/red/edit.yaml") and len(str(problem)) < 500


def test_a_long_value_that_is_wrong_throughout_is_one_problem(clips: Path, add: Callable[..., Path]) -> None:
    """Not one for each of its thousands of parts; nor is the name of a key shown that fills pages."""
    (add() / "edit.yaml").write_text(f"classes: [{', '.join(['1'] * 50_000)}]\n")
    assert len(str(edit_problem(clips, add))) < 500
    (clips / "car/edits/red/edit.yaml").write_text(f"? {'x' * 90_000}\n: 1\n")
    assert len(str(only_problem(look(clips)))) < 500


def test_settings_that_are_not_text_are_told(clips: Path, add: Callable[..., Path]) -> None:
    """A file in another encoding is no crash."""
    (add() / "edit.yaml").write_bytes("prompt: früh".encode("latin-1"))
    assert "not YAML" in edit_problem(clips, add).found


@pytest.mark.parametrize("key", ["prompt", "seed", "classes"])
def test_a_few_lines_that_name_gigabytes_make_a_short_message(clips: Path, add: Callable[..., Path], key: str) -> None:
    """Each line of the YAML holds the one before nine times: 9^9 words in 300 bytes, for a known key and another."""
    lines = ["a: &a [boom, boom, boom, boom, boom, boom, boom, boom, boom]"]
    for before, name in pairwise("abcdefghi"):
        lines.append(f"{name}: &{name} [{', '.join([f'*{before}'] * 9)}]")
    (add() / "edit.yaml").write_text("\n".join([*lines, f"{key}: *i"]))
    told = [str(problem) for problem in look(clips).problems]
    assert told and max(map(len, told)) < 1000, "each names a place, what was found, and what would be right"


@pytest.mark.parametrize("text", ["", "# nothing yet\n", "{}", "prompt: null"])
def test_empty_settings_are_fine(clips: Path, add: Callable[..., Path], text: str) -> None:
    """A template that was not filled in changes nothing."""
    (add() / "edit.yaml").write_text(text)
    assert look(clips).clips[0].edits[0].prompt is None
