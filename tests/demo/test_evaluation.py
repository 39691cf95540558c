"""The benchmark's command, run for real on a few scenes with settings that make it short."""

import os
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml
from PIL import Image

from demo.evaluation.batch import check_same_models, read_settings
from demo.evaluation.rows import SOURCE_COPY, VAE_CEILING
from demo.evaluation.table import MEASURES, markdown, method_table, reference_table
from lib.core.errors import InputError
from lib.core.files import write_json
from tests.conftest import ROOT

SHORT = {
    "caption": {"max_new_tokens": 4, "num_beams": 1},
    "training": {"decouple_steps": 2, "appearance_steps": 2, "rank": 2, "recoloured_copies": 1, "shared": "none"},
    "sampling": {"num_steps": 2},
}
METHOD = "mask_lora"


def _evaluate(folder: Path) -> subprocess.CompletedProcess[str]:
    """Run the command in a folder; stdout and stderr together in stdout."""
    (folder / "short.yaml").write_text(yaml.safe_dump(SHORT))
    command = [sys.executable, "-m", "demo.evaluation", "--output", str(folder / "made"), "--cores", "2"]
    command += ["--configfile", str(folder / "short.yaml"), "--methods", METHOD, "--scenes", "1", "--evolving", "1"]
    return subprocess.run(
        command,
        cwd=ROOT,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=900,
    )


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder in which the command has been run: one scene, and one that changes late."""
    folder = tmp_path_factory.mktemp("evaluation")
    answer = _evaluate(folder)
    assert answer.returncode == 0, answer.stdout
    assert (folder / "made" / "table.md").read_text() in answer.stdout
    assert "Finished jobid" in answer.stdout
    return folder


def test_every_scene_has_every_row_and_every_figure_is_a_number(finished: Path) -> None:
    """Methods and controls, for each edit; nothing undefined in these scenes."""
    rows = pd.read_csv(finished / "made" / "scenes.csv")
    assert len(rows) == 3 * (1 + 2)
    assert set(rows["method"]) == {METHOD, VAE_CEILING, SOURCE_COPY}
    assert np.isfinite(rows[[*MEASURES, "mask_coverage"]]).all(axis=None)
    assert list(rows["kind"].unique()) == ["replacement", "evolving"]
    edits = rows[rows["set"] == "evolving"]["edit"]
    assert list(edits.unique()) == ["without-reference", "with-reference"]


def test_truth_through_the_vae_is_the_best_edit(finished: Path) -> None:
    """No output beats the ceiling in the edited region, and the source is perfect in the background."""
    rows = pd.read_csv(finished / "made" / "scenes.csv").set_index(["clip", "edit", "method"])["edit_psnr"].unstack()
    assert (rows[VAE_CEILING] > rows[METHOD]).all()
    assert (rows[VAE_CEILING] > rows[SOURCE_COPY]).all()


def test_table_says_what_made_it(finished: Path) -> None:
    """Each method and control has its line; settings, models and job times stand with them."""
    table = (finished / "made" / "table.md").read_text()
    for line in (f"| {METHOD} ", f"| {VAE_CEILING} ", f"| {SOURCE_COPY} ", "| with-reference ", "| difference "):
        assert line in table
    for part in ("--scenes 1", '"rank": 2', "demo/models/wan2.1-i2v-tiny", "torch 2", "| train_lora_appearance "):
        assert part in table
    with Image.open(finished / "made" / "sheet.png") as sheet:
        assert sheet.width > 6 * 160 and sheet.height > (3 + 4) * 96


def test_second_run_starts_only_what_is_not_done_and_lists_what_fails(finished: Path) -> None:
    """One clip is to be generated again and cannot, since what it is generated from is spoilt; the other stays."""
    made = finished / "made"
    before = pd.read_csv(made / "scenes.csv")
    spoilt = next((made / "main/results").glob("replacement-*"))
    (spoilt / "edit/encoded/edit.safetensors").write_text("not tensors")
    answer = _evaluate(finished)
    assert answer.returncode == 1
    started = re.findall(r"^Job \d+: (.*)", answer.stdout, re.MULTILINE)
    assert started == 2 * [f"generate: {spoilt.name}, edit, {METHOD}"]  # it is tried twice
    assert "## Failed: 1" in answer.stdout
    assert f"- {spoilt.name}, edit, {METHOD}: {spoilt.name}/edit/{METHOD}/generate: " in answer.stdout
    after = pd.read_csv(made / "scenes.csv")
    assert after.equals(before[before["clip"] != spoilt.name].reset_index(drop=True))


def test_other_weights_under_the_same_name_are_refused(tmp_path: Path) -> None:
    """The workflow would take the old results for the new model's."""
    _, config = read_settings(None, [METHOD])
    hashes = check_same_models(tmp_path, config)
    assert "demo/models/wan2.1-i2v-tiny/model_index.json" in hashes
    assert check_same_models(tmp_path, config) == hashes
    write_json(tmp_path / "models.json", dict.fromkeys(hashes, "other"))
    with pytest.raises(InputError, match="other weights than now in .*EVALUATION=NAME"):
        check_same_models(tmp_path, config)


