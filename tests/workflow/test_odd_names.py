"""Clips and edits of any name, through real Snakemake: made under their ids, and shown under their names."""

from pathlib import Path

import pandas as pd
import pytest

from lib.core.text import printable
from tests.odd_names import ODD_NAMES
from tests.workflow.odd_batches import add_clip, assert_nothing_was_run, made, pairs_of
from tests.workflow.project import copy_project, planned_jobs, run_snakemake, write_settings

EDITS = {"$(touch INJECTED) 'it`s' \"%j\"": ["source_video.mkv", "new\nline {}"], "20" * 20: ["вечер"]}


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A project without clips."""
    copy_project(tmp_path)
    write_settings(tmp_path, {"clips": "clips", "min_free_disk": 0})
    return tmp_path


def test_any_name_is_planned(project: Path) -> None:
    """All odd names as clips, and all as edits of one clip: Snakemake plans each once."""
    for name in ODD_NAMES:
        add_clip(project, name, ["edit"])
    add_clip(project, "all", ODD_NAMES)
    jobs = planned_jobs(project)
    assert jobs["extract_frames"] == jobs["train_lora_decouple"] == len(ODD_NAMES) + 1
    assert jobs["align_edit"] == jobs["generate"] == jobs["evaluate"] == 2 * len(ODD_NAMES)


def test_odd_clips_and_edits_are_made_and_shown_by_name(project: Path) -> None:
    """Exactly these videos; names in logs, on the console, in metrics.csv and in the report; nothing was executed."""
    for clip, edits in EDITS.items():
        add_clip(project, clip, edits)
    answer = run_snakemake(project, "--cores", "2")
    assert answer.returncode == 0, answer.stdout
    pairs = pairs_of(project)
    assert made(project, "*/*/mask_lora/edited.mp4") == {f"{clip.id}/{edit.id}" for clip, edit in pairs.values()}
    assert_nothing_was_run(project)
    results = project / "results"
    table = pd.read_csv(results / "metrics.csv")
    assert len(table) == 3 * len(pairs)
    page = (results / "report" / "index.html").read_text(encoding="utf-8")
    for (clip_name, edit_name), (clip, edit) in pairs.items():
        shown = f"{printable(clip_name)}, {printable(edit_name)}"
        log = (results / "logs" / clip.id / edit.id / "mask_lora" / "generate.log").read_text(encoding="utf-8")
        assert log.splitlines()[0] == f"generate: {shown}, mask_lora"
        assert f"generate: {shown}" in answer.stdout
        rows = table[(table["clip"] == clip.id) & (table["edit"] == edit.id)]
        assert set(rows["clip_name"]) == {printable(clip_name)} and set(rows["edit_name"]) == {printable(edit_name)}
        assert (results / "report" / "media" / clip.id / edit.id / "mask_lora" / "edited.mp4").exists()
    assert "вечер" in page and "new\\nline {}" in page
    assert planned_jobs(project) == {}


def test_results_under_a_name_are_told_and_left(project: Path) -> None:
    """What an earlier version made is named with its new place at the start; renamed, it is taken up."""
    add_clip(project, "two words", ["edit"])
    ((clip, _),) = pairs_of(project).values()
    target = f"results/{clip.id}/source_video.mkv"
    assert run_snakemake(project, "--cores", "1", target).returncode == 0
    new, old = project / "results" / clip.id, project / "results" / "two words"
    new.rename(old)
    answer = run_snakemake(project, "--dry-run", target)
    assert f"results/two words: made anew in results/{clip.id}" in answer.stdout, answer.stdout
    assert (old / "source_video.mkv").exists()
    old.rename(new)
    answer = run_snakemake(project, "--dry-run", target)
    assert "Nothing to be done" in answer.stdout and "made anew" not in answer.stdout, answer.stdout
