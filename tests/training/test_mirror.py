"""Images turned around and moved in training: whole ones, and no others than images."""

import pytest
import torch

import lowerbound as lb
from lowerbound.data import Batch
from lowerbound.errors import SettingError
from lowerbound.seeding import seeded
from lowerbound.training.step import mirrored, shifted

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


def test_images_are_moved_by_every_number_of_cells_alike_and_mirrored_at_edges():
    x = torch.arange(8.0).reshape(8, 1) * 10 + torch.arange(4.0)
    x = x.expand(3000, 1, 8, 4)
    with seeded(0):
        seen = shifted(Batch(x, x % 3 > 0), 0.25)  # two rows and one column
    assert torch.equal(seen.observed, seen.x % 3 > 0)
    corners = seen.x[:, 0, 3, 1]  # inside, where no edge comes in: the move itself
    down, right = 3 - corners.div(10, rounding_mode="floor"), 1 - corners % 10
    for moves, most in ((down, 2), (right, 1)):
        shares = torch.stack([(moves == one).double().mean() for one in range(-most, most + 1)])
        even = 1 / len(shares)
        assert (shares - even).abs().max() < 4.9 * (even * (1 - even) / 3000) ** 0.5
    assert abs(float((down * right).mean())) < 4.9 * (2 * 2 / 3 / 3000) ** 0.5  # apart
    by_two = seen.x[(down == 2) & (right == 1), 0][0]
    rows, columns = torch.tensor([2, 1, 0, 1, 2, 3, 4, 5]), torch.tensor([1, 0, 1, 2])
    assert torch.equal(by_two, x[0, 0][rows][:, columns])


@pytest.mark.parametrize("size", [(1, 1), (2, 1), (1, 5), (3, 3)])
def test_no_image_is_too_small_to_be_moved(size):
    x = torch.randint(0, 256, (50, 3, *size), dtype=torch.uint8)
    seen = shifted(Batch(x), 0.5)
    assert seen.x.shape == x.shape and seen.x.dtype == x.dtype
    assert seen.observed is None
    assert all(
        bool(torch.isin(after, before).all()) for before, after in zip(x, seen.x, strict=True)
    )


@pytest.mark.parametrize(("name", "value"), [("mirror", True), ("shift", 0.1)])
def test_only_images_can_be_turned_around_or_moved(name, value):
    table = lb.read(torch.randn(40, 3).numpy())
    with pytest.raises(SettingError, match=f"{name} is for images"):
        lb.catalogue.assemble("vae", table.schema, {name: value}, examples=32)


def test_no_image_is_moved_by_more_than_half():
    with pytest.raises(SettingError, match=r"shift must lie in \[0, 0.5\]"):
        lb.Training(shift=0.6)
