"""Files that appear whole or not at all, and how they are named by their content."""

import hashlib
import json
import os
import re
import secrets
import shutil
import socket
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from lib.core.clocks import seconds_since_change

SECONDS_UNTIL_LEFT = 24 * 3600.0  # no file takes a day to write


@contextmanager
def whole_file(path: str | Path) -> Iterator[Path]:
    """Yield a temporary path beside `path`; rename it into place only if the block succeeds.

    The temporary name keeps the suffix, since video and image writers choose their format by it.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    _sweep(path, path.stem, path.suffix)
    temporary = path.with_name(f".{path.stem}.{_nobody_elses()}.partial{path.suffix}")
    try:
        yield temporary
        with temporary.open("rb") as written:
            os.fsync(written.fileno())  # a power cut must not leave a renamed but empty file
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


@contextmanager
def whole_folder(path: str | Path) -> Iterator[Path]:
    """Yield a temporary folder beside `path`; rename it into place only if the block succeeds."""
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    _sweep(path, path.name, "")
    temporary = path.with_name(f".{path.name}.{_nobody_elses()}.partial")
    temporary.mkdir()
    try:
        yield temporary
        if path.exists():
            shutil.rmtree(path)
        temporary.rename(path)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def _nobody_elses() -> str:
    """Return a name that no other process has: on a cluster, processes of several nodes often share their number."""
    return f"{socket.gethostname()}-{os.getpid()}-{secrets.token_hex(4)}"


def _sweep(path: Path, stem: str, suffix: str) -> None:
    """Remove what writers of a path left that were killed: on this host at once, of another host after a day."""
    name = re.compile(rf"\.{re.escape(stem)}\.(.+)-(\d+)-[0-9a-f]{{8}}\.partial{re.escape(suffix)}")
    with os.scandir(path.parent) as entries:
        left = [(Path(entry.path), match) for entry in entries if (match := name.fullmatch(entry.name))]
    for leftover, match in left:
        with suppress(FileNotFoundError):
            is_dead = match[1] == socket.gethostname() and not Path(f"/proc/{match[2]}").exists()
            if not is_dead and seconds_since_change(leftover) < SECONDS_UNTIL_LEFT:
                continue
            shutil.rmtree(leftover) if leftover.is_dir() else leftover.unlink()


def write_json(path: str | Path, content: Any) -> None:
    """Write `content` as readable JSON, whole or not at all."""
    with whole_file(path) as temporary:
        text = json.dumps(content, indent=2, ensure_ascii=False, allow_nan=False)
        temporary.write_text(text + "\n", encoding="utf-8")


def read_json(path: str | Path) -> Any:
    """Read a JSON file."""
    return json.loads(Path(path).read_text(encoding="utf-8"))


def read_json_or_nothing(path: str | Path) -> dict[str, Any]:
    """Read a JSON object; a file that is missing, cut off or something else reads as empty."""
    try:
        content = read_json(path)
    except (OSError, ValueError):
        return {}
    return content if isinstance(content, dict) else {}


def file_hash(path: str | Path) -> str:
    """Return the SHA-256 of a file's content as 64 hexadecimal digits."""
    with Path(path).open("rb") as content:
        return hashlib.file_digest(content, "sha256").hexdigest()


def files_below(folder: str) -> list[tuple[str, int, int]]:
    """List path, size (bytes) and time of change (nanoseconds) of all files below a folder, which need not exist."""
    found = []
    try:
        with os.scandir(folder) as entries:
            for entry in entries:
                if entry.is_dir(follow_symlinks=False):
                    found += files_below(entry.path)
                else:
                    status = entry.stat(follow_symlinks=False)
                    found.append((entry.path, status.st_size, status.st_mtime_ns))
    except FileNotFoundError:
        return []
    return found
