"""Codes: rounded units, nearest vectors, and what their bound is."""

import itertools
import math

import pytest
import torch
from torch import nn

import lowerbound as lb
from lowerbound.catalogue import assemble, build
from lowerbound.catalogue.refit import apply, refit
from lowerbound.core import Batch
from lowerbound.distributions import log_prob
from lowerbound.errors import SettingError
from lowerbound.likelihoods import Bernoulli, Fields
from lowerbound.models import VAE
from lowerbound.networks import MLP
from lowerbound.objectives import ELBO, IWAE
from lowerbound.posteriors import FiniteScalar, ResidualQuantised, VectorQuantised
from lowerbound.posteriors.vq import turned
from lowerbound.priors import CodesPrior
from lowerbound.processes import Group, together
from lowerbound.runs import RunDirectory, load, save
from lowerbound.runs.load import spec_of
from lowerbound.runs.prior import read_prior, write_prior
from lowerbound.testing import assert_close_gradient, check_close

F64 = torch.float64


@pytest.mark.parametrize("levels", [2, 5, 8])
def test_rounding_gives_exactly_the_levels_and_every_one_of_them(levels):
    h = torch.linspace(-6, 6, 4001).reshape(-1, 1, 1)
    q = FiniteScalar(nn.Identity(), levels=levels)
    z = q(h).value
    assert z.unique().tolist() == pytest.approx(torch.linspace(-1, 1, levels).tolist())
    p = CodesPrior(1, levels, 1, posterior=q)()
    # numbers of codes and codes are one to one
    assert torch.equal(p.write(p.read(z).long()), z)
    assert torch.allclose(log_prob(p, z), torch.full((4001,), -math.log(levels), dtype=F64))


def test_the_gradient_of_a_rounded_unit_is_that_of_its_tanh():
    h = torch.randn(5, 1, 3, dtype=F64, requires_grad=True)
    weights = torch.randn(5, 3, dtype=F64)
    q = FiniteScalar(nn.Identity()).double()
    (got,) = torch.autograd.grad((q(h).value * weights).sum(), h)
    (known,) = torch.autograd.grad((h.squeeze(1).tanh() * weights).sum(), h)
    assert torch.allclose(got, known)
    # a network of nan gives nan, which training reports, and no index out of range
    assert q(torch.full((1, 1, 3), math.nan, dtype=F64)).value.isnan().all()


def quantised(codes, training=False):
    q = VectorQuantised(nn.Identity(), codes=len(codes), size=codes.shape[1]).to(codes.dtype)
    with torch.no_grad():
        q.points.copy_(codes)
    q.used.fill_(1 / len(codes))
    return q.train(training)


def test_a_vector_takes_the_nearest_code_and_the_pull_is_of_the_papers_sizes():
    codes = torch.tensor([[0.0, 0.0], [2.0, 0.0], [0.0, 3.0]], dtype=F64)
    h = torch.tensor([[[1.5, 0.1, -0.2, 2.0]]], dtype=F64, requires_grad=True)
    q = quantised(codes)
    law = q(h)
    assert law.value.tolist() == [[2.0, 0.0, 0.0, 3.0]]
    value = log_prob(law, law.rsample())
    assert float(value.detach()) == 0.0
    # minus the bound falls with log q: codes go to vectors, vectors a quarter as much to codes
    to_h, to_codes = torch.autograd.grad(value.sum(), [h, q.points])
    apart = torch.tensor([[-0.5, 0.1], [-0.2, -1.0]], dtype=F64)
    assert torch.allclose(to_h.reshape(2, 2), 2 * 0.25 * apart)
    assert torch.allclose(to_codes[1:], -2 * apart) and bool((to_codes[0] == 0).all())


