"""The page that asks people, in a folder to send away, and the key beside it.

The folder `page` holds no name, id or path of a method, clip or edit: what is shown is called by names without
meaning, and only the key, study.json beside the folder, says what each of them is.
"""

import hashlib
from dataclasses import asdict
from pathlib import Path
from typing import Any

from lib.core.errors import InputError, Problem
from lib.core.files import read_json_or_nothing, whole_folder, write_json
from lib.report.page import TEMPLATES as REPORT_TEMPLATES
from lib.report.page import page_environment
from lib.report.sections import aspect_of, relative_times
from lib.study.blind_media import copy_picture, copy_videos
from lib.study.plan import Study

TEMPLATES = Path(__file__).parent / "templates"
FOLDER = "study"  # of all studies, in the results folder
KEY = "study.json"
PAGE = "page"


def write_study(results: Path, study: Study) -> Path:
    """Write a study's page, its media and its key; a study that is there already is left as it is.

    Returns:
        The page, RESULTS/study/NAME/page/index.html.

    Raises:
        InputError: there is a study of that name; people may be answering it.
    """
    folder = results / FOLDER / study.name
    if folder.exists():
        expected = "another --name, or no such folder: its answers are worth nothing without its key"
        raise InputError([Problem("--name", f"'{study.name}', a study that is there", expected)])
    with whole_folder(folder) as temporary:
        media = temporary / PAGE / "media"
        media.mkdir(parents=True)
        shown = _write_media(results, study, media)
        asked = {
            "study": study.id,
            "mode": study.mode,
            "questions": [asdict(question) for question in study.questions],
            "items": shown,
            "chance": hashlib.sha256(f"what each person sees {study.seed}".encode()).hexdigest()[:16],
        }
        page = page_environment(REPORT_TEMPLATES, TEMPLATES).get_template("study.html.jinja").render(asked=asked)
        (temporary / PAGE / "index.html").write_text(page, encoding="utf-8", errors="replace")
        write_json(temporary / KEY, asdict(study))
    return folder / PAGE / "index.html"


def _write_media(results: Path, study: Study, media: Path) -> list[dict[str, Any]]:
    """Copy what each item shows; return the items as the page needs them, ordered by names without meaning."""
    edits = list(dict.fromkeys((item.clip, item.edit) for item in study.items))
    references = {edit: _write_reference(results, edit, media, study) for edit in edits}
    shown = []
    for item in study.items:
        folder = results / item.clip / item.edit
        sources = [folder / method / "edited.mp4" for method in item.videos.values()]
        copy_videos(sources, [media / f"{token}.mp4" for token in item.videos])
        shown.append({"id": item.id, "videos": sorted(item.videos), **references[item.clip, item.edit]})
    return sorted(shown, key=lambda item: str(item["id"]))


def _write_reference(results: Path, edit: tuple[str, str], media: Path, study: Study) -> dict[str, Any]:
    """Copy the source and the edited first frame of an edit, for all items that show it."""
    name = hashlib.sha256("/".join([study.id, *edit]).encode("utf-8", "surrogateescape")).hexdigest()[:12]
    clip = results / edit[0]
    if (clip / "source_preview.mp4").is_file():
        copy_videos([clip / "source_preview.mp4"], [media / f"{name}.mp4"])
    else:
        raise InputError([Problem(str(clip / "source_preview.mp4"), "no file", "the source's frames, as a run keeps")])
    has_picture = copy_picture(results.joinpath(*edit, "first_frame.png"), media / f"{name}.png")
    source = read_json_or_nothing(clip / "source_video.json")
    return {
        "source": name,
        "picture": name if has_picture else None,
        "aspect": aspect_of(source),
        "times": relative_times(source),
    }
