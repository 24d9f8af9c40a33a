"""Tables of README.md and docs, written from results/*.json: python benchmarks/table.py

They stand between comments such as `<!-- speed -->` and `<!-- /speed -->`; a test holds them equal.
"""

import json
from pathlib import Path
from typing import Any

import results

ROOT = Path(__file__).parents[1]
CASES = {
    "mlp": "MLP 784-400-400-20, batch 128",
    "defaults": "the same with clipping and averaged weights, our defaults",
    "convolutional-28": "convolutional pair, 28x28",
    "convolutional-64": "convolutional pair, 64x64 colour",
    "table": "14 columns, MLP 128-128, batch 256, an epoch",
    "compiled": "MLP 784-200-200-50, batch 20, compiled, an epoch",
    "iwae-50": "IWAE with 50 draws, MLP 784-400-400-20",
    "large": "MLP 784-2048-2048-2048-64, batch 512",
}
SIDES = {
    "eager": "the same, not compiled",
    "torch": "plain PyTorch",
    "pythae": "pythae 0.1.2",
    "ctgan": "CTGAN's TVAE",
    "pyod": "PyOD's VAE",
}


def main() -> None:
    for (place, word), table in TABLES.items():
        before, _, after = parts(place, word)
        path = ROOT / place
        path.write_text(f"{before}<!-- {word} -->\n{table()}<!-- /{word} -->{after}", "utf-8")


def parts(place: str, word: str) -> tuple[str, str, str]:
    """The text of a page before a table, the table, and the text after it."""
    text = (ROOT / place).read_text(encoding="utf-8")
    before, begin, rest = text.partition(f"<!-- {word} -->\n")
    stands, end, after = rest.partition(f"<!-- /{word} -->")
    if not (begin and end):
        raise SystemExit(f"{place} has no place for the table '{word}'")
    return before, stands, after


def speed() -> str:
    """All tables of speed, as Markdown."""
    return "\n".join([training(), uses(), quality(), device()])


def load(name: str) -> dict[str, Any] | None:
    """A file of results, or None."""
    path = results.DIRECTORY / f"{name}.json"
    return json.loads(path.read_text()) if path.exists() else None


def training() -> str:
    """Who trains how fast, and to which bound."""
    found = load("speed") or {"cases": {}}
    lines = [
        "| training | against | times faster in float32 | as `fit` chooses | "
        "held-out bound: float32, as chosen if other, theirs |",
        "|---|---|---|---|---|",
    ]
    for name, words in CASES.items():
        sides = found["cases"].get(name, {"sides": {}})["sides"]
        chosen = sides.get("lowerbound", {})
        strict = sides.get("strict", chosen)
        for side, title in SIDES.items():
            entry = sides.get(side)
            if entry is None:
                continue
            bounds = "another objective"
            if "held_out_bound" in entry:
                three = (strict, chosen, entry) if strict is not chosen else (strict, entry)
                bounds = ", ".join(f"{part['held_out_bound']:.1f}" for part in three)
            freely = entry["times_faster"]
            exact = entry.get("times_faster_in_float32", freely)
            also = f"{freely:.2f}, {chosen['precision']}" if strict is not chosen else "the same"
            if chosen["precision"] != "float32" and strict is chosen:
                raise SystemExit(f"{name}: not in float32; measure its strict side, too")
            lines.append(f"| {words} | {title} | {exact:.2f} | {also} | {bounds} |")
        if "products" in sides:
            shares = sides["products"]["ours_as_fraction"]
            exact, *more = (f"{share['median']:.0%} of it" for share in shares.values())
            lines.append(
                f"| {words} | the rate of a matrix product of the same precision, measured beside "
                f"it | {exact} | {more[0] if more else ''} | |"
            )
    text = "\n".join(lines) + "\n"
    eager = found["cases"].get("compiled", {"sides": {}})["sides"].get("eager")
    if eager is not None:
        after = eager["repaid_after_updates"]
        repaid = "not repaid" if after is None else f"repaid after some {after:,.0f} updates"
        text += (
            f"\nCompiling takes {eager['seconds_to_compile']:.0f} s and saves "
            f"{eager['milliseconds_saved_an_update']:.1f} ms an update here: {repaid}.\n"
        )
    return text


