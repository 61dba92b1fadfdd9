"""Order and depth of a model's scores for each kind of synthetic distortion.

    python -m benchmarks.synthetic PREDICTIONS RATINGS

PREDICTIONS is the ``predictions.csv`` that ``evaluate.py data=synthetic`` leaves, RATINGS the ``ratings.csv`` beside
the clips. Prints a table in Markdown: for each kind, how often the overall scores of two neighbouring levels of it, and
of the first and no distortion, are in the right order; and how far each branch's score falls from that of the pristine
clip, in standard deviations of that score over all clips, on average over contents and levels.
"""

import argparse
import itertools
from pathlib import Path

import pandas as pd
from cover.datasets.generated.clips import PRISTINE
from cover.datasets.generated.pseudo_mos import LEVELS

from cover.scores import BRANCHES


def joined(predictions: Path, ratings: Path) -> pd.DataFrame:
    """Scores and what was done to each clip, one line a clip, by its name."""
    done = pd.read_csv(ratings).set_index("path")[["content", "reference", "distortion", "level"]]
    return pd.read_csv(predictions).set_index("Filename").join(done, how="inner").dropna(subset=["overall"])


def orders(table: pd.DataFrame) -> pd.DataFrame:
    """For each distortion: pairs of neighbouring levels of one clip, and the share of them that is in the right order.

    ``pristine`` is the share of clips whose first level is below the pristine one.
    """
    lines = []
    for kind, clips in table[table["distortion"] != PRISTINE].groupby("distortion"):
        levels = clips.pivot_table(index="reference", columns="level", values="overall").reindex(columns=LEVELS)
        pairs = [
            (levels[better] > levels[worse])[levels[[better, worse]].notna().all(axis=1)]
            for better, worse in itertools.pairwise(LEVELS)
        ]
        right = pd.concat(pairs)
        first = levels[1].dropna()
        above = table["overall"].reindex(first.index).to_numpy() > first.to_numpy()
        lines.append({"distortion": kind, "pairs": len(right), "right": right.mean(), "pristine": above.mean()})
    return pd.DataFrame(lines).set_index("distortion")


def falls(table: pd.DataFrame) -> pd.DataFrame:
    """For each distortion and branch, how far the score falls from the pristine clip's, in standard deviations."""
    scores = table[list(BRANCHES)]
    pristine = scores.reindex(table["reference"]).set_axis(table.index)
    fallen = (pristine - scores) / scores.std()
    return fallen.groupby(table["distortion"]).mean().drop(PRISTINE)


def main() -> None:
    """Prints the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("predictions", type=Path)
    parser.add_argument("ratings", type=Path)
    table = joined(**vars(parser.parse_args()))
    ordered, fallen = orders(table), falls(table)
    print(f"{len(table)} clips of {table['content'].nunique()} contents\n")
    print("| distortion | pairs | right order | first level below pristine | semantic | technical | aesthetic |")
    print("|---|---|---|---|---|---|---|")
    for kind, line in zip(map(str, ordered.index), ordered.to_dict("records"), strict=True):
        cells = [
            f"**{value:.2f}**" if value == fallen.loc[kind].max() else f"{value:.2f}" for value in fallen.loc[kind]
        ]
        print(f"| {kind} | {line['pairs']:.0f} | {line['right']:.0%} | {line['pristine']:.0%} | {' | '.join(cells)} |")


if __name__ == "__main__":
    main()
