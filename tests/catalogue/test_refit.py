"""A prior that is fitted after training: what it gains, what stays as it was, how it is kept."""

import json
import math
from dataclasses import replace

import pytest
import torch

import lowerbound as lb
from lowerbound.catalogue import refit as refit_module
from lowerbound.catalogue import refit_flow
from lowerbound.catalogue.refit import Refit, apply, encodings, fitted, refit
from lowerbound.core import Told
from lowerbound.data import Data, Examples, Field
from lowerbound.errors import RunError, SettingError, UnknownNameError
from lowerbound.models import VAE
from lowerbound.networks import MLP
from lowerbound.posteriors import DiagonalGaussian
from lowerbound.priors import FlowPrior, Mixture, StandardNormal
from lowerbound.runs import RunDirectory, load, save
from lowerbound.runs.load import spec_of
from lowerbound.runs.prior import drop_prior, read_prior, write_prior
from lowerbound.runs.weights import read_header, write_weights

F64 = torch.float64


@pytest.fixture(autouse=True)
def few_encodings(monkeypatch):
    monkeypatch.setattr(refit_module, "MOST", 4000)


def two_heaps(rows, seed):
    """z in two heaps at -3 and +3 of either unit, spread 0.5."""
    generator = torch.Generator().manual_seed(seed)
    side = (torch.rand(rows, 1, generator=generator) < 0.5).double() * 6 - 3
    return side + 0.5 * torch.randn(rows, 2, generator=generator, dtype=F64)


class Copy(torch.nn.Module):
    """An encoder that reads z off x, with a spread of 0.1."""

    def forward(self, x):
        x = x[:, :2]  # the others say a class
        return torch.stack([x, torch.full_like(x, math.log(0.1))], dim=-2)


def setting():
    decoder = MLP((2,), (1, 2), ())
    law = lb.likelihoods.Fields(decoder, lb.likelihoods.Gaussian())
    model = VAE(StandardNormal(2), DiagonalGaussian(Copy()), law).double()
    parts = [Examples(two_heaps(rows, seed)) for seed, rows in enumerate((2000, 1000, 1000))]
    schema = lb.read(parts[0].x.numpy()).schema
    return model, Data(schema, *parts, source="two heaps")


def test_a_mixture_gains_what_the_entropy_of_the_heaps_says():
    model, data = setting()
    found = refit(model, data)
    assert found is not None
    assert found.settings["components"] in (2, 4)
    # E[log p] at the truth, two heaps of variance 0.26 a unit, less that of N(0, I): z^2 = 9.26
    new = -math.log(2) - math.log(2 * math.pi * 0.26) - 1
    old = -math.log(2 * math.pi) - 9.26
    # of 1000 draws the mean of z^2 / 2 summed over units has a standard error of about 0.14
    assert found.gain == pytest.approx(new - old, abs=4.9 * 0.14)
    assert 0.05 < found.error < 0.2


@pytest.mark.parametrize(("covariance", "kind"), [("full", "full"), ("diagonal", "diag")])
def test_it_climbs_as_high_as_scikit_learn(covariance, kind):
    from sklearn.mixture import GaussianMixture

    z = two_heaps(1000, 0) @ torch.tensor([[10.0, 3.0], [0.0, 5.0]], dtype=F64) + 5
    theirs = GaussianMixture(2, covariance_type=kind, random_state=0).fit(z.numpy())
    ours = fitted(z, 2, covariance, 0)().log_prob(z.float()).detach().mean()
    assert float(ours) == pytest.approx(theirs.score(z.numpy()), abs=1e-3)


def test_a_narrow_heap_far_away_is_fitted_too():
    z = torch.cat([torch.randn(4000, 3, dtype=F64), 1e4 + 1e-6 * torch.randn(3, 3, dtype=F64)])
    made = fitted(z, 2, "full", 0)
    assert all(bool(value.isfinite().all()) for value in made.state_dict().values())


