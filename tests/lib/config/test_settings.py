"""Settings: layering, and errors that name the key, what was found and what would be right."""

from typing import Any

import pytest
import yaml

from lib.config.settings import PRESETS, Config, load_config, preset_names
from lib.core.errors import InputError
from tests.conftest import ROOT


def _problems(given: dict[str, Any]) -> list[str]:
    with pytest.raises(InputError) as raised:
        load_config(given, ROOT)
    return [str(problem) for problem in raised.value.problems]


def test_no_settings_mean_the_demo_batch() -> None:
    """Without any --configfile the run is config.yaml's."""
    config = load_config({}, ROOT)
    assert config.clips == "demo/clips"
    assert config.video.num_frames == 17


def test_a_few_keys_change_only_themselves() -> None:
    """A small YAML keeps the rest of config.yaml, nested keys included."""
    config = load_config({"clips": "mine", "sampling": {"seed": 7}}, ROOT)
    assert (config.clips, config.sampling.seed) == ("mine", 7)
    assert config.sampling.num_steps == load_config({}, ROOT).sampling.num_steps


@pytest.mark.parametrize("name", preset_names(ROOT))
def test_preset_brings_its_own_sizes(name: str) -> None:
    """Naming a preset replaces the demo's settings by the model's, and points at a diffusers checkpoint."""
    config = load_config({"model": {"name": name}, "clips": "mine", "training": {"rank": 8}}, ROOT)
    assert config.model.name.startswith("hunyuanvideo-community/") or config.model.name.endswith("-Diffusers")
    assert (config.video.num_frames, config.training.rank) == (81 if name.endswith("-81") else 49, 8)
    assert config.training.learning_rate == 1e-4
    assert "demo" not in config.model_dump_json()
    Config.model_validate(yaml.safe_load((ROOT / PRESETS / f"{name}.yaml").read_text()))


def test_there_are_presets_for_both_wan_sizes() -> None:
    """480p and 720p are there by their names."""
    assert {"wan2.1-i2v-14b-480p", "wan2.1-i2v-14b-720p"} <= set(preset_names(ROOT))


def test_all_wrong_keys_are_listed_at_once() -> None:
    """Unknown keys, at any depth, are told with the nearest known one; other errors stand beside them."""
    given = {"clps": "x", "sampling": {"sede": 1}, "training": {"rank": 0, "learning_rate": "fast"}}
    problems = _problems(given)
    assert len(problems) == 4
    text = "\n".join(problems)
    assert "clps: found an unknown key; expected 'clips'" in text
    assert "sampling.sede: found an unknown key; expected 'seed'" in text
    assert "training.rank: found 0; expected greater than or equal to 1" in text
    assert "training.learning_rate: found 'fast'" in text


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"video": {"num_frames": 48}}, "video.num_frames: found 48; expected 4N+1, such as 45 or 49"),
        ({"video": {"width": 830}}, "video.width: found 830; expected a multiple of 16 pixels, such as 816 or 832"),
        ({"methods": ["mask_lra"]}, "methods: found unknown method 'mask_lra'; expected 'mask_lora'"),
        ({"methods": []}, "methods: found []; expected a method, or outside_methods"),
        ({"method_presets": {"outside_x": {}}}, "method_presets: found method name 'outside_x'"),
        ({"outside_methods": {"tool": "videos.mp4"}}, "outside_methods: found 'tool': 'videos.mp4'; expected a name"),
        ({"outside_methods": {"tool": "{clip}/{method}.mp4"}}, "expected a name, and a path with {clip} and {edit}"),
        ({"outside_methods": {"tool": {"vidoes": "{clip}"}}}, "expected 'videos'"),
        ({"outside_methods": {"tool": {"step": 0}}}, "outside_methods.tool.step: found 0; expected greater than 0"),
        ({"outside_methods": ["tool"]}, "outside_methods: found"),
        ({"methods": ["base", "base"]}, "methods: found a method twice in ['base', 'base']"),
        ({"sampling": {"guidance": 0.5}}, "sampling.guidance: found 0.5; expected greater than or equal to 1"),
        ({"training": {"decouple_steps": -1}}, "training.decouple_steps: found -1"),
        ({"method_presets": {"lora": {}}}, "method_presets: found method name 'lora'"),
        ({"method_presets": {"mine": {"trian_mask": "edit"}}}, "expected 'train_mask'"),
        ({"model": {"device": "tpu"}}, "model.device: found 'tpu'"),
        ({"clips": 5}, "clips: found 5"),
        ({"training": {"layers": ["attention"]}}, "training.layers.0: found 'attention'; expected 'self_attention'"),
        ({"training": {"layers": []}}, "training.layers: found []"),
        ({"training": {"region_weight": 0}}, "training.region_weight: found 0; expected greater than 0"),
        ({"training": {"decouple_lora": "lora.safetensors"}}, "expected a path with {clip} and {mask} in it"),
        ({"training": {"decouple_lora": "{clip}/{mask"}}, "expected a path with {clip} and {mask} in it"),
        ({"sampling": {"lora_scale": -1}}, "sampling.lora_scale: found -1; expected greater than or equal to 0"),
        ({"method_presets": {"mine": {"train_mask": "round"}}}, "method_presets.mine.train_mask: found 'round'"),
        (
            {"video": {"max_windows": 2, "window_overlap": 4}},
            "video.window_overlap: found 4; expected 4N+1 and less than num_frames",
        ),
        ({"video": {"max_windows": 2, "num_frames": 5}}, "video.window_overlap: found 5; expected 4N+1"),
    ],
)
def test_values_out_of_range_say_what_would_be_right(given: dict[str, Any], message: str) -> None:
    """Each wrong value is one line with key, what was found, and what would be right."""
    assert any(message in problem for problem in _problems(given)), _problems(given)


