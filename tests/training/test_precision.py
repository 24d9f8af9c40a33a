"""Lower precision where it is safe, and the way back to float32 where it was not."""

import copy
import dataclasses
import math

import pytest
import torch
from torch import nn

from lowerbound.errors import NonFiniteError
from lowerbound.likelihoods import Fields, Gaussian, PerDimensionScale
from lowerbound.models import VAE
from lowerbound.networks import Transition
from lowerbound.objectives import ELBO
from lowerbound.posteriors import DiagonalGaussian
from lowerbound.priors import StandardNormal
from lowerbound.training import Callback, Execution, Training, fit
from lowerbound.training.forward import executed, lowered, networks_of
from lowerbound.training.guard import MOST_IN_A_ROW, MOST_ROLLBACKS

CPU = torch.device("cpu")
LOWERED = Training(epochs=4, batch_size=16, learning_rate=1e-2, precision="bfloat16")


class Fragile(nn.Module):
    """Right values whose gradient is not a number in bfloat16, as of some convolutions on CPUs."""

    def __init__(self, also_in_float32=False) -> None:
        super().__init__()
        self.also = also_in_float32

    def forward(self, x):
        if x.requires_grad and (self.also or torch.is_autocast_enabled("cpu")):
            x.register_hook(lambda gradient: gradient * math.nan)
        return x


def fragile(**how):
    torch.manual_seed(0)
    encoder = nn.Sequential(nn.Linear(3, 4), Fragile(**how), nn.Unflatten(-1, (2, 2)))
    decoder = nn.Sequential(nn.Linear(2, 3), nn.Unflatten(-1, (1, 3)))
    likelihood = Fields(decoder, Gaussian(PerDimensionScale((3,))))
    return VAE(StandardNormal(2), DiagonalGaussian(encoder), likelihood)


class Takes(Callback):
    def __init__(self) -> None:
        self.states = []

    def on_state(self, state, last):
        self.states.append(state())


def test_gradients_that_are_no_numbers_in_bfloat16_are_computed_in_float32(data):
    """The advice to learn more slowly did not help."""
    model, takes = fragile(), Takes()
    with pytest.warns(RuntimeWarning, match=r"float32 after all: in bfloat16 update 1 \(epoch 1\)"):
        result = fit(model, ELBO(), data, LOWERED, seed=0, callbacks=[takes])
    assert (result.stopped, len(result.history)) == ("epochs", 4)
    assert result.execution.precision == "float32"
    assert [why for why in result.execution.reasons if "float" in why] == [
        why for why in result.execution.reasons if why.startswith("float32 after all")
    ]
    assert (result.rollbacks, result.skipped) == (
        MOST_ROLLBACKS + 1, MOST_IN_A_ROW * (MOST_ROLLBACKS + 1)
    )  # fmt: skip
    plain = dataclasses.replace(LOWERED, precision="float32")
    healthy = fit(fragile(), ELBO(), data, plain, seed=0)
    rates = [[epoch.learning_rate for epoch in run.history] for run in (result, healthy)]
    assert rates[0] == rates[1]  # not slowed down for what was the precision's fault
    middle = next(s for s in takes.states if s.epochs == 2 and s.values["place"] is not None)
    again = fit(fragile(), ELBO(), data, LOWERED, resume=middle)
    assert again.execution.precision == "float32"
    for one, other in zip(result.model.parameters(), again.model.parameters(), strict=True):
        assert torch.equal(one, other)


def test_it_gives_up_where_float32_does_not_help_either(data):
    with (
        pytest.warns(RuntimeWarning, match="float32 after all"),
        pytest.raises(NonFiniteError, match=r"gradient of posterior\.\S+ is not finite") as caught,
    ):
        fit(fragile(also_in_float32=True), ELBO(), data, LOWERED, seed=0)
    assert caught.value.fit.rollbacks == 2 * (MOST_ROLLBACKS + 1)


@pytest.mark.parametrize("kind", [nn.Conv2d, nn.ConvTranspose2d])
def test_a_strided_convolution_on_a_map_narrower_than_its_kernel_stays_in_float32(kind):
    """torch 2.13: on processors that multiply bfloat16 its weights' gradient is not a number."""
    layer = kind(2, 2, 3, stride=2, padding=1)
    same = nn.Conv2d(2, 2, 3, padding=1)  # without a stride there was no fault
    model, dtypes = nn.ModuleList([nn.Sequential(layer, same)]), []
    for part in (layer, same):
        part.register_forward_hook(lambda part, given, output: dtypes.append(output.dtype))
    low, full = torch.bfloat16, torch.float32
    for shape, expected in {(8, 8): [low, low], (8, 1): [full, low], (2, 9): [full, low]}.items():
        dtypes.clear()
        with executed(model, Execution(precision="bfloat16"), CPU):
            found = model[0](torch.ones(3, 2, *shape))
        assert (dtypes, found.dtype) == (expected, full)
    model[0](torch.ones(3, 2, 8, 1))
    assert dtypes[-2:] == [full, full]


def test_networks_are_found_whatever_they_are_called_and_laws_are_no_part_of_them():
    class Unusual(nn.Module):
        """A model with a network of its own and a law inside another law."""

        def __init__(self, vae) -> None:
            super().__init__()
            self.features = nn.Sequential(nn.Linear(3, 3), nn.ReLU())
            self.inner, self.again = vae, vae.likelihood
            self.shift = nn.ReLU()  # nothing to multiply

    vae = fragile()
    model = Unusual(copy.deepcopy(vae))
    assert networks_of(vae) == [vae.posterior.network, vae.likelihood.network]
    assert networks_of(model) == [
        model.features, model.inner.posterior.network, model.inner.likelihood.network
    ]  # fmt: skip


def test_a_network_with_two_outputs_puts_out_float32_for_both():
    """A deep Markov model ended its training before the first update where bfloat16 is fast."""
    torch.manual_seed(0)
    model = nn.ModuleDict({"network": Transition(3, 4)})
    before, at = torch.randn(2, 5, 3), slice(1, 6)
    whole = model["network"](before, at)
    with lowered(model, CPU):
        found = model["network"](before, at)
    for one, other in zip(found, whole, strict=True):
        assert one.dtype == torch.float32
        assert not torch.equal(one, other)
        torch.testing.assert_close(one, other, rtol=0.02, atol=0.02)
