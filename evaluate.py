"""Measure scores against mean opinion scores: python evaluate.py data=konvid_1k data.root=DIR (--help)."""

from cover.cli import run

if __name__ == "__main__":
    run("evaluate")
