"""How often intervals and bounds hold, on a model whose log p(x) is known.

A linear Gaussian model, an encoder that is off, and repeated runs with fresh data and fresh draws:
how often the 95 % interval covers the mean log p(x) of the population, how often it covers that of
the very examples, and how often the annealed bounds from both sides enclose the truth.

    python benchmarks/coverage.py            200 runs, some minutes
    python benchmarks/coverage.py --quick    20 runs
"""

import argparse
import time

import results
import torch
from torch.distributions import MultivariateNormal

from lowerbound.data import Examples
from lowerbound.evaluation import Annealing, Estimate, evidence, sandwich
from lowerbound.evaluation.estimate import CONFIDENCE
from lowerbound.testing import LinearGaussian

EXAMPLES, SAMPLES, SIMULATED = 200, 500, 50
ANNEALING = Annealing(temperatures=10, chains=8, leapfrog=5)
#: By how much each unit of the encoder's mean is off, and the log of its standard deviation.
OFF, WIDE = 0.15, 0.1


def encoder_off(reference: LinearGaussian) -> torch.nn.Module:
    model = reference.vae()
    with torch.no_grad():
        bias = model.posterior.network.layers[0].bias.view(-1, reference.latents)
        bias[0] += OFF
        bias[1:].diagonal().add_(WIDE)
    return model


def covers(interval: tuple[float, float], truth: float) -> bool:
    return interval[0] <= truth <= interval[1]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true")
    runs = 20 if parser.parse_args().quick else 200
    began = time.perf_counter()
    reference = LinearGaussian.random(3, 6)
    model = encoder_off(reference)
    eye = torch.eye(6, dtype=torch.float64)
    covariance = reference.weight @ reference.weight.T + reference.scale.square() * eye
    population = -float(MultivariateNormal(reference.bias, covariance).entropy())
    counts = dict.fromkeys(("population", "examples", "enclosed", "lower", "upper"), 0)
    widths, gaps, elbo_gap, effective = [], [], [], []
    for seed in range(runs):
        x = reference.simulate(EXAMPLES, seed).x
        exact = reference.log_evidence(x)
        found = evidence(model, Examples(x), SAMPLES, seed=seed)
        stated = Estimate.of(found.log_evidence, draw_variance=found.draw_variance)
        counts["population"] += covers(stated.interval, population)
        reach = CONFIDENCE * stated.draw_error
        truth = float(exact.mean())
        counts["examples"] += covers((stated.mean - reach, stated.mean + reach), truth)
        widths.append(stated.interval[1] - stated.interval[0])
        elbo_gap.append(float((exact - found.elbo).mean()))
        effective.append(float(found.effective_samples.median()))
        joint = reference.simulate(SIMULATED, 10_000 + seed)
        between = sandwich(
            model, annealing=ANNEALING, joint=(joint.z, joint.x), samples=50, seed=seed
        )
        truth = float(reference.log_evidence(joint.x).mean())
        counts["enclosed"] += covers(between.interval, truth)
        counts["lower"] += between.interval[0] <= truth
        counts["upper"] += truth <= between.interval[1]
        gaps.append(between.gap)
    mean = lambda values: round(sum(values) / len(values), 5)  # noqa: E731
    record = {
        "runs": runs,
        "seeds": f"0 to {runs - 1}",
        "model": "linear Gaussian, 3 latents, 6 dimensions; the encoder's mean off by "
        f"{OFF} in each unit, its log standard deviation by {WIDE}",
        "examples": EXAMPLES,
        "samples": SAMPLES,
        "elbo_below_truth_nats": mean(elbo_gap),
        "effective_samples_median": mean(effective),
        "interval_95_covers_population_mean": counts["population"],
        "interval_95_over_draws_covers_mean_of_these_examples": counts["examples"],
        "interval_width_nats": mean(widths),
        "annealing": {
            "temperatures": ANNEALING.temperatures,
            "chains": ANNEALING.chains,
            "simulated": SIMULATED,
        },
        "bounds_enclose_the_truth": counts["enclosed"],
        "lower_bound_holds": counts["lower"],
        "upper_bound_holds": counts["upper"],
        "gap_between_bounds_nats": mean(gaps),
        "seconds": round(time.perf_counter() - began, 1),
    }
    for key, value in record.items():
        print(f"{key:>55}  {value}")
    if runs == 200:
        print(results.write("coverage", record))


if __name__ == "__main__":
    main()