def test_the_gradient_is_turned_and_stretched_as_the_vector_is():
    h = torch.randn(6, 3, dtype=F64, requires_grad=True)
    code = torch.randn(6, 3, dtype=F64)
    z = turned(h, code)
    assert torch.equal(z, code)
    # one matrix a row: it sends h to its code, and is a rotation times the ratio of lengths
    rows = [torch.autograd.grad(z[:, i].sum(), h, retain_graph=True)[0] for i in range(3)]
    matrix = torch.stack(rows, dim=1)
    assert torch.allclose((matrix @ h.detach().unsqueeze(-1)).squeeze(-1), code)
    ratio = (code.norm(dim=-1) / h.detach().norm(dim=-1)).square()
    square = matrix.mT @ matrix
    assert torch.allclose(square, ratio.reshape(-1, 1, 1) * torch.eye(3, dtype=F64))
    assert (torch.linalg.det(matrix) > 0).all()


def test_the_codebook_begins_at_encodings_and_unused_codes_are_revived():
    torch.manual_seed(0)
    q = VectorQuantised(nn.Identity(), codes=4, size=2).train()
    h = torch.randn(16, 1, 2)
    q(h)
    assert all(bool((h[:, 0] == point).all(dim=1).any()) for point in q.points)
    with torch.no_grad():
        q.points[3] = 1000.0
    for _ in range(250):
        q(h)
    assert float(q.points.detach().abs().max()) < 10
    before = q.points.detach().clone()
    q.eval()(h + 100)
    assert torch.equal(q.points, before)
    # a batch of nan, which training skips, leaves the codebook as it is
    q.train().used.zero_()
    q(torch.full((4, 1, 2), math.nan))
    assert torch.isfinite(q.points).all()


class Second(Group):
    """The second of two processes, whose first holds the same."""

    rank, size = 1, 2

    def __init__(self, first):
        self.first_has = list(first)

    def add(self, tensor):
        other = self.first_has.pop(0)
        return lambda: tensor + other


def test_processes_revive_the_same_codes():
    h = torch.randn(8, 1, 2)
    one = VectorQuantised(nn.Identity(), codes=4, size=2).train()
    other = VectorQuantised(nn.Identity(), codes=4, size=2).train()
    other.load_state_dict(one.state_dict())
    counts = torch.zeros(4)
    there = h[torch.arange(4) * 2, 0]
    with together(Second([counts, there])):
        other(h + 5)
    one(h)
    assert torch.equal(one.points, other.points)


def residual(books):
    levels, codes, size = books.shape
    q = ResidualQuantised(nn.Identity(), codes=codes, size=size, levels=levels).to(books.dtype)
    with torch.no_grad():
        q.points.copy_(books)
    return q.eval()


def test_each_level_takes_the_nearest_code_to_what_those_before_leave():
    books = torch.tensor([[[0.0], [10.0], [-10.0]], [[-3.0], [0.0], [3.0]]], dtype=F64)
    # two vectors of two levels, each the mean of the network's numbers over levels
    h = torch.tensor([[[12.0, 14.0, -1.0, -5.0]]], dtype=F64, requires_grad=True)
    law = residual(books)(h)
    assert law.value.tolist() == [[10.0, 3.0, 0.0, -3.0]]
    # left: 3, then 0 of the first vector; -3, then 0 of the second
    pull = (9 + 0 + 9 + 0) * 1.25
    assert law.pull.tolist() == pytest.approx([pull])
    assert float(log_prob(law, law.rsample()).detach()) == 0.0
    # each level hands the gradient of what was left to it to h; in one dimension by its ratio
    (got,) = torch.autograd.grad(law.value[0, 0], h)
    assert got.flatten().tolist() == pytest.approx([10 / 13 / 2, 10 / 13 / 2, 0.0, 0.0])


def test_one_level_is_vector_quantisation():
    codes = torch.randn(1, 5, 2, dtype=F64)
    h = torch.randn(7, 1, 6, dtype=F64)
    one, other = residual(codes)(h), quantised(codes[0])(h)
    assert torch.equal(one.value, other.value) and torch.allclose(one.pull, other.pull)


