"""A step of Adam called directly: to the last bit that of torch."""

import copy

import pytest
import torch
from torch import nn

from lowerbound.training import adam


def made(kind=torch.optim.Adam, **settings):
    torch.manual_seed(0)
    parameters = [nn.Parameter(torch.randn(shape)) for shape in ((3, 4), (4,), (130,))]
    return parameters, kind(parameters, lr=1e-2, fused=True, **settings)


def gradients(parameters, number, missing=()):
    torch.manual_seed(number)
    for index, parameter in enumerate(parameters):
        gradient = torch.randn_like(parameter)
        parameter.grad = None if index in missing else gradient


@pytest.mark.parametrize(
    ("kind", "settings"),
    [
        (torch.optim.Adam, {}),
        (torch.optim.Adam, {"eps": 1e-4, "betas": (0.5, 0.9)}),
        (torch.optim.AdamW, {"weight_decay": 0.1}),
    ],
)
def test_it_is_torch_s_step(kind, settings):
    ours, mine = made(kind, **settings)
    theirs, other = made(kind, **settings)
    if not adam.may_replace(mine):
        pytest.skip("not with this torch")
    began = [p.detach().clone() for p in ours]
    for number in range(6):
        missing = {2: (1,), 3: (0, 1, 2)}.get(number, ())
        for parameters in (ours, theirs):
            gradients(parameters, number, missing)
        for optimizer in (mine, other):
            optimizer.param_groups[0]["lr"] = 1e-2 / (1 + number)
        adam.step(mine)
        other.step()
        assert all(torch.equal(a, b) for a, b in zip(ours, theirs, strict=True))
    assert not any(torch.equal(a, b) for a, b in zip(ours, began, strict=True))
    assert [float(mine.state[p]["step"]) for p in ours] == [5.0, 4.0, 5.0]


def test_it_goes_on_from_a_state_that_was_loaded():
    ours, mine = made()
    gradients(ours, 0)
    adam.step(mine)
    kept, weights = copy.deepcopy(mine.state_dict()), [p.detach().clone() for p in ours]
    gradients(ours, 1)
    adam.step(mine)
    others, other = made()
    with torch.no_grad():
        for parameter, weight in zip(others, weights, strict=True):
            parameter.copy_(weight)
    other.load_state_dict(kept)
    gradients(others, 1)
    adam.step(other)
    assert all(torch.equal(a, b) for a, b in zip(ours, others, strict=True))


def test_where_it_cannot_stand_in_it_says_so():
    class Other(nn.Parameter):
        pass

    plain = [nn.Parameter(torch.ones(2))]
    assert not adam.may_replace(torch.optim.Adam(plain))
    assert not adam.may_replace(torch.optim.Adam(plain, fused=True, amsgrad=True))
    assert not adam.may_replace(torch.optim.Adam(plain, fused=True, maximize=True))
    assert not adam.may_replace(torch.optim.Adam([Other(torch.ones(2))], fused=True))
    two = [{"params": [nn.Parameter(torch.ones(2))]}, {"params": [nn.Parameter(torch.ones(2))]}]
    assert not adam.may_replace(torch.optim.Adam(two, fused=True))
