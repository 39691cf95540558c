"""Which of several tries is taken, and when none is."""

import numpy as np

from lib.editors.tries import Try, measure_try, rank_tries, why_no_try


def _picture() -> np.ndarray:
    picture = np.full((96, 160, 3), 60, np.uint8)
    picture[:, 80:] = 120
    return picture


def test_a_try_is_measured_inside_and_outside_its_region() -> None:
    """Change is that of the picture which is taken, drift outside that of the one which was made."""
    source, region = _picture(), np.zeros((96, 160), np.bool_)
    region[20:60, 20:60] = True
    made = source + np.uint8(10)
    made[20:60, 20:60] = (250, 30, 30)
    taken = np.where(region[..., None], made, source)
    measured = measure_try(3, source, made, taken, region, threshold=6)
    assert measured.seed == 3 and abs(measured.changed_share - 1600 / (96 * 160)) < 0.02
    assert measured.outside_delta_e and measured.outside_delta_e > 2 and measured.outside_share is not None
    whole = measure_try(3, source, source, source, None, threshold=6)
    assert whole.changed_share == 0 and whole.outside_delta_e is None


def test_the_best_by_mean_rank_comes_first() -> None:
    """Nearest to the words, least beside them, no stray; one without change is last whatever else it has."""
    tries = [
        Try(0, 0.2, 4.0, 0.3, 0.01),
        Try(1, 0.0, 0.0, 0.0, 0.09),
        Try(2, 0.21, 1.0, 0.1, 0.03),
        Try(3, 0.6, 2.0, 0.2, 0.02),
    ]
    assert rank_tries(tries, 1.0) == [2, 3, 0, 1]
    assert rank_tries(tries[:1], 1.0) == [0]
    assert rank_tries([Try(0, 0.2), Try(1, 0.2)], 1.0) == [0, 1]


def test_where_a_part_is_meant_a_whole_change_is_no_edit() -> None:
    """Neither is none; each is said with the instruction."""
    whole, none, part = Try(0, 0.9), Try(1, 0.0), Try(2, 0.3)
    assert rank_tries([whole, none, part], 0.65)[0] == 2 and why_no_try([whole, none, part], 0.65, "x") is None
    assert why_no_try([whole], 1.0, "x") is None
    assert "no change in any of 1 frame that" in str(why_no_try([none], 1.0, "make it red"))
    problem = str(why_no_try([whole, none], 0.65, "make it red"))
    assert "instruction 'make it red'" in problem and "90%" in problem and "65%" in problem
