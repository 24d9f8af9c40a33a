"""Every process draws for the whole batch: its rows get what one process would have given them."""

from collections.abc import Callable

import pytest
import torch
from torch import Tensor
from torch.distributions import Bernoulli, Gamma, Laplace, MultivariateNormal, Normal, Uniform
from torch.nn import functional

from lowerbound.processes import same_noise
from lowerbound.seeding import seeded

ROWS = 6
#: Draws for K samples of B rows, and where the rows are: "K B", "B" or "KB".
DRAWS: dict[str, tuple[Callable[[int, int], Tensor], str]] = {
    "randn of sizes": (lambda k, b: torch.randn(k, b, 3), "K B"),
    "rand of a shape": (lambda k, b: torch.rand((b, 4)), "B"),
    "randint": (lambda k, b: torch.randint(0, 99, (b, 4)), "B"),
    "rand_like": (lambda k, b: torch.rand_like(torch.empty(k, b, 3)), "K B"),
    "in place": (lambda k, b: torch.empty(k, b, 3).uniform_(2, 3), "K B"),
    "Normal": (lambda k, b: Normal(torch.zeros(b, 3), torch.ones(b, 3)).rsample((k,)), "K B"),
    "Uniform": (lambda k, b: Uniform(torch.zeros(b, 3), torch.ones(b, 3)).rsample((k,)), "K B"),
    "Laplace": (lambda k, b: Laplace(torch.zeros(b, 3), torch.ones(b, 3)).rsample((k,)), "K B"),
    "correlated": (
        lambda k, b: MultivariateNormal(
            torch.zeros(b, 3), torch.eye(3).expand(b, 3, 3), validate_args=False
        ).rsample((k,)),
        "K B",
    ),
    "Bernoulli": (lambda k, b: Bernoulli(torch.full((b, 5), 0.3)).sample((k,)), "K B"),
    "normal of tensors": (lambda k, b: torch.normal(torch.zeros(b, 4), torch.ones(4)), "B"),
    "dropout of a decoder": (lambda k, b: functional.dropout(torch.ones(k * b, 7)), "KB"),
    "a layer of dropout": (lambda k, b: torch.nn.Dropout(0.3)(torch.ones(b, 7)), "B"),
}


@pytest.mark.parametrize("name", list(DRAWS))
@pytest.mark.parametrize(("samples", "first", "end"), [(4, 1, 3), (3, 4, 6), (2, 0, 5), (1, 0, 2)])
def test_rows_keep_their_noise_and_the_random_state_moves_on_alike(
    name: str, samples: int, first: int, end: int
) -> None:
    draw, axes = DRAWS[name]
    with seeded(3):
        whole = draw(samples, ROWS)
        after = torch.get_rng_state()
    with seeded(3), same_noise(ROWS, slice(first, end), samples):
        some = draw(samples, end - first)
        assert torch.equal(torch.get_rng_state(), after)
    parted = whole.view(samples, ROWS, -1) if axes != "B" else whole.view(1, ROWS, -1)
    mine = parted[:, first:end].reshape(some.shape)
    torch.testing.assert_close(some, mine, rtol=1e-6, atol=1e-7)


def test_what_takes_more_numbers_for_one_row_is_each_processs_own() -> None:
    found, states = [], []
    for rows in (slice(0, 2), slice(2, 6)):
        with seeded(3), same_noise(ROWS, rows):
            count = rows.stop - rows.start
            found.append(Gamma(torch.ones(count, 3), torch.ones(count, 3)).rsample())
            states.append(torch.get_rng_state())
    assert torch.equal(*states)
    assert not torch.equal(found[0], found[1][:2])


def test_what_has_no_rows_is_the_same_everywhere() -> None:
    with seeded(3):
        whole = torch.randn(9, 9)
    with seeded(3), same_noise(ROWS, slice(0, 2)):
        assert torch.equal(torch.randn(9, 9), whole)


def test_a_process_with_all_rows_draws_as_ever() -> None:
    with seeded(3), same_noise(ROWS, slice(0, ROWS)):
        assert not torch.overrides._get_current_function_mode_stack()
