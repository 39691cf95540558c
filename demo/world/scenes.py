"""What a clip of the procedural world shows: figures that move over a textured ground, and how they are filmed.

An edit of a clip is the same scene with some attributes changed (`dataclasses.replace`), so rendering both gives the
edited video pixel for pixel.
"""

from dataclasses import dataclass, replace

Point = tuple[float, float]

# sRGB, 0 to 255. Saturated, so that a figure stands out from the muted grounds below.
COLOURS: dict[str, tuple[int, int, int]] = {
    "red": (220, 38, 38),
    "orange": (245, 130, 32),
    "gold": (250, 200, 40),
    "green": (40, 180, 75),
    "cyan": (40, 205, 215),
    "blue": (45, 85, 225),
    "purple": (135, 50, 185),
    "pink": (245, 125, 185),
    "white": (245, 245, 245),
    "black": (22, 22, 26),
}
GROUNDS: dict[str, tuple[int, int, int]] = {
    "grey": (118, 120, 124),
    "green": (92, 122, 88),
    "brown": (124, 100, 78),
    "blue": (88, 108, 136),
    "beige": (172, 156, 130),
}


@dataclass(frozen=True)
class Motion:
    """Where a figure is, how large and how turned; time runs from 0 (first frame) to 1 (last frame).

    Attributes:
        path: one to three Bezier control points, (x, y) as fractions of the frame's width and height; one = still.
        radius: at the first and the last frame, as a fraction of the frame's shorter side.
        rotation: at the first and the last frame, in degrees, clockwise on the screen.
    """

    path: tuple[Point, ...]
    radius: tuple[float, float] = (0.17, 0.17)
    rotation: tuple[float, float] = (0.0, 0.0)


@dataclass(frozen=True)
class Mark:
    """A small shape painted on a figure, which it follows.

    Attributes:
        shape: a key of demo.world.shapes.SHAPES.
        colour: a key of COLOURS.
        radius: as a fraction of the figure's radius.
        offset: (x, y) from the figure's centre, as a fraction of the figure's radius, turning with it.
    """

    shape: str
    colour: str
    radius: float = 0.5
    offset: Point = (0.0, 0.0)


@dataclass(frozen=True)
class Figure:
    """A shape, its appearance and its motion.

    Attributes:
        shape: a key of demo.world.shapes.SHAPES.
        colour: a key of COLOURS.
        stripe_colour: a key of COLOURS; None = solid.
        late_colour: a key of COLOURS that `colour` becomes over `late_interval`; None = constant.
        late_interval: start and end of that change, in clip time (0 to 1).
        flips: over `late_interval` the figure turns like a coin and shows its other face, which has the late colour
            and neither stripes nor mark; False = the colour fades.
        mark: painted on top.
        grain: strength of a fine pattern on it, in grey levels; 0 = none.
        grain_seed: of that pattern.
        depth: of a still figure; how far it goes by when the camera moves, where the ground goes 1.
    """

    shape: str
    colour: str
    motion: Motion
    stripe_colour: str | None = None
    late_colour: str | None = None
    late_interval: tuple[float, float] = (0.3, 0.5)
    flips: bool = False
    mark: Mark | None = None
    grain: float = 0.0
    grain_seed: int = 0
    depth: float = 1.0


@dataclass(frozen=True)
class Camera:
    """How the view moves over the ground and the figures that stand on it; the others' paths say how they are seen.

    In the first frame it is at rest, so that places in that frame are what paths begin with.

    Attributes:
        path: one to three Bezier control points of its place, (x, y) in shorter sides; the first is (0, 0).
        zoom: at the last frame; 1 at the first; above 1 = things grow.
        shake: furthest that an unsteady hand moves it, in shorter sides; figures that move are shaken too.
        shake_seed: of that.
    """

    path: tuple[Point, ...] = ((0.0, 0.0),)
    zoom: float = 1.0
    shake: float = 0.0
    shake_seed: int = 0


@dataclass(frozen=True)
class Light:
    """Light from one side, which may wax and wane.

    Attributes:
        angle: of where it comes from, in degrees; 0 = from the right, 90 = from below.
        slope: brightness gained over a shorter side towards it, at the first and the last frame.
        shading: how much brighter a figure is at the side of the light, and darker at the other.
        shadow: darkness of the soft shadows that figures throw, 0 to 1.
    """

    angle: float = 225.0
    slope: tuple[float, float] = (0.0, 0.0)
    shading: float = 0.0
    shadow: float = 0.0


@dataclass(frozen=True)
class Scene:
    """Everything a clip shows.

    Attributes:
        figures: from the back to the front.
        ground: a key of GROUNDS.
        texture_seed: of the ground's texture.
        width, height: pixels.
        num_frames: frames.
        fps: frames per second.
        camera, light: how it is filmed.
    """

    figures: tuple[Figure, ...]
    ground: str = "grey"
    texture_seed: int = 0
    width: int = 160
    height: int = 96
    num_frames: int = 25
    fps: int = 24
    camera: Camera = Camera()
    light: Light = Light()


def replace_figure(scene: Scene, index: int, figure: Figure) -> Scene:
    """Return the scene with one figure replaced."""
    return replace(scene, figures=scene.figures[:index] + (figure,) + scene.figures[index + 1 :])


def is_mover(figure: Figure) -> bool:
    """Tell whether a figure moves."""
    return len(figure.motion.path) > 1
