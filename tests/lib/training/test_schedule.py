"""Which samples each step of a training takes."""

import pytest

from lib.training.schedule import make_schedule, shuffled_schedule


@pytest.mark.parametrize(("num_references", "source_share"), [(1, 0.1), (3, 0.1), (2, 0.5), (2, 0.0)])
def test_schedule_mixes_source_and_references(num_references: int, source_share: float) -> None:
    """The share of source steps is as asked, and references take even turns."""
    schedule = make_schedule(100, (1, 0, num_references), 0.0, 1 - source_share)
    counts = [schedule.count((index,)) for index in range(num_references + 1)]
    assert sum(counts) == 100
    assert counts[0] == round(100 * source_share)
    assert max(counts[1:]) - min(counts[1:]) <= 1


def test_schedule_mixes_copies_with_the_source_in_both_stages() -> None:
    """Copies take their share of what references leave; sample 0 is the source, 1 to 3 are copies, 4 a reference."""
    assert make_schedule(8, (1, 3, 0), 0.5) == _singles(0, 1, 0, 2, 0, 3, 0, 1)
    assert make_schedule(8, (1, 3, 1), 0.5, 0.5) == _singles(0, 4, 1, 4, 0, 4, 2, 4)


def test_windows_of_a_long_clip_take_turns() -> None:
    """Samples 0 to 2 are windows, 3 and 4 copies, 5 a reference: each kind has its share, and turns within it."""
    assert make_schedule(6, (3, 0, 0), 0.0) == _singles(0, 1, 2, 0, 1, 2)
    assert make_schedule(8, (3, 2, 1), 0.5, 0.5) == _singles(0, 5, 3, 5, 1, 5, 4, 5)


def test_stage_one_repeats_the_source() -> None:
    """Without copies and references every step is on the source clip, whatever their share would be."""
    assert make_schedule(5, (1, 0, 0), 0.5, 0.5) == [(0,)] * 5


def test_references_of_a_step_go_on_where_the_last_step_ended() -> None:
    """Three references, four draws: all take even turns. One reference: the same at four noise levels."""
    assert make_schedule(4, (1, 0, 3), 0.0, 0.75, 4) == [(0,), (1, 2, 3, 1), (2, 3, 1, 2), (3, 1, 2, 3)]
    assert make_schedule(2, (1, 0, 1), 0.0, 0.5, 4) == [(0,), (1, 1, 1, 1)]


def _singles(*samples: int) -> list[tuple[int, ...]]:
    return [(sample,) for sample in samples]


def test_a_shuffled_schedule_shows_each_sample_as_often_as_the_others() -> None:
    """All of them in each round, in an order of its own; the seed decides."""
    schedule = shuffled_schedule(6, num_samples=4, samples_per_step=2, seed=3)
    assert schedule == shuffled_schedule(6, num_samples=4, samples_per_step=2, seed=3)
    shown = [sample for step in schedule for sample in step]
    assert [sorted(shown[first : first + 4]) for first in (0, 4, 8)] == [[0, 1, 2, 3]] * 3
    assert len({tuple(shown[first : first + 4]) for first in (0, 4, 8)}) > 1
    assert shuffled_schedule(1, num_samples=2, samples_per_step=5, seed=0)[0][:2] != (0, 0)
