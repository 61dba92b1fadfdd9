"""Tables of results, as CSV."""

from pathlib import Path

import pandas as pd

from cover.files import write_text
from cover.results.names import PREDICTED_MOS


def write_predictions(path: Path, table: pd.DataFrame) -> None:
    """Write a table of predictions; predicted MOS is ``PredictedMOS`` there, since ``mos`` is what people said."""
    write_table(path, table.rename(columns=lambda name: str(name).replace("predicted_mos", PREDICTED_MOS)))


def write_table(path: Path, table: pd.DataFrame) -> None:
    """Write a table as CSV, six digits behind the point."""
    write_text(path, table.to_csv(index=False, float_format="%.6f", lineterminator="\n"))
