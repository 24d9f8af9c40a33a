"""Parts whose state is more than weights come back from disk, and go on, to the bit."""

import pytest
import torch

import lowerbound as lb
from lowerbound.catalogue import assemble
from lowerbound.core import Batch
from lowerbound.runs import load, save
from lowerbound.runs.load import spec_of
from lowerbound.training import Callback

KINDS = [
    ("vae", {"prior": "exemplar", "exemplars": 20}),
    ("vae", {"prior": "sphere", "posterior": "power-spherical"}),
    ("vae", {"prior": "gamma", "posterior": "gamma"}),
    ("vae", {"prior": "dirichlet", "posterior": "dirichlet"}),
    ("fsq", {"prior.width": 8}),
    ("vq", {"codes": 8, "size": 2}),
    ("vq", {"posterior": "residual", "codes": 8, "size": 2}),
]


class Middle(Callback):
    """Keeps the state after the first epoch."""

    kept = None

    def on_state(self, state, last):
        made = state()
        if made.epochs == 1 and self.kept is None:
            self.kept = made


@pytest.mark.parametrize(("recipe", "settings"), KINDS, ids=str)
def test_a_run_is_read_back_and_a_training_goes_on_to_the_bit(recipe, settings, tmp_path):
    data = lb.read("digits", limit=120)
    given = {"latents": 4, "hidden": (8,), "epochs": 2, "batch_size": 32, **settings}

    def fresh():
        return assemble(recipe, data.schema, given, seed=0)

    made, middle = fresh(), Middle()
    whole = lb.fit(made.model, made.objective, data, made.training, seed=0, callbacks=[middle])
    save(tmp_path / "run", spec_of(made, data, 0), whole)
    batch = Batch(data.validation.x)

    def bound(model):
        torch.manual_seed(0)
        with torch.no_grad():
            return model.eval().trace(batch, 2).log_weight

    assert torch.equal(bound(load(tmp_path / "run").model), bound(whole.model))
    again = fresh()
    gone_on = lb.fit(again.model, again.objective, data, again.training, resume=middle.kept)
    for name, tensor in whole.model.state_dict().items():
        assert torch.equal(gone_on.model.state_dict()[name], tensor), name
