"""Outputs appear whole or not at all."""

import subprocess
import sys
from pathlib import Path

import pytest

from lib.core.files import file_hash, read_json, remove_partials, whole_file, whole_folder, write_json
from tests.conftest import ROOT


def test_failed_writer_leaves_the_old_file_and_no_rest(tmp_path: Path) -> None:
    """An error in mid-write changes nothing that others see."""
    path = tmp_path / "результат.json"
    write_json(path, {"ключ": 1})
    with pytest.raises(RuntimeError), whole_file(path) as temporary:
        temporary.write_text("half")
        raise RuntimeError
    assert read_json(path) == {"ключ": 1}
    assert list(tmp_path.iterdir()) == [path]


def test_temporary_name_keeps_the_suffix(tmp_path: Path) -> None:
    """Writers choose their format by it, and the final name appears only at the end."""
    path = tmp_path / "deep" / "video.mp4"
    with whole_file(path) as temporary:
        assert temporary.suffix == ".mp4" and temporary.parent == path.parent
        temporary.write_bytes(b"1")
        assert not path.exists()
    assert path.read_bytes() == b"1"


def test_folder_is_replaced_whole(tmp_path: Path) -> None:
    """Files of an earlier run do not stay behind in it; a failure keeps the earlier ones."""
    folder = tmp_path / "references"
    with whole_folder(folder) as temporary:
        (temporary / "old").touch()
    with pytest.raises(RuntimeError), whole_folder(folder) as temporary:
        raise RuntimeError
    assert [path.name for path in folder.iterdir()] == ["old"]
    with whole_folder(folder) as temporary:
        (temporary / "new").touch()
    assert [path.name for path in folder.iterdir()] == ["new"]
    assert list(tmp_path.iterdir()) == [folder]


def test_numbers_that_json_does_not_know_are_refused(tmp_path: Path) -> None:
    """NaN in a JSON file breaks other readers: it must be None."""
    with pytest.raises(ValueError):
        write_json(tmp_path / "metrics.json", {"psnr": float("nan")})
    assert list(tmp_path.iterdir()) == []


def test_hash_is_of_the_content(tmp_path: Path) -> None:
    """SHA-256 of "abc", from FIPS 180-2."""
    (tmp_path / "file").write_bytes(b"abc")
    assert file_hash(tmp_path / "file").startswith("ba7816bf8f01cfea")


def test_two_writers_of_one_name_never_share_a_temporary_file(tmp_path: Path) -> None:
    """Jobs on two nodes may have the same process id: the last to end wins, whole."""
    path = tmp_path / "cache.json"
    with whole_file(path) as first, whole_file(path) as second:
        first.write_text("1")
        second.write_text("2")
        assert first != second
    assert path.read_text() == "1" and list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("kind", ["whole_file", "whole_folder"])
def test_what_a_killed_writer_left_is_swept_by_the_next(tmp_path: Path, kind: str) -> None:
    """A killed job leaves a gigabyte beside its result; the retry takes it away, and nothing of a writer that lives."""
    path = tmp_path / "lora.safetensors"
    write = "temporary.write_text('half')" if kind == "whole_file" else "(temporary / 'a').write_text('half')"
    code = (
        "import os, signal, sys\n"
        f"from lib.core.files import {kind}\n"
        f"with {kind}({str(path)!r}) as temporary:\n"
        f"    {write}\n"
        "    os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    subprocess.run([sys.executable, "-c", code], cwd=ROOT)
    (left,) = tmp_path.iterdir()
    assert ".partial" in left.name
    with {"whole_file": whole_file, "whole_folder": whole_folder}[kind](path) as first:
        assert not left.exists()
        first.write_text("one") if kind == "whole_file" else (first / "a").write_text("one")
        with {"whole_file": whole_file, "whole_folder": whole_folder}[kind](path) as second:
            assert first.exists(), "its writer lives"
            second.write_text("two") if kind == "whole_file" else (second / "a").write_text("two")
    assert [child.name for child in tmp_path.iterdir()] == ["lora.safetensors"]


KILLED_WRITERS = """
import os
from pathlib import Path
from lib.core.files import whole_file, whole_folder
with whole_file(Path(sys.argv[1]) / "deep" / "video.mp4") as file, whole_folder(Path(sys.argv[1]) / "frames") as folder:
    file.write_bytes(b"half")
    (folder / "00000.png").write_bytes(b"half")
    os.kill(os.getpid(), 9)
"""


def test_what_killed_writers_left_is_removed_and_nothing_else(tmp_path: Path) -> None:
    """Files and folders at any depth, of any host: the next writer of a path may run on another node."""
    subprocess.run([sys.executable, "-c", f"import sys{KILLED_WRITERS}", str(tmp_path)], cwd=ROOT)
    kept = [tmp_path / name for name in (".hidden.json", "a.partial.png", "deep/.state.safetensors")]
    for path in kept:
        path.touch()
    (left,) = tmp_path.glob("deep/.video.*")
    left.rename(left.with_name(left.name.replace(".video.", ".video.node-b-")))
    assert len(list(tmp_path.rglob("*"))) == 3 + len(kept) + 1
    remove_partials(tmp_path)
    assert sorted(path for path in tmp_path.rglob("*") if path.is_file()) == sorted(kept)
    assert [path.name for path in tmp_path.iterdir() if path.is_dir()] == ["deep"]
