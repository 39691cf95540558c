"""Look at what each edit changes before any job: one that changes nothing, or only what is cut off, is told at once.

What was found is kept in a cache file: a look takes a tenth of a second for each edit, and nothing if it was looked at.
"""

import hashlib
import json
import os
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from lib.core.errors import InputError, Problem
from lib.core.files import read_json_or_nothing, write_json
from lib.core.garbage import collecting
from lib.core.text import printable
from lib.inputs.clips import Batch, Clip
from lib.inputs.edits import Edit
from lib.masks.differences import edit_difference
from lib.video.arrays import Mask
from lib.video.crops import Crop, apply_crop, cut_out, plan_crop, uncropped
from lib.video.images import read_image, transparent_share
from lib.video.reading import read_frames

NUM_THREADS = 8  # FFmpeg, Pillow and OpenCV release the interpreter's lock while they work
MOST_TRANSPARENT = 0.001  # share of the pixels
LOOK = "2"  # raise it when a look comes to see something else in the same files


def check_edits(batch: Batch, width: int, height: int, threshold: float, cache: Path | None) -> Batch:
    """Leave out the edits that would change nothing, with a problem for each; a clip without edits goes too.

    Args:
        batch: clips and edits whose files are whole; of a part of the clips alone the cache is read and left as it is.
        width, height: of the model's frames, see `lib.video.crops.plan_crop`.
        threshold: see `lib.masks.differences.edit_difference`.
        cache: a JSON file that is read and replaced; None: look at every edit.
    """
    pairs = [(clip, edit) for clip in batch.clips for edit in clip.edits]
    known = read_json_or_nothing(cache) if cache else {}
    keys = [_key(clip, edit, (LOOK, width, height, threshold)) for clip, edit in pairs]
    unknown = {key: pair for key, pair in zip(keys, pairs, strict=True) if key not in known}
    with ThreadPoolExecutor(NUM_THREADS) as pool:
        looks = pool.map(lambda pair: _look(pair[0], pair[1], width, height, threshold), unknown.values())
        seen = dict(zip(unknown, collecting(looks, 500), strict=True))
    found = {key: seen[key] if key in seen else known[key] for key in keys}
    if cache is not None and batch.is_whole and found != known:
        _save(cache, found)
    bad = {key: [Problem(**problem) for problem in answer["problems"]] for key, answer in found.items()}
    problems = [problem for key in keys for problem in bad[key]]
    good = {(clip.id, edit.id) for (clip, edit), key in zip(pairs, keys, strict=True) if not bad[key]}
    return replace(batch, clips=tuple(_with_edits(batch.clips, good)), problems=(*batch.problems, *problems))


def _with_edits(clips: Iterable[Clip], good: set[tuple[str, str]]) -> Iterable[Clip]:
    for clip in clips:
        edits = tuple(edit for edit in clip.edits if (clip.id, edit.id) in good)
        if edits:
            yield replace(clip, edits=edits)


def _look(clip: Clip, edit: Edit, width: int, height: int, threshold: float) -> dict[str, Any]:
    """Return what is wrong with an edit, as plain values; what cannot be read is wrong too."""
    crop = plan_crop(clip.info.height, clip.info.width, width, height)
    check = _check_user_masks if edit.user_masks else _check_pictures
    try:
        problems = _check_opaque(edit) or check(clip, edit, crop, threshold)
    except InputError as error:
        problems = error.problems
    except Exception as error:  # whatever a library raises at a damaged file: it costs its edit, and not the batch
        found = f"pictures that cannot be read ({type(error).__name__}: {error})"
        problems = [Problem(_place_of(edit), found, "whole images and masks: save them anew")]
    names = {"clip": printable(clip.name), "edit": printable(edit.name)}
    return {"problems": [asdict(replace(problem, **names)) for problem in problems]}


