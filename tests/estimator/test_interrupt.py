"""Ctrl-C while an estimator is fitted: it is raised, and the best weights are kept."""

import torch

import lowerbound as lb
from lowerbound.estimator import auto_vae
from lowerbound.training import Callback


class Interrupts(Callback):
    """Ctrl-C in the middle of an epoch."""

    epoch = 3

    def __init__(self) -> None:
        self.best = None

    def on_epoch(self, epoch, best) -> None:
        self.best = {name: tensor.clone() for name, tensor in best().items()}

    def on_step(self, step) -> None:
        if step.epoch == self.epoch:
            raise KeyboardInterrupt


def fitted_until_interrupted(estimator: lb.AutoVAE, x) -> bool:
    """Whether Ctrl-C came through; not by pytest.raises, which lets it end the tests."""
    try:
        estimator.fit(x)
    except KeyboardInterrupt:
        return True
    return False


def test_an_interrupt_comes_through_with_the_best_weights_kept(small, real, monkeypatch) -> None:
    """A loop of estimators went on, with one model cut short."""
    watch = Interrupts()
    monkeypatch.setattr(auto_vae, "EpochLines", lambda: watch)
    vae = small(epochs=5, verbose=1)
    assert fitted_until_interrupted(vae, real)
    assert (vae.n_iter_, vae.result_.stopped) == (2, "interrupted")
    found = vae.model_.state_dict()
    assert all(torch.equal(found[name], tensor) for name, tensor in watch.best.items())
    assert vae.transform(real).shape[0] == len(real)


def test_one_that_was_interrupted_before_its_first_epoch_is_not_fitted(
    small, real, monkeypatch
) -> None:
    monkeypatch.setattr(Interrupts, "epoch", 1)
    monkeypatch.setattr(auto_vae, "EpochLines", Interrupts)
    vae = small(epochs=5, verbose=1)
    assert fitted_until_interrupted(vae, real)
    assert not hasattr(vae, "model_")
