"""Ids of clips, edits and outside methods: what stands for names in paths, wildcards, job names and shell words.

People may call a clip anything; an id holds letters, digits, `.`, `_` and `-` alone. A name that is safe already is
its own id. Any other gets what of it is safe, and a digest of the whole name: `a car` is `a-car-DIGEST`.

An id depends on its name alone, so that it is the same in each run. Only where two names would meet in one folder,
also on a file system that ignores case, one of them gives way: not the one in lower case.
"""

import hashlib
import re
import unicodedata
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from itertools import count

from lib.config.methods import BUILT_IN_METHODS, MAX_METHOD_NAME, RESERVED_METHOD_NAMES
from lib.core.names import OUTSIDE

MAX_ID = 80
"""Characters. SLURM's logs of a group lie in a folder with clip, edit, method and the rules in its name, such as
group_finish_CLIP_EDIT_METHOD_evaluate_generate, which has room for 255 bytes."""
NUM_DIGITS = 8  # of the digest
SAFE = re.compile(r"[A-Za-z0-9_](?:[A-Za-z0-9._-]*[A-Za-z0-9_-])?")
UNSAFE = re.compile(r"[^A-Za-z0-9._]+")
SAFE_METHOD = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_-]*")
REPEATED = re.compile(r"(.+)\1{19}$")  # snakemake.io.PeriodicityDetector takes such a wildcard for an endless recursion
DEVICES = re.compile(
    r"(con|prn|aux|nul|com\d|lpt\d)(\..*)?", re.IGNORECASE
)  # no file of a Windows disk may be called so


@dataclass(frozen=True)
class Reserved:
    """What no id may be, since the results have it beside the folders that are named by ids.

    Args:
        names: in lower case.
        suffixes: of the files there; none of a folder's name, so that files added later never meet one.
        stand_in: begins the id of a name of which no character is safe.
    """

    names: frozenset[str]
    suffixes: tuple[str, ...]
    stand_in: str


OF_CLIPS = Reserved(
    frozenset({"report", "study", "tables", "shared", "logs", "benchmarks", *RESERVED_METHOD_NAMES}),
    (".csv", ".html", ".json", ".log", ".tsv"),
    "clip",
)
OF_EDITS = Reserved(
    frozenset({"source_video", "source_preview", "objects", "measures", "motion", *OF_CLIPS.names, *BUILT_IN_METHODS}),
    (*OF_CLIPS.suffixes, ".jsonl", ".mkv", ".mp4", ".png", ".safetensors"),
    "edit",
)


def make_ids(names: Sequence[str], reserved: Reserved) -> list[str]:
    """Return an id for each name, in their order; the same name has the same id.

    Args:
        names: of all clips of a batch, or of all edits of a clip, those that cannot be run among them.
        reserved: OF_CLIPS or OF_EDITS.
    """
    ids: dict[str, str] = {}
    taken: set[str] = set()
    # Safe names first: none may lose its own to one that is made.
    for name in sorted(set(names), key=lambda name: (not is_own_id(name, reserved), name != name.lower(), name)):
        candidates = (_candidate(name, attempt, reserved) for attempt in count())
        ids[name] = next(candidate for candidate in candidates if candidate.lower() not in taken)
        taken.add(ids[name].lower())
    return [ids[name] for name in names]


def names_of_ids(names: Sequence[str], only: Collection[str] | None, reserved: Reserved) -> set[str]:
    """Return those of the names whose ids are asked for; `only` None: all."""
    if only is None:
        return set(names)
    return {name for name, its_id in zip(names, make_ids(names, reserved), strict=True) if its_id in only}


def is_own_id(name: str, reserved: Reserved) -> bool:
    """Tell whether a name can stand in paths as it is."""
    lower = name.lower()
    if len(name) > MAX_ID or not SAFE.fullmatch(name) or lower in reserved.names or lower.endswith(reserved.suffixes):
        return False
    return not REPEATED.search(name) and not DEVICES.fullmatch(name)


def outside_id(name: str) -> str:
    """Return the id of a method that another tool is: OUTSIDE and its name, or what of it is safe and a digest.

    It depends on the name alone, so that a method is the same in all clips.
    """
    room = MAX_METHOD_NAME - len(OUTSIDE)
    if len(name) <= room and SAFE_METHOD.fullmatch(name) and not REPEATED.search(name):
        return f"{OUTSIDE}{name}"
    readable = UNSAFE.sub("-", _ascii(name)).replace(".", "-").strip("-") or "method"
    return f"{OUTSIDE}{readable[: room - NUM_DIGITS - 1]}-{_digest(name)}"


def _candidate(name: str, attempt: int, reserved: Reserved) -> str:
    """Return the id of a name, or, where earlier attempts are taken, another."""
    if attempt == 0 and is_own_id(name, reserved):
        return name
    readable = UNSAFE.sub("-", _ascii(name)).strip(".-")
    if not readable or DEVICES.fullmatch(readable):
        readable = f"{reserved.stand_in}-{readable}".rstrip("-")
    return f"{readable[: MAX_ID - NUM_DIGITS - 1]}-{_digest(name, attempt)}"


def _digest(name: str, attempt: int = 0) -> str:
    # Accents in one encoding, so that a folder keeps its id when it moves to a disk that writes them in another.
    composed = unicodedata.normalize("NFC", name)
    return hashlib.sha256(f"{composed}{'/' * attempt}".encode("utf-8", "surrogatepass")).hexdigest()[:NUM_DIGITS]


def _ascii(name: str) -> str:
    """Return the letters of a name that are Latin, without their accents."""
    return unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode()
