"""The pictures and videos beside the report, so that its folder can be moved or sent away alone."""

import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import quote

import cv2
import numpy as np
from numpy.typing import NDArray

from lib.core.errors import InputError
from lib.core.files import whole_file
from lib.video.reading import read_frames

THUMBNAIL_WIDTH = 320  # pixels: about the width in the gallery, three times that in the table


def add_media(source: Path, page_folder: Path, *names: str) -> str | None:
    """Put a file into the report's media folder.

    Args:
        source: the file; it may be missing.
        page_folder: the folder of the page; the file becomes media/<names> in it.

    Returns:
        The percent-encoded address for the page, or None if there is no such file.
    """
    if not source.is_file() or source.stat().st_size == 0:  # empty: a log that Snakemake made of a job that never began
        return None
    target = page_folder.joinpath("media", *names)
    if not _is_current(target, source):
        target.parent.mkdir(parents=True, exist_ok=True)
        target.unlink(missing_ok=True)
        _link_or_copy(source.resolve(), target)
    return address(target, page_folder)


def add_thumbnail(picture: Path, page_folder: Path, *names: str) -> str | None:
    """Put a small JPEG of a picture into the media folder; None if there is no readable picture."""
    return _add_small(picture, page_folder.joinpath("media", *names), page_folder, _read_picture)


def add_still(video: Path, page_folder: Path, *names: str) -> str | None:
    """Put a small JPEG of a video's first frame into the media folder; None if there is no readable video."""
    return _add_small(video, page_folder.joinpath("media", *names), page_folder, _read_first_frame)


def _add_small(
    source: Path, target: Path, page_folder: Path, read: Callable[[Path], NDArray[Any] | None]
) -> str | None:
    if not source.is_file():
        return None
    changed = source.stat().st_mtime_ns
    if not target.is_file() or target.stat().st_mtime_ns != changed:
        pixels = read(source)
        if pixels is None:
            return None
        height = round(pixels.shape[0] * THUMBNAIL_WIDTH / pixels.shape[1])
        small = cv2.resize(pixels, (THUMBNAIL_WIDTH, max(1, height)), interpolation=cv2.INTER_AREA)
        with whole_file(target) as temporary:
            temporary.write_bytes(cv2.imencode(".jpg", small)[1].tobytes())
        os.utime(target, ns=(changed, changed))
    return address(target, page_folder)


def _read_picture(picture: Path) -> NDArray[Any] | None:
    """Read a picture in OpenCV's BGR, from bytes: OpenCV's own reader cannot open every file name."""
    pixels: NDArray[Any] | None = cv2.imdecode(np.fromfile(picture, np.uint8), cv2.IMREAD_COLOR)
    return pixels


def _read_first_frame(video: Path) -> NDArray[Any] | None:
    """Read the first frame of a video in OpenCV's BGR."""
    try:
        frames, _ = read_frames(video, [0])
    except InputError:
        return None
    return frames[0, ..., ::-1]


def address(path: Path, page_folder: Path) -> str:
    """Return the percent-encoded address of a file relative to the page."""
    return quote(os.fsencode(path.relative_to(page_folder).as_posix()))


def remove_stale_files(page_folder: Path, addresses: set[str]) -> None:
    """Remove every file of the folders media and parts that the page does not use, and folders left empty."""
    for place in ("media", "parts"):
        for folder, _, files in os.walk(page_folder / place, topdown=False):
            for name in files:
                path = Path(folder, name)
                if address(path, page_folder) not in addresses:
                    path.unlink()
            if not any(Path(folder).iterdir()):
                Path(folder).rmdir()


def _is_current(target: Path, source: Path) -> bool:
    if not target.is_file():
        return False
    ours, theirs = target.stat(), source.stat()
    copied = (ours.st_size, ours.st_mtime_ns) == (theirs.st_size, theirs.st_mtime_ns)
    return os.path.samestat(ours, theirs) or copied


def _link_or_copy(source: Path, target: Path) -> None:
    try:
        target.hardlink_to(source)
    except OSError:  # another disk, or a file system without hard links
        with whole_file(target) as temporary:
            shutil.copy2(source, temporary)
