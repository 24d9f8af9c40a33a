"""What is written down of each published figure."""

import subprocess
import sys

import pytest

from lowerbound.catalogue import assemble
from lowerbound.data import Field, Schema
from lowerbound.errors import UnknownNameError
from lowerbound.objectives import ELBO, IWAE, DReG, StickingTheLanding
from lowerbound.reproduce import entries, entry_named
from lowerbound.reproduce.cost import cost, operations

MNIST = Schema((Field("image", "binary", (1, 28, 28), 2),), (1, 28, 28))
DRAWN = [entry for entry in entries() if not entry.is_linear]


def test_every_name_is_there_once_and_a_wrong_one_meets_its_neighbours():
    names = [entry.name for entry in entries()]
    assert len(set(names)) == len(names) >= 21
    with pytest.raises(UnknownNameError, match="did you mean 'burda-iwae-5-static'"):
        entry_named("burda-iwae-5-statik")


@pytest.mark.parametrize("entry", DRAWN, ids=lambda entry: entry.name)
def test_every_entry_is_a_recipe_with_settings_that_it_has(entry):
    made = assemble(entry.recipe, MNIST, entry.settings, examples=entry.examples, seed=0)
    assert made.training.epochs == entry.epochs
    assert made.training.patience is None  # the whole budget is run
    assert entry.published.address.startswith("https://")
    assert entry.protocol and entry.differs


def test_the_table_of_the_paper_is_the_paper_s():
    # 8 stages of 3^i epochs on 59,600 images in batches of 20: 3,280 epochs of 2,980 updates
    one = entry_named("burda-vae-1-dynamic")
    assert one.epochs == sum(3**stage for stage in range(8)) == 3280
    assert one.updates == 3280 * 2980
    made = assemble(one.recipe, MNIST, one.settings, examples=one.examples, seed=0)
    assert made.training.schedule(0.0) == 1.0
    assert made.training.schedule(1.0) == pytest.approx(0.1)
    assert made.training.epsilon == 1e-4
    layers = [str(layer) for layer in made.model.likelihood.network.layers]
    assert [text.split("(")[0] for text in layers] == ["Linear", "Tanh", "Linear", "Tanh", "Linear"]
    parameters = 50 * 200 + 200 + 200 * 200 + 200 + 200 * 784 + 784
    assert sum(p.numel() for p in made.model.likelihood.parameters()) == parameters


@pytest.mark.parametrize(
    ("name", "objective"),
    [
        ("burda-vae-1-dynamic", ELBO(1)),
        ("burda-vae-50-static", ELBO(50)),
        ("burda-iwae-5-static", IWAE(5)),
        ("sticking-1-dynamic", StickingTheLanding(1)),
        ("dreg-50-dynamic", DReG(50)),
    ],
)
def test_every_row_has_its_objective(name, objective):
    entry = entry_named(name)
    assert assemble(entry.recipe, MNIST, entry.settings, seed=0).objective == objective


def test_the_tenth_may_make_a_tenth_of_the_updates():
    entry, whole = entry_named("tenth-vae-1-dynamic"), entry_named("burda-vae-1-dynamic")
    assert entry.most_updates == entry.budget == whole.updates // 10 == whole.budget // 10
    assert entry.updates <= entry.most_updates
    assert entry.published.figure == whole.published.figure == 86.76


def test_a_cost_is_computed_until_it_was_measured():
    entry = entry_named("burda-vae-1-dynamic")
    products = (784 * 200 + 200 * 200 + 200 * 100) + (50 * 200 + 200 * 200 + 200 * 784)
    assert operations(entry) == 6 * 20 * products
    assert not cost(entry, [], accelerator=False).measured
    run = {"seconds": 30.0, "updates": 3000, "device": "cpu", "training": {"batch_size": 20}}
    found = cost(entry, [run], accelerator=False)
    assert found.measured
    assert found.seconds == pytest.approx(0.01 * entry.updates)
    assert not cost(entry, [run], accelerator=True).measured
    other = {**run, "training": {"batch_size": 100}}  # another batch says nothing of this one
    assert not cost(entry, [other], accelerator=False).measured


def test_the_registry_is_read_without_torch():
    program = "import sys, lowerbound.reproduce; print('torch' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert done.stdout.strip() == "False", done.stderr
