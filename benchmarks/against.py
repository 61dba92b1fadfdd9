"""A model beside BRISQUE, NIQE, PIQE and the variance of the Laplacian, for each kind of distortion.

    python benchmarks/classic.py outputs/stills/ratings.csv classic.csv      # in an environment of its own, see there
    python -m benchmarks.against scores/predictions.csv classic.csv outputs/stills/ratings.csv

PREDICTIONS is what ``evaluate.py`` left of the same files (``predictions.csv``), RATINGS the table beside stills or
clips, or any with the columns ``path`` and ``mos``. Prints a table in Markdown: SROCC of every measure with the MOS
over all that were measured, and for each ``distortion``, together with the pristine ones; the highest is in bold.
"""

import argparse
from pathlib import Path

import pandas as pd

SCORES = ("overall", "technical")
PRISTINE = "pristine"


def table(predictions: Path, classic: Path, ratings: Path) -> pd.DataFrame:
    """SROCC of every measure, one line for each kind of distortion, and ``all``."""
    scores = pd.read_csv(predictions).set_index("Filename")[list(SCORES)]
    others = pd.read_csv(classic).set_index("path")
    rated = pd.read_csv(ratings).set_index("path")
    joined = rated.join(scores, how="inner").join(others, how="inner")
    measures = [*SCORES, *others.columns]
    joined = joined.dropna(subset=measures)  # every measure on the same files
    lines = {"all": joined}
    if "distortion" in joined:
        pristine = joined["distortion"] == PRISTINE
        for kind in sorted(set(joined["distortion"]) - {PRISTINE}):
            lines[kind] = joined[pristine | (joined["distortion"] == kind)]
    found = {
        kind: {"n": len(part), **{name: part[name].corr(part["mos"], method="spearman") for name in measures}}
        for kind, part in lines.items()
    }
    return pd.DataFrame(found).T


def main() -> None:
    """Prints the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    for name in ("predictions", "classic", "ratings"):
        parser.add_argument(name, type=Path)
    found = table(**vars(parser.parse_args()))
    measures = list(found.columns[1:])
    print(f"| distortion | n | {' | '.join(measures)} |")
    print("|---" * (len(measures) + 2) + "|")
    for kind, line in found.iterrows():
        best = line[measures].max()
        cells = [f"**{line[name]:.2f}**" if line[name] == best else f"{line[name]:.2f}" for name in measures]
        print(f"| {kind} | {line['n']:.0f} | {' | '.join(cells)} |")


if __name__ == "__main__":
    main()
