"""Which scenes are measured, what is true of them, and their clips as the workflow reads them."""

import shutil
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import count, cycle, islice
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from demo.make_clips import write_source
from demo.world.colour_drift import drift_colours
from demo.world.edits import EditedScene, number_edit, number_pair
from demo.world.random_scenes import FIRST_FILMED_NUMBER, number_scene
from demo.world.rendering import render
from demo.world.scenes import COLOURS, Camera, Figure
from demo.world.truth import edit_region
from lib.core.files import whole_file
from lib.metrics.background import dilate_mask

NUM_FRAMES = 17  # edited of each scene, from its first; no scene is shorter
WIDTH, HEIGHT = 160, 96  # pixels, of every scene
LATE_FRAMES = 4  # the last quarter of the clip
FIRST_NUMBER, FIRST_EVOLVING_NUMBER, FIRST_PAIR_NUMBER = 1_000_000, 2_000_000, 3_000_000
FIRST_MOVING_NUMBER = FIRST_FILMED_NUMBER + 1_000_000
"""Of held-out scenes; training measures itself on the lowest numbers."""
KINDS = ("replacement", "recolour", "part", "addition", "replacement")  # of the main set, over and over
LEAST_VISIBLE = 60  # pixels of a figure, below which it is too small to edit or to find
REGION_MARGIN = 2  # pixels by which the changed region is grown: H.264 and the VAE blur its edges
MOST_GAIN, MOST_BIAS, DRIFT_STREAM = 0.06, 8.0, 300  # of a drift of colours: about 1, levels; of random numbers
MAIN_EDITS = ("edit",)
PAIR_EDITS = ("replacement", "recolour")
WITHOUT_REFERENCE, WITH_REFERENCE = EVOLVING_EDITS = ("without-reference", "with-reference")


@dataclass(frozen=True)
class HeldOutScene:
    """A scene of the benchmark: the name of its clip, its number in the held-out split, and its edits by name."""

    name: str
    number: int
    edits: dict[str, EditedScene]

    @property
    def edit(self) -> EditedScene:
        """The first edit, which most scenes have alone."""
        return next(iter(self.edits.values()))


@dataclass(frozen=True)
class Truth:
    """What a perfect edit of a scene shows.

    Attributes:
        source, edited: (frames, height, width, 3) uint8 RGB.
        region: (frames, height, width) bool, what the edit changes, grown by REGION_MARGIN.
        backdrop: the edited video without the edited figure, of the same shape as `edited`.
        figure: (frames, height, width) bool, where the edited figure is visible.
        palette: (colours, 3) float32 RGB, 0 to 255, the edited figure's colours.
        old_palette: the same of the figure before the edit, without those it keeps; may be empty.
    """

    source: NDArray[np.uint8]
    edited: NDArray[np.uint8]
    region: NDArray[np.bool_]
    backdrop: NDArray[np.uint8]
    figure: NDArray[np.bool_]
    palette: NDArray[np.float32]
    old_palette: NDArray[np.float32]


def main_scenes(num_scenes: int) -> list[HeldOutScene]:
    """Choose the scenes of the main set; the first ones are the same whatever their number."""
    numbers = count(FIRST_NUMBER)
    return [next(_usable_scenes(numbers, kind, MAIN_EDITS)) for kind in islice(cycle(KINDS), num_scenes)]


def moving_scenes(num_scenes: int) -> list[HeldOutScene]:
    """Choose scenes with the edits of the main set, over which the camera moves; most are lit, with shadows."""
    numbers = (number for number in count(FIRST_MOVING_NUMBER) if number_scene("held_out", number).camera != Camera())
    return [next(_usable_scenes(numbers, kind, MAIN_EDITS)) for kind in islice(cycle(KINDS), num_scenes)]


def evolving_scenes(num_scenes: int) -> list[HeldOutScene]:
    """Choose scenes whose edited figure changes late in the clip, and is seen then and in the reference."""
    return list(islice(_usable_scenes(count(FIRST_EVOLVING_NUMBER), "evolving", EVOLVING_EDITS), num_scenes))


def pair_scenes(num_scenes: int) -> list[HeldOutScene]:
    """Choose scenes with two edits each, which may share a LoRA."""
    pairs = ((number, number_pair("held_out", number)) for number in count(FIRST_PAIR_NUMBER))
    usable = ((number, pair) for number, pair in pairs if all(map(is_visible, pair)))
    return [
        HeldOutScene(f"pair-{number}", number, dict(zip(PAIR_EDITS, pair, strict=True)))
        for number, pair in islice(usable, num_scenes)
    ]


def _usable_scenes(numbers: Iterator[int], kind: str, names: Sequence[str]) -> Iterator[HeldOutScene]:
    for number in numbers:
        try:
            edit = number_edit("held_out", number, kind)
        except ValueError:  # no room for one more figure
            continue
        if is_visible(edit):
            yield HeldOutScene(f"{kind}-{number}", number, dict.fromkeys(names, edit))


