"""Names that people gave, by the ids that stand for them in paths: what is shown where only ids are found."""

from collections.abc import Iterable, Mapping

from lib.core.text import printable

Names = Mapping[str, str]
"""Names fit to be shown, by `clip id` and `clip id/edit id`; only of ids that are not the name itself."""


def name_ids(clip_id: str, clip: str, edits: Mapping[str, str]) -> dict[str, str]:
    """Return the part of Names for one clip and its edits, given by id."""
    found = {clip_id: clip, **{f"{clip_id}/{edit_id}": edit for edit_id, edit in edits.items()}}
    return {path: printable(name) for path, name in found.items() if name != path.rpartition("/")[2]}


def name_of(names: Names, clip_id: str, edit_id: str | None = None) -> str:
    """Return the name of a clip, or of an edit, to be shown."""
    path = clip_id if edit_id is None else f"{clip_id}/{edit_id}"
    return names.get(path, path.rpartition("/")[2])


def show_names(names: Names, parts: Iterable[str]) -> list[str]:
    """Return the parts of a path below results/ or logs/, such as clip, edit and stage, with names in place of ids."""
    clip_id, *rest = parts
    # A second part that is no edit, such as a stage of the clip, is never an id that stands for another name.
    return [name_of(names, clip_id), *[name_of(names, clip_id, part) for part in rest[:1]], *rest[1:]]
