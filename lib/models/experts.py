"""A model's denoisers: one for all noise levels, or several experts that share them, of which one is in use."""

import gc
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import nn

from lib.config.sections import ChosenExperts

THOUSANDTHS = 1000  # time steps as pipelines count them: sigma = 1 is 1000


@dataclass(frozen=True)
class Expert:
    """A denoiser and the noise levels that it is for.

    Attributes:
        name: of its folder in a model folder, and of its part of a LoRA file.
        lowest, highest: sigma; it denoises from `lowest` on, up to `highest` where another one takes over, or to 1.
    """

    name: str
    lowest: float = 0.0
    highest: float = 1.0


SOLE = Expert("transformer")
"""The denoiser of a model that has only one."""

Change = Callable[[Expert, nn.Module], None]


def expert_at(experts: Sequence[Expert], sigma: float) -> Expert:
    """Return the expert that denoises at sigma.

    Time steps are compared, rounded to what float32 tells apart, so that a step right at a boundary falls to the side
    where diffusers' pipelines have it (pipelines/wan/pipeline_wan_i2v.py, `t >= boundary_timestep`).
    """
    return next(each for each in experts if round(sigma * THOUSANDTHS, 3) >= round(each.lowest * THOUSANDTHS, 3))


def choose_experts(experts: Sequence[Expert], choice: ChosenExperts) -> Sequence[Expert]:
    """Return the experts that a setting means, of those of a model from the highest noise levels to the lowest."""
    return {"all": experts, "high_noise": experts[:1], "low_noise": experts[-1:]}[choice]


class Experts:
    """The denoisers of a model, each loaded when it is first wanted; one is in use.

    Attributes:
        all: from the highest noise levels to the lowest.
    """

    def __init__(self, experts: Sequence[Expert], load: Callable[[Expert], nn.Module], keep: bool = True) -> None:
        """Load the first expert.

        Args:
            experts: from the highest noise levels to the lowest, which between them have all.
            load: returns an expert's module, frozen and where it is to compute.
            keep: keep an expert that is not in use; if not, its memory is free before the next one is loaded.
        """
        assert [each.lowest for each in experts] == [*(each.highest for each in experts[1:]), 0.0]
        self.all = tuple(experts)
        self._load, self._keep = load, keep
        self._loaded: dict[Expert, nn.Module] = {}
        self._changes: dict[str, Change] = {}
        self._current = self.all[0]
        self.use(self._current)

    @property
    def current(self) -> Expert:
        """The one in use."""
        return self._current

    @property
    def module(self) -> nn.Module:
        """The module of the one in use."""
        return self._loaded[self._current]

    def use(self, expert: Expert) -> None:
        """Take an expert into use; what `change` did to the others is done to it where it is loaded now."""
        if expert not in self._loaded:
            if not self._keep and self._loaded:
                self._loaded.clear()
                gc.collect()  # blocks know their own forward function, and it them
                if torch.cuda.is_available():
                    torch.cuda.empty_cache()
            module = self._load(expert)
            for change in self._changes.values():
                change(expert, module)
            self._loaded[expert] = module
        self._current = expert

    def use_at(self, sigma: float) -> None:
        """Take the expert into use that denoises at sigma."""
        self.use(expert_at(self.all, sigma))

    def change(self, name: str, how: Change) -> None:
        """Do something to every expert: at once to those that are loaded, later to those that are yet to come.

        Args:
            name: of the change; another one of that name takes its place for those to come.
            how: what to do to an expert's module.
        """
        self._changes[name] = how
        for expert, module in self._loaded.items():
            how(expert, module)
