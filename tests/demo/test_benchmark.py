"""The benchmark command, at a size for a CPU: every mode runs for every family, and the tables have their figures."""

import json
import re
from pathlib import Path
from typing import Any

import pytest
import torch
from accelerate import init_empty_weights

from demo.benchmark.__main__ import main
from demo.benchmark.architectures import WAN_14B
from demo.benchmark.rates import Rates, floors, wan_size
from demo.benchmark.subjects import SUBJECTS
from demo.benchmark.tables import CARDS, compare_losses, show_cards
from lib.config.families import FAMILIES
from lib.config.sections import WeightStore
from lib.models.wan.adapter import WanModel
from tests.conftest import ROOT


def test_every_mode_runs_and_is_reported(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A toy of the same architecture: one row a mode, with seconds above zero, printed and as JSON."""
    figures = tmp_path / "figures.json"
    main(["--tiny", "--frames", "5", "--size", "64x64", "--steps", "1", "--forwards", "1", "--json", str(figures)])
    written = json.loads(figures.read_text())
    rows = written["families"]["wan"]["rows"]
    assert [row["mode"] for row in rows] == ["plain", "fast", "balanced", "low"]
    assert all(row["step_s"] > 0 and row["forward_s"] > 0 for row in rows)
    _, table, losses, _ = capsys.readouterr().out.strip().split("\n\n")
    assert len(table.splitlines()) == 2 + 4 and table.startswith("| mode | weights |")
    assert losses.count("| +0 | +0 |") == 4, "in float32 and uncompiled all modes agree to the bit"
    assert all(len(row["losses"]) == 2 for row in rows)


def test_noise_levels_share_a_step_and_a_pass(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """All passes are of a batch of three, and the loss is not that of one."""
    losses, sizes, predict = [], [], WanModel.predict_velocity

    def noted(model: WanModel, noisy_latents: torch.Tensor, *others: Any) -> torch.Tensor:
        sizes.append(len(noisy_latents))
        return predict(model, noisy_latents, *others)

    monkeypatch.setattr(WanModel, "predict_velocity", noted)
    for draws in ("1", "3"):
        figures = tmp_path / f"{draws}.json"
        size = ("--modes", "fast", "--tiny", "--frames", "5", "--size", "64x64", "--steps", "1", "--forwards", "1")
        main([*size, "--draws", draws, "--json", str(figures)])
        losses.append(json.loads(figures.read_text())["families"]["wan"]["rows"][0]["losses"])
    assert sizes == [1] * 4 + [3] * 4 and losses[0] != losses[1]


def test_losses_are_compared_step_by_step() -> None:
    """Against the first row's: the mean difference, and the largest with its sign."""
    first, second = {"weights": "native", "losses": [1.0, 0.5]}, {"weights": "fp8", "losses": [1.1, 0.2]}
    table = compare_losses([{"mode": "fast", **row} for row in (first, second)])
    assert table.splitlines()[-1] == "| fast | fp8 | 2 | 1.10000 | 0.20000 | -0.1 | -0.3 |"


def test_floor_is_the_work_counted_by_hand() -> None:
    """At the rates of an H200: the figures of a forward pass and a step, with nothing computed twice."""
    forward, step = floors(wan_size(WAN_14B), 20_280, Rates(700e12, 580e12, 580e12))
    assert forward == pytest.approx(1.28, abs=0.05)
    assert step == pytest.approx(3.4, abs=0.1)


@pytest.mark.parametrize("family", FAMILIES)
def test_every_family_is_measured(tmp_path: Path, capsys: pytest.CaptureFixture[str], family: str) -> None:
    """In modes fast and low by its own adapter, at the least with the same losses; each with a table of cards."""
    figures = tmp_path / "figures.json"
    main(["--family", family, "--tiny", "--modes", "fast", "low", "--steps", "1", "--json", str(figures)])
    facts = json.loads(figures.read_text())["families"][family]
    assert [(row["mode"], row["saved"]) for row in facts["rows"]] == [("fast", "everything"), ("low", "inputs")]
    assert all(row["step_s"] > 0 and row["forward_s"] > 0 and row["step_expected_gib"] > 0 for row in facts["rows"])
    first, second = (row["losses"] for row in facts["rows"])
    assert first == second and first[0] != first[1] and all(1 < loss < 10 for loss in first)
    printed = capsys.readouterr().out
    assert SUBJECTS[family].title in printed and printed.count("| fast, `everything` |") == len(CARDS)


def test_weights_of_gguf_files_are_measured_where_they_are_read(tmp_path: Path) -> None:
    """In Q4_K, with losses of a sane size, alike in all modes; a family that does not read such files has no row."""
    figures = tmp_path / "figures.json"
    short = ["--tiny", "--modes", "fast", "low", "--steps", "1", "--forwards", "1", "--weights", "gguf"]
    main(["--family", "wan22", "hunyuan_video", *short, "--json", str(figures)])
    families = json.loads(figures.read_text())["families"]
    first, second = families["wan22"]["rows"]
    assert first["weights"] == "gguf" and first["losses"] == second["losses"] and 1 < first["losses"][0] < 10
    assert families.get("hunyuan_video", {}).get("rows", []) == []
    subject = SUBJECTS["wan22"]
    native, packed = (subject.plan(subject.clip, 1, torch.bfloat16, store) for store in ("native", "gguf"))  # type: ignore[arg-type]
    assert packed.block_bytes == pytest.approx(4.5 / 16 * native.block_bytes)


def test_all_families_follow_one_another(capsys: pytest.CaptureFixture[str]) -> None:
    """Each that the project has, in one command."""
    assert SUBJECTS.keys() == FAMILIES.keys()
    main(["--family", "all", "--tiny", "--modes", "fast", "--steps", "0", "--forwards", "1"])
    printed = capsys.readouterr().out
    places = [printed.index(f"{subject.title}: 5 frames of 64x64") for subject in SUBJECTS.values()]
    assert places == sorted(places)


def test_a_row_ends_when_its_time_is_over(tmp_path: Path) -> None:
    """One pass and one step after the first are always timed, and no more where they take too long."""
    figures = tmp_path / "figures.json"
    short = ["--tiny", "--modes", "fast", "--steps", "500", "--forwards", "500", "--row-seconds", "0"]
    main([*short, "--json", str(figures)])
    (row,) = json.loads(figures.read_text())["families"]["wan"]["rows"]
    assert len(row["losses"]) == 2


@pytest.mark.parametrize(
    ("family", "parameters", "tokens"),
    [
        ("wan", 16.4e9, 20_280),
        ("wan22", 14.29e9, 20_280),
        ("wan22_ti2v", 5.0e9, 13 * 22 * 40),
        ("hunyuan_video", 12.82e9, 20_280 + 272),
        ("hunyuan_video_15", 8.33e9, 20_280 + 857),
    ],
)
def test_real_sizes_are_those_that_were_published(family: str, parameters: float, tokens: int) -> None:
    """Of the model that its config makes, of what memory is planned by, and of the floor's products."""
    subject = SUBJECTS[family]
    with init_empty_weights():
        transformer = subject.kind(**subject.config)
    counted = sum(parameter.numel() for parameter in transformer.parameters())
    assert counted == pytest.approx(parameters, rel=0.01)
    latents = subject.family.latents_shape(*subject.clip)
    needs = subject.needs(subject.config, latents, torch.bfloat16)
    assert needs.num_parameters == pytest.approx(counted, rel=0.02)
    assert subject.count_tokens(subject.clip) == tokens
    size, targets = subject.size(subject.config), subject.family.lora_targets(subject.config)
    multiplied = 0
    for name, (inner, outer) in (layer for kind in targets.layers.values() for layer in kind.items()):
        block, text = name.split(".")[0], any(part in name for part in (".add_", ".to_add_out", ".ff_context."))
        if not text and not (block == "blocks" and name.endswith((".attn2.to_k", ".attn2.to_v"))):
            multiplied += inner * outer
    assert size.num_blocks * size.multiplied == pytest.approx(multiplied, rel=1e-6)


def _cards(family: str, weights: WeightStore = "native") -> dict[str, str]:
    """Return the mode of each card, for training / generating."""
    subject = SUBJECTS[family]
    lines = show_cards(subject.plan(subject.clip, 1, torch.bfloat16, weights), weights).splitlines()
    cells = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]
    return {card: f"{training.partition(',')[0]} / {generating}" for card, training, _, generating, _ in cells}


def test_cards_get_what_the_documentation_says() -> None:
    """Wan2.1's table of docs/speed.md and that of all families, and that what may not fit is told."""
    text = (ROOT / "docs/speed.md").read_text("utf-8")
    own = dict(re.findall(r"^\| (\d+) \| (\w+ / \w+) \|", text.split("## Other families")[0], re.MULTILINE))
    assert _cards("wan") == {card: modes for card, modes in own.items() if int(card) in CARDS}
    table = text.split("## Other families")[1].split("\n## ")[0]
    rows = re.findall(r"^\| (\d+)(, `weights: gguf` in Q4_K)? \| (.*) \|$", table, re.MULTILINE)
    assert len(rows) == len(CARDS) + 2
    for card, packed, cells in rows:
        for family, cell in zip(SUBJECTS, cells.split("|"), strict=True):
            if cell.strip():
                assert _cards(family, "gguf" if packed else "native")[card] == cell.strip(), (family, card)
    longer = SUBJECTS["wan"].plan((81, 720, 1280), 1, torch.bfloat16, "native")
    assert "| 24 | low, if at all | 30.1 |" in show_cards(longer, "native")
