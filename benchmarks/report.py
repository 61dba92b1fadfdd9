"""Size and load time of report.html for many videos, in headless Chromium.

    python -m benchmarks.report
    python -m benchmarks.report --counts 100 3000 --moments 20

Makes results folders of synthetic scores, maps and pictures, writes their reports, and opens each from disk several
times. Load time is from navigation until the table, charts and filters work. Prints the median of the repeats.
"""

import argparse
import shutil
import tempfile
import time
from pathlib import Path
from statistics import median

from playwright.sync_api import Page, sync_playwright

from cover.reporting.page.report import write_report
from cover.results.names import REPORT_FILES
from cover.results.read import read_folder
from tests.helpers.results import make_results


def main() -> None:
    """Prints a line for each number of videos."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--counts", type=int, nargs="+", default=[100, 1_000, 10_000])
    parser.add_argument("--moments", type=int, default=3, help="of each video: 3 of cover_lite, 20 of cover")
    parser.add_argument("--repeats", type=int, default=3)
    options = parser.parse_args()
    print(f"{'videos':>8} {'made in s':>10} {'page MB':>8} {'beside it MB':>13} {'opens in s':>11}")
    with sync_playwright() as playwright, tempfile.TemporaryDirectory() as name:
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=["--no-sandbox"])
        for count in options.counts:
            folder = make_results(Path(name) / str(count), count, moments=options.moments)
            start = time.perf_counter()
            page = write_report(read_folder(folder))
            made = time.perf_counter() - start
            beside = sum(file.stat().st_size for file in (folder / REPORT_FILES).glob("*"))
            opened = median(load_time(browser.new_page(), page) for _ in range(options.repeats))
            print(
                f"{count:8,} {made:10.1f} {page.stat().st_size / 1e6:8.2f} {beside / 1e6:13.1f} {opened:11.2f}",
                flush=True,
            )
        browser.close()


def load_time(page: Page, file: Path) -> float:
    """Seconds until a report works."""
    start = time.perf_counter()
    page.goto(file.as_uri())
    page.wait_for_selector("html[data-ready]")
    elapsed = time.perf_counter() - start
    page.close()
    return elapsed


if __name__ == "__main__":
    main()
