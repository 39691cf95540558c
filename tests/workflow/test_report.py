"""`snakemake --report`: what a run made, under the names that people gave."""

import json
import re
import shutil
from pathlib import Path
from typing import Any
from zipfile import ZipFile

import pytest

from tests.conftest import ROOT
from tests.workflow.project import copy_project, run_snakemake, write_settings

CLIP, EDITS = "turning square", ("gold-ring", "pink-star")
OF_AN_EDIT = {("of all", "mask sheet"), ("base", "edited video"), ("base", "difference video")}
SHOWN = {
    ("All clips", "Other", None, "metrics.csv"),
    (CLIP, "source", "of all", "source preview"),
    *((CLIP, edit, method, what) for edit in EDITS for method, what in OF_AN_EDIT),
}


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished batch of one clip and two edits, and its report unpacked beside it."""
    project = copy_project(tmp_path_factory.mktemp("project"))
    shutil.copytree(ROOT / "demo" / "clips" / CLIP, project / "clips" / CLIP)
    write_settings(project, {"clips": "clips", "methods": ["base"]})
    for options in (("--cores", "2"), ("--report", "report.zip")):
        answer = run_snakemake(project, *options)
        assert answer.returncode == 0, answer.stdout
    with ZipFile(project / "report.zip") as report:
        report.extractall(project)
    return project


def _embedded(page: Path, name: str) -> Any:
    script = rf'<script id="{name}">\s*var {name} = (.*);\n'
    return json.loads(re.search(script, page.read_text(encoding="utf-8"))[1])


def test_report_holds_what_people_look_at(project: Path) -> None:
    """Videos, mask sheets, the preview and the table are in the zip, whole, by clip, edit and method, explained."""
    page = project / "report" / "report.html"
    results, categories = _embedded(page, "results"), _embedded(page, "categories")
    shown = set()
    for clip, subcategories in categories.items():
        for edit, paths in subcategories.items():
            for path in paths:
                shown.add((clip, edit, results[path]["labels"].get("method"), results[path]["labels"]["what"]))
                assert (page.parent / results[path]["data_uri"]).read_bytes() == (project / path).read_bytes(), path
                assert len(results[path]["caption"]) > 50, path
    assert shown == SHOWN


def test_report_opens_in_a_browser(project: Path, chromium) -> None:
    """From disk, a click on the clip and one on the edit lead to its files."""
    page = chromium.new_page()
    page.goto((project / "report" / "report.html").as_uri())
    for name in (CLIP, EDITS[0]):
        page.get_by_text(name, exact=True).first.click()
    for _, what in OF_AN_EDIT:
        page.get_by_text(what, exact=True).first.wait_for()
    page.close()
