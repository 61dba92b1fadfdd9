"""Make report.html of a results folder, without a model, the videos or a network."""

from pathlib import Path

from rich.console import Console

from cover.config.commands import ReportOptions
from cover.config.types import Fit
from cover.reporting.progress import working
from cover.results import read_results


def report(options: ReportOptions) -> int:
    """Write ``report.html`` and ``moments.csv``, and say where.

    Raises:
        UsageError: There are no results.
    """
    write_and_say(options.folder, options.fit)
    return 0


def write_and_say(folder: Path, fit: Fit = "logistic4") -> None:
    """Write the report of a results folder, and say where.

    Args:
        folder: The results folder.
        fit: The curve from overall score to MOS.
    """
    results = read_results(folder)
    with working(f"writing the report of {len(results.table)} videos"):
        from cover.reporting.report import write_report

        page = write_report(results, fit)
    Console().print(f"report: {page}", highlight=False, markup=False)
