"""Results of an earlier version, in folders called as the clips and edits are: told, and left where they are."""

from collections.abc import Sequence
from pathlib import Path

from lib.core.text import printable
from lib.inputs.clips import Clip

MADE_OF_CLIP, MADE_OF_EDIT = ("source_video.mkv", "source_video.json"), ("first_frame.png", "edit_mask.mkv")
BESIDE = (".", "logs", "benchmarks")  # of the results folder: what mirrors its names


def find_earlier(results: Path, clips: Sequence[Clip]) -> list[tuple[Path, Path]]:
    """Return folders of results that a run passes over, and the folders that it makes instead.

    Args:
        results: the results folder.
        clips: of the batch.
    """
    found = []
    for clip in clips:
        folder = results / clip.id
        old = _earlier(results, clip.name, clip.id, MADE_OF_CLIP)
        if old:
            found.append((old, folder))
        for edit in clip.edits:
            old_edit = _earlier(old or folder, edit.name, edit.id, MADE_OF_EDIT)
            if old_edit:  # named as it lies once the clip's folder has its new name
                found.append((folder / edit.name, folder / edit.id))
    return found


def describe_earlier(results: Path, found: Sequence[tuple[Path, Path]]) -> str:
    """Say for people what is passed over, and how to keep it."""
    lines = ["Results of an earlier version are passed over; now a folder of results has the id of its clip or edit:"]
    lines += [f"  - {printable(str(old))}: made anew in {new}" for old, new in found]
    lines.append(
        f"To keep them, stop this run and rename each of them, in this order, and likewise below {results / 'logs'} and"
        f" {results / 'benchmarks'}. To be rid of them, delete them."
    )
    return "\n".join(lines)


def _earlier(parent: Path, name: str, its_id: str, made: Sequence[str]) -> Path | None:
    """Return the folder that an earlier version has made under a name, if this one makes another."""
    if name == its_id or "/" in name or (parent / its_id).exists():
        return None
    folder = parent / name
    return folder if any((folder / file).exists() for file in made) else None
