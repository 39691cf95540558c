"""Files that were looked at are known the next time, and only while they are the same."""

import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from lib.inputs.clips import find_clips
from tests.conftest import ROOT
from tests.lib.inputs.clips.example_clips import ROW, look, only_problem, says, write_image
from tests.wrong_clock import needs_compiler, run_with_clock

MOST_LISTINGS = 3  # for a clip: its folder, that of its edits, and its edit's


def test_the_cache_saves_the_second_look(clips: Path, add: Callable[..., Path]) -> None:
    """An unchanged file (size and time) is not opened again, be it good or bad."""
    cache = clips.parent / "deep/cache.json"
    (add("car") / "first_frame.png").write_bytes(b"junk")
    add("bus")
    first = look(clips, cache)
    for path in [*clips.rglob("*.png"), *clips.rglob("*.mp4")]:
        status = path.stat()
        path.write_bytes(b"x" * status.st_size)
        os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))
    assert look(clips, cache) == first
    assert len(first.clips) == len(first.problems) == 1
    assert look(clips).clips == ()


def test_a_changed_file_is_looked_at_again(clips: Path, add: Callable[..., Path]) -> None:
    """A new time of change is enough."""
    cache = clips.parent / "cache.json"
    path = add() / "first_frame.png"
    assert look(clips, cache).problems == ()
    status = path.stat()
    path.write_bytes(b"x" * status.st_size)
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns + 1))
    assert only_problem(look(clips, cache)).edit == "red"
    write_image(path)
    assert look(clips, cache).problems == ()


def test_a_missing_file_is_not_remembered(sheet: Callable[..., Path], tmp_path: Path) -> None:
    """What could not be opened may be mended without a change of the file."""
    cache = tmp_path / "cache.json"
    (tmp_path / "car.mp4").rename(tmp_path / "away.mp4")
    path = sheet(ROW)
    assert look(path, cache).clips == ()
    assert "car.mp4" not in cache.read_text()
    (tmp_path / "away.mp4").rename(tmp_path / "car.mp4")
    assert look(path, cache).problems == ()


@pytest.mark.parametrize("content", ["", "{", "[]", "null", '{"versions": {}, "videos": {"a": 1}, "images": {}}', "\0"])
def test_a_broken_cache_is_rebuilt(clips: Path, add: Callable[..., Path], content: str) -> None:
    """A cache is only a copy; nothing is said and nothing lost."""
    cache = clips.parent / "cache.json"
    add()
    good = look(clips, cache)
    whole = cache.read_text()
    cache.write_text(content)
    assert look(clips, cache) == good
    assert cache.read_text() == whole


def test_a_cache_of_other_versions_is_rebuilt(clips: Path, add: Callable[..., Path]) -> None:
    """Another decoder may see other things in the same file."""
    cache = clips.parent / "cache.json"
    add()
    look(clips, cache)
    whole = cache.read_text()
    content = json.loads(whole)
    content["versions"]["av"] = "1.0"
    next(iter(content["videos"].values()))["content"]["num_frames"] = 3
    cache.write_text(json.dumps(content))
    assert look(clips, cache).problems == ()
    assert cache.read_text() == whole


def test_the_cache_forgets_what_is_gone(clips: Path, add: Callable[..., Path]) -> None:
    """It does not grow without end; an unchanged one is not written again."""
    cache = clips.parent / "cache.json"
    add("car")
    add("bus")
    look(clips, cache)
    written = cache.stat().st_mtime_ns
    look(clips, cache)
    assert cache.stat().st_mtime_ns == written
    shutil.rmtree(clips / "bus")
    look(clips, cache)
    assert "bus" not in cache.read_text()


def test_an_unwritable_cache_does_no_harm(clips: Path, add: Callable[..., Path]) -> None:
    """A run does not fail for want of a cache."""
    add()
    (clips.parent / "file").write_text("")
    assert look(clips, clips.parent / "file/cache.json").problems == ()


LOOK_AND_TELL = """
import sys
import time
from pathlib import Path
from lib.inputs.clips import find_clips
clips, cache, seen = Path(sys.argv[1]), Path(sys.argv[2]), []
sys.addaudithook(lambda event, given: seen.append((event, str(given[0]))) if event in EVENTS else None)
EVENTS = ("open", "os.listdir", "os.scandir", "subprocess.Popen")
found = find_clips(clips, num_frames=5, start=2, stride=3, cache=cache)
assert not found.problems
for event, name in seen:
    if name.startswith(str(clips.parent)) or event == "subprocess.Popen":
        print(event, name)
"""


