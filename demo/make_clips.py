"""Write the demo batch: `python -m demo.make_clips [--output demo/clips]`.

Four short clips in the clips-folder form, small enough to keep in the repository, that between them show every kind of
edit and use every kind of input: a figure replaced while the camera moves, one added, a part of one changed, a change
that comes late, with a reference frame and without; several edits of one clip, a portrait clip, an `edit.yaml`, a
sound track, and folder names with a space and outside ASCII.
"""

import argparse
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from demo.world.captions import caption
from demo.world.rendering import render
from demo.world.scenes import Camera, Figure, Light, Mark, Motion, Scene, replace_figure

SAMPLE_RATE = 44100  # samples per second

# No macroblock trees: with them one file in twenty differs, and `make evaluate` would take it for another clip.
X264 = {"crf": "10", "preset": "slow", "x264-params": "mbtree=0"}


@dataclass(frozen=True)
class DemoEdit:
    """An edit of a demo clip.

    Attributes:
        name: of the edit's folder.
        scene: the edited scene, the edit's exact ground truth.
        references: source frame indices given as edited frames besides frame 0.
        prompt: written to edit.yaml; None = no edit.yaml.
    """

    name: str
    scene: Scene
    references: tuple[int, ...] = ()
    prompt: str | None = None


@dataclass(frozen=True)
class DemoClip:
    """A demo clip: its folder's name, its scene, its edits, and whether it has sound."""

    name: str
    scene: Scene
    edits: tuple[DemoEdit, ...]
    has_sound: bool = False


def demo_clips() -> tuple[DemoClip, ...]:
    """List the clips of the demo batch."""
    return (star_crossing(), turning_square(), evening(), portrait_drop())


def star_crossing() -> DemoClip:
    """A red star crosses the view of a camera that pans and shakes; the edit puts a blue circle in its place."""
    star = Figure(
        shape="star",
        colour="red",
        motion=Motion(path=((0.16, 0.62), (0.45, 0.05), (0.84, 0.6)), radius=(0.18, 0.21), rotation=(-10, 130)),
    )
    still = Figure(
        shape="square", colour="gold", motion=Motion(path=((0.5, 0.78),), radius=(0.13, 0.13)), grain=8.0, depth=1.3
    )
    scene = Scene(
        figures=(still, star),
        ground="green",
        texture_seed=11,
        camera=Camera(path=((0.0, 0.0), (0.22, -0.02), (0.4, 0.05)), shake=0.015, shake_seed=3),
        light=Light(angle=225.0, slope=(0.05, 0.15), shading=0.2, shadow=0.35),
    )
    blue_circle = replace_figure(scene, 1, replace(star, shape="circle", colour="blue"))
    return DemoClip("star-crossing", scene, (DemoEdit("blue-circle", blue_circle),), has_sound=True)


def turning_square() -> DemoClip:
    """A cyan square moves left while it turns; one edit replaces it, the other puts a star on the ground behind it."""
    square = Figure(
        shape="square",
        colour="cyan",
        motion=Motion(path=((0.82, 0.35), (0.5, 1.05), (0.24, 0.64)), radius=(0.19, 0.17), rotation=(0, -150)),
    )
    scene = Scene(
        figures=(square,),
        ground="brown",
        texture_seed=22,
        num_frames=21,
        camera=Camera(zoom=1.12),
        light=Light(angle=315.0, slope=(0.2, 0.05), shading=0.15, shadow=0.3),
    )
    gold_ring = replace_figure(scene, 0, replace(square, shape="ring", colour="gold"))
    star = Figure(
        shape="star", colour="pink", motion=Motion(path=((0.17, 0.24),), radius=(0.18, 0.18), rotation=(15, 15))
    )
    pink_star = replace(scene, figures=(star, square))
    return DemoClip("turning square", scene, (DemoEdit("gold-ring", gold_ring), DemoEdit("pink-star", pink_star)))


def evening() -> DemoClip:
    """A white coin turns over in flight; edited, it is purple with an orange back, which only a reference can show."""
    coin = Figure(
        shape="circle",
        colour="white",
        motion=Motion(path=((0.16, 0.3), (0.5, 0.95), (0.84, 0.35)), radius=(0.18, 0.18), rotation=(-30, -30)),
        late_colour="white",
        late_interval=(0.25, 0.4),
        flips=True,
    )
    still = Figure(shape="triangle", colour="green", motion=Motion(path=((0.62, 0.2),), radius=(0.13, 0.13)))
    scene = Scene(
        figures=(still, coin),
        ground="blue",
        texture_seed=33,
        light=Light(angle=200.0, slope=(0.2, 0.2), shading=0.2, shadow=0.3),
    )
    edited = replace_figure(scene, 1, replace(coin, colour="purple", late_colour="orange"))
    guided = DemoEdit("purple-to-orange", edited, references=(12,))
    return DemoClip("вечер", scene, (guided, DemoEdit("purple-without-reference", edited)))


