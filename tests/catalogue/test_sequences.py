"""Recipes of texts and tunes."""

import json
from typing import ClassVar

import pytest
import torch

from lowerbound.catalogue import assemble
from lowerbound.data import Field, Schema, read
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
