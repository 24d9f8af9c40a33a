"""A VAE that is told the class of x: its known answers, and what untold examples are."""

import pytest
import torch

import lowerbound as lb
from lowerbound.applications import decode, generate
from lowerbound.core import UNTOLD, Told, View
from lowerbound.likelihoods import Fields
from lowerbound.models import VAE
from lowerbound.networks import MLP
from lowerbound.posteriors import FullGaussian
from lowerbound.priors import StandardNormal
from lowerbound.testing import LinearGaussian, check_close
from lowerbound.testing.models import check_model

F64 = torch.float64
CLASSES = 3


def conditional_ppca():
    """x = W z + b_c + noise: the model of the class c is a linear Gaussian one, shifted by b_c."""
    reference = LinearGaussian.random(2, 4)
    exact = reference.vae(FullGaussian)
    shifts = torch.randn(CLASSES, 4, dtype=F64, generator=torch.Generator().manual_seed(3))
    old, head = exact.likelihood.network.linear[0], exact.posterior.network.linear[0]
    decoder = MLP((2 + CLASSES,), (1, 4), ()).double()
    encoder = MLP((4 + CLASSES,), exact.posterior.network.outputs, ()).double()
    with torch.no_grad():
        decoder.linear[0].weight.copy_(torch.cat([old.weight, shifts.mT], dim=1))
        decoder.linear[0].bias.copy_(old.bias)
        # q(z|x, c) is q(z|x - b_c)
        moved = -head.weight @ shifts.mT
        encoder.linear[0].weight.copy_(torch.cat([head.weight, moved], dim=1))
        encoder.linear[0].bias.copy_(head.bias)
    law = Fields(decoder, exact.likelihood.parts[0])
    model = VAE(
        StandardNormal(2), FullGaussian(encoder), law, View(), Told([CLASSES], (4,))
    ).double()
    return reference, shifts, model


def batch_of(rows=6, seed=0):
    generator = torch.Generator().manual_seed(seed)
    x = torch.randn(rows, 4, dtype=F64, generator=generator)
    return lb.Batch(x, condition=torch.randint(CLASSES, (rows, 1), generator=generator))


def test_every_sample_is_the_evidence_of_the_class():
    reference, shifts, model = conditional_ppca()
    batch = batch_of()
    known = reference.log_evidence(batch.x - shifts[batch.condition[:, 0]])
    check_close(model.trace(batch, 5).log_weight, known.expand(5, -1), "log p(x|c)")
    z = torch.randn(5, 6, 2, dtype=F64)
    log_px, log_pz = model.log_joint(batch, {"z": z})
    at = model.trace_at(batch, {"z": z})
    check_close(log_px, at.log_px, "log p(x|z, c)")
    check_close(log_pz, at.log_pz, "log p(z)")


@pytest.mark.parametrize("untold", [None, torch.full((6, 1), UNTOLD)])
def test_an_example_that_is_not_told_has_the_law_without_a_condition(untold):
    # a code of -1 that was clamped to class 0 would shift x
    reference, _, model = conditional_ppca()
    batch = lb.Batch(batch_of().x, condition=untold)
    known = reference.log_evidence(batch.x)
    check_close(model.trace(batch, 5).log_weight, known.expand(5, -1), "log p(x)")


def test_draws_follow_their_own_condition():
    reference, shifts, model = conditional_ppca()
    codes = torch.tensor([[2], [0], [UNTOLD]])
    at = model.decode({"z": torch.zeros(3, 2, dtype=F64)}, codes).mean
    shift = torch.stack([shifts[2], shifts[0], torch.zeros(4, dtype=F64)])
    check_close(at, reference.bias + shift, "the mean of p(x|z, c)")
    many = generate(model, 4000, seed=0, condition=torch.full((4000, 1), 1))
    spread = many.std(dim=0) / 4000**0.5
    assert ((many.mean(dim=0) - reference.bias - shifts[1]).abs() < 4.9 * spread).all()
    assert (spread * 9.8 < shifts[1].abs().max()).all()


def test_a_conditional_model_climbs_the_ladder():
    *_, model = conditional_ppca()
    check_model(model, batch_of())


def test_a_new_prior_keeps_what_the_model_is_told():
    *_, model = conditional_ppca()
    batch = batch_of()
    again = model.with_prior(StandardNormal(2)).double()
    z = {"z": torch.zeros(1, 6, 2, dtype=F64)}
    check_close(again.trace_at(batch, z).log_px, model.trace_at(batch, z).log_px, "log p(x|z)")


def test_an_image_gets_a_picture_of_its_class_that_starts_as_nothing():
    told = Told([3], (1, 4, 4))
    seen, codes = torch.randn(5, 1, 4, 4), torch.tensor([[0], [2], [UNTOLD], [2], [1]])
    assert torch.equal(told.show(seen, codes), seen)
    with torch.no_grad():
        told.pictures.copy_(torch.arange(3.0).reshape(3, 1, 1, 1) + 1)
    added = (told.show(seen, codes) - seen).mean(dim=(1, 2, 3))
    assert torch.allclose(added, torch.tensor([1.0, 3.0, 0.0, 3.0, 2.0]), atol=1e-5)


def test_conditions_stand_beside_each_other():
    told = Told([2, 3], (4,))
    numbers = told(torch.tensor([[1, UNTOLD], [0, 2]]), torch.zeros(2, 2, 7))
    assert numbers[1].tolist() == [[0, 1, 0, 0, 0], [1, 0, 0, 0, 1]]


def test_decoding_adds_the_shift_of_the_class_and_so_does_the_model_as_a_module():
    _, shifts, model = conditional_ppca()
    z, told = torch.zeros(CLASSES, 2, dtype=F64), torch.arange(CLASSES).unsqueeze(-1)
    means = decode(model, z, condition=told)
    check_close(means - means[:1], shifts - shifts[:1], "b_c - b_0")
    law = model(lambda name, p, q: z, condition=told)
    check_close(law.mean, means, "the mean of p(x|0, c)")
