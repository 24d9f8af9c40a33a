"""The model of a table: laws by what was seen of each column, and what it learns."""

import numpy as np
import pytest
import torch

import lowerbound as lb
from lowerbound.catalogue import assemble
from lowerbound.data import Batch
from lowerbound.distributions import Binned, Product
from lowerbound.runs.load import spec_of
from lowerbound.seeding import seeded
from lowerbound.testing import SCHEMAS, check_model, example_batch

SMALL = {"latents": 3, "hidden": [16]}


def csv(path, rows=2600, seed=0):
    """Write two clusters of people: words, counts, a real with a heap at 0, and gaps."""
    rng = np.random.default_rng(seed)
    old = rng.random(rows) < 0.4
    age = np.where(old, rng.integers(50, 80, rows), rng.integers(18, 40, rows))
    pay = np.where(rng.random(rows) < 0.3, 0.0, rng.normal(np.where(old, 90, 30), 5).round(2))
    job = np.where(old, rng.choice(["", "judge"], rows), rng.choice(["clerk", "cook"], rows))
    old ^= rng.random(rows) < 0.05  # else age would tell it
    each = zip(age, pay, job, old, strict=True)
    lines = [f"{a},{p},{j},{'yes' if o else 'no'}" for a, p, j, o in each]
    path.write_text("\n".join(["age,pay,job,old", *lines]))
    return path


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    return lb.read(csv(tmp_path_factory.mktemp("table") / "people.csv"))


def test_auto_takes_the_recipe_of_tables_for_a_table_alone(data):
    assert assemble("auto", data.schema, SMALL).recipe.name == "table"
    assert assemble("auto", SCHEMAS["real 5"], SMALL).recipe.name == "vae"


@pytest.mark.parametrize(("examples", "epochs"), [(500, 125), (8000, 40), (100_000, 20)])
def test_large_tables_are_gone_through_less_often(data, examples, epochs):
    training = assemble("table", data.schema, SMALL, examples=examples, seed=0).training
    assert training.epochs == epochs


def test_all_columns_that_were_cut_have_one_law_and_the_encoder_sees_their_bins(data):
    model = assemble("table", data.schema, SMALL).model
    (law,) = model.likelihood.parts
    assert law.name == "binned" and model.likelihood.places == ((0, 1, 2, 3),)
    assert [one.coded for one in law.layout.bins] == [False, False, True, True]
    assert law.layout.bins[1].atoms[0] == 0.0
    assert model.likelihood.network.outputs == (law.layout.logits,)
    assert model.posterior.network.inputs == (2 + law.layout.total + 4,)


def test_few_examples_of_reals_have_the_laws_of_few(tmp_path):
    few = lb.read(csv(tmp_path / "few.csv", rows=300))
    model = assemble("table", few.schema, SMALL).model
    names = {law.name: places for law, places in zip(
        model.likelihood.parts, model.likelihood.places, strict=True)}  # fmt: skip
    assert 1 in names["student-t"]
    assert set(names["binned"]) >= {2, 3}
    assert any("student-t for" in sentence for sentence in assemble("table", few.schema).words)


def test_few_examples_of_whole_numbers_and_of_zeros_have_no_plain_density(tmp_path):
    path = tmp_path / "few.csv"
    rng = np.random.default_rng(0)
    cost, fee = np.exp(rng.normal(3, 1, (2, 300))).round(3)
    fee[::3] = 0
    rows = zip(rng.integers(-900, 900, 300), cost, fee, range(300), strict=True)
    dated = [f"{w},{c},{f},2024-{1 + d // 28:02}-{1 + d % 28:02}" for w, c, f, d in rows]
    path.write_text("\n".join(["balance,cost,fee,day", *dated]))
    schema = lb.read(path, columns={"cost": "positive", "fee": "positive"}).schema
    likelihood = assemble("table", schema, SMALL).model.likelihood
    laws = dict(zip(likelihood.places, (law.name for law in likelihood.parts), strict=True))
    assert laws == {
        (0,): "rounded-logistic", (1,): "log-normal", (2,): "hurdle-log-normal",
        (3,): "rounded-logistic",
    }  # fmt: skip


def test_a_decoder_starts_at_the_shares_of_training(data):
    made = assemble("table", data.schema, SMALL, seed=0)
    with torch.no_grad():
        for layer in made.model.likelihood.network.linear:
            layer.weight.zero_()
    law = made.model.decode({"z": torch.zeros(1, 3)})
    assert isinstance(law, Product)
    train = data.train.batch(slice(None))
    share = (train.x[:, 3] == 1).double().mean()
    found = law.cells(torch.tensor([[30.0, 0.0, 0.0, 1.0]], dtype=torch.float64))[0, 3].exp()
    assert found.item() == pytest.approx(share.item(), rel=1e-6)


def test_the_model_of_a_mixed_table_climbs_the_ladder():
    made = assemble("table", SCHEMAS["mixed 6"], SMALL, seed=0)
    check_model(made.model, example_batch(SCHEMAS["mixed 6"]), made.objective)


def test_what_an_unobserved_cell_holds_changes_no_bit(data):
    model = assemble("table", data.schema, SMALL, seed=0).model.eval()
    x, observed = data.train.x[:4].clone(), torch.rand(4, 4) < 0.5
    first = None
    for junk in (0.0, 1e30, -3.5, float("nan")):
        with torch.no_grad(), seeded(0):
            held = torch.where(observed, x, junk)
            found = model.trace(Batch(held, observed), 2).log_weight
        first = found if first is None else first
        assert torch.equal(first, found)


@pytest.mark.slow
def test_it_learns_what_columns_have_to_do_with_each_other_and_is_saved(data, tmp_path):
    made = assemble("table", data.schema, {**SMALL, "epochs": 40}, examples=2080, seed=0)
    fit = lb.fit(made.model, made.objective, data, made.training, seed=0)
    batch = data.test.batch(slice(None))
    # the recipe maximises the bound of four draws: the ELBO would be that of another encoder
    bound = lb.IWAE(200)(fit.model.eval(), batch).value.mean().item()
    marginal = made.model.likelihood.parts[0].layout
    alone = Binned(marginal.start(), marginal)
    known = batch.observed if batch.observed is not None else torch.ones_like(batch.x).bool()
    independent = torch.where(known, alone.log_prob(batch.x), 0.0).sum(dim=1).mean().item()
    assert bound > independent + 0.9  # knowing "old" tells age, pay and job
    lb.runs.save(tmp_path / "run", spec_of(made, data, 0), fit)
    again = lb.load(tmp_path / "run").model
    with torch.no_grad():
        both = (again, fit.model.eval())  # nothing is dropped
        pair = [m.decode({"z": torch.ones(1, 3)}).cells(batch.x[:1]) for m in both]
    assert torch.equal(*pair)
