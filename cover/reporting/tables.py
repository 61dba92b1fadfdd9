"""Tables of results, as CSV."""

from pathlib import Path

import pandas as pd
from pandas.api.types import is_numeric_dtype

from cover.files import write_text
from cover.results.names import PREDICTED_MOS
from cover.text import as_cell


def write_predictions(path: Path, table: pd.DataFrame) -> None:
    """Write a table of predictions; predicted MOS is ``PredictedMOS`` there, since ``mos`` is what people said."""
    write_table(path, table.rename(columns=lambda name: str(name).replace("predicted_mos", PREDICTED_MOS)))


def write_table(path: Path, table: pd.DataFrame) -> None:
    """Write a table as CSV, six digits behind the point; no cell does harm (:func:`cover.text.as_cell`)."""
    safe = table.apply(lambda column: column if is_numeric_dtype(column) else column.map(_cell))
    text = safe.rename(columns=_cell).to_csv(index=False, float_format="%.6f", lineterminator="\n")
    write_text(path, text)


def _cell(value: object) -> object:
    return as_cell(value) if isinstance(value, str) else value
