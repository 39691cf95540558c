"""Clips like footage from a camera in a hand, whose truth is known: shake, motion blur, noise, H.264 and sound.

They are made by code, so that every clone has them; real footage lies beside the checkout where there is some.
"""

from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path

import av
import cv2
import numpy as np
from numpy.typing import NDArray

from demo.make_clips import SAMPLE_RATE, tone_sweep
from demo.world.rendering import render
from demo.world.scenes import Figure, Mark, Motion, Scene, replace_figure
from lib.video.images import write_image
from lib.video.reading import read_frames

BORDER = 8  # pixels around the picture into which the shaking camera looks
SHAKE = 1.5  # pixels, standard deviation of the way from one frame to the next
PICTURES_A_FRAME, WHILE_OPEN = 4, 2  # of so many pictures in a frame's time, those that the open shutter sees
NOISE = 2.5  # grey levels, standard deviation: of a telephone in a room


@dataclass(frozen=True)
class FilmedClip:
    """A scene that is filmed, and one edit of it.

    Attributes:
        name, edit: of the folders.
        scene, edited: what is before the camera, and what the edit shows in its place.
        references: source frames that are given edited, besides frame 0.
        pixel_aspect: width of a pixel over its height.
        has_sound: whether there is a sound track.
    """

    name: str
    edit: str
    scene: Scene
    edited: Scene
    references: tuple[int, ...] = ()
    pixel_aspect: Fraction = Fraction(1)
    has_sound: bool = False


def speaker(num_frames: int, reference: int) -> FilmedClip:
    """Someone sways and turns before the camera; the red tie becomes green, shown once more in a later frame."""
    tie = Mark("cross", "red", radius=0.3, offset=(0.0, 0.3))
    motion = Motion(path=((0.42, 0.55), (0.62, 0.45), (0.5, 0.55)), radius=(0.34, 0.36), rotation=(-8, 10))
    scene = Scene((Figure("square", "black", motion, mark=tie),), "beige", 51, 176, 144, num_frames)
    green = replace(scene.figures[0], mark=replace(tie, colour="green"))
    return FilmedClip("speaker", "green-tie", scene, replace_figure(scene, 0, green), (reference,), Fraction(12, 11))


def runner(num_frames: int) -> FilmedClip:
    """Something striped comes nearer and becomes twice as large; its white becomes pink. With sound."""
    motion = Motion(path=((0.3, 0.4), (0.35, 0.45), (0.4, 0.52)), radius=(0.2, 0.3), rotation=(0, 12))
    figure = Figure("circle", "white", motion, stripe_colour="black", mark=Mark("star", "orange", radius=0.4))
    scene = Scene((figure,), "green", 52, 320, 184, num_frames, 25)
    pink = replace(scene.figures[0], colour="pink")
    return FilmedClip("runner", "pink-runner", scene, replace_figure(scene, 0, pink), has_sound=True)


def film(scene: Scene, seed: int) -> NDArray[np.uint8]:
    """Look at a scene as a camera in a hand does: (frames, height, width, 3) uint8; the same seed, the same hand."""
    rng = np.random.default_rng(seed)
    wide = replace(
        scene,
        width=scene.width + 2 * BORDER,
        height=scene.height + 2 * BORDER,
        num_frames=scene.num_frames * PICTURES_A_FRAME,
    )
    pictures = render(wide)[0].astype(np.float32)
    steps = rng.normal(0, SHAKE / PICTURES_A_FRAME**0.5, (len(pictures), 2))
    frames = []
    way = np.zeros(2)
    for index, (picture, step) in enumerate(zip(pictures, steps, strict=True)):
        way = np.clip(0.98 * way + step, 1 - BORDER, BORDER - 1)
        if index % PICTURES_A_FRAME < WHILE_OPEN:
            move = np.array([[1, 0, way[0] - BORDER], [0, 1, way[1] - BORDER]])
            frames.append(cv2.warpAffine(picture, move, (scene.width, scene.height), flags=cv2.INTER_LINEAR))
    video = np.stack(frames).reshape(scene.num_frames, WHILE_OPEN, *frames[0].shape).mean(axis=1)
    return np.clip(video + rng.normal(0, NOISE, video.shape), 0, 255).round().astype(np.uint8)


def write_filmed_clip(clip: FilmedClip, clips: Path, name: str | None = None) -> NDArray[np.bool_]:
    """Write a clip's folder, under another name if one is given.

    The edited frames are what a tool makes of the decoded ones: another thing in its place, and JPEG's marks elsewhere.

    Returns:
        Where the edit truly is, (frames, height, width) bool.
    """
    source, edited = film(clip.scene, seed=0), film(clip.edited, seed=0)
    region = np.abs(source.astype(int) - edited).max(axis=-1) > 0
    folder = clips / (name or clip.name)
    folder.mkdir(parents=True)
    _write_source(folder / "source.mp4", clip, source)
    decoded, _ = read_frames(folder / "source.mp4", list(range(clip.scene.num_frames)))
    for index in (0, *clip.references):
        name = "first_frame.png" if index == 0 else f"references/{index:05d}.png"
        picture = np.where(region[index, ..., None], edited[index], decoded[index])
        (folder / "edits" / clip.edit / name).parent.mkdir(parents=True, exist_ok=True)
        write_image(folder / "edits" / clip.edit / name, _through_jpeg(picture))
    return region


def _through_jpeg(picture: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Return a picture (height, width, 3) as a tool that works on JPEG gives it back."""
    coded = cv2.imencode(".jpg", picture[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, 92])[1]
    return np.ascontiguousarray(cv2.imdecode(coded, cv2.IMREAD_COLOR)[..., ::-1])


def _write_source(path: Path, clip: FilmedClip, video: NDArray[np.uint8]) -> None:
    """Encode as a telephone does: H.264 of middling quality, AAC where there is sound."""
    frames, height, width, _ = video.shape
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=clip.scene.fps, options={"crf": "23"})
        stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
        stream.codec_context.sample_aspect_ratio = clip.pixel_aspect
        speaker = container.add_stream("aac", rate=SAMPLE_RATE, layout="mono") if clip.has_sound else None
        for picture in video:
            container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
        container.mux(stream.encode(None))
        if speaker is not None:
            sound = tone_sweep(frames / clip.scene.fps)
            samples = av.AudioFrame.from_ndarray(sound[None], format="fltp", layout="mono")
            samples.sample_rate, samples.time_base, samples.pts = SAMPLE_RATE, Fraction(1, SAMPLE_RATE), 0
            container.mux([*speaker.encode(samples), *speaker.encode(None)])