def test_other_frames_than_the_scenes_have_are_refused(tmp_path: Path) -> None:
    """The truth is known at one size and length; a setting that happens to be the same is fine."""
    configfile = tmp_path / "my.yaml"
    configfile.write_text("video: {width: 320, height: 96, crf: 20}")
    with pytest.raises(InputError, match=r"my.yaml: video.width: found 320; expected 160"):
        read_settings(configfile, [METHOD])
    configfile.write_text("video: {width: 160, crf: 20}\ntraining: {rank: 3}")
    settings, config = read_settings(configfile, [METHOD])
    assert (config.video.crf, config.training.rank, config.video.keep_lossless) == (20, 3, True)
    assert settings["methods"] == [METHOD]


def test_unknown_method_is_refused_before_any_work() -> None:
    """As the workflow does, with the nearest known name."""
    with pytest.raises(InputError, match="'mask_lora'"):
        read_settings(None, ["masklora"])


def _rows() -> pd.DataFrame:
    """Two scenes by hand: a reference brings 2 and 4 dB."""
    rows = []
    for clip, gain in (("a", 2.0), ("b", 4.0)):
        for edit, more in (("without-reference", 0.0), ("with-reference", gain)):
            for method, start in ((METHOD, 10.0), (VAE_CEILING, 30.0), (SOURCE_COPY, 5.0)):
                figure = start + (more if method == METHOD else 0)
                measures = dict.fromkeys(MEASURES, figure) | {"lost_share": 0.25}
                rows.append({"clip": clip, "edit": edit, "kind": "evolving", "method": method, **measures})
    return pd.DataFrame(rows)


def test_difference_is_taken_scene_by_scene() -> None:
    """Its spread is that of the gains; a scene of which one edit failed has no gain."""
    rows = _rows()
    difference = reference_table(rows, METHOD).splitlines()[4]
    assert [cell.strip() for cell in difference.split("|")[1:4]] == ["difference", "2", "+3.0 ± 1.0"]
    failed = rows[~((rows["clip"] == "b") & (rows["edit"] == "with-reference"))]
    difference = reference_table(failed, METHOD).splitlines()[4]
    assert [cell.strip() for cell in difference.split("|")[1:4]] == ["difference", "1", "+2.0 ± 0.0"]


def test_method_without_any_row_is_shown_as_such() -> None:
    """A method all of whose clips failed keeps its line."""
    lines = method_table(_rows(), [METHOD, "base"]).splitlines()
    assert [cell.strip() for cell in lines[3].split("|")[1:4]] == ["base", "0", "-"]
    assert "25%" in lines[2]


def test_markdown_columns_line_up() -> None:
    """The table can be read as plain text."""
    assert markdown(["a", "bbb"], [["cc", "d"]]) == "| a  | bbb |\n| -- | --- |\n| cc | d   |"
