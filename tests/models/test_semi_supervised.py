"""M2, its class summed out: a mixture of linear Gaussian models, whose every answer is known."""

import math

import numpy as np
import pytest
import torch

import lowerbound as lb
from lowerbound.applications import encode, generate
from lowerbound.core import UNTOLD, Told, View
from lowerbound.data import Examples
from lowerbound.errors import SettingError
from lowerbound.evaluation.accuracy import accuracy
from lowerbound.likelihoods import Fields
from lowerbound.models import VAE, SemiSupervised
from lowerbound.networks import MLP
from lowerbound.objectives import ELBO
from lowerbound.objectives import SemiSupervised as Bound
from lowerbound.posteriors import CategoricalPosterior, FullGaussian
from lowerbound.priors import Categorical, StandardNormal
from lowerbound.testing import LinearGaussian, check_close

F64 = torch.float64
CLASSES = 3
LOG_P = torch.tensor([0.5, 0.2, 0.3], dtype=F64).log()


def mixture():
    """x = W z + b_y + noise: q(z|x, y) is linear, and q(y|x) a softmax of linear scores."""
    reference = LinearGaussian.random(2, 4)
    exact = reference.vae(FullGaussian)
    shifts = torch.randn(CLASSES, 4, dtype=F64, generator=torch.Generator().manual_seed(3))
    old, head = exact.likelihood.network.linear[0], exact.posterior.network.linear[0]
    decoder = MLP((2 + CLASSES,), (1, 4), ()).double()
    encoder = MLP((4 + CLASSES,), exact.posterior.network.outputs, ()).double()
    scores = MLP((4,), (1, CLASSES), ()).double()
    with torch.no_grad():
        decoder.linear[0].weight.copy_(torch.cat([old.weight, shifts.mT], dim=1))
        decoder.linear[0].bias.copy_(old.bias)
        encoder.linear[0].weight.copy_(torch.cat([head.weight, -head.weight @ shifts.mT], dim=1))
        encoder.linear[0].bias.copy_(head.bias)
        # log p(x|y) - log p(x|y') is linear in x: read it off at 0 and at the unit vectors
        at = torch.cat([torch.zeros(1, 4, dtype=F64), torch.eye(4, dtype=F64)])
        found = torch.stack([reference.log_evidence(at - shift) for shift in shifts])
        found = found - found[:1]
        scores.linear[0].weight.copy_(found[:, 1:] - found[:, :1])
        scores.linear[0].bias.copy_(found[:, 0] + LOG_P)
    law = Fields(decoder, exact.likelihood.parts[0])
    vae = VAE(StandardNormal(2), FullGaussian(encoder), law, View(), Told([CLASSES], (4,)))
    classes = Categorical(CLASSES).double()
    with torch.no_grad():
        classes.logits.copy_(LOG_P)
    model = SemiSupervised(vae, classes, CategoricalPosterior(scores)).double()

    def log_joint(x):  # log p(x, y), (C, B)
        return torch.stack([reference.log_evidence(x - shift) for shift in shifts]) + LOG_P[:, None]

    return model, log_joint


def batch_of(codes=None, rows=6):
    x = torch.randn(rows, 4, dtype=F64, generator=torch.Generator().manual_seed(0))
    return lb.Batch(x, condition=None if codes is None else torch.tensor(codes)[:, None])


def test_every_draw_of_class_and_z_is_the_evidence_of_the_mixture():
    model, log_joint = mixture()
    batch = batch_of()
    known = log_joint(batch.x).logsumexp(dim=0)
    check_close(model.trace(batch, 5).log_weight, known.expand(5, -1), "log p(x)")


def test_the_sum_over_classes_is_the_evidence_and_a_known_class_its_joint():
    model, log_joint = mixture()
    codes = [0, UNTOLD, 2, 1, UNTOLD, UNTOLD]
    batch = batch_of(codes)
    both = log_joint(batch.x)
    known = [both.logsumexp(dim=0)[i] if c == UNTOLD else both[c, i] for i, c in enumerate(codes)]
    found = Bound(weight=0.0, analytic=False)(model, batch)
    check_close(found.value, torch.stack(known), "log p(x) and log p(x, y)")
    check_close(found.elbo, torch.stack(known), "minus distortion and rate")
    alone = Bound(analytic=False).criterion(model, batch)
    check_close(alone.value, both.logsumexp(dim=0), "log p(x), labels unused")


def test_the_classifier_is_charged_the_mean_over_the_labels():
    model, log_joint = mixture()
    batch = batch_of([0, UNTOLD, 2, 1, UNTOLD, UNTOLD])
    posterior = log_joint(batch.x).log_softmax(dim=0)
    own = (posterior[0, 0] + posterior[2, 2] + posterior[1, 3]) / 3
    with_, without = (Bound(w, analytic=False)(model, batch).value for w in (7.0, 0.0))
    check_close(with_ - without, (7 * own).expand(6), "the mean of log q(y|x)")
    nobody = batch_of([UNTOLD] * 6)
    check_close(Bound(7.0, analytic=False)(model, nobody).value,
                log_joint(nobody.x).logsumexp(dim=0), "without labels")  # fmt: skip


