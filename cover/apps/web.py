"""The web app's page: uploads in, scores, timeline, map and report out."""

import os
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

# Before Gradio is imported: it reads them once.
os.environ["GRADIO_ANALYTICS_ENABLED"] = "False"
os.environ.setdefault("HF_HUB_DISABLE_TELEMETRY", "1")

import gradio as gr
import pandas as pd
from starlette.middleware import Middleware

from cover.apps.guard import Guard
from cover.apps.session import as_code, frame_with_map, in_words, read_scored, score_files
from cover.errors import CoverError
from cover.results.names import FILENAME, REPORT, SCORES_TABLE
from cover.scores import SCORES
from cover.text import visible

# Seconds that uploads and results stay: to Gradio files of equal content are one upload, whoever sends them.
_KEPT = 3600
_LOOKED_FOR = 300  # how often it looks for what is older, s
_MOST = 50  # files of a request
_WAITING = 20  # requests that may wait
_UPLOADS = "uploads"  # in the folder of the app
_COLOURS = {"overall": "#57606a", "semantic": "#c2569a", "technical": "#2f7ed8", "aesthetic": "#c98a00"}
_CSS = "footer { display: none !important }"


@dataclass(frozen=True)
class Settings:
    """Settings of the app.

    Attributes:
        model: The model chosen at first.
        device: The device chosen at first.
        timeout: Seconds a video may take to decode.
        demo: Clips to try it with.
        folder: Where uploads and results are kept for an hour; whoever makes it removes it.
    """

    folder: Path
    model: str = "cover_lite"
    device: str = "auto"
    timeout: float = 60
    demo: Sequence[Path] = ()


def build(settings: Settings) -> gr.Blocks:
    """Make the app; :func:`launch_options` says how it is to be launched."""
    # Gradio looks there as components are made, and again as it is launched.
    os.environ["GRADIO_TEMP_DIR"] = str(settings.folder / _UPLOADS)
    with gr.Blocks(title="Video quality", analytics_enabled=False, delete_cache=(_LOOKED_FOR, _KEPT)) as app:
        gr.Markdown("# Video quality\nSemantic, technical and aesthetic scores without a reference. Higher is better.")
        with gr.Row():
            model = gr.Dropdown(["cover_lite", "cover"], value=settings.model, label="Model")
            device = gr.Dropdown(["auto", "cpu", "gpu"], value=settings.device, label="Device")
            many = gr.Checkbox(label="Look at 24 moments (slower; finds weak stretches)")
        with gr.Tab("Score"):
            _score_tab(settings, model, device, many)
        with gr.Tab("Compare two versions"):
            _compare_tab(settings, model, device, many)
    app.queue(default_concurrency_limit=1, max_size=_WAITING)
    return app


def launch_options(
    settings: Settings, upload_mb: int, uploads_mb: int = 2000, hosts: Sequence[str] = ()
) -> dict[str, Any]:
    """Give the arguments of Gradio's ``launch`` that keep the app private, local in its looks, and bounded.

    Args:
        settings: Those of the app.
        upload_mb: Largest upload, MB.
        uploads_mb: Largest sum of all uploads that are kept, MB.
        hosts: Names that the app may be reached by, beside those of this machine; ``*`` for all.
    """
    font = ["system-ui", "sans-serif"]  # Gradio's own would be fetched from a server
    return {
        "share": False,
        "max_file_size": f"{upload_mb}mb",
        "theme": gr.themes.Default(font=font, font_mono=["ui-monospace", "monospace"]),
        "css": _CSS,
        "ssr_mode": False,
        "enable_monitoring": False,
        "app_kwargs": {
            "middleware": [
                Middleware(Guard, hosts=hosts, uploads=settings.folder / _UPLOADS, most=uploads_mb * 1_000_000)
            ]
        },
        "show_error": True,
    }


