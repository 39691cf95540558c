"""What a person decided on edits: a table that survives odd names, and a batch without what is not to be made."""

from dataclasses import replace
from pathlib import Path

import pytest

from lib.core.errors import InputError
from lib.inputs.clips import Batch, find_clips
from lib.inputs.decisions import (
    FILE,
    Decision,
    decisions_of_run,
    keep_decisions,
    leave_out_undone,
    read_decisions,
    write_decisions,
)
from tests.odd_names import FOR_PEOPLE, WORDS_FOR_A_SHELL

DEMO = Path(__file__).parents[3] / "demo" / "clips"
GOLD, PINK = ("turning square", "gold-ring"), ("turning square", "pink-star")


@pytest.fixture(scope="module")
def batch() -> Batch:
    """Find the demo's clips: four, two of them with two edits."""
    return find_clips(DEMO, num_frames=17, start=0, stride=1)


def test_the_table_holds_any_names_and_can_be_read(tmp_path: Path) -> None:
    """Tabs, quotes, line ends and other scripts come back; a plain line is a plain line."""
    names = [*FOR_PEOPLE, *WORDS_FOR_A_SHELL, "a\ttab", '"', "car"]
    decisions: dict[tuple[str, str], Decision] = {(name, "an edit"): "held" for name in names}
    write_decisions(tmp_path, {**decisions, ("car", "red"): "approved"})
    assert read_decisions(tmp_path) == {**decisions, ("car", "red"): "approved"}
    assert "car\tred\tapproved" in (tmp_path / FILE).read_text("utf-8").splitlines()
    assert read_decisions(tmp_path / "nowhere") == {}


def test_each_wrong_line_of_a_table_is_told(tmp_path: Path) -> None:
    """Of a table that was written by hand."""
    (tmp_path / FILE).write_text("clip\tedit\tdecision\ncar\tred\tyes\ncar blue held\n\ncar\tgreen\theld\n")
    with pytest.raises(InputError) as raised:
        read_decisions(tmp_path)
    assert [problem.place.rpartition(", ")[2] for problem in raised.value.problems] == ["line 2", "line 3"]
    assert "approved, held, rejected" in str(raised.value)


def left(batch: Batch) -> set[str]:
    """Return the edits of a batch as clip/edit, by the names that were given."""
    return {f"{clip.name}/{edit.name}" for clip in batch.clips for edit in clip.edits}


def test_held_and_rejected_edits_are_left_out_and_told(batch: Batch) -> None:
    """A clip without any edit left goes too; nothing else changes."""
    decisions: dict[tuple[str, str], Decision] = {GOLD: "held", ("star-crossing", "blue-circle"): "rejected"}
    reduced = leave_out_undone(batch, decisions, "heed", "decisions.tsv")
    assert left(batch) - left(reduced) == {"turning square/gold-ring", "star-crossing/blue-circle"}
    assert "star-crossing" not in {clip.name for clip in reduced.clips}
    told = {(one.clip, one.edit): one.found for one in reduced.problems}
    assert told == {GOLD: "held", ("star-crossing", "blue-circle"): "rejected"}
    assert leave_out_undone(batch, decisions, "ignore", "") == batch
    assert leave_out_undone(batch, {}, "heed", "") == replace(batch, problems=batch.problems)


def test_approved_only_leaves_out_what_nobody_has_decided_on(batch: Batch) -> None:
    """Held ones say so, the others that they are not approved."""
    reduced = leave_out_undone(batch, {GOLD: "approved", PINK: "held"}, "approved_only", "decisions.tsv")
    assert left(reduced) == {"turning square/gold-ring"}
    told = {(one.clip, one.edit): one.found for one in reduced.problems}
    assert len(told) == 5 and told[PINK] == "held" and told["star-crossing", "blue-circle"] == "not approved"


def test_a_run_goes_by_what_was_decided_when_it_began(tmp_path: Path) -> None:
    """A cluster's job sees the same edits as the plan, though an edit was approved meanwhile."""
    write_decisions(tmp_path, {GOLD: "held"})
    kept = tmp_path / "kept.json"
    assert decisions_of_run(tmp_path, kept, is_main=False) == {}
    keep_decisions(decisions_of_run(tmp_path, kept, is_main=True), kept)
    write_decisions(tmp_path, {GOLD: "approved"})
    assert decisions_of_run(tmp_path, kept, is_main=False) == {GOLD: "held"}
    assert decisions_of_run(tmp_path, kept, is_main=True) == {GOLD: "approved"}
