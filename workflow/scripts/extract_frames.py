"""Sample, resize and crop the source; keep it without loss, with its sound."""

from lib.core.files import whole_file, write_json
from lib.core.provenance import describe
from lib.stages.log import stage_log
from lib.video.extraction import extract_frames
from lib.video.probing import VideoInfo
from lib.video.writing import write_lossless, write_viewable

with stage_log(snakemake.log[0], f"extract_frames: {snakemake.wildcards.clip}", snakemake.resources.attempt):
    settings = {key.removeprefix("video."): value for key, value in snakemake.params.settings.items()}
    settings["num_frames"] = snakemake.params.num_frames
    video, sound, facts = extract_frames(snakemake.input.source, **settings)
    with whole_file(snakemake.output.video) as path:
        write_lossless(path, video, facts["times"], sound)
    with whole_file(snakemake.output.preview) as path:
        write_viewable(path, video, facts["times"], snakemake.params.crf, sound, VideoInfo(**facts["source"]))
    made = describe("extract_frames", settings, [snakemake.input.source], [snakemake.output.video])
    write_json(snakemake.output.facts, {**facts, "provenance": made})
