"""Held-out scenes by the case that they pose to the masks; case and number decide all of a scene."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from itertools import count, islice
from math import hypot

import cv2
import numpy as np
from numpy.typing import NDArray

from demo.evaluation.scenes import HEIGHT, LEAST_VISIBLE, NUM_FRAMES, WIDTH
from demo.world.edits import EDIT_KINDS, number_edit, recolour, replace_shape
from demo.world.random_scenes import SPLITS, number_scene
from demo.world.rendering import pack_scenes, render_with_masks
from demo.world.scenes import Figure, Motion, Point, Scene, is_mover, replace_figure
from demo.world.truth import edit_region

Video = NDArray[np.uint8]
Region = NDArray[np.bool_]

FIRST_NUMBER = 3_000_000  # of held-out scenes; demo.evaluation has lower ones
NUMBERS_PER_CASE = 100_000  # so that no two cases share a scene, and a cut has more of them to go on with
FIRST_STREAM = 100  # of the random numbers of the first case; demo.world.edits has lower ones
WIDE_WIDTH, WIDE_HEIGHT = 224, 134  # pixels, of the scene over which a camera pans
SHORTEST_PAN, LONGEST_PAN = 20, 40  # pixels in the whole clip
EARLIEST_CUT, LATEST_CUT = 5, 12  # first frame after the cut; the last latent frame is always wholly after it
LEAST_GRADE = 8.0  # RGB distance (0 to 441) by which a colour grade changes a pixel that counts as changed
GRADED_SHARE = 0.9  # of the first frame's pixels; a grey scene turned grey is not edited
SEPIA = ((0.393, 0.769, 0.189), (0.349, 0.686, 0.168), (0.272, 0.534, 0.131))  # the W3C filter's
LUMA = (0.299, 0.587, 0.114)  # BT.601


@dataclass(frozen=True)
class MaskScene:
    """A source video, its edit, and what is true of the two.

    Attributes:
        case: a key of CASES.
        number: in the held-out split.
        edit: how it was edited, such as "recolour".
        source, edited: as rendered, (frames, height, width, 3) uint8 RGB.
        parts: (frames, height, width) bool for each edited figure, what its edit changes.
        references: frames that are given edited besides frame 0.
        cut: first frame of another scene; None = there is no cut.
    """

    case: str
    number: int
    edit: str
    source: Video
    edited: Video
    parts: tuple[Region, ...]
    references: tuple[int, ...] = ()
    cut: int | None = None

    @property
    def name(self) -> str:
        """Case and number."""
        return f"{self.case}-{self.number}"

    @property
    def region(self) -> Region:
        """What the edit changes, (frames, height, width)."""
        return np.any(self.parts, axis=0)


def case_scenes(case: str, num_scenes: int) -> list[int]:
    """Return the numbers of a case's first usable scenes; more scenes begin with the fewer."""
    first = FIRST_NUMBER + NUMBERS_PER_CASE * list(CASES).index(case)
    usable: Iterator[int] = (number for number in count(first) if make_scene(case, number) is not None)
    return list(islice(usable, num_scenes))


def make_scene(case: str, number: int) -> MaskScene | None:
    """Make a scene; None where this number does not pose the case, or the edit is hardly visible where it is given."""
    generator = np.random.default_rng((SPLITS["held_out"], number, FIRST_STREAM + list(CASES).index(case)))
    scene = CASES[case](generator, case, number)
    if scene is None:
        return None
    seen = [part[[0, *scene.references]].sum(axis=(1, 2)).min() for part in scene.parts]
    return scene if min(seen) >= LEAST_VISIBLE else None


def _edited_as_named(_: np.random.Generator, case: str, number: int) -> MaskScene | None:
    return _numbered_edit(case, number, case)


def _remove(generator: np.random.Generator, case: str, number: int) -> MaskScene | None:
    scene = number_scene("held_out", number)
    index = int(generator.integers(len(scene.figures)))
    rest = replace(scene, figures=scene.figures[:index] + scene.figures[index + 1 :])
    return _from_scenes(case, number, "removal", scene, rest)


