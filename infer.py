"""Score videos without a reference: python infer.py data=mydir (python infer.py --help)."""

from cover.cli import run

if __name__ == "__main__":
    run("infer")
