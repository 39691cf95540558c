"""Ids are safe wherever they stand, and nothing but names make them; what is safe already stays as it is."""

import random
import re

import pytest
from snakemake.io import PeriodicityDetector

from lib.inputs.ids import MAX_ID, OF_CLIPS, OF_EDITS, Reserved, is_own_id, make_ids
from tests.odd_names import FOR_FILES, LONGEST_SAFE, ODD_NAMES, OF_CLIP_RESULTS, OF_RESULTS

OTHERS = [
    "..",
    "../car",
    "a/b",
    "",
    " ",
    "\udce9",
    "a" * 10_000,
    ".hidden",
    "...a",
    "a\0b",
    "{clip}",
]  # of a sheet, or broken
ORDINARY = ["car-turn", "red_car", "v1.2", "007", "NA", "A", "take.2", "_draft"]
BOTH = pytest.mark.parametrize("reserved", [OF_CLIPS, OF_EDITS], ids=["clips", "edits"])


@BOTH
@pytest.mark.parametrize("name", [*ODD_NAMES, *OTHERS])
def test_an_id_is_safe_everywhere(name: str, reserved: Reserved) -> None:
    """Letters, digits, dot, underscore and dash; of bounded length; nothing that a program gives a meaning."""
    (its_id,) = make_ids([name], reserved)
    assert re.fullmatch(r"[A-Za-z0-9_][A-Za-z0-9._-]*", its_id) and len(its_id) <= MAX_ID
    assert not its_id.endswith(".") and ".." not in its_id.split("/")
    assert PeriodicityDetector().is_periodic(its_id) is None
    assert its_id.partition(".")[0].lower() not in {"con", "nul", "prn", "aux"}


@BOTH
def test_ids_are_told_apart_by_every_file_system(reserved: Reserved) -> None:
    """All odd names at once: as many ids, in any case."""
    names = [*ODD_NAMES, *OTHERS, *ORDINARY]
    assert len({its_id.lower() for its_id in make_ids(names, reserved)}) == len(set(names))


@BOTH
def test_an_id_depends_on_its_name_alone(reserved: Reserved) -> None:
    """Neither order nor company changes it, but for names that would meet; doubled names have one id."""
    names = [*ODD_NAMES, *OTHERS, *ORDINARY]
    known = dict(zip(names, make_ids(names, reserved), strict=True))
    shuffled = [*names, *names]
    random.Random(1).shuffle(shuffled)
    assert make_ids(shuffled, reserved) == [known[name] for name in shuffled]
    meeting = {"Car", "CAR", "caf\u00e9", "cafe\u0301"}
    assert all(make_ids([name], reserved) == [known[name]] for name in set(names) - meeting)


def test_an_id_outlives_a_move_to_another_disk() -> None:
    """Some write accents in another encoding; alone, both are one name."""
    assert make_ids(["caf\u00e9"], OF_CLIPS) == make_ids(["cafe\u0301"], OF_CLIPS)


@BOTH
def test_ordinary_names_are_their_own_ids(reserved: Reserved) -> None:
    """Folders see no change; the longest too."""
    assert make_ids([*ORDINARY, LONGEST_SAFE], reserved) == [*ORDINARY, LONGEST_SAFE]
    assert len(LONGEST_SAFE) == MAX_ID


def test_of_names_that_meet_the_one_in_lower_case_stays() -> None:
    """So that results of `car` are not moved by a later `Car`."""
    first, second, third = make_ids(["Car", "car", "CAR"], OF_CLIPS)
    assert second == "car" and first.startswith("Car-") and third.startswith("CAR-")


def test_a_name_that_is_anothers_id_keeps_it() -> None:
    """A folder that was renamed to its id may stand beside the one it was copied from."""
    (made,) = make_ids(["two words"], OF_CLIPS)
    other, kept = make_ids(["two words", made], OF_CLIPS)
    assert kept == made and other.startswith("two-words-") and other != made


@pytest.mark.parametrize("name", [*OF_RESULTS, *FOR_FILES])
def test_what_stands_beside_clips_is_no_clips_id(name: str) -> None:
    """In any case."""
    assert not is_own_id(name, OF_CLIPS) and not is_own_id(name.upper(), OF_CLIPS)


@pytest.mark.parametrize("name", [*OF_RESULTS, *OF_CLIP_RESULTS, *FOR_FILES])
def test_what_stands_beside_edits_is_no_edits_id(name: str) -> None:
    """In any case; a clip may be called like a video, as sheets often do."""
    assert not is_own_id(name, OF_EDITS) and not is_own_id(name.upper(), OF_EDITS)
    assert is_own_id("car.mp4", OF_CLIPS) and not is_own_id("car.mp4", OF_EDITS)


def test_an_id_tells_its_name_as_far_as_it_can() -> None:
    """Accents fall, blanks become dashes; of other scripts only a digest is left."""
    ids = make_ids(["Two  Words!", "Crème brûlée", "вечер"], OF_EDITS)
    assert [re.sub("[0-9a-f]{8}$", "", its_id) for its_id in ids] == ["Two-Words-", "Creme-brulee-", "edit-"]
