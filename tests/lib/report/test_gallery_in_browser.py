"""The gallery in a real browser, opened from disk as a user opens it."""

import statistics
from collections.abc import Iterator
from pathlib import Path

import pytest

from lib.report.page import write_report
from tests.browser import SPREADS, open_page
from tests.lib.report.example_batch import FPS, VERSIONS, write_clip, write_edit, write_method

MANY = [("clip", f"edit {number}", "mask_lora") for number in range(24)]
LOADED = "() => [...document.querySelectorAll('.tile')].filter(tile => tile.querySelector('video[src]')).length"
PLAYING = "() => [...document.querySelectorAll('.tile video')].filter(video => !video.paused).length"


@pytest.fixture
def still_page(chromium, report: Path) -> Iterator[object]:
    """Open the report where less motion is asked for."""
    yield from open_page(chromium, report, reduced_motion="reduce")


@pytest.fixture(scope="module")
def many_report(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Write the report of 24 finished edits."""
    results = tmp_path_factory.mktemp("many") / "results"
    write_clip(results, "clip", FPS, (48, 80))
    for _, edit, method in MANY:
        write_edit(results, "clip", edit, FPS, (48, 80))
        write_method(results, "clip", edit, method, FPS, (48, 80), seed=1)
    write_report(results, MANY, {}, [], "Many", VERSIONS, results / "report" / "index.html")
    return results / "report"


def tile_of(page, name: str) -> object:
    """Return the tile of an edit."""
    return page.locator(".tile", has=page.locator("h3", has_text=name))


def wait_until(page, name: str, condition: str) -> None:
    """Wait until a condition holds for all `videos` of an edit's tile."""
    page.wait_for_function(
        "([tile]) => { const videos = [...tile.querySelectorAll('video')]; return videos.length && videos.every("
        f"(video) => {condition}); }}",
        arg=[tile_of(page, name).element_handle()],
    )


def test_page_opens_with_each_edit_beside_its_source(page) -> None:
    """The first thing on the page: each edit with its two videos, name, state and two figures beside the controls'."""
    assert page.locator("main > *").first.get_attribute("id") == "gallery"
    assert page.locator(".tile .status").all_inner_texts() == ["done", "done", "failed", "failed", "not run"]
    tile = tile_of(page, "red car")
    assert tile.locator("figcaption").all_inner_texts() == ["Source", "Edited · mask_lora"]
    assert tile.locator("dt").all_inner_texts() == ["CLIP score ↑", "Background PSNR (dB) ↑"]
    shown = [text.split() for text in tile.locator("dd").all_inner_texts()]
    assert [words[1:-1] for words in shown] == [["unedited"], ["VAE", "alone"]]
    assert all(float(word) > 0 for words in shown for word in (words[0], words[-1]))


def test_pairs_in_view_play_in_step(page) -> None:
    """Both videos of a pair start by themselves; over several loops their pictures are at most a frame apart."""
    tile_of(page, "мокрая дорога").scroll_into_view_if_needed()
    wait_until(page, "мокрая дорога", "!video.paused && video.currentTime > 0")
    page.evaluate("[...document.querySelectorAll('.tile')].find(t => t.innerText.includes('мокрая')).id = 'watched'")
    spreads = page.evaluate(SPREADS, ["#watched video", 150])
    assert statistics.median(spreads) <= 1.01 / FPS, [round(spread * FPS, 2) for spread in spreads]
    assert all(page.locator(".tile video").evaluate_all("all => all.map(video => video.muted)"))


def test_pairs_out_of_view_hold_no_decoder(page) -> None:
    """Scrolled away the videos are let go; scrolled back they play again."""
    wait_until(page, "red car", "!video.paused && video.currentTime > 0")
    page.evaluate("document.getElementById('batch').scrollIntoView()")
    wait_until(page, "red car", "video.paused && !video.hasAttribute('src')")
    page.evaluate("scrollTo(0, 0)")
    wait_until(page, "red car", "!video.paused && video.currentTime > 0")


def test_a_few_play_at_a_time(chromium, many_report: Path) -> None:
    """In a window as tall as the page no more than six pairs hold decoders."""
    for page in open_page(chromium, many_report, viewport={"width": 1300, "height": 3000}):
        page.wait_for_function(f"({PLAYING})() === 12")
        assert page.locator(".tile").count() == 12 and page.evaluate(LOADED) == 6
        page.get_by_label("Pages of the gallery").get_by_role("button", name="Next").click()
        page.locator(".tile .name", has_text="edit 12").wait_for()
        page.wait_for_function(f"({PLAYING})() === 12")
        assert page.evaluate(LOADED) == 6


def test_less_motion_shows_stills(still_page) -> None:
    """Where the system asks for less motion nothing plays until its button is pressed, also with the keyboard."""
    wait_until(still_page, "red car", "video.readyState >= 2")
    still_page.wait_for_timeout(300)
    assert still_page.evaluate(PLAYING) == 0
    button = tile_of(still_page, "red car").get_by_role("button", name="Play car turn #1 / red car")
    button.focus()
    still_page.keyboard.press("Enter")
    wait_until(still_page, "red car", "!video.paused && video.currentTime > 0")
    assert still_page.evaluate(PLAYING) == 2
    still_page.keyboard.press("Enter")
    wait_until(still_page, "red car", "video.paused")


def test_all_pause_and_play(page) -> None:
    """One button stops all motion on the page, and starts it again; one of a pair stops that pair alone."""
    wait_until(page, "red car", "!video.paused")
    page.get_by_role("button", name="Pause all").click()
    page.wait_for_function(f"({PLAYING})() === 0")
    page.get_by_role("button", name="Play all").click()
    wait_until(page, "red car", "!video.paused")
    wait_until(page, "мокрая дорога", "!video.paused")
    tile_of(page, "red car").get_by_role("button", name="Pause").click()
    wait_until(page, "red car", "video.paused")
    page.evaluate("document.getElementById('batch').scrollIntoView()")
    wait_until(page, "red car", "!video.hasAttribute('src')")
    page.evaluate("scrollTo(0, 0)")
    wait_until(page, "мокрая дорога", "!video.paused")
    wait_until(page, "red car", "video.paused && video.readyState >= 2")
    assert tile_of(page, "red car").get_by_role("button", name="Play").count() == 1


def test_what_failed_says_why_in_place_of_its_video(page) -> None:
    """The source plays beside stage and reason; what has not begun says so."""
    tile = tile_of(page, "hat & scarf?")
    assert tile.locator("video").count() == 1
    assert tile.locator(".instead").inner_text().split("\n") == ["Failed in generate", "CUDA out of memory <GPU 0>"]
    assert tile_of(page, "not yet").locator(".instead").inner_text() == "Not run yet"
    assert tile_of(page, "not yet").get_by_role("button").count() == 0


def test_a_click_anywhere_opens_the_edit(page) -> None:
    """The picture leads to the edit's details as its name does, which the keyboard reaches; one finds the way back."""
    box = tile_of(page, "red car").locator(".stage").bounding_box()
    page.mouse.click(box["x"] + 20, box["y"] + 20)
    page.locator("#edit h2", has_text="red car").wait_for()
    page.get_by_role("link", name="Back to the gallery").click()
    page.wait_for_function("document.activeElement.closest('.tile')?.textContent.includes('red car')")
    page.keyboard.press("Tab")  # to the button of the next pair
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    page.locator("#edit h2", has_text="мокрая дорога").wait_for()


def test_gallery_shows_another_method(page) -> None:
    """Of several methods the first is shown, and each that is chosen; an edit that lacks it keeps its own."""
    edited = tile_of(page, "red car").locator("video[data-kind=edited]")
    assert edited.get_attribute("data-src").endswith("/mask_lora/edited.mp4")
    page.get_by_label("Method").select_option("base")
    assert edited.get_attribute("data-src").endswith("/base/edited.mp4")
    other = tile_of(page, "мокрая дорога").locator("video[data-kind=edited]")
    assert other.get_attribute("data-src").endswith("/mask_lora/edited.mp4")
    wait_until(page, "red car", "!video.paused && video.currentTime > 0")


@pytest.mark.parametrize("width", [390, 1280])
def test_pairs_stand_side_by_side(chromium, report: Path, width: int) -> None:
    """On a phone, too: both videos at the same height, as large as one another, and nothing sticks out."""
    for page in open_page(chromium, report, viewport={"width": width, "height": 800}):
        source, edited = (box.bounding_box() for box in tile_of(page, "red car").locator("video").all())
        assert source["y"] == edited["y"] and source["width"] == pytest.approx(edited["width"], abs=1)
        assert source["x"] + source["width"] <= edited["x"] and source["width"] > 150
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
