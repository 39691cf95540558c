"""Which clips a cluster's job is about, from the command that Snakemake gives it."""

import pytest

from lib.batch.job_clips import clips_of_job

JOB = ["snakemake", "--snakefile", "Snakefile", "--mode", "remote", "--target-jobs"]


@pytest.mark.parametrize(
    ("jobs", "clips"),
    [
        (["extract_frames:clip=car-turn"], {"car-turn"}),
        (["generate:edit=red,clip=a.b_c,method=mask_lora"], {"a.b_c"}),
        (["align_edit:clip=a,edit=red", "encode_source:clip=b,mask=edit"], {"a", "b"}),
        (["report:"], None),
        (["align_edit:clip=a,edit=red", "report:"], None),
        ([], None),
    ],
)
def test_a_job_names_its_clips(jobs: list[str], clips: set[str] | None) -> None:
    """One or several; a job that names none, or none for all that is known, may be about every clip."""
    assert clips_of_job([*JOB, *jobs, "--allowed-rules", "clip=x", "--cores", "1"]) == clips
    assert clips_of_job([*JOB[:-1], "results/report/index.html"]) is None
