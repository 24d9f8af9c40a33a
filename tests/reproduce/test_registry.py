"""What is written down of each published figure."""

import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode

from lowerbound.catalogue import assemble
from lowerbound.data import Field, Schema
from lowerbound.errors import DataError, UnknownNameError
from lowerbound.objectives import ELBO, IWAE, DReG, StickingTheLanding
from lowerbound.reproduce import Published, entries, entry_named
from lowerbound.reproduce.cost import CONVOLUTIONS, cost, operations
from lowerbound.reproduce.entry import EXAMPLES
from lowerbound.reproduce.registry import PLACES, read_rows

TEXTS = Schema((Field("text", "byte", (83,), 10_000),), (83,))
MNIST = Schema((Field("image", "binary", (1, 28, 28), 2),), (1, 28, 28))
DRAWN = [entry for entry in entries() if not entry.is_linear]


def test_every_name_is_there_once_and_a_wrong_one_meets_its_neighbours():
    names = [entry.name for entry in entries()]
    assert len(set(names)) == len(names) >= 21
    with pytest.raises(UnknownNameError, match="did you mean 'burda-iwae-5-static'"):
        entry_named("burda-iwae-5-statik")


@pytest.mark.parametrize("entry", DRAWN, ids=lambda entry: entry.name)
def test_every_entry_is_a_recipe_with_settings_that_it_has(entry):
    schema = TEXTS if entry.data == "ptb" else MNIST
    made = assemble(entry.recipe, schema, entry.settings, examples=EXAMPLES[entry.data], seed=0)
    assert made.training.epochs == entry.epochs
    assert made.training.patience is None  # the whole budget is run
    assert entry.published.address.startswith("https://")
    assert entry.protocol and entry.differs


def test_the_table_of_the_paper_is_the_paper_s():
    # 8 stages of 3^i epochs on 59,600 images in batches of 20: 3,280 epochs of 2,980 updates
    one = entry_named("burda-vae-1-dynamic")
    assert one.epochs == sum(3**stage for stage in range(8)) == 3280
    assert one.updates == 3280 * 2980
    made = assemble(one.recipe, MNIST, one.settings, examples=EXAMPLES[one.data], seed=0)
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


def test_pseudo_inputs_and_gates_cost_what_they_multiply():
    plain, vamp = entry_named("exemplar-gaussian-dynamic"), entry_named("exemplar-vamp-dynamic")
    side = 2 * (784 * 300 + 300 * 300) + 300 * 80
    back = 2 * (40 * 300 + 300 * 300) + 300 * 784
    assert operations(plain) == 6 * 100 * (side + back)
    assert operations(vamp) == 6 * (600 * side + 100 * back)


def test_a_convolution_costs_what_torch_counts():
    made = assemble("vae", MNIST, {"network": "residual", "latents": 40}, seed=0)
    with FlopCounterMode(display=False) as counted:
        made.model.likelihood(made.model.posterior(torch.zeros(1, 1, 28, 28)).mean)
    assert counted.get_total_flops() == pytest.approx(2 * CONVOLUTIONS, rel=0.05)


def test_the_rows_of_priors_are_those_priors_on_fifty_thousand_images():
    made = {
        name: assemble("vae", MNIST, entry_named(name).settings, seed=0).model.prior
        for name in ("exemplar-vamp-dynamic", "exemplar-exemplar-dynamic", "xu-flow-static")
    }
    assert made["exemplar-vamp-dynamic"].pseudo_inputs.shape == (500, 1, 28, 28)
    assert made["exemplar-exemplar-dynamic"].means.shape == (25_000, 40)
    assert len(made["xu-flow-static"].maps.maps) == 21
    assert entry_named("exemplar-vamp-dynamic").updates == 934 * 500


ROW = """
[one]
title = "One"
data = "iris"
protocol = "All rows."
recipe = "vae"
published = { figure = 1.5, active = 3, source = "A", address = "https://a" }
model = { hidden = [4, 5] }
training = { clip = "none", epochs = 3, batch_size = 50 }
others = [[1.25, "B"]]
"""


def test_a_row_says_what_differs_from_the_row_it_is_like(tmp_path):
    (tmp_path / "a.toml").write_text(
        '[two]\nlike = "one"\nothers = []\npublished = { figure = 2.5 }\ntraining = { clip = 1.0 }'
    )
    (tmp_path / "b.toml").write_text(ROW)
    two, one = read_rows(tmp_path)
    assert (one.name, one.others, one.published.active) == ("one", ((1.25, "B"),), 3)
    assert one.settings == {"hidden": (4, 5), "clip": None, "epochs": 3, "batch_size": 50}
    assert (two.title, two.others) == ("One", ())
    assert two.published == Published(2.5, "A", "https://a", 3)
    assert two.settings == {**one.settings, "clip": 1.0}


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("[one", "cannot read .*b.toml"),
        (ROW + "[two]\nlike = 'three'", "'two' is like 'three', which is no other row"),
        (ROW + "[two]\nlike = 'two'", "is no other row"),
        (ROW + "[two]\nlike = 'one'\nseason = 'spring'", "'two' cannot be read: .*season"),
        ("[one]\ntitle = 'One'", "'one' cannot be read"),
        (None, "no rows of published figures in .*; install lowerbound anew"),
    ],
)
def test_rows_that_cannot_be_read_are_one_line(tmp_path, text, words):
    if text is not None:
        (tmp_path / "b.toml").write_text(text)
    with pytest.raises(DataError, match=words) as told:
        read_rows(tmp_path)
    assert "\n" not in str(told.value)


def test_a_row_stands_once(tmp_path):
    for name in "ab":
        (tmp_path / f"{name}.toml").write_text(ROW)
    with pytest.raises(DataError, match=r"b.toml.*'one' is there already"):
        read_rows(tmp_path)


def test_installed_rows_come_before_those_of_a_checkout(tmp_path, monkeypatch):
    (tmp_path / "row.toml").write_text(ROW)
    monkeypatch.setattr("lowerbound.reproduce.registry.PLACES", (tmp_path, *PLACES))
    entries.cache_clear()
    assert [entry.name for entry in entries()] == ["one"]
    entries.cache_clear()


def test_a_wheel_takes_the_rows_along():
    root = Path(__file__).parents[2]
    build = tomllib.loads((root / "pyproject.toml").read_text())["tool"]["hatch"]["build"]
    installed, checkout = (place.relative_to(root).as_posix() for place in PLACES)
    included = build["targets"]["wheel"]["force-include"]
    assert included[checkout] == installed.removeprefix("src/")


def test_the_list_of_figures_is_made_without_torch():
    program = """
import sys
from lowerbound.cli import main
sys.argv = ["lowerbound", "reproduce", "--list"]
code = main()
print("torch" in sys.modules, file=sys.stderr)
sys.exit(code)
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert done.stderr.strip() == "False" and "burda-vae-1-dynamic" in done.stdout
