"""How far a long stage is: steps done, loss, and time left, a line every few seconds."""

import time

SECONDS_BETWEEN_LINES = 5.0


class Progress:
    """Steps done, loss and time left, printed to the log every few seconds.

    A class, since it remembers from when on it counts and when it last spoke.
    """

    def __init__(self, title: str, num_steps: int, num_done: int = 0) -> None:
        self.title, self.num_steps, self.num_done = title, num_steps, num_done
        self.counted_from, self.counted_since = num_done, time.perf_counter()
        self.spoke = self.counted_since

    def show(self, step: int, loss: float | None = None) -> None:
        """Print `step/num_steps`, the loss if there is one, the time of a step and the time left."""
        now = time.perf_counter()
        if now - self.spoke < SECONDS_BETWEEN_LINES and step not in (self.num_done + 1, self.num_steps):
            return
        self.spoke = now
        seconds = (now - self.counted_since) / (step - self.counted_from)
        if step == self.num_done + 1:  # it may have compiled; the time of those to come is counted without it
            self.counted_from, self.counted_since = step, now
        shown_loss = "" if loss is None else f", loss {loss:.4f}"
        shown_times = f"{seconds:.2g} s each, {format_seconds(seconds * (self.num_steps - step))} left"
        print(f"{self.title} {step}/{self.num_steps}{shown_loss}, {shown_times}", flush=True)


def format_seconds(seconds: float) -> str:
    """Write a duration for people: 12 s, 3 min 20 s, 2 h 5 min."""
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60} s"
    return f"{whole // 3600} h {whole % 3600 // 60} min"
