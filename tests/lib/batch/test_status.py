"""How far a batch is, read from its files."""

import json
import os
import subprocess
import sys
from pathlib import Path

from lib.batch.files import batch_file
from lib.batch.lock import write_driver
from lib.batch.status import describe_status, read_status
from lib.core.failures import write_failure
from tests.conftest import ROOT

READ_AND_TELL = """
import sys
from pathlib import Path
results, opened = Path(sys.argv[1]), []
sys.addaudithook(lambda event, given: opened.append(given[0]) if event == "open" else None)
from lib.batch.status import describe_status, read_status
describe_status(read_status(results))
print(*sorted({name.split(".")[0] for name in sys.modules}), sum(str(path).startswith(str(results)) for path in opened))
"""


def test_status_of_a_thousand_clips_counts_right_and_opens_few_files(tmp_path: Path) -> None:
    """Done, failed and waiting clips of a batch whose driver died. From another process, which loads no heavy library
    and opens what failed, and nothing of the hundreds that went well."""
    expected = [[f"clip {index:04d}", "edit", "mask_lora"] for index in range(1000)]
    for clip, edit, method in expected[:400]:
        folder = tmp_path / clip / edit / method
        folder.mkdir(parents=True)
        (folder / "metrics.json").write_text("{}")
        (folder / "edited.mp4").touch()
    for clip, edit, _ in expected[:450]:
        log = tmp_path / "logs" / clip / edit / "generate.log"
        log.parent.mkdir(parents=True)
        log.write_text("finished in 1.0 s\n")
    write_failure(tmp_path / "logs" / "clip 0420" / "edit" / "encode_edit.edit.log", "input", "no such frame", 1, [])
    write_failure(tmp_path / "logs" / "clip 0001" / "edit" / "encode_edit.edit.log", "input", "of long ago", 1, [])
    write_driver(tmp_path, {"host": "elsewhere", "pid": 1, "started": "today", "ended": "now", "outcome": "finished"})
    names = {"clip 0420": "вечер", "clip 0420/edit": "красный"}
    plan = {"begun": 0.0, "expected": expected, "names": names, "to_do": []}
    batch_file(tmp_path, "plan.json").write_text(json.dumps(plan))
    status = read_status(tmp_path)
    assert [list(status.clips.values()).count(state) for state in ("done", "failed", "waiting")] == [400, 1, 599]
    text = describe_status(status)
    assert (
        "вечер/красный/encode_edit.edit (attempt 1): no such frame" in text
        and "of long ago" not in text
        and "./batch retry" in text
    )
    environment = {**os.environ, "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"}
    command = [ROOT / "batch", "status", "--results", tmp_path]
    answer = subprocess.run(command, capture_output=True, text=True, env=environment)
    assert answer.returncode == 0 and "400 done, 0 running, 599 waiting, 1 failed" in answer.stdout
    told = subprocess.run([sys.executable, "-c", READ_AND_TELL, tmp_path], cwd=ROOT, capture_output=True, text=True)
    *loaded, num_opened = told.stdout.split()
    assert not {"torch", "pandas", "numpy", "snakemake"} & set(loaded)
    assert 0 < int(num_opened) <= 10, told.stdout + told.stderr


def test_status_without_a_batch_says_so(tmp_path: Path) -> None:
    """No driver, no plan: a sentence, no traceback."""
    assert "No driver was started" in describe_status(read_status(tmp_path))
