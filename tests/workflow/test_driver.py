"""The driver itself: what it costs must not grow with the jobs it has run."""

from pathlib import Path

from tests.workflow.project import copy_project, run_snakemake, write_settings

NUM_JOBS = 60
RULES = f"""

rule count_before:
    output:
        "before.txt",
    shell:
        "ls /proc/$PPID/task | wc -l > {{output}}"


rule many:
    input:
        "before.txt",
    output:
        "many/{{n}}.txt",
    shell:
        "sleep 0.5; touch {{output}}"


rule count_threads:
    input:
        expand("many/{{n}}.txt", n=range({NUM_JOBS})),
    output:
        "threads.txt",
    shell:
        "ls /proc/$PPID/task | wc -l > {{output}}"
"""


def test_the_driver_keeps_no_thread_for_each_job_that_ended(tmp_path: Path) -> None:
    """Snakemake alone would have a timer for each, and wake for each every second."""
    project = copy_project(tmp_path)
    with (project / "Snakefile").open("a") as snakefile:
        snakefile.write(RULES)
    write_settings(project, {"clips": str(Path(__file__).parents[2] / "demo" / "clips")})
    answer = run_snakemake(project, "--cores", "4", "threads.txt")
    assert answer.returncode == 0, answer.stdout
    before, after = (int((project / f"{name}.txt").read_text()) for name in ("before", "threads"))
    assert after - before < NUM_JOBS / 4
