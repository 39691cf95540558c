"""A cluster's job looks at its own clip alone, and finds of it what a look at all finds."""

import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from lib.inputs.clips import Batch, find_clips
from lib.inputs.targets import clips_of_targets
from lib.masks.edit_checks import check_edits
from tests.conftest import ROOT
from tests.lib.inputs.clips.example_clips import ROW, look


def look_at(clips: Path, only: set[str], cache: Path | None = None) -> Batch:
    """Look as `look` does, at some clips alone."""
    return find_clips(clips, num_frames=5, start=2, stride=3, cache=cache, only=only)


def assert_each_alone_is_as_among_all(clips: Path) -> None:
    """Compare a look at each clip alone with one at all, and one at two."""
    whole = look(clips)
    assert len(whole.clips) > 2 and whole.is_whole
    for clip in whole.clips:
        alone = look_at(clips, {clip.id})
        assert alone.clips == (clip,) and not alone.is_whole
        assert alone.names == {path: name for path, name in whole.names.items() if path.split("/")[0] == clip.id}
        assert [problem for problem in alone.problems if problem.clip] == [
            problem for problem in whole.problems if problem.clip == clip.name
        ]
    assert look_at(clips, {clip.id for clip in whole.clips[1:3]}).clips == whole.clips[1:3]
    assert look_at(clips, {"no-such-clip"}).clips == ()


def test_a_clip_of_a_folder_has_the_id_that_it_has_among_all(clips: Path, add: Callable[..., Path]) -> None:
    """Names that meet where case is ignored, ones that are no ids, links, and clips with problems beside it."""
    for name in ("car", "Car", "CAR", "a car", "вечер", "report"):
        add(name)
    add("car", "blue").joinpath("first_frame.png").write_bytes(b"junk")
    (clips / "empty").mkdir()
    (clips / "VAN").symlink_to(clips.parent)
    (clips / "van").symlink_to("car")
    (clips / "beside.mp4").write_bytes(b"")
    assert_each_alone_is_as_among_all(clips)


def test_a_clip_of_a_sheet_has_the_id_that_it_has_among_all(sheet: Callable[..., Path]) -> None:
    """So too of a sheet, with rows that are wrong, and an edit twice."""
    rows = [{**ROW, "clip": name} for name in ("car", "Car", "a car", "car")]
    rows += [{**ROW, "clip": "bus", "source": "bus.mp4", "edit": name} for name in ("one", "one", "two")]
    rows += [{**ROW, "clip": "van", "seed": "-1"}, {**ROW, "clip": ""}]
    assert_each_alone_is_as_among_all(sheet(*rows))


def test_a_problem_of_the_clip_is_found(clips: Path, add: Callable[..., Path]) -> None:
    """What a job says where its clip is no longer what it was: its own problem, and none of another."""
    for name in ("car", "bus"):
        add(name)
        (clips / name / "source.mp4").unlink()
    (problem,) = look_at(clips, {"car"}).problems
    assert problem.clip == "car" and "no source video" in problem.found


def test_a_look_at_one_clip_leaves_what_is_known_of_the_others(clips: Path, add: Callable[..., Path]) -> None:
    """Both caches stay as they are, also where the clip itself has changed; a whole look writes them."""
    files, edits = clips.parent / "files.json", clips.parent / "edits.json"
    for name in ("car", "bus"):
        add(name)
    check_edits(look(clips, files), 64, 48, 6.0, edits)
    known = files.read_bytes(), edits.read_bytes()
    assert json.loads(known[1])
    (clips / "car" / "edits" / "red" / "first_frame.png").touch()
    assert check_edits(look_at(clips, {"car"}, files), 64, 48, 6.0, edits).clips
    assert (files.read_bytes(), edits.read_bytes()) == known
    check_edits(look(clips, files), 64, 48, 6.0, edits)
    assert files.read_bytes() != known[0] and edits.read_bytes() != known[1]


LOOK_AND_TELL = """
import sys
from pathlib import Path
from lib.inputs.clips import find_clips
clips, touched = sys.argv[1], []
EVENTS = ("open", "os.listdir", "os.scandir")
sys.addaudithook(lambda event, given: touched.append(str(given[0])) if event in EVENTS else None)
found = find_clips(Path(clips), num_frames=5, start=2, stride=3, only={"7"})
assert [clip.id for clip in found.clips] == ["7"]
print(*[path for path in touched if path.startswith(clips)], sep="\\n")
"""


def test_only_the_clips_own_files_are_opened(clips: Path, add: Callable[..., Path]) -> None:
    """By Python's own audit: one listing of the clips folder, and nothing below any other clip."""
    add("0")
    for number in range(1, 20):
        shutil.copytree(clips / "0", clips / str(number))
    command = [sys.executable, "-c", LOOK_AND_TELL, str(clips)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    touched = done.stdout.split()
    assert touched.count(str(clips)) == 1
    assert all(path == str(clips) or path.startswith(f"{clips}/7") for path in touched), touched


@pytest.mark.parametrize(
    ("words", "clips"),
    [
        (["--target-jobs", "extract_frames:clip=car", "--cores", "1"], {"car"}),
        (["--target-jobs", "caption:clip=car,edit=red", "align:edit=red,clip=car", "--x"], {"car"}),
        (["--target-jobs", "a:clip=car", "a:clip=bus"], {"car", "bus"}),
        (["--target-jobs", "a:clip=car", "report:", "--cores", "1"], None),
        (["--target-jobs", "table:year=2026"], None),
        (["--target-jobs", "--cores", "1"], None),
        (["--cores", "1", "results/car/source_video.mkv"], None),
    ],
)
def test_a_jobs_command_says_of_which_clips_it_is(words: list[str], clips: set[str] | None) -> None:
    """Those of all its targets; of all clips where one target is of none, or none is named."""
    assert clips_of_targets(["snakemake", *words]) == clips