def _check_opaque(edit: Edit) -> list[Problem]:
    """Find pictures with holes, which would turn black."""
    expected = "an opaque picture: the edit flattened onto its source frame"
    return [
        Problem(path.name, f"a picture that is transparent in {share:.1%} of its pixels", expected)
        for path in edit.pictures
        if (share := transparent_share(path)) > MOST_TRANSPARENT
    ]


def _check_pictures(clip: Clip, edit: Edit, crop: Crop, threshold: float) -> list[Problem]:
    """Find an edit none of whose pictures differs from its source frame; of one in words nothing is known yet."""
    if edit.first_frame is None or edit.is_instructed:
        return []
    pictures = ((clip.indices[0], edit.first_frame), *((index, path) for index, path in edit.references if path))
    whole = uncropped(crop)
    changes_outside = False
    for index, path in pictures:
        source = read_frames(clip.source, [index], lambda picture: apply_crop(picture, whole))[0][0]
        edited = apply_crop(read_image(path), whole)
        if edit_difference(cut_out(source, crop), cut_out(edited, crop), threshold).any():
            return []
        changes_outside |= bool(edit_difference(source, edited, threshold).any())
    if changes_outside:
        found = f"changes only where the crop to {crop.width}x{crop.height} pixels cuts the picture off"
        return [Problem(edit.first_frame.name, found, _what_stays(crop))]
    found = f"no difference from source frame {clip.indices[0]}"
    return [Problem(edit.first_frame.name, found, "an edited frame; was the unedited one saved?")]


def _place_of(edit: Edit) -> str:
    """Name what an edit's pictures are told of by."""
    return edit.first_frame.name if edit.first_frame else "references"


def _check_user_masks(clip: Clip, edit: Edit, crop: Crop, _: float) -> list[Problem]:
    """Find masks of the user's without a white pixel that stays."""
    brightest, cut_off = 0, False
    for plane in _mask_planes(clip, edit):
        brightest = max(brightest, int(plane.max()))
        if (apply_crop(plane, crop, nearest=True) > 127).any():
            return []
        cut_off |= bool((plane > 127).any())
    place = edit.user_masks[0].name if edit.mask_video else f"{edit.user_masks[0].parent.name}/"
    if cut_off:
        found = f"white only where the crop to {crop.width}x{crop.height} pixels cuts the picture off"
        return [Problem(place, found, _what_stays(crop))]
    found = f"masks without white: their brightest value is {brightest}"
    return [Problem(place, found, "white (255) where the edit is, black (0) elsewhere")]


def _mask_planes(clip: Clip, edit: Edit) -> Iterable[Mask]:
    """Yield the user's masks as grey, one at a time: most often the first one tells."""
    if edit.mask_video is None:
        for _, path in edit.masks:
            yield read_image(path).max(axis=2)
        return
    for index in clip.indices:
        yield read_frames(edit.mask_video, [index])[0][0].max(axis=2)


def _what_stays(crop: Crop) -> str:
    """Say which part of a frame the model sees."""
    cut = "left and right" if crop.left else "top and bottom"
    share = 1 - crop.width * crop.height / (crop.resized_width * crop.resized_height)
    return f"an edit in the middle: {share:.0%} are cut off at {cut}; or video.width and height of the source's shape"


def _key(clip: Clip, edit: Edit, settings: Sequence[Any]) -> str:
    """Name a look by all that it depends on: files by their size and time of change."""
    paths = [clip.source, *edit.files]
    states = [(os.fspath(path), status.st_size, status.st_mtime_ns) for path in paths for status in [path.stat()]]
    content = [*settings, clip.indices, [index for index, _ in edit.references], states]
    return hashlib.sha256(json.dumps(content, default=str).encode("utf-8", "surrogatepass")).hexdigest()


def _save(cache: Path, found: dict[str, Any]) -> None:
    try:
        write_json(cache, found)
    except OSError:
        return  # a full or read-only disk: the next look is slower, and no result depends on it
