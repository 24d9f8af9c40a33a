"""Inception-v3 a block at a time, and files of a network so small that it can be written down."""

import sys
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor, nn
from torch.nn import functional as F

from lowerbound.errors import DataError
from lowerbound.evaluation.quality import InceptionV3, load_inception

MODULE = sys.modules[load_inception.__module__]

# the network

#: Convolutions that halve the grid, and those that lose its edge; all others keep it.
HALVING = {
    "Conv2d_1a_3x3", "Mixed_6a.branch3x3", "Mixed_6a.branch3x3dbl_3", "Mixed_7a.branch3x3_2",
    "Mixed_7a.branch7x7x3_4",
}  # fmt: skip
NARROWING = {"Conv2d_2a_3x3", "Conv2d_4a_3x3"}


@pytest.fixture
def network() -> InceptionV3:
    with torch.device("meta"):
        return InceptionV3()


def test_all_convolutions_but_seven_keep_the_grid(network):
    seen = {}
    for name, part in network.named_modules():
        if isinstance(part, nn.BatchNorm2d):
            assert part.eps == 1e-3
        if isinstance(part, nn.Conv2d):
            seen[name.removesuffix(".conv")] = part
            assert part.bias is None
    assert len(seen) == 94
    for name, part in seen.items():
        high, wide = part.kernel_size
        keeps = name not in HALVING | NARROWING
        assert part.stride == ((2, 2) if name in HALVING else (1, 1)), name
        assert part.padding == ((high // 2, wide // 2) if keeps else (0, 0)), name


@pytest.mark.parametrize(
    ("layout", "average", "last"),
    [(None, "padded", "padded"), ("torchvision", "padded", "padded"), ("2015", "unpadded", "max")],
)
def test_the_layouts_differ_in_how_they_pool(layout, average, last):
    with torch.device("meta"):
        network = InceptionV3(layout) if layout else InceptionV3()
    pooled = {name: part.pooling for name, part in network.named_children() if "Mixed" in name
              and hasattr(part, "pooling")}  # fmt: skip
    assert len(pooled) == 9
    assert pooled.pop("Mixed_7c") == last
    assert set(pooled.values()) == {average}


class Noted(nn.Module):
    """Lets its input through, and writes down its name."""

    def __init__(self, name: str, log: list) -> None:
        super().__init__()
        self.name, self.log = name, log

    def forward(self, x: Tensor) -> Tensor:
        self.log.append(self.name)
        return x


def test_the_stages_follow_each_other_and_end_in_averages(network, monkeypatch):
    log = []
    for name, _ in list(network.named_children()):
        setattr(network, name, Noted(name, log))
    monkeypatch.setattr(
        F, "max_pool2d", lambda x, size, **more: log.append(("pool", size, more)) or x
    )
    x = torch.randn(2, 3, 4, 5)
    assert torch.allclose(network(x), x.mean(dim=3).mean(dim=2), atol=1e-6)
    pool = ("pool", 3, {"stride": 2})
    assert log == [
        "Conv2d_1a_3x3", "Conv2d_2a_3x3", "Conv2d_2b_3x3", pool, "Conv2d_3b_1x1", "Conv2d_4a_3x3",
        pool, "Mixed_5b", "Mixed_5c", "Mixed_5d", "Mixed_6a", "Mixed_6b", "Mixed_6c", "Mixed_6d",
        "Mixed_6e", "Mixed_7a", "Mixed_7b", "Mixed_7c",
    ]  # fmt: skip


def test_a_convolution_is_normalised_and_rectified():
    block = MODULE.Convolution(2, 3, (1, 2), stride=2, padding=(0, 1)).eval()
    with torch.no_grad():
        block.bn.running_mean += 0.3
        block.bn.running_var *= 2.0
        block.bn.bias -= 0.1
        x = torch.randn(1, 2, 4, 5)
        plain = F.conv2d(x, block.conv.weight, stride=2, padding=(0, 1))
        found = block(x)
    assert torch.allclose(found, ((plain - 0.3) / 2.001**0.5 - 0.1).clamp(min=0), atol=1e-6)
    assert float(found.min()) == 0 < float(found.max())


@torch.no_grad()
def joined(block: nn.Module, x: Tensor, *branches: str | Tensor) -> bool:
    """Whether a block is its branches side by side; `a>b` is a, then b."""
    expected = []
    for branch in branches:
        y = branch if isinstance(branch, Tensor) else x
        for name in [] if isinstance(branch, Tensor) else branch.split(">"):
            y = getattr(block, name)(y)
        expected.append(y)
    return torch.allclose(block(x), torch.cat(expected, dim=1), atol=1e-6)


@pytest.mark.parametrize("pooling", ["padded", "unpadded", "max"])
@torch.no_grad()
def test_blocks_that_keep_the_grid_are_their_branches_side_by_side(pooling):
    x = torch.randn(2, 3, 4, 4)
    small = MODULE.Grid35(3, 2, pooling).eval()
    assert joined(
        small, x, "branch1x1", "branch5x5_1>branch5x5_2",
        "branch3x3dbl_1>branch3x3dbl_2>branch3x3dbl_3", small.branch_pool(MODULE._pool(x, pooling)),
    )  # fmt: skip
    middle = MODULE.Grid17(3, 4, pooling).eval()
    assert joined(
        middle, x, "branch1x1", "branch7x7_1>branch7x7_2>branch7x7_3",
        "branch7x7dbl_1>branch7x7dbl_2>branch7x7dbl_3>branch7x7dbl_4>branch7x7dbl_5",
        middle.branch_pool(MODULE._pool(x, pooling)),
    )  # fmt: skip
    large = MODULE.Grid8(3, pooling).eval()
    assert joined(
        large, x, "branch1x1", "branch3x3_1>branch3x3_2a", "branch3x3_1>branch3x3_2b",
        "branch3x3dbl_1>branch3x3dbl_2>branch3x3dbl_3a",
        "branch3x3dbl_1>branch3x3dbl_2>branch3x3dbl_3b",
        large.branch_pool(MODULE._pool(x, pooling)),
    )  # fmt: skip


def test_blocks_that_halve_the_grid_take_the_largest_of_three_by_three():
    x = torch.randn(2, 3, 7, 7)
    largest = F.max_pool2d(x, 3, 2)
    assert joined(
        MODULE.From35To17(3).eval(), x, "branch3x3",
        "branch3x3dbl_1>branch3x3dbl_2>branch3x3dbl_3", largest,
    )  # fmt: skip
    assert joined(
        MODULE.From17To8(3).eval(), x, "branch3x3_1>branch3x3_2",
        "branch7x7x3_1>branch7x7x3_2>branch7x7x3_3>branch7x7x3_4", largest,
    )  # fmt: skip


def test_an_average_counts_the_padding_or_leaves_it_out():
    x = torch.arange(1.0, 10.0).reshape(1, 1, 3, 3)
    found = {kind: MODULE._pool(x, kind)[0, 0] for kind in ("padded", "unpadded", "max")}
    assert float(found["padded"][0, 0]) == pytest.approx((1 + 2 + 4 + 5) / 9)
    assert float(found["unpadded"][0, 0]) == pytest.approx((1 + 2 + 4 + 5) / 4)
    assert found["max"].tolist() == [[5, 6, 6], [8, 9, 9], [8, 9, 9]]
    for pooled in found.values():
        assert pooled.shape == (3, 3)
    assert float(found["padded"][1, 1]) == float(found["unpadded"][1, 1]) == 5


# its file


class Tiny(nn.Module):
    """In place of the network: one convolution."""

    def __init__(self, layout: str) -> None:
        super().__init__()
        self.layout = layout
        self.first = MODULE.Convolution(1, 2, 1)


GOOD = {
    "first.conv.weight": torch.tensor([0.5, -1.0]).reshape(2, 1, 1, 1),
    "first.bn.weight": torch.tensor([1.0, 2.0]),
    "first.bn.bias": torch.tensor([0.25, 0.0]),
    "first.bn.running_mean": torch.tensor([-1.0, 3.0]),
    "first.bn.running_var": torch.tensor([0.0, 0.5]),
}


@pytest.fixture
def stored(monkeypatch, tmp_path):
    """Writes tensors, and reads them as the weights of a tiny network."""
    monkeypatch.setattr(MODULE, "InceptionV3", Tiny)
    path = tmp_path / "weights.safetensors"

    def store(**changed: Tensor | None) -> Path:
        tensors = {**GOOD, **{name.replace("__", "."): t for name, t in changed.items()}}
        save_file({name: t for name, t in tensors.items() if t is not None}, path)
        return path

    return store


@pytest.mark.parametrize("kind", [torch.float64, torch.float32, torch.float16, torch.bfloat16])
def test_weights_of_any_floating_type_are_read_as_float32(kind, stored):
    path = stored(**{name.replace(".", "__"): t.to(kind) for name, t in GOOD.items()})
    network, layout = load_inception(path)
    found = network.state_dict()
    for name, tensor in GOOD.items():
        assert torch.equal(found[name], tensor)
        assert found[name].dtype == torch.float32
    count = found["first.bn.num_batches_tracked"]
    assert (count.shape, count.dtype, int(count)) == ((), torch.int64, 0)
    assert layout == network.layout == "torchvision"
    assert not network.training
    assert not any(p.requires_grad for p in network.parameters())


@pytest.mark.parametrize(
    ("classes", "layout"), [(1008, "2015"), (1000, "torchvision"), (1009, "torchvision")]
)
def test_the_layout_is_told_by_the_classifier_in_the_file(classes, layout, stored):
    path = stored(
        fc__weight=torch.zeros(classes, 3), fc__bias=torch.zeros(classes),
        AuxLogits__fc__bias=torch.zeros(2), first__bn__num_batches_tracked=torch.tensor(7),
        other__num_batches_tracked=torch.tensor(7),
    )  # fmt: skip
    network, told = load_inception(path)
    assert network.layout == told == layout
    assert int(network.first.bn.num_batches_tracked) == 0
    assert MODULE.CLASSES_OF_2015 == 1008


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"first__bn__bias": None}, "does not hold Inception-v3: it lacks 'first.bn.bias'; "),
        ({"first__bn__weight": None, "first__bn__bias": None}, "it lacks 'first.bn.bias'; "),
        ({"fcc": torch.zeros(1), "b": torch.zeros(1)}, "does not hold Inception-v3: it has 'b'; "),
        ({"first__bn__bias": None, "b": torch.zeros(1)}, "it lacks 'first.bn.bias'; "),
        ({"first__bn__bias": torch.zeros(3)}, "'first.bn.bias' is (3,), the network's is (2,); "),
        ({"first__bn__bias": torch.zeros(2).int()}, "'first.bn.bias' is I32; "),
        ({"first__bn__bias": torch.tensor([0, torch.nan])}, "'first.bn.bias' holds impossible"),
        ({"first__bn__running_var": torch.tensor([1, -1e-9])}, "'first.bn.running_var' holds"),
        ({"first__conv__weight": torch.full((2, 1, 1, 1), torch.inf)}, "is damaged: 'first.conv"),
    ],
)
def test_a_file_of_another_network_is_refused_with_how_to_make_one(changed, words, stored):
    path = stored(**changed)
    with pytest.raises(DataError) as refused:
        load_inception(path)
    told = str(refused.value)
    assert told.startswith(str(path))
    assert words in told
    assert told.endswith(
        "; write one with safetensors.torch.save_file(torchvision.models.inception_v3("
        "weights='DEFAULT').state_dict(), FILE)"
    )


def test_no_file_and_half_a_file_are_refused(stored, tmp_path):
    with pytest.raises(DataError, match=r"there is no file '.*none' of Inception weights; write"):
        load_inception(tmp_path / "none")
    with pytest.raises(DataError, match="there is no file"):
        load_inception(tmp_path)
    path = stored()
    path.write_bytes(path.read_bytes()[:-3])
    with pytest.raises(DataError, match="is no whole safetensors file; write") as refused:
        load_inception(path)
    assert refused.value.__cause__ is not None
