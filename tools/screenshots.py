"""Take the pictures in the README and the docs: of a report and of the web app, after real runs.

python -m tools.screenshots

Needs Chromium on the path, and the extras app and dev.
"""

import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
from matplotlib import cbook
from PIL import Image, ImageFilter
from playwright.sync_api import Browser, sync_playwright

from tests.helpers.clips import faulty_clip, write_clip

ROOT = Path(__file__).resolve().parents[1]
_DOCS = ROOT / "docs"
_PORT = 7871
_RADII = (0, 0, 0, 0.6, 1.2, 3)  # of blur, px


def main() -> None:
    """Write docs/report.png, docs/report_video.png, docs/parts.png and docs/app.png."""
    with tempfile.TemporaryDirectory() as name, sync_playwright() as playwright:
        folder = Path(name)
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=["--no-sandbox"])
        (folder / "faults").mkdir()
        faulty_clip(folder / "faults" / "blur, then dark.mp4")
        _cover(folder, "infer", "data=demo", "model=cover_lite", "output=outputs/demo")
        _cover(folder, "infer", "data=faults", "model=cover_lite", "views=cover_lite_dense", "output=outputs/faults")
        _films(folder / "films")
        _cover(folder, "infer", "data=films", "model=cover_lite", "segments=4", "output=outputs/films")
        _report(browser, folder / "outputs/demo/report.html", _DOCS / "report.png", "")
        _section(browser, folder / "outputs/films/report.html", _DOCS / "parts.png", "#films")
        _report(browser, folder / "outputs/faults/report.html", _DOCS / "report_video.png", "#video-0")
        _app(browser, folder, _DOCS / "app.png")
        browser.close()


def _cover(folder: Path, *arguments: str) -> None:
    subprocess.run([sys.executable, "-m", "cover.cli", *arguments], cwd=folder, check=True)


def _report(browser: Browser, page_file: Path, picture: Path, place: str) -> None:
    page = browser.new_page(viewport={"width": 1200, "height": 820})
    page.goto(page_file.as_uri() + place)
    page.wait_for_selector("html[data-ready]")
    page.wait_for_timeout(500)
    page.screenshot(path=picture)
    page.close()


def _section(browser: Browser, page_file: Path, picture: Path, section: str) -> None:
    page = browser.new_page(viewport={"width": 1000, "height": 820})
    page.goto(page_file.as_uri())
    page.wait_for_selector("html[data-ready]")
    page.locator(section).screenshot(path=picture)
    page.close()


def _films(folder: Path) -> None:
    """Three films of forty seconds, whose quality changes every four."""
    folder.mkdir()
    scene = Image.open(cbook.get_sample_data("grace_hopper.jpg", asfileobj=False)).convert("RGB")
    for number, name in enumerate(("talk.mp4", "stream.mp4", "lecture.mp4")):
        blurs = [ImageFilter.GaussianBlur(float(r)) for r in np.random.default_rng(number).choice(_RADII, 10)]
        boxes = [(place % 90, 60 + 30 * number, 400 + place % 90, 300 + 30 * number) for place in range(400)]
        frames = (np.asarray(scene.crop(box).filter(blurs[place // 40])) for place, box in enumerate(boxes))
        write_clip(folder / name, frames, rate=10, options={"crf": "18"})


def _app(browser: Browser, folder: Path, picture: Path) -> None:
    command = [sys.executable, "-m", "cover.cli", "app", f"port={_PORT}"]
    server = subprocess.Popen(command, cwd=folder, stdout=subprocess.DEVNULL)
    try:
        page = browser.new_page(viewport={"width": 1100, "height": 1420})
        for _ in range(120):
            try:
                page.goto(f"http://127.0.0.1:{_PORT}/")
                break
            except Exception:  # noqa: BLE001 - not there yet
                time.sleep(1)
        page.set_input_files("#files input[type=file]", folder / "faults" / "blur, then dark.mp4")
        page.get_by_label("Look at 24 moments").check()
        page.wait_for_timeout(2000)
        page.click("#score")
        page.wait_for_selector("#words p", timeout=120_000)
        page.wait_for_timeout(3000)
        page.screenshot(path=picture)
        page.close()
    finally:
        server.terminate()
        server.wait()


if __name__ == "__main__":
    main()
