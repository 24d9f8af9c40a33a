"""`lowerbound refit`: a better prior for a trained run."""

from pathlib import Path
from typing import Annotated

from lowerbound.cli.common import Device, Json, RunPath, open_run, option


def command(
    path: RunPath,
    prior: Annotated[
        str,
        option(
            "--prior",
            "NAME",
            "The prior that is fitted: mixture, flow, autoregressive (codes) or auto.",
        ),
    ] = "auto",
    source: Annotated[
        str | None, option("--data", "DATA", "Where the run's data is now, if it moved.")
    ] = None,
    gaps: Annotated[
        bool, option("--gaps", None, "Fit the law of gaps of a table, and no prior.")
    ] = False,
    undo: Annotated[
        bool, option("--undo", None, "Go back to the prior of the training; or to no law of gaps.")
    ] = False,
    seed: Annotated[int, option("--seed", "N", "Of the draws.")] = 0,
    device: Device = "auto",
    json: Json = False,
) -> None:
    """Fit the prior p(z) of a trained run to its encodings.

    Encoder and decoder stay as they are. A mixture of Gaussians, and a flow, are fitted to draws of
    q(z|x) of the training examples; the validation examples choose between them, and their sizes.
    Samples then come from where encodings lie, and the ELBO rises by as much as the old prior was
    wrong. Codes get a law of each code given those before it. `fit` does this by itself, with a
    mixture, where nothing else is asked for, and with --set refit=NAME for any model; here it is
    done again, or undone.

    With --gaps the law p(m|z) of which cells of a row are gaps is fitted in place of a prior; `fit`
    does so by itself where the data has gaps. It changes no log p(x) and lets `generate` leave
    cells empty as the data does.

    Examples:
      lowerbound refit runs/one
      lowerbound refit runs/one --prior flow
      lowerbound refit runs/one --undo
      lowerbound refit runs/table --gaps
    """
    from lowerbound.catalogue.refit import refit
    from lowerbound.cli.console import say, say_json, tell, working
    from lowerbound.runs import RunDirectory, drop_prior, read_again, write_prior

    directory = RunDirectory(path)
    if gaps:
        _of_gaps(path, source, device, undo=undo, seed=seed, json=json)
        return
    if undo:
        spec = directory.read_spec()
        was = drop_prior(directory)
        if json:
            say_json({"run": str(path), "undone": was})
        else:
            own = spec.settings.get("prior", "own")
            say(f"{path} has its {own} prior{' again' if was else '; nothing was refitted'}")
        return
    run = open_run(path, device, refitted=False)
    with working("reading the data of the run"):
        data = read_again(run.path, run.spec, source)
    with working("fitting a prior") as progress:
        found = refit(run.model, data, prior, seed=seed, progress=progress)
    if found is None:
        drop_prior(directory)
        if json:
            say_json({"run": str(path), "prior": None})
        else:
            noun = "other prior" if prior == "auto" else prior
            say(f"no {noun} is better than the run's own prior on the validation examples")
        return
    write_prior(directory, found)
    if json:
        told = {name: getattr(found, name) for name in ("prior", "settings", "gain", "error")}
        say_json({"run": str(path), **told, "tried": [list(one) for one in found.tried]})
        return
    say(found.words)
    tell(f"next:\n  lowerbound evaluate {path}\n  lowerbound generate {path}")


def _of_gaps(
    path: Path, source: str | None, device: str, *, undo: bool, seed: int, json: bool
) -> None:
    from lowerbound.catalogue.gaps import fit_gaps
    from lowerbound.cli.console import say, say_json, working
    from lowerbound.runs import RunDirectory, drop_gaps, read_again, write_gaps

    directory = RunDirectory(path)
    if undo:
        directory.read_spec()
        was = drop_gaps(directory)
        if json:
            say_json({"run": str(path), "undone": was})
        else:
            say(f"{path} has no law of gaps{' any more' if was else '; nothing was fitted'}")
        return
    drop_gaps(directory)  # a damaged one is made anew
    run = open_run(path, device)
    with working("reading the data of the run"):
        data = read_again(run.path, run.spec, source)
    with working("fitting the law of gaps"):
        found = fit_gaps(run.model, data, seed=seed)
    if found is not None:
        write_gaps(directory, found)
    if json:
        told = {} if found is None else {"gain": found.gain, "error": found.error}
        say_json({"run": str(path), "gaps": found is not None, **told})
    else:
        say("the data has no gaps of a table" if found is None else found.words)