def portrait_drop() -> DemoClip:
    """A blue square falls through a portrait frame, and a hand-held camera follows; the edit paints a cross on it."""
    square = Figure(
        shape="square",
        colour="blue",
        motion=Motion(path=((0.35, 0.16), (0.75, 0.5), (0.45, 0.84)), radius=(0.24, 0.28), rotation=(10, 50)),
    )
    scene = Scene(
        figures=(square,),
        ground="beige",
        texture_seed=44,
        width=96,
        height=160,
        num_frames=30,
        fps=30,
        camera=Camera(path=((0.0, 0.0), (0.05, 0.12), (0.0, 0.3)), shake=0.02, shake_seed=8),
        light=Light(angle=250.0, slope=(0.1, 0.1), shading=0.15, shadow=0.35),
    )
    marked = replace_figure(scene, 0, replace(square, mark=Mark("cross", "white", radius=0.7)))
    return DemoClip("portrait-drop", scene, (DemoEdit("white-cross", marked, prompt=caption(marked)),))


def write_clip(clip: DemoClip, folder: Path) -> None:
    """Write one clip's source.mp4 and edits under `folder`/<clip's name>."""
    clip_folder = folder / clip.name
    clip_folder.mkdir(parents=True, exist_ok=True)
    source, _ = render(clip.scene)
    sound = tone_sweep(len(source) / clip.scene.fps) if clip.has_sound else None
    write_source(clip_folder / "source.mp4", source, clip.scene.fps, sound)
    for edit in clip.edits:
        edit_folder = clip_folder / "edits" / edit.name
        edit_folder.mkdir(parents=True, exist_ok=True)
        edited, _ = render(edit.scene)
        Image.fromarray(edited[0]).save(edit_folder / "first_frame.png", optimize=True)
        for index in edit.references:
            (edit_folder / "references").mkdir(exist_ok=True)
            Image.fromarray(edited[index]).save(edit_folder / f"references/{index:05d}.png", optimize=True)
        if edit.prompt is not None:
            (edit_folder / "edit.yaml").write_text(f"prompt: {edit.prompt}\n", encoding="utf-8")


def tone_sweep(seconds: float) -> NDArray[np.float32]:
    """Make a soft tone that rises from 220 to 440 Hz; (samples,) float, -1 to 1."""
    time = np.arange(round(seconds * SAMPLE_RATE)) / SAMPLE_RATE
    frequency = 220 * (1 + time / seconds)
    phase = 2 * np.pi * np.cumsum(frequency) / SAMPLE_RATE
    return (0.2 * np.sin(np.pi * time / seconds) * np.sin(phase)).astype(np.float32)


def write_source(path: Path, video: NDArray[np.uint8], fps: int, sound: NDArray[np.float32] | None) -> None:
    """Encode a source video as a camera would deliver it: H.264 in yuv420p, nearly lossless, AAC sound.

    Args:
        path: the .mp4 to write.
        video: (frames, height, width, 3) uint8 RGB.
        fps: frames per second.
        sound: (samples,) float, -1 to 1, at SAMPLE_RATE; None = no sound track.
    """
    frames, height, width, channels = video.shape
    with av.open(str(path), "w") as container:
        picture = container.add_stream("libx264", rate=fps, options=X264)
        picture.width, picture.height, picture.pix_fmt = width, height, "yuv420p"
        picture.codec_context.thread_count = 1  # the bitstream depends on the number of threads
        speaker = None if sound is None else container.add_stream("aac", rate=SAMPLE_RATE, layout="mono")
        for frame in video:
            container.mux(picture.encode(av.VideoFrame.from_ndarray(frame, format="rgb24")))
        container.mux(picture.encode(None))
        if sound is not None and speaker is not None:
            samples = av.AudioFrame.from_ndarray(sound[None], format="fltp", layout="mono")
            samples.sample_rate, samples.time_base, samples.pts = SAMPLE_RATE, Fraction(1, SAMPLE_RATE), 0
            container.mux(speaker.encode(samples))
            container.mux(speaker.encode(None))


def main() -> None:
    """Write every clip of the demo batch."""
    parser = argparse.ArgumentParser(description="Write the demo batch's clips.")
    parser.add_argument("--output", type=Path, default=Path("demo/clips"), help="folder to write")
    output = parser.parse_args().output
    for clip in demo_clips():
        write_clip(clip, output)
        print(f"{output / clip.name}: {len(clip.edits)} edit(s)")


if __name__ == "__main__":
    main()