def test_own_methods_stand_beside_the_built_in_ones() -> None:
    """A method of one's own can be run by its name."""
    presets = {"tight": {"train_mask": "edit", "generate_mask": "first_frame"}}
    config = load_config({"methods": ["tight", "base"], "method_presets": presets}, ROOT)
    assert config.method("tight").generate_mask == "first_frame"
    assert config.method("base").train_mask is None


def test_outside_methods_are_named_by_a_path_or_by_keys() -> None:
    """A path alone is the key `videos`; a name alone is what lies beside edits; none of ours need be run then."""
    given = {"a": "{clip}/{edit}.mp4", "b c": {"videos": "{clip}.mp4", "step": 2}, "d": {}}
    config = load_config({"outside_methods": given, "methods": []}, ROOT)
    assert {name: (method.videos, method.step) for name, method in config.outside_methods.items()} == {
        "a": ("{clip}/{edit}.mp4", None),
        "b c": ("{clip}.mp4", 2.0),
        "d": (None, None),
    }


@pytest.mark.parametrize(
    "changes",
    [{"video": {"max_windows": 1_000_000}}, {"video": {"width": 10**9}}, {"training": {"decouple_steps": 10**12}}],
)
def test_sizes_that_no_machine_could_hold_are_refused(changes: dict[str, Any]) -> None:
    """A slip of the finger is told before planning takes all memory for it."""
    with pytest.raises(InputError, match="less than or equal to"):
        load_config(changes, ROOT)


def test_thousands_of_wrong_values_are_counted_and_not_listed() -> None:
    """The first ones are told, and how many more there are."""
    with pytest.raises(InputError) as caught:
        load_config({"methods": [1] * 50_000}, ROOT)
    assert len(str(caught.value)) < 10_000 and "49950 problems more" in str(caught.value)


def test_a_nested_value_makes_a_short_message() -> None:
    """A few lines of YAML can name gigabytes: the message stays one that a person reads."""
    bomb: list[Any] = ["boom"] * 9
    for _ in range(9):
        bomb = [bomb] * 9
    with pytest.raises(InputError) as caught:
        load_config({"clips": bomb}, ROOT)
    assert len(str(caught.value)) < 1000
