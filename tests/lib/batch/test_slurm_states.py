"""States of SLURM's jobs that Snakemake's plugin would misread, or wait on for ever."""

import time

from lib.batch.slurm_states import SECONDS_UNTIL_FORGOTTEN, correct_states


def test_a_job_that_slurm_forgot_is_given_up_but_not_at_once() -> None:
    """Not listed for ten minutes: failed, and said once; not listed for a moment: nothing is said of it."""
    now = time.monotonic()
    last_seen = {"1": now - SECONDS_UNTIL_FORGOTTEN - 1, "2": now - 5}
    assert correct_states({}, last_seen) == {"1": "FAILED"}
    assert set(last_seen) == {"2"}
    assert correct_states({}, last_seen) == {}


def test_a_job_preempted_for_good_has_ended() -> None:
    """PREEMPTED is listed only where preemption cancels: whoever waits for it waits for ever."""
    last_seen: dict[str, float] = {}
    assert correct_states({"1": "RUNNING", "2": "PENDING"}, last_seen) == {"1": "RUNNING", "2": "PENDING"}
    assert correct_states({"1": "PREEMPTED", "2": "COMPLETED"}, last_seen) == {"1": "CANCELLED", "2": "COMPLETED"}
    assert last_seen == {}


def test_a_failure_stays_one_where_nothing_was_preempted() -> None:
    """A job that failed by itself, or of which SLURM cannot be asked, is not queued again."""
    assert correct_states({"987654": "FAILED"}, {"987654": time.monotonic()}) == {"987654": "FAILED"}
