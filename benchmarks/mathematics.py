"""The numbers and curves of docs/mathematics: `tools/figures.py` draws what this writes.

All are exact sums, quadrature or closed forms, save the measured variances, which say their draws.

    python benchmarks/mathematics.py
"""

import math

import torch
from results import write
from torch import Tensor
from torch.distributions import Normal

import lowerbound as lb
from lowerbound.seeding import seeded
from lowerbound.testing import BernoulliMixture

SEED = 0
DRAWS = 100_000
UNITS = (1, 2, 4, 8, 16, 32, 64)
MANY = (1, 2, 3, 4, 6, 8, 12, 16, 24, 32, 48, 64)
STEPS = 150


def coins() -> dict:
    """The worked example of page 2."""
    q, p = torch.tensor([0.5, 0.5]).double(), torch.tensor([0.9, 0.1]).double()
    return {
        "kl_q_p": rounded((q * (q / p).log()).sum()),
        "kl_p_q": rounded((p * (p / q).log()).sum()),
    }


def divergence() -> dict:
    """The Gaussians that are nearest to a mixture of two, in one order and in the other."""
    weights, centres, scale = (0.7, 0.3), (-1.5, 1.5), 0.5
    z = torch.linspace(-12, 12, 8001, dtype=torch.float64)
    log_p = torch.stack(
        [math.log(w) + Normal(c, scale).log_prob(z) for w, c in zip(weights, centres, strict=True)]
    ).logsumexp(dim=0)
    p = log_p.exp()
    mean = torch.trapezoid(p * z, z)
    covering = mean, torch.trapezoid(p * (z - mean) ** 2, z).sqrt()

    def both(q: Normal) -> dict:
        log_q = q.log_prob(z)
        return {
            "mean": rounded(q.mean),
            "scale": rounded(q.stddev),
            "kl_q_p": rounded(torch.trapezoid(log_q.exp() * (log_q - log_p), z)),
            "kl_p_q": rounded(torch.trapezoid(p * (log_p - log_q), z)),
        }

    m = torch.tensor(-1.0, dtype=torch.float64, requires_grad=True)
    h = torch.tensor(0.0, dtype=torch.float64, requires_grad=True)
    search = torch.optim.LBFGS([m, h], max_iter=200, line_search_fn="strong_wolfe")

    def loss() -> Tensor:
        search.zero_grad()
        log_q = Normal(m, h.exp()).log_prob(z)
        value = torch.trapezoid(log_q.exp() * (log_q - log_p), z)
        value.backward()
        return value

    search.step(loss)
    with torch.no_grad():
        seeking = both(Normal(m, h.exp()))
    return {
        "mixture": {"weights": weights, "centres": centres, "scale": scale},
        "least_kl_q_p": seeking,
        "least_kl_p_q": both(Normal(*covering)),
    }


def prior_draws() -> dict:
    """What equation 3.7 is for a unit of deviation 0.1, and for 32 of them."""
    one = 1 / (0.1 * math.sqrt(2 - 0.1**2))
    return {
        "scale": 0.1,
        "one_unit": rounded(one),
        "units": 32,
        "all_units": float(f"{one**32:.3g}"),
    }


def gap() -> dict:
    """Evidence and bound while a mixture is trained on draws from another, by exact gradients."""
    x = BernoulliMixture(states=3, cells=4, seed=SEED).simulate(200, seed=SEED).x
    model = BernoulliMixture(states=3, cells=4, seed=SEED + 1)
    search = torch.optim.Adam(model.parameters(), lr=0.02)
    record = []
    for step in range(STEPS + 1):
        elbo = model.expected(lb.ELBO(), lb.Batch(x)).value.mean()
        if step % 2 == 0:
            evidence = model.log_evidence(x).mean()
            record.append((step, rounded(evidence), rounded(elbo), rounded(evidence - elbo)))
        search.zero_grad()
        (-elbo).backward()
        search.step()
    names = ("step", "log_evidence", "elbo", "divergence")
    columns = dict(zip(names, map(list, zip(*record, strict=True)), strict=True))
    return {"examples": 200, "optimiser": "Adam, rate 0.02", "curve": columns}


def variance() -> dict:
    """Variances of the estimators of page 5: by formula, and measured."""
    rows = []
    for units in UNITS:
        with seeded(SEED):
            z = torch.randn(DRAWS, units, dtype=torch.float64)
        f, first = -z.square().sum(dim=1) / 2, z[:, 0]
        rows.append(
            {
                "units": units,
                "reparameterised": 1.0,
                "score": (units + 2) * (units + 4) / 4,
                "score_with_baseline": (units + 4) / 2,
                "measured_reparameterised": rounded(first.var()),
                "measured_score": rounded((f * first).var()),
                "measured_score_with_baseline": rounded(((f + units / 2) * first).var()),
            }
        )
    return {"draws": DRAWS, "rows": rows}


def draws() -> dict:
    """The importance-weighted bound against the number of draws, averaged over all x."""
    model = BernoulliMixture(states=3, cells=4, seed=SEED)
    x = model.support()
    evidence = model.log_evidence(x).mean()
    with torch.no_grad():
        bounds = [float(model.expected(lb.IWAE(k), lb.Batch(x)).value.mean()) for k in MANY]
    return {
        "log_evidence": rounded(evidence),
        "draws": MANY,
        "bound": [rounded(b) for b in bounds],
        "gap": [rounded(evidence - b) for b in bounds],
    }


def rounded(value: Tensor | float) -> float:
    """To six digits: what is printed, not what differs between processors."""
    value = value.detach() if isinstance(value, Tensor) else value
    return float(f"{float(value):.6g}")


if __name__ == "__main__":
    parts = (coins, divergence, prior_draws, gap, variance, draws)
    path = write("mathematics", {"seed": SEED, **{part.__name__: part() for part in parts}})
    print(path)
