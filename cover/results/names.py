"""Names of the files in a results folder, and headers of its tables: each is declared here and nowhere else."""

SCORES_TABLE = "scores.csv"
ERRORS = "errors.csv"
NOTES = "notes.csv"
FACTS_TABLE = "facts.csv"
VIDEOS = "videos.csv"
PREDICTIONS = "predictions.csv"
MISSING = "missing.csv"
RUN = "run.yaml"
JOURNAL = "journal.jsonl"
EVIDENCE = "evidence.jsonl"
MAPS = "maps"
METRICS = "metrics.json"
REPORT = "report.html"
REPORT_FILES = "report_files"
MOMENTS = "moments.csv"
SELECTED = "selected.csv"
COMPARISON = "comparison.csv"
COMPARISON_PAGE = "comparison.html"
COMPARISON_FILES = "comparison_files"
RANKING = "ranking.csv"
RANKING_PICTURE = "ranking.png"
PAIRS = "pairs.csv"
SCATTER = "scatter.png"
SPLIT_MEASURES = "splits.json"
RATINGS = "ratings.csv"
RATERS = "raters.csv"
AGREEMENT = "agreement.json"
RUNTIME = "runtime.json"
SUMMARY = "summary.csv"
SUMMARY_TEXT = "summary.md"

SPLIT = "split.csv"
CURVES = "curves.csv"
CURVES_PICTURE = "curves.png"
RUNGS_TABLE = "rungs.csv"
RUNGS_PICTURE = "rungs.png"
BEST = "best.ckpt"
LAST = "last.ckpt"
TRAINED = "trained.safetensors"

READ = (
    *(SCORES_TABLE, ERRORS, NOTES, FACTS_TABLE, VIDEOS, PREDICTIONS, MISSING, RUN, JOURNAL, EVIDENCE, MAPS, METRICS),
    *(RATINGS, RATERS, AGREEMENT, SPLIT, CURVES, "infer.log", "evaluate.log", "train.log"),
)
"""What commands read in a results folder, or append to: none of it may be a link or a pipe."""

FILENAME = "Filename"
PART = {"Start": "start", "End": "end"}
"""Columns of a part's bounds, and their names in the table of :mod:`cover.results.read`."""

SCORE_COLUMNS = {
    "Semantic": "semantic",
    "Technical": "technical",
    "Aesthetic": "aesthetic",
    "Overall": "overall",
    "PredictedMOS": "predicted_mos",
    "Percentile": "percentile",
}
"""Columns of ``scores.csv``; the last two are there where they are known."""

PREDICTED_MOS = "PredictedMOS"
MOS = "MOS"
"""What people said, in every file; before 0.7 the predicted MOS in ``scores.csv``."""

FACT_COLUMNS = {
    "Duration": "duration",
    "Width": "width",
    "Height": "height",
    "FPS": "fps",
    "Bitrate": "bitrate",
    "BitsPerPixel": "bits_per_pixel",
    "Codec": "codec",
    "Lossless": "lossless",
}
"""Columns of ``facts.csv`` on the file; the dataset's columns follow."""

FACTS = tuple(FACT_COLUMNS.values())
MOMENT_COLUMNS = (FILENAME, "Start", "End", "Branch", "Below", "Time", "Frame")
"""Columns of ``moments.csv``."""

VIDEO_SUM_COLUMNS = (FILENAME, "Parts", "Failed", "Seconds", "WorstStart", "WorstEnd")
"""First columns of ``videos.csv``."""

SPLIT_COLUMNS = (FILENAME, "split", "mos", "dataset")
"""Columns of ``split.csv``."""

REASON = "Reason"
NOTE = "Note"
TEXTS = frozenset({FILENAME, *PART, "Codec", "Lossless", NOTE, REASON})
"""Columns that are text whatever their cells look like."""

OF_A_RUN = (SCORES_TABLE, ERRORS, NOTES, FACTS_TABLE, VIDEOS, RUN, JOURNAL, MAPS, EVIDENCE)
OF_A_READER = (REPORT, REPORT_FILES, MOMENTS, SELECTED)
"""What ``report`` and ``select`` made of a run: it goes with the run."""
