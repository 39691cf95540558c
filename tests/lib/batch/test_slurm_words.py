"""Words that a shell would not take as they stand are found before SLURM's jobs are submitted through one."""

import pytest

from lib.batch.slurm_words import check_slurm_words

WORDS = {"results folder": "my results", "--config": {"clips": "вечер, 2 (50%)", "video": {"crf": 18}}, "files": []}


def test_ordinary_paths_pass() -> None:
    """Blanks, other scripts and most signs are quoted well enough."""
    assert check_slurm_words(WORDS, "/home/me/a project [2]") == []


@pytest.mark.parametrize(
    "word", ["a$(touch X)", "$HOME", "a`id`", "it's", 'the "best"', "a\\b", "new\nline", "no\u00a0break"]
)
def test_what_a_shell_reads_is_refused_wherever_it_stands(word: str) -> None:
    """In a path, a setting however deep, or the working directory."""
    deep = {"--config": {"report": {"titles": ["good", word]}}}
    for words, folder, place in (({"results folder": word}, "/", "results folder"), (deep, "/", "--config")):
        (problem,) = check_slurm_words({**WORDS, **words}, folder)
        assert problem.place == place and "submitted through a shell" in problem.expected
        assert str(problem).isprintable()
    assert [problem.place for problem in check_slurm_words(WORDS, word)] == ["working directory"]


def test_a_percent_sign_matters_where_slurms_logs_lie() -> None:
    """SLURM writes a job's number in place of %j, and looks for a folder that is not there."""
    assert [problem.found for problem in check_slurm_words(WORDS, "/100%j")] == ["'/100%j'"]