def test_labels_teach_the_classifier_and_the_bound_pulls_it_to_the_posterior():
    model, _ = mixture()
    weight = model.classifier.network.linear[0].weight
    unlabelled = Bound(0.0, analytic=False)
    (at_best,) = torch.autograd.grad(unlabelled(model, batch_of()).value.sum(), weight)
    check_close(at_best, torch.zeros_like(at_best), "the gradient at the exact posterior")
    batch = batch_of([0, 1, 2, 0, 1, 2])
    (none,) = torch.autograd.grad(
        unlabelled(model, batch).value.sum(), weight, allow_unused=True, materialize_grads=True
    )
    (some,) = torch.autograd.grad(Bound(1.0)(model, batch).value.sum(), weight)
    assert float(none.abs().max()) == 0 < float(some.abs().max())


def test_a_closed_rate_has_the_mean_of_a_drawn_one():
    model, log_joint = mixture()
    torch.manual_seed(0)
    batch = batch_of()
    values = torch.stack([Bound()(model, batch).value for _ in range(100)])
    error = values.std(dim=0) / 10
    assert ((values.mean(dim=0) - log_joint(batch.x).logsumexp(dim=0)).abs() < 4.9 * error).all()


def test_figures_are_of_x_whoever_knows_the_class():
    model, _ = mixture()
    torch.manual_seed(0)
    told = ELBO(3)(model, batch_of([0, 1, 2, 0, 1, 2])).value
    torch.manual_seed(0)
    assert torch.equal(told, ELBO(3)(model, batch_of()).value)


def test_accuracy_is_over_the_examples_whose_class_is_known():
    model, log_joint = mixture()
    batch = batch_of()
    best = log_joint(batch.x).argmax(dim=0)
    codes = torch.where(torch.arange(6) < 2, (best + 1) % 3, best)
    codes[5] = UNTOLD
    examples = Examples(batch.x, condition=codes[:, None])
    assert accuracy(model, examples).mean == pytest.approx(3 / 5)
    assert accuracy(model.vae, examples) is None
    assert accuracy(model, Examples(batch.x)) is None


def test_a_class_can_be_drawn_and_the_code_says_the_class():
    model, _ = mixture()
    x = generate(model, 500, condition=torch.full((500, 1), 2), seed=0)
    shift = model.vae.likelihood(torch.cat([torch.zeros(2), torch.eye(3)[2]]).double()[None]).mean
    error = x.std(dim=0) / math.sqrt(500)
    assert ((x.mean(dim=0) - shift).abs() < 4.9 * error).all()
    codes = encode(model, batch_of().x).groups["y"]
    assert torch.equal(codes.sum(dim=1), torch.ones(6, dtype=codes.dtype))


def test_a_column_with_gaps_is_the_class_of_a_table():
    rng = np.random.default_rng(0)
    words = np.array(["a", "b", None], object)[np.arange(60) % 3]
    table = {"kind": words, "x": rng.normal(size=60), "y": rng.normal(size=60)}
    data = lb.read(table, condition="kind")
    assert [field.name for field in data.schema.modelled] == ["x", "y"]
    assert data.schema.told[0].categories == ("a", "b")
    codes = torch.cat([part.load().condition for part in (data.train, data.validation, data.test)])
    assert sorted(codes.flatten().tolist()) == [-1] * 20 + [0] * 20 + [1] * 20
    model, _ = lb.catalogue.build("semi-supervised", data.schema, latents=2, hidden=[8])
    assert Bound()(model, data.train.batch(slice(0, 9))).value.isfinite().all()
    new, _ = lb.data.read_examples({"x": [0.0], "y": [1.0], "kind": ["b"]}, data.schema)
    assert new.batch(slice(0, 1)).condition.tolist() == [[1]]
    new, _ = lb.data.read_examples({"x": [0.0], "y": [1.0]}, data.schema)
    assert new.batch(slice(0, 1)).condition is None


def test_pictures_of_a_folder_called_unlabelled_have_no_class(tmp_path):
    from PIL import Image

    rng = np.random.default_rng(0)
    for name in ("cat", "dog", "unlabelled"):
        (tmp_path / name).mkdir()
        for i in range(10):
            picture = Image.fromarray(rng.integers(0, 256, (8, 8), np.uint8))
            picture.save(tmp_path / name / f"{i}.png")
    data = lb.read(tmp_path, condition="class")
    assert data.schema.told[0].categories == ("cat", "dog")
    parts = [part.load().condition for part in (data.train, data.validation, data.test)]
    assert sorted(torch.cat(parts).flatten().tolist()) == [-1] * 10 + [0] * 10 + [1] * 10


def test_a_model_with_classes_says_its_factors_and_not_its_modules():
    # forty lines of "(0): Linear(in_features=..."
    text = str(mixture()[0])
    assert len(text.splitlines()) <= 10 and "p(y)" in text and "q(y|x)" in text


def test_a_refit_is_refused_before_the_training():
    # after it, without evaluation and report
    schema = lb.read({"a": [*range(40)], "kind": ["x", "y"] * 20}, condition="kind").schema
    with pytest.raises(SettingError, match="no prior that can be replaced"):
        lb.catalogue.assemble("semi-supervised", schema, {"refit": "mixture"})


@pytest.mark.parametrize(
    "parts",
    [{"prior": "given"}, {"prior": "exemplar"}, {"prior": "bernoulli", "posterior": "bernoulli"}],
)
def test_a_prior_that_does_not_go_with_a_sum_over_classes_is_refused(parts):
    table = {"a": list(range(40)), "kind": ["x", "y"] * 20}
    schema = lb.read(table, condition="kind").schema
    with pytest.raises(SettingError, match="use prior=mixture"):
        lb.catalogue.build("semi-supervised", schema, latents=2, **parts)
