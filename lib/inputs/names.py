"""What people may call clips and edits, and where their files may lie: nearly anything, since ids stand for names."""

import re
import unicodedata
from collections.abc import Sequence
from pathlib import Path

from lib.core.errors import Problem
from lib.inputs.given import place_of

WILDCARD = re.compile(r"\{\s*[.\w]+\s*(,[^}]*)?\}")  # what snakemake.io.WILDCARD_REGEX finds, and little more


def check_name(name: str, place: str, is_doubled: bool) -> list[Problem]:
    """Find what is wrong with a name.

    Args:
        place: the folder or row that bears it.
        is_doubled: whether another clip, or edit of the same clip, has exactly this name.
    """
    if not name.strip():
        return [Problem(place, "a name of blanks", "a name that can be read")]
    if any(unicodedata.category(char) == "Cs" for char in name):
        return [Problem(place, f"a name that is not UTF-8, {ascii(name)}", "a name that can be shown")]
    return [Problem(place, f"a second '{name}', the same name", "each name once")] if is_doubled else []


def check_paths(paths: Sequence[Path], base: Path) -> list[Problem]:
    """Refuse files that Snakemake would look for elsewhere, since it fills in what stands in braces in any path.

    Args:
        paths: of a clip's source, or of an edit; the first is told, since the others mostly lie in the same folder.
        base: the clips folder, or the sheet's.
    """
    found = next((match for path in paths if (match := WILDCARD.search(str(path)))), None)
    if found is None:
        return []
    place = place_of(Path(found.string), base)
    return [Problem(place, f"'{found[0]}' in a path, which Snakemake takes for a wildcard", "another name")]