def test_encoder_and_decoder_stay_and_the_elbo_rises_by_the_gain():
    model, data = setting()
    found = refit(model, data)
    better = apply(model, found)
    for name, value in model.state_dict().items():
        assert name not in better.state_dict() or torch.equal(better.state_dict()[name], value)
    batch = data.validation.batch(slice(0, 1000))
    with torch.no_grad():
        torch.manual_seed(0)
        before = model.trace(batch, 3)
        torch.manual_seed(0)
        after = better.trace(batch, 3)
        rise = (after.log_weight - before.log_weight).mean()
    assert torch.equal(before.log_px, after.log_px)
    assert torch.equal(before.log_qz, after.log_qz)
    assert float(rise) == pytest.approx(found.gain, abs=0.1)
    drawn = better.sample(500).latents["z"]
    assert float(drawn.abs().mean()) == pytest.approx(3.0, abs=0.15)


def test_nothing_is_refitted_where_the_prior_is_right():
    model, data = setting()
    right = [Examples(torch.randn(len(p), 2, dtype=F64)) for p in (data.train, data.validation)]
    data = Data(data.schema, *right, data.test, source="normal")
    assert refit(model, data) is None


def test_validation_draws_share_no_noise_with_those_a_prior_was_fitted_to():
    # an encoder that says nothing: both parts drew the same z, a mixture of 128 components learned
    # them by heart, validation praised it by 81 nats, and the held-out ELBO fell by 24,000
    class Constant(torch.nn.Module):
        def forward(self, x):
            return x.new_zeros(len(x), 2, 32)

    data = Data(*[setting()[1].schema], *[Examples(two_heaps(n, n)) for n in (150, 20, 20)], "few")
    law = lb.likelihoods.Fields(MLP((32,), (1, 2), ()), lb.likelihoods.Gaussian())
    model = VAE(StandardNormal(32), DiagonalGaussian(Constant()), law).double()
    assert refit(model, data) is None


def test_the_error_of_a_gain_is_over_examples_not_over_their_draws():
    # ten draws of each of 20 examples counted as 200 examples: an error three times too small
    model, data = setting()
    few = Data(data.schema, data.train, Examples(two_heaps(20, 3)), data.test, source="few")
    found = refit(model, few)
    law = apply(model, found).prior()
    z, old, _ = encodings(model, few.validation, "z", 20, 0)
    gains = (law.log_prob(z.float()) - old).detach().view(10, 20).mean(dim=0)
    assert found.error == pytest.approx(float(gains.std()) / math.sqrt(20), rel=0.1)


def test_one_component_is_the_gaussian_of_the_encodings():
    z = two_heaps(3000, 5)
    law = fitted(z, 1, "full", 0)()
    assert torch.allclose(law.mean.double(), z.mean(dim=0), atol=1e-4)
    assert torch.allclose(law.variance.double(), z.var(dim=0), rtol=1e-3)


def test_a_mixture_sees_several_draws_of_each_example(monkeypatch):
    # one draw of each of a few thousand examples made a mixture that was 1.4 nats worse than a flow
    model, data = setting()
    sizes = []

    def small(z, components, covariance, seed):
        sizes.append(len(z))
        return Mixture(2, components, covariance)

    monkeypatch.setattr(refit_module, "fitted", small)
    refit(model, data, "mixture")
    assert sizes[0] == 2 * len(data.train)


def test_validation_chooses_between_a_mixture_and_a_flow(monkeypatch):
    model, data = setting()

    def flat(z, judged, seed):
        yield FlowPrior(2, 1), {"layers": 1, "units": "affine", "width": 128}, 1

    monkeypatch.setattr(refit_module, "fitted_flows", flat)
    found = refit(model, data, "auto")
    assert found.prior == "mixture"
    assert [one[1] for one in found.tried] == ["full"] * (len(found.tried) - 1) + ["affine"]
    monkeypatch.setattr(
        refit_module, "_mixtures", lambda z, judged, seed, codes: flat(z.flip(0), judged, seed)
    )
    monkeypatch.setattr(
        refit_module,
        "fitted_flows",
        lambda z, judged, seed: (yield fitted(z, 2, "full", 0), {"layers": 2, "units": "a"}, 1),
    )
    assert refit(model, data, "auto").prior == "flow"


