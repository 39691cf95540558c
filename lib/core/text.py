"""Text that came from outside, made fit to be shown."""

from reprlib import Repr

MOST_LETTERS = 300  # of a value in a message


def brief(value: object) -> str:
    """Write a value that a user gave, shortened where it is long or nested deep: YAML can name gigabytes in a line."""
    shortened = Repr()
    shortened.maxlevel, shortened.maxstring, shortened.maxother = 3, 120, 120
    whole = shortened.repr(value)
    return whole if len(whole) <= MOST_LETTERS else f"{whole[:MOST_LETTERS]} ..."


def printable(text: str) -> str:
    """Write out characters that would garble a terminal, such as control characters and invalid UTF-8."""
    return "".join(char if char.isprintable() else ascii(char)[1:-1] for char in text)
