"""Clips and edits are found in a folder or a sheet, and every mistake in them is told in the user's terms."""

import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import av
import numpy as np
import pytest
from jsonschema import Draft202012Validator
from PIL import Image

from lib.clip_sheet import SCHEMA
from lib.clips import RESERVED_CLIP_NAMES, RESERVED_EDIT_NAMES, Batch, find_clips
from lib.errors import Problem

WIDTH, HEIGHT, NUM_FRAMES = 64, 48, 20
USED = [2, 5, 8, 11, 14]  # what `look` asks for
ROOT = Path(__file__).resolve().parent.parent.parent


def look(clips: Path, cache: Path | None = None) -> Batch:
    """Find the clips for a run of 5 frames, every third from frame 2."""
    return find_clips(clips, num_frames=5, start=2, stride=3, cache=cache)


def write_video(
    path: Path, num_frames: int = NUM_FRAMES, options: dict[str, str] | None = None, rate: int = 24, width: int = WIDTH
) -> None:
    """Write H.264 of noise, so that the file has a body to cut."""
    rng = np.random.default_rng(0)
    with av.open(str(path), "w", options=options or {}) as container:
        stream = container.add_stream("libx264", rate=rate)
        stream.width, stream.height, stream.pix_fmt = width, HEIGHT, "yuv420p"
        for _ in range(num_frames):
            picture = rng.integers(0, 255, (HEIGHT, width, 3), np.uint8)
            container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
        container.mux(stream.encode(None))


def write_image(path: Path, width: int = WIDTH, height: int = HEIGHT) -> Path:
    """Write an image of noise in the format of its suffix."""
    path.parent.mkdir(parents=True, exist_ok=True)
    pixels = np.random.default_rng(1).integers(0, 255, (height, width, 3), np.uint8)
    Image.fromarray(pixels).save(path)
    return path


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


def only_problem(batch: Batch) -> Problem:
    """Return the one problem of a batch; fails, and shows them, when there are more."""
    assert len(batch.problems) == 1, "\n".join(map(str, batch.problems)) or "no problem was found"
    return batch.problems[0]


def edit_problem(clips: Path, add: Callable[..., Path]) -> Problem:
    """Return the one problem of car/red; a good edit beside it must have stayed."""
    add("car", "good")
    batch = look(clips)
    problem = only_problem(batch)
    assert [[edit.name for edit in clip.edits] for clip in batch.clips] == [["good"]]
    assert (problem.clip, problem.edit) == ("car", "red")
    return problem


def clip_problem(clips: Path, add: Callable[..., Path]) -> Problem:
    """Return the one problem of the clip car; a good clip beside it must have stayed."""
    add("good clip", "good")
    batch = look(clips)
    problem = only_problem(batch)
    assert [clip.name for clip in batch.clips] == ["good clip"]
    assert (problem.clip, problem.edit) == ("car", None)
    return problem


def says(problem: Problem, place: str, found: str, expected: str) -> bool:
    """Check a problem's exact place and that its two other parts hold the given words."""
    assert problem.place == place
    assert found in problem.found, problem.found
    assert expected in problem.expected, problem.expected
    return True


# What works


def test_a_full_edit_is_read(clips: Path, add: Callable[..., Path]) -> None:
    """Every part of an edit arrives, sorted by source frame index, and only the masks that are used."""
    folder = add()
    add("car", "wet")
    references = [write_image(folder / "references" / name) for name in ("11.jpg", "00005.webp")]
    masks = [write_image(folder / "mask" / f"{index:05}.png") for index in range(NUM_FRAMES)]
    (folder / "edit.yaml").write_text(
        "prompt: a red car, 'fast' # not a prompt\nseed: 7\nclasses: [car, traffic light]\n"
    )
    batch = look(clips)
    assert batch.problems == ()
    (clip,) = batch.clips
    assert (clip.name, clip.source) == ("car", clips / "car/source.mp4")
    assert (clip.info.width, clip.info.height, clip.info.num_frames) == (WIDTH, HEIGHT, NUM_FRAMES)
    red, wet = clip.edits
    assert (red.name, red.first_frame) == ("red", folder / "first_frame.png")
    assert red.references == ((5, references[1]), (11, references[0]))
    assert red.masks == tuple((index, masks[index]) for index in USED)
    assert (red.prompt, red.seed, red.classes) == ("a red car, 'fast'", 7, ("car", "traffic light"))
    assert (wet.references, wet.masks, wet.prompt, wet.seed, wet.classes) == ((), (), None, None, None)


@pytest.mark.parametrize("suffix", ["png", "jpg", "jpeg", "webp", "bmp", "tiff", "tif", "PNG"])
def test_any_common_image_format_works(clips: Path, add: Callable[..., Path], suffix: str) -> None:
    """An edited first frame may be of any listed format, in capitals too."""
    folder = add()
    (folder / "first_frame.png").unlink()
    write_image(folder / f"first_frame.{suffix}")
    assert look(clips).clips[0].edits[0].first_frame.name == f"first_frame.{suffix}"


