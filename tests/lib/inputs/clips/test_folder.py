"""A folder of clips is read, and every mistake in it or in a source is told in the user's terms."""

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from PIL import Image

from tests.lib.inputs.clips.example_clips import (
    HEIGHT,
    NUM_FRAMES,
    USED,
    WIDTH,
    clip_problem,
    look,
    only_problem,
    says,
    write_image,
    write_video,
)


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
