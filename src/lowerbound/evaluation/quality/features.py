"""Which feature space to compare samples and data in."""

from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor
from torch.nn import functional as F

from lowerbound.data import Examples, Schema
from lowerbound.errors import DataError, SettingError, UnknownNameError
from lowerbound.evaluation.quality.classifier import Classifier, can_classify
from lowerbound.evaluation.quality.inception import InceptionV3, load_inception
from lowerbound.evaluation.quality.pixels import COMPONENTS, PCA, Pixels
from lowerbound.evaluation.quality.space import FeatureSpace

#: Names that `feature_space` knows; anything that ends in .safetensors is a file.
CHOICES = ("auto", "pixels", "pca", "classifier")
#: Images that go through Inception at a time.
IMAGES_AT_ONCE = 16
#: Height and width that Inception sees.
SIDE = 299


@dataclass(frozen=True)
class Inception(FeatureSpace):
    """Activations of an Inception-v3 whose weights lie on this machine.

    Args:
        shape: Of an image, `(C, H, W)`, one channel or three.
        network: The network, in evaluation mode.
        low: The value of black.
        high: The value of white.
        layout: "torchvision" or "2015".
    """

    shape: tuple[int, ...]
    network: InceptionV3
    low: float
    high: float
    layout: str

    name = "inception"
    costly = True

    @classmethod
    def load(
        cls, path: Path, train: Examples, schema: Schema, device: torch.device | str = "cpu"
    ) -> "Inception":
        """Read weights from a safetensors file; see `load_inception`.

        Real images are taken to range from the least to the greatest of training, levels from 0.

        Raises:
            DataError: The data are not images of one or three channels, or the file does not fit.
        """
        if not schema.is_image or schema.shape[0] not in (1, 3):
            raise DataError(
                f"Inception features are of grey or colour images, not of {schema.describe()}; "
                "use --features pca"
            )
        network, layout = load_inception(path)
        low, high = 0.0, 1.0
        if schema.levels is not None:
            high = float(schema.levels - 1)
        elif len(train):
            low, high = float(train.x.min()), float(train.x.max())
        high = high if high > low else low + 1.0  # images of one grey are black
        return cls(schema.shape, network.to(device), low, high, layout)

    @property
    def dimensions(self) -> int:
        return 2048

    @property
    def words(self) -> str:
        which = "torchvision's layout" if self.layout == "torchvision" else "the layout of 2015"
        grey = ", grey repeated three times" if self.shape[0] == 1 else ""
        return (
            f"the 2,048 averages before the classifier of Inception-v3 ({which}), images scaled "
            f"to {SIDE}x{SIDE}{grey}; not whitened"
        )

    def rows_at_once(self) -> int:
        return IMAGES_AT_ONCE

    def embed(self, x: Tensor) -> Tensor:
        """Return activations `(B, 2048)` of images `(B, C, H, W)`.

        Differs: images are resized without the errors of the first implementation, see Parmar,
        Zhang & Zhu (2022), arXiv 2104.11222; distances differ in their last digits.
        """
        device = next(self.network.parameters()).device
        images = ((x.double() - self.low) / (self.high - self.low)).clamp(0, 1).float().to(device)
        images = images.expand(-1, 3, -1, -1)
        images = F.interpolate(images, (SIDE, SIDE), mode="bilinear", antialias=True)
        return self.network(2 * images - 1)


def feature_space(
    train: Examples,
    schema: Schema,
    choice: str | Path = "auto",
    *,
    seed: int = 0,
    device: torch.device | str = "cpu",
) -> FeatureSpace:
    """Fit a space in which to compare samples and data, on training examples alone.

    - "pixels": every cell, from 0 to 1 or in standard deviations.
    - "pca": at most 64 principal components of the cells, and the distance from their span.
    - "classifier": the last hidden layer of a classifier of the data's own labels.
    - a path that ends in .safetensors: weights of Inception-v3, see `load_inception`.
    - "auto": "classifier" for images with labels; otherwise "pixels" for at most 64 cells, and
      "pca" for more.

    Args:
        train: `N` examples, at least 2; give none here that are compared afterwards, because a
            space fitted on them makes them look unlike all others. `sample_quality` sees to that.
            Their `label` is what "classifier" learns.
        choice: As above.
        seed: Of the choice of examples, the decomposition and the training.
        device: Where Inception runs; the others run on the CPU.

    Returns:
        The space; call it with examples `(N, *shape)` for features `(N, F)`.

    Raises:
        UnknownNameError: There is no such choice.
        SettingError: "classifier" without labels enough.
        DataError: Too few examples, examples with missing cells, a file that does not fit, or
            Inception for what is no image.
    """
    choice = str(choice)
    file = choice.endswith(".safetensors")
    if choice not in CHOICES and not file:
        if Path(choice).exists():
            raise SettingError(
                f"weights must be a .safetensors file, got {choice!r}; convert them with "
                "safetensors.torch.save_file, other formats can run code"
            )
        raise UnknownNameError("feature space", choice, CHOICES)
    if len(train) < 2:
        raise DataError(f"features are fitted on at least 2 training examples, got {len(train)}")
    if train.observed is not None and not bool(train.observed.all()):
        raise DataError("features need examples without missing cells; impute or drop them first")
    if choice == "auto":
        choice = "pixels" if schema.dimensions <= COMPONENTS else "pca"
        if schema.is_image and can_classify(train):
            choice = "classifier"
    if file:
        return Inception.load(Path(choice), train, schema, device)
    if choice == "pixels":
        return Pixels.fit(train, schema)
    return (Classifier if choice == "classifier" else PCA).fit(train, schema, seed=seed)
