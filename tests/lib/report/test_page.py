"""The metrics table and the page, read back from disk."""

import json
import os
import re
import shutil
from pathlib import Path
from urllib.parse import unquote

import pandas as pd
import pytest

from lib.core.failures import write_failure
from lib.core.files import write_json
from lib.report.page import write_report
from lib.report.results import KILLED, read_edited_videos
from lib.report.table import TABLE_KEYS, write_metrics_table
from tests.lib.report.example_batch import (
    CAR,
    DOG,
    EXPECTED,
    METRICS,
    PROBLEMS,
    ROAD,
    VERSIONS,
    write_example_batch,
    write_log,
)


@pytest.fixture(scope="module")
def batch(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Write the example batch once."""
    results = tmp_path_factory.mktemp("batch") / "results"
    write_example_batch(results, num_frames=5, size=(48, 64))
    return results


@pytest.fixture
def results(batch: Path, tmp_path: Path) -> Path:
    """Return a copy of the example batch that a test may spoil."""
    return shutil.copytree(batch, tmp_path / "results")


def write(results: Path, expected: list = EXPECTED, problems: list = PROBLEMS, names: dict = {}) -> str:  # noqa: B006 - never changed
    """Write the report and return the page."""
    output = results / "report" / "index.html"
    write_report(results, expected, names, problems, "Édits <1>", VERSIONS, output)
    return output.read_text(encoding="utf-8")


def list_addresses(page: str) -> list[str]:
    """Return what the page refers to outside itself."""
    found = re.findall(r'\b(?:src|href|poster)="([^"]*)"', page)
    return [address for address in found if not address.startswith(("#", "data:"))]


def test_table_has_one_line_per_row(results: Path) -> None:
    """Each finished edited video has its own line and one per control; what is unknown is empty."""
    write_metrics_table(results, EXPECTED, {}, results / "metrics.csv")
    table = pd.read_csv(results / "metrics.csv")
    assert list(table.columns) == [*TABLE_KEYS, *METRICS]
    assert len(table) == 3 * 3
    lines = table.set_index(["clip", "edit", "method", "row"]).sort_index()
    written = json.loads((results / ROAD / "мокрая дорога/mask_lora/metrics.json").read_text())
    mean = written["rows"]["edited"]["mean"]["clip_score"]
    assert lines.loc[(ROAD, "мокрая дорога", "mask_lora", "edited"), "clip_score"] == pytest.approx(mean)
    assert pd.isna(lines.loc[(CAR, "red car", "base", "source_copy"), "motion_cosine"])


def test_table_and_page_show_names_where_paths_have_ids(results: Path) -> None:
    """Ids join rows to files; people read what they wrote, in rows, headings, failures and times."""
    names = {CAR: "my <car>", f"{CAR}/red car": "красная", DOG: "собака"}
    write_metrics_table(results, EXPECTED, names, results / "metrics.csv")
    table = pd.read_csv(results / "metrics.csv").set_index(["clip", "edit"])
    assert set(table.loc[(CAR, "red car"), "clip_name"]) == {"my <car>"}
    assert set(table.loc[(CAR, "red car"), "edit_name"]) == {"красная"}
    assert set(table.loc[(ROAD, "мокрая дорога"), "edit_name"]) == {"мокрая дорога"}
    page = write(results, names=names)
    rows = page[page.index('<tbody class="rows">') : page.index("</table>")]
    assert "my &lt;car&gt;" in rows and "красная" in rows and CAR not in rows and "собака" in rows
    assert "my \\u003ccar\\u003e/красная/mask_lora/generate" in page
    assert [folder for folder in (results / "report" / "media").iterdir() if folder.name == CAR]


def test_table_of_nothing_has_a_heading(tmp_path: Path) -> None:
    """A batch without a finished edit still gives a table that can be read."""
    write_metrics_table(tmp_path, EXPECTED, {}, tmp_path / "metrics.csv")
    assert list(pd.read_csv(tmp_path / "metrics.csv").columns) == TABLE_KEYS


def test_table_is_written_to_the_byte(tmp_path: Path) -> None:
    """Columns in the order they come up; names as they are, quoted where they must be; all digits of a number."""
    means = {"one": {"a": 0.1 + 0.2, "b": None}, "two": {"a": 1e-07, "b": 2.0, "c": 1e16}}
    for edit, mean in means.items():
        folder = tmp_path / 'it\'s "it", а' / edit / "base"
        folder.mkdir(parents=True)
        (folder / "metrics.json").write_text(json.dumps({"rows": {"edited": {"mean": mean}, "source_copy": {}}}))
    expected = [('it\'s "it", а', edit, "base") for edit in means]
    write_metrics_table(tmp_path, expected, {}, tmp_path / "metrics.csv")
    name = '"it\'s ""it"", а"'
    lines = [
        "clip,edit,method,row,clip_name,edit_name,a,b,c",
        f"{name},one,base,edited,{name},one,0.30000000000000004,,",
        f"{name},one,base,source_copy,{name},one,,,",
        f"{name},two,base,edited,{name},two,1e-07,2.0,1e+16",
        f"{name},two,base,source_copy,{name},two,,,",
    ]
    assert (tmp_path / "metrics.csv").read_bytes() == "".join(f"{line}\n" for line in lines).encode()


def test_every_edit_has_its_state(results: Path) -> None:
    """Done, failed with its reason, killed, and not run are told apart."""
    videos = read_edited_videos(results, EXPECTED, {})
    assert [video.status for video in videos] == ["done", "done", "done", "failed", "failed", "not run"]
    failed, killed = videos[3].failure, videos[4].failure
    assert failed is not None and killed is not None
    assert failed.reason == "CUDA out of memory <GPU 0>"
    assert failed.name == f"{DOG}/hat & scarf?/mask_lora/generate"
    assert killed.reason == KILLED
    assert killed.tail == ["started", "tracking 40%"]


def test_latest_failing_stage_is_named(results: Path) -> None:
    """What failed in an earlier run, and was not reached again, does not hide what failed now."""
    name = f"{DOG}/hat & scarf?/mask_lora/generate"
    os.utime(results / "logs" / f"{name}.log", (1, 1))
    write_log(results, f"{DOG}/extract_frames", "failed: no such file")
    failure = read_edited_videos(results, EXPECTED, {})[3].failure
    assert failure is not None and failure.name == f"{DOG}/extract_frames"


def test_a_group_that_failed_is_told_by_the_job_that_said_why(results: Path) -> None:
    """Snakemake leaves an empty log of each job of a group, also of those that were never begun."""
    for name in (f"{DOG}/extract_frames", f"{DOG}/hat & scarf?/mask_lora/evaluate"):
        (results / "logs" / f"{name}.log").write_text("")
    (results / "logs" / DOG / "hat & scarf?" / "mask_lora" / "generate.log").unlink()
    write_failure(results / "logs" / DOG / "extract_frames.log", "input", "an unreadable video", 1, [])
    failure = read_edited_videos(results, EXPECTED, {})[3].failure
    assert failure is not None and failure.name == f"{DOG}/extract_frames"
    assert failure.reason == "an unreadable video"


def test_failure_with_another_mask_is_not_ours(results: Path) -> None:
    """A LoRA that only another method uses does not fail this one."""
    expected = [(DOG, "hat & scarf?", "base_masked"), (DOG, "hat & scarf?", "naive_lora")]
    write_log(results, f"{DOG}/train_lora_decouple.first_frame", "failed: the loss is no longer finite")
    assert [video.status for video in read_edited_videos(results, expected, {})] == ["not run", "failed"]


def test_failure_of_a_neighbour_is_not_ours(results: Path) -> None:
    """A job of another edit or method does not fail this one; a job of the clip fails all that wait for it."""
    expected = [(CAR, "red car", "mask_lora"), (CAR, "red car", "all_ones"), (CAR, "new", "mask_lora")]
    write_log(results, f"{CAR}/red car/all_ones/generate", "failed: full disk")
    assert [video.status for video in read_edited_videos(results, expected, {})] == ["done", "failed", "not run"]
    write_log(results, f"{CAR}/train_lora_decouple.edit", "failed: lost the GPU")
    videos = read_edited_videos(results, expected, {})
    assert [video.status for video in videos] == ["done", "failed", "failed"]


def test_shared_failure_is_told_once(results: Path) -> None:
    """Edits held up by the same job stand together at the top."""
    expected = [(CAR, f"new {number}", "mask_lora") for number in range(12)]
    write_log(results, f"{CAR}/caption", "failed: no such model")
    page = write(results, expected)
    assert "Failed: 1 job, 12 edited videos not made" in page
    assert "and 4 more" in page


def test_problems_and_failures_come_before_the_table(results: Path) -> None:
    """What was left out and what failed cannot be overlooked."""
    page = write(results)
    places = [page.index(text) for text in ("a video of zero frames", "CUDA out of memory", 'id="batch-table"')]
    assert places == sorted(places)
    clean = write(results, EXPECTED[:3], [])
    assert 'class="alarm"' not in clean


def test_every_address_leads_to_a_file_in_the_folder(results: Path) -> None:
    """Names with blanks, signs and any script are encoded, and nothing points outside the folder."""
    addresses = list_addresses(write(results))
    assert len(addresses) > 30
    for address in addresses:
        assert re.fullmatch(r"[\w.%/~-]+", address, re.ASCII) and ".." not in address
        assert (results / "report" / unquote(address)).is_file(), address


def test_page_asks_nothing_of_the_network(results: Path) -> None:
    """Apart from the name of the SVG language there is no web address in the page."""
    addresses = set(re.findall(r"(?:https?:)?//[\w.-]+\.\w+[^'\"\s]*", write(results)))
    assert addresses == {"http://www.w3.org/2000/svg"}


def test_names_are_text(results: Path) -> None:
    """Markup in names, reasons and captions is shown, not obeyed."""
    page = write(results)
    assert "<b>" not in page and "<GPU" not in page and "<16>" not in page and "Édits &lt;1&gt;" in page


def test_prompts_of_references_are_shown(results: Path) -> None:
    """Where references were shown with captions of their own the page has them beside the edit's prompt."""
    made = {"prompt": "p3rs0n, a red disc", "reference_prompts": {"12": "p3rs0n, a disc turned blue"}}
    (results / CAR / "red car" / "encoded").mkdir(exist_ok=True)
    write_json(results / CAR / "red car" / "encoded" / "edit.json", {"settings": made})
    page = write(results)
    assert "Reference at frame 12" in page and "p3rs0n, a disc turned blue" in page


def test_media_are_linked_and_follow_their_source(results: Path) -> None:
    """Videos take no room twice, and a new result replaces the old one."""
    write(results)
    inner = Path(CAR, "red car", "mask_lora", "edited.mp4")
    assert (results / "report/media" / inner).samefile(results / inner)
    (results / "new.mp4").write_bytes(b"new")
    (results / "new.mp4").replace(results / inner)
    write(results)
    assert (results / "report/media" / inner).read_bytes() == b"new"


def test_media_are_copied_where_links_are_impossible(results: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Another disk, or one without hard links, gets copies; they are made once."""

    def refuse(*_: object) -> None:
        raise OSError("no hard links here")

    monkeypatch.setattr(Path, "hardlink_to", refuse)
    write(results)
    copied = results / "report/media" / CAR / "source_preview.mp4"
    before = copied.stat()
    assert copied.read_bytes() == (results / CAR / "source_preview.mp4").read_bytes()
    write(results)
    assert copied.stat().st_ino == before.st_ino


def test_media_of_dropped_edits_are_removed(results: Path) -> None:
    """The folder holds what the page shows and nothing else."""
    write(results)
    page = write(results, EXPECTED[:1])
    media = results / "report" / "media"
    files = {path.relative_to(results / "report").as_posix() for path in media.rglob("*") if path.is_file()}
    assert files == {unquote(address) for address in list_addresses(page)}
    assert [folder.name for folder in media.iterdir()] == [CAR]


@pytest.mark.parametrize(
    "spoil", [lambda path: path.unlink(), lambda path: os.truncate(path, path.stat().st_size // 2)]
)
def test_any_file_may_be_missing_or_cut_off(results: Path, spoil) -> None:
    """Whatever single result is lost, the page and the table are written and name every edit."""
    expected = EXPECTED[2:4]  # a finished edit and a failed one
    files = [path for path in sorted(results.rglob("*")) if path.is_file() and CAR not in path.parts]
    assert len(files) > 20
    for path in files:
        kept = path.read_bytes()
        spoil(path)
        assert len(page_states(write(results, expected))) == 2, path
        write_metrics_table(results, expected, {}, results / "metrics.csv")
        path.unlink(missing_ok=True)  # what is linked into the report must not be written to
        path.write_bytes(kept)


def test_nothing_at_all_gives_a_page(tmp_path: Path) -> None:
    """A batch of which every clip was left out still has its page."""
    assert "a video of zero frames" in write(tmp_path, [])
    page = write(tmp_path, EXPECTED)
    assert page_states(page) == ["not run"] * len(EXPECTED)
    assert page.count('<td class="number" data-sort="">–</td>') >= len(EXPECTED), "no time"


def page_states(page: str) -> list[str]:
    """Return the states in the table's rows."""
    table = page[page.index('<tbody class="rows">') : page.index("</table>")]
    return re.findall(r'class="status [\w-]+">([\w ]+)<', table)


def test_unknown_metrics_are_shown_as_they_are(results: Path) -> None:
    """A metric that the page has no words for gets a column of its own."""
    path = results / CAR / "red car/base/metrics.json"
    metrics = json.loads(path.read_text())
    metrics["rows"]["edited"]["mean"]["new_thing"] = 12.5
    path.write_text(json.dumps(metrics))
    page = write(results)
    assert "New thing" in page and "12.500" in page