def _edit_two(generator: np.random.Generator, case: str, number: int) -> MaskScene | None:
    """Edit two figures at once; each is a part of the truth."""
    scene = number_scene("held_out", number)
    if len(scene.figures) < 2:
        return None
    chosen = [int(index) for index in generator.choice(len(scene.figures), size=2, replace=False)]
    for index in chosen:
        scene = _without_late_change(scene, index)
    both, edits, singles = scene, [], []
    for index in chosen:
        edit, figure = _change(generator, scene.figures[index])
        edits.append(edit)
        singles.append(replace_figure(scene, index, figure))
        both = replace_figure(both, index, figure)
    source, edited = _render(scene), _render(both)
    region = edit_region(source, edited)
    parts = [region & edit_region(source, _render(single)) for single in singles]
    parts[0] |= region & ~parts[1]  # where one figure hides the other, the two edits may bare what neither bares alone
    return MaskScene(case, number, "+".join(edits), source, edited, tuple(parts))


def _edit_leaver(generator: np.random.Generator, case: str, number: int) -> MaskScene | None:
    """Edit a mover that is wholly out of the frame halfway, and back at the end."""
    scene = replace(number_scene("held_out", number), num_frames=NUM_FRAMES)
    leavers = [index for index, figure in enumerate(scene.figures) if _leaves(figure)]
    if not leavers:
        return None
    made = _edit_one(generator, case, number, scene, int(generator.choice(leavers)))
    sizes = made.region.sum(axis=(1, 2))
    return made if sizes.min() == 0 and sizes[-1] >= LEAST_VISIBLE else None


def _edit_crosser(generator: np.random.Generator, case: str, number: int) -> MaskScene | None:
    """Edit one of two movers that meet halfway: it hides the other one or is hidden."""
    scene = replace(number_scene("held_out", number), num_frames=NUM_FRAMES)
    movers = [index for index, figure in enumerate(scene.figures) if is_mover(figure) and not _leaves(figure)]
    if len(movers) < 2:
        return None
    places = [_halfway(scene.figures[index].motion) for index in movers]
    if hypot(places[0][0] - places[1][0], places[0][1] - places[1][1]) > 1e-6:
        return None
    return _edit_one(generator, case, number, scene, int(generator.choice(movers)))


def _pan(generator: np.random.Generator, case: str, number: int) -> MaskScene | None:
    """Let the camera move: crop a window that pans over a larger scene."""
    made = _numbered_edit(case, number, str(generator.choice(EDIT_KINDS[:4])), widen=True)
    if made is None:
        return None
    offsets = _draw_pan(generator)
    source, edited = (_crop(video, offsets) for video in (made.source, made.edited))
    return replace(made, source=source, edited=edited, parts=(edit_region(source, edited),))