def is_visible(edit: EditedScene) -> bool:
    """Tell whether the edited figure can be seen in each frame that the edit is given or, if it evolves, judged by."""
    needed = [0, *edit.references]
    if edit.references:
        needed += range(NUM_FRAMES - LATE_FRAMES, NUM_FRAMES)
    visible = render(edit.edited)[1][edit.figure, needed]  # (needed frames, height, width)
    return bool((visible.sum(axis=(1, 2)) >= LEAST_VISIBLE).all())


def render_truth(edit: EditedScene) -> Truth:
    """Render what a perfect edit of a scene shows, in the frames that are edited."""
    figures = edit.edited.figures
    colours = _figure_colours(figures[edit.figure])
    old_colours = set() if edit.kind == "addition" else _figure_colours(edit.source.figures[edit.figure]) - colours
    others = replace(edit.edited, figures=figures[: edit.figure] + figures[edit.figure + 1 :])
    source, backdrop = (render(scene)[0][:NUM_FRAMES] for scene in (edit.source, others))
    edited, visible = render(edit.edited)
    edited = edited[:NUM_FRAMES]
    return Truth(
        source=source,
        edited=edited,
        region=dilate_mask(edit_region(source, edited), REGION_MARGIN),
        backdrop=backdrop,
        figure=visible[edit.figure, :NUM_FRAMES],
        palette=_as_palette(colours),
        old_palette=_as_palette(old_colours),
    )


def _figure_colours(figure: Figure) -> set[str]:
    mark_colour = figure.mark.colour if figure.mark else None
    return {name for name in (figure.colour, figure.late_colour, figure.stripe_colour, mark_colour) if name}


def _as_palette(names: set[str]) -> NDArray[np.float32]:
    return np.array([COLOURS[name] for name in sorted(names)], np.float32).reshape(-1, 3)


def with_read_source(truth: Truth, source: NDArray[np.uint8]) -> Truth:
    """Put the source as the workflow read it, after H.264, in place of the rendered one, and round the edit too."""
    assert source.shape == truth.source.shape, (source.shape, truth.source.shape)
    return replace(truth, source=source, edited=np.where(truth.region[..., None], truth.edited, source))


def write_batch(scenes: Sequence[HeldOutScene], edits: Sequence[str], folder: Path, drifted: bool = False) -> Path:
    """Write the scenes' clips and the sheet that lists them; files that would not change are left alone.

    Args:
        scenes: to write.
        edits: names of the edits of each; WITH_REFERENCE is given the scene's references.
        folder: to write clips.tsv and clips/ in.
        drifted: let the colours of edited first frames drift.

    Returns:
        The sheet.
    """
    lines = ["clip\tsource\tedit\tfirst_frame\treferences"]
    for scene in scenes:
        clip = f"clips/{scene.name}"
        references = [f"{clip}/{index:05d}.png" for index in scene.edit.references]
        _write_scene(scene, folder / clip, drifted)
        for edit in edits:
            given = ";".join(references) if edit == WITH_REFERENCE else ""
            lines.append(f"{scene.name}\t{clip}/source.mp4\t{edit}\t{clip}/{_first_frame(scene, edit)}\t{given}")
    sheet = folder / "clips.tsv"
    sheet.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return sheet


def _first_frame(scene: HeldOutScene, name: str) -> str:
    return "first_frame.png" if scene.edits[name] is scene.edit else f"{name}.png"


def _write_scene(scene: HeldOutScene, folder: Path, drifted: bool) -> None:
    """Write source.mp4, the edited first frames and the references of a scene."""
    scratch = folder / "scratch"
    scratch.mkdir(parents=True, exist_ok=True)
    write_source(scratch / "source.mp4", render(scene.edit.source)[0], scene.edit.source.fps, None)
    for name, edit in scene.edits.items():
        edited = render(edit.edited)[0]
        generator = np.random.default_rng((scene.number, DRIFT_STREAM))
        first_frame = drift_colours(edited[0], generator, MOST_GAIN, MOST_BIAS) if drifted else edited[0]
        Image.fromarray(first_frame).save(scratch / _first_frame(scene, name))
        for index in edit.references:
            Image.fromarray(edited[index]).save(scratch / f"{index:05d}.png")
    for path in scratch.iterdir():
        _put(path, folder / path.name)
    shutil.rmtree(scratch)


def _put(made: Path, path: Path) -> None:
    """Write a file's content elsewhere unless it is there already: a newer file would run its clip again."""
    content = made.read_bytes()
    if not path.exists() or path.read_bytes() != content:
        with whole_file(path) as temporary:
            temporary.write_bytes(content)
