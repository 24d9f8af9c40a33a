"""The law of pixels whose colours go together."""

import torch
from torch import Tensor
from torch.distributions import Distribution

from lowerbound.distributions import LogisticMixture as LogisticMixtureDistribution
from lowerbound.errors import SettingError
from lowerbound.likelihoods.cells import Cells, Site, check_levels


class LogisticMixture(Cells):
    """p(x|z): levels by a mixture of discretised logistics; of colours, one after the other.

    Of an image of two or three channels a component is of a whole pixel; other cells are
    independent. Numbers a cell: `components` locations, log scales and logits each; of three
    channels slopes take the place of all logits but the first channel's, and one more number each.

    Args:
        levels: Number of levels, 256 for 8-bit data.
        channels: Of the image; 1 for cells that are independent.
        components: Of the mixture.

    Raises:
        SettingError: Fewer than 2 levels or 1 component, or more than 3 channels.

    Source: Salimans et al. (2017), section 2.1 and 2.2, arXiv 1701.05517.

    Example:
        >>> from lowerbound.likelihoods import Fields
        >>> from lowerbound.networks import MLP
        >>> law = LogisticMixture(256, channels=3)
        >>> p = Fields(MLP((2,), (law.parameters_per_cell, 3, 4, 4)), law)
        >>> p(torch.zeros(5, 2)).log_prob(torch.zeros(5, 3, 4, 4)).shape
        torch.Size([5])
    """

    formula = "sum_k w_k(z) DiscretizedLogistic(x; m_k(z, x_before), s_k(z))"
    name = "logistic-mixture"
    kinds = frozenset({"ordinal"})

    def __init__(self, levels: int = 256, *, channels: int = 1, components: int = 5) -> None:
        super().__init__()
        if levels < 2 or not 1 <= components <= 1000 or not 1 <= channels <= 3:
            raise SettingError(
                "a mixture of logistics has from 2 levels, 1 component and 1 to 3 channels, got "
                f"{levels}, {components} and {channels}"
            )
        self.levels, self.channels, self.components = levels, channels, components

    @property
    def coupled(self) -> bool:  # pyright: ignore[reportIncompatibleVariableOverride]
        """Whether colours follow each other."""
        return self.channels > 1

    @property
    def parameters_per_cell(self) -> int:
        """Location, log scale and a logit or slope of each component; a slope more of three."""
        return self.components * (4 if self.channels == 3 else 3)

    def law(self, parameters: Tensor) -> Distribution:
        """Return cells from `(..., *shape, parameters)`."""
        locations, log_scales, rest, *more = parameters.split(self.components, dim=-1)
        log_scales = log_scales.clamp(-9.0, 5.0)
        if not self.coupled:
            return LogisticMixtureDistribution(rest, locations, log_scales, self.levels)
        logits, *slopes = rest.unbind(dim=-4)
        slopes = torch.stack([*slopes, *(one[..., 2, :, :, :] for one in more)], dim=-4).tanh()
        return LogisticMixtureDistribution(logits, locations, log_scales, self.levels, slopes)

    def check(self, x: Tensor, name: str = "x") -> None:
        """Raise `SupportError` unless `x` holds whole levels in range."""
        remedy = "use --likelihood gaussian for real-valued data"
        check_levels(x, self.levels, self.name, name, remedy)

    def start(self, mean: Tensor) -> Tensor:
        """Return locations about a mean, and scales of their distances, `(2 K, *shape)`."""
        apart = torch.linspace(-0.5, 0.5, self.components, dtype=mean.dtype)
        apart -= apart.mean()  # of a single one, too
        centre = 2 * (mean / (self.levels - 1)) - 1
        locations = centre + apart.reshape(-1, *(1,) * mean.ndim)
        return torch.cat([locations, torch.full_like(locations, -2.0)])


def logistic_mixture(site: Site, *, logistics: int = 5) -> LogisticMixture:
    """Grey levels or colours: several logistics, and each colour given those before it.

    Args:
        site: Its place in the model.
        logistics: Components of the mixture.
    """
    channels = site.shape[0] if site.is_image and site.shape[0] in (2, 3) else 1
    return LogisticMixture(site.levels or 2, channels=channels, components=logistics)
