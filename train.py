"""Fine-tune on mean opinion scores: python train.py data=table data.path=ratings.csv (python train.py --help)."""

from cover.cli import run

if __name__ == "__main__":
    run("train")
