"""What an encoder sees of a batch with gaps."""

import torch

from lowerbound.core import Batch, View


def test_whatever_an_unobserved_cell_holds_is_seen_as_nothing_and_has_no_gradient():
    for hostile in (float("nan"), float("inf"), 1e30, 0.5):
        x = torch.tensor([[1.0, hostile]], requires_grad=True)
        seen = View()(Batch(x, torch.tensor([[True, False]])))
        assert seen.tolist() == [[1.0, 0.0]]
        (seen**2).sum().backward()
        assert x.grad is not None
        assert x.grad.tolist() == [[2.0, 0.0]]


def test_floats_without_gaps_are_seen_without_a_copy():
    batch = Batch(torch.ones(3, 2))
    assert View()(batch) is batch.x
    assert len(batch) == 3
    assert len(batch.to("cpu")) == 3