def test_any_container_works(clips: Path, add: Callable[..., Path]) -> None:
    """A source need not be MP4."""
    folder = add()
    (clips / "car/source.mp4").unlink()
    write_video(folder.parent.parent / "source.MKV")
    assert look(clips).clips[0].info.num_frames == NUM_FRAMES


def test_a_sideways_photo_is_measured_upright(clips: Path, add: Callable[..., Path]) -> None:
    """EXIF orientation counts: a portrait JPEG that says 'turn me' is a landscape image."""
    folder = add()
    exif = Image.Exif()
    exif[0x0112] = 6
    (folder / "first_frame.png").unlink()
    Image.new("RGB", (HEIGHT, WIDTH)).save(folder / "first_frame.jpg", exif=exif)
    assert look(clips).problems == ()


ODD_NAMES = [
    "two words",
    "красная машина",
    "赤い車",
    "a#b",
    "50%",
    "what?",
    'it\'s "it"',
    "a,b;c",
    "x=y&z",
    "-n",
    "$HOME",
]


@pytest.mark.parametrize("name", ODD_NAMES)
def test_odd_names_work(clips: Path, add: Callable[..., Path], name: str) -> None:
    """Spaces, other scripts and punctuation are fine in the names of clips and edits."""
    add(name, name)
    batch = look(clips)
    assert [(clip.name, clip.edits[0].name) for clip in batch.clips] == [(name, name)]
    assert batch.problems == ()


def test_hidden_files_are_ignored(clips: Path, add: Callable[..., Path]) -> None:
    """What file managers leave behind is no mistake of the user's, nor are notes."""
    folder = add()
    for place in (clips, clips / "car", folder.parent, folder, folder / "references"):
        place.mkdir(exist_ok=True)
        for name in (".DS_Store", "Thumbs.db", "._source.mp4", ".first_frame.png", "desktop.ini"):
            (place / name).write_bytes(b"junk")
    (clips / ".hidden").mkdir()
    (clips / "__MACOSX").mkdir()
    (clips / "README.txt").write_text("notes")
    (folder / "notes.txt").write_text("notes")
    batch = look(clips)
    assert batch.problems == ()
    assert len(batch.clips) == 1


def test_a_link_within_the_folder_works(clips: Path, add: Callable[..., Path]) -> None:
    """Two clips may share one video by a link, as long as it stays inside."""
    add()
    add("bus")
    (clips / "bus/source.mp4").unlink()
    (clips / "bus/source.mp4").symlink_to("../car/source.mp4")
    assert [clip.name for clip in look(clips).clips] == ["bus", "car"]


def test_a_linked_clips_folder_works(clips: Path, add: Callable[..., Path]) -> None:
    """The clips folder itself may be a link."""
    add()
    link = clips.parent / "link"
    link.symlink_to(clips)
    assert look(link).clips[0].source == link / "car/source.mp4"


# The folder and the source


def test_a_missing_folder_is_told(tmp_path: Path) -> None:
    """The path as the user gave it is named."""
    missing = tmp_path / "clisp"
    assert says(only_problem(look(missing)), str(missing), "no such file or folder", "a folder of clips, or a sheet")


def test_a_file_of_another_kind_is_told(tmp_path: Path) -> None:
    """A spreadsheet in its own format is not a sheet."""
    (tmp_path / "clips.xlsx").write_bytes(b"PK")
    problem = only_problem(look(tmp_path / "clips.xlsx"))
    assert says(problem, str(tmp_path / "clips.xlsx"), "another kind of file", ".tsv or .csv")


def test_an_empty_folder_is_told(clips: Path) -> None:
    """The layout is explained to those who have none."""
    assert says(only_problem(look(clips)), str(clips), "without clips", "car-turn/source.mp4")


def test_a_video_beside_the_clips_is_told(clips: Path, video: Path) -> None:
    """The likeliest first mistake: videos put straight into the folder."""
    shutil.copy(video, clips / "car.mp4")
    assert says(only_problem(look(clips)), "car.mp4", "a video beside", "car/source.mp4")


def test_a_clip_without_video_is_told(clips: Path, add: Callable[..., Path]) -> None:
    """A video of another name is shown, so that the user sees what to rename."""
    add()
    (clips / "car/source.mp4").rename(clips / "car/movie.mp4")
    assert says(clip_problem(clips, add), "car", "no source video (the folder holds edits, movie.mp4)", "source.mp4")


def test_an_unknown_suffix_is_told(clips: Path, add: Callable[..., Path]) -> None:
    """A source that is there but has no video's suffix is not called missing without a hint."""
    add()
    (clips / "car/source.mp4").rename(clips / "car/source.txt")
    assert says(clip_problem(clips, add), "car", "source.txt", "the suffix of a video: .mp4")


def test_two_videos_are_told(clips: Path, add: Callable[..., Path], video: Path) -> None:
    """It is not guessed which of two sources is meant."""
    add()
    shutil.copy(video, clips / "car/source.mov")
    assert says(clip_problem(clips, add), "car", "2 source videos: source.mov, source.mp4", "one source video")


@pytest.mark.parametrize("content", [b"not a video at all", b"\0" * 5000])
def test_an_unreadable_video_is_told(clips: Path, add: Callable[..., Path], content: bytes) -> None:
    """The place is relative to the clips folder."""
    add()
    (clips / "car/source.mp4").write_bytes(content)
    assert says(clip_problem(clips, add), "car/source.mp4", "unreadable video", "PyAV can decode")