def test_more_levels_leave_less_and_each_codebook_begins_at_what_is_left():
    torch.manual_seed(0)
    h = torch.randn(2000, 1, 8)
    left = []
    for levels in (1, 2, 4):
        q = ResidualQuantised(nn.Identity(), codes=16, size=2, levels=levels).train()
        q(h[:100])
        # nothing is left of the vectors where the codes before lie: all at 0 were no codebook
        assert all(len(book.detach().unique(dim=0)) == 16 for book in q.points)
        optimizer = torch.optim.Adam([q.points], lr=0.05)
        for step in range(300):
            optimizer.zero_grad()
            some = h[torch.arange(100) + step % 20 * 100]
            q(some).pull.mean().backward()
            optimizer.step()
        z = q.eval()(h).value.unflatten(-1, (-1, levels, 2))
        whole = h.squeeze(1).unflatten(-1, (-1, levels, 2)).mean(dim=-2)
        left.append(float((whole - z.sum(dim=-2)).square().mean() / whole.square().mean()))
    assert left[0] > 2 * left[1] > 4 * left[2]


def test_a_law_of_the_codes_of_all_levels_sums_to_one_and_reads_what_it_writes():
    torch.manual_seed(0)
    q = residual(torch.randn(2, 3, 2, dtype=F64))
    prior = CodesPrior(8, 3, 2, width=16, posterior=q).double()
    with torch.no_grad():
        prior.last.normal_()
    grid = torch.tensor(list(itertools.product(range(3), repeat=4)))
    p = prior()
    assert torch.equal(p.read(p.write(grid)), grid)
    check_close(log_prob(p, p.write(grid)).logsumexp(0), torch.zeros(()), "81 grids")
    drawn = p.sample((4000,))
    share = (p.read(drawn) == torch.tensor([2, 1, 0, 2])).all(dim=1).double().mean()
    exact = float(log_prob(p, p.write(torch.tensor([2, 1, 0, 2]))).exp().detach())
    assert float(share) == pytest.approx(exact, abs=4.9 * (exact / 4000) ** 0.5)
    # what the encoder gives is among them, and the bound is a likelihood: at most log p(x)
    model = small(prior, ResidualQuantised(MLP((3,), (1, 8), hidden=(4,)), codes=3, size=2), 8)
    with torch.no_grad():
        model.posterior.points.copy_(q.points)
    prior.posterior = model.posterior
    x = Batch(torch.tensor(list(itertools.product([0.0, 1.0], repeat=3)), dtype=F64))
    z = prior().write(grid).unsqueeze(1).expand(-1, 8, -1)
    log_px, log_pz = model.log_joint(x, {"z": z})
    evidence = (log_px + log_pz).logsumexp(dim=0)
    assert (ELBO()(model, x).value <= evidence).all()
    check_close(evidence.logsumexp(dim=0), torch.zeros(()), "the log of the sum of p(x)")


def small(prior, posterior, latents):
    torch.manual_seed(0)
    decoder = Fields(MLP((latents,), (1, 3), hidden=(4,)), Bernoulli())
    return VAE(prior, posterior, decoder).double().eval()


def test_the_bound_is_at_most_the_sum_over_all_codes_and_the_same_for_any_number_of_draws():
    q = FiniteScalar(MLP((3,), (1, 2), hidden=(4,)), levels=3)
    model = small(CodesPrior(2, 3, 1, posterior=q), q, 2)
    x = Batch(torch.tensor(list(itertools.product([0.0, 1.0], repeat=3)), dtype=F64))
    bound = ELBO()(model, x)
    # under a uniform prior the rate is log 3 for each of two units, whatever the network does
    check_close(bound.rate, torch.full((8,), 2 * math.log(3.0), dtype=F64), "the rate")
    check_close(IWAE(5)(model, x).value, bound.value, "the bound of five draws")
    grid = torch.tensor(list(itertools.product([-1.0, 0.0, 1.0], repeat=2)), dtype=F64)
    log_px, log_pz = model.log_joint(x, {"z": grid.unsqueeze(1).expand(-1, 8, -1)})
    evidence = (log_px + log_pz).logsumexp(dim=0)
    assert (bound.value <= evidence).all()
    check_close(evidence.logsumexp(dim=0), torch.zeros(()), "the log of the sum of p(x)")