def test_a_model_that_is_told_classes_gets_a_prior_for_each():
    model, data = setting()
    model = VAE(model.prior, model.posterior, model.likelihood, told=Told([2], (2,)))
    model.likelihood.network = MLP((4,), (1, 2), ())
    model.double()

    def labelled(part):
        # the class is the heap
        return replace(part, condition=(part.x[:, :1] > 0).long())

    data = replace(data, train=labelled(data.train), validation=labelled(data.validation))
    found = refit(model, data, "mixture")
    assert found.settings["classes"] == 2
    total = Field("total", "count", mean=(0.0,), scale=(1.0,), role="condition", whole=True)
    schema = replace(data.schema, fields=(*data.schema.fields, total))
    counted = refit(model, replace(data, schema=schema), "mixture")
    assert "classes" not in counted.settings  # of a total, which is no class
    # nothing of log 2 is left for the class, nor of the entropy of the heaps
    new = -math.log(2 * math.pi * 0.26) - 1
    old = -math.log(2 * math.pi) - 9.26
    assert found.gain == pytest.approx(new - old, abs=4.9 * 0.14)
    better = apply(model, found)
    drawn = better.sample(300, condition=torch.ones(300, 1, dtype=torch.long)).latents["z"]
    assert float((drawn > 0).double().mean()) > 0.98
    untold = better.sample(300).latents["z"]
    assert 0.3 < float((untold > 0).double().mean()) < 0.7


def test_the_setting_says_which_prior_is_refitted():
    schema = lb.read("digits", limit=50).schema

    def asked(name, **settings):
        return lb.catalogue.assemble(name, schema, settings).refit

    assert asked("auto") == "mixture" and asked("vae") == ""
    assert asked("auto", refit="none") == ""
    assert asked("vae", refit="flow") == "flow"
    assert asked("auto", prior="mixture") == ""  # which is trained already
    assert asked("auto", prior="mixture", refit="mixture") == "mixture"
    with pytest.raises(UnknownNameError, match="mixture"):
        asked("vae", refit="mixtur")


@pytest.mark.parametrize("recipe", lb.catalogue.recipes(), ids=lambda recipe: recipe.name)
def test_the_prior_that_a_recipe_refits_by_itself_is_one_that_can_be_fitted(recipe):
    assert recipe.refit in ("", *refit_module.REFITTED)


def test_encodings_do_not_touch_the_callers_random_state():
    model, data = setting()
    torch.manual_seed(1)
    state = torch.get_rng_state()
    z, log_p, _ = encodings(model, data.train, "z", 100, 0)
    assert torch.equal(torch.get_rng_state(), state)
    assert torch.allclose(log_p, model.prior().log_prob(z))


def test_other_priors_and_latents_are_refused():
    model, data = setting()
    with pytest.raises(UnknownNameError, match="mixture"):
        refit(model, data, "mixtur")
    with pytest.raises(SettingError, match="has no prior that can be replaced"):
        apply(lb.testing.LinearGaussianChain(), refit(model, data))


def test_a_model_whose_prior_cannot_be_replaced_is_refused_before_a_fit():
    # of a model with classes p(y) was to be refitted: "use --prior autoregressive"
    table = {"a": [float(n) for n in range(150)], "kind": ["x", "y"] * 75}
    data = lb.read(table, condition="kind")
    model, _ = lb.catalogue.build("semi-supervised", data.schema, latents=2, hidden=(4,))
    for prior in ("mixture", "autoregressive", "auto"):
        with pytest.raises(SettingError, match="SemiSupervised has no prior that can be replaced"):
            refit(model, data, prior)


@pytest.fixture
def run(tmp_path):
    data = lb.read("digits", limit=200)
    made = lb.catalogue.assemble("vae", data.schema, {"latents": 2, "hidden": (8,), "epochs": 1})
    result = lb.fit(made.model, made.objective, data, made.training, seed=0)
    save(tmp_path / "run", spec_of(made, data, 0, location="digits"), result)
    found = Refit(
        "mixture", {"components": 3, "covariance": "full"}, {}, 1.0, 0.1, ((3, "full", 1.0),)
    )
    tensors = Mixture(2, 3, "full").state_dict()
    found = replace(found, tensors={name: value.clone() for name, value in tensors.items()})
    return RunDirectory(tmp_path / "run"), found