@pytest.mark.parametrize("options", [{}, {"movflags": "faststart"}])
def test_a_truncated_video_is_told(clips: Path, add: Callable[..., Path], options: dict[str, str]) -> None:
    """An upload that stopped half-way, with the index of the file before or after the pictures."""
    add()
    path = clips / "car/source.mp4"
    write_video(path, options=options)
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    assert says(clip_problem(clips, add), "car/source.mp4", "truncated" if options else "unreadable", "to its end")


def test_a_video_of_zero_frames_is_told(clips: Path, add: Callable[..., Path]) -> None:
    """A container that holds only a header."""
    add()
    (clips / "car/source.mp4").unlink()
    (clips / "car/source.y4m").write_bytes(b"YUV4MPEG2 W64 H48 F25:1 Ip A1:1 C420\n")
    assert says(clip_problem(clips, add), "car/source.y4m", "zero frames", "a video")


def test_an_empty_file_is_told(clips: Path, add: Callable[..., Path]) -> None:
    """A file of 0 bytes is called that."""
    add()
    (clips / "car/source.mp4").write_bytes(b"")
    assert says(clip_problem(clips, add), "car/source.mp4", "an empty file (0 bytes)", "a whole file")


def test_too_few_frames_are_told(clips: Path, add: Callable[..., Path]) -> None:
    """The need follows from start, stride and number of frames: here the last used frame is 14."""
    add()
    write_video(clips / "car/source.mp4", num_frames=14)
    problem = clip_problem(clips, add)
    assert says(problem, "car/source.mp4", "a video of 14 frames", "at least 15 frames: this run uses frames 2, 5, 8")


def test_just_enough_frames_pass(clips: Path, add: Callable[..., Path]) -> None:
    """Fifteen frames hold the indices 0 to 14."""
    add()
    write_video(clips / "car/source.mp4", num_frames=15)
    assert look(clips).problems == ()


@pytest.mark.parametrize("with_folder", [True, False])
def test_no_edits_are_told(clips: Path, add: Callable[..., Path], with_folder: bool) -> None:
    """An absent or empty folder of edits; what is there instead is shown."""
    shutil.rmtree(add())
    if not with_folder:
        (clips / "car/edits").rename(clips / "car/edit")
    found = "no edits (the folder holds edits, source.mp4)" if with_folder else "no edits (the folder holds edit, "
    assert says(clip_problem(clips, add), "car/edits", found, "edits/red-car/first_frame.png")


def test_a_clip_without_a_good_edit_is_left_out(clips: Path, add: Callable[..., Path]) -> None:
    """Nothing can be made of it; its edit's problem says why."""
    (add() / "first_frame.png").write_bytes(b"junk")
    batch = look(clips)
    assert batch.clips == ()
    assert only_problem(batch).edit == "red"


# Edited frames


def test_no_first_frame_is_told(clips: Path, add: Callable[..., Path]) -> None:
    """A format that is not read is shown among what is there."""
    folder = add()
    (folder / "first_frame.png").rename(folder / "first_frame.heic")
    problem = edit_problem(clips, add)
    assert says(
        problem, "car/edits/red", "no edited first frame (the folder holds first_frame.heic)", "first_frame.png"
    )


def test_two_first_frames_are_told(clips: Path, add: Callable[..., Path]) -> None:
    """It is not guessed which is meant."""
    write_image(add() / "first_frame.jpg")
    found = "2 edited first frames: first_frame.jpg, first_frame.png"
    assert says(edit_problem(clips, add), "car/edits/red", found, "one")


@pytest.mark.parametrize("suffix", ["png", "jpg", "webp", "bmp", "tiff"])
@pytest.mark.parametrize("share", [0.0, 0.5, 0.95])
def test_a_truncated_image_is_told(clips: Path, add: Callable[..., Path], suffix: str, share: float) -> None:
    """A cut-off image is noticed in each format, though not all are decoded in full."""
    folder = add()
    (folder / "first_frame.png").unlink()
    path = write_image(folder / f"first_frame.{suffix}")
    path.write_bytes(path.read_bytes()[: max(10, int(path.stat().st_size * share))])
    place = f"car/edits/red/first_frame.{suffix}"
    assert says(edit_problem(clips, add), place, "image", "a whole PNG, JPEG, WebP, BMP or TIFF image")


def test_a_damaged_png_is_told(clips: Path, add: Callable[..., Path]) -> None:
    """One wrong byte among the pixels: the checksum tells."""
    path = add() / "first_frame.png"
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 0xFF
    path.write_bytes(content)
    assert says(edit_problem(clips, add), "car/edits/red/first_frame.png", "damaged or truncated", "a whole PNG")


def test_another_aspect_ratio_is_told(clips: Path, add: Callable[..., Path]) -> None:
    """Both sizes are named."""
    write_image(add() / "first_frame.png", 64, 64)
    problem = edit_problem(clips, add)
    assert says(problem, "car/edits/red/first_frame.png", "64x64 pixels (1.000:1)", "64x48 pixels (1.333:1)")


