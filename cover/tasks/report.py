"""Make report.html of a results folder, without a model, the videos or a network."""

import logging
from pathlib import Path

from cover.config.options.results import ReportOptions
from cover.config.options.types import FitOption
from cover.errors import is_full_disk
from cover.reporting.progress import working
from cover.reporting.terminal import show, where
from cover.text import counted

log = logging.getLogger(__name__)


def report(options: ReportOptions) -> int:
    """Write ``report.html`` and ``moments.csv``, and say where.

    Raises:
        UsageError: There are no results.
    """
    _write(options.folder, options.fit)
    return 0


def end_with_report(folder: Path, fit: FitOption = "logistic4") -> None:
    """Write the report of a run that has ended, and say where; what goes wrong with it leaves the run as it is.

    Args:
        folder: The results folder.
        fit: The curve from overall score to MOS.
    """
    try:
        _write(folder, fit)
    except Exception as error:
        if is_full_disk(error):
            raise
        log.exception("the report could not be written; the results are there, and `cover report` tries again")


def _write(folder: Path, fit: FitOption) -> None:
    # pandas, which decoding need not wait for.
    from cover.results.streamed import read_results_of_any_size

    results = read_results_of_any_size(folder)
    what = "part" if results.in_parts else "video"
    with working(f"writing the report of {counted(len(results.numbers), what)}"):
        from cover.reporting.page.report import write_report

        page = write_report(results, fit)
    show(where("report", page))
