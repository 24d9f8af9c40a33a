"""Our Adam: to the last bit that of torch, and nothing of torch's compiler with it."""

import copy
import subprocess
import sys

import pytest
import torch
from torch import nn

from lowerbound.training import Training
from lowerbound.training.adam import Adam, optimizer_of


def parameters_of():
    torch.manual_seed(0)
    return [nn.Parameter(torch.randn(shape)) for shape in ((3, 4), (4,), (130,), (2, 3, 5, 5))]


def gradients(parameters, number, missing=()):
    torch.manual_seed(number)
    for index, parameter in enumerate(parameters):
        gradient = torch.randn_like(parameter)
        parameter.grad = None if index in missing else gradient


def theirs_of(parameters, training):
    """torch's own, which is taken where its kernel is to decide what is skipped."""
    theirs = optimizer_of(parameters, training, late=True)
    assert isinstance(theirs, torch.optim.Adam) and theirs.defaults["fused"]
    return theirs


MOMENTS = ("exp_avg", "exp_avg_sq")
SETTINGS = [
    Training(learning_rate=1e-2),
    Training(epsilon=1e-4, betas=(0.5, 0.9)),
    Training(weight_decay=0.1),
]


@pytest.mark.parametrize("training", SETTINGS)
def test_it_is_torch_s(training):
    ours, theirs = parameters_of(), parameters_of()
    for parameters in (ours, theirs):  # a convolution's, as it is laid out while it is trained
        parameters[3].data = parameters[3].data.contiguous(memory_format=torch.channels_last)
    mine, other = Adam(ours, training), theirs_of(theirs, training)
    began = [p.detach().clone() for p in ours]
    for number in range(6):
        missing = {2: (1,), 3: (0, 1, 2, 3)}.get(number, ())
        for parameters in (ours, theirs):
            gradients(parameters, number, missing)
        for optimizer in (mine, other):
            optimizer.param_groups[0]["lr"] = 1e-2 / (1 + number)
        mine.step()
        other.step()
        assert all(torch.equal(a, b) for a, b in zip(ours, theirs, strict=True))
    assert not any(torch.equal(a, b) for a, b in zip(ours, began, strict=True))
    for index, parameter in enumerate(theirs):
        assert {name: value.tolist() for name, value in mine.state[index].items()} == {
            name: value.tolist() for name, value in other.state[parameter].items()
        }
        assert mine.state[index]["exp_avg"].stride() == parameter.stride()


@pytest.mark.parametrize("dtype", [torch.float64, torch.float16, torch.bfloat16])
def test_it_is_torch_s_whatever_the_process_has_by_default(dtype):
    """In bfloat16 a count of steps would stand still at 256."""
    ours, theirs = parameters_of(), parameters_of()
    mine, other = Adam(ours, SETTINGS[0]), theirs_of(theirs, SETTINGS[0])
    before = torch.get_default_dtype()
    torch.set_default_dtype(dtype)
    try:
        for number in range(300):
            for parameters, optimizer in ((ours, mine), (theirs, other)):
                for parameter in parameters:
                    parameter.grad = torch.full_like(parameter, 1.0 / (1 + number))
                optimizer.step()
    finally:
        torch.set_default_dtype(before)
    assert all(torch.equal(a, b) for a, b in zip(ours, theirs, strict=True))
    assert {float(state["step"]) for state in mine.state.values()} == {300.0}


@pytest.mark.parametrize("training", SETTINGS)
@pytest.mark.parametrize("change", ["ours", "to torch's", "from torch's"])
def test_either_goes_on_where_the_other_stopped(training, change):
    first, second = parameters_of(), parameters_of()
    before = theirs_of if change == "from torch's" else Adam
    after = theirs_of if change == "to torch's" else Adam
    optimizer = before(first, training)
    gradients(first, 0, missing=(1,))
    optimizer.step()
    state = {"state": copy.deepcopy(optimizer.state_dict()["state"])}
    with torch.no_grad():
        for parameter, weight in zip(second, first, strict=True):
            parameter.copy_(weight)
    gradients(first, 1)
    optimizer.step()
    going_on = after(second, training)
    going_on.load_state_dict({**state, "param_groups": going_on.state_dict()["param_groups"]})
    gradients(second, 1)
    going_on.step()
    assert all(torch.equal(a, b) for a, b in zip(first, second, strict=True))


@pytest.mark.parametrize(
    "state",
    [
        {9: {"step": torch.zeros(()), "exp_avg": torch.zeros(4), "exp_avg_sq": torch.zeros(4)}},
        {0: {"step": torch.zeros(()), "exp_avg": torch.zeros(4), "exp_avg_sq": torch.zeros(4)}},
        {1: {"step": torch.zeros(()), "exp_avg": torch.zeros(4)}},
        {1: {"step": torch.zeros(()), **dict.fromkeys(MOMENTS, torch.zeros(4, dtype=torch.half))}},
        {1: {"step": torch.zeros((), dtype=torch.half), **dict.fromkeys(MOMENTS, torch.zeros(4))}},
    ],
)
def test_the_state_of_other_parameters_is_refused_and_nothing_changes(state):
    optimizer = Adam(parameters_of(), Training())
    with pytest.raises(ValueError, match=r"parameter \d has another"):
        optimizer.load_state_dict({"state": state, "param_groups": [{"lr": 1.0}]})
    assert not optimizer.state
    assert optimizer.param_groups[0]["lr"] == Training().learning_rate


def test_torch_s_own_is_taken_for_what_the_kernel_does_not_take():
    class Other(nn.Parameter):
        pass

    plain = [nn.Parameter(torch.ones(2))]
    assert isinstance(optimizer_of(plain, Training()), Adam)
    assert isinstance(optimizer_of([Other(torch.ones(2))], Training()), torch.optim.Adam)
    decaying = optimizer_of([Other(torch.ones(2))], Training(weight_decay=0.1))
    assert isinstance(decaying, torch.optim.AdamW)


def test_a_training_that_is_not_compiled_does_not_import_the_compiler():
    """It takes over a second, many times as long as this training."""
    program = """
import sys
import lowerbound as lb
data = lb.read("digits")
model, objective = lb.catalogue.build("vae", data.schema, hidden=(8,))
class Takes(lb.training.Callback):
    def on_state(self, state, last):
        state()
lb.fit(model, objective, data, lb.Training(epochs=1), callbacks=[Takes()])
assert "torch" in sys.modules
print([name for name in ("torch._dynamo", "torch._inductor", "sympy") if name in sys.modules])
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert done.stdout.strip() == "[]", done.stdout[:300] + done.stderr[-2000:]