def test_another_size_of_the_same_aspect_passes(clips: Path, add: Callable[..., Path]) -> None:
    """An edited frame may be larger than the source."""
    write_image(add() / "first_frame.png", 2 * WIDTH, 2 * HEIGHT)
    assert look(clips).problems == ()


@pytest.mark.parametrize("name", ["five", "5a", "-5", "5.0", "٥"])
def test_a_reference_without_index_is_told(clips: Path, add: Callable[..., Path], name: str) -> None:
    """Only plain digits are an index."""
    write_image(add() / "references" / f"{name}.png")
    problem = edit_problem(clips, add)
    assert says(problem, f"car/edits/red/references/{name}.png", f"'{name}', which is no whole number", "00024.png")


def test_a_reference_beyond_the_clip_is_told(clips: Path, add: Callable[..., Path]) -> None:
    """The clip's last index is named."""
    write_image(add() / "references/00020.png")
    problem = edit_problem(clips, add)
    assert says(problem, "car/edits/red/references/00020.png", "index 20, beyond the clip", "20 frames, 0 to 19")


def test_a_reference_between_the_used_frames_is_told(clips: Path, add: Callable[..., Path]) -> None:
    """The nearest frame that would do is named."""
    write_image(add() / "references/00010.png")
    problem = edit_problem(clips, add)
    assert says(problem, "car/edits/red/references/00010.png", "index 10", "frames 2, 5, 8, 11, 14 (nearest: 11)")


def test_a_reference_for_the_first_frame_is_told(clips: Path, add: Callable[..., Path]) -> None:
    """It would say again, or otherwise, what first_frame.png says."""
    write_image(add() / "references/00002.png")
    problem = edit_problem(clips, add)
    assert says(problem, "car/edits/red/references/00002.png", "index 2", "a later frame, or no reference")


def test_two_references_for_one_index_are_told(clips: Path, add: Callable[..., Path]) -> None:
    """00005 and 5 are the same index."""
    folder = add()
    write_image(folder / "references/00005.png")
    write_image(folder / "references/5.png")
    problem = edit_problem(clips, add)
    assert says(problem, "car/edits/red/references/5.png", "a second file for index 5, beside 00005.png", "one")


def test_a_reference_of_another_aspect_is_told(clips: Path, add: Callable[..., Path]) -> None:
    """References are held to the source as the first frame is."""
    write_image(add() / "references/00005.png", HEIGHT, WIDTH)
    assert says(edit_problem(clips, add), "car/edits/red/references/00005.png", "48x64", "64x48 pixels")


def test_a_truncated_reference_is_told(clips: Path, add: Callable[..., Path]) -> None:
    """References are opened too."""
    path = write_image(add() / "references/00005.jpg")
    path.write_bytes(path.read_bytes()[:-200])
    assert says(edit_problem(clips, add), "car/edits/red/references/00005.jpg", "truncated", "a whole PNG")


def test_a_reference_that_is_no_image_is_told(clips: Path, add: Callable[..., Path]) -> None:
    """Else it would be passed over in silence."""
    write_image(add() / "references/00005.png").rename(clips / "car/edits/red/references/00005.heic")
    assert says(edit_problem(clips, add), "car/edits/red/references/00005.heic", "no image", ".png")


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        ("masks", "mask"),
        ("masks.mov", "mask.mov"),
        ("Mask", "mask"),
        ("reference", "references"),
        ("edit.yml", "edit.yaml"),
    ],
)
def test_a_nearly_right_name_is_told(clips: Path, add: Callable[..., Path], name: str, meant: str) -> None:
    """What the user plainly meant to count does not go by unnoticed."""
    (add() / name).mkdir()
    assert says(edit_problem(clips, add), f"car/edits/red/{name}", f"'{name}'", f"'{meant}'")


# Masks


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
        ("xyz: 1", "", "an unknown key 'xyz'", "one of classes, lora_scale, prompt, seed"),
        ("3: 1", "", "an unknown key '3'", "one of classes, lora_scale, prompt, seed"),
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


def test_settings_that_are_not_text_are_told(clips: Path, add: Callable[..., Path]) -> None:
    """A file in another encoding is no crash."""
    (add() / "edit.yaml").write_bytes("prompt: früh".encode("latin-1"))
    assert "not YAML" in edit_problem(clips, add).found


@pytest.mark.parametrize("text", ["", "# nothing yet\n", "{}", "prompt: null"])
def test_empty_settings_are_fine(clips: Path, add: Callable[..., Path], text: str) -> None:
    """A template that was not filled in changes nothing."""
    (add() / "edit.yaml").write_text(text)
    assert look(clips).clips[0].edits[0].prompt is None


# Names and links


@pytest.mark.parametrize("name", ["a{b}", "back\\slash", "bell\x07", "new\nline", "line\u2028end"])
def test_unusable_characters_are_told(clips: Path, add: Callable[..., Path], name: str) -> None:
    """Snakemake's braces, separators and control characters; the message itself stays printable."""
    add(name, "red")
    add("good", name)
    add("good", "fine")
    batch = look(clips)
    assert [(clip.name, len(clip.edits)) for clip in batch.clips] == [("good", 1)]
    assert {problem.edit is None for problem in batch.problems} == {True, False}
    for problem in batch.problems:
        assert "a name with '" in problem.found
        assert str(problem).isprintable()


