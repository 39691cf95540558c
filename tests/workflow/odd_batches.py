"""Batches of clips and edits with odd names, and what must come of them."""

import re
import shutil
from collections.abc import Iterable
from pathlib import Path

from lib.inputs.clips import Batch, Clip, find_clips
from lib.inputs.edits import Edit
from tests.conftest import ROOT

CLIP = ROOT / "demo" / "clips" / "star-crossing"
SAFE_PATH = re.compile(r"[A-Za-z0-9._/-]+")


def add_clip(project: Path, clip: str, edits: Iterable[str]) -> None:
    """Add a clip with edits of these names."""
    for edit in edits:
        shutil.copytree(CLIP / "edits" / "blue-circle", project / "clips" / clip / "edits" / edit)
    shutil.copy(CLIP / "source.mp4", project / "clips" / clip)


def pairs_of(project: Path) -> dict[tuple[str, str], tuple[Clip, Edit]]:
    """Return each clip and edit of a project's batch by their names; none may be left out."""
    batch: Batch = find_clips(project / "clips", num_frames=5, start=0, stride=1)
    assert batch.problems == (), "\n".join(map(str, batch.problems))
    return {(clip.name, edit.name): (clip, edit) for clip in batch.clips for edit in clip.edits}


def made(project: Path, name: str) -> set[str]:
    """Return where files of a name were made, as CLIP/EDIT."""
    results = project / "results"
    return {"/".join(path.relative_to(results).parts[:2]) for path in results.glob(name)}


def assert_nothing_was_run(project: Path) -> None:
    """No name made a file INJECTED, and every path of the results is safe."""
    for folder in (project, ROOT, Path.home(), Path("/tmp")):
        search = folder.rglob if folder == project else folder.glob
        assert not [path for path in search("INJECTED*") if path.is_file()], folder
    for folder in ("results", "slurm_logs"):
        for path in (project / folder).rglob("*"):
            assert SAFE_PATH.fullmatch(str(path.relative_to(project))), path
