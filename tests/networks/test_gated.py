"""The GRU of our own is torch's."""

import pytest
import torch
from torch import nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

from lowerbound.networks import Reader, RollWriter, StepReader
from lowerbound.networks.gated import Gated

STEPS, BATCH, INPUTS, HIDDEN = 7, 3, 4, 5


def close(one, other):
    torch.testing.assert_close(one, other, rtol=0, atol=1e-12)


def test_states_and_gradients_are_those_of_torch():
    torch.manual_seed(0)
    gru, own = nn.GRU(INPUTS, HIDDEN).double(), Gated(INPUTS, HIDDEN).double()
    own.load_state_dict(gru.state_dict())
    x = torch.randn(STEPS, BATCH, INPUTS, dtype=torch.float64, requires_grad=True)
    first = torch.randn(1, BATCH, HIDDEN, dtype=torch.float64, requires_grad=True)
    weights = torch.randn(STEPS, BATCH, HIDDEN, dtype=torch.float64)
    torchs = gru(x, first)[0]
    ours = own(x.unsqueeze(1), None, first).squeeze(1)
    close(ours, torchs)
    for one, other in zip(
        torch.autograd.grad((ours * weights).sum(), [x, first, *own.parameters()]),
        torch.autograd.grad((torchs * weights).sum(), [x, first, *gru.parameters()]),
        strict=True,
    ):
        close(one, other)


def test_inputs_of_every_step_are_the_last_ones_of_each():
    torch.manual_seed(0)
    gru, own = nn.GRU(INPUTS + 2, HIDDEN).double(), Gated(INPUTS + 2, HIDDEN).double()
    own.load_state_dict(gru.state_dict())
    x = torch.randn(STEPS, BATCH, INPUTS, dtype=torch.float64)
    z = torch.randn(BATCH, 2, dtype=torch.float64, requires_grad=True)
    torchs = gru(torch.cat([x, z.expand(STEPS, -1, -1)], dim=-1))[0]
    ours = own(x.unsqueeze(1), z).squeeze(1)
    close(ours, torchs)
    zero = torch.zeros(1, BATCH, HIDDEN, dtype=torch.float64)
    close(own.by_torch(x.unsqueeze(1), z, zero).squeeze(1), torchs)
    close(*(torch.autograd.grad(s.square().sum(), z)[0] for s in (ours, torchs)))


@pytest.mark.parametrize("lengths", [(7, 7, 7), (7, 2, 5), (1, 7, 1)])
def test_the_reader_is_a_packed_gru(lengths):
    torch.manual_seed(0)
    reader = Reader(6, (2,), hidden=HIDDEN, embedding=INPUTS).double()
    tokens = torch.randint(1, 6, (BATCH, STEPS))
    for row, length in zip(tokens, lengths, strict=True):
        row[length - 1 :] = 0
    gru = nn.GRU(INPUTS, HIDDEN, batch_first=True, bidirectional=True).double()
    gru.load_state_dict(reader.gru.state_dict())
    packed = pack_padded_sequence(
        reader.embed(tokens), torch.tensor(lengths), batch_first=True, enforce_sorted=False
    )
    states, _ = pad_packed_sequence(gru(packed)[0], batch_first=True, padding_value=-float("inf"))
    expected, found = reader.last(states.amax(dim=1)), reader(tokens)
    close(found, expected)
    rest = [*reader.embed.parameters(), *reader.last.parameters()]
    for one, other in zip(
        torch.autograd.grad(found.square().sum(), [*reader.gru.parameters(), *rest]),
        torch.autograd.grad(expected.square().sum(), [*gru.parameters(), *rest]),
        strict=True,
    ):
        close(one, other)


@pytest.mark.parametrize("lengths", [(7, 7, 7), (7, 2, 5), (1, 7, 1)])
def test_the_reader_of_steps_is_a_packed_gru(lengths):
    torch.manual_seed(0)
    reader = StepReader(INPUTS, (2,), hidden=HIDDEN).double()
    x = torch.randn(BATCH, STEPS, INPUTS, dtype=torch.float64)
    gru = nn.GRU(INPUTS, HIDDEN, batch_first=True, bidirectional=True).double()
    gru.load_state_dict(reader.gru.state_dict())
    packed = pack_padded_sequence(x, torch.tensor(lengths), True, enforce_sorted=False)
    states, _ = pad_packed_sequence(gru(packed)[0], batch_first=True)
    expected = reader.last(torch.cat([states, x], dim=-1))
    found = reader(x, torch.tensor(lengths))
    close(found, expected)
    if min(lengths) == STEPS:
        close(reader(x), expected)
    for one, other in zip(
        torch.autograd.grad(found.square().sum(), list(reader.parameters())),
        torch.autograd.grad(
            expected.square().sum(), [*gru.parameters(), *reader.last.parameters()]
        ),
        strict=True,
    ):
        close(one, other)


def test_the_writer_of_rolls_reads_the_steps_before_as_torch_does():
    torch.manual_seed(0)
    writer = RollWriter(2, INPUTS, hidden=HIDDEN, dropout=0.0).double()
    gru = nn.GRU(INPUTS, HIDDEN, batch_first=True).double()
    gru.load_state_dict(writer.gru.state_dict())
    x = torch.randint(0, 2, (BATCH, STEPS, INPUTS)).double()
    z = torch.randn(BATCH, STEPS * 2, dtype=torch.float64)
    states = gru(nn.functional.pad(x[:, :-1], (0, 0, 1, 0)))[0]
    told = writer.context(torch.cat([states, z.unflatten(-1, (-1, 2))], dim=-1))
    close(writer.logits(z, x), writer.head(told, x, writer.weights()))


def test_both_ways_are_those_of_torch():
    torch.manual_seed(0)
    own = Gated(INPUTS, HIDDEN, both=True).double()
    x = torch.randn(STEPS, 2, BATCH, INPUTS, dtype=torch.float64)
    first = torch.randn(2, BATCH, HIDDEN, dtype=torch.float64)
    close(own(x, None, first), own.by_torch(x, None, first))


def test_products_in_bfloat16_leave_states_in_float32():
    """States that are rounded at each step forget what is far away."""
    torch.manual_seed(0)
    own = Gated(INPUTS, HIDDEN)
    x = torch.randn(50, 1, BATCH, INPUTS, requires_grad=True)
    exact = own(x)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        low = own(x)
    assert low.dtype == torch.float32
    torch.testing.assert_close(low, exact, rtol=0, atol=0.02)
    assert not torch.equal(low.bfloat16().float(), low)
    leaves = [x, *own.parameters()]
    for one, other in zip(
        torch.autograd.grad(low.square().sum(), leaves),
        torch.autograd.grad(exact.square().sum(), leaves),
        strict=True,
    ):
        assert float((one - other).norm() / other.norm()) < 0.02


def test_padding_changes_no_bit_of_an_encoding_or_of_its_gradient():
    """Also where the way back would see it first."""
    torch.manual_seed(0)
    reader = Reader(6, (2,), hidden=HIDDEN, embedding=INPUTS)
    ended = torch.tensor([[1, 2, 3, 0, 0, 0], [4, 5, 1, 2, 3, 0]])
    noise = torch.tensor([[1, 2, 3, 0, 5, 4], [4, 5, 1, 2, 3, 0]])
    found = []
    for tokens in (ended, noise):
        value = reader(tokens)
        found.append((value, *torch.autograd.grad(value.sum(), [*reader.gru.parameters()])))
    assert all(torch.equal(one, other) for one, other in zip(*found, strict=True))
