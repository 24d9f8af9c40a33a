"""The options of `lowerbound fit`."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any

import typer

from lowerbound.cli.common import Device, Json, Stream, option, out_option, settings_from
from lowerbound.errors import SettingError


@dataclass
class FitOptions:
    """Options of `lowerbound fit`, as they were typed."""

    source: Annotated[
        str | None,
        typer.Argument(metavar="DATA", help="Named set, folder, table, array, or packed data."),
    ] = None
    model: Annotated[str, option("--model", "NAME", "Recipe; see lowerbound catalogue.")] = "auto"
    out: Annotated[
        Path | None, out_option("Directory of the run; runs/DATA-MODEL if left out.")
    ] = None
    latents: Annotated[
        int | None, option("--latents", "N", "Latent units; chosen if left out.")
    ] = None
    likelihood: Annotated[
        str | None, option("--likelihood", "NAME", "p(x|z); follows from the data if left out.")
    ] = None
    epochs: Annotated[int | None, option("--epochs", "N", "Passes over the examples.")] = None
    minutes: Annotated[float | None, option("--minutes", "M", "Train this long instead.")] = None
    setting: Annotated[
        list[str] | None, option("--set", "KEY=VALUE", "Any other setting; may be repeated.")
    ] = None
    reading: dict[str, Any] = field(default_factory=dict)
    stream: Stream = None
    force: Annotated[bool, option("--force", None, "Replace an old run at --out.")] = False
    seed: Annotated[int, option("--seed", "N", "Of weights, shuffling and noise.")] = 0
    device: Device = "auto"
    resume: Annotated[Path | None, option("--resume", "RUN", "Go on with a run; see below.")] = None
    start: Annotated[Path | None, option("--from", "RUN", "Begin with a run; see below.")] = None
    save_every: Annotated[
        float, option("--save-every", "SECONDS", "Between two saves of the state.")
    ] = 60.0
    save_every_updates: Annotated[
        int | None, option("--save-every-updates", "N", "Also save it after every N updates.")
    ] = None
    keep_state: Annotated[
        bool, option("--state/--no-state", None, "Keep what a longer training would need.")
    ] = True
    refit: Annotated[
        bool | None,
        option(
            "--refit/--no-refit",
            None,
            "Fit a mixture or a flow as prior afterwards; auto fits a mixture.",
        ),
    ] = None
    report: Annotated[
        bool, option("--report/--no-report", None, "Write report.html at the end.")
    ] = True
    explain: Annotated[bool, option("--explain", None, "Say how and why, train nothing.")] = False
    json: Json = False
    quiet: Annotated[
        bool, typer.Option("--quiet", "-q", help="Print the final figures and errors only.")
    ] = False

    def settings(self) -> dict[str, str]:
        """Collect the settings of the recipe, from options of their own and from --set."""
        settings = settings_from(self.setting or [])
        for name in ("latents", "likelihood", "epochs", "minutes"):
            if (value := getattr(self, name)) is None:
                continue
            if name in settings:
                raise SettingError(
                    f"--{name} and --set {name}= say the same thing; give one of them"
                )
            settings[name] = str(value)
        if self.refit is not None:
            if "refit" in settings:
                raise SettingError("--refit and --set refit= say the same thing; give one of them")
            settings["refit"] = "auto" if self.refit else "none"
        if "epochs" in settings and "minutes" in settings:
            raise SettingError("--epochs and --minutes exclude each other; give one of them")
        return settings
