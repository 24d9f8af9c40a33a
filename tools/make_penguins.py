"""Make penguins.csv out of the raw file of palmerpenguins: its usual columns, and four more.

    python tools/make_penguins.py penguins-raw.csv

The raw file is that of the palmerpenguins packages for R (0.1.1) and Python (0.1.6). Values are
unchanged but for shorter species and lower-case words; gaps are empty.
"""

import csv
import sys
from pathlib import Path

TARGET = Path(__file__).parent.parent / "src/lowerbound/data/embedded/penguins.csv"
COLUMNS = {
    "species": "Species", "island": "Island", "bill_length_mm": "Culmen Length (mm)",
    "bill_depth_mm": "Culmen Depth (mm)", "flipper_length_mm": "Flipper Length (mm)",
    "body_mass_g": "Body Mass (g)", "sex": "Sex", "date_egg": "Date Egg",
    "clutch_completion": "Clutch Completion", "delta_15_n": "Delta 15 N (o/oo)",
    "delta_13_c": "Delta 13 C (o/oo)",
}  # fmt: skip


def cell(name: str, value: str) -> str:
    if value == "NA":
        return ""
    if name == "species":
        return value.split()[0]
    return value.lower() if name in ("sex", "clutch_completion") else value


def main() -> None:
    with open(sys.argv[1], encoding="utf-8", newline="") as file:
        source = csv.DictReader(file)
        rows = [[cell(name, row[raw]) for name, raw in COLUMNS.items()] for row in source]
    with TARGET.open("w", encoding="utf-8", newline="") as file:
        csv.writer(file, lineterminator="\n").writerows([list(COLUMNS), *rows])
    print(f"{TARGET}: {len(rows)} rows, {TARGET.stat().st_size:,} bytes")


if __name__ == "__main__":
    main()
