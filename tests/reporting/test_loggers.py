"""The default log of an evaluation is what Lightning's logger would write, without Lightning."""

from pathlib import Path
from typing import Any

import pandas as pd

from cover.config.build.trainer import build_logger, evaluation_log
from cover.reporting.loggers import log_evaluation

METRICS: dict[str, dict[str, Any]] = {
    "overall": {"n": 6, "srocc": 0.5, "plcc": None, "ci95": {}},
    "technical": {"n": 6, "srocc": -0.25, "ci95": {}},
}


def test_it_is_lightnings(tmp_path: Path) -> None:
    config = {"fit": "logistic", "resamples": 10}
    node = {"_target_": "lightning.pytorch.loggers.CSVLogger", "name": None, "version": "ours"}
    evaluation_log(node, config, tmp_path)(METRICS, pd.DataFrame(), Path("x.png"))
    theirs = build_logger({**node, "version": "theirs"}, config, tmp_path)
    log_evaluation(theirs, METRICS, pd.DataFrame(), Path("x.png"))
    tables = [pd.read_csv(tmp_path / name / "metrics.csv") for name in ("ours", "theirs")]
    pd.testing.assert_frame_equal(*tables, check_like=True)
    assert (tmp_path / "ours/hparams.yaml").read_text() == (tmp_path / "theirs/hparams.yaml").read_text()
