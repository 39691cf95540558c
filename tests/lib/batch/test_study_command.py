"""./batch study and ./batch answers: where they look, and what they refuse."""

from pathlib import Path

import numpy as np
import pytest

from lib.batch.command import main
from lib.study.plan import load_study
from tests.lib.study.example_study import BASE, OURS, judge, write_answers, write_batch


def test_a_study_and_its_answers_by_the_settings_results(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """--configfile says where results lie; what is printed names the folder to send, the key and what follows."""
    monkeypatch.chdir(tmp_path)
    write_batch(tmp_path / "made", [("car", "red")], (OURS, BASE), num_frames=2)
    (tmp_path / "my.yaml").write_text("results: made\n")
    assert main(["study", "--configfile", "my.yaml", "--name", "two", "--seed", "3"]) == 0
    told = capsys.readouterr().out
    folder = tmp_path / "made" / "study" / "two"
    for words in (f"{folder / 'page'}\n", f"{folder / 'study.json'}\n", "./batch answers FILES --name two",
                  "Each person answers 2 questions: 1 pairs, 2 each."):  # fmt: skip
        assert words in told, words
    study = load_study(folder / "study.json")
    assert (study.seed, study.mode) == (3, "pairs")
    path = write_answers(tmp_path / "answers", study, "anna", judge(study, (9, 0), np.random.default_rng(0)))
    assert main(["answers", "--configfile", "my.yaml", "--name", "two", "answers"]) == 0
    assert "| mask_lora | **1.00** | **1.00** |" in capsys.readouterr().out
    path.write_text("{}")
    assert main(["answers", "--configfile", "my.yaml", "--name", "two", "answers"]) == 1
    assert str(Path("answers") / path.name) in capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["study", "--name", "../out"], "'../out'"),
        (["answers", "x.json", "--name", "a b"], "'a b'"),
        (["study", "--items", "0"], "1 or more"),
        (["study"], "no table of this version"),
        (["answers", "x.json", "--name", "none"], "no key of a study"),
    ],
)
def test_what_cannot_be_done_is_said_in_a_line(
    words: list[str], told: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Names that are no folder's, no items, no results, no study."""
    assert main([*words, "--results", str(tmp_path)]) == 1
    assert told in capsys.readouterr().err and not list(tmp_path.iterdir())
