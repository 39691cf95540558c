"""The first frame of an edit in words: tries, their measures, and what is put back outside a region."""

import dataclasses
from pathlib import Path

import numpy as np
import pytest

from lib.config.editor_section import EditorSection
from lib.config.sections import MaskSection, ModelSection
from lib.core.errors import InputError
from lib.core.files import read_json, write_json
from lib.masks.refusals import refuse
from lib.stages.edit_first_frame import EditFirstFrame, Inputs, Outputs, edit_first_frame
from lib.stages.job import Job
from lib.video.alignment import align_edited_frame
from lib.video.crops import apply_crop, cut_out, plan_crop, uncropped
from lib.video.images import read_image, write_image
from lib.video.reading import read_frames
from tests.conftest import ROOT
from tests.lib.editors.tiny_editors import save_instruct_pix2pix

SOURCE = ROOT / "demo" / "clips" / "star-crossing" / "source.mp4"
FIRST = 2  # source index of the first frame used
CROP = plan_crop(96, 160, 64, 32)  # of 64 by 38 pixels, six rows are cut off
WORDS = "make the star blue"


@pytest.fixture(scope="module")
def editor(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A tiny InstructPix2Pix."""
    folder = tmp_path_factory.mktemp("editor") / "pix2pix"
    save_instruct_pix2pix(folder)
    return str(folder)


def _make(
    folder: Path, editor: str, masks: tuple[Path, ...] = (), first_frame: Path | None = None, **changes: object
) -> Outputs:
    """Run the stage; changes are of the section or of the params."""
    write_json(
        folder / "source_video.json",
        {"indices": [FIRST, 4], "crop": dataclasses.asdict(CROP), "source": {"pixel_aspect": 1.0}},
    )
    section = {"num_steps": 2, "num_tries": 3, "seed": 5, "clip_model": str(ROOT / "demo" / "models" / "clip-tiny")}
    of_section = {key: changes.pop(key) for key in list(changes) if key in EditorSection.model_fields}
    outputs = Outputs(picture=folder / "made.png", tries=folder / "tries", facts=folder / "made.json")
    params = EditFirstFrame(
        editor=EditorSection(**{"model": editor, **section, **of_section}).held(),
        model=ModelSection(device="cpu").held(),
        mask=MaskSection(correct_edited=changes.pop("correct_edited", "none")).held(),
        **{
            "index": FIRST,
            "instruction": WORDS,
            "mask_indices": [FIRST] if masks else [],
            "is_part": False,
            "clip": "a clip",
            "edit": "an edit",
            **changes,
        },
    )
    inputs = Inputs(source=SOURCE, facts=folder / "source_video.json", masks=masks, first_frame=first_frame)
    edit_first_frame(inputs, outputs, params, Job(folder / "log", 1))
    return outputs


def _source() -> np.ndarray:
    return read_frames(SOURCE, [FIRST], lambda picture: apply_crop(picture, uncropped(CROP)))[0][0]


def test_all_tries_are_kept_and_the_best_is_taken(editor: str, tmp_path: Path) -> None:
    """Of the source's shape, so that each can be given as a first frame; with its measures, by seed."""
    made = _make(tmp_path, editor)
    facts = read_json(made.facts)
    assert [one["seed"] for one in facts["tries"]] == [5, 6, 7] and sorted(facts["ranking"]) == [5, 6, 7]
    assert facts["seed"] == facts["ranking"][0] and facts["instruction"] == WORDS and "refused" not in facts
    assert all(one["changed_share"] > 0 and one["outside_share"] is None for one in facts["tries"])
    assert len({one["alignment"] for one in facts["tries"]}) == 3
    pictures = {path.stem: read_image(path) for path in made.tries.iterdir()}
    assert sorted(pictures) == ["5", "6", "7"] and (pictures["5"] != pictures["6"]).any()
    taken = read_image(made.picture)
    assert (taken == pictures[str(facts["seed"])]).all() and taken.shape == _source().shape == (38, 64, 3)
    assert (align_edited_frame(made.picture, dataclasses.asdict(CROP)) == cut_out(taken, CROP)).all()
    again = _make(tmp_path / "again", editor, num_tries=1, seed=6, clip_model=None)
    assert (read_image(again.picture) == pictures["6"]).all()
    assert read_json(again.facts)["tries"][0]["alignment"] is None


@pytest.mark.parametrize("how", ["none", "colour"])
def test_nothing_changes_outside_a_region(editor: str, tmp_path: Path, how: str) -> None:
    """What the editor did there is measured, and the source's pixels are put back."""
    mask = np.zeros((96, 160, 3), np.uint8)
    mask[24:72, 40:120] = 255
    write_image(tmp_path / "mask.png", mask)
    made = _make(tmp_path, editor, masks=(tmp_path / "mask.png",), num_tries=1, correct_edited=how)
    region = apply_crop(mask[..., 0], uncropped(CROP), nearest=True) > 127
    taken, (one,) = read_image(made.picture), read_json(made.facts)["tries"]
    assert (taken[~region] == _source()[~region]).all() and (taken[region] != _source()[region]).any()
    assert one["outside_delta_e"] > 1 and 0 < one["changed_share"] <= region.mean() + 0.1


def test_no_change_is_no_edit(editor: str, tmp_path: Path) -> None:
    """A mask that is black in the first frame leaves none: what is made of the edit alone ends with the reason."""
    write_image(tmp_path / "mask.png", np.zeros((96, 160, 3), np.uint8))
    made = _make(tmp_path, editor, masks=(tmp_path / "mask.png",), num_tries=2)
    with pytest.raises(InputError, match="no change in any of 2 frames") as raised:
        refuse([made.facts])
    assert "clip 'a clip', edit 'an edit': instruction 'make the star blue'" in str(raised.value)


def test_a_change_of_all_is_no_edit_of_a_part(editor: str, tmp_path: Path) -> None:
    """Random weights repaint the whole picture; that is an edit where no part was meant."""
    made = _make(tmp_path, editor, num_tries=1, is_part=True)
    with pytest.raises(InputError, match="where a part is meant"):
        refuse([made.facts])


def test_a_reference_is_made_of_its_own_frame(editor: str, tmp_path: Path) -> None:
    """An editor that takes one picture is shown no other, and the instruction is the reference's."""
    first = _make(tmp_path / "first", editor, num_tries=1)
    made = _make(tmp_path / "later", editor, num_tries=1, index=20, first_frame=first.picture)
    alone = _make(tmp_path / "alone", editor, num_tries=1, index=20)
    assert (read_image(made.picture) == read_image(alone.picture)).all()
    assert (read_image(made.picture) != read_image(first.picture)).any()
    assert str(first.picture) in read_json(made.facts)["provenance"]["inputs"]
