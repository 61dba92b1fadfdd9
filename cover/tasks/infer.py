"""Score videos with a model: the work of ``infer.py``."""

from pathlib import Path

from hydra.core.hydra_config import HydraConfig
from omegaconf import DictConfig
from rich.console import Console

from cover.report import summary
from cover.tasks.build import plain
from cover.tasks.cli import EXIT_OK, EXIT_SOME_FAILED
from cover.tasks.scoring import dataset_rows, is_main_process, score_rows


def infer(cfg: DictConfig) -> int:
    """Scores what ``cfg.data`` names and writes the results as they come.

    Args:
        cfg: ``configs/infer.yaml`` as composed.

    Returns:
        0 when every file has a score, 1 when some have none (``errors.csv`` says why).

    Raises:
        UsageError: Options, data or weights are wrong; nothing was scored.
    """
    options = plain(cfg)
    rows, root = dataset_rows(options["data"])
    folder = Path(HydraConfig.get().runtime.output_dir)
    store = score_rows(options, rows, root, folder)
    if not is_main_process():
        return EXIT_OK
    Console().print(summary(store.scores, store.errors, store.notes, folder))
    return EXIT_SOME_FAILED if store.errors else EXIT_OK
