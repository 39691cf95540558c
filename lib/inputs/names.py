"""Names of clips and edits: they become folders and wildcards, so not every name will do."""

import unicodedata
from collections.abc import Collection, Sequence

from lib.core.errors import Problem

FORBIDDEN = "/\\{}"  # path separators, and what Snakemake takes for a wildcard
CONTROL = {"Cc", "Cs", "Zl", "Zp"}  # Unicode categories: control characters, invalid UTF-8, line separators
MAX_CHARACTERS = 100
MAX_BYTES = 200  # a file system's limit is 255, and log files add a suffix


def check_name(name: str, place: str, clash: str | None, reserved: Collection[str]) -> list[Problem]:
    """Find what is wrong with a name.

    Args:
        place: the folder or row that bears it.
        clash: another name that a file system may take for this one, if there is one.
        reserved: names that the workflow needs for itself.
    """
    problems = []
    unusable = sorted({char for char in name if char in FORBIDDEN or unicodedata.category(char) in CONTROL})
    if unusable:
        found = f"a name with {', '.join(ascii(char) for char in unusable)}"
        problems.append(Problem(place, found, "a name without / \\ { } and control characters"))
    if name.startswith((".", " ")) or name.endswith(" "):
        problems.append(Problem(place, f"the name '{name}'", "a name without a leading dot or outer spaces"))
    num_bytes = len(name.encode("utf-8", "surrogateescape"))
    if len(name) > MAX_CHARACTERS or num_bytes > MAX_BYTES:
        expected = f"at most {MAX_CHARACTERS} characters and {MAX_BYTES} bytes in UTF-8"
        problems.append(Problem(place, f"a name of {len(name)} characters and {num_bytes} bytes", expected))
    if _folded(name) in reserved:
        expected = f"another name; the workflow itself uses {', '.join(sorted(reserved))}"
        problems.append(Problem(place, f"the name '{name}'", expected))
    if clash is not None:
        difference = "the same name" if clash == name else "which differs only in case or accent encoding"
        problems.append(Problem(place, f"a second '{clash}', {difference}", "names that every file system tells apart"))
    return problems


def find_clashes(names: Sequence[str]) -> list[str | None]:
    """For each name, give another one that is the same but for case and Unicode normalisation, if any."""
    alike: dict[str, list[int]] = {}
    for position, name in enumerate(names):
        alike.setdefault(_folded(name), []).append(position)
    others = [[other for other in alike[_folded(name)] if other != here] for here, name in enumerate(names)]
    return [names[positions[0]] if positions else None for positions in others]


def _folded(name: str) -> str:
    return unicodedata.normalize("NFC", unicodedata.normalize("NFC", name).casefold())
