"""How long the report of a large batch takes to write and to open: `make benchmark-report`.

Writes results of real files (most of them hard links to a few) and their report, and opens that in Chromium from disk,
as a user does. The disk's cache is warm. Times in Chromium are medians of five new pages. On a busy machine (its load
is shown) only the CPU seconds can be compared.

table               metrics.csv
first, again        the page, its parts and its media; and all of it when nothing has changed
open                from the navigation until the page has loaded and its gallery and table are on the screen
pairs               until source and edited video of each edit in view play
turn                from the click on the gallery's next page until that is there
part, videos        from the click on an edit until it is there; until its videos show a picture
curves              from the click on "Measurements" until its curves are drawn
next                from the click on the next edit until that is there, with its curves
sort, filter        from the click, or the last letter, until the table is drawn anew
all rows            from the wish to see all rows on one page until they are there
"""

import argparse
import os
import re
import tempfile
import time
from collections.abc import Callable
from contextlib import contextmanager
from multiprocessing import get_context
from pathlib import Path
from statistics import median
from typing import Any

from lib.report.page import write_report
from lib.report.table import write_metrics_table
from tests.browser import start_browser
from tests.lib.report.example_batch import VERSIONS
from tests.lib.report.large_batch import list_expected, list_problems, write_large_batch

REPEATS = 5
LINK = "[...document.querySelectorAll('tbody.rows th a')].find(link => link.hash.endsWith('/edit-1'))"
TILE = "document.querySelector('.tile .name')"
IN_VIEW = "[...document.querySelectorAll('.tile:nth-child(-n + 4) video')]"
OPENED = "document.querySelector('#edit .edit-body .measurements')"
CURVES = "document.querySelector('#edit .charts svg')"
FILTER, SIZE = "document.getElementById('filter')", "document.querySelector('.table-head .pager select')"
ACTIONS = {
    "pairs": ("0", f"{IN_VIEW}.every(video => !video.paused && video.currentTime > 0)"),
    "turn": (
        "document.querySelector('.gallery .next').click()",
        f"{TILE}.closest('.tile').querySelector('a').hash.endsWith('clip-00002/edit-2')",
    ),
    "part": (f"{LINK}.click()", OPENED),
    "videos": ("0", "[...document.querySelectorAll('#edit video')].every(video => video.readyState >= 2)"),
    "curves": ("document.querySelector('#edit .measurements summary').click()", CURVES),
    "next": (
        "document.querySelector('#edit .next').click()",
        f"{CURVES} && document.querySelector('#edit h2').textContent.includes('edit-2')",
    ),
    "sort": ("document.querySelector('th.number button').click()", "true"),
    "filter": (
        f"{FILTER}.value = 'failed'; {FILTER}.dispatchEvent(new Event('input'))",
        "[...document.querySelectorAll('tbody.rows .status')].every(cell => cell.textContent === 'failed')",
    ),
    "all rows": (
        f"{FILTER}.value = ''; {FILTER}.dispatchEvent(new Event('input'));"
        f"{SIZE}.value = 'Infinity'; {SIZE}.dispatchEvent(new Event('change'))",
        "document.querySelectorAll('tbody.rows tr').length === Number(document.querySelector('.figures dd').textContent"
        ".replace(',', ''))",
    ),
}


def main() -> None:
    """Print a line for each figure."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--edits", type=int, default=5000)
    parser.add_argument("--folder", type=Path, help="keep the batch here, and take it from here where it is there")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        results = (given.folder or Path(temporary)) / "results"
        if not results.exists():
            write_large_batch(results, given.edits)
        print(f"{given.edits} edits\n{'write':>8} {'seconds':>8} {'CPU s':>8} {'peak MB':>8} {'load':>6}")
        for look, write in (("table", _write_table), ("first", _write_page), ("again", _write_page)):
            with get_context("spawn").Pool(1) as fresh:
                print(f"{look:>8} {fresh.apply(_measure, (write, results, given.edits))} {os.getloadavg()[0]:>6.1f}")
        _show_sizes(results / "report")
        _show_browser(results / "report" / "index.html")


def _measure(write: Callable[[Path, int], None], results: Path, num_edits: int) -> str:
    """Write something; return seconds, CPU seconds and peak memory of this process."""
    started, cpu_started = time.perf_counter(), time.process_time()
    write(results, num_edits)
    seconds, cpu_seconds = time.perf_counter() - started, time.process_time() - cpu_started
    status = Path("/proc/self/status").read_text()  # getrusage would count the parent's memory too
    peak = int(re.search(r"VmHWM:\s+(\d+) kB", status)[1]) / 1000
    return f"{seconds:>8.1f} {cpu_seconds:>8.1f} {peak:>8.0f}"


def _write_table(results: Path, num_edits: int) -> None:
    write_metrics_table(results, list_expected(num_edits), {}, results / "metrics.csv")


def _write_page(results: Path, num_edits: int) -> None:
    output, problems = results / "report" / "index.html", list_problems(num_edits)
    write_report(results, list_expected(num_edits), {}, problems, "Large batch", VERSIONS, output)


def _show_sizes(report: Path) -> None:
    parts = [path.stat().st_size for path in (report / "parts").rglob("*.js")]
    page = (report / "index.html").stat().st_size
    print(f"page {page / 1e6:.2f} MB, {len(parts)} parts {sum(parts) / 1e6:.0f} MB, largest {max(parts) / 1e3:.0f} kB")


def _show_browser(page_file: Path) -> None:
    seconds: dict[str, list[float]] = {}
    with contextmanager(start_browser)() as chromium:
        for _ in range(REPEATS):
            page = chromium.new_page(viewport={"width": 1300, "height": 800})
            started = time.perf_counter()
            page.goto(page_file.as_uri())
            _wait(page, "0", f"document.querySelector('tbody.rows th a') && {TILE}")
            seconds.setdefault("open", []).append(time.perf_counter() - started)
            for name, (act, is_done) in ACTIONS.items():
                seconds.setdefault(name, []).append(_wait(page, act, is_done))
            page.close()
    print(f"{'browser':>8} {'median s':>8} {'worst s':>8}")
    for name, times in seconds.items():
        print(f"{name:>8} {median(times):>8.3f} {max(times):>8.3f}")


def _wait(page: Any, act: str, is_done: str) -> float:
    """Do something in the page; return the seconds until it is done and on the screen."""
    lines = ["const started = performance.now();", f"{act};"]
    lines += [f"do await new Promise(requestAnimationFrame); while (!({is_done}));"]
    lines += ["await new Promise(requestAnimationFrame);", "return performance.now() - started;"]
    return float(page.evaluate(f"async () => {{ {' '.join(lines)} }}")) / 1000


if __name__ == "__main__":
    main()
