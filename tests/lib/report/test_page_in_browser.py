"""The report in a real browser, opened from disk as a user opens it."""

import shutil
import statistics
from collections.abc import Iterator
from pathlib import Path

import pytest

from lib.report.page import write_report
from tests.browser import load_section, open_page
from tests.lib.report.example_batch import EXPECTED, FPS, PROBLEMS, VERSIONS, write_example_batch

NUM_FRAMES = 16
SPREADS = """async ([id, count]) => {
  // How far apart, in seconds, the pictures on show are, each time all videos of one edit show one while they play.
  const videos = [...document.querySelectorAll(`#${id} video`)];
  const shown = new Map();
  for (const video of videos) {
    const note = (_, frame) => { shown.set(video, frame.mediaTime); video.requestVideoFrameCallback(note); };
    video.requestVideoFrameCallback(note);
  }
  const spreads = [];
  while (spreads.length < count) {
    await new Promise(requestAnimationFrame);
    const settled = videos.every((video) => !video.paused && !video.seeking && shown.has(video));
    if (settled) spreads.push(Math.max(...shown.values()) - Math.min(...shown.values()));
  }
  return spreads;
}"""
FALL_BEHIND = """async ([id, seconds]) => {
  // What comes first after one video lost some seconds: that it is level with the first again, or the next loop.
  const [leader, , follower] = document.querySelectorAll(`#${id} video`);
  const from = leader.currentTime;
  follower.currentTime -= seconds;
  while (leader.currentTime >= from) {
    await new Promise(requestAnimationFrame);
    const apart = Math.abs(leader.currentTime - follower.currentTime);
    if (!follower.seeking && apart < seconds / 6) return "caught up";
  }
  return "the next loop began";
}"""


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Write the report of the example batch."""
    results = tmp_path_factory.mktemp("a folder, 100% #1") / "results"
    write_example_batch(results, num_frames=NUM_FRAMES)
    write_report(results, EXPECTED, {}, PROBLEMS, "Example", VERSIONS, results / "report" / "index.html")
    return results / "report"


@pytest.fixture
def page(chromium, report: Path) -> Iterator[object]:
    """Open the report; afterwards nothing may have gone wrong or out to a network."""
    yield from open_page(chromium, report)


def frames_on_show(section) -> list[float]:
    """Return the position of each video in frames."""
    return [fps_time * FPS for fps_time in section.locator("video").evaluate_all("all => all.map(v => v.currentTime)")]


@pytest.mark.parametrize(("name", "num_videos"), [("red car", 6), ("мокрая дорога", 4), ("hat & scarf?", 2)])
def test_every_video_loads_and_plays(page, name: str, num_videos: int) -> None:
    """Scrolled to, the videos of an edit load, and all of them move on after Play."""
    section = load_section(page, name)
    assert section.locator("video").count() == num_videos
    section.get_by_role("button", name="Play", exact=True).click()
    page.wait_for_function(
        "id => [...document.querySelectorAll(`#${id} video`)].every(video => video.currentTime > 0.2)",
        arg=section.get_attribute("id"),
    )


def test_videos_play_in_step(page) -> None:
    """Over several loops, the pictures on show are mostly at most one frame apart, however slow the machine."""
    section = load_section(page, "мокрая дорога")
    section.get_by_role("button", name="Play", exact=True).click()
    spreads = page.evaluate(SPREADS, [section.get_attribute("id"), 150])
    assert statistics.median(spreads) <= 1.01 / FPS, [round(spread * FPS, 2) for spread in spreads]


def test_a_video_that_falls_behind_catches_up(page) -> None:
    """A follower that lost six frames is back in step before the loop would have put it there."""
    section = load_section(page, "мокрая дорога")
    section.get_by_label("Speed").select_option("0.25")  # a loop takes four seconds
    section.get_by_role("button", name="Play", exact=True).click()
    page.wait_for_function(
        "id => document.querySelector(`#${id} video`).currentTime > 0.45", arg=section.get_attribute("id")
    )
    assert page.evaluate(FALL_BEHIND, [section.get_attribute("id"), 6 / FPS]) == "caught up"


def test_playing_another_edit_stops_the_first(page) -> None:
    """Only one edit plays at a time."""
    first = load_section(page, "red car")
    first.get_by_role("button", name="Play", exact=True).click()
    first.get_by_role("button", name="Pause").wait_for()
    second = load_section(page, "мокрая дорога")
    second.get_by_role("button", name="Play", exact=True).click()
    second.get_by_role("button", name="Pause").wait_for()
    assert first.get_by_role("button", name="Play", exact=True).count() == 1


def test_steps_move_every_video_by_one_frame(page) -> None:
    """Buttons, arrow keys and the slider land all videos on the middle of the same frame."""
    section = load_section(page, "мокрая дорога")
    section.get_by_role("button", name="One frame forward").click()
    section.get_by_role("button", name="One frame forward").click()
    assert frames_on_show(section) == pytest.approx([2.5] * 4, abs=0.01)
    page.keyboard.press("ArrowLeft")
    assert frames_on_show(section) == pytest.approx([1.5] * 4, abs=0.01)
    section.get_by_label("Frame", exact=True).fill(str(NUM_FRAMES - 1))
    assert frames_on_show(section) == pytest.approx([NUM_FRAMES - 0.5] * 4, abs=0.01)
    page.keyboard.press("Home")
    assert frames_on_show(section) == pytest.approx([0.5] * 4, abs=0.01)
    section.get_by_role("button", name="One frame back").click()  # round to the end
    assert section.locator(".position").inner_text().startswith(f"{NUM_FRAMES - 1} / {NUM_FRAMES - 1}")


def test_space_plays_and_pauses_what_is_in_view(page) -> None:
    """The space bar works without having clicked into an edit first."""
    section = load_section(page, "мокрая дорога")
    page.keyboard.press("Space")
    section.get_by_role("button", name="Pause").wait_for()
    page.keyboard.press("Space")
    section.get_by_role("button", name="Play", exact=True).wait_for()


def test_sound_is_off_until_asked_for(page) -> None:
    """Only an edit whose source has sound can turn it on, and only the edited video's."""
    assert load_section(page, "red car").get_by_role("button", name="Sound").count() == 0
    section = load_section(page, "мокрая дорога")
    muted = "all => all.filter(video => !video.muted).map(video => video.dataset.kind)"
    assert section.locator("video").evaluate_all(muted) == []
    section.get_by_role("button", name="Sound").click()
    assert section.locator("video").evaluate_all(muted) == ["edited"]


