"""A sitting: as much of a long training as there is time for today."""

import time

from lowerbound.training import Callback, StopTraining


class Pause(Callback):
    """Ends training after the first epoch that ends later than so many minutes from its start.

    What there is then was trained by the beginning of the schedule, and can be gone on with.

    Args:
        minutes: Of wall-clock time, this sitting alone.
    """

    def __init__(self, minutes: float) -> None:
        self.minutes = minutes
        self._began = time.monotonic()

    def on_start(self, epochs: int | None, per_epoch: int) -> None:
        """The clock starts."""
        self._began = time.monotonic()

    def on_epoch(self, epoch: object, best: object) -> None:
        """Stop here if the time is up."""
        if time.monotonic() - self._began >= 60 * self.minutes:
            raise StopTraining("paused")
