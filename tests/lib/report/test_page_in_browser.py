"""The report in a real browser, opened from disk as a user opens it."""

import shutil
from pathlib import Path
from urllib.parse import quote

from tests.browser import load_section, open_page, unfold_measurements
from tests.lib.report.example_batch import CAR, EXPECTED, ROAD


def test_headings_sort_the_table(page) -> None:
    """A click sorts rising, another falling; what has no value stays last."""
    heading = page.get_by_role("button", name="Background PSNR")
    column = "rows => rows.map(row => row.cells[7].textContent.trim())"
    rows = page.locator("tbody.rows tr")
    heading.click()
    rising = rows.evaluate_all(column)
    heading.click()
    falling = rows.evaluate_all(column)
    assert rising[:3] == sorted(rising[:3], key=float) and rising[3:] == ["–"] * 3
    assert falling[:3] == rising[2::-1] and falling[3:] == ["–"] * 3
    assert page.locator("th[aria-sort=descending]").count() == 1


def test_filter_narrows_table_and_neighbours(page) -> None:
    """The filter finds names and states, in any script; an edit's neighbours are those that it leaves."""
    page.get_by_label("Filter").fill("МОКРАЯ done")
    assert page.locator("tbody.rows tr:visible").count() == 1
    section = load_section(page, "мокрая дорога")
    assert section.locator(".edit-nav .place").inner_text() == "1 of 1"
    assert section.locator(".edit-nav a[href]").all_inner_texts() == ["Back to the gallery", "Back to the table"]
    page.get_by_label("Filter").fill("failed")
    assert page.locator("tbody.rows tr:visible").count() == 2
    assert page.locator("#filter-count").inner_text() == "2 of 6"
    page.get_by_label("Filter").fill("failed МОКРАЯ")
    assert page.locator("tbody.rows").inner_text() == "No edited video matches."


def test_a_name_in_the_table_leads_to_its_edit(page) -> None:
    """A click brings the edit to the top of the window, also a second one when one has scrolled away."""
    for _ in range(2):
        page.locator("tbody.rows a", has_text="blue car").click()
        page.wait_for_function(
            "() => document.getElementById('edit').textContent.includes('blue car')"
            "&& Math.abs(document.getElementById('edit').getBoundingClientRect().top - 16) < 40"
        )
        page.evaluate("scrollTo(0, 0)")


def test_details_show_what_made_the_video(page) -> None:
    """Settings, seed and hashes unfold, below the measurements."""
    section = load_section(page, "red car")
    assert not section.get_by_text("Settings, seed, versions").is_visible()
    unfold_measurements(section)
    section.get_by_text("Settings, seed, versions").click()
    section.get_by_text("settings · sampling.num_steps").first.wait_for()  # it is filled when it unfolds
    facts = section.locator("details.facts").inner_text()
    assert "settings · sampling.num_steps" in facts and "cd" * 32 in facts and "NVIDIA H100" in facts


def test_nothing_sticks_out_on_a_phone(page) -> None:
    """On a narrow screen the page scrolls only up and down."""
    page.set_viewport_size({"width": 360, "height": 700})
    unfold_measurements(load_section(page, "мокрая дорога"))
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")


def test_folder_can_be_moved(chromium, report: Path, tmp_path: Path) -> None:
    """The report folder alone works elsewhere."""
    moved = shutil.copytree(report, tmp_path / "sent away")
    for page in open_page(chromium, moved):
        load_section(page, "мокрая дорога")
        assert page.locator("tbody.rows img").first.evaluate("image => image.naturalWidth") > 0