def _score_tab(settings: Settings, model: gr.Dropdown, device: gr.Dropdown, many: gr.Checkbox) -> None:
    files = gr.File(file_count="multiple", label="Videos and images", elem_id="files")
    with gr.Row():
        button = gr.Button("Score", variant="primary", elem_id="score")
        demo = gr.Button("Try the demo clips", elem_id="demo", visible=bool(settings.demo))
    folder = gr.State(None, time_to_live=_KEPT, delete_callback=_remove)
    table = gr.Dataframe(label="Scores", interactive=False, elem_id="scores")
    failed = gr.Markdown(elem_id="failed")
    with gr.Row():
        csv = gr.File(label="CSV", elem_id="csv")
        report = gr.File(label="Report", elem_id="report")
    chosen = gr.Dropdown([], label="Video", elem_id="video", interactive=True)
    words, picture, branch, moment, line = _panel()

    def scored(
        uploads: list[str] | None,
        model: str,
        device: str,
        many: bool,
        before: str | None,
        progress: gr.Progress = gr.Progress(),
    ) -> Any:
        return _score(settings, uploads, model, device, many, before, progress)

    def tried(model: str, device: str, many: bool, before: str | None, progress: gr.Progress = gr.Progress()) -> Any:
        return _score(settings, [str(path) for path in settings.demo], model, device, many, before, progress)

    panel, opened = [folder, chosen, branch], [words, line, moment, picture]
    shown = [folder, table, failed, csv, report, chosen]
    # One at a time, over all of them: a model and its decoders fill a machine.
    queued: dict[str, Any] = {"concurrency_id": "scoring", "concurrency_limit": 1}
    chosen_files = button.click(scored, [files, model, device, many, folder], shown, api_name="score", **queued)
    demo_clips = demo.click(tried, [model, device, many, folder], shown, api_name="demo", **queued)
    for event in (chosen_files, demo_clips):
        event.then(_opened, panel, opened, api_visibility="private")
    chosen.input(_opened, panel, opened, api_visibility="private")
    gr.on(
        [moment.change, branch.change],
        _frame,
        [*panel, moment],
        picture,
        api_visibility="private",
        show_progress="hidden",
    )


def _panel() -> "tuple[gr.Markdown, gr.Image, gr.Radio, gr.Slider, gr.LinePlot]":
    """One video: its reading, a frame with a map, and its scores over time."""
    words = gr.Markdown(elem_id="words")
    with gr.Row():
        with gr.Column():
            picture = gr.Image(label="Frame and map", interactive=False, elem_id="picture", buttons=[])
            branch = gr.Radio(["technical", "aesthetic", "no map"], value="technical", label="Map")
            moment = gr.Slider(1, 2, step=1, value=1, label="Moment", elem_id="moment")
        line = gr.LinePlot(
            x="seconds",
            y="value",
            color="score",
            color_map=_COLOURS,
            label="Quality over time",
            elem_id="timeline",
            buttons=[],
        )
    return words, picture, branch, moment, line


def _compare_tab(settings: Settings, model: gr.Dropdown, device: gr.Dropdown, many: gr.Checkbox) -> None:
    with gr.Row():
        a = gr.File(label="Version A", elem_id="file-a")
        b = gr.File(label="Version B", elem_id="file-b")
    button = gr.Button("Compare", variant="primary", elem_id="compare")
    words = gr.Markdown(elem_id="difference")
    table = gr.Dataframe(label="Scores", interactive=False)
    with gr.Row():
        left = gr.Image(label="A, worst moment", interactive=False, buttons=[])
        right = gr.Image(label="B, worst moment", interactive=False, buttons=[])

    def compared(
        first: str | None,
        second: str | None,
        model: str,
        device: str,
        many: bool,
        progress: gr.Progress = gr.Progress(),
    ) -> Any:
        if not first or not second:
            gr.Warning("Choose two versions of a video.")
            return gr.skip(), gr.skip(), gr.skip(), gr.skip()
        return _compare(settings, [first, second], model, device, many, progress)

    button.click(
        compared,
        [a, b, model, device, many],
        [words, table, left, right],
        api_name="compare",
        concurrency_id="scoring",
        concurrency_limit=1,
    )


