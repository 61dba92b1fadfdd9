"""Score videos without a reference: python infer.py data=mydir (python infer.py --help)."""

import sys
from pathlib import Path

# Python leaves a script's own folder out with -I, -P and PYTHONSAFEPATH.
sys.path.insert(0, str(Path(__file__).resolve().parent))

from cover.cli import run

if __name__ == "__main__":
    run("infer")