def test_a_law_of_codes_sees_those_before_it_alone_and_sums_to_one():
    torch.manual_seed(0)
    prior = CodesPrior(8, codes=3, size=2, width=16).double()
    with torch.no_grad():
        prior.last.normal_()
        prior.own.normal_()
    grid = torch.tensor(list(itertools.product(range(3), repeat=4)))
    p = prior()
    check_close(log_prob(p, p.write(grid)).logsumexp(0), torch.zeros(()), "81 grids")
    z = torch.randn(8, dtype=F64)
    jacobian = torch.autograd.functional.jacobian(prior.logits, z)  # (4, 3, 8)
    for place, unit in itertools.product(range(4), range(8)):
        seen = bool((jacobian[place, :, unit] != 0).any())
        assert seen == (unit < 2 * place), (place, unit)
    first = p.sample((4000,))
    share = (p.read(first)[:, 3] == 0).double().mean()
    exact = log_prob(p, p.write(grid[grid[:, 3] == 0])).exp().sum()
    assert float(share) == pytest.approx(float(exact.detach()), abs=4.9 * 0.5 / 4000**0.5)


def two_parts():
    """Codes of two bits that are always alike, read off the sign of the first column."""
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(600, 3, generator=generator)
    data = lb.read(x.numpy())
    model, _ = build("fsq", data.schema, latents=2, levels=2, hidden=())
    with torch.no_grad():
        encoder = model.posterior.network.linear[-1]
        encoder.weight.zero_()
        encoder.weight[:, 0] = 5.0
        encoder.bias.zero_()
    return model, data


def test_a_refitted_law_sees_the_codes_of_all_levels(tmp_path):
    # the fine code of a vector says what its coarse one is: a law of single codes cannot know it
    x = torch.randn(600, 3, generator=torch.Generator().manual_seed(0))
    data = lb.read(x.numpy())
    settings = {"posterior": "residual", "latents": 2, "codes": 2, "size": 1, "hidden": ()}
    settings |= {"epochs": 1}
    made = assemble("vq", data.schema, settings, seed=0)
    model = made.model
    with torch.no_grad():
        encoder = model.posterior.network.linear[-1]
        encoder.weight.zero_()
        encoder.weight[:, 0] = 5.0
        encoder.bias.zero_()
        model.posterior.points.copy_(torch.tensor([[[-2.0], [2.0]], [[-2.0], [2.0]]]))
    model.eval()
    assert made.refit == "autoregressive"
    found = refit(model, data, "auto")
    assert found is not None and found.settings["levels"] == 2
    better = apply(model, found)
    z = better.sample(50).latents["z"]
    train = model.encode(Batch(data.train.x)).latents["z"]
    both = {tuple(row) for row in train.tolist()}
    share = [float((train == torch.tensor(row)).all(dim=1).double().mean()) for row in both]
    entropy = -sum(p * math.log(p) for p in share)
    told = log_prob(better.prior(), train).mean()
    assert float(told.detach()) == pytest.approx(-entropy, abs=0.05)
    assert {tuple(row) for row in z.tolist()} <= {(a, b) for a in (-2.0, 2.0) for b in (-2.0, 2.0)}
    fit = lb.fit(model, made.objective, data, made.training, seed=0)
    run = RunDirectory(tmp_path / "run")
    save(run.path, spec_of(made, data, 0), fit)
    write_prior(run, found)
    read = load(tmp_path / "run").model.prior()
    assert torch.equal(log_prob(read, z), log_prob(better.prior(), z))