def uses() -> str:
    """Encoding and generating."""
    found = (load("speed") or {"cases": {}})["cases"].get("uses")
    if found is None:
        return ""
    lines = ["| 10,000 images | against | times faster |", "|---|---|---|"]
    lines += [
        f"| {use} | pythae 0.1.2 | {entry['times_faster']:.2f} |"
        for use, entry in found["uses"].items()
    ]
    return "\n".join(lines) + "\n"


def quality() -> str:
    """How much sooner the bound is theirs."""
    found = load("time_to_quality")
    if found is None:
        return ""
    lines = [
        "| data | pythae's default training, seconds and bound | ours, seconds to that bound | "
        "times sooner |",
        "|---|---|---|---|",
    ]
    for entry in found["sets"].values():
        theirs, ours = entry["theirs"], entry["ours"]["defaults"]
        seconds = f"{ours['seconds']:.0f}" if "seconds" in ours else "not reached"
        sooner = f"{ours['times_sooner']:.1f}" if "seconds" in ours else ""
        lines.append(
            f"| {entry['data']}, {entry['rows']:,} rows | {theirs['seconds']:.0f}, "
            f"{theirs['held_out_bound']:.1f} | {seconds} | {sooner} |"
        )
    file = "[time_to_quality.json](benchmarks/results/time_to_quality.json)"
    lines += ["", f"The same networks on both sides, each from its own first weights ({file})."]
    return "\n".join(lines) + "\n"


def starts() -> str:
    """What each step of a better start buys."""
    found = load("starts")
    if found is None:
        return ""
    sets = found["sets"]
    names = next(iter(sets.values()))["elbo"]
    lines = [f"| data, training examples | {' | '.join(names)} |", "|---|" + "---|" * len(names)]
    for name, entry in sets.items():
        digits = 1 if abs(min(entry["elbo"].values())) > 1000 else 2
        values = " | ".join(f"{value:.{digits}f}" for value in entry["elbo"].values())
        lines.append(f"| {name}, {entry['training_examples']:,} | {values} |")
    return "\n".join(lines) + "\n"


def device() -> str:
    """What a GPU makes of it."""
    if load("gpu") is None:
        return "On a GPU: not run; `PYTHONPATH=src python3 benchmarks/gpu.py` does it.\n"
    return "On a GPU: `benchmarks/results/gpu.json`.\n"


#: Where each table stands, and under which word.
def laws() -> str:
    """What one other choice costs on larger images."""
    found = load("networks")
    lines = [
        "| pictures, minutes of a core | changed | epochs | bits a cell |",
        "|---|---|---|---|",
    ]
    for name, entry in (found or {"larger": {}})["larger"].items():
        for row in entry["rows"]:
            words = ", ".join(f"{key}={value}" for key, value in row["changed"].items())
            shown = f"{row['bits']:.3f} ± {row['standard_error']:.3f}"
            minutes = f"{name}, {entry['minutes_of_a_core']:g}"
            lines.append(f"| {minutes} | {words or 'nothing'} | {row['epochs']} | {shown} |")
    return "\n".join(lines) + "\n"


def photographs() -> str:
    """Bits a cell of held-out pictures, beside those of their files."""
    lines = [
        "| pictures | learned from | minutes of a core | bound, bits a cell | PNG | WebP |",
        "|---|---|---|---|---|---|",
    ]
    for name, row in (load("photographs") or {"sets": {}})["sets"].items():
        lines.append(
            f"| {name}, {row['pictures'].removeprefix('8-bit images ')} | {row['counts']['train']} "
            f"| {row['processor_seconds'] / 60:.1f} | {row['bits']:.2f} "
            f"| {row['bits_png']:.2f} | {row['bits_webp']:.2f} |"
        )
    return "\n".join(lines) + "\n"


TABLES = {
    ("README.md", "speed"): speed,
    ("docs/mathematics/training.md", "starts"): starts,
    ("docs/tutorials/photographs.md", "laws"): laws,
    ("docs/tutorials/photographs.md", "photographs"): photographs,
}

if __name__ == "__main__":
    main()
