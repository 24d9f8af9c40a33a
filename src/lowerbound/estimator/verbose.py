"""What `verbose=1` says."""

import sys

from lowerbound.training import Callback, Epoch
from lowerbound.training.callbacks import Snapshot


class EpochLines(Callback):
    """One line an epoch on stderr."""

    def on_epoch(self, epoch: Epoch, best: Snapshot) -> None:
        """Write it."""
        sys.stderr.write(
            f"epoch {epoch.epoch}: bound {epoch.train.bound:.3f} train, "
            f"{epoch.held_out.bound:.3f} validation, nats per example\n"
        )