def test_a_name_that_is_not_utf8_is_told(clips: Path, add: Callable[..., Path]) -> None:
    """Old archives unpack to such names; they can be neither printed nor stored."""
    add("good")
    try:
        (clips / "good").rename(clips / os.fsdecode(b"caf\xe9"))
    except OSError:
        pytest.skip("this file system takes only UTF-8")
    batch = look(clips, clips.parent / "cache.json")
    assert batch.clips == ()
    assert only_problem(batch).clip == "caf\\udce9"


@pytest.mark.parametrize("name", [" before", "after ", "x" * 101, "й" * 101])
def test_spaces_around_and_long_names_are_told(clips: Path, add: Callable[..., Path], name: str) -> None:
    """Such names are lost or cut by other programs."""
    add(name)
    problem = only_problem(look(clips))
    assert (problem.place, problem.clip) == (name, name)
    assert f"'{name}'" in problem.found or "101 characters" in problem.found


def test_bytes_are_counted_too(clips: Path, add: Callable[..., Path]) -> None:
    """Sixty-seven characters of three bytes each are more than 200 bytes; sixty-six are not."""
    add("車" * 67)
    add("車" * 66)
    batch = look(clips)
    assert [clip.name for clip in batch.clips] == ["車" * 66]
    assert "67 characters and 201 bytes" in only_problem(batch).found


@pytest.mark.parametrize("name", [*sorted(RESERVED_CLIP_NAMES), "Report"])
def test_reserved_clip_names_are_told(clips: Path, add: Callable[..., Path], name: str) -> None:
    """These stand in the results folder already, on some file systems whatever their case."""
    add(name)
    assert says(only_problem(look(clips)), name, f"the name '{name}'", "the workflow itself uses benchmarks, logs")


@pytest.mark.parametrize("name", sorted(RESERVED_EDIT_NAMES))
def test_reserved_edit_names_are_told(clips: Path, add: Callable[..., Path], name: str) -> None:
    """These stand in a clip's results folder already."""
    add("car", name)
    assert says(only_problem(look(clips)), f"car/edits/{name}", f"the name '{name}'", "uses encoded, lora")


def test_the_reserved_names_are_those_of_the_results() -> None:
    """Other modules rely on the two lists."""
    assert {"report", "logs", "benchmarks", "metrics.csv"} == RESERVED_CLIP_NAMES
    assert {"encoded", "lora"} == RESERVED_EDIT_NAMES


@pytest.mark.parametrize(("one", "other"), [("Car", "car"), ("caf\u00e9", "cafe\u0301"), ("STRASSE", "straße")])
def test_names_that_look_alike_are_told(clips: Path, add: Callable[..., Path], one: str, other: str) -> None:
    """Case and accent encoding do not tell names apart everywhere; neither of the two is preferred."""
    add(one)
    if (clips / other).exists():
        pytest.skip("this file system takes the two names for one")
    add(other)
    add("good", one)
    add("good", other)
    batch = look(clips)
    assert batch.clips == ()
    assert {(problem.clip, problem.edit) for problem in batch.problems} == {
        *((name, None) for name in (one, other)),
        *(("good", name) for name in (one, other)),
    }
    assert all("differs only in case or accent encoding" in problem.found for problem in batch.problems)


@pytest.mark.parametrize(
    "place",
    [
        "car",
        "car/source.mp4",
        "car/edits",
        "car/edits/red",
        "car/edits/red/first_frame.png",
        "car/edits/red/references",
    ],
)
def test_links_that_leave_the_folder_are_told(clips: Path, add: Callable[..., Path], place: str) -> None:
    """A link is refused where it stands, and nothing else is said of what it hides."""
    write_image(add() / "references/00005.png")
    outside = clips.parent / f"outside{Path(place).suffix}"
    (clips / place).rename(outside)
    (clips / place).symlink_to(outside)
    batch = look(clips)
    assert batch.clips == ()
    assert says(only_problem(batch), place, "leads out of the clips folder", "within the clips folder")
    assert (only_problem(batch).clip, only_problem(batch).edit) == ("car", "red" if "edits/red" in place else None)


def test_a_link_that_leads_nowhere_is_told(clips: Path, add: Callable[..., Path]) -> None:
    """A dangling link, such as after a move."""
    add()
    (clips / "car/source.mp4").unlink()
    (clips / "car/source.mp4").symlink_to("gone.mp4")
    assert says(clip_problem(clips, add), "car/source.mp4", "leads nowhere", "the file or folder itself")


def test_all_problems_are_collected(clips: Path, add: Callable[..., Path]) -> None:
    """One look tells all: a user need not mend one thing to learn of the next."""
    folder = add()
    write_video(clips / "car/source.mp4", num_frames=3)
    write_image(folder / "first_frame.png", 10, 10)
    write_image(folder / "references/00003.png")
    write_image(folder / "mask/00002.png", 10, 10)
    (folder / "edit.yaml").write_text("promt: a\nseed: b\n")
    (clips / "empty").mkdir()
    problems = look(clips).problems
    assert {problem.place for problem in problems} == {
        "car/source.mp4",
        "car/edits/red/first_frame.png",
        "car/edits/red/references/00003.png",
        "car/edits/red/mask/00002.png",
        "car/edits/red/mask",
        "car/edits/red/edit.yaml",
        "car/edits/red/edit.yaml, key 'seed'",
        "empty",
        "empty/edits",
    }


