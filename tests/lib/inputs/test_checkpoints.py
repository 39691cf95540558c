"""Models that are not there, or of another kind, are found before any work."""

import json
from pathlib import Path

import pytest

from lib.inputs.checkpoints import check_models, resolve_path
from tests.conftest import ROOT, TINY_WAN

DEMO = ROOT / "demo" / "models"
GOOD = {
    "video_model": (str(TINY_WAN), "wan"),
    "captioner": str(DEMO / "florence-2-tiny"),
    "detectors": {"mask.detector": str(DEMO / "yolo11-tiny"), "mask.yoloe": None},
    "clip_model": str(DEMO / "clip-tiny"),
    "download": False,
}


def test_demo_models_are_complete() -> None:
    """Nothing to say about the models that come with the project; no detector is fine, too."""
    assert check_models(**GOOD) == []
    assert check_models(**{**GOOD, "detectors": {"mask.detector": None}}) == []


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"video_model": ("models/mine", "wan")}, "model.name: found 'models/mine', which"),
        ({"video_model": (str(DEMO), "wan")}, "without model_index.json"),
        ({"captioner": str(TINY_WAN / "model_index.json")}, "which is a file"),
        ({"clip_model": "openai/clip-vit-large-patch14"}, "hf download openai/clip-vit-large-patch14"),
        ({"clip_model": "./nowhere"}, "'./nowhere', which does not exist"),
        ({"detectors": {"mask.sam2": "sam2.1_b.pt"}}, "mask.sam2: found 'sam2.1_b.pt', which does not exist"),
    ],
)
def test_missing_models_are_named_with_the_way_to_get_them(changed: dict[str, object], message: str) -> None:
    """One problem each, with key, what was found and what would be right."""
    problems = check_models(**{**GOOD, **changed})
    assert len(problems) == 1 and message in str(problems[0])


def _folder(path: Path, changes: dict[str, object]) -> Path:
    """Write the two files of a model folder by which planning knows it: the demo's, with changes to the first."""
    (path / "transformer").mkdir(parents=True)
    pipeline = json.loads((TINY_WAN / "model_index.json").read_text())
    (path / "model_index.json").write_text(json.dumps(pipeline | changes))
    (path / "transformer" / "config.json").write_text((TINY_WAN / "transformer" / "config.json").read_text())
    return path


@pytest.mark.parametrize(
    ("changes", "found"),
    [
        ({"_class_name": "HunyuanVideoImageToVideoPipeline"}, "calls a HunyuanVideoImageToVideoPipeline;"),
        ({"_class_name": "WanPipeline", "image_encoder": [None, None]}, "calls a WanPipeline;"),
        (
            {"transformer_2": ["diffusers", "WanTransformer3DModel"], "image_encoder": [None, None]},
            "calls a WanImageToVideoPipeline with transformer_2, Wan2.2's second denoiser, without image_encoder;",
        ),
        ({"tokenizer": None}, "calls a WanImageToVideoPipeline without tokenizer;"),
    ],
    ids=["another-family", "text-to-video", "wan-2.2", "incomplete"],
)
def test_a_folder_of_another_family_is_named_as_what_it_is(
    changes: dict[str, object], found: str, tmp_path: Path
) -> None:
    """Loading would take what fits and leave out the rest: half of Wan2.2's denoisers, say."""
    problems = check_models(**{**GOOD, "video_model": (str(_folder(tmp_path, changes)), "wan")})
    assert len(problems) == 1 and problems[0].place == "model.name", problems
    assert found in str(problems[0]) and "expected a WanImageToVideoPipeline with image_encoder, " in str(problems[0])


@pytest.mark.parametrize(
    ("file", "text", "found"),
    [
        ("model_index.json", "{", "a file that cannot be read (Expecting property name"),
        ("model_index.json", "[]", "a JSON that holds no names"),
        (
            "transformer/config.json",
            '{"num_layers": 2}',
            "a config that does not tell the layers (KeyError('ffn_dim'))",
        ),
    ],
)
def test_damaged_files_of_a_model_are_problems(file: str, text: str, found: str, tmp_path: Path) -> None:
    """Named by the file, before any job."""
    (_folder(tmp_path, {}) / file).write_text(text)
    problems = check_models(**{**GOOD, "video_model": (str(tmp_path), "wan")})
    assert [problem.place for problem in problems] == [str(tmp_path / file)] and found in problems[0].found


def test_hub_ids_may_be_fetched_only_if_the_config_says_so() -> None:
    """download: true accepts a hub id that is not on this machine."""
    assert check_models(**{**GOOD, "clip_model": "openai/clip-vit-large-patch14", "download": True}) == []


def test_model_paths_are_found_from_anywhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Relative to the working directory first, then to the project."""
    monkeypatch.chdir(tmp_path)
    assert resolve_path("demo/models/clip-tiny") == str(DEMO / "clip-tiny")
    (tmp_path / "demo/models/clip-tiny").mkdir(parents=True)
    assert resolve_path("demo/models/clip-tiny") == str(tmp_path / "demo/models/clip-tiny")


TEXT_ALONE = {"image_encoder": [None, None], "image_processor": [None, None]}
RELATIVES = {  # what published folders say of themselves, beside Wan2.1's
    "wan": {},
    "wan22": {**TEXT_ALONE, "transformer_2": ["diffusers", "WanTransformer3DModel"], "boundary_ratio": 0.9},
    "wan22_ti2v": {**TEXT_ALONE, "_class_name": "WanPipeline", "expand_timesteps": True},
}


@pytest.mark.parametrize("own", RELATIVES)
def test_relatives_are_told_apart(tmp_path: Path, own: str) -> None:
    """Each family takes its own folder alone, and names the family that would take another's."""
    folder = _folder(tmp_path / own, RELATIVES[own])
    for family in RELATIVES:
        problems = check_models(**{**GOOD, "video_model": (str(folder), family)})
        if family == own:
            assert problems == []
        else:
            assert len(problems) == 1 and problems[0].expected.endswith(f", or model.family: {own}")


def test_a_model_of_text_alone_is_nobodys(tmp_path: Path) -> None:
    """Wan's text-to-video models have the same class as Wan2.2-TI2V's folder, and are refused."""
    folder = _folder(tmp_path, {**TEXT_ALONE, "_class_name": "WanPipeline"})
    (problem,) = check_models(**{**GOOD, "video_model": (str(folder), "wan22_ti2v")})
    assert "a WanPipeline without expand_timesteps" in problem.found and "or model.family" not in problem.expected
