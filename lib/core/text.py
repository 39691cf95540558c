"""Text that came from outside, made fit to be shown."""


def printable(text: str) -> str:
    """Write out characters that would garble a terminal, such as control characters and invalid UTF-8."""
    return "".join(char if char.isprintable() else ascii(char)[1:-1] for char in text)
