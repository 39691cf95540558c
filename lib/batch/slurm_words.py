"""What Snakemake's SLURM plugin hands to a shell: a user's words that a shell would not take as they stand."""

from collections.abc import Iterator, Mapping
from typing import Any

from lib.core.errors import Problem
from lib.core.text import printable

# The plugin (2.8) puts each word between quotes, and all of them between the double quotes of one shell command, in
# which `$` and backticks still count; the job runs it once more. What cannot be printed is written as a Python escape.
NOT_FOR_A_SHELL = "'\"`$\\"
NOT_FOR_LOGS = f"{NOT_FOR_A_SHELL}%"  # SLURM writes numbers and names in place of %j and the like


def check_slurm_words(words: Mapping[str, Any], folder: str) -> list[Problem]:
    """Find the words that jobs could not be submitted with, or that would be run as commands.

    Args:
        words: what a user gave that stands in jobs' command lines: texts, or lists and mappings of such.
        folder: the working directory, in which SLURM's own logs lie.
    """
    problems = [_problem(place, text, NOT_FOR_A_SHELL) for place, word in words.items() for text in _texts(word)]
    return [problem for problem in [*problems, _problem("working directory", folder, NOT_FOR_LOGS)] if problem]


def is_plain(text: str, unusable: str = NOT_FOR_A_SHELL) -> bool:
    """Tell whether a shell takes a word as it stands."""
    return text.isprintable() and not any(char in unusable for char in text)


def _texts(word: Any) -> Iterator[str]:
    if isinstance(word, Mapping):
        for key, value in word.items():
            yield from (str(key), *_texts(value))
    elif isinstance(word, list | tuple):
        for value in word:
            yield from _texts(value)
    else:
        yield str(word)


def _problem(place: str, text: str, unusable: str) -> Problem | None:
    if is_plain(text, unusable):
        return None
    found = printable(" ".join(sorted({char for char in text if not is_plain(char, unusable)})))
    expected = f"one without {found}: SLURM's jobs are submitted through a shell, which would not take it as it stands"
    return Problem(place, f"'{printable(text)}'", expected)
