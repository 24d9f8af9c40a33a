"""The hundred-line script and the library are the same mathematics."""

import importlib.util
import subprocess
import sys
from pathlib import Path

import pytest
import torch

import lowerbound as lb
from lowerbound.data import Field, Schema
from lowerbound.data.measure import measure
from lowerbound.data.rows import Block

SCRIPT = Path(__file__).parents[1] / "examples" / "vae_in_100_lines.py"


def script():
    spec = importlib.util.spec_from_file_location("vae_in_100_lines", SCRIPT)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def twins(kind, levels):
    """The library's default model and the script's, with the same weights; and some data."""
    generator = torch.Generator().manual_seed(2)
    x = torch.randint(levels, (7, 1, 6, 5), generator=generator, dtype=torch.uint8)
    x[0], x[1] = 0, levels - 1  # the end bins
    bare = Schema((Field("image", kind, (1, 6, 5), levels),), (1, 6, 5))
    schema, _ = measure(bare, [Block(x.numpy())], "x")
    settings = {"latents": 3, "hidden": (16, 8)}
    library = lb.catalogue.assemble("auto", schema, settings, seed=1).model
    with torch.no_grad():  # away from the start, where q(z|x) is near the prior and the rate near 0
        library.posterior.network.layers[-1].weight.mul_(30.0)
    other = script().VAE(x.flatten(1), levels, latents=3, hidden=(16, 8))
    pairs = [
        (library.posterior.network.layers, other.encoder),
        (library.likelihood.network.layers, other.decoder),
    ]
    for ours, theirs in pairs:
        theirs.load_state_dict(ours.state_dict())
    return library, other, x, pairs


def both_bounds(library, other, x):
    torch.manual_seed(3)
    ours = lb.ELBO()(library, lb.Batch(x)).value
    torch.manual_seed(3)
    return ours, other.elbo(x.flatten(1).float())


@pytest.mark.parametrize(("kind", "levels"), [("binary", 2), ("ordinal", 256), ("ordinal", 17)])
def test_the_script_and_the_library_have_the_same_bound_and_gradient(kind, levels):
    library, other, x, pairs = twins(kind, levels)
    ours, theirs = both_bounds(library, other, x)
    torch.testing.assert_close(ours, theirs, rtol=1e-5, atol=0)
    ours.sum().backward()
    theirs.sum().backward()
    for mine, its in pairs:
        for a, b in zip(mine.parameters(), its.parameters(), strict=True):
            torch.testing.assert_close(
                a.grad, b.grad, rtol=1e-3, atol=1e-4 * float(b.grad.abs().max())
            )


def test_a_script_with_half_the_rate_is_told_apart():
    library, other, x, _ = twins("ordinal", 256)
    ours, theirs = both_bounds(library, other, x)
    torch.manual_seed(3)
    halved = theirs + 0.5 * lb.BetaELBO(1.0)(library, lb.Batch(x)).rate
    with pytest.raises(AssertionError):
        torch.testing.assert_close(ours, halved, rtol=1e-5, atol=0)


def test_the_script_without_data_says_its_usage():
    done = subprocess.run([sys.executable, SCRIPT], capture_output=True, text=True)
    usage = "usage: python vae_in_100_lines.py DATA\n"
    assert (done.returncode, done.stdout, done.stderr) == (2, "", usage)


def test_the_script_has_a_hundred_lines():
    assert len(SCRIPT.read_text().splitlines()) <= 100
