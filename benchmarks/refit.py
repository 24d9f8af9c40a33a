"""What a prior that is fitted after training buys, and what it costs.

The default model of fashion-small is trained once for each seed, under N(0, I). Then a mixture is
fitted to its encodings, its size chosen by the validation part (`lowerbound.catalogue.refit`).
Compared on the test part: the ELBO, and the Frechet distance and precision of samples, each beside
the same measure of held-out data.

    python benchmarks/refit.py [--seeds S] [--samples N]
"""

import argparse
import time

from results import write

import lowerbound as lb
from lowerbound.catalogue.refit import apply, refit
from lowerbound.evaluation import evaluate


def main() -> None:
    """Train, refit, compare, and write benchmarks/results/refit.json."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--seeds", type=int, default=1)
    parser.add_argument("--samples", type=int, default=700, help="compared with as many real ones")
    options = parser.parse_args()
    data = lb.read("fashion-small")
    rows = []
    for seed in range(options.seeds):
        made = lb.catalogue.assemble("auto", data.schema, examples=len(data.train), seed=seed)
        result = lb.fit(made.model, made.objective, data, made.training, seed=seed)
        began = time.perf_counter()
        found = refit(result.model, data, seed=seed)
        seconds = time.perf_counter() - began
        if found is None:
            rows.append({"seed": seed, "prior": None, "refit_seconds": seconds})
            continue
        for name, model in (("N(0, I)", result.model), ("mixture", apply(result.model, found))):
            stated = evaluate(model, data, samples=100, quality=options.samples)
            quality = stated.quality
            rows.append(
                {
                    "seed": seed,
                    "prior": name,
                    "components": found.settings if name == "mixture" else None,
                    "refit_seconds": seconds,
                    "elbo": stated.elbo.mean,
                    "log_likelihood": stated.log_likelihood.mean,
                    "frechet": None if quality is None else quality.frechet.value,
                    "frechet_of_real": None if quality is None else quality.frechet.null,
                    "precision": None if quality is None else quality.precision.value,
                    "precision_of_real": None if quality is None else quality.precision.null,
                }
            )
            print(rows[-1], flush=True)
    write("refit", {"data": "fashion-small", "unit": "nats per example", "rows": rows})


if __name__ == "__main__":
    main()