def test_known_clips_cost_no_opened_file(clips: Path, add: Callable[..., Path]) -> None:
    """With a warm cache the cache alone is opened, whatever the number of clips, and each folder listed few times.

    By Python's own audit, of the open calls of every library that goes through Python.
    """
    cache = clips.parent / "cache.json"
    add("0")
    for number in range(1, 20):
        shutil.copytree(clips / "0", clips / str(number))
    look(clips, cache)
    command = [sys.executable, "-c", LOOK_AND_TELL, str(clips), str(cache)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    events = [line.split(" ", 1) for line in done.stdout.splitlines()]
    assert [name for event, name in events if event not in ("os.listdir", "os.scandir")] == [str(cache)]
    assert sum(event in ("os.listdir", "os.scandir") for event, _ in events) <= MOST_LISTINGS * 20 + 2


@pytest.mark.parametrize("given", ["folder", "sheet"])
def test_a_look_at_one_clip_asks_for_the_files_of_no_other(
    given: str, clips: Path, add: Callable[..., Path], sheet: Callable[..., Path]
) -> None:
    """As a cluster's job does: the same clip as a whole look finds, by the same id; the cache stays as it was."""
    cache, names = clips.parent / "cache.json", ["Car", "car", *map(str, range(5))]
    for name in names:
        add(name)
    edit = "edits/red/first_frame.png"
    files = [{"source": f"clips/{name}/source.mp4", "first_frame": f"clips/{name}/{edit}"} for name in names]
    listed = sheet(*({**ROW, "clip": name, **row} for name, row in zip(names, files, strict=True)))
    looked_at = clips if given == "folder" else listed
    whole = look(looked_at, cache)
    (clip,) = (clip for clip in whole.clips if clip.name == "Car")
    assert clip.id != "Car" and len(whole.clips) == len(names), "its id is that of its company"
    written, asked, stat = cache.stat().st_mtime_ns, [], Path.stat

    def note(path: Path, **how: bool) -> os.stat_result:
        asked.append(str(path))
        return stat(path, **how)

    with pytest.MonkeyPatch.context() as watch:
        watch.setattr(Path, "stat", note)
        own = find_clips(looked_at, num_frames=5, start=2, stride=3, cache=cache, only={clip.id})
    assert own.clips == (clip,) and own.problems == ()
    assert cache.stat().st_mtime_ns == written
    assert str(clip.source) in asked
    assert not [path for path in asked if any(f"clips/{name}" in path for name in names if name != "Car")]


def test_the_import_is_light() -> None:
    """Snakemake imports this module for each job: neither torch nor pandas."""
    libraries = ("torch", "pandas")
    code = f"import sys, lib.inputs.clips; print([name for name in {libraries} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_a_file_dated_in_the_future_is_told_before_any_job(
    clips: Path, add: Callable[..., Path], tmp_path: Path
) -> None:
    """Zip archives and other time zones make them; Snakemake would take away what was made of them, job after job."""
    first_frame = add("car") / "first_frame.png"
    ahead = time.time() + 6 * 3600
    os.utime(first_frame, (ahead, ahead))
    for _ in range(2):
        problem = only_problem(look(clips, tmp_path / "checks.json"))
        assert says(problem, "car/edits/red/first_frame.png", "dated 6 h 0 min ahead", "touch ")
    os.utime(first_frame)
    assert not look(clips, tmp_path / "checks.json").problems, "what was told is not remembered"


FIND = """
import sys
from pathlib import Path
from lib.inputs.clips import find_clips
clips, cache = map(Path, sys.argv[1:])
print(*find_clips(clips, num_frames=5, start=2, stride=3, cache=cache).problems)
"""


@needs_compiler
@pytest.mark.parametrize("seconds", [-300, 300])
def test_a_file_copied_just_now_is_not_in_the_future(
    seconds: float, clips: Path, add: Callable[..., Path], tmp_path: Path
) -> None:
    """The clock of the machine that looks is five minutes wrong; the disk's dates it and all that is made of it."""
    first_frame = add("car") / "first_frame.png"
    cache = tmp_path / "checks.json"
    assert run_with_clock(seconds, tmp_path, FIND, str(clips), str(cache)) == "\n"
    ahead = time.time() + 120
    os.utime(first_frame, (ahead, ahead))
    assert "ahead of the disk's clock" in run_with_clock(seconds, tmp_path, FIND, str(clips), str(cache))