def _cut(generator: np.random.Generator, case: str, number: int) -> MaskScene | None:
    """Go over to another scene, which is not edited."""
    made = _numbered_edit(case, number, str(generator.choice(EDIT_KINDS[:4])))
    if made is None:
        return None
    cut = int(generator.integers(EARLIEST_CUT, LATEST_CUT + 1))
    other = _render(number_scene("held_out", number + NUMBERS_PER_CASE // 2))[: NUM_FRAMES - cut]
    source, edited = (np.concatenate([video[:cut], other]) for video in (made.source, made.edited))
    return replace(made, source=source, edited=edited, parts=(edit_region(source, edited),), cut=cut)


def _grade(generator: np.random.Generator, case: str, number: int) -> MaskScene | None:
    """Grade the colours of the whole frame in a way that no gain and bias per channel undoes."""
    source = _render(number_scene("held_out", number))
    grade = str(generator.choice(["grey", "sepia", "hue"]))
    if grade == "hue":
        edited = _turn_hue(source, int(generator.integers(40, 141)))
    else:
        edited = _mix_channels(source, SEPIA if grade == "sepia" else (LUMA, LUMA, LUMA))
    distance = np.linalg.norm(edited[0].astype(np.float32) - source[0], axis=-1)
    if (distance >= LEAST_GRADE).mean() < GRADED_SHARE:
        return None
    return MaskScene(case, number, grade, source, edited, (np.ones(source.shape[:3], np.bool_),))


CASES: dict[str, Callable[[np.random.Generator, str, int], MaskScene | None]] = {
    "replacement": _edited_as_named,
    "recolour": _edited_as_named,
    "part": _edited_as_named,
    "addition": _edited_as_named,
    "evolving": _edited_as_named,
    "removal": _remove,
    "several": _edit_two,
    "leaving": _edit_leaver,
    "crossing": _edit_crosser,
    "camera": _pan,
    "cut": _cut,
    "global": _grade,
}
"""How the scenes of each case are made from a number."""


# --- Edits ---


def _numbered_edit(case: str, number: int, kind: str, widen: bool = False) -> MaskScene | None:
    """Make a scene with one of the world's own edits; None where there is no room to add a figure."""
    try:
        made = number_edit("held_out", number, kind)
    except ValueError:
        return None
    scenes = [_widen(scene) if widen else scene for scene in (made.source, made.edited)]
    return replace(_from_scenes(case, number, kind, *scenes), references=made.references)


def _edit_one(generator: np.random.Generator, case: str, number: int, scene: Scene, index: int) -> MaskScene:
    scene = _without_late_change(scene, index)
    edit, figure = _change(generator, scene.figures[index])
    return _from_scenes(case, number, edit, scene, replace_figure(scene, index, figure))


def _change(generator: np.random.Generator, figure: Figure) -> tuple[str, Figure]:
    if generator.random() < 0.5:
        return "replacement", replace_shape(generator, figure)
    return "recolour", recolour(generator, figure)


def _without_late_change(scene: Scene, index: int) -> Scene:
    """Keep a figure as it is in the first frame, since that is all that tells its edit."""
    return replace_figure(scene, index, replace(scene.figures[index], late_colour=None, flips=False))


def _from_scenes(case: str, number: int, edit: str, source_scene: Scene, edited_scene: Scene) -> MaskScene:
    source, edited = _render(source_scene), _render(edited_scene)
    return MaskScene(case, number, edit, source, edited, (edit_region(source, edited),))


def _render(scene: Scene) -> Video:
    videos, _ = render_with_masks(pack_scenes([scene]), NUM_FRAMES)
    return videos[0].permute(1, 2, 3, 0).numpy()


# --- Motion ---


def _halfway(motion: Motion) -> Point:
    """Return where a mover is halfway through its scene, as fractions of the frame."""
    (x0, y0), (x1, y1), (x2, y2) = motion.path
    return (x0 + 2 * x1 + x2) / 4, (y0 + 2 * y1 + y2) / 4


def _leaves(figure: Figure) -> bool:
    return is_mover(figure) and not all(0 <= place <= 1 for place in _halfway(figure.motion))


def _widen(scene: Scene) -> Scene:
    """Enlarge a scene's ground, and keep its figures at their usual size in pixels."""
    shrinkage = HEIGHT / WIDE_HEIGHT
    figures = []
    for figure in scene.figures:
        first, last = figure.motion.radius
        figures.append(replace(figure, motion=replace(figure.motion, radius=(first * shrinkage, last * shrinkage))))
    return replace(scene, figures=tuple(figures), width=WIDE_WIDTH, height=WIDE_HEIGHT)


def _draw_pan(generator: np.random.Generator) -> NDArray[np.int64]:
    """Draw the left top corner of the window in each frame, (frames, 2), in whole pixels."""
    slack = np.array([WIDE_WIDTH - WIDTH, WIDE_HEIGHT - HEIGHT])
    while True:
        start, end = generator.uniform(0, slack, size=(2, 2))
        if SHORTEST_PAN <= hypot(*(end - start)) <= LONGEST_PAN:
            return np.linspace(start, end, NUM_FRAMES).round().astype(np.int64)


def _crop(video: Video, offsets: NDArray[np.int64]) -> Video:
    windows = zip(video, offsets, strict=True)
    return np.stack([frame[top : top + HEIGHT, left : left + WIDTH] for frame, (left, top) in windows])


# --- Colours ---


def _mix_channels(video: Video, rows: tuple[tuple[float, float, float], ...]) -> Video:
    return (video @ np.array(rows, np.float32).T).round().clip(0, 255).astype(np.uint8)


def _turn_hue(video: Video, steps: int) -> Video:
    """Turn the hue by steps of 2 degrees, OpenCV's unit."""
    turned = []
    for frame in video:
        colours = cv2.cvtColor(frame, cv2.COLOR_RGB2HSV)
        colours[..., 0] = (colours[..., 0].astype(int) + steps) % 180
        turned.append(cv2.cvtColor(colours, cv2.COLOR_HSV2RGB))
    return np.stack(turned)
