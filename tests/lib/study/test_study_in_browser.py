"""A study in a real browser, opened from disk: answered by keyboard, reloaded, saved, sent back and read."""

import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from lib.batch.command import main
from lib.study.plan import Study, load_study
from tests.browser import open_page
from tests.lib.report.example_batch import FPS
from tests.lib.study.example_study import BASE, OURS, TOOL, write_batch

QUESTION = "<b>Beauty</b>: </script><script>document.title = 'gone'</script> Which & why?"
NUM_FRAMES = 8


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Write a batch of three methods, and a study of pairs and one of sets."""
    results = tmp_path_factory.mktemp("a folder, 100% #1") / "results"
    write_batch(results, [("car", "red"), ("road", "wet")], (OURS, BASE, TOOL), NUM_FRAMES)
    given = ["study", "--results", str(results)]
    assert main([*given, "--name", "pairs", "--pairs", "--methods", OURS, "AnyV2V", "--question", QUESTION]) == 0
    assert main([*given, "--name", "sets"]) == 0
    return results


@pytest.fixture
def pairs(chromium, results: Path) -> Iterator[object]:
    """Open the study of pairs."""
    yield from open_page(chromium, results / "study" / "pairs" / "page")


@pytest.fixture
def sets(chromium, results: Path) -> Iterator[object]:
    """Open the study of sets."""
    yield from open_page(chromium, results / "study" / "sets" / "page")


def _begin(page, person: str) -> None:
    page.locator("#person").wait_for()
    page.keyboard.type(person)  # it has the focus
    page.keyboard.press("Enter")
    page.locator("#ask").wait_for()


def _shown(page) -> list[str]:
    return page.locator("#candidates .choice").evaluate_all("all => all.map(button => button.dataset.video)")


def _press(page, *keys: str) -> None:
    for key in keys:
        page.keyboard.press(key)


def _save(page, folder: Path) -> Path:
    """Download the answers by keyboard."""
    page.locator("#finish").wait_for()
    with page.expect_download() as download:
        page.keyboard.press("Enter")
    path = folder / download.value.suggested_filename
    download.value.save_as(path)
    return path


def _key(results: Path, name: str) -> Study:
    return load_study(results / "study" / name / "study.json")


def test_pairs_are_answered_by_keyboard_with_a_reload_in_the_middle(pairs, results: Path, tmp_path: Path) -> None:
    """What was pressed is what is saved and what the tables say; a reload goes on where it was."""
    _begin(pairs, "Анна <1>")
    first = _shown(pairs)
    _press(pairs, "ArrowLeft", "Enter", "ArrowDown", "Enter", "2", "Enter")
    assert pairs.locator("#where").inner_text().startswith("Pair 2 of 2 · question 1 of 3")
    second = _shown(pairs)
    pairs.reload()
    assert pairs.locator("#where").inner_text().startswith("Pair 2 of 2 · question 1 of 3")
    assert _shown(pairs) == second and pairs.locator("#who").inner_text() == "Анна <1>"
    _press(pairs, "Backspace")
    assert pairs.locator("#question").inner_text() == "</script><script>document.title = 'gone'</script> Which & why?"
    assert _shown(pairs) == first
    assert pairs.locator("#candidates .choice").nth(1).get_attribute("aria-pressed") == "true", "what was chosen"
    _press(pairs, "Enter", "Enter")
    assert "question 1 of 3" in pairs.locator("#where").inner_text(), "without a choice it does not go on"
    _press(pairs, "ArrowRight", "1", "Enter", "ArrowRight", "Enter", "0", "Enter")
    path = _save(pairs, tmp_path)
    assert pairs.title() == "Which video is better?"
    saved = json.loads(path.read_text(encoding="utf-8"))
    assert saved["person"] == "Анна <1>" and path.name.isascii()
    one, other = first
    best, least = second
    assert [answer["ranks"] for answer in saved["answers"]] == [
        {one: 1, other: 2}, {one: 1.5, other: 1.5}, {one: 2, other: 1},
        {best: 1, least: 2}, {best: 2, least: 1}, {best: 1.5, least: 1.5},
    ]  # fmt: skip
    assert json.loads(pairs.locator("#text").input_value())["answers"] == saved["answers"]
    assert main(["answers", "--results", str(results), "--name", "pairs", str(path)]) == 0
    assert "over 1 people" in (results / "tables" / "study_pairs.md").read_text(encoding="utf-8")
    pairs.reload()
    pairs.locator("#finish").wait_for()
    pairs.get_by_role("button", name="Copy as text").click()
    pairs.get_by_text("Copied.").wait_for()


def test_35_raters_of_known_preferences_come_back_by_keyboard(sets, results: Path, tmp_path: Path, capsys) -> None:
    """They prefer ours to AnyV2V to base, with noise; the page, their files and the command give that order."""
    study, chance = _key(results, "sets"), np.random.default_rng(0)
    methods = {token: method for item in study.items for token, method in item.videos.items()}
    merits = {OURS: 1.0, TOOL: 0.0, BASE: -1.0}
    for rater in range(35):
        _begin(sets, f"p{rater:02d}")
        for _ in range(len(study.items) * len(study.questions)):
            shown = _shown(sets)
            felt = [merits[methods[token]] + chance.normal() for token in shown]
            _press(sets, *(str(index + 1) for index in np.argsort(felt)[::-1]), "Enter")
        _save(sets, tmp_path)
        sets.get_by_role("button", name="Another person").click()
    _begin(sets, "p99")
    capsys.readouterr()
    (tmp_path / "other.json").write_text('{"study": "another"}')
    assert main(["answers", "--results", str(results), "--name", "sets", str(tmp_path)]) == 0
    told = capsys.readouterr()
    assert "over 35 people" in told.out and "Not used: 1 files" in told.err and "other.json" in told.err
    lines = (results / "tables" / "study_sets.csv").read_text(encoding="utf-8").splitlines()
    ranked = [line.split(",") for line in lines if line.startswith("Motion consistency,mean_rank")]
    by_rank = sorted(ranked, key=lambda cells: float(cells[6]))
    assert [cells[2] for cells in by_rank] == [OURS, TOOL, BASE]
    assert float(by_rank[0][8]) < float(by_rank[1][7]) and float(by_rank[1][8]) < float(by_rank[2][7])


def test_a_set_can_be_put_in_order_by_arrows_and_by_mouse(sets) -> None:
    """Places are given in turn and taken back; Next waits for the last."""
    _begin(sets, "anna")
    words = sets.locator("#candidates .choice span")
    _press(sets, "ArrowRight", "ArrowRight", "ArrowUp", "ArrowLeft", "ArrowUp")
    assert words.all_inner_texts() == ["2nd", "best", "choose"]
    _press(sets, "ArrowRight", "ArrowDown")
    assert words.all_inner_texts() == ["best", "choose", "choose"]
    sets.locator("#candidates .choice").nth(2).click()
    assert sets.locator("#next").is_disabled() and "2 of 3 placed" in sets.locator("#told").inner_text()
    _press(sets, "2")
    assert words.all_inner_texts() == ["best", "worst", "2nd"]
    sets.get_by_role("button", name="Next").click()
    assert words.all_inner_texts() == ["choose"] * 3
    sets.get_by_role("button", name="Back", exact=True).click()
    sets.get_by_role("button", name="Clear").click()
    assert words.all_inner_texts() == ["choose"] * 3


def test_each_person_has_an_own_order(sets, results: Path) -> None:
    """Of items and of videos, the same each time, and over people each method stands first as often as any other."""
    study = _key(results, "sets")
    methods = {token: method for item in study.items for token, method in item.videos.items()}
    steps = "code => makeSteps(asked, code).map(step => [step.item.id, step.index, step.videos])"
    found = [sets.evaluate(steps, f"p{number}") for number in range(400)]
    assert found[7] == sets.evaluate(steps, "P7"), "however the code is typed"
    firsts = [methods[videos[0]] for person in found for _, question, videos in person if question == 0]
    assert all(0.28 < firsts.count(method) / len(firsts) < 0.39 for method in (OURS, BASE, TOOL))
    items = [person[0][0] for person in found]
    assert 0.42 < items.count(items[0]) / len(items) < 0.58
    alike = [person[0][2] == found[0][0][2] for person in found if person[0][0] == found[0][0][0]]
    assert 0.08 < np.mean(alike) < 0.27, "of six orders, one"


def test_videos_play_in_step_and_begin_again(pairs) -> None:
    """At once, all of them, over the end; keys move all by one frame."""
    _begin(pairs, "anna")
    assert pairs.locator("video").count() == 3 and pairs.locator("#references img").count() == 1
    pairs.wait_for_function("[...document.querySelectorAll('video')].every(video => video.currentTime > 0.2)")
    pairs.wait_for_function("document.querySelector('video').currentTime < 0.2")
    pairs.wait_for_function("[...document.querySelectorAll('video')].every(video => video.currentTime > 0.2)")
    _press(pairs, "Space")
    pairs.get_by_role("button", name="Play", exact=True).wait_for()
    pairs.locator(".scrub").fill("2")
    pairs.locator("#question").focus()
    _press(pairs, ".", ".", ",")
    frames = "all => all.map(video => video.currentTime)"
    assert pairs.locator("video").evaluate_all(frames) == pytest.approx([3.5 / FPS] * 3, abs=0.01)
    _press(pairs, "1", "Enter")
    assert pairs.locator("video").evaluate_all(frames) == pytest.approx([3.5 / FPS] * 3, abs=0.01), "the same pair"


def test_a_browser_that_keeps_nothing_says_so(chromium, results: Path) -> None:
    """The study can be answered all the same, without a reload."""
    page = chromium.new_page()
    page.add_init_script("Object.defineProperty(window, 'localStorage', { get() { throw new Error('blocked'); } })")
    page.goto(f"{(results / 'study' / 'pairs' / 'page' / 'index.html').as_uri()}?person=p%2007")
    assert page.locator("#person").input_value() == "p 07"
    page.get_by_text("This browser keeps nothing").wait_for()
    _press(page, "Enter")
    for _ in range(6):
        _press(page, "1", "Enter")
    page.get_by_role("heading", name="Thank you").wait_for()
    page.close()


def test_an_address_with_another_code_is_another_persons(sets) -> None:
    """On a shared computer nobody goes on with the answers of who sat there before; the same code does."""
    _begin(sets, "anna")
    address = sets.url
    sets.goto(f"{address}?person=ANNA")
    sets.locator("#ask").wait_for()
    assert sets.locator("#who").inner_text() in ("anna", "ANNA")
    sets.goto(f"{address}?person=ben")
    sets.locator("#welcome").wait_for()
    assert sets.locator("#person").input_value() == "ben"
    _press(sets, "Enter")
    assert sets.locator("#who").inner_text() == "ben"
