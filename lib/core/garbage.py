"""Free what looking at thousands of files leaves behind."""

import gc
from collections.abc import Iterable, Iterator
from typing import TypeVar

Result = TypeVar("Result")


def collecting(results: Iterable[Result], every: int) -> Iterator[Result]:
    """Pass results on, and free cyclic garbage after so many of them.

    An opened video and its decoder refer to each other, with their buffers, 0.3 MB for a small clip. Python looks for
    such garbage by the number of objects and not their size, and rarely in a process that holds as many as Snakemake.
    """
    for number, result in enumerate(results, 1):
        yield result
        if number % every == 0:
            gc.collect()
