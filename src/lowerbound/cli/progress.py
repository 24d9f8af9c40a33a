"""Progress of a training: a bar on a terminal, a line now and then elsewhere; always on stderr."""

import time
from datetime import timedelta

from rich.progress import BarColumn, Progress, TaskID, TextColumn

from lowerbound.cli.console import console, tell
from lowerbound.cli.fit_words import lost
from lowerbound.training import Callback, Epoch, Execution, Step

#: Seconds between two looks at the numbers, and between two lines where there is no terminal.
LOOK, LINE = 0.25, 5.0


class TrainingProgress(Callback):
    """A display of epoch, bound, rate, distortion, examples a second and the time left.

    The numbers are those of the validation split after the last epoch; during the first epoch,
    those of the training examples so far.
    """

    def __init__(self) -> None:
        self.screen = console(stderr=True)
        self.bar: Progress | None = None
        self.task = TaskID(0)
        self.epochs: int | None = None
        self.last: Epoch | None = None
        self.began = self.looked = self.lined = time.monotonic()
        self.shown = 0
        self.begun_at: float | None = None  # above 0 where a training is resumed

    def on_execution(self, execution: Execution) -> None:
        """Say why nothing will move at first."""
        if execution.compile:
            tell("compiling first, once, which takes a while (compile=off does without)")

    def on_start(self, epochs: int | None, per_epoch: int) -> None:
        """Put up the bar."""
        self.epochs = epochs
        self.began = time.monotonic()
        self.lined = self.began - LINE
        if not self.screen.is_terminal:
            return
        columns = [
            TextColumn("{task.fields[epoch]}", markup=False),
            BarColumn(bar_width=None),
            TextColumn("{task.fields[numbers]}", markup=False),
            TextColumn("{task.fields[left]}", markup=False),
            TextColumn("  "),  # room for the ^C that a terminal echoes
        ]
        self.bar = Progress(*columns, console=self.screen, refresh_per_second=4, transient=True)
        self.task = self.bar.add_task("", total=1.0, epoch=self._epoch(1), numbers="", left="")
        self.bar.start()

    def on_step(self, step: Step) -> None:
        """Move the bar, a few times a second at most."""
        now = time.monotonic()
        if self.bar is None or now - self.looked < LOOK:
            return
        self.looked = now
        if self.last is None:  # reading sums waits for the device: seldom, and in one epoch only
            *sums, count = step.sums.tolist()
            bound, distortion, rate = (total / max(count, 1.0) for total in sums)
            speed = step.examples / max(now - self.began, 1e-9)
            numbers = _numbers(bound, rate, distortion, speed)
        else:
            numbers = _line(self.last)
        if self.begun_at is None:
            self.begun_at = step.fraction
        gone = (step.fraction - self.begun_at) / max(1.0 - self.begun_at, 1e-9)
        self.bar.update(
            self.task, completed=step.fraction, epoch=self._epoch(step.epoch), numbers=numbers,
            left=time_left(now - self.began, gone),
        )  # fmt: skip

    def on_epoch(self, epoch: Epoch, best: object) -> None:
        """Take the new numbers; without a terminal, print them if the last line is old."""
        self.last = epoch
        if epoch.skipped or epoch.rollbacks:
            tell(f"{self._epoch(epoch.epoch)}{lost(epoch)}")
        now = time.monotonic()
        if self.bar is None and now - self.lined >= LINE:
            self.lined = now
            self._print(epoch)

    def on_end(self, stopped: str) -> None:
        """Take the bar down and leave the last numbers."""
        self.close()
        if self.last is not None and self.shown != self.last.epoch:
            self._print(self.last)

    def close(self) -> None:
        """Take the bar down, however training ended."""
        if self.bar is not None:
            self.bar.stop()
            self.bar = None

    def _print(self, epoch: Epoch) -> None:
        self.shown = epoch.epoch
        tell(f"{self._epoch(epoch.epoch)}  {_line(epoch)}")

    def _epoch(self, number: int) -> str:
        if self.epochs is None:
            return f"epoch {number}"
        return f"epoch {number:>{len(str(self.epochs))}}/{self.epochs}"


def time_left(elapsed: float, fraction: float) -> str:
    """Estimate the time that is left from the time it took so far.

    Example:
        >>> time_left(60.0, 0.25)
        '3:00 left'
    """
    if fraction <= 0.0 or elapsed < 1.0:
        return ""
    text = str(timedelta(seconds=round(elapsed * (1.0 - fraction) / fraction)))
    return f"{text.removeprefix('0:').removeprefix('0')} left"


def _line(epoch: Epoch) -> str:
    held = epoch.held_out
    return _numbers(held.bound, held.rate, held.distortion, epoch.examples_per_second)


def _numbers(bound: float, rate: float, distortion: float, speed: float) -> str:
    return f"bound {bound:.1f}  rate {rate:.1f}  distortion {distortion:.1f}  {speed:,.0f}/s"
