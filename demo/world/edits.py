"""Edit scenes at random, in the ways people edit videos; the edited scene is the exact truth.

What an edit asks for can be seen in the edited first frame and in the references: an edited figure that changes
late in the clip does so only in an `evolving` edit.
"""

from dataclasses import dataclass, replace

import numpy as np

from demo.world.random_scenes import SPLITS, number_scene, place_figure
from demo.world.scenes import COLOURS, Figure, Mark, Scene, is_mover, replace_figure
from demo.world.shapes import SHAPES

EDIT_KINDS = ("replacement", "recolour", "part", "addition", "evolving")
CHANGE_FRAMES = (6, 9)  # of an evolving edit: its colour changes between them
REFERENCE_FRAME = 12  # of an evolving edit: after the change
FLIPPING_SHARE = 0.5  # of the evolving edits: the figure turns round, in the source too; else its colour fades


@dataclass(frozen=True)
class EditedScene:
    """A scene and an edit of it.

    Attributes:
        kind: one of EDIT_KINDS.
        source, edited: the scene before and after.
        figure: index of the changed or new figure in `edited`.
        references: frames whose edited picture a user could give besides frame 0.
    """

    kind: str
    source: Scene
    edited: Scene
    figure: int
    references: tuple[int, ...] = ()


def number_edit(split: str, number: int, kind: str) -> EditedScene:
    """Return a numbered scene with an edit of one kind.

    Raises:
        ValueError: there is no room to add a figure.
    """
    generator = np.random.default_rng((SPLITS[split], number, 1 + EDIT_KINDS.index(kind)))
    scene = number_scene(split, number)
    if kind == "addition":
        return add_figure(generator, scene)
    index = int(generator.choice([index for index, figure in enumerate(scene.figures) if is_mover(figure)]))
    figure = replace(scene.figures[index], late_colour=None, flips=False)
    if kind == "evolving":
        return make_evolving(generator, replace_figure(scene, index, figure), index)
    if kind == "part":  # on a plain figure, in which a mark can be seen
        shape = "circle" if figure.shape == "ring" else figure.shape
        figure = replace(figure, shape=shape, mark=None, stripe_colour=None)
    change = {"replacement": replace_shape, "recolour": recolour, "part": add_mark}[kind]
    edited = replace_figure(scene, index, change(generator, figure))
    return EditedScene(kind=kind, source=replace_figure(scene, index, figure), edited=edited, figure=index)


def number_pair(split: str, number: int) -> tuple[EditedScene, EditedScene]:
    """Return two edits of one numbered scene: another shape, and other colours of the same figure or another one."""
    generator = np.random.default_rng((SPLITS[split], number, 1 + len(EDIT_KINDS)))
    scene = number_scene(split, number)
    movers = [index for index, figure in enumerate(scene.figures) if is_mover(figure)]
    first, *others = (int(index) for index in generator.permutation(movers))
    second = others[0] if others else first
    for index in {first, second}:
        scene = replace_figure(scene, index, replace(scene.figures[index], late_colour=None, flips=False))
    pair = (("replacement", first, replace_shape), ("recolour", second, recolour))
    shape, colours = (
        EditedScene(kind, scene, replace_figure(scene, index, change(generator, scene.figures[index])), index)
        for kind, index, change in pair
    )
    return shape, colours


def replace_shape(generator: np.random.Generator, figure: Figure) -> Figure:
    """Give a figure another shape and other colours."""
    shape = str(generator.choice([name for name in SHAPES if name != figure.shape]))
    return replace(recolour(generator, figure), shape=shape)


def recolour(generator: np.random.Generator, figure: Figure) -> Figure:
    """Give a figure other colours."""
    colour, stripe_colour = other_colours(generator, figure, 2)
    return replace(figure, colour=colour, stripe_colour=stripe_colour if figure.stripe_colour else None, mark=None)


def add_mark(generator: np.random.Generator, figure: Figure) -> Figure:
    """Paint a mark on a figure."""
    (colour,) = other_colours(generator, figure, 1)
    return replace(figure, mark=Mark(str(generator.choice(list(SHAPES))), colour, radius=0.55))


def make_evolving(generator: np.random.Generator, scene: Scene, index: int) -> EditedScene:
    """Give a figure another colour, and a third one later in the clip, which the first frame does not tell.

    The colour fades, or the figure turns like a coin, in the source too, and shows a face of another colour.
    """
    start, end = (frame / (scene.num_frames - 1) for frame in CHANGE_FRAMES)
    figure = scene.figures[index]
    if generator.random() < FLIPPING_SHARE:
        figure = replace(figure, late_colour=figure.colour, late_interval=(start, end), flips=True)
    colour, late_colour = other_colours(generator, figure, 2)
    edited = replace(figure, colour=colour, late_colour=late_colour, late_interval=(start, end))
    return EditedScene(
        kind="evolving",
        source=replace_figure(scene, index, figure),
        edited=replace_figure(scene, index, replace(edited, stripe_colour=None, mark=None)),
        figure=index,
        references=(REFERENCE_FRAME,),
    )


def other_colours(generator: np.random.Generator, figure: Figure, count: int) -> list[str]:
    """Choose colours that a figure does not have."""
    names = [name for name in COLOURS if name not in (figure.colour, figure.stripe_colour)]
    return [str(name) for name in generator.choice(names, size=count, replace=False)]


def add_figure(generator: np.random.Generator, scene: Scene) -> EditedScene:
    """Put a still figure on the ground, behind all others and clear of them in the first frame."""
    figure = place_figure(generator, scene.figures, False, scene.width, scene.height)
    if figure is None:
        raise ValueError(f"no room for one more figure among {len(scene.figures)}")
    edited = replace(scene, figures=(figure, *scene.figures))
    return EditedScene(kind="addition", source=scene, edited=edited, figure=0)
