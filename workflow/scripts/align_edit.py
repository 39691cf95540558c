"""Bring an edited first frame and its references to the source's crop."""

from lib.core.files import read_json, whole_folder
from lib.stages.log import stage_log
from lib.video.alignment import align_edited_frame
from lib.video.images import write_image

wildcards = snakemake.wildcards
with stage_log(snakemake.log[0], f"align_edit: {wildcards.clip}, {wildcards.edit}", snakemake.resources.attempt):
    crop = read_json(snakemake.input.facts)["crop"]
    write_image(snakemake.output.first_frame, align_edited_frame(snakemake.input.first_frame, crop))
    with whole_folder(snakemake.output.references) as folder:
        for index, reference in zip(snakemake.params.indices, snakemake.input.references, strict=True):
            write_image(folder / f"{index:05d}.png", align_edited_frame(reference, crop))
