"""Denoisers that share the noise levels: whose turn it is, what is in memory, and what all of them are told."""

import pytest
import torch
from torch import nn

from lib.diffusion.flow_matching import shift_sigmas, spread_sigmas
from lib.models.experts import SOLE, Expert, Experts, choose_experts, expert_at

HIGH, LOW = Expert("high", 0.9, 1.0), Expert("low", 0.0, 0.9)


@pytest.mark.parametrize(("sigma", "name"), [(1.0, "high"), (0.9, "high"), (0.8999, "low"), (0.0, "low")])
def test_whose_turn_it_is(sigma: float, name: str) -> None:
    """At the boundary the first one's, in float32 too, where 0.9 is a little less."""
    assert expert_at((HIGH, LOW), sigma).name == name
    assert expert_at((HIGH, LOW), float(torch.tensor(sigma))).name == name
    assert expert_at((SOLE,), sigma) is SOLE


@pytest.mark.parametrize("keep", [True, False])
def test_what_is_in_memory_and_told(keep: bool) -> None:
    """Each is loaded when it is wanted, again where it was not kept, and always told what all were."""
    loaded, told = [], []

    def load(expert: Expert) -> nn.Module:
        loaded.append(expert.name)
        return nn.Identity()

    experts = Experts((HIGH, LOW), load, keep)
    experts.change("first", lambda expert, _: told.append(("first", expert.name)))
    experts.change("second", lambda expert, _: told.append(("second", expert.name)))
    for sigma in (1.0, 0.95, 0.5, 0.1, 1.0):
        experts.use_at(sigma)
    assert experts.current is HIGH
    assert loaded == (["high", "low"] if keep else ["high", "low", "high"])
    assert told == [(change, name) for name in loaded for change in ("first", "second")]
    experts.change("second", lambda expert, _: told.append(("again", expert.name)))
    assert told[2 * len(loaded) :] == [("again", name) for name in (("high", "low") if keep else ("high",))]


def test_ranges_must_cover_all() -> None:
    """Experts with a gap between them, or none for the end, are a bug."""
    for experts in ((HIGH,), (HIGH, Expert("low", 0.0, 0.8))):
        with pytest.raises(AssertionError):
            Experts(experts, lambda _: nn.Identity())


def test_choices() -> None:
    """Of two each has its name; of one all choices mean it."""
    assert [list(choose_experts((HIGH, LOW), name)) for name in ("all", "high_noise", "low_noise")] == [
        [HIGH, LOW],
        [HIGH],
        [LOW],
    ]
    assert all(list(choose_experts((SOLE,), name)) == [SOLE] for name in ("all", "high_noise", "low_noise"))


@pytest.mark.parametrize("shift", [0.5, 1.0, 1.7, 3.0, 5.0])
def test_an_experts_levels_are_as_dense_as_in_the_whole(shift: float) -> None:
    """Drawn in a range, sigmas are those of the whole that fall into it; of the whole itself, to the bit."""
    uniform = torch.rand(100_000, generator=torch.Generator().manual_seed(0))
    whole = spread_sigmas(uniform, shift)
    assert torch.equal(whole, shift_sigmas(uniform, shift))
    for lowest, highest in ((0.9, 1.0), (0.0, 0.9)):
        within = spread_sigmas(uniform, shift, lowest, highest)
        assert within.min() >= lowest - 1e-6 and within.max() <= highest + 1e-6
        expected = whole[(whole >= lowest) & (whole < highest)]
        for share in (0.1, 0.5, 0.9):
            assert float(within.quantile(share)) == pytest.approx(float(expected.quantile(share)), abs=0.005)
