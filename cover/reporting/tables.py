"""Tables of results, as CSV."""

from pathlib import Path

import pandas as pd

from cover.files import write_text


def write_table(path: Path, table: pd.DataFrame) -> None:
    """Write a table as CSV, six digits behind the point."""
    write_text(path, table.to_csv(index=False, float_format="%.6f", lineterminator="\n"))
