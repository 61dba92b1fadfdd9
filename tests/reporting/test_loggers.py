"""The default log of an evaluation is what Lightning's logger would write, without Lightning."""

from pathlib import Path
from typing import Any

import pandas as pd
from lightning.pytorch.loggers import CSVLogger

from cover.reporting.loggers import log_evaluation, write_csv_log

METRICS: dict[str, dict[str, Any]] = {
    "overall": {"n": 6, "srocc": 0.5, "plcc": None, "ci95": {}},
    "technical": {"n": 6, "srocc": -0.25, "ci95": {}},
}


def test_it_is_lightnings(tmp_path: Path) -> None:
    config = {"fit": "logistic", "resamples": 10}
    write_csv_log(tmp_path / "ours", config, METRICS)
    log_evaluation(CSVLogger(tmp_path, name=None, version="theirs"), config, METRICS, pd.DataFrame(), Path("x.png"))
    ours, theirs = (pd.read_csv(tmp_path / name / "metrics.csv") for name in ("ours", "theirs"))
    pd.testing.assert_frame_equal(ours, theirs, check_like=True)
    assert (tmp_path / "ours/hparams.yaml").read_text() == (tmp_path / "theirs/hparams.yaml").read_text()
