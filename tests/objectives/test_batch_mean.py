"""The mean over a batch that several processes hold a share of."""

import pytest
import torch

from lowerbound.objectives.batch_mean import averaged_by, batch_mean

VALUES = torch.tensor([[[1.0, 2.0], [3.0, 6.0]], [[5.0, 0.0], [7.0, 0.0]]])


def test_alone_it_is_the_mean_over_samples_and_examples():
    assert batch_mean(VALUES).tolist() == [4.0, 2.0]


def test_across_processes_it_is_what_they_make_of_the_mean_at_hand_until_that_ends():
    with averaged_by(lambda mean: (mean + 10.0) / 2):
        assert batch_mean(VALUES).tolist() == [7.0, 6.0]
        with averaged_by(lambda mean: 2 * mean):
            assert batch_mean(VALUES).tolist() == [8.0, 4.0]
        assert batch_mean(VALUES).tolist() == [7.0, 6.0]
    assert batch_mean(VALUES).tolist() == [4.0, 2.0]
    with pytest.raises(RuntimeError, match="inside"), averaged_by(lambda mean: 2 * mean):
        raise RuntimeError("inside")
    assert batch_mean(VALUES).tolist() == [4.0, 2.0]
