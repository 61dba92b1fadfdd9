"""Compare two runs, video by video: is B better than A?"""

from pathlib import Path

from cover.config.naming import marked
from cover.config.options.results import CompareOptions
from cover.errors import UsageError
from cover.reporting.progress import working
from cover.reporting.terminal import show
from cover.results.read import Results, read_folder
from cover.tasks.gate import NOT_MET
from cover.tasks.select import warn_of_meaningless
from cover.text import visible


def compare(options: CompareOptions) -> int:
    """Compare two results folders, and write and show the outcome.

    Returns:
        0, or 3 when the mean change of overall is significantly below ``fail_below``.

    Raises:
        UsageError: A folder has no results, or no video is in both.
    """
    a, b = read_folder(options.a), read_folder(options.b)
    warn_of_meaningless(b)
    output = options.output or _folder(options.a.resolve(), options.b.resolve())
    with working("comparing"):
        from cover.reporting.page.comparison import show_runs, write_run_comparison
        from cover.results.pairs import FEWEST_PAIRS, compare_results

        compared = compare_results(a, b, options.resamples)
        if compared.pairs.empty:
            alike = " (parts pair where videos are cut alike)" if a.in_parts or b.in_parts else ""
            names = f"their names are such as {_example(a)} and {_example(b)}{alike}"
            raise UsageError(f"{options.b}: has no video of {options.a}; {names}")
        page = write_run_comparison(output, compared)
    show_runs(compared, page)
    if options.fail_below is None:
        return 0
    pairs = compared.overall.n
    if pairs < FEWEST_PAIRS:
        said = f"fail_below={options.fail_below:g}: not tested ({pairs} pairs, {FEWEST_PAIRS} are needed): exit code 0"
        show(said)
        return 0
    return NOT_MET if compared.overall.below(options.fail_below) else 0


def _folder(a: Path, b: Path) -> Path:
    """The default folder of a comparison; runs outside ``outputs/`` have a short hash of where they are in its name."""
    folder = Path("outputs/compare", f"{a.name}-{b.name}")
    return folder if {a.parent, b.parent} == {Path("outputs").resolve()} else Path(marked(folder, f"{a}|{b}"))


def _example(results: Results) -> str:
    return visible(str(results.table.index[0])) if len(results.table) else "none"
