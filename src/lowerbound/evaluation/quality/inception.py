"""Inception-v3 up to its last pooling, for weights that a person has on their own disk.

Nothing is downloaded and nothing is unpickled: the file is safetensors, and every tensor's name
and shape is checked before any is read. Names are those of torchvision's `inception_v3`.
"""

from pathlib import Path
from typing import Literal

import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor, nn
from torch.nn import functional as F

from lowerbound.errors import DataError

#: Outputs of a published classifier of 1,008 classes: the network of Heusel et al. (2017).
CLASSES_OF_2015 = 1008
#: Parts of a whole classifier that features do not need.
UNUSED = ("fc.", "AuxLogits.")
#: How to make a file that fits.
HOW = (
    "write one with safetensors.torch.save_file(torchvision.models.inception_v3(weights='DEFAULT')"
    ".state_dict(), FILE)"
)
Pooling = Literal["padded", "unpadded", "max"]


class InceptionV3(nn.Module):
    """Images of 299x299 to the 2,048 averages of the last layer before the classifier.

    Args:
        layout: "torchvision", or "2015" for the network with which Fréchet inception distances
            have been computed since 2017. The weights' names and shapes are the same; the latter
            leaves padding out of its averages and takes a maximum in the last block.

    Shape:
        `(B, 3, 299, 299)` in [-1, 1] to `(B, 2048)`.

    Source: Szegedy et al. (2016), arXiv 1512.00567.
    """

    def __init__(self, layout: Literal["torchvision", "2015"] = "torchvision") -> None:
        super().__init__()
        average: Pooling = "padded" if layout == "torchvision" else "unpadded"
        last: Pooling = "padded" if layout == "torchvision" else "max"
        self.Conv2d_1a_3x3 = Convolution(3, 32, 3, stride=2)
        self.Conv2d_2a_3x3 = Convolution(32, 32, 3)
        self.Conv2d_2b_3x3 = Convolution(32, 64, 3, padding=1)
        self.Conv2d_3b_1x1 = Convolution(64, 80, 1)
        self.Conv2d_4a_3x3 = Convolution(80, 192, 3)
        self.Mixed_5b = Grid35(192, 32, average)
        self.Mixed_5c = Grid35(256, 64, average)
        self.Mixed_5d = Grid35(288, 64, average)
        self.Mixed_6a = From35To17(288)
        self.Mixed_6b = Grid17(768, 128, average)
        self.Mixed_6c = Grid17(768, 160, average)
        self.Mixed_6d = Grid17(768, 160, average)
        self.Mixed_6e = Grid17(768, 192, average)
        self.Mixed_7a = From17To8(768)
        self.Mixed_7b = Grid8(1280, average)
        self.Mixed_7c = Grid8(2048, last)

    def forward(self, x: Tensor) -> Tensor:
        x = self.Conv2d_2b_3x3(self.Conv2d_2a_3x3(self.Conv2d_1a_3x3(x)))
        x = F.max_pool2d(x, 3, stride=2)
        x = self.Conv2d_4a_3x3(self.Conv2d_3b_1x1(x))
        x = F.max_pool2d(x, 3, stride=2)
        x = self.Mixed_5d(self.Mixed_5c(self.Mixed_5b(x)))
        x = self.Mixed_6c(self.Mixed_6b(self.Mixed_6a(x)))
        x = self.Mixed_6e(self.Mixed_6d(x))
        x = self.Mixed_7c(self.Mixed_7b(self.Mixed_7a(x)))
        return x.mean(dim=(2, 3))


class Convolution(nn.Module):
    """A convolution without bias, batch normalisation and a rectifier."""

    def __init__(
        self,
        inputs: int,
        outputs: int,
        kernel: int | tuple[int, int],
        stride: int = 1,
        padding: int | tuple[int, int] = 0,
    ) -> None:
        super().__init__()
        self.conv = nn.Conv2d(inputs, outputs, kernel, stride, padding, bias=False)
        self.bn = nn.BatchNorm2d(outputs, eps=1e-3)

    def forward(self, x: Tensor) -> Tensor:
        return F.relu(self.bn(self.conv(x)))


