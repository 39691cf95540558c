"""Several GPUs on one machine: each job sees one, and no two the same."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from lib.core.errors import InputError
from lib.execution.gpu_claims import VISIBLE, claim_gpu, claims_folder
from tests.conftest import ROOT

JOB = """
import os, sys, time
from lib.execution.gpu_claims import claim_gpu
gpu = claim_gpu(os.environ, int(sys.argv[1]))
print("has", gpu, os.environ["CUDA_VISIBLE_DEVICES"], flush=True)
time.sleep(60)
"""


def _start(home: Path, number: int, visible: str | None = None) -> subprocess.Popen[str]:
    """Start a job with a temporary folder of its own: claims must not depend on it."""
    environment = {name: value for name, value in os.environ.items() if name not in (VISIBLE, "SLURM_JOB_ID")}
    temporary = home / f"tmp-{number}"
    temporary.mkdir()
    environment |= {"HOME": str(home), "TMPDIR": str(temporary), "XDG_RUNTIME_DIR": str(temporary)}
    environment |= {VISIBLE: visible} if visible else {}
    command = [sys.executable, "-c", JOB, "2"]
    return subprocess.Popen(command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, text=True)


def _said(job: subprocess.Popen[str]) -> list[str]:
    assert job.stdout is not None
    return job.stdout.readline().split()


@pytest.mark.parametrize(("visible", "gpus"), [(None, {"0", "1"}), ("2,5", {"2", "5"})])
def test_each_job_sees_one_gpu_and_a_third_waits_for_one_that_is_killed(
    tmp_path: Path, visible: str | None, gpus: set[str]
) -> None:
    """Two jobs have the two GPUs, also those a user named; the third gets that of a job that kill -9 ended."""
    jobs = [_start(tmp_path, number, visible) for number in range(2)]
    try:
        had = [_said(job) for job in jobs]
        assert {words[1] for words in had} == gpus
        assert all(words[1] == words[2] for words in had), "each sees just its own"
        jobs.append(_start(tmp_path, 2, visible))
        assert _said(jobs[2])[:2] == ["waiting", "for"]
        jobs[0].kill()
        assert _said(jobs[2])[1] == had[0][1]
    finally:
        for job in jobs:
            job.kill()
            job.wait()


def test_the_folder_of_claims_is_the_users_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is made so; a link that was planted there is refused and not followed, and so is a folder open to others."""
    monkeypatch.setenv("HOME", str(tmp_path))
    folder = claims_folder()
    assert folder == claims_folder() and folder.stat().st_mode & 0o777 == 0o700 and folder.is_relative_to(tmp_path)
    folder.chmod(0o777)
    with pytest.raises(InputError, match="with mode 0777; expected a folder of your own with mode 0700"):
        claim_gpu({}, 1)
    assert folder.stat().st_mode & 0o777 == 0o777, "nothing is put right in silence"
    folder.rmdir()
    target = tmp_path / "target"
    target.mkdir(mode=0o755)
    folder.symlink_to(target)
    with pytest.raises(InputError, match="found a link or a file"):
        claim_gpu({}, 1)
    assert target.stat().st_mode & 0o777 == 0o755 and not list(target.iterdir())


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a folder to another user")
def test_a_folder_of_another_user_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever owns it could take every GPU."""
    monkeypatch.setenv("HOME", str(tmp_path))
    os.chown(claims_folder(), 12345, -1)
    with pytest.raises(InputError, match="found a folder of user 12345"):
        claim_gpu({}, 1)


def test_a_link_in_place_of_a_claim_is_not_followed(tmp_path: Path) -> None:
    """A file elsewhere is neither made nor locked."""
    (tmp_path / "0").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(InputError, match="found what cannot be locked .*symbolic links"):
        claim_gpu({}, 1, tmp_path)
    assert not (tmp_path / "elsewhere").exists()


def test_what_a_scheduler_gave_is_left_alone(tmp_path: Path) -> None:
    """SLURM's one GPU is used as it is, also where another job of this machine claimed that number."""
    assert claim_gpu({}, 1, tmp_path) == "0"
    given = {VISIBLE: "0", "SLURM_JOB_ID": "7"}
    assert claim_gpu(given, 1, tmp_path) is None and given[VISIBLE] == "0"


@pytest.mark.parametrize("environment", [{}, {VISIBLE: ""}, {VISIBLE: "-1"}])
def test_a_machine_without_gpus_claims_none(tmp_path: Path, environment: dict[str, str]) -> None:
    """Nothing is waited for, and the environment stays as it was."""
    before = dict(environment)
    assert claim_gpu(environment, 0 if not environment else 2, tmp_path) is None
    assert environment == before


def test_a_job_claims_once(tmp_path: Path) -> None:
    """A stage that sets torch up twice keeps the GPU it has."""
    environment: dict[str, str] = {}
    assert claim_gpu(environment, 2, tmp_path) == "0"
    assert claim_gpu(environment, 2, tmp_path) is None
    assert environment[VISIBLE] == "0"
