"""Images as a person sees them: from the units of the data to bytes, and sheets of many."""

import math

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from lowerbound.data import Schema
from lowerbound.errors import ShapeError

#: Pixels that a small picture is enlarged to, at least, to be seen.
SEEN_AT = 32


def to_pixels(x: Tensor, schema: Schema) -> np.ndarray:
    """Bytes of images in the units of the data.

    Levels are spread over 0 ... 255; real values over their range in `x`.

    Args:
        x: `(N, C, H, W)`.
        schema: Schema of the data; it must be images.

    Returns:
        `(N, H, W, C)` uint8, with C of 1 or 3; other numbers of channels are shown side by side
        as grey images `(N, H, C W, 1)`.

    Raises:
        ShapeError: The data is not images.
    """
    if not schema.is_image or x.ndim != 4:
        raise ShapeError(
            f"pictures need images (N, C, H, W), the data is {schema.describe()}; write .npy"
        )
    x = torch.as_tensor(x).double()
    if schema.levels is not None:
        scaled = x / (schema.levels - 1)
    else:
        low, high = float(x.min()), float(x.max())
        scaled = (x - low) / max(high - low, 1e-12)
    pixels = (scaled.clamp(0.0, 1.0) * 255).round().to(torch.uint8)
    if pixels.shape[1] not in (1, 3):
        return np.concatenate(list(pixels.permute(1, 0, 2, 3).numpy()), axis=-1)[..., None]
    return pixels.permute(0, 2, 3, 1).numpy()


def to_image(pixels: np.ndarray) -> Image.Image:
    """One picture, `(H, W, C)` uint8."""
    return Image.fromarray(pixels[..., 0] if pixels.shape[-1] == 1 else pixels)


def contact_sheet(
    pixels: np.ndarray, columns: int | None = None, *, gap: int = 2, enlarge: int = 1
) -> Image.Image:
    """Many pictures on one sheet, row by row, on white.

    Args:
        pixels: `(N, H, W, C)` uint8.
        columns: Pictures in a row; about the square root of N if None.
        gap: Pixels between pictures.
        enlarge: Each pixel becomes a square of so many.
    """
    count, height, width, channels = pixels.shape
    columns = columns or math.ceil(math.sqrt(count))
    rows = math.ceil(count / columns)
    sheet = np.full(
        (rows * (height + gap) - gap, columns * (width + gap) - gap, channels), 255, np.uint8
    )
    for index in range(count):
        top = (index // columns) * (height + gap)
        left = (index % columns) * (width + gap)
        sheet[top : top + height, left : left + width] = pixels[index]
    image = to_image(sheet)
    if enlarge == 1:
        return image
    return image.resize((image.width * enlarge, image.height * enlarge), Image.Resampling.NEAREST)


def legible_sheet(pixels: np.ndarray, columns: int | None = None) -> Image.Image:
    """Draw a contact sheet on which small pictures are enlarged enough to be seen.

    Args:
        pixels: `(N, H, W, C)` uint8.
        columns: Pictures in a row, at most; about the square root of N if None.
    """
    enlarge = max(1, math.ceil(SEEN_AT / max(pixels.shape[1:3])))
    columns = min(columns, len(pixels)) if columns else None
    return contact_sheet(pixels, columns, gap=1 if enlarge > 2 else 2, enlarge=enlarge)
