"""First weights and pixels as a source has them, where these are not the recipe's own."""

import torch
from torch import Tensor, nn

from lowerbound.data import Data
from lowerbound.models import VAE
from lowerbound.networks import MLP, Standardize
from lowerbound.reproduce.entry import Start
from lowerbound.seeding import seeded

#: Means of a pixel are kept this far from 0 and 1 before the logit is taken.
LEAST = 0.001


def start(model: VAE, data: Data, whose: Start, *, seed: int) -> None:
    """Give a model of fully connected networks its first weights.

    Args:
        model: Of the recipe, changed in place.
        data: What it will be trained on.
        whose: "recipe" leaves it as it is. "burda": weights uniform as Glorot & Bengio (2010)
            have them, biases 0, but the decoder's last, which are the logits of the training
            images' mean. "pythae": weights and biases as torch draws them. The encoders of both see
            pixels as 0 and 1.
        seed: Of the weights.

    Source: the code of Burda, Grosse & Salakhutdinov (2016), github.com/yburda/iwae; pythae 0.1.2.
    """
    if whose == "recipe":
        return
    with seeded(seed), torch.no_grad():
        for module in model.modules():
            if isinstance(module, Standardize):
                module.location.zero_()
                module.unit.fill_(1.0)
            elif isinstance(module, nn.Linear):
                module.reset_parameters()
                if whose == "burda":
                    nn.init.xavier_uniform_(module.weight)
                    module.bias.zero_()
        if whose == "burda":
            _last(model).bias.copy_(_mean(data).clamp(LEAST, 1 - LEAST).logit().flatten())


def _mean(data: Data) -> Tensor:
    """Of the training images, `(1, H, W)`: of what they are drawn from, where they are drawn."""
    train = data.train.load()
    if train.grey is None:
        return train.x.double().mean(dim=0)
    return train.grey.levels.double().mean(dim=0) / train.grey.white


def _last(model: VAE) -> nn.Linear:
    network = model.likelihood.network
    if not isinstance(network, MLP):
        raise TypeError(f"only fully connected networks start like this, got {network}")
    last = network.layers[-1]
    if not isinstance(last, nn.Linear):
        raise TypeError(f"the last layer is linear, got {last}")
    return last