# The sheet

COLUMNS = ["clip", "source", "edit", "first_frame", "references", "mask", "prompt", "seed", "lora_scale", "classes"]


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


ROW = {"clip": "car", "source": "car.mp4", "edit": "red", "first_frame": "red.png"}


@pytest.mark.parametrize("name", ["clips.tsv", "clips.csv"])
def test_a_sheet_is_read(sheet: Callable[..., Path], tmp_path: Path, name: str) -> None:
    """Rows become edits; paths start at the sheet; blank rows and a byte order mark do no harm."""
    full = {
        "references": "more",
        "mask": "masks",
        "prompt": "a red car",
        "seed": "7",
        "lora_scale": "0.8",
        "classes": "car",
    }
    listed = {"edit": "NA", "references": "more/00011.png;more/00005.png", "first_frame": str(tmp_path / "red.png")}
    batch = look(sheet({**ROW, **full}, {}, {**ROW, **listed}, {**ROW, "clip": "007"}, name=name))
    assert batch.problems == ()
    assert [(clip.name, [edit.name for edit in clip.edits]) for clip in batch.clips] == [
        ("car", ["red", "NA"]),
        ("007", ["red"]),
    ]
    red, listed_edit = batch.clips[0].edits
    assert batch.clips[0].source == tmp_path / "car.mp4"
    assert red.references == listed_edit.references == tuple((i, tmp_path / f"more/{i:05}.png") for i in (5, 11))
    assert red.masks == tuple((index, tmp_path / f"masks/{index:05}.png") for index in USED)
    assert (red.prompt, red.seed, red.lora_scale, red.classes) == ("a red car", 7, 0.8, ("car",))
    assert listed_edit.lora_scale is None
    assert (listed_edit.masks, listed_edit.prompt, listed_edit.seed, listed_edit.classes) == ((), None, None, None)


def test_a_sheet_may_name_a_mask_video(sheet: Callable[..., Path], tmp_path: Path) -> None:
    """The column `mask` takes a folder or a video; a video that is not there is told."""
    good, gone = look(sheet({**ROW, "mask": "bus.mp4"})), look(sheet({**ROW, "mask": "gone.mp4"}))
    assert good.problems == () and good.clips[0].edits[0].mask_video == tmp_path / "bus.mp4"
    assert says(only_problem(gone), "gone.mp4", "no such file", "a file that exists")


def test_several_classes_are_split(sheet: Callable[..., Path]) -> None:
    """Classes are separated by commas, with or without spaces."""
    batch = look(sheet({**ROW, "classes": "car, traffic light"}))
    assert batch.clips[0].edits[0].classes == ("car", "traffic light")


@pytest.mark.parametrize("name", [*ODD_NAMES[:-3], "a'b"])
def test_odd_names_work_in_a_sheet(sheet: Callable[..., Path], name: str) -> None:
    """A sheet takes the same names as a folder."""
    batch = look(sheet({**ROW, "clip": name, "edit": name}))
    assert batch.problems == ()
    assert (batch.clips[0].name, batch.clips[0].edits[0].name) == (name, name)


def test_a_sheets_files_may_lie_anywhere(sheet: Callable[..., Path], tmp_path: Path) -> None:
    """Only names are held within the folder, not files or links."""
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub/link.mp4").symlink_to(tmp_path / "car.mp4")
    path = sheet({**ROW, "source": "link.mp4", "first_frame": "../red.png", "references": "../more"}, name="sub/c.tsv")
    assert look(path).problems == ()


