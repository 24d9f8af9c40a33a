"""Images turned around in training: about half of them, whole ones, and no others than images."""

import pytest
import torch

import lowerbound as lb
from lowerbound.data import Batch
from lowerbound.errors import SettingError
from lowerbound.seeding import seeded
from lowerbound.training.step import mirrored

X = torch.arange(2000 * 2 * 3 * 4).reshape(2000, 2, 3, 4)


def test_about_half_of_the_images_are_turned_around_and_whole_ones():
    observed = X % 5 > 0
    with seeded(0):
        seen = mirrored(Batch(X, observed))
    turned = (seen.x == X.flip(-1)).flatten(1).all(dim=1)
    assert bool(torch.where(turned[:, None, None, None], X.flip(-1), X).eq(seen.x).all())
    assert torch.equal(seen.observed, seen.x % 5 > 0)  # the mask goes with its cells
    # 4.9 standard errors of a share of a half
    assert abs(float(turned.double().mean()) - 0.5) < 4.9 * 0.5 / 2000**0.5


def test_a_training_learns_mirror_images_only_where_it_is_told():
    left = torch.zeros(64, 1, 4, 4, dtype=torch.uint8)
    left[..., 0] = 255
    left[:32, :, 0, 0] = 0
    left[torch.arange(64), 0, 1:3, 1] = torch.arange(64, dtype=torch.uint8)[:, None]
    data = lb.read(left.numpy(), axes="chw")
    seen = {}
    for mirror in (False, True):
        model, objective = lb.catalogue.build("vae", data.schema, latents=2, hidden=[8])
        batches = seen.setdefault(mirror, [])
        model.view.register_forward_pre_hook(
            lambda m, args, to=batches: to.append(args[0].x) if m.training else None
        )
        training = lb.Training(epochs=4, batch_size=8, mirror=mirror)
        lb.fit(model, objective, data, training, seed=0)
    right = {mirror: torch.cat(x)[..., -1].float().mean() for mirror, x in seen.items()}
    assert right[False] == 0 and 80 < right[True] < 170


def test_only_images_can_be_turned_around():
    table = lb.read(torch.randn(40, 3).numpy())
    with pytest.raises(SettingError, match="mirror is for images"):
        lb.catalogue.assemble("vae", table.schema, {"mirror": True}, examples=32)
