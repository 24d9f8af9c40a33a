"""Pictures drawn from five factors, for measures of disentanglement."""

import numpy as np

#: Names of the factors, and how many values each has.
FACTORS = {"shape": 3, "scale": 6, "orientation": 40, "x": 32, "y": 32}
#: Pixels of a side, and half the side of the largest shape in units of it.
SIDE, REACH = 64, 0.22
AT_ONCE = 500


def sprites(count: int = 10_000, *, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Draw squares, ellipses and hearts, each factor evenly and by itself.

    Args:
        count: How many, `N`.
        seed: Of the draws.

    Returns:
        Pictures `(N, 1, 64, 64)`, uint8, 0 or 1; and codes of the factors in `FACTORS`, `(N, 5)`,
        int64.

    Source: Matthey, Higgins, Hassabis & Lerchner (2017), dSprites, for the factors and their
        values. Differs: in the outlines, which are drawn here.

    Example:
        >>> images, factors = sprites(3)
        >>> images.shape, factors.shape
        ((3, 1, 64, 64), (3, 5))
    """
    rng = np.random.default_rng(seed)
    factors = np.stack([rng.integers(0, n, count) for n in FACTORS.values()], axis=1)
    parts = [draw(factors[i : i + AT_ONCE]) for i in range(0, count, AT_ONCE)]
    return np.concatenate([np.empty((0, 1, SIDE, SIDE), np.uint8), *parts]), factors


def draw(factors: np.ndarray) -> np.ndarray:
    """Draw the picture of each row of codes `(N, 5)`, uint8 `(N, 1, 64, 64)`."""
    shape, scale, turn, x, y = (one[:, None, None] for one in np.asarray(factors).T)
    size = REACH * (0.5 + scale / 10)
    centre = [REACH * 1.3 + (1 - 2.6 * REACH) * place / 31 for place in (x, y)]
    at = (np.arange(SIDE) + 0.5) / SIDE
    across, down = (at[None, None, :] - centre[0]) / size, (at[None, :, None] - centre[1]) / size
    angle = 2 * np.pi * turn / FACTORS["orientation"]
    u = np.cos(angle) * across + np.sin(angle) * down
    v = np.cos(angle) * down - np.sin(angle) * across
    square = np.maximum(np.abs(u), np.abs(v)) <= 0.7
    ellipse = u**2 + (2 * v) ** 2 <= 1
    heart = (1.4 * u**2 + 1.4 * v**2 - 0.8) ** 3 <= -4 * u**2 * v**3
    return np.where(shape == 0, square, np.where(shape == 1, ellipse, heart))[:, None].astype("u1")