def test_curves_follow_the_videos(page) -> None:
    """A chart is drawn for each metric and loss, and its readings change with the frame."""
    section = load_section(page, "мокрая дорога")
    titles = section.locator(".chart figcaption").all_inner_texts()
    assert [title for title in titles if "Loss" in title] == [
        "Loss · Stage 1, decouple · mask “edit”",
        "Loss · Stage 2, appearance · mask “edit”",
    ]
    reading = section.locator(".chart", has_text="Warp error").locator(".reading").first
    before = reading.inner_text()
    section.get_by_role("button", name="One frame forward").click()
    assert reading.inner_text() not in ("", before)


def test_videos_far_away_are_let_go(page) -> None:
    """An edit out of sight holds no decoder, and takes up its frame when it comes back."""
    section = load_section(page, "red car")
    section.get_by_role("button", name="One frame forward").click()
    page.evaluate("scrollTo(0, document.body.scrollHeight)")
    identifier = section.get_attribute("id")
    page.wait_for_function("id => !document.querySelector(`#${id} video[src]`)", arg=identifier)
    load_section(page, "red car")
    page.wait_for_function(f"id => document.querySelector(`#${{id}} video`).currentTime > {1 / FPS}", arg=identifier)


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


def test_filter_narrows_table_and_sections(page) -> None:
    """The filter finds names and states, in any script."""
    page.get_by_label("Filter").fill("МОКРАЯ done")
    assert page.locator("tbody.rows tr:visible").count() == 1
    assert page.locator("section.edit:visible").count() == 1
    page.get_by_label("Filter").fill("failed")
    assert page.locator("tbody.rows tr:visible").count() == 2


def test_a_name_in_the_table_leads_to_its_edit(page) -> None:
    """A click brings the edit to the top of the window, though the sections before it change their height."""
    page.locator("tbody.rows a", has_text="blue car").click()
    page.wait_for_function(
        "() => Math.abs([...document.querySelectorAll('section.edit')]"
        ".find(section => section.textContent.includes('blue car')).getBoundingClientRect().top - 16) < 40"
    )


def test_details_show_what_made_the_video(page) -> None:
    """Settings, seed and hashes unfold."""
    section = load_section(page, "red car")
    section.get_by_text("Settings, seed, versions").click()
    section.get_by_text("settings · sampling.num_steps").first.wait_for()  # it is filled when it unfolds
    facts = section.locator("details.facts").inner_text()
    assert "settings · sampling.num_steps" in facts and "cd" * 32 in facts and "NVIDIA H100" in facts


def test_nothing_sticks_out_on_a_phone(page) -> None:
    """On a narrow screen the page scrolls only up and down."""
    page.set_viewport_size({"width": 360, "height": 700})
    load_section(page, "мокрая дорога")
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")


def test_folder_can_be_moved(chromium, report: Path, tmp_path: Path) -> None:
    """The report folder alone works elsewhere."""
    moved = shutil.copytree(report, tmp_path / "sent away")
    for page in open_page(chromium, moved):
        load_section(page, "мокрая дорога")
        assert page.locator("tbody.rows img").first.evaluate("image => image.naturalWidth") > 0
