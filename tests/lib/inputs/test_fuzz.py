"""Whatever a file holds, looking at it gives its content or a named problem: thousands of damaged files, seeded."""

import random
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from lib.core.errors import InputError, Problem
from lib.inputs.probes import ImageSize, inspect_files
from lib.video.images import read_image
from lib.video.probing import VideoInfo
from lib.video.reading import read_frames
from lib.video.sound import read_sound
from tests.lib.video.example_videos import smooth_video, write_with

NUM_VIDEOS, NUM_IMAGES = 4000, 4000
SEED = 20261127


def video_files(folder: Path) -> list[bytes]:
    """Return small videos of several containers and codecs, with sound and without."""
    made = []
    for suffix, codec, form in (
        *(("mp4", "libx264", "yuv420p"), ("mkv", "ffv1", "bgr0"), ("webm", "libvpx-vp9", "yuv420p")),
        *(("avi", "mpeg4", "yuv420p"), ("mov", "prores_ks", "yuv422p10le"), ("mpg", "mpeg2video", "yuv420p")),
        *(("ts", "libx264", "yuv420p"), ("gif", "gif", "rgb8")),
    ):
        path = folder / f"video.{suffix}"
        write_with(path, smooth_video(6, 32, 48), codec, form)
        made.append(path.read_bytes())
    return made


def image_files(folder: Path) -> list[bytes]:
    """Return small images of all formats, of several modes, with EXIF."""
    picture = Image.fromarray(smooth_video(1, 24, 32)[0])
    exif = Image.Exif()
    exif[0x0112] = 6
    made = []
    for name, image, how in (
        ("a.png", picture, {"exif": exif}),
        ("b.png", Image.fromarray(np.arange(768, dtype=np.uint16).reshape(24, 32) * 80), {}),
        ("c.png", picture.convert("P"), {}),
        ("d.jpg", picture, {"exif": exif, "quality": 90}),
        ("e.jpg", picture.convert("CMYK"), {}),
        ("f.webp", picture, {}),
        ("g.bmp", picture, {}),
        ("h.tif", picture, {"compression": "tiff_lzw"}),
        ("i.tif", Image.fromarray(np.linspace(0, 1, 768, dtype=np.float32).reshape(24, 32)), {}),
    ):
        image.save(folder / name, **how)
        made.append((folder / name).read_bytes())
    return made


def damaged(content: bytes, chance: random.Random) -> bytes:
    """Return a file with something wrong: bits, bytes, a block, an end, a piece of itself elsewhere."""
    spoilt = bytearray(content)
    at, length = chance.randrange(len(spoilt)), chance.choice((1, 2, 4, 16, 64))
    match chance.randrange(6):
        case 0:
            for _ in range(chance.choice((1, 3, 30))):
                spoilt[chance.randrange(len(spoilt))] ^= 1 << chance.randrange(8)
        case 1:
            spoilt[at : at + length] = chance.randbytes(length)
        case 2:
            spoilt[at : at + length] = chance.choice((b"\0", b"\xff", b"\x7f")) * length
        case 3:
            del spoilt[at:]
        case 4:
            del spoilt[at : at + length]
        case _:
            spoilt[at:at] = spoilt[: chance.randrange(len(spoilt))]
    return bytes(spoilt)


def mutants(folder: Path, originals: list[bytes], number: int) -> Iterator[Path]:
    """Write damaged files, the same for a seed; half of the damage lies in the first 2 kB, where headers are."""
    chance = random.Random(SEED)
    for index in range(number):
        content = chance.choice(originals)
        head = content[:2048]
        spoilt = damaged(head, chance) + content[2048:] if chance.random() < 0.5 else damaged(content, chance)
        path = folder / f"{index:05d}"
        path.write_bytes(spoilt)
        yield path


@pytest.mark.parametrize(("kind", "number"), [("video", NUM_VIDEOS), ("image", NUM_IMAGES)])
def test_no_damaged_file_ends_the_planning(tmp_path: Path, kind: str, number: int) -> None:
    """Each mutant is a clip's content or a problem that names it; no exception of any library comes through."""
    (tmp_path / "originals").mkdir()
    originals = video_files(tmp_path / "originals") if kind == "video" else image_files(tmp_path / "originals")
    paths = list(mutants(tmp_path, originals, number))
    videos, images = inspect_files(*((paths, []) if kind == "video" else ([], paths)), cache=None)
    found = Counter(type(content) for content in (*videos.values(), *images.values()))
    print(f"{number} damaged {kind}s: {dict(found)}")
    assert sum(found.values()) == number and set(found) <= {VideoInfo, ImageSize, Problem}
    assert found[Problem] > number // 10, "damage that nobody notices tests nothing"
    for path, content in {**videos, **images}.items():
        if isinstance(content, Problem):
            assert path.name in content.place and content.found and content.expected


def test_what_passes_the_look_is_read_or_refused_by_name(tmp_path: Path) -> None:
    """A file that is damaged where no look sees it costs its own job, with its name and what is wrong."""
    (tmp_path / "originals").mkdir()
    paths = list(mutants(tmp_path, video_files(tmp_path / "originals"), NUM_VIDEOS // 4))
    videos, _ = inspect_files(paths, [], cache=None)
    read: Counter[str] = Counter()
    for path, content in videos.items():
        if isinstance(content, VideoInfo):
            try:
                frames, times = read_frames(path, list(range(min(4, content.num_frames))))
                assert len(frames) == len(times) and times == sorted(set(times))
                read["read"] += 1
            except InputError as error:
                assert path.name in str(error)
                read["refused"] += 1
            read_sound(path, 0.0, 0.2)
    print(dict(read))
    assert read["read"] > NUM_VIDEOS // 40
    paths = list(mutants(tmp_path, image_files(tmp_path / "originals"), NUM_IMAGES // 4))
    _, images = inspect_files([], paths, cache=None)
    for path, content in images.items():
        if isinstance(content, ImageSize):
            try:
                picture = read_image(path)
                assert picture.shape == (content.height, content.width, 3) and picture.dtype == np.uint8
            except InputError as error:
                assert path.name in str(error)