@pytest.mark.parametrize(
    ("cells", "place", "found", "expected"),
    [
        ({"clip": ""}, "clips.tsv, row 2, clip", "an empty cell", "the clip's name"),
        ({"edit": ""}, "clips.tsv, row 2, edit", "an empty cell", "the edit's name"),
        ({"source": ""}, "clips.tsv, row 2, source", "an empty cell", "the clip's video file"),
        ({"first_frame": ""}, "clips.tsv, row 2, first_frame", "an empty cell", "the edited first frame"),
        ({"lora_scale": "much"}, "clips.tsv, row 2, lora_scale", "'much'", "a number from 0 to 4"),
        ({"lora_scale": "4.5"}, "clips.tsv, row 2, lora_scale", "'4.5'", "a number from 0 to 4"),
        ({"seed": "3.0"}, "clips.tsv, row 2, seed", "'3.0'", "a whole number"),
        ({"classes": "car,,bus"}, "clips.tsv, row 2, classes", "'car,,bus'", "separated by commas"),
        ({"source": "gone.mp4"}, "gone.mp4", "no such file", "a file that exists"),
        ({"source": "more"}, "more", "a folder", "a file"),
        ({"first_frame": "gone.png"}, "gone.png", "no such file", "a file that exists"),
        ({"first_frame": "car.mp4"}, "car.mp4", "no readable image", "a whole PNG"),
        ({"references": "red.png"}, "red.png", "'red', which is no whole number", "index"),
        ({"references": "more/00005.png; gone/5.png"}, "gone/5.png", "a second file for index 5", "one"),
        ({"references": "gone/00005.png"}, "gone/00005.png", "no such file", "a file that exists"),
        ({"mask": "gone"}, "gone", "cannot be read as a folder", "a readable folder"),
        ({"mask": "red.png"}, "red.png", "cannot be read as a folder", "a readable folder"),
        ({"clip": "../car"}, "clips.tsv, row 2", "a name with '/'", "without /"),
        ({"edit": "../../red"}, "clips.tsv, row 2", "a name with '/'", "without /"),
        ({"edit": "a\\b"}, "clips.tsv, row 2", "a name with '\\\\'", "without /"),
        ({"clip": ".."}, "clips.tsv, row 2", "the name '..'", "without a leading dot"),
        ({"clip": " car"}, "clips.tsv, row 2", "the name ' car'", "outer spaces"),
        ({"clip": "Logs"}, "clips.tsv, row 2", "the name 'Logs'", "the workflow itself uses"),
    ],
)
def test_a_wrong_cell_is_told(
    sheet: Callable[..., Path], cells: dict[str, str], place: str, found: str, expected: str
) -> None:
    """A cell's problem names the row and column, a file's problem names the file as the sheet does."""
    batch = look(sheet({**ROW, **cells}, {**ROW, "clip": "good"}))
    assert "good" in [clip.name for clip in batch.clips]
    assert len(batch.clips) == 1
    (problem,) = [problem for problem in batch.problems if problem.place == place and found in problem.found]
    assert says(problem, place, found, expected)


def test_a_wrong_row_leaves_the_others(sheet: Callable[..., Path]) -> None:
    """Rows stand alone."""
    batch = look(sheet({**ROW, "seed": "x"}, {**ROW, "edit": "wet"}, {**ROW, "edit": ""}, {**ROW, "clip": "bus"}))
    assert [(clip.name, [edit.name for edit in clip.edits]) for clip in batch.clips] == [
        ("car", ["wet"]),
        ("bus", ["red"]),
    ]
    assert [problem.place for problem in batch.problems] == ["clips.tsv, row 4, edit", "clips.tsv, row 2, seed"]


def test_rows_are_numbered_as_in_a_spreadsheet(sheet: Callable[..., Path]) -> None:
    """Blank lines count."""
    path = sheet(ROW, {**ROW, "edit": "wet", "seed": "x"})
    header, first, second = path.read_text().splitlines()
    path.write_text("\n".join([header, "", first, "", second]))
    assert only_problem(look(path)).place == "clips.tsv, row 5, seed"


def test_one_clip_with_two_sources_is_told(sheet: Callable[..., Path]) -> None:
    """The rows of a clip must name one video."""
    batch = look(sheet(ROW, {**ROW, "edit": "wet", "source": "bus.mp4"}, {**ROW, "edit": "dry", "source": "./car.mp4"}))
    assert batch.clips == ()
    found = "2 sources: car.mp4 (clips.tsv, row 2), bus.mp4 (clips.tsv, row 3)"
    assert says(only_problem(batch), "clips.tsv, row 2", found, "one source for all rows")


def test_duplicates_in_a_sheet_are_told(sheet: Callable[..., Path]) -> None:
    """The same edit twice, and clips that differ only in case."""
    batch = look(sheet(ROW, {**ROW, "edit": "wet"}, ROW, {**ROW, "clip": "bus"}, {**ROW, "clip": "BUS"}))
    assert [(clip.name, [edit.name for edit in clip.edits]) for clip in batch.clips] == [("car", ["wet"])]
    assert [(problem.place, problem.found) for problem in batch.problems] == [
        ("clips.tsv, row 2", "a second 'red', the same name"),
        ("clips.tsv, row 4", "a second 'red', the same name"),
        ("clips.tsv, row 5", "a second 'BUS', which differs only in case or accent encoding"),
        ("clips.tsv, row 6", "a second 'bus', which differs only in case or accent encoding"),
    ]


def test_wrong_columns_are_told(sheet: Callable[..., Path]) -> None:
    """Misspelt, missing and doubled columns."""
    path = sheet(ROW, columns=["clip", "source", "source", "edit", "firstframe"])
    assert [(problem.place, problem.found, problem.expected) for problem in look(path).problems] == [
        ("clips.tsv, row 1", "an unknown column 'firstframe'", "'first_frame' (the nearest known key)"),
        ("clips.tsv, row 1", "no column 'first_frame'", "the columns clip, source, edit, first_frame"),
        ("clips.tsv, row 1", "two columns 'source'", "each column once"),
    ]


