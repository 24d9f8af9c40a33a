"""What makes the tests repeat: one thread a worker, the same seeds before every test."""

import os
import random

import hypothesis
import numpy as np
import pytest
import torch

hypothesis.settings.register_profile("lowerbound", derandomize=True, deadline=None)
hypothesis.settings.load_profile("lowerbound")


class Deterministic:
    """A plugin and not a fixture, so that it reaches the doctests of src too."""

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_setup(self) -> None:
        random.seed(0)
        np.random.seed(0)
        torch.manual_seed(0)


def pytest_configure(config: pytest.Config) -> None:
    config.pluginmanager.register(Deterministic(), "lowerbound-deterministic")
    if "PYTEST_XDIST_WORKER" in os.environ:  # workers share the cores: more threads only queue
        torch.set_num_threads(1)
