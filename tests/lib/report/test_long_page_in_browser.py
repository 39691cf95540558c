"""The report of a long batch, whose names are odd, in a real browser."""

from pathlib import Path
from urllib.parse import quote

import pytest

from lib.report.page import write_report
from tests.browser import open_page
from tests.lib.report.example_batch import CAR, PROBLEMS, VERSIONS, write_clip, write_log

EVIL = "<img src=x onerror='obeyed=1'><b>\"'"


@pytest.fixture(scope="module")
def long_report(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Write the report of a batch of 250 edits, each of them held up by one job of its own, with many problems."""
    results = tmp_path_factory.mktemp("long") / "results"
    write_clip(results, CAR, num_frames=2, size=(16, 16))
    for number in range(250):
        write_log(results, f"{CAR}/{EVIL} {number}/generate", f"failed: {EVIL}")
    expected = [(CAR, f"{EVIL} {number}", "mask_lora") for number in range(250)]
    problems = [{**PROBLEMS[0], "clip": f"{EVIL} {number}"} for number in range(40)]
    write_report(results, expected, {}, problems, EVIL, VERSIONS, results / "report" / "index.html")
    return results / "report"


def test_a_long_table_has_pages(chromium, long_report: Path) -> None:
    """A page shows a hundred rows; sorting and the filter go over all; all can be on one page."""
    for page in open_page(chromium, long_report):
        rows, pager = page.locator("tbody.rows tr"), page.get_by_label("Pages of the table")
        assert rows.count() == 100
        pager.get_by_role("button", name="Next").click()
        pager.get_by_role("button", name="Next").click()
        assert rows.count() == 50 and pager.locator(".place").inner_text() == "page 3 of 3"
        assert pager.get_by_role("button", name="Next").is_disabled()
        for _ in range(2):
            page.get_by_role("button", name="Edit", exact=True).click()
        assert rows.first.inner_text().split("\t")[2] == f"{EVIL} 249", "the last comes first, from another page"
        page.get_by_label("Filter").fill("> 17")
        assert page.locator("#filter-count").inner_text() == "13 of 250"
        page.get_by_label("Filter").fill("")
        page.get_by_label("Rows").select_option("all")
        assert rows.count() == 250


def test_a_long_gallery_has_pages(chromium, long_report: Path) -> None:
    """A page shows a dozen edits in the table's order; filter and pages go over all, and one finds the way back."""
    for page in open_page(chromium, long_report):
        tiles, pager = page.locator(".tile"), page.get_by_label("Pages of the gallery")
        assert tiles.count() == 12 and page.locator(".gallery .count").inner_text() == "250 edits"
        pager.get_by_role("button", name="Next").click()
        assert pager.locator(".place").inner_text() == "page 2 of 21"
        assert tiles.first.locator(".name").inner_text() == f"{EVIL} 12"
        pager.get_by_label("Edits").select_option("48")
        assert tiles.count() == 48 and tiles.first.locator(".name").inner_text() == f"{EVIL} 0"
        page.get_by_label("Find").fill("> 17")
        assert page.get_by_label("Filter").input_value() == "> 17" and tiles.count() == 13
        assert page.locator("tbody.rows tr").count() == 13
        assert page.locator(".gallery .count").inner_text() == "13 of 250 edits"
        page.get_by_label("Filter").fill("")
        assert page.get_by_label("Find").input_value() == "" and tiles.count() == 48
        for _ in range(2):
            page.get_by_role("button", name="Edit", exact=True).click()
        assert tiles.first.locator(".name").inner_text() == f"{EVIL} 249"


def test_back_to_the_gallery_turns_to_the_page(chromium, long_report: Path) -> None:
    """An edit that was opened by its address is found again in the gallery, on its page, with the focus."""
    for page in open_page(chromium, long_report, "#" + quote(f"{CAR}/{EVIL} 210")):
        page.get_by_role("link", name="Back to the gallery").click()
        page.wait_for_function("document.activeElement.closest('.tile')?.textContent.includes(' 210')")
        assert page.get_by_label("Pages of the gallery").locator(".place").inner_text() == "page 18 of 21"


def test_back_to_the_table_turns_to_the_page(chromium, long_report: Path) -> None:
    """An edit that was opened by its address is found again in the table, on its page."""
    for page in open_page(chromium, long_report, "#" + quote(f"{CAR}/{EVIL} 210")):
        page.get_by_role("link", name="Back to the table").click()
        page.wait_for_function("document.activeElement.textContent.endsWith(' 210')")
        assert page.get_by_label("Pages of the table").locator(".place").inner_text() == "page 3 of 3"


def test_long_lists_unfold(chromium, long_report: Path) -> None:
    """Of many problems and failures some are shown, and all when one asks for them."""
    for page in open_page(chromium, long_report):
        for heading, number in (("Left out", 40), ("Failed", 250)):
            section = page.locator("section.alarm", has=page.locator("h2", has_text=heading))
            assert section.locator("li").count() == 3
            section.get_by_role("button", name=f"Show all {number}").click()
            section.locator("li").nth(number - 1).wait_for(state="attached")
            assert section.locator("li").count() == number and section.get_by_role("button").count() == 0


def test_markup_in_names_is_never_obeyed(chromium, long_report: Path) -> None:
    """Whatever people call a clip or write as a reason, in gallery, table, an edit's part and the lists it is text."""
    for page in open_page(chromium, long_report):
        for name in ("problems", "failures"):
            button = page.locator(f".show-all[data-part*={name}]")
            button.click()
            button.wait_for(state="detached")
        tile = page.locator(".tile").first
        assert EVIL in tile.locator("h3").inner_text() and EVIL in tile.locator(".why").inner_text()
        page.locator("tbody.rows th a").first.click()
        page.locator("#edit h2").wait_for()
        assert page.locator("#edit h2").inner_text().endswith(f"{EVIL} 0")
        assert EVIL in page.locator("#edit .note").inner_text()
        assert page.evaluate("window.obeyed") is None and page.locator("img[src=x], b, script[src]").count() == 0
