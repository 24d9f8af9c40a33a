"""Writing a run while it is trained: metrics, the best weights, and states to go on from."""

import math
import time
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from lowerbound.catalogue.assemble import training_to_json
from lowerbound.errors import SettingError
from lowerbound.runs.directory import RunDirectory
from lowerbound.runs.lock import Lock
from lowerbound.runs.resume import FINISHED, Resumption
from lowerbound.runs.spec import Spec
from lowerbound.training import Callback, Epoch, Fit, State, Step
from lowerbound.training.callbacks import Snapshot

#: Seconds that pass, at least, between two saves of the best weights during training.
WEIGHTS_EVERY = 10.0
#: Likewise between two saves of the state.
STATE_EVERY = 60.0


class RunWriter(Callback):
    """Writer of a run while it is being trained.

    Metrics are written every epoch, the best weights now and then. The state is saved at the end
    of the first epoch, whenever `save_every` seconds have passed, and when training ends in good
    order; saving changes no number.

    Args:
        spec: From `spec_of`.
        force: Replace an old run; it is kept until the new one has weights.
        save_every: Seconds between two states, at least 0: 0 saves one after every update.
        save_every_updates: Also save one after this number of updates, at least 1; None for time
            alone.
        keep: States that are kept, at least 1; of a finished training one.
        keep_state: True if a finished training keeps its last state, from which it could be made
            longer.

    Raises:
        OutputError: The place is taken or not writable, or the disk is full.
        SettingError: `save_every` is no number of seconds, or `save_every_updates` no number of
            updates.
    """

    def __init__(
        self,
        path: str | Path,
        spec: Spec,
        *,
        force: bool = False,
        save_every: float = STATE_EVERY,
        save_every_updates: int | None = None,
        keep: int = 2,
        keep_state: bool = True,
    ) -> None:
        self.directory, self.spec = RunDirectory(path, keep=keep), spec
        self._ready(save_every, save_every_updates, keep_state)
        self.directory.create(spec, force=force)
        self._lock = Lock(self.directory.path)

    @classmethod
    def going_on(
        cls,
        resumption: Resumption,
        *,
        save_every: float = STATE_EVERY,
        save_every_updates: int | None = None,
        keep_state: bool = True,
        command: list[str],
    ) -> "RunWriter":
        """Make the writer of a run that is taken up again.

        Its metrics become those of the state it goes on from, and its spec says so, with the
        command line. `OutputError` if another process is writing the run.
        """
        writer = cls.__new__(cls)
        writer.directory, state = resumption.directory, resumption.state
        writer._ready(save_every, save_every_updates, keep_state)
        writer._lock = Lock(writer.directory.path)
        history = () if state is None else state.history
        note = {
            "when": datetime.now(UTC).isoformat(timespec="seconds"),
            "after_epoch": len(history),
            "command": command,
        }
        writer.spec = replace(
            resumption.spec,
            training=training_to_json(resumption.assembly.training),
            result={},
            resumed=[*resumption.spec.resumed, note],
        )
        writer.directory.tidy()
        writer.directory.write_metrics(epoch.to_json() for epoch in history)
        writer.directory.write_spec(writer.spec)
        return writer

    def _ready(self, save_every: float, save_every_updates: int | None, keep_state: bool) -> None:
        self.keep_state = keep_state
        check_saving(save_every, save_every_updates)
        self.save_every, self.save_every_updates = save_every, save_every_updates
        self._updates = 0
        self._weights_saved, self._state_saved = -math.inf, time.monotonic()
        self._begun = False

    def on_step(self, step: Step) -> None:
        """Count an update."""
        self._updates += 1

    def on_epoch(self, epoch: Epoch, best: Snapshot) -> None:
        """Append the metrics; save the best weights if the last save is long ago."""
        self.directory.append_metrics(epoch.to_json())
        if epoch.best and time.monotonic() - self._weights_saved >= WEIGHTS_EVERY:
            self.directory.write_weights(best())
            self._weights_saved = time.monotonic()
        if not self._begun:
            self._begun, self._state_saved = True, -math.inf

    def on_state(self, state: Callable[[], State], last: bool) -> None:
        """Save the state if the last one is long ago, or no other will come."""
        counted = self.save_every_updates is not None and self._updates >= self.save_every_updates
        if last or counted or time.monotonic() - self._state_saved >= self.save_every:
            self._updates = 0
            now = state()
            self.directory.state.save(now.tensors, now.values)
            self._state_saved = time.monotonic()

    def finish(self, fit: Fit) -> None:
        """Save the result of the training, and let go of the run."""
        self.directory.write_weights(fit.model.state_dict())
        result: dict[str, Any] = {
            "stopped": fit.stopped,
            "epochs": len(fit.history),
            "best_epoch": None if fit.best is None else fit.best.epoch,
            "seconds": round(fit.seconds, 3),
        }
        lost = {"skipped": fit.skipped, "rollbacks": fit.rollbacks}
        result |= {name: count for name, count in lost.items() if count}
        if fit.execution is not None:
            result |= {"precision": fit.execution.precision, "compiled": fit.execution.compile}
        self.spec = replace(self.spec, result=result)
        self.directory.write_spec(self.spec)
        if fit.stopped in FINISHED:
            self.directory.state.keep_last(int(self.keep_state))
        self._lock.release(self.directory.path)

    def abandon(self) -> None:
        """Let go of the run; leave nothing behind if neither weights nor a state were saved."""
        self._lock.release(self.directory.path)
        self.directory.abandon()


def check_saving(seconds: float, updates: int | None) -> None:
    """Raise `SettingError` unless states can be saved so often."""
    if not (math.isfinite(seconds) and seconds >= 0):
        raise SettingError(f"save-every is a number of seconds of at least 0, got {seconds!r}")
    if updates is not None and updates < 1:
        raise SettingError(f"save-every-updates is a whole number of at least 1, got {updates!r}")


def save(path: str | Path, spec: Spec, fit: Fit, *, force: bool = False) -> None:
    """Write a whole run at once, after training.

    Raises:
        OutputError: The place is taken or not writable, or the disk is full.
    """
    writer = RunWriter(path, spec, force=force)
    try:
        for epoch in fit.history:
            writer.directory.append_metrics(epoch.to_json())
        writer.finish(fit)
    except BaseException:
        writer.abandon()
        raise
