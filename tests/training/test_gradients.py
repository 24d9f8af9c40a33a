"""A gradient in one message: the sum over processes, parameter by parameter."""

import torch
from torch import Tensor, nn

from lowerbound.processes import Group
from lowerbound.training.gradients import ONE_MESSAGE_UP_TO, InOneMessage, Overlapped, reduction_of
from lowerbound.training.team import Team


class Two(Group):
    """This process and another one, whose message is known."""

    size = 2

    def __init__(self, other: Tensor) -> None:
        self.other = other

    def add(self, tensor: Tensor):
        return lambda: tensor.add_(self.other)


def test_gradients_are_summed_and_a_parameter_takes_part_if_it_does_in_any_process():
    last = torch.channels_last
    first, second, idle = (nn.Parameter(torch.ones(2, 3, 2, 2).contiguous(memory_format=last)),
                           nn.Parameter(torch.ones(2)), nn.Parameter(torch.ones(3)))  # fmt: skip
    parameters = [first, second, idle]
    theirs = torch.arange(24.0)
    # the other process: its gradients in order, then which parameters took part there
    message = torch.cat([theirs, torch.tensor([5.0, 7.0]), torch.zeros(3), torch.tensor([1, 1, 0])])
    reduction = InOneMessage(nn.Identity(), None, Team(Two(message)), parameters)
    factors = torch.randn(24).view(2, 3, 2, 2)
    reduction.backward((first * factors).sum().expand(4), weight=-0.25)
    torch.testing.assert_close(first.grad, theirs.view(2, 3, 2, 2) - factors)
    assert first.grad.stride() == first.stride()  # Adam's kernel goes through memory in order
    assert second.grad.tolist() == [5.0, 7.0]
    assert idle.grad is None


def test_one_message_is_for_few_numbers_of_one_kind():
    def chosen(*parameters: Tensor):
        return type(reduction_of(Team(Two(torch.zeros(()))), nn.Identity(), None, parameters))

    assert chosen(torch.zeros(ONE_MESSAGE_UP_TO)) is InOneMessage
    assert chosen(torch.zeros(ONE_MESSAGE_UP_TO), torch.zeros(1)) is Overlapped
    assert chosen(torch.zeros(2), torch.zeros(2, dtype=torch.float64)) is Overlapped
    assert chosen(torch.zeros(2, device="meta")) is Overlapped
