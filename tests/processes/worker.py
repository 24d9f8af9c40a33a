"""Trainings that test_training.py runs in one process and, through torchrun, in two.

`torchrun worker.py OUT` writes what each came to as OUT/NAME-RANK.safetensors.
"""

import math
import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path

import torch
from safetensors.torch import save_file
from torch import Tensor

from lowerbound.catalogue import assemble
from lowerbound.data import Data, Examples, Field, Schema
from lowerbound.errors import ProcessError
from lowerbound.training import Callback, Fit, State, StopTraining, fit

SCHEMA = Schema((Field("x", "real", (6,), mean=(0.0,) * 6, scale=(1.0,) * 6),), (6,))


def data(rows: int = 103, *, spoiled: bool = False) -> Data:
    x = torch.randn(rows + 64, 6, generator=torch.Generator().manual_seed(1))
    if spoiled:  # a square that float32 does not hold
        x[11] = 1e30
    parts = (Examples(x[:rows]), Examples(x[rows : rows + 32]), Examples(x[rows + 32 :]))
    return Data(SCHEMA, *parts, source="planted", fingerprint=f"{rows} {spoiled}")


def train(recipe: str = "vae", *, rows: int = 103, spoiled: bool = False, watch=(), **settings):
    resume = settings.pop("resume", None)
    built = assemble(recipe, SCHEMA, {"latents": 3, "hidden": [16], **settings}, seed=0)
    return fit(
        built.model, built.objective, data(rows, spoiled=spoiled), built.training,
        seed=None if resume else 0, callbacks=watch, resume=resume,
    )  # fmt: skip


def train_on_images(**settings) -> Fit:
    """A convolutional pair, whose weights are laid out channels last."""
    shape = (1, 8, 8)
    schema = Schema((Field("x", "binary", shape, 2),), shape)
    x = (torch.rand(103 + 64, *shape, generator=torch.Generator().manual_seed(1)) < 0.4).byte()
    parts = (Examples(x[:103]), Examples(x[103:135]), Examples(x[135:]))
    images = Data(schema, *parts, source="planted", fingerprint="images")
    chosen = {"network": "residual", "channels": 8, "latents": 3, "precision": "float32"}
    built = assemble("vae", schema, {**chosen, **settings}, seed=0)
    return fit(built.model, built.objective, images, built.training, seed=0)


def facts(result: Fit) -> dict[str, Tensor]:
    """What must not depend on how many processes there are."""
    weights = torch.cat([p.detach().flatten() for p in result.model.parameters()])
    terms = [[e.train.bound, e.train.rate, e.held_out.bound, e.skipped] for e in result.history]
    return {"weights": weights, "history": torch.tensor(terms, dtype=torch.float64)}


class Keep(Callback):
    """Keeps the state after so many updates, and may end training there, in one process."""

    def __init__(self, updates: int, *, stop_in: int | None = None, by_key: bool = False) -> None:
        self.updates, self.stop_in, self.count, self.by_key = updates, stop_in, 0, by_key
        self.state: State | None = None

    def on_step(self, step) -> None:
        self.count += 1
        if self.count == self.updates and self.stop_in == rank():
            if not self.by_key:
                raise StopTraining("enough")
            os.kill(os.getpid(), signal.SIGINT)

    def on_state(self, state: Callable[[], State], last: bool) -> None:
        if self.count == self.updates:
            self.state = state()


def rank() -> int:
    there = torch.distributed.is_initialized()
    return torch.distributed.get_rank() if there else 0


#: By name: batches of 20 leave a last one of 3; ranks then have 2 and 1, or 1 and none.
CASES: dict[str, Callable[[], Fit]] = {
    "elbo": lambda: train(epochs=3, batch_size=20),
    "a last batch of one row": lambda: train(epochs=2, batch_size=20, rows=101),
    "five draws": lambda: train("iwae", samples=5, epochs=2, batch_size=20),
    "free bits": lambda: train(free_bits=0.3, epochs=2, batch_size=20),
    "no average": lambda: train(average=None, epochs=2, batch_size=20),
    # in float32: with half the digits, sums of other lengths part sooner than the tolerance
    "large": lambda: train(hidden=[600, 500], epochs=2, batch_size=50, precision="float32"),
    "images": lambda: train_on_images(epochs=2, batch_size=20),
    "images in pieces": lambda: train_on_images(epochs=2, batch_size=20, shard=True),
    "in pieces": lambda: train(shard=True, epochs=2, batch_size=20),
    "a row that is no number": lambda: train(spoiled=True, epochs=2, batch_size=20),
    "resumed": lambda: resumed("a state"),
    "resumed in pieces": lambda: resumed("a state", shard=True),
}


def resumed(name: str, **settings) -> Fit:
    folder = Path(sys.argv[1])
    return train(epochs=3, batch_size=20, resume=read_state(folder / f"{name}"), **settings)


def write_state(path: Path, state: State) -> None:
    from lowerbound.runs.state import StateDirectory

    StateDirectory(path).save(state.tensors, state.values)


def read_state(path: Path) -> State:
    from lowerbound.runs.state import StateDirectory

    return State(*StateDirectory(path).load()[:2])


def refusals() -> str:
    """What is said where the processes were given different things."""
    said = []
    for settings in ({"learning_rate": 1e-3 * (1 + rank())}, {"rows": 103 + rank()}):
        try:
            train(epochs=1, **settings)
        except ProcessError as error:
            said.append(str(error))
    return "\n".join(said)


def main(out: Path) -> None:
    torch.distributed.init_process_group("gloo")
    for name, case in CASES.items():
        save_file(facts(case()), out / f"{name}-{rank()}.safetensors")
    (out / f"refusals-{rank()}").write_text(refusals())
    keep = Keep(4, stop_in=1)
    stopped = train(epochs=3, batch_size=20, watch=[keep])
    key = Keep(4, stop_in=1, by_key=True)
    interrupted = train(epochs=3, batch_size=20, watch=[key])
    whole = Keep(9)
    train(epochs=3, batch_size=20, watch=[whole])
    pieces = Keep(6)  # the end of an epoch, when pieces are put together
    train(epochs=3, batch_size=20, shard=True, watch=[pieces])
    if rank() == 0:
        write_state(out / "of two", whole.state)
        write_state(out / "of two in pieces", pieces.state)
    clock = train(minutes=0.01, batch_size=20)
    updates = len(clock.history) and clock.history[-1].updates
    notes = f"{stopped.stopped} {keep.count} {interrupted.stopped} {key.count} {updates} "
    notes += str(math.isfinite(clock.best.held_out.bound))
    (out / f"notes-{rank()}").write_text(notes)
    torch.distributed.destroy_process_group()


if __name__ == "__main__":
    main(Path(sys.argv[1]))
