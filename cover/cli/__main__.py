"""``python -m cover.cli infer data=mydir``: the command where it is not on the PATH."""

from cover.cli import main

if __name__ == "__main__":
    main()
