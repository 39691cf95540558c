"""Measure of a clip what its edits are compared with, once for all edits and methods."""

from pathlib import Path

from lib.config.sections import MetricsSection, ModelSection
from lib.core.files import whole_file
from lib.inputs.checkpoints import resolve_path
from lib.metrics.motion import measure_motion
from lib.metrics.similarity import embed_frames, load_clip
from lib.metrics.source import SourceMeasures, save_measures
from lib.stages.job import Files, Job, Params
from lib.stages.model import load_vae
from lib.video.arrays import to_decoded_video, to_model_video
from lib.video.reading import read_video
from lib.video.writing import write_lossless


class Inputs(Files):
    """The clip at the model's size, and its facts."""

    video: Path
    facts: Path


class Outputs(Files):
    """The clip sent through the VAE, without loss; CLIP embeddings of both; the clip's motion."""

    round_trip: Path
    embeddings: Path
    motion: Path


class MeasureSource(Params):
    """model: name, family, device and download, of the VAE; metrics: clip_model."""

    model: ModelSection
    metrics: MetricsSection


def measure_source(inputs: Inputs, outputs: Outputs, params: MeasureSource, job: Job) -> None:
    """Write the VAE round trip of a clip, its motion, and the CLIP embeddings of both."""
    model, device = load_vae(params.model, job)
    source = read_video(inputs.video)
    round_trip = to_decoded_video(model.decode_latents(model.encode_video(to_model_video(source))))
    clip = load_clip(resolve_path(params.metrics.clip_model), device, params.model.download)
    flows, visible = measure_motion(source)
    measures = SourceMeasures(
        flows=flows,
        visible=visible,
        source_embeddings=embed_frames(source, clip),
        round_trip_embeddings=embed_frames(round_trip, clip),
    )
    with whole_file(outputs.round_trip) as path:
        write_lossless(path, round_trip, [float(index) for index in range(len(round_trip))])
    save_measures(measures, outputs.embeddings, outputs.motion)
