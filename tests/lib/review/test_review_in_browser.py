"""The look before training in a real browser: decided by key and by click, reloaded, saved and handed over."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from lib.batch.command import main
from lib.batch.files import batch_file
from lib.batch.lock import take_lock, this_driver, write_driver
from lib.core.files import write_json
from lib.inputs.decisions import read_decisions, write_decisions
from lib.review.page import PAGE, hours_to_come, write_page
from lib.video.writing import write_viewable
from tests.lib.report.example_batch import draw_video, times, write_picture

HOSTILE = "<b>it's</b> </script><script>document.title='gone'</script> \"x\" & 100%"
NAMES = {"clip-1": HOSTILE, "clip-1/edit-1": "красный #1?"}
EXPECTED = [("clip-1", "edit-1", "mask_lora"), ("clip-1", "blue", "mask_lora"), ("road", "wet", "mask_lora")]


@pytest.fixture
def results(tmp_path: Path) -> Path:
    """Write what is there before the first training of three edits, one of which failed at its mask."""
    results = tmp_path / "a folder, 100% #1" / "results"
    for clip in ("clip-1", "road"):
        video = draw_video(8, (48, 64), (70, 90, 120))
        (results / clip).mkdir(parents=True)
        write_viewable(results / clip / "source_preview.mp4", video, times(8), crf=18)
        write_json(results / clip / "caption.json", {"caption": "a <disc> & a road"})
    for clip, edit, _ in EXPECTED:
        folder = results / clip / edit
        write_picture(folder / "first_frame.png", draw_video(1, (48, 64), (200, 40, 40))[0])
        write_json(folder / "caption.json", {"caption": "a red disc"})
        if edit == "wet":
            continue
        write_picture(folder / "edit_mask.png", draw_video(1, (48, 64), (200, 40, 40))[0])
        write_viewable(folder / "edit_mask_overlay.mp4", draw_video(8, (48, 64), (9, 9, 9)), times(8), crf=18)
        facts = {"method": "yolo_track", "confidence": 0.9, "needs_a_look": False, "warnings": []}
        write_json(folder / "edit_mask.json", facts)
    drawn = draw_video(1, (48, 64), (1, 2, 200))[0]
    write_picture(results / "clip-1" / "edit-1" / "references" / "00012.png", draw_video(1, (48, 64), (1, 2, 3))[0])
    write_json(batch_file(results, "plan.json"), {"expected": EXPECTED, "names": NAMES})
    write_decisions(results, {("road", "wet"): "held"})
    tries = [{"seed": seed, "changed_share": 0.2, "alignment": None, "outside_share": None} for seed in (0, 1)]
    for one in tries:
        write_picture(results / "clip-1" / "blue" / "made_first_frames" / f"{one['seed']}.png", drawn)
    made = {"instruction": "make it <blue>", "seed": 1, "tries": tries}
    write_json(results / "clip-1" / "blue" / "made_first_frame.json", made)
    prompts = {"road/wet": "a wet <road>"}
    known = {"expected": EXPECTED, "names": NAMES, "problems": [], "prompts": prompts, "bytes_to_come": 3 * 2**30}
    write_page(results, read_decisions(results), **known)
    return results


@pytest.fixture
def page(chromium, results: Path) -> Iterator[object]:
    """Open the page, and hold it against what a page on disk may do."""
    opened = chromium.new_page(viewport={"width": 1280, "height": 900})
    complaints = []
    opened.on("console", lambda message: complaints.append(message.text))
    opened.on("pageerror", lambda error: complaints.append(str(error)))
    opened.goto((results / PAGE).as_uri())
    yield opened
    opened.close()
    assert complaints == []


def test_decisions_are_made_kept_over_a_reload_saved_and_taken(page, results: Path, tmp_path: Path) -> None:
    """By click and key; a name with tags and quotes is shown as it is; the command line then knows them all."""
    assert page.title() == "A look before training"
    articles = page.locator("article.review")
    assert articles.count() == 3 and HOSTILE in articles.first.inner_text()
    assert "make it <blue>" in articles.nth(1).inner_text() and "taken: seed 1" in articles.nth(1).inner_text()
    assert "a wet <road>" in articles.nth(2).inner_text()
    assert page.locator("#counts").inner_text() == "0 approved · 1 held · 0 rejected · 2 undecided"
    articles.first.get_by_text("Approve").click()
    page.keyboard.press("Escape")
    articles.nth(1).focus()
    page.keyboard.press("r")
    assert page.locator("#unsaved").is_visible()
    page.reload()
    assert page.locator("#counts").inner_text() == "1 approved · 1 held · 1 rejected · 0 undecided"
    articles.nth(2).get_by_text("Hold").click()  # again: it takes the decision back
    with page.expect_download() as download:
        page.get_by_text("Save decisions").click()
    saved = tmp_path / "decisions.json"
    download.value.save_as(saved)
    assert main(["decide", "--results", str(results), str(saved)]) == 0
    assert read_decisions(results) == {(HOSTILE, "красный #1?"): "approved", (HOSTILE, "blue"): "rejected"}


def test_the_filter_shows_what_needs_a_look_and_all_shown_can_be_approved(page) -> None:
    """The edit without a mask says so; approving all that is shown leaves what is held."""
    page.locator("#filter").select_option("doubtful")
    shown = page.locator("article.review:visible")
    assert shown.count() == 1 and "Not made: sheet, overlay." in shown.inner_text()
    page.locator("#filter").select_option("")
    page.locator("#approve-shown").click()
    assert page.locator("#counts").inner_text() == "2 approved · 1 held · 0 rejected · 0 undecided"


def test_source_and_mask_play_together(page) -> None:
    """A click on one plays both; and every picture on the page is there."""
    page.locator("article.review").first.locator("video").first.click()
    page.wait_for_function(
        "() => [...document.querySelectorAll('article')][0].querySelectorAll('video').length === 2 && "
        "[...document.querySelectorAll('article')[0].querySelectorAll('video')].every((one) => !one.paused)"
    )
    page.wait_for_function(
        "() => [...document.querySelectorAll('.looks img')].every((one) => one.complete && one.naturalWidth > 0)"
    )


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["approve"], "CLIP/EDIT, or --all"),
        (["hold", "road/dry"], "'road/wet'"),
        (["decide", "nowhere.json"], "Save decisions"),
    ],
)
def test_what_cannot_be_decided_is_told(results: Path, words: list[str], told: str, capsys) -> None:
    """No edit, one that is not there, no file; and nothing is changed."""
    verb, *rest = words
    assert main([verb, "--results", str(results), *rest]) == 1
    assert told in capsys.readouterr().err
    assert read_decisions(results) == {("road", "wet"): "held"}


def test_edits_are_named_by_clip_by_pattern_and_all_at_once(results: Path) -> None:
    """--all leaves what is decided already."""
    assert main(["reject", "--results", str(results), "*/b?ue"]) == 0
    assert main(["approve", "--results", str(results), "--all"]) == 0
    assert read_decisions(results) == {
        (HOSTILE, "blue"): "rejected",
        (HOSTILE, "красный #1?"): "approved",
        ("road", "wet"): "held",
    }
    assert main(["approve", "--results", str(results), "road"]) == 0
    assert read_decisions(results)["road", "wet"] == "approved"


def test_a_run_at_work_is_left_alone(results: Path, capsys) -> None:
    """`prepare` beside a driver is refused before it touches what that one goes by."""
    lock = take_lock(results)
    write_driver(results, this_driver())
    try:
        assert main(["prepare", "--results", str(results)]) == 1
    finally:
        os.close(lock)
    assert "a run at work on it" in capsys.readouterr().err
    assert batch_file(results, "plan.json").exists() and not batch_file(results, "settings.json").exists()


def test_hours_come_from_what_was_made_here(results: Path) -> None:
    """From the mean of each stage; not known before the first generation."""
    assert hours_to_come(results, 4) is None
    folder = results / "benchmarks" / "road" / "wet" / "mask_lora"
    folder.mkdir(parents=True)
    for stage, seconds in (("generate", 1200.0), ("train_lora_decouple.edit", 600.0)):
        (folder / f"{stage}.tsv").write_text(f"s\th:m:s\n{seconds}\t0:00:00\n")
    assert hours_to_come(results, 4) == pytest.approx(2.0)