@pytest.mark.slow
def test_a_refitted_law_of_codes_gains_what_they_tell_of_each_other_and_is_kept(tmp_path):
    model, data = two_parts()
    found = refit(model, data, "auto")
    assert found is not None and found.prior == "autoregressive"
    # alike bits cost log 2 in place of 2 log 2
    assert found.gain == pytest.approx(math.log(2), abs=0.06)
    better = apply(model, found)
    drawn = better.sample(300).latents["z"]
    assert float((drawn[:, 0] == drawn[:, 1]).double().mean()) > 0.95
    for name, value in model.posterior.state_dict().items():
        assert torch.equal(better.posterior.state_dict()[name], value)
    settings = {"latents": 2, "levels": 2, "hidden": (), "epochs": 1}
    made = assemble("fsq", data.schema, settings, seed=0)
    assert made.refit == "autoregressive"
    fit = lb.fit(made.model, made.objective, data, made.training, seed=0)
    run = RunDirectory(tmp_path / "run")
    save(run.path, spec_of(made, data, 0), fit)
    write_prior(run, found)
    again = read_prior(run)
    assert again is not None and again.settings == found.settings
    z = drawn[:5]
    assert torch.equal(
        log_prob(load(tmp_path / "run").model.prior(), z), log_prob(better.prior(), z)
    )


def test_priors_of_reals_and_of_codes_are_not_exchanged():
    model, data = two_parts()
    with pytest.raises(SettingError, match="holds codes: refit it with --prior autoregressive"):
        refit(model, data, "mixture")
    other, _ = build("vae", data.schema, latents=2, hidden=())
    with pytest.raises(SettingError, match="holds reals: refit it with --prior mixture"):
        refit(other, data, "autoregressive")


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"latents": 5}, "5 latents are no codes of 4 numbers"),
        ({"codes": 1}, "from 2 to 65536 codes"),
        ({"prior": "standard-normal"}, "use prior=codes"),
        (
            {"posterior": "residual", "latents": 12},
            "12 latents are no codes of 4 .*2 levels",
        ),
        ({"posterior": "residual", "posterior.levels": 0}, "levels must be from 1 to 256"),
    ],
)
def test_numbers_that_do_not_go_together_are_refused(settings, words):
    with pytest.raises(SettingError, match=words):
        build("vq", lb.testing.SCHEMAS["binary 5"], hidden=(4,), **settings)


def test_levels_out_of_range_are_refused():
    with pytest.raises(SettingError, match="levels must be from 2 to 256"):
        FiniteScalar(nn.Identity(), levels=1)


@pytest.mark.parametrize("posterior", ["fsq", "vq", "residual"])
def test_a_recipe_learns_and_uses_its_codes(posterior):
    data = lb.read("digits", limit=200)
    recipe = "fsq" if posterior == "fsq" else "vq"
    settings = {"latents": 8, "hidden": (32,)} | ({"codes": 8} if recipe == "vq" else {})
    settings |= {"posterior": posterior}
    model, objective = build(recipe, data.schema, **settings)
    before = objective(model.eval(), Batch(data.validation.x)).value.mean()
    model.train()
    fit = lb.fit(
        model, objective, data, lb.Training(epochs=15, batch_size=50, learning_rate=5e-3), seed=0
    )
    after = objective(fit.model.eval(), Batch(data.validation.x)).value.mean()
    assert float((after - before).detach()) > 5
    z = fit.model.encode(Batch(data.train.x)).latents["z"]
    used = fit.model.prior().read(z)
    assert len(used.unique()) > 3


def test_draws_of_codes_have_close_gradients_in_the_chances():
    prior = CodesPrior(4, codes=3, width=8).double()
    z = prior().sample((5,))
    assert_close_gradient(
        lambda bias: torch.func.functional_call(_Density(prior, z), {"prior.bias": bias}, ()),
        [prior.bias.detach().clone()],
    )


class _Density(nn.Module):
    def __init__(self, prior, z):
        super().__init__()
        self.prior, self.z = prior, z

    def forward(self):
        return log_prob(self.prior(), self.z)
