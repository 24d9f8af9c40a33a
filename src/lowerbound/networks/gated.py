"""A GRU whose way back costs little more than the products that it needs."""

from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable
from torch.nn.functional import linear


class Gated(nn.GRU):
    """One layer of gated recurrent units, each direction over inputs of its own.

    r = s(W_r x + b_r + V_r h + c_r), u likewise, n = tanh(W_n x + b_n + r (V_n h + c_n)), and
    h' = (1 - u) n + u h, as `nn.GRU` has it, whose parameters it has. On a CPU that keeps a dozen
    nodes of a graph for each step, adds to the gradient of V at each, and holds states in the
    precision of products. Here the gradient of V is one product over all steps, and states are
    float32 where products are lower. On other devices it is torch's own.

    Args:
        inputs: Numbers of an input.
        hidden: Units `H` of a direction.
        both: Whether there is a way back, too.

    Source: Cho et al. (2014), arXiv 1406.1078, with r after the product.
    """

    def __init__(self, inputs: int, hidden: int, *, both: bool = False) -> None:
        super().__init__(inputs, hidden, bidirectional=both)

    def forward(  # type: ignore[override]
        self, inputs: Tensor, always: Tensor | None = None, first: Tensor | None = None
    ) -> Tensor:
        """Run the `D` directions side by side.

        Args:
            inputs: `(T, D, B, inputs)`; the way back has its in the order in which it sees them.
            always: The last of the inputs, where they are those of every step: `(B, rest)`.
            first: The states before the first step, `(D, B, H)`; 0 if none.

        Returns:
            The states after each step, `(T, D, B, H)`.
        """
        if first is None:
            ways = 2 if self.bidirectional else 1
            first = inputs.new_zeros(ways, inputs.shape[2], self.hidden_size)
        if inputs.device.type != "cpu":
            return self.by_torch(inputs, always, first)
        into, up, into_bias, up_bias = self.parts()
        width, size = inputs.shape[-1], self.hidden_size
        given = []
        for way, (weight, bias, other) in enumerate(zip(into, into_bias, up_bias, strict=True)):
            bias = bias + nn.functional.pad(other[: 2 * size], (0, size))
            own = linear(inputs[:, way], weight[:, :width], bias)
            given.append(own if always is None else own.add_(linear(always, weight[:, width:])))
        together = given[0].unsqueeze(1) if len(given) == 1 else torch.stack(given, dim=1)
        shift = torch.stack([other[2 * size :] for other in up_bias])
        return _Steps.apply(together, torch.stack(up), shift, first.to(up[0].dtype))  # type: ignore[no-any-return]

    def parts(self) -> tuple[list[Tensor], ...]:
        """Return W, V, b and c, of each direction."""
        names = ["l0", "l0_reverse"] if self.bidirectional else ["l0"]
        kinds = ("weight_ih", "weight_hh", "bias_ih", "bias_hh")
        return tuple([getattr(self, f"{kind}_{name}") for name in names] for kind in kinds)

    def by_torch(self, inputs: Tensor, always: Tensor | None, first: Tensor) -> Tensor:
        """Run them one after the other as torch does, which devices have kernels for."""
        if always is not None:
            inputs = torch.cat([inputs, always.expand(*inputs.shape[:3], -1)], dim=-1)
        told = (True, 1, 0.0, self.training, False, False)
        states = [
            torch.gru(inputs[:, way], first[way].unsqueeze(0), list(own), *told)[0]
            for way, own in enumerate(zip(*self.parts(), strict=True))
        ]
        return torch.stack(states, dim=1)


class _Steps(torch.autograd.Function):
    """The loop over steps. Large tensors are few: fresh memory is slow, and small one is not."""

    @staticmethod
    def forward(ctx: Any, given: Tensor, weight: Tensor, shift: Tensor, first: Tensor) -> Tensor:
        size, low = first.shape[-1], given.dtype
        gates = given.to(first.dtype)  # given itself, which nobody needs, where it is no lower
        states = first.new_empty(len(given) + 1, *first.shape)
        products = first.new_empty(len(given), *first.shape)  # V_n h + c_n
        states[0] = first
        up, shift = weight.to(low).mT, shift.unsqueeze(1)
        for step, (gate, product) in enumerate(zip(gates, products, strict=True)):
            both, new = gate[..., : 2 * size], gate[..., 2 * size :]
            found = torch.bmm(states[step].to(low), up)
            both.add_(found[..., : 2 * size]).sigmoid_()
            torch.add(found[..., 2 * size :], shift, out=product)
            new.addcmul_(both[..., :size], product).tanh_()
            torch.lerp(new, states[step], both[..., size:], out=states[step + 1])
        ctx.save_for_backward(gates, products, states, weight)
        ctx.low = low
        return states[1:]

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, slope: Tensor) -> tuple[Tensor, ...]:  # type: ignore[override]
        gates, products, states, weight = ctx.saved_tensors
        size = states.shape[-1]
        of_gates = torch.empty_like(gates, dtype=ctx.low)  # by what V adds to them
        of_new = torch.empty_like(products, dtype=ctx.low)  # by what W adds to n
        down, weight = torch.zeros_like(states[0]), weight.to(ctx.low)
        one = down.new_ones(())
        for step in range(len(gates) - 1, -1, -1):
            reset, kept, new = gates[step].split(size, dim=-1)
            of_reset, of_kept, of_product = of_gates[step].split(size, dim=-1)
            down += slope[step]
            left = torch.addcmul(down, down, kept, value=-1)  # (1 - u) of what comes down
            inside = torch.addcmul(one, new, new, value=-1).mul_(left)
            of_new[step] = inside
            torch.mul(inside, reset, out=of_product)
            inside *= products[step]
            torch.mul(inside, torch.addcmul(reset, reset, reset, value=-1), out=of_reset)
            torch.mul((states[step] - new).mul_(kept), left, out=of_kept)
            down.mul_(kept).add_(torch.bmm(of_gates[step], weight))
        apart, before = (x.transpose(0, 1).flatten(1, 2) for x in (of_gates, states[:-1]))
        of_weight = torch.bmm(apart.mT, before.to(ctx.low))
        of_shift = apart[..., 2 * size :].sum(dim=1, dtype=states.dtype)
        of_gates[..., 2 * size :] = of_new
        return of_gates, of_weight.to(states.dtype), of_shift, down