def test_measurements_are_folded_until_asked_for(page) -> None:
    """An edit shows videos and what was given; control rows and curves unfold, and stay so for the next edit."""
    section = load_section(page, "red car")
    assert section.bounding_box()["height"] < 1400
    assert section.get_by_role("rowheader", name="VAE round trip").count() == 0
    unfold_measurements(section)
    assert section.get_by_role("rowheader", name="VAE round trip").is_visible()
    section.locator(".next").click()
    page.locator("#edit h2", has_text="мокрая дорога").wait_for()
    page.locator("#edit .chart").first.wait_for()
    page.locator("#edit").get_by_text("Measurements", exact=True).click()
    page.locator("#edit .previous").click()
    page.locator("#edit h2", has_text="red car").wait_for()
    assert page.locator("#edit .chart").count() == 0


def test_an_edit_has_an_address(chromium, report: Path) -> None:
    """Opened by its address an edit is shown at once, and going back in the browser's history closes it."""
    address = "#" + quote(f"{ROAD}/мокрая дорога")
    for page in open_page(chromium, report, address):
        page.locator("#edit h2", has_text="мокрая дорога").wait_for()
        page.evaluate("location.hash = ''")
        page.locator("#edit").wait_for(state="hidden")
        page.go_back()
        page.locator("#edit h2", has_text="мокрая дорога").wait_for()


def test_an_address_of_no_edit_says_so(chromium, report: Path) -> None:
    """An address that names no edit of the batch loads nothing, wherever it would lead."""
    for page in open_page(chromium, report, "#../../../evil"):
        assert "no such edit is in the batch" in page.locator("#edit").inner_text()


def test_a_missing_part_says_so(chromium, report: Path, tmp_path: Path) -> None:
    """Where the page was copied without its folders, an edit says which file is missing; the others go on."""
    moved = shutil.copytree(report, tmp_path / "sent away")
    (moved / "parts" / "edits" / CAR / "red car.js").unlink()
    page = chromium.new_page()
    page.goto((moved / "index.html").as_uri())
    page.locator("tbody.rows th a", has_text="red car").first.click()
    page.get_by_text("red%20car.js is not beside the page").wait_for()
    load_section(page, "мокрая дорога")
    page.close()


def test_neighbours_follow_the_order_of_the_table(page) -> None:
    """Next and previous walk through the edits as they are sorted, and the focus stays on the link."""
    page.get_by_role("button", name="Clip", exact=True).click()
    page.get_by_role("button", name="Clip", exact=True).click()
    names = list(dict.fromkeys(page.locator("tbody.rows th a").all_inner_texts()))
    load_section(page, names[0])
    page.locator("#edit .next").focus()
    for name in names[1:-1]:
        page.keyboard.press("Enter")
        page.locator("#edit h2", has_text=name).wait_for()
        assert page.evaluate("document.activeElement.className") == "next"
    page.locator("#edit .previous").click()
    page.locator("#edit h2", has_text=names[-3]).wait_for()
    assert page.locator("#edit .place").inner_text() == f"{len(names) - 2} of {len(names)}"


def test_back_to_the_table_is_back_to_the_row(page) -> None:
    """From an edit one comes back to its name in the table, with the keyboard's focus on it."""
    load_section(page, "hat & scarf?")
    page.get_by_role("link", name="Back to the table").click()
    page.wait_for_function("document.activeElement.textContent === 'hat & scarf?'")


def test_rows_are_the_same_without_a_script(chromium, report: Path) -> None:
    """What the page holds for browsers without JavaScript is what its script draws, node for node."""
    for page in open_page(chromium, report):
        page.evaluate(
            """text => { window.written = new DOMParser().parseFromString(text, 'text/html'); }""",
            (report / "index.html").read_text(encoding="utf-8"),
        )
        assert page.evaluate(
            """() => {
              const [written, drawn] = [window.written, document].map((page) => page.querySelectorAll("tbody.rows tr"));
              for (const row of drawn) row.normalize(); // text that was added in two pieces
              return written.length > 5 && [...written].every((row, index) => row.isEqualNode(drawn[index]));
            }"""
        )
    context = chromium.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto((report / "index.html").as_uri())
    assert page.locator("tbody.rows tr:visible").count() == len(EXPECTED)
    assert "What is missing" in page.locator(".note").first.inner_text()
    context.close()
