"""What the trainings of captioner and CLIP share: initial weights, a lesson in where the figures are, and the loop."""

from collections.abc import Callable, Iterator, Sequence
from time import perf_counter

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn

from demo.training.steps import Interruptible, capture_step, set_learning_rate
from demo.world.rendering import MAX_FIGURES
from demo.world.scenes import COLOURS, Figure, Scene
from demo.world.shapes import SHAPES

GRID = 8  # cells along each side of a frame; an image token stands for a cell
NO_CELL = -1
COLOUR_NAMES, SHAPE_NAMES = list(COLOURS), list(SHAPES)
# Of each figure: shape, colour, stripes' colour or none, mark's shape or none, mark's colour or none, place from left.
KIND_SIZES = (len(SHAPES), len(COLOURS), 1 + len(COLOURS), 1 + len(SHAPES), 1 + len(COLOURS), MAX_FIGURES)


@torch.no_grad()
def initialise_by_width(model: nn.Module, width: int) -> None:
    """Draw weights so that each layer keeps the scale of its input; the library's 0.02 suits widths near 1000."""
    for module in model.modules():
        if isinstance(module, nn.Linear | nn.Conv2d):
            nn.init.normal_(module.weight, std=module.weight[0].numel() ** -0.5)
        elif isinstance(module, nn.Embedding):
            nn.init.normal_(module.weight, std=width**-0.5)


def locate_figures(scenes: Sequence[Scene]) -> tuple[torch.Tensor, torch.Tensor]:
    """Tell what first frames show, and where, from left to right.

    Returns:
        (scenes, figures) index of the cell at each figure's centre, NO_CELL where there is no figure; and
        (scenes, figures, 6) what the figure is like, each an index below that of KIND_SIZES.
    """
    cells = np.full((len(scenes), MAX_FIGURES), NO_CELL, np.int64)
    kinds = np.zeros((len(scenes), MAX_FIGURES, len(KIND_SIZES)), np.int64)
    for row, scene in enumerate(scenes):
        from_left = sorted(scene.figures, key=lambda figure: figure.motion.path[0])  # as captions do
        for place, figure in enumerate(from_left):
            column, line = (min(max(int(share * GRID), 0), GRID - 1) for share in figure.motion.path[0])
            cells[row, place] = line * GRID + column
            kinds[row, place] = *figure_kinds(figure), place
    return torch.from_numpy(cells), torch.from_numpy(kinds)


def figure_kinds(figure: Figure) -> tuple[int, ...]:
    """List the index of each thing in KIND_SIZES but the last, 0 for none."""
    mark = figure.mark
    return (
        SHAPE_NAMES.index(figure.shape),
        COLOUR_NAMES.index(figure.colour),
        0 if figure.stripe_colour is None else 1 + COLOUR_NAMES.index(figure.stripe_colour),
        0 if mark is None else 1 + SHAPE_NAMES.index(mark.shape),
        0 if mark is None else 1 + COLOUR_NAMES.index(mark.colour),
    )


class FigureHead(nn.Module):
    """Tells from each cell's image token whether a figure's centre is there, and what the figure is like.

    It serves training only and is not kept.
    """

    def __init__(self, width: int) -> None:
        super().__init__()
        self.linear = nn.Linear(width, 1 + sum(KIND_SIZES))

    def loss(self, tokens: torch.Tensor, cells: torch.Tensor, kinds: torch.Tensor) -> torch.Tensor:
        """Return the sum of the cross-entropies.

        Args:
            tokens: (batch, GRID x GRID, width).
            cells, kinds: of the figures, see `locate_figures`.
        """
        batch, num_cells, width = tokens.shape
        logits = self.linear(tokens).float()
        is_figure = cells != NO_CELL
        holds_figure = torch.zeros(batch, num_cells + 1, device=logits.device)
        holds_figure.scatter_(1, cells.masked_fill(~is_figure, num_cells), 1.0)  # the last column: no cell
        # Weighted up: most cells are easy.
        total = GRID * F.binary_cross_entropy_with_logits(logits[..., 0], holds_figure[:, :-1])
        at_figures = logits.gather(1, cells.clamp(min=0)[..., None].expand(-1, -1, logits.shape[-1]))
        for index, answers in enumerate(at_figures[..., 1:].split(KIND_SIZES, dim=-1)):
            errors = F.cross_entropy(answers.flatten(0, 1), kinds[..., index].flatten(), reduction="none")
            total = total + (errors * is_figure.flatten()).sum() / is_figure.sum()
        return total


def repeat_step(
    step: Callable[[], torch.Tensor],
    training: Interruptible,
    peak_rate: float,
    seconds: float,
    is_recorded: bool,
) -> Iterator[str]:
    """Repeat a training step for some time; yields lines for the log.

    Args:
        step: updates the weights and returns two losses, the model's own and that of the figures.
        training: what it updates; its optimizer's learning rate is set.
        peak_rate: highest learning rate.
        seconds: of training in all, those before an interruption included.
        is_recorded: record the step as a CUDA graph, where there is a GPU.
    """
    replay, on_gpu = capture_step(step) if is_recorded else step, torch.cuda.is_available()
    spent, num_steps = training.seconds, training.steps
    started = perf_counter() - spent
    while spent < seconds:
        set_learning_rate(training.optimizer, spent / seconds, peak_rate)
        losses = replay()
        num_steps += 1
        if num_steps % 20 == 0 or not on_gpu:
            own_loss, figures_loss = losses.tolist()  # waits for the GPU, so that the clock below is right
            spent = perf_counter() - started
            if num_steps % 200 == 0 or not on_gpu:
                yield f"{spent:6.1f} s  step {num_steps:6d}  loss {own_loss:.4f}  of the figures {figures_loss:.4f}"
            training.save(spent, num_steps)
