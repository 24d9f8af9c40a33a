"""The other side of `nll.py`, run by pythae's own interpreter: get_nll, timed, line by line.

Reads a line "COUNT SEED", answers "SECONDS VALUE PEAK_MIB": the mean log p(x) of so many images.
"""

import resource
import sys
import time

import numpy as np
import torch
from pythae.models import VAE, VAEConfig


def main() -> None:
    path, samples, threads = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
    torch.set_num_threads(threads)
    stored = np.load(path)
    latents = stored["embedding.weight"].shape[0]
    config = VAEConfig(input_dim=(1, 28, 28), latent_dim=latents, reconstruction_loss="bce")
    model = VAE(config).eval()
    names = {
        "encoder.layers.0.0": "encoder",
        "encoder.embedding": "embedding",
        "encoder.log_var": "log_var",
        "decoder.layers.0.0": "decoder",
        "decoder.layers.1.0": "logits",
    }
    state = {
        f"{theirs}.{part}": torch.from_numpy(stored[f"{ours}.{part}"])
        for theirs, ours in names.items()
        for part in ("weight", "bias")
    }
    model.load_state_dict(state)
    x = torch.from_numpy(stored["x"]).view(-1, 1, 28, 28)
    print("ready", flush=True)
    for line in sys.stdin:
        count, seed = map(int, line.split())
        torch.manual_seed(seed)
        began = time.perf_counter()
        with torch.no_grad():
            value = model.get_nll(x[:count], n_samples=samples)
        seconds = time.perf_counter() - began
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        print(f"{seconds} {value} {peak}", flush=True)


if __name__ == "__main__":
    main()
