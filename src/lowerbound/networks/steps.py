"""Networks over the steps of a series: its reader, the law of the next latent, emissions."""

import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn.functional import softplus

from lowerbound.networks.gated import Gated
from lowerbound.networks.pair import Init, Network, start_small

#: The least standard deviation of a latent given the step before it.
LEAST = 0.01


class StepReader(nn.Module):
    """A bidirectional GRU over the steps of a series: numbers for q at each of them.

    The way back begins at each series' own end: no state sees the steps after it.

    Args:
        inputs: Numbers that are seen of a step.
        outputs: Shape of the numbers of a step, such as `(3, 16)`.
        hidden: Units of each direction.
    """

    def __init__(self, inputs: int, outputs: Sequence[int], hidden: int = 128) -> None:
        super().__init__()
        self.outputs = tuple(outputs)
        self.gru = Gated(inputs, hidden, both=True)
        self.last = nn.Linear(2 * hidden + inputs, math.prod(self.outputs))
        start_small(self.last)

    def __str__(self) -> str:
        return f"bidirectional GRU {self.gru.input_size}-{self.gru.hidden_size}"

    def forward(self, x: Tensor, lengths: Tensor | None = None) -> Tensor:
        """Map steps `(B, T, inputs)` to `(B, T, *outputs)`.

        Args:
            x: Numbers seen of the steps.
            lengths: Steps of each series, `(B,)`; None where all have T.
        """
        if lengths is None:
            lengths = torch.full_like(x[:, 0, 0], x.shape[1], dtype=torch.int64)
        place = torch.arange(x.shape[1], device=x.device)
        inside = place < lengths.unsqueeze(1)
        # where a step of each series is in its way back, and the other way round
        back = torch.where(inside, lengths.unsqueeze(1) - 1 - place, place).unsqueeze(-1)
        ways = torch.stack([x, x.gather(1, back.expand_as(x))]).permute(2, 0, 1, 3)
        ahead, behind = self.gru(ways).permute(1, 2, 0, 3)
        behind = behind.gather(1, back.expand_as(behind))
        states = torch.cat([ahead, behind], dim=-1).masked_fill(~inside.unsqueeze(-1), 0.0)
        return self.last(torch.cat([states, x], dim=-1)).unflatten(-1, self.outputs)


class Transition(nn.Module):
    """p(z_t|z_{t-1}): a Gaussian whose mean is a linear map and a small network beside it.

    Args:
        units: Size of z_t.
        hidden: Units of the network.

    Source: Krishnan, Shalit & Sontag (2017), section 5, arXiv 1609.09869.
    Differs: the network is added to the linear map, without a gate between the two.
    """

    def __init__(self, units: int, hidden: int = 64) -> None:
        super().__init__()
        self.first = nn.Parameter(torch.zeros(2, units))
        self.linear = nn.Linear(units, units)
        self.inner = nn.Linear(units, hidden)
        self.outer = nn.Linear(hidden, 2 * units)
        start_small(self.outer)
        if not self.linear.weight.is_meta:
            with torch.no_grad():
                self.linear.weight.copy_(0.5 * torch.eye(units))
                self.linear.bias.zero_()

    def forward(self, before: Tensor, at: slice) -> tuple[Tensor, Tensor]:
        """Return mean and standard deviation of steps `at` given those before, `(..., n, Z)`."""
        shift, wide = self.outer(self.inner(before).tanh()).chunk(2, dim=-1)
        mean = self.linear(before) + shift
        if at.start == 0:
            shape = (*mean.shape[:-2], 1, mean.shape[-1])
            first, its = (part.expand(shape) for part in self.first)
            mean = torch.cat([first, mean[..., 1:, :]], dim=-2)
            wide = torch.cat([its, wide[..., 1:, :]], dim=-2)
        return mean, LEAST + softplus(wide + 0.54)  # about 1 at the start


class PerStep(Network):
    """One network for each step: from latents `(T Z,)` to `parameters` series.

    Args:
        units: Z.
        outputs: `(parameters, T, C)`; any T goes through.
        hidden: Units of the hidden layer, which a linear map goes past.
    """

    def __init__(self, units: int, outputs: Sequence[int], hidden: int = 128) -> None:
        super().__init__()
        self.units, self.outputs = units, tuple(outputs)
        numbers = self.outputs[0] * self.outputs[2]
        self.inner = nn.Linear(units, hidden)
        self.outer = nn.Linear(hidden, numbers, bias=False)
        self.past = nn.Linear(units, numbers)

    def __str__(self) -> str:
        return f"MLP {self.units}-{self.inner.out_features}-{self.past.out_features} at each step"

    def start(self, init: Init) -> None:
        """Leave the layers as torch has them."""

    def start_small(self) -> None:
        """Start the last layer near zero."""
        start_small(self.past)

    def start_at(self, values: Tensor, place: int = 0) -> None:
        """Start at the means over time of outputs, `(some, T, C)`."""
        channels = self.outputs[2]
        first = place // self.outputs[1]
        with torch.no_grad():
            self.past.bias[first : first + len(values) * channels] = values.mean(dim=1).flatten()

    def forward(self, z: Tensor) -> Tensor:
        """From `(..., T Z)` to `(..., parameters, T, C)`."""
        z = z.unflatten(-1, (-1, self.units))
        numbers = self.outer(self.inner(z).relu()) + self.past(z)
        return numbers.unflatten(-1, (self.outputs[0], -1)).movedim(-2, -3)


