"""The folder that is sent to people tells nothing of the methods; the key beside it tells all."""

import json
import re
from pathlib import Path

import av
import numpy as np
import pytest

from lib.core.errors import InputError
from lib.report.comparison import list_measured
from lib.study.page import write_study
from lib.study.plan import Study, load_study, num_left_out, plan_study
from lib.study.questions import PAPER, Question, choose_questions
from tests.lib.study.example_study import BASE, COLOURS, HOSTILE, HOSTILE_NAME, NAMES, OURS, TOOL, write_batch

EDITS = [("car turn-1a2b3c4d", "red-car"), ("car turn-1a2b3c4d", "blue-car"), ("road", "wet-road")]
HOSTILE_QUESTION = Question("<i>Beauty</i> | 5%", "</script><script>alert(1)</script> “Which” & 'why'?")


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Write a batch of four methods once; one edit lacks one of them."""
    results = tmp_path_factory.mktemp("secret-place") / "results"
    write_batch(results, EDITS)
    (results / "road" / "wet-road" / HOSTILE / "edited.mp4").unlink()
    return results


def _plan(results: Path, name: str, **changes: object) -> Study:
    given = {"chosen": None, "mode": None, "questions": PAPER, "num_items": None, "seed": 0, **changes}
    return plan_study(results, name, **given)  # type: ignore[arg-type]


def _write(results: Path, name: str, **changes: object) -> tuple[Study, Path]:
    study = _plan(results, name, **changes)
    return study, write_study(results, study).parent


def test_the_folder_holds_no_name_id_or_path(results: Path) -> None:
    """Of a method, a clip or an edit, nor where it was made: in no file's name and in no file's bytes."""
    study, page = _write(results, "blind", mode="pairs", questions=[*PAPER, HOSTILE_QUESTION])
    secrets = [*NAMES, *NAMES.values(), "AnyV2V", "outside", *{name for edit in EDITS for name in edit}, "secret-place"]
    files = [path for path in page.rglob("*") if path.is_file()]
    assert {path.suffix for path in files} == {".html", ".mp4", ".png"}
    own = {"base": rb"baseProfile|database|vertical-align: baseline|align-items: baseline|[\w-]*baseline"}
    for path in files:
        content = path.read_bytes()
        for secret in secrets:
            assert secret not in path.relative_to(page).as_posix()
            cleaned = re.sub(own.get(secret, rb"(?!)"), b"", content)
            assert secret.encode() not in cleaned, f"{secret} in {path.name}"
        assert b"x264" not in content and b"Lavf" not in content, path.name
    assert load_study(page.parent / "study.json") == study, "the key lies beside it"


def test_files_tell_nothing_of_the_order(results: Path) -> None:
    """One time, one size in each item; names that are as likely to sort one method first as another."""
    study, page = _write(results, "files", mode="pairs")
    assert {path.stat().st_mtime for path in (page / "media").iterdir()} == {946_684_800}
    for item in study.items:
        assert len({(page / "media" / f"{token}.mp4").stat().st_size for token in item.videos}) == 1
        assert list(item.videos) == sorted(item.videos)
    firsts = []
    for seed in range(300):
        items = _plan(results, "many", chosen=[OURS, TOOL], seed=seed).items
        firsts += [next(iter(item.videos.values())) for item in items]
    assert 0.45 < np.mean([method == OURS for method in firsts]) < 0.55


def test_each_name_leads_to_its_methods_video(results: Path) -> None:
    """By the colour of its disc, in every item; and all frames are there."""
    study, page = _write(results, "true", mode="sets")
    for token, method in ((token, method) for item in study.items for token, method in item.videos.items()):
        with av.open(str(page / "media" / f"{token}.mp4")) as video:
            frames = [frame.to_ndarray(format="rgb24") for frame in video.decode(video=0)]
            assert len(frames) == 8 and not video.streams.audio
        assert np.abs(frames[0][32, 10].astype(int) - COLOURS[method]).max() < 30, method


def test_the_page_holds_names_as_data(results: Path) -> None:
    """Questions that would end a script stand in the page as they are, and as nothing else."""
    study, page = _write(results, "hostile", chosen=[OURS, HOSTILE_NAME], questions=[HOSTILE_QUESTION])
    html = (page / "index.html").read_text(encoding="utf-8")
    assert html.count("</script>") == 2 and "<script>alert" not in html
    asked = json.loads(re.search(r'id="asked">(.*?)</script>', html, re.DOTALL)[1])
    assert asked["questions"] == [{"label": HOSTILE_QUESTION.label, "text": HOSTILE_QUESTION.text}]
    assert asked["study"] == study.id and set(asked["items"][0]) == {
        "id", "videos", "source", "picture", "aspect", "times",
    }  # fmt: skip


def test_only_what_all_methods_have_is_shown(results: Path) -> None:
    """The edit that lacks one is left out and counted; without that method it is shown."""
    study = _plan(results, "some")
    assert (study.mode, len(study.items), num_left_out(results, study)) == ("sets", 2, 1)
    two = _plan(results, "some", chosen=["AnyV2V", BASE])
    assert (two.mode, len(two.items), list(two.methods)) == ("pairs", 3, [TOOL, BASE])
    assert study.id != two.id


def test_fewer_items_are_spread_evenly(results: Path) -> None:
    """Each pair of methods before any comes again; both clips; the same by the same seed."""
    chosen = [OURS, BASE, TOOL]
    study = _plan(results, "few", chosen=chosen, mode="pairs", num_items=6)
    pairs = [frozenset(item.videos.values()) for item in study.items]
    assert {pairs.count(pair) for pair in pairs} == {2} and len(set(pairs)) == 3
    assert sum(item.clip == "road" for item in study.items) == 3
    assert _plan(results, "few", chosen=chosen, mode="pairs", num_items=6) == study
    other = _plan(results, "few", chosen=chosen, mode="pairs", num_items=6, seed=1)
    assert [item.videos for item in other.items] != [item.videos for item in study.items]


def test_what_cannot_be_asked_is_told(results: Path) -> None:
    """One method, none of a name, too few items for all pairs, a study that is there, no key."""
    with pytest.raises(InputError, match="mask_lora alone"):
        _plan(results, "x", chosen=[OURS])
    with pytest.raises(InputError, match=r"'AnyV', which nothing is measured of; expected 'AnyV2V'"):
        _plan(results, "x", chosen=["AnyV", OURS])
    with pytest.raises(InputError, match="3, fewer than there are pairs of methods; expected at least 6"):
        _plan(results, "x", mode="pairs", num_items=3)
    study, page = _write(results, "again")
    with pytest.raises(InputError, match="'again', a study that is there"):
        write_study(results, study)
    (page.parent / "study.json").write_text("{}")
    with pytest.raises(InputError, match="no key of a study"):
        load_study(page.parent / "study.json")
    assert list_measured(results)[1][HOSTILE] == HOSTILE_NAME


def test_questions_are_the_papers_and_ones_own(tmp_path: Path) -> None:
    """One's own are added; a file stands in the place of the paper's; labels come off."""
    assert choose_questions([], None) == list(PAPER)
    assert choose_questions(["Beauty: Which looks best?", "Which is sharper?"], None)[2:] == [
        Question("Beauty", "Which looks best?"),
        Question("Which is sharper?", "Which is sharper?"),
    ]
    file = tmp_path / "questions.txt"
    file.write_text("\ufeff# ours\n\nColour: Is it red?\n", encoding="utf-8")
    assert choose_questions([], file) == [Question("Colour", "Is it red?")]
    file.write_text("# nothing\n")
    for own, place, told in (
        ([], file, "0 questions"),
        ([], tmp_path / "no.txt", "no text that can be read"),
        (["A: b?", "A: c?"], None, "'A' twice"),
        (["x" * 501], None, "501 characters"),
    ):
        with pytest.raises(InputError, match=told):
            choose_questions(own, place)
