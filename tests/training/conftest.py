"""Small data that training finishes with in no time."""

import pytest
import torch

from lowerbound.data import Data, Examples, Field, Schema


@pytest.fixture
def data() -> Data:
    x = torch.randn(96, 3, generator=torch.Generator().manual_seed(1))
    x = x @ torch.tensor([[1.0, 0.5, 0.0], [0.0, 1.0, 0.3], [0.0, 0.0, 0.4]])
    schema = Schema((Field("x", "real", (3,), mean=(0.0,) * 3, scale=(1.0,) * 3),), (3,))
    parts = (Examples(x[:64]), Examples(x[64:80]), Examples(x[80:]))
    return Data(schema, *parts, source="planted")
