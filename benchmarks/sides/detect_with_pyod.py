"""PyOD's VAE on one split: IN.npz (train, test) to OUT.npy, its scores; run in its environment."""

import sys

import numpy as np
from pyod.models.vae import VAE

parts = np.load(sys.argv[1])
model = VAE(random_state=int(sys.argv[3]), verbose=0)
model.fit(parts["train"])
scores = [model.decision_function(parts[name]) for name in ("train", "test")]
np.save(sys.argv[2], np.concatenate(scores))