def _score(
    settings: Settings,
    uploads: Sequence[str] | None,
    model: str,
    device: str,
    many: bool,
    before: str | None,
    progress: gr.Progress,
) -> tuple[Any, ...]:
    """Score uploads, in place of the session's results before."""
    if not uploads:
        gr.Warning("Choose a video or an image first.")
        return (gr.skip(),) * 6
    if len(uploads) > _MOST:
        raise _expected(f"{len(uploads)} files are too many at once: at most {_MOST}. `cover infer` scores folders.")
    _remove(before)
    folder = _scored(settings, uploads, model, device, many, progress)
    results = read_scored(str(folder)).results
    table = results.table[[name for name in (*SCORES, "percentile", "duration") if name in results.table]]
    table = table.round(4).reset_index(names=FILENAME)
    failed = "\n".join(f"- {as_code(name)}: {visible(reason)}" for name, reason in results.errors.items())
    names = list(results.table.index)
    choice = gr.Dropdown(choices=names, value=names[0] if names else None)
    return (
        str(folder),
        table,
        f"Not scored:\n{failed}" if failed else "",
        str(folder / SCORES_TABLE),
        str(folder / REPORT),
        choice,
    )


def _compare(
    settings: Settings, uploads: Sequence[str], model: str, device: str, many: bool, progress: gr.Progress
) -> tuple[Any, ...]:
    folder = _scored(settings, uploads, model, device, many, progress)
    try:
        scored = read_scored(str(folder))
        results = scored.results
        if results.errors:
            raise _expected("; ".join(visible(f"{name}: {reason}") for name, reason in results.errors.items()))
        a, b = results.table.index
        change = results.table.loc[b, "overall"] - results.table.loc[a, "overall"]
        word = "higher" if change > 0 else "lower"
        said = (
            f"B scores {abs(change):.3f} {word} overall. One pair says nothing of a codec or a generator: "
            "`cover compare` compares many.\n\n"
        )
        said += "\n\n".join(f"{letter}: {in_words(scored, name)}" for letter, name in (("A", a), ("B", b)))
        frames = []
        for name in (a, b):
            line, evidence = scored.timeline(name)
            frames.append(frame_with_map(evidence, int(line.curves["overall"].argmin()), "technical", scored.scale))
        table = results.table[[*SCORES]].round(4).T.reset_index(names="score")
        table.columns = ["score", "A", "B"]
        table["B - A"] = (table["B"] - table["A"]).round(4)
        return said, table, *frames
    finally:
        _remove(str(folder))


def _scored(
    settings: Settings, uploads: Sequence[str], model: str, device: str, many: bool, progress: gr.Progress
) -> Path:
    paths = [Path(upload) for upload in uploads]
    try:
        return score_files(
            paths,
            model,
            device,
            settings.folder,
            many=many,
            timeout=settings.timeout,
            progress=lambda done, total: progress((done, total), desc="scoring", unit="videos"),
        )
    except CoverError as error:
        raise _expected(str(error)) from error


def _expected(message: str) -> gr.Error:
    """An error of the user's, which leaves no trace on the terminal."""
    return gr.Error(message, print_exception=False)


def _opened(folder: str | None, name: str | None, branch: str) -> tuple[Any, ...]:
    """Show a video: its reading, its curves, and the worst moment."""
    if not folder or not name or not Path(folder).is_dir():
        return "", None, gr.Slider(maximum=2, value=1), None
    scored = read_scored(folder)
    line, _ = scored.timeline(name)
    worst = int(line.curves["overall"].argmin())
    curves = [
        pd.DataFrame({"seconds": line.times, "value": values, "score": score}) for score, values in line.curves.items()
    ]
    slider = gr.Slider(minimum=1, maximum=max(2, len(line.times)), value=worst + 1, step=1)
    return in_words(scored, name), pd.concat(curves), slider, _frame(folder, name, branch, worst + 1)


def _frame(folder: str | None, name: str | None, branch: str, moment: float) -> Any:
    if not folder or not name or not Path(folder).is_dir():
        return None
    scored = read_scored(folder)
    evidence = scored.evidence[name]
    place = min(int(moment), len(evidence.times["aesthetic"])) - 1
    return frame_with_map(evidence, place, None if branch == "no map" else branch, scored.scale)


def _remove(folder: str | None) -> None:
    if folder:
        shutil.rmtree(folder, ignore_errors=True)
