"""Names that people gave, by the ids that stand for them in paths: what is shown where only ids are found."""

from collections.abc import Iterable, Mapping

from lib.core.text import printable

Names = Mapping[str, str]
"""Names fit to be shown, by `clip id`, `clip id/edit id` and, of another tool's method, `clip id/edit id/method id`;
only of ids that are not the name itself."""

OUTSIDE = "outside_"  # begins the id of a method that another tool is: no method of ours is called so


def name_ids(clip_id: str, clip: str, edits: Mapping[str, str]) -> dict[str, str]:
    """Return the part of Names for one clip and its edits, given by id."""
    found = {clip_id: clip, **{f"{clip_id}/{edit_id}": edit for edit_id, edit in edits.items()}}
    return {path: printable(name) for path, name in found.items() if name != path.rpartition("/")[2]}


def name_of(names: Names, clip_id: str, edit_id: str | None = None) -> str:
    """Return the name of a clip, or of an edit, to be shown."""
    path = clip_id if edit_id is None else f"{clip_id}/{edit_id}"
    return names.get(path, path.rpartition("/")[2])


def is_outside(method: str) -> bool:
    """Tell whether a method, by its id, is another tool, whose videos are given and not generated."""
    return method.startswith(OUTSIDE)


def method_name(names: Names, clip_id: str, edit_id: str, method: str) -> str:
    """Return what people call a method: ours by its own name, another tool as they named it for that edit."""
    if not is_outside(method):
        return method
    return names.get(f"{clip_id}/{edit_id}/{method}", method.removeprefix(OUTSIDE))


def show_names(names: Names, parts: Iterable[str]) -> list[str]:
    """Return the parts of a path below results/ or logs/, such as clip, edit and stage, with names in place of ids."""
    clip_id, *rest = parts
    shown = [name_of(names, clip_id), *[name_of(names, clip_id, part) for part in rest[:1]]]
    # A part that is no edit or method, such as a stage of the clip, is never an id that stands for another name.
    return shown + [method_name(names, clip_id, rest[0], part) for part in rest[1:2]] + rest[2:]
