"""Score videos with a model: the work of ``infer``."""

from pathlib import Path
from typing import Any

from cover.config.build.datasets import dataset_rows
from cover.config.compose import checked
from cover.config.options.scoring import InferOptions
from cover.config.resolvers import names_table
from cover.evaluation.tables.rated import check_some_exist
from cover.files import write_bytes
from cover.ranks import is_main_process
from cover.reporting.console import summary
from cover.reporting.terminal import show
from cover.results.names import SCORES_TABLE
from cover.tasks.report import end_with_report
from cover.tasks.scoring import score_dataset


def infer(config: dict[str, Any], folder: Path) -> bool:
    """Score what ``data`` names and write the results as they come.

    Args:
        config: ``configs/infer.yaml`` as composed.
        folder: The results folder.

    Returns:
        Whether every video has a score; ``errors.csv`` says why others have none.

    Raises:
        UsageError: Options, data or weights are wrong; nothing was scored.
    """
    options = checked(config, InferOptions)
    listing = dataset_rows(options.data)
    check_some_exist(listing.rows)
    store = score_dataset(options, config, listing.rows, listing.root, folder)
    if is_main_process():
        table = options.output if names_table(options.output) else None
        if table is not None:
            write_bytes(table, (folder / SCORES_TABLE).read_bytes())
        remarks = [*listing.remarks, *([store.reference.meaning()] if store.reference else [])]
        show(summary(store.overview(), folder, table, remarks))
        if options.report:
            end_with_report(folder)
    return not store.errors
