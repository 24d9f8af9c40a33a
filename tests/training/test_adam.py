"""Our Adam: to the last bit that of torch, and nothing of torch's compiler with it."""

import subprocess
import sys

import pytest
import torch
from torch import nn

from lowerbound.training import State, Training
from lowerbound.training.adam import Adam


def parameters_of():
    torch.manual_seed(0)
    return [nn.Parameter(torch.randn(shape)) for shape in ((3, 4), (4,), (130,), (2, 3, 5, 5))]


def gradients(parameters, number, missing=()):
    torch.manual_seed(number)
    for index, parameter in enumerate(parameters):
        gradient = torch.randn_like(parameter)
        parameter.grad = None if index in missing else gradient


def theirs_of(parameters, training):
    kind = torch.optim.AdamW if training.weight_decay else torch.optim.Adam
    return kind(
        parameters,
        lr=training.learning_rate,
        betas=training.betas,
        eps=training.epsilon,
        weight_decay=training.weight_decay,
        fused=True,
    )


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
        mine.rate = other.param_groups[0]["lr"] = 1e-2 / (1 + number)
        mine.step()
        other.step()
        assert all(torch.equal(a, b) for a, b in zip(ours, theirs, strict=True))
    assert not any(torch.equal(a, b) for a, b in zip(ours, began, strict=True))
    for index, parameter in enumerate(theirs):
        found = (mine.steps[index], mine.means[index], mine.squares[index])
        assert [t.tolist() for t in found] == [t.tolist() for t in other.state[parameter].values()]
        assert mine.means[index].stride() == parameter.stride()


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
    assert {float(step) for step in mine.steps} == {300.0}


def test_the_kernel_skips_and_scales_as_it_is_told():
    ours, theirs = parameters_of(), parameters_of()
    mine, other = Adam(ours, SETTINGS[0]), theirs_of(theirs, SETTINGS[0])
    before = [p.detach().clone() for p in ours]
    gradients(ours, 0)
    mine.step(scale=torch.tensor(4.0), skip=torch.tensor(1.0))
    assert all(torch.equal(a, b) for a, b in zip(ours, before, strict=True))
    assert not any(step.item() for step in mine.steps)
    mine.step(scale=torch.tensor(4.0), skip=torch.tensor(0.0))
    gradients(theirs, 0)
    for parameter in theirs:
        parameter.grad /= 4.0
    other.step()
    assert all(torch.equal(a, b) for a, b in zip(ours, theirs, strict=True))


def test_what_the_kernel_does_not_take_is_updated_all_the_same():
    parameter = nn.Parameter(torch.tensor([1.0 + 2.0j]))
    optimizer = Adam([parameter], Training(learning_rate=0.1))
    parameter.grad = torch.tensor([1.0 - 3.0j])
    optimizer.step()  # the first step is the rate along the sign, in each component
    assert torch.view_as_real(parameter.detach())[0].tolist() == pytest.approx([0.9, 2.1])


@pytest.mark.parametrize("training", SETTINGS)
def test_another_goes_on_where_one_stopped(training):
    first, second = parameters_of(), parameters_of()
    optimizer = Adam(first, training)
    gradients(first, 0, missing=(1,))
    optimizer.step()
    optimizer.rate = 3e-3
    state = optimizer.state()
    with torch.no_grad():
        for parameter, weight in zip(second, first, strict=True):
            parameter.copy_(weight)
    gradients(first, 1)
    optimizer.step()
    other = Adam(second, training)
    other.restore(state)
    gradients(second, 1)
    other.step()
    assert all(torch.equal(a, b) for a, b in zip(first, second, strict=True))


@pytest.mark.parametrize(
    "spoil",
    [
        lambda state: state.pop("1.exp_avg"),
        lambda state: state.update({"9.step": torch.zeros(())}),
        lambda state: state.update({"0.exp_avg": torch.zeros(4)}),
        lambda state: state.update({"1.exp_avg_sq": torch.zeros(4, dtype=torch.half)}),
        lambda state: state.update({"1.step": torch.zeros((), dtype=torch.half)}),
    ],
)
def test_the_state_of_other_parameters_is_refused_and_nothing_changes(spoil):
    optimizer = Adam(parameters_of(), Training())
    tensors = {name: tensor + 1 for name, tensor in optimizer.state().tensors.items()}
    spoil(tensors)
    with pytest.raises(ValueError, match=r"\d\.\w+ (is missing|has another)"):
        optimizer.restore(State(tensors, {"rate": 1.0}))
    assert not any(t.any() for t in optimizer.state().tensors.values())
    assert optimizer.rate == Training().learning_rate


@pytest.mark.slow
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
