"""Training from disk: the numbers of a training in memory, and exact resume inside an epoch."""

import copy
import threading
from collections.abc import Generator
from contextlib import suppress

import numpy as np
import pytest
import torch

from lowerbound.catalogue import assemble
from lowerbound.data import Batch, Data, Examples, read
from lowerbound.data import rows as data_rows
from lowerbound.data.packed import window
from lowerbound.data.packed.window import sliding_order
from lowerbound.errors import DataError
from lowerbound.objectives import ELBO
from lowerbound.training import Callback, State, StopTraining, Training, fit

TRAINING = Training(epochs=2, batch_size=32, learning_rate=1e-2)


@pytest.fixture
def stored(tmp_path, monkeypatch) -> Data:
    """320 training examples in blocks of 5, of which 8 are open at a time."""
    monkeypatch.setattr(data_rows, "BLOCK_BYTES", 5 * 12)
    monkeypatch.setattr(data_rows, "FEWEST_ROWS", 1)
    monkeypatch.setattr(window, "WINDOW_BYTES", 8 * 5 * 12)
    x = np.random.default_rng(0).integers(0, 256, (400, 3, 4), dtype=np.uint8)
    np.save(tmp_path / "x.npy", x)
    return read(tmp_path / "x.npy", stream=True)


@pytest.fixture
def model(stored: Data):
    return assemble("vae", stored.schema, {"latents": 2, "hidden": [8]}, seed=5).model


def weights(result) -> list[bytes]:
    return [t.numpy().tobytes() for t in result.model.state_dict().values()]


class InMemory(Examples):
    """All in memory, in the order that the stored source would take them in."""

    def to(self, device):
        return self

    def batches(self, size: int, first: int = 0) -> Generator[Batch, None, None]:
        seed = int(torch.randint(2**62, ()))
        source = ORDERS[id(self.x)]
        order = sliding_order(source.raw.rows, source.fitting, source.span, seed)
        rows = torch.from_numpy(np.concatenate([rows for _, _, rows in order.steps()]))
        return (self.batch(some) for some in rows.split(size)[first:])


ORDERS: dict = {}


def test_the_same_order_gives_the_same_weights_as_in_memory(stored, model):
    x = stored.train.load().x
    ORDERS[id(x)] = stored.train
    memory = Data(stored.schema, InMemory(x), stored.validation, stored.test, "x")
    one = fit(copy.deepcopy(model), ELBO(2), memory, TRAINING, seed=3)
    other = fit(copy.deepcopy(model), ELBO(2), stored, TRAINING, seed=3)
    assert weights(one) == weights(other)
    assert [e.held_out for e in one.history] == [e.held_out for e in other.history]


class States(Callback):
    def __init__(self) -> None:
        self.states: list[State] = []

    def on_state(self, state, last):
        self.states.append(state())


def test_going_on_from_any_update_gives_the_weights_of_one_training(stored, model):
    states = States()
    whole = fit(copy.deepcopy(model), ELBO(), stored, TRAINING, seed=3, callbacks=[states])
    assert len(states.states) == 2 * (10 + 1) + 1
    for state in states.states[::3]:
        other = assemble("vae", stored.schema, {"latents": 2, "hidden": [8]}, seed=9).model
        again = fit(other, ELBO(), stored, TRAINING, resume=state)
        assert weights(again) == weights(whole)


def test_a_state_holds_the_seed_of_the_order_and_not_the_order(stored, model):
    states = States()
    fit(model, ELBO(), stored, TRAINING, seed=3, callbacks=[states])
    inside = states.states[3]
    assert inside.values["place"]["index"] == 4
    sizes = {name: t.numel() for name, t in inside.part("place").tensors.items()}
    assert sizes == {"order.cpu": torch.get_rng_state().numel(), "sums": 4}


def reading() -> bool:
    return any(t.name == "lowerbound-prefetch" for t in threading.enumerate())


class Ends(Callback):
    def __init__(self, error: BaseException) -> None:
        self.error = error

    def on_step(self, step):
        if step.index == 3:
            raise self.error


@pytest.mark.parametrize("error", [StopTraining("enough"), KeyboardInterrupt()])
def test_a_training_that_ends_early_leaves_no_thread(stored, model, error):
    with suppress(KeyboardInterrupt):
        fit(model, ELBO(), stored, TRAINING, seed=3, callbacks=[Ends(error)])
    assert not reading()


def test_an_error_of_the_reader_ends_the_training_with_its_one_line(stored, model):
    class Cuts(Callback):
        def on_epoch(self, epoch, best):
            with stored.train.raw.rows.files[0].open("r+b") as file:
                file.truncate(500)

    with pytest.raises(DataError, match=r"'x.npy' was changed while it was being read; leave"):
        fit(model, ELBO(), stored, TRAINING, seed=3, callbacks=[Cuts()])
    assert not reading()
