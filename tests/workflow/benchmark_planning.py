"""How long planning a large batch takes: `make benchmark-planning`.

Copies one demo clip many times and asks Snakemake for a dry run, once with nothing known about the inputs and once
with their checks remembered, each in a fresh process.
"""

import argparse
import resource
import shutil
import tempfile
import time
from pathlib import Path

from tests.conftest import ROOT
from tests.workflow.project import copy_project, run_snakemake, write_settings


def main() -> None:
    """Print one line for each size and look."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--clips", type=int, nargs="+", default=[100, 1000])
    sizes = parser.parse_args().clips
    print(f"{'clips':>6} {'inputs':>10} {'seconds':>8} {'peak MB':>8}")
    for num_clips in sizes:
        with tempfile.TemporaryDirectory() as folder:
            project = copy_project(Path(folder))
            for index in range(num_clips):
                shutil.copytree(ROOT / "demo" / "clips" / "star-crossing", project / "clips" / f"clip {index:05d}")
            write_settings(project, {"clips": "clips", "min_free_disk": 0})
            for look in ("new", "known"):
                started = time.perf_counter()
                answer = run_snakemake(project, "--dry-run", "--quiet", "all")
                seconds = time.perf_counter() - started
                assert answer.returncode == 0, answer.stdout
                peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1000
                print(f"{num_clips:>6} {look:>10} {seconds:>8.1f} {peak:>8.0f}", flush=True)


if __name__ == "__main__":
    main()
