"""A report opened in a real browser, as a user opens it from disk."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

SPREADS = """async ([selector, count]) => {
  // How far apart, in seconds, the pictures on show are, each time all of these videos show one while they play.
  const videos = [...document.querySelectorAll(selector)];
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
BROWSERS = ("chromium", "chromium-browser", "google-chrome")


def start_browser() -> Iterator[object]:
    """Start the browser of this machine; skip, with the reason, where there is none."""
    playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    executable = next((found for name in BROWSERS if (found := shutil.which(name))), None)
    if executable is None:
        pytest.skip(f"no browser: none of {', '.join(BROWSERS)} is installed")
    with playwright.sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=executable, args=["--no-sandbox", "--disable-gpu"])
        yield browser
        browser.close()


def open_page(chromium, report: Path, edit: str = "", **options: object) -> Iterator[object]:
    """Open a report, at once with an edit by its address, and hold it against what a page on disk may do.

    Args:
        options: of Playwright's `new_page`.
    """
    page = chromium.new_page(**{"viewport": {"width": 1300, "height": 800}, **options})
    complaints, requests = [], []
    page.on("console", lambda message: complaints.append(f"{message.type}: {message.text}"))
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.on("requestfailed", lambda request: complaints.append(f"{request.failure}: {request.url}"))
    page.on("request", lambda request: requests.append(request.url))
    page.goto(f"{(report / 'index.html').as_uri()}{edit}")
    yield page
    page.close()
    # Letting go of a video that is still loading aborts its request: that is meant, and no fault.
    assert [text for text in complaints if not text.startswith("net::ERR_ABORTED")] == []
    assert [url for url in requests if not url.startswith(("file:", "data:", "blob:"))] == []


def load_section(page, name: str) -> object:
    """Open an edit from the table and wait until each of its videos shows a picture."""
    page.locator("tbody.rows th a", has_text=name).first.click()
    section = page.locator("section.edit", has=page.locator("h2", has_text=name))
    section.locator(".controls").scroll_into_view_if_needed()
    page.wait_for_function(
        "id => [...document.querySelectorAll(`#${id} video`)].every(video => video.readyState >= 2)",
        arg=section.get_attribute("id"),
    )
    return section


def unfold_measurements(section) -> None:
    """Unfold the metrics, curves and settings of the edit on show, and wait for what is drawn then."""
    section.get_by_text("Measurements", exact=True).click()
    section.locator(".chart").first.wait_for()
