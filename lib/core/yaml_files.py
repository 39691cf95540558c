"""YAML that people write: read with care, since a few lines of it can ask for all memory, or for a whole C stack."""

from pathlib import Path
from typing import Any

import yaml

MOST_BYTES = 2**20  # of a file; ours have a few lines
MOST_LEVELS = 50  # of lists in lists; PyYAML's loader in C crashes the process at some tens of thousands
MOST_VALUES = 100_000  # with all that anchors stand for: ten lines can stand for thousands of millions


def read_yaml(path: Path) -> Any:
    """Read a small YAML file.

    Raises:
        OSError: it cannot be read.
        ValueError: it is too large, or stands for too much.
        yaml.YAMLError: it is not YAML; see `describe_no_yaml`.
        RecursionError: it refers to itself.
    """
    with path.open("rb") as file:
        content = file.read(MOST_BYTES + 1)
    if len(content) > MOST_BYTES:
        raise ValueError(f"{path.stat().st_size / 1e6:.1f} MB, where {MOST_BYTES / 1e6:.0f} MB is the most")
    _check_size(content)
    # The loader written in C: the one in Python takes half a second for a thousand files.
    return yaml.load(content, Loader=yaml.CSafeLoader)


def describe_no_yaml(error: Exception) -> tuple[str, str]:
    """Say of an error of `read_yaml`'s which line it is about, such as `, line 3`, or nothing; and why, briefly."""
    mark = getattr(error, "problem_mark", None)
    line = f", line {mark.line + 1}" if mark else ""
    return line, getattr(error, "problem", None) or (str(error) or type(error).__name__).splitlines()[0]


def _check_size(content: bytes) -> None:
    """Refuse text that is nested too deep or that stands for too many values, without building any of them."""
    sizes: dict[str, int] = {}  # of what each anchor stands for
    open_nodes: list[tuple[str | None, int]] = [(None, 0)]  # anchor of each list or mapping around, values so far
    for event in yaml.parse(content, Loader=yaml.CSafeLoader):
        if isinstance(event, yaml.CollectionStartEvent):
            open_nodes.append((event.anchor, 1))
            if len(open_nodes) > MOST_LEVELS:
                raise ValueError(f"nested more than {MOST_LEVELS} levels deep")
            continue
        if isinstance(event, yaml.CollectionEndEvent):
            anchor, size = open_nodes.pop()
        elif isinstance(event, yaml.AliasEvent):
            anchor, size = None, sizes.get(str(event.anchor), 1)
        elif isinstance(event, yaml.ScalarEvent):
            anchor, size = event.anchor, 1
        else:
            continue
        if anchor:
            sizes[anchor] = size
        around, before = open_nodes[-1]
        open_nodes[-1] = (around, before + size)
        if before + size > MOST_VALUES:
            raise ValueError(f"it stands for more than {MOST_VALUES} values")