class Grid35(nn.Module):
    """Four branches on the 35x35 grid."""

    def __init__(self, inputs: int, pooled: int, pooling: Pooling) -> None:
        super().__init__()
        self.pooling: Pooling = pooling
        self.branch1x1 = Convolution(inputs, 64, 1)
        self.branch5x5_1 = Convolution(inputs, 48, 1)
        self.branch5x5_2 = Convolution(48, 64, 5, padding=2)
        self.branch3x3dbl_1 = Convolution(inputs, 64, 1)
        self.branch3x3dbl_2 = Convolution(64, 96, 3, padding=1)
        self.branch3x3dbl_3 = Convolution(96, 96, 3, padding=1)
        self.branch_pool = Convolution(inputs, pooled, 1)

    def forward(self, x: Tensor) -> Tensor:
        five = self.branch5x5_2(self.branch5x5_1(x))
        three = self.branch3x3dbl_3(self.branch3x3dbl_2(self.branch3x3dbl_1(x)))
        pool = self.branch_pool(_pool(x, self.pooling))
        return torch.cat([self.branch1x1(x), five, three, pool], dim=1)


class From35To17(nn.Module):
    """Halves the grid, 288 channels to 768."""

    def __init__(self, inputs: int) -> None:
        super().__init__()
        self.branch3x3 = Convolution(inputs, 384, 3, stride=2)
        self.branch3x3dbl_1 = Convolution(inputs, 64, 1)
        self.branch3x3dbl_2 = Convolution(64, 96, 3, padding=1)
        self.branch3x3dbl_3 = Convolution(96, 96, 3, stride=2)

    def forward(self, x: Tensor) -> Tensor:
        three = self.branch3x3dbl_3(self.branch3x3dbl_2(self.branch3x3dbl_1(x)))
        return torch.cat([self.branch3x3(x), three, F.max_pool2d(x, 3, stride=2)], dim=1)


class Grid17(nn.Module):
    """Four branches on the 17x17 grid; 7x7 kernels as products of 1x7 and 7x1."""

    def __init__(self, inputs: int, width: int, pooling: Pooling) -> None:
        super().__init__()
        self.pooling: Pooling = pooling
        self.branch1x1 = Convolution(inputs, 192, 1)
        self.branch7x7_1 = Convolution(inputs, width, 1)
        self.branch7x7_2 = Convolution(width, width, (1, 7), padding=(0, 3))
        self.branch7x7_3 = Convolution(width, 192, (7, 1), padding=(3, 0))
        self.branch7x7dbl_1 = Convolution(inputs, width, 1)
        self.branch7x7dbl_2 = Convolution(width, width, (7, 1), padding=(3, 0))
        self.branch7x7dbl_3 = Convolution(width, width, (1, 7), padding=(0, 3))
        self.branch7x7dbl_4 = Convolution(width, width, (7, 1), padding=(3, 0))
        self.branch7x7dbl_5 = Convolution(width, 192, (1, 7), padding=(0, 3))
        self.branch_pool = Convolution(inputs, 192, 1)

    def forward(self, x: Tensor) -> Tensor:
        seven = self.branch7x7_3(self.branch7x7_2(self.branch7x7_1(x)))
        double = self.branch7x7dbl_3(self.branch7x7dbl_2(self.branch7x7dbl_1(x)))
        double = self.branch7x7dbl_5(self.branch7x7dbl_4(double))
        pool = self.branch_pool(_pool(x, self.pooling))
        return torch.cat([self.branch1x1(x), seven, double, pool], dim=1)


class From17To8(nn.Module):
    """Halves the grid, 768 channels to 1,280."""

    def __init__(self, inputs: int) -> None:
        super().__init__()
        self.branch3x3_1 = Convolution(inputs, 192, 1)
        self.branch3x3_2 = Convolution(192, 320, 3, stride=2)
        self.branch7x7x3_1 = Convolution(inputs, 192, 1)
        self.branch7x7x3_2 = Convolution(192, 192, (1, 7), padding=(0, 3))
        self.branch7x7x3_3 = Convolution(192, 192, (7, 1), padding=(3, 0))
        self.branch7x7x3_4 = Convolution(192, 192, 3, stride=2)

    def forward(self, x: Tensor) -> Tensor:
        three = self.branch3x3_2(self.branch3x3_1(x))
        seven = self.branch7x7x3_3(self.branch7x7x3_2(self.branch7x7x3_1(x)))
        seven = self.branch7x7x3_4(seven)
        return torch.cat([three, seven, F.max_pool2d(x, 3, stride=2)], dim=1)