@pytest.mark.parametrize(
    "content",
    [
        b"",
        "clip\tsource\n\xe4".encode("latin-1"),
        "clip\tsource\n".encode("utf-16"),
        "clip\tsource\n".encode("utf-16-le"),
        b"clip\tsource\na\tb\tc\td\n",
        b'"a\tb',
    ],
)
def test_an_unreadable_sheet_is_told(tmp_path: Path, content: bytes) -> None:
    """Empty, in another encoding, with too many cells, with an open quote."""
    (tmp_path / "clips.tsv").write_bytes(content)
    assert says(only_problem(look(tmp_path / "clips.tsv")), "clips.tsv", "a sheet that cannot be read", "UTF-8")


def test_a_sheet_without_rows_is_told(sheet: Callable[..., Path]) -> None:
    """A header alone is not a batch."""
    assert says(only_problem(look(sheet())), "clips.tsv", "without rows", "one row for each edit")


def test_the_schema_is_valid_and_knows_all_columns() -> None:
    """The schema is itself checked, and each column says what belongs there."""
    schema = json.loads(SCHEMA.read_text())
    Draft202012Validator.check_schema(schema)
    assert list(schema["properties"]) == COLUMNS
    assert all(column["description"] for column in schema["properties"].values())


# The cache and speed


def test_the_cache_saves_the_second_look(clips: Path, add: Callable[..., Path]) -> None:
    """An unchanged file (size and time) is not opened again, be it good or bad."""
    cache = clips.parent / "deep/cache.json"
    (add("car") / "first_frame.png").write_bytes(b"junk")
    add("bus")
    first = look(clips, cache)
    for path in [*clips.rglob("*.png"), *clips.rglob("*.mp4")]:
        status = path.stat()
        path.write_bytes(b"x" * status.st_size)
        os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))
    assert look(clips, cache) == first
    assert len(first.clips) == len(first.problems) == 1
    assert look(clips).clips == ()


def test_a_changed_file_is_looked_at_again(clips: Path, add: Callable[..., Path]) -> None:
    """A new time of change is enough."""
    cache = clips.parent / "cache.json"
    path = add() / "first_frame.png"
    assert look(clips, cache).problems == ()
    status = path.stat()
    path.write_bytes(b"x" * status.st_size)
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns + 1))
    assert only_problem(look(clips, cache)).edit == "red"
    write_image(path)
    assert look(clips, cache).problems == ()


def test_a_missing_file_is_not_remembered(sheet: Callable[..., Path], tmp_path: Path) -> None:
    """What could not be opened may be mended without a change of the file."""
    cache = tmp_path / "cache.json"
    (tmp_path / "car.mp4").rename(tmp_path / "away.mp4")
    path = sheet(ROW)
    assert look(path, cache).clips == ()
    assert "car.mp4" not in cache.read_text()
    (tmp_path / "away.mp4").rename(tmp_path / "car.mp4")
    assert look(path, cache).problems == ()


@pytest.mark.parametrize("content", ["", "{", "[]", "null", '{"versions": {}, "videos": {"a": 1}, "images": {}}', "\0"])
def test_a_broken_cache_is_rebuilt(clips: Path, add: Callable[..., Path], content: str) -> None:
    """A cache is only a copy; nothing is said and nothing lost."""
    cache = clips.parent / "cache.json"
    add()
    good = look(clips, cache)
    whole = cache.read_text()
    cache.write_text(content)
    assert look(clips, cache) == good
    assert cache.read_text() == whole


def test_a_cache_of_other_versions_is_rebuilt(clips: Path, add: Callable[..., Path]) -> None:
    """Another decoder may see other things in the same file."""
    cache = clips.parent / "cache.json"
    add()
    look(clips, cache)
    whole = cache.read_text()
    content = json.loads(whole)
    content["versions"]["av"] = "1.0"
    next(iter(content["videos"].values()))["content"]["num_frames"] = 3
    cache.write_text(json.dumps(content))
    assert look(clips, cache).problems == ()
    assert cache.read_text() == whole


def test_the_cache_forgets_what_is_gone(clips: Path, add: Callable[..., Path]) -> None:
    """It does not grow without end; an unchanged one is not written again."""
    cache = clips.parent / "cache.json"
    add("car")
    add("bus")
    look(clips, cache)
    written = cache.stat().st_mtime_ns
    look(clips, cache)
    assert cache.stat().st_mtime_ns == written
    shutil.rmtree(clips / "bus")
    look(clips, cache)
    assert "bus" not in cache.read_text()


def test_an_unwritable_cache_does_no_harm(clips: Path, add: Callable[..., Path]) -> None:
    """A run does not fail for want of a cache."""
    add()
    (clips.parent / "file").write_text("")
    assert look(clips, clips.parent / "file/cache.json").problems == ()


def test_many_known_clips_are_checked_quickly(clips: Path, add: Callable[..., Path]) -> None:
    """With a warm cache, 200 clips take a small share of a second (1,000: about 0.15 s)."""
    cache = clips.parent / "cache.json"
    add("0")
    for number in range(1, 200):
        shutil.copytree(clips / "0", clips / str(number))
    look(clips, cache)
    began = time.process_time()
    assert len(look(clips, cache).clips) == 200
    assert time.process_time() - began < 0.5


def test_the_import_is_light() -> None:
    """Snakemake imports this module for each job: no torch, and pandas only for a sheet."""
    code = "import sys, lib.clips; print([name for name in ('torch', 'pandas', 'jsonschema') if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
