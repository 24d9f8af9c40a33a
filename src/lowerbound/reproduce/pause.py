"""A sitting: as much of a long training as there is time for today."""

import time

from lowerbound.training import Callback, Epoch, StopTraining


class Pause(Callback):
    """Ends training after the first epoch that ends later than so many minutes from its start.

    The weights were then trained by the beginning of the schedule, and training can go on from
    them. The last epoch is no pause.
    """

    def __init__(self, minutes: float) -> None:
        self.minutes = minutes
        self._began = time.monotonic()
        self._epochs: int | None = None

    def on_start(self, epochs: int | None, per_epoch: int) -> None:
        """Start the clock."""
        self._began, self._epochs = time.monotonic(), epochs

    def on_epoch(self, epoch: Epoch, best: object) -> None:
        """Stop here if the time is up."""
        if epoch.epoch == self._epochs:
            return
        if time.monotonic() - self._began >= 60 * self.minutes:
            raise StopTraining("paused")
