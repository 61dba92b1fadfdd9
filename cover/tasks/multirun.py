"""One table for all jobs of a multirun of ``evaluate.py``."""

import json
import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from hydra.core.utils import JobReturn
from hydra.experimental.callback import Callback
from omegaconf import DictConfig, OmegaConf

from cover.files import write_text
from cover.results.names import METRICS, SUMMARY, SUMMARY_TEXT
from cover.results.record import read_run_record

log = logging.getLogger(__name__)


class MultirunSummary(Callback):
    """Write ``summary.csv`` and ``summary.md`` to the multirun's folder: a line a job and score."""

    def __init__(self) -> None:
        self._options: dict[str, list[str]] = {}

    def on_job_end(self, config: DictConfig, job_return: JobReturn, **kwargs: Any) -> None:
        """Keep the options of a job."""
        if not OmegaConf.is_missing(config.hydra.job, "num"):  # as in a single run
            self._options[str(config.hydra.job.num)] = list(job_return.overrides or ())

    def on_multirun_end(self, config: DictConfig, **kwargs: Any) -> None:
        """Gather the ``metrics.json`` of every job that has one."""
        folder = Path(config.hydra.sweep.dir)
        lines = []
        common = set.intersection(*map(set, self._options.values())) if self._options else set()
        for path in sorted(folder.glob(f"*/{METRICS}"), key=lambda path: (len(path.parent.name), path.parent.name)):
            record = read_run_record(path.parent)
            if record is None:
                continue
            options = self._options.get(path.parent.name, [])
            for score, figures in json.loads(path.read_text(encoding="utf-8")).items():
                if not isinstance(figures, dict):
                    continue
                lines.append(
                    {
                        "job": path.parent.name,
                        "options": " ".join(option for option in options if option not in common),
                        "data": record.data,
                        "model": record.model,
                        "score": score,
                        **_flat(figures),
                    }
                )
        if not lines:
            return
        import pandas as pd  # not above: Hydra imports this module before every command

        from cover.reporting.console import jobs_table
        from cover.reporting.terminal import show

        table = pd.DataFrame(lines)
        write_text(folder / SUMMARY, table.to_csv(index=False, float_format="%.4f", lineterminator="\n"))
        show(jobs_table(lines))
        cells = [table.columns.tolist(), ["---"] * len(table.columns), *table.map(_cell).to_numpy().tolist()]
        write_text(folder / SUMMARY_TEXT, "".join(f"| {' | '.join(row)} |\n" for row in cells))
        log.info("all jobs in one table: %s and summary.md beside it", folder / SUMMARY)


def _flat(figures: Mapping[str, Any]) -> dict[str, Any]:
    """The figures of a score in one line: measures with the ends of their intervals, those of P.1401 behind them."""
    ends = figures.get("ci95") or {}
    line: dict[str, Any] = {}
    for name, value in figures.items():
        if name == "p1401" and isinstance(value, dict):
            line |= {f"p1401_{key}": figure for key, figure in value.items() if isinstance(figure, (int, float, str))}
        elif name == "undefined":
            line[name] = "; ".join(map(str, value))
        elif not isinstance(value, (dict, list)):
            line[name] = value
            if isinstance(ends.get(name), list):
                line |= dict(zip((f"{name}_low", f"{name}_high"), ends[name], strict=True))
    return line


def _cell(value: object) -> str:
    return f"{value:.4f}" if isinstance(value, float) else str(value)
