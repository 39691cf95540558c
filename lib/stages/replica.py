"""Be one of several processes of a job: `python -m lib.stages.replica JOB.job.json LOG`, started by torchrun."""

import sys
import traceback
from pathlib import Path

from lib.core.failures import TAIL_LINES, kind_of, read_failure, reason_of, write_failure
from lib.core.files import read_json
from lib.stages.job import call_stage, stage_of


def main(description: Path, log: Path) -> int:
    """Run the stage of a job; return the exit code.

    Args:
        description: of `lib.stages.job.job_path`.
        log: beside which to say why it failed, see `lib.core.failures`.
    """
    known = read_json(description)
    try:
        call_stage(stage_of(known), known)
    except Exception as error:
        lines = traceback.format_exc().splitlines()
        if read_failure(log) is None:  # of several, the first one's: the others only lose it
            write_failure(log, kind_of(error), reason_of(error), 1, lines[-TAIL_LINES:])
        print("\n".join(lines), flush=True)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), Path(sys.argv[2])))
