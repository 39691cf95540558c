"""The videos and curves of an edit in a real browser, opened from disk as a user opens them."""

import statistics

import pytest

from tests.browser import SPREADS, load_section, unfold_measurements
from tests.lib.report.example_batch import FPS, NUM_FRAMES

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
    spreads = page.evaluate(SPREADS, ["#edit video", 150])
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


def test_opening_another_edit_lets_go_of_the_first(page) -> None:
    """Only one edit plays at a time: the videos of the one before are stopped and hold no decoder."""
    first = load_section(page, "red car")
    first.get_by_role("button", name="Play", exact=True).click()
    first.get_by_role("button", name="Pause").wait_for()
    videos = page.evaluate_handle("[...document.querySelectorAll('#edit video')]")
    second = load_section(page, "мокрая дорога")
    assert videos.evaluate("all => all.length && all.every(video => video.paused && !video.hasAttribute('src'))")
    second.get_by_role("button", name="Play", exact=True).click()
    second.get_by_role("button", name="Pause").wait_for()
    assert page.locator("#edit video").count() == 4


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
    """Unfolded, a chart is drawn for each metric and loss, at the frame on show, and its readings change with it."""
    section = load_section(page, "мокрая дорога")
    section.get_by_role("button", name="One frame forward").click()
    assert section.locator(".chart").count() == 0
    unfold_measurements(section)
    titles = section.locator(".chart figcaption").all_inner_texts()
    assert [title for title in titles if "Loss" in title] == [
        "Loss · Stage 1, decouple · mask “edit”",
        "Loss · Stage 2, appearance · mask “edit”",
    ]
    reading = section.locator(".chart", has_text="Warp error").locator(".reading").first
    second = reading.inner_text()
    section.get_by_role("button", name="One frame forward").click()
    assert reading.inner_text() not in ("", second)
    section.get_by_role("button", name="One frame back").click()
    assert reading.inner_text() == second


def test_videos_far_away_are_let_go(page) -> None:
    """An edit out of sight holds no decoder, and takes up its frame when it comes back."""
    section = load_section(page, "red car")
    section.get_by_role("button", name="One frame forward").click()
    page.evaluate("scrollTo(0, 0)")
    identifier = section.get_attribute("id")
    page.wait_for_function("id => !document.querySelector(`#${id} video[src]`)", arg=identifier)
    section.locator(".controls").scroll_into_view_if_needed()
    page.wait_for_function(f"id => document.querySelector(`#${{id}} video`).currentTime > {1 / FPS}", arg=identifier)
