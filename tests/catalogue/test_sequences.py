"""Recipes of texts and tunes."""

import json
from typing import ClassVar

import numpy as np
import pytest
import torch

import lowerbound as lb
from lowerbound.applications.tunes import alike
from lowerbound.catalogue import assemble
from lowerbound.data import Field, Schema, read
from lowerbound.errors import SettingError
from lowerbound.training import Callback, State, fit

SCHEMAS = {
    "text-vae": Schema((Field("text", "byte", (9,), 256),), (9,)),
    "music-vae": Schema((Field("tune", "note", (33,), 131),), (33,)),
}
SMALL = {"latents": 3, "hidden": 4, "embedding": 2}


@pytest.mark.parametrize("name", SCHEMAS)
def test_a_setting_written_down_builds_the_same_model_again(name):
    first = assemble("auto", SCHEMAS[name], SMALL, seed=1)
    assert first.recipe.name == name
    written = json.loads(json.dumps(first.settings))
    again = assemble(name, SCHEMAS[name], written, seed=1)
    assert again.settings == first.settings
    assert again.objective == first.objective
    for one, other in zip(first.model.parameters(), again.model.parameters(), strict=True):
        assert torch.equal(one, other)


@pytest.mark.parametrize("name", SCHEMAS)
def test_parts_that_do_not_go_with_tokens_are_refused(name):
    # vamp looked up noise as tokens: IndexError; codes were trained under a Gaussian prior
    for parts in ({"prior": "vamp"}, {"posterior": "vq"}, {"prior": "gamma"}):
        with pytest.raises(SettingError, match="prior"):
            assemble(name, SCHEMAS[name], {**SMALL, **parts}, seed=0)


@pytest.mark.parametrize("name", SCHEMAS)
@pytest.mark.parametrize("size", ["hidden", "embedding"])
def test_a_size_below_one_is_refused_by_name(name, size):
    # "Trying to create tensor with negative dimension", as an unexpected error
    with pytest.raises(SettingError, match=f"{size}=-4"):
        assemble(name, SCHEMAS[name], {**SMALL, size: -4}, seed=0)


def test_the_posterior_of_tunes_can_be_a_flow():
    made = assemble("music-vae", SCHEMAS["music-vae"], {**SMALL, "posterior": "flow"}, seed=0)
    x = torch.zeros(2, 33, dtype=torch.uint8)
    assert made.model.trace(lb.Batch(x)).log_weight.shape == (1, 2)


def test_the_weight_of_the_rate_in_tunes_is_a_setting():
    made = assemble("music-vae", SCHEMAS["music-vae"], {**SMALL, "beta": 0.2}, seed=0)
    assert made.objective.criterion.beta == 0.2
    assert not made.objective.criterion.is_bound


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_going_on_inside_an_epoch_gives_the_weights_of_one_training(precision):
    """Through all stages, with batches by length and dropout."""
    lines = [f"{a} {b * n}" for a in ("a dog", "the cat") for b in "xyz" for n in range(1, 17)]
    data = read(lines)

    class States(Callback):
        found: ClassVar[list[State]] = []

        def on_state(self, state, last):
            self.found.append(state())

    def trained(resume=None, callbacks=()):
        made = assemble(
            "text-vae", data.schema,
            {**SMALL, "epochs": 3, "batch_size": 24, "precision": precision}, seed=0,
        )  # fmt: skip
        seed = None if resume else 1
        fit(made.model, made.objective, data, made.training, seed=seed, callbacks=callbacks,
            resume=resume)  # fmt: skip
        return made.model.state_dict()

    States.found.clear()
    whole = trained(callbacks=[States()])
    assert len(States.found) > 10
    for state in States.found[::3]:
        again = trained(resume=state)
        assert all(torch.equal(again[name], whole[name]) for name in whole)


def test_notes_of_tunes_that_were_held_out_come_back():
    generator = np.random.default_rng(0)
    rolls = np.zeros((300, 16, 128), bool)
    for roll in rolls:  # four notes, each a step up or down from the one before
        steps = generator.choice((-2, 2), 4).cumsum() + 60
        roll[np.arange(16), np.repeat(steps, 4)] = True
    data = lb.read(rolls, axes="roll", bars=1, transpose=False)
    told = {"hidden": 32, "channels": 16, "embedding": 16, "latents": 8, "epochs": 40}
    made = assemble("auto", data.schema, told, examples=len(data.train), seed=0)
    fit = lb.fit(made.model, made.objective, data, made.training, seed=0)
    held = data.test.load()
    back = fit.model.reconstruct(held.batch(slice(None))).greedy()
    # there are 16 tunes: a decoder without z brings back at most half of the first notes
    assert alike(held.x, back) > (0.95, 0.95)


def test_tunes_are_refused_texts():
    with pytest.raises(SettingError, match="use text-vae"):
        assemble("music-vae", SCHEMAS["text-vae"], SMALL)
