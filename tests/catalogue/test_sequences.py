"""Recipes of texts and tunes."""

import json

import pytest
import torch

from lowerbound.catalogue import assemble
from lowerbound.data import Field, Schema

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
