"""Look into the videos and images a user gave: their sizes, or why they cannot be read.

What was seen is kept in a cache file, since every job of a run looks at its inputs anew.
"""

import os
import shlex
import stat
import time
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, fields
from pathlib import Path

import av
import PIL
from PIL import Image, UnidentifiedImageError
from pydantic import TypeAdapter, ValidationError

from lib.core.errors import InputError, Problem
from lib.core.files import write_json
from lib.core.garbage import collecting
from lib.core.progress import format_seconds
from lib.video.images import IMAGE_FORMATS, WHOLE_IMAGE, orientation_of
from lib.video.orientation import is_sideways
from lib.video.probing import VideoInfo, probe_video
from lib.video.streams import WHOLE_VIDEO

CACHE_FORMAT = "2"  # raise it when a probe comes to see something else in the same file
NUM_THREADS = 8
SECONDS_AHEAD = 30.0  # of a file's time of change, as between the clocks of two machines


@dataclass(frozen=True)
class ImageSize:
    """Width and height of an image as displayed, in pixels."""

    width: int
    height: int


Content = VideoInfo | ImageSize | Problem
"""What a file turned out to hold; a Problem if it cannot be read."""


@dataclass(frozen=True)
class Seen:
    """What a file held when it had this size (bytes) and time of last change (nanoseconds)."""

    size: int
    mtime_ns: int
    content: Content


@dataclass(frozen=True)
class Cache:
    """Everything seen, by absolute path, and the versions of the libraries that saw it."""

    versions: dict[str, str]
    videos: dict[str, Seen]
    images: dict[str, Seen]


def inspect_files(
    videos: Iterable[Path], images: Iterable[Path], cache: Path | None, keep: bool = True
) -> tuple[dict[Path, Content], dict[Path, Content]]:
    """Tell what each video and each image holds, opening only those that changed since the cache was written.

    Args:
        cache: a JSON file that is read and replaced; None: look into every file.
        keep: whether these are all files, so that the cache is replaced by what is known of them.
    """
    known = _load_cache(cache)
    seen_videos = _look_at(videos, probe_video, known.videos)
    seen_images = _look_at(images, probe_image, known.images)
    now = Cache(known.versions, _to_keep(seen_videos), _to_keep(seen_images))
    if cache is not None and keep and now != known:
        _save_cache(cache, now)
    return _contents(seen_videos), _contents(seen_images)


def probe_image(path: str | Path) -> ImageSize:
    """Read an image's size, and make sure that the file is whole.

    Raises:
        InputError: not an image of a known format, damaged, or cut off.
    """
    try:
        with Image.open(path, formats=IMAGE_FORMATS) as image:
            width, height = image.size
            sideways = is_sideways(orientation_of(image))
            if image.format == "PNG":
                image.verify()  # a PNG's checksums show damage at a tenth of the cost of decoding
            else:
                image.draft(None, (1, 1))  # JPEG: reads the whole file, but computes few of its pixels
                image.load()
            return ImageSize(height, width) if sideways else ImageSize(width, height)
    except UnidentifiedImageError:
        raise _unusable(path, "a file that is no readable image") from None


def _unusable(path: str | Path, found: str) -> InputError:
    return InputError([Problem(str(path), found, WHOLE_IMAGE)])


def _look_at(
    paths: Iterable[Path], probe: Callable[[Path], Content], known: dict[str, Seen]
) -> dict[Path, Seen | Problem]:
    seen = {path: _recall(path, known) for path in dict.fromkeys(paths)}
    unknown = [path for path, entry in seen.items() if entry is None]
    # Threads, not processes: FFmpeg and Pillow release the interpreter's lock while they work.
    with ThreadPoolExecutor(NUM_THREADS) as pool:
        looks = pool.map(lambda path: _look_into(path, probe), unknown)
        found = dict(zip(unknown, collecting(looks, 2000), strict=True))
    return {path: entry or found[path] for path, entry in seen.items()}


def _to_keep(seen: dict[Path, Seen | Problem]) -> dict[str, Seen]:
    return {_key(path): entry for path, entry in seen.items() if isinstance(entry, Seen)}


def _contents(seen: dict[Path, Seen | Problem]) -> dict[Path, Content]:
    return {path: entry.content if isinstance(entry, Seen) else entry for path, entry in seen.items()}


def _recall(path: Path, known: dict[str, Seen]) -> Seen | None:
    entry = known.get(_key(path))
    try:
        now = path.stat()
    except (OSError, ValueError):
        return None
    return entry if entry and (entry.size, entry.mtime_ns) == (now.st_size, now.st_mtime_ns) else None


def _look_into(path: Path, probe: Callable[[Path], Content]) -> Seen | Problem:
    """Probe a file that the cache does not know.

    A file that cannot be opened is a bare Problem, which is not cached: a missing file, a wrong
    permission or an absent network disk can be mended without a new size or time of change.
    """
    try:
        status = path.stat()
        if not stat.S_ISREG(status.st_mode):
            return Problem(str(path), "a folder or a special file", "a file")
        with path.open("rb") as content:
            content.read(1)
    except FileNotFoundError:
        return Problem(str(path), "no such file", "a file that exists")
    except (OSError, ValueError) as error:
        return Problem(str(path), f"a file that cannot be opened ({error})", "a file that may be read")
    if status.st_mtime > time.time() + SECONDS_AHEAD:
        ahead = format_seconds(status.st_mtime - time.time())
        found = f"a file dated {ahead} ahead of this machine's clock, for which all that is made of it would be too old"
        return Problem(str(path), found, f"a time that has passed: touch {shlex.quote(str(path))}")
    if status.st_size == 0:
        return Problem(str(path), "an empty file (0 bytes)", "a whole file")
    return Seen(status.st_size, status.st_mtime_ns, _probed(path, probe))


def _probed(path: Path, probe: Callable[[Path], Content]) -> Content:
    """Probe a file; whatever a library raises at what it holds is a problem of that file, and of no other.

    The one place that catches everything: libraries meet damaged and foreign files with errors of any kind.
    """
    try:
        return probe(path)
    except InputError as error:
        return error.problems[0]
    except Exception as error:
        kind, expected = ("image", WHOLE_IMAGE) if probe is probe_image else ("video", WHOLE_VIDEO)
        reason = " ".join(str(error).split()) or type(error).__name__
        return Problem(str(path), f"a damaged or truncated {kind} ({reason})", expected)


def _key(path: Path) -> str:
    """Return the absolute path as text that JSON can hold, even where the path is not valid UTF-8."""
    return os.path.abspath(path).encode("utf-8", "backslashreplace").decode()  # noqa: PTH100 - Path.resolve is slow


def _load_cache(cache: Path | None) -> Cache:
    """Read the cache; start an empty one if it is absent, broken, or written by other versions.

    Nothing is lost by that, and nothing wrong can come of it: every entry can be seen again in its file.
    """
    versions = {"format": CACHE_FORMAT, "av": av.__version__, "pillow": PIL.__version__}
    versions["facts"] = " ".join(fact.name for fact in fields(VideoInfo))
    empty = Cache(versions, {}, {})
    if cache is None:
        return empty
    try:
        known = TypeAdapter(Cache).validate_json(cache.read_bytes())
    except (OSError, ValidationError):
        return empty
    return known if known.versions == versions else empty


def _save_cache(cache: Path, now: Cache) -> None:
    try:
        write_json(cache, asdict(now))
    except OSError:
        return  # a full or read-only disk: the next look is slower, and no result depends on it
