"""The options of `lowerbound reproduce`."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer

from lowerbound.cli.common import Device, Json, option, out_option, settings_from
from lowerbound.errors import SettingError


@dataclass(frozen=True)
class ReproduceOptions:
    """Options of `lowerbound reproduce`, as they were typed."""

    name: Annotated[
        str | None, typer.Argument(metavar="NAME", help="Which figure; see --list.")
    ] = None
    list_all: Annotated[
        bool, option("--list", None, "Every figure: source, protocol, cost, state.")
    ] = False
    epochs: Annotated[int | None, option("--epochs", "N", "A smaller budget.")] = None
    minutes: Annotated[float | None, option("--minutes", "M", "Likewise, by the clock.")] = None
    full: Annotated[bool, option("--full", None, "The whole published budget.")] = False
    pause_after: Annotated[
        float | None,
        option("--pause-after", "M", "With --full: stop after so many minutes, evaluate."),
    ] = None
    seeds: Annotated[str, option("--seeds", "N,N,...", "One training each.")] = "0"
    setting: Annotated[
        list[str] | None, option("--set", "KEY=VALUE", "Another setting; may be repeated.")
    ] = None
    data: Annotated[
        Path | None, option("--data", "PATH", "Where the data is, if it has to be said.")
    ] = None
    test_images: Annotated[
        int | None, option("--test-images", "N", "Give all draws to so many test images only.")
    ] = None
    out: Annotated[Path | None, out_option("Of the runs; runs/reproduce/NAME.")] = None
    results: Annotated[
        Path | None,
        option("--results", "FOLDER", "Of the figures; in a checkout benchmarks/results."),
    ] = None
    resume: Annotated[bool, option("--resume", None, "Go on with what was interrupted.")] = False
    force: Annotated[bool, option("--force", None, "Replace old runs at --out.")] = False
    device: Device = "auto"
    json: Json = False
    quiet: Annotated[
        bool, typer.Option("--quiet", "-q", help="Print the final figures and errors only.")
    ] = False

    def each_seed(self) -> tuple[int, ...]:
        """Read the seeds: whole numbers, none of them twice."""
        text = self.seeds
        parts = [part.strip() for part in text.split(",") if part.strip()]
        if not parts or not all(part.isdecimal() and len(part) < 19 for part in parts):
            raise SettingError(f"--seeds takes whole numbers with commas between, got {text!r}")
        seeds = tuple(int(part) for part in parts)
        if len(set(seeds)) < len(seeds):
            raise SettingError(f"--seeds names a seed twice: {text!r}")
        return seeds

    def settings(self) -> dict[str, str]:
        """Read the settings that are not the row's own."""
        return settings_from(self.setting or [])
