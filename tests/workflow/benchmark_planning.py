"""How long planning a large batch takes: `make benchmark-planning`.

Links one demo clip many times. Nothing is computed: a finished batch is made of empty files and short logs. Each
figure is of fresh processes, the memory that of the largest. On a busy machine (its load is shown) only the CPU seconds
can be compared.

bare, new           snakemake -n, nothing known about the inputs
bare, known         the same, with the checks of the inputs remembered
bare, finished      the same, when all is made
start               ./batch start, until its first job
all slices          ./batch start, until each slice was planned, when all is made but ./batch does not know it yet
nothing to do       ./batch resume, when all is made and known
status, done        ./batch status of that batch
status, half        the same, when the second half of the clips was taken away
resume, half        ./batch resume of that half, until its first job
"""

import argparse
import os
import resource
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import traceback
from collections.abc import Callable
from pathlib import Path

from lib.batch.files import batch_file
from lib.core.files import read_json_or_nothing
from lib.core.project import ROOT
from tests.workflow.project import ENVIRONMENT, copy_project, run_snakemake, write_settings

CLIP, EDIT = ROOT / "demo" / "clips" / "star-crossing", "blue-circle"
LOGS = (  # of the twelve jobs of a clip of one edit without references, below logs/CLIP
    *("extract_frames", "caption_source", "detect_objects", "measure_source", "encode_source.edit"),
    *("train_lora_decouple.edit", f"{EDIT}/align_edit", f"{EDIT}/caption_edit", f"{EDIT}/segment_masks"),
    *(f"{EDIT}/encode_edit.edit", f"{EDIT}/mask_lora/generate", f"{EDIT}/mask_lora/evaluate"),
)


def main() -> None:
    """Print one line for each size and look."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--clips", type=int, nargs="+", default=[100, 1000])
    parser.add_argument("--only-batch", action="store_true", help="leave out the bare Snakemake")
    given = parser.parse_args()
    print(f"{'clips':>6} {'look':>14} {'seconds':>8} {'CPU s':>8} {'peak MB':>8} {'load':>6}")
    for num_clips in given.clips:
        with tempfile.TemporaryDirectory() as folder:
            project = copy_project(Path(folder))
            (project / ".venv").symlink_to(sys.prefix)
            write_settings(project, {"clips": "clips", "min_free_disk": 0})
            _measure(project, num_clips, given.only_batch)


def _measure(project: Path, num_clips: int, only_batch: bool) -> None:
    clips = [f"clip-{index:05d}" for index in range(num_clips)]
    shutil.copytree(CLIP, project / "clips" / clips[0])
    outputs = _outputs_of_one(project)
    for clip in clips[1:]:
        shutil.copytree(project / "clips" / clips[0], project / "clips" / clip, copy_function=os.link)
    _show(num_clips, "start", lambda: _start_and_stop(project, "start", "--configfile", "my.yaml"))
    if not only_batch:
        shutil.rmtree(project / ".snakemake" / "input_checks")
        _show(num_clips, "bare, new", lambda: _dry_run(project))
        _show(num_clips, "bare, known", lambda: _dry_run(project))
    made = time.time()
    for name in {name.replace(clips[0], clip) for clip in clips for name in outputs}:
        _touch(project / name, made)
    for clip in clips:
        _write_logs(project / "results", clip)
    _show(num_clips, "all slices", lambda: _batch(project, "start", "--configfile", "my.yaml"))
    _show(num_clips, "nothing to do", lambda: _batch(project, "resume"))
    if not only_batch:
        _show(num_clips, "bare, finished", lambda: _dry_run(project))
    _show(num_clips, "status, done", lambda: _batch(project, "status"))
    (project / "away").mkdir()
    for clip in clips[num_clips // 2 :]:  # renamed: to delete a million files takes longer than all looks
        (project / "results" / clip).rename(project / "away" / clip)
        (project / "results" / "logs" / clip).rename(project / "away" / f"{clip}.logs")
    _show(num_clips, "status, half", lambda: _batch(project, "status"))
    _show(num_clips, "resume, half", lambda: _start_and_stop(project, "resume"))


def _outputs_of_one(project: Path) -> list[str]:
    """Return the files that one clip becomes, and the report's."""
    answer = run_snakemake(project, "--summary", "--quiet", "all")
    assert answer.returncode == 0, answer.stdout
    return [line.split("\t")[0] for line in answer.stdout.splitlines() if line.startswith("results/")]


def _touch(path: Path, made: float) -> None:
    if path.suffix:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    else:
        path.mkdir(parents=True, exist_ok=True)
    os.utime(path, (made, made))


def _write_logs(results: Path, clip: str) -> None:
    """Leave what the jobs of a clip leave beside their results: a log, a job file and a benchmark of each."""
    for name in LOGS:
        for path in (f"logs/{clip}/{name}.log", f"logs/{clip}/{name}.job.json", f"benchmarks/{clip}/{name}.tsv"):
            (results / path).parent.mkdir(parents=True, exist_ok=True)
            (results / path).write_text("finished in 1.0 s\n")


def _show(num_clips: int, look: str, run: Callable[[], float]) -> None:
    """Run something in a process that counts its children's memory alone; print its time, memory and the load."""
    child = os.fork()
    if child == 0:
        try:
            seconds = run()
            used = resource.getrusage(resource.RUSAGE_CHILDREN)
            figures = f"{seconds:>8.1f} {used.ru_utime + used.ru_stime:>8.1f} {used.ru_maxrss / 1000:>8.0f}"
            print(f"{num_clips:>6} {look:>14} {figures} {os.getloadavg()[0]:>6.1f}", flush=True)
        except BaseException:
            traceback.print_exc()
            os._exit(1)
        os._exit(0)
    assert os.waitpid(child, 0)[1] == 0, look


def _dry_run(project: Path) -> float:
    started = time.perf_counter()
    answer = run_snakemake(project, "--dry-run", "--quiet", "all")
    assert answer.returncode == 0, answer.stdout
    return time.perf_counter() - started


def _start_and_stop(project: Path, *verb: str) -> float:
    """Start or resume a batch, and stop it when its first job begins."""
    words = ["./batch", *verb, "--foreground"]
    batch_file(project / "results", "plan.json").unlink(missing_ok=True)
    started = time.perf_counter()
    driver = subprocess.Popen(words, cwd=project, env=ENVIRONMENT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    while not (plan := read_json_or_nothing(batch_file(project / "results", "plan.json"))).get("to_do"):
        assert driver.poll() is None, plan
        time.sleep(0.1)
    seconds = time.perf_counter() - started
    driver.send_signal(signal.SIGTERM)
    driver.wait()
    return seconds


def _batch(project: Path, verb: str, *options: str) -> float:
    started = time.perf_counter()
    words = ["./batch", verb, *["--foreground"] * (verb != "status"), *options]
    answer = subprocess.run(words, cwd=project, env=ENVIRONMENT, capture_output=True, text=True)
    assert answer.returncode == 0, answer.stdout[-3000:] + answer.stderr[-3000:]
    return time.perf_counter() - started


if __name__ == "__main__":
    main()