class RollWriter(nn.Module):
    """Predicts the notes of a step from the steps before it, from z and from its lower notes.

    A GRU reads the steps before. Its head is a network in which note j sees the notes i < j alone:
    by weights of the pair, and by weights of the interval j - i, which move as a tune does.

    Args:
        units: Z.
        channels: Notes, `C`.
        hidden: Units of the GRU.
        each: Hidden units of the head for each note.
        dropout: Share of its states that a training leaves out.

    Source: context: Krishnan, Shalit & Sontag (2017), "DMM-Aug", arXiv 1609.09869; the masks:
        Germain et al. (2015), section 3, arXiv 1502.03509.
    Differs: weights of intervals are added to the masked ones.
    """

    def __init__(
        self, units: int, channels: int, hidden: int = 300, each: int = 4,
        dropout: float = 0.3,
    ) -> None:  # fmt: skip
        super().__init__()
        self.units, self.channels, self.each = units, channels, each
        self.gru = Gated(channels, hidden)
        self.drop = nn.Dropout(dropout)
        self.context = nn.Linear(hidden + units, channels * (1 + each))
        self.pairs = nn.Parameter(torch.zeros(1 + 2 * each, channels, channels))
        self.intervals = nn.Parameter(0.05 * torch.randn(1 + 2 * each, channels))
        order = torch.arange(channels)
        apart = order - order[:, None]  # [i, j]: from note i to note j
        self.register_buffer("apart", apart.clamp(min=0), persistent=False)
        self.register_buffer("lower", apart > 0, persistent=False)

    apart: Tensor
    lower: Tensor

    def __str__(self) -> str:
        return f"GRU {self.gru.input_size}-{self.gru.hidden_size}, masked head over notes"

    def weights(self) -> tuple[Tensor, Tensor, Tensor]:
        """Return the weights of the head: notes to logits, notes to units, units to logits."""
        whole = self.pairs + self.intervals[:, self.apart]
        lower = torch.where(self.lower, whole[: 1 + self.each], 0.0)
        up = ~self.lower.T  # a unit of note i is seen by notes j >= i
        upper = torch.where(up, whole[1 + self.each :], 0.0)
        into = lower[1:].permute(1, 2, 0).flatten(start_dim=1)
        return lower[0], into, upper.permute(1, 0, 2).flatten(end_dim=1)

    def head(self, context: Tensor, x: Tensor, weights: tuple[Tensor, Tensor, Tensor]) -> Tensor:
        """Predict each note of x from what the head is told and from lower notes, `(..., C)`."""
        direct, into, out = weights
        own, units = (
            context[..., : self.channels],
            context[..., self.channels :].unflatten(-1, (self.each, -1)),
        )
        units = (units.transpose(-1, -2).flatten(start_dim=-2) + x @ into).relu()
        return own + x @ direct + units @ out

    def logits(self, z: Tensor, x: Tensor) -> Tensor:
        """Predict every note of `(B, T, C)`: `(..., B, T, C)` for z `(..., B, T Z)`."""
        before = nn.functional.pad(x[:, :-1], (0, 0, 1, 0)).transpose(0, 1).unsqueeze(1)
        states = self.drop(self.gru(before).squeeze(1).transpose(0, 1))
        z = z.unflatten(-1, (-1, self.units))
        every = states.expand(*z.shape[:-1], -1)
        return self.head(self.context(torch.cat([every, z], dim=-1)), x, self.weights())

    def begin(self, z: Tensor) -> Tensor:
        """Return the state before the first step, for `(N, T Z)`."""
        return z.new_zeros(1, len(z), self.gru.hidden_size)

    def told(self, z: Tensor, before: Tensor, state: Tensor, t: int) -> tuple[Tensor, Tensor]:
        """Return what the head is told at step t, `(N, ...)`, after `before`, and the state."""
        state = self.gru(before.unsqueeze(0).unsqueeze(0), None, state)[0]
        own = z.unflatten(-1, (-1, self.units))[:, t]
        return self.context(torch.cat([state[0], own], dim=-1)), state