class Grid8(nn.Module):
    """Branches on the 8x8 grid that end in a 1x3 and a 3x1 kernel side by side."""

    def __init__(self, inputs: int, pooling: Pooling) -> None:
        super().__init__()
        self.pooling: Pooling = pooling
        self.branch1x1 = Convolution(inputs, 320, 1)
        self.branch3x3_1 = Convolution(inputs, 384, 1)
        self.branch3x3_2a = Convolution(384, 384, (1, 3), padding=(0, 1))
        self.branch3x3_2b = Convolution(384, 384, (3, 1), padding=(1, 0))
        self.branch3x3dbl_1 = Convolution(inputs, 448, 1)
        self.branch3x3dbl_2 = Convolution(448, 384, 3, padding=1)
        self.branch3x3dbl_3a = Convolution(384, 384, (1, 3), padding=(0, 1))
        self.branch3x3dbl_3b = Convolution(384, 384, (3, 1), padding=(1, 0))
        self.branch_pool = Convolution(inputs, 192, 1)

    def forward(self, x: Tensor) -> Tensor:
        one = self.branch3x3_1(x)
        two = self.branch3x3dbl_2(self.branch3x3dbl_1(x))
        single = [self.branch1x1(x), self.branch3x3_2a(one), self.branch3x3_2b(one)]
        double = [self.branch3x3dbl_3a(two), self.branch3x3dbl_3b(two)]
        return torch.cat([*single, *double, self.branch_pool(_pool(x, self.pooling))], dim=1)


def _pool(x: Tensor, pooling: Pooling) -> Tensor:
    if pooling == "max":
        return F.max_pool2d(x, 3, stride=1, padding=1)
    return F.avg_pool2d(x, 3, stride=1, padding=1, count_include_pad=pooling == "padded")


def load_inception(path: Path) -> tuple[InceptionV3, Literal["torchvision", "2015"]]:
    """Load the weights of a safetensors file, and tell which of the two layouts it has.

    The layout is told by the classifier in the file: 1,008 classes are those of 2015. Without a
    classifier it is torchvision's.

    Args:
        path: Tensors with torchvision's names, of any floating type; `fc`, `AuxLogits` and counts
            of batches may be there or not.

    Returns:
        The network, on the CPU, in float32 and evaluation mode; and its layout.

    Raises:
        DataError: The file is missing, no whole safetensors file, or of another network; or a
            weight is not finite.
    """
    if not path.is_file():
        raise DataError(f"there is no file {str(path)!r} of Inception weights; {HOW}")
    try:
        with safe_open(str(path), framework="pt") as file:
            names = set(file.keys())
            layout: Literal["torchvision", "2015"] = "torchvision"
            if "fc.weight" in names:
                classes = file.get_slice("fc.weight").get_shape()[:1]
                layout = "2015" if classes == [CLASSES_OF_2015] else "torchvision"
            with torch.device("meta"):  # says names and shapes; draws and allocates nothing
                network = InceptionV3(layout)
            expected = network.state_dict()
            _compare(path, file, names, expected)
            tensors = {name: _read(path, file, name, like) for name, like in expected.items()}
    except (SafetensorError, OSError, ValueError, RuntimeError) as error:
        if isinstance(error, DataError):
            raise
        raise DataError(f"{path} is no whole safetensors file; {HOW}") from error
    network.load_state_dict(tensors, assign=True)
    return network.eval().requires_grad_(False), layout


def _compare(path: Path, file, names: set[str], expected: dict[str, Tensor]) -> None:  # type: ignore[no-untyped-def]
    needed = {name for name in expected if not _is_count(name)}
    missing = sorted(needed - names)
    strange = sorted(n for n in names - needed if not (n.startswith(UNUSED) or _is_count(n)))
    if missing or strange:
        what = f"lacks '{missing[0]}'" if missing else f"has '{strange[0]}'"
        raise DataError(f"{path} does not hold Inception-v3: it {what}; {HOW}")
    for name in sorted(needed):
        shape = tuple(file.get_slice(name).get_shape())
        if shape != tuple(expected[name].shape):
            raise DataError(
                f"{path} does not hold Inception-v3: '{name}' is {shape}, the network's is "
                f"{tuple(expected[name].shape)}; {HOW}"
            )
        kind = file.get_slice(name).get_dtype()
        if kind not in ("F64", "F32", "F16", "BF16"):
            raise DataError(f"{path} does not hold Inception-v3: '{name}' is {kind}; {HOW}")


def _read(path: Path, file, name: str, like: Tensor) -> Tensor:  # type: ignore[no-untyped-def]
    if _is_count(name):
        return torch.zeros(like.shape, dtype=like.dtype)
    tensor = file.get_tensor(name).float()
    negative = name.endswith("running_var") and bool((tensor < 0).any())
    if negative or not bool(torch.isfinite(tensor).all()):
        raise DataError(f"{path} is damaged: '{name}' holds impossible numbers; {HOW}")
    return tensor


def _is_count(name: str) -> bool:
    return name.endswith("num_batches_tracked")