def test_a_refitted_prior_is_kept_beside_the_weights_and_undone(run):
    directory, found = run
    plain = directory.weights_path.read_bytes()
    write_prior(directory, found)
    assert directory.weights_path.read_bytes() == plain
    again = lb.load(directory.path)
    assert again.refit.settings == found.settings
    assert again.refit.gain == 1.0
    for name, value in found.tensors.items():
        assert torch.equal(again.model.prior.state_dict()[name], value)
    assert type(load(directory.path, refitted=False).model.prior) is StandardNormal
    assert drop_prior(directory)
    assert lb.load(directory.path).refit is None
    assert not drop_prior(directory)


def test_a_prior_of_earlier_weights_is_not_used(run):
    directory, found = run
    write_prior(directory, found)
    weights = {n: t + 1 for n, t in load(directory.path, refitted=False).model.state_dict().items()}
    directory.write_weights(weights)
    assert read_prior(directory) is None
    assert lb.load(directory.path).refit is None


@pytest.mark.parametrize(
    "change",
    [
        {"prior": "vamp"},
        {"settings": {"components": 2, "covariance": "full"}},
        {"settings": {"components": 10**9, "covariance": "full"}},
        {"settings": {"components": "3", "covariance": "full"}},
        {"settings": {"components": 3, "covariance": "diagonal"}},
        {"gain": "much"},
        {"tried": 3},
        None,
    ],
)
def test_a_damaged_prior_is_one_line_that_says_how_to_do_without(run, change):
    directory, found = run
    write_prior(directory, found)
    path = directory.path / "prior.safetensors"
    about = json.loads(read_header(path)["refit"])
    if change is None:
        path.write_bytes(path.read_bytes()[:-9])
    else:
        write_weights(path, found.tensors, refit=json.dumps(about | change))
    with pytest.raises(RunError, match=r"prior.safetensors is damaged; undo it with: .* --undo"):
        lb.load(directory.path)


# --- flows


@pytest.fixture
def quick(monkeypatch):
    monkeypatch.setattr(refit_flow, "UPDATES", 80)
    monkeypatch.setattr(refit_flow, "RATE", 1e-2)
    monkeypatch.setattr(refit_flow, "TRIED", ((4, "affine", 1000),))


def test_a_flow_gains_at_least_what_the_gaussian_of_the_encodings_does(quick):
    model, data = setting()
    found = refit(model, data, "flow")
    assert found is not None and found.prior == "flow"
    assert [one[:2] for one in found.tried] == [(4, "affine")]
    one = fitted(two_heaps(2000, 0) + 0.1 * torch.randn(2000, 2, dtype=F64), 1, "full", 0)
    z, old, _ = encodings(model, data.validation, "z", 1000, 0)
    gaussian = float((one().log_prob(z) - old).detach().mean())
    assert found.gain > gaussian + 0.05
    drawn = apply(model, found).sample(300).latents["z"]
    assert float(drawn.abs().mean()) == pytest.approx(3.0, abs=0.5)


def test_a_flow_is_kept_beside_the_weights(run, quick):
    directory, _ = run
    model = load(directory.path, refitted=False).model
    made = FlowPrior(2, layers=2, width=5)
    settings = {"layers": 2, "units": "affine", "width": 5}
    found = Refit("flow", settings, made.state_dict(), 1.0, 0.1, ((2, "affine", 1.0),))
    write_prior(directory, found)
    again = lb.load(directory.path)
    assert again.refit.settings == settings
    for name, value in made.state_dict().items():
        assert torch.equal(again.model.prior.state_dict()[name], value)
    assert torch.equal(
        again.model.posterior.network.linear[0].weight, model.posterior.network.linear[0].weight
    )


@pytest.mark.parametrize(
    "change", [{"settings": {"layers": 9**9}}, {"settings": {"units": 1}}, {"prior": "vamp"}]
)
def test_a_damaged_flow_is_one_line(run, change):
    directory, _ = run
    settings = {"layers": 2, "units": "affine", "width": 5}
    made = FlowPrior(2, **settings)
    write_prior(directory, Refit("flow", settings, made.state_dict(), 1.0, 0.1))
    path = directory.path / "prior.safetensors"
    about = json.loads(read_header(path)["refit"])
    write_weights(path, made.state_dict(), refit=json.dumps(about | change))
    with pytest.raises(RunError, match=r"prior.safetensors is damaged; undo it with"):
        lb.load(directory.path)
