"""Whether latents are used."""

import pytest
import torch

from lowerbound.catalogue import build
from lowerbound.data import Examples, read
from lowerbound.errors import DataError
from lowerbound.evaluation import saved, swap
from lowerbound.seeding import seeded

TEXTS = [f"{a}{b}{a}" for a in "abcdefgh" for b in "stuvwxyz"]


def model_of(texts):
    torch.manual_seed(0)
    model, _ = build("text-vae", texts.schema, hidden=16, latents=4, embedding=8)
    return model.eval()


def test_a_decoder_that_does_not_look_at_z_loses_nothing_by_another():
    texts = read(TEXTS)
    model = model_of(texts)
    writer = model.likelihood.network
    with torch.no_grad():
        writer.first.weight.zero_()
        writer.gru.weight_ih_l0[:, -4:] = 0
        writer.last.weight[:, -4:] = 0
    for found in (swap(model, texts.train, seed=0), saved(model, texts.train, seed=0)):
        assert abs(found.mean) < 1e-5


def test_the_z_of_another_costs_what_two_traces_say():
    texts = read(TEXTS)
    model = model_of(texts)
    with torch.no_grad():
        model.likelihood.network.last.weight.mul_(20)
    few = texts.train.few(5)
    found, gained = swap(model, few, seed=3), saved(model, few, seed=3)
    batch = few.batch(slice(None))
    with torch.no_grad(), seeded(3, torch.device("cpu"), stream="swap"):
        own = model.trace(batch, 1)
        other = model.trace_at(batch, {"z": own.latents["z"].z[:, [4, 0, 1, 2, 3]]})
        none = model.trace_at(batch, {"z": torch.zeros(1, 5, 4)})
    assert found.mean == pytest.approx(float((own.log_px - other.log_px).mean()))
    assert abs(found.mean) > 1e-3
    assert gained.mean == pytest.approx(float((own.log_px - none.log_px).mean()))
    assert abs(gained.mean) > 1e-3


def test_one_example_has_no_other():
    with pytest.raises(DataError, match="2 examples"):
        swap(model_of(read(TEXTS)), Examples(torch.zeros(1, 4, dtype=torch.uint8)))
