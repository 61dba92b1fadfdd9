"""The web app: in a real browser, and through Gradio's client."""

import shutil
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from tests.helpers.browser import headless
from tests.helpers.clips import faulty_clip, write_clip

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

gradio = pytest.importorskip("gradio", reason="needs the extra app")

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def clips(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("clips")
    write_clip(folder / "short `one` <b>.mp4", 10)
    write_clip(folder / "b.mp4", 10, options={"crf": "45"})
    (folder / "bad.mp4").write_text("no video")
    return folder


@pytest.fixture(scope="module")
def address(clips: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    from cover.apps.web import Settings, build, launch_options

    demo = write_clip(tmp_path_factory.mktemp("demo") / "demo clip.mp4", 10)
    settings = Settings(tmp_path_factory.mktemp("app"), device="cpu", demo=[demo])
    app = build(settings)
    _, address, _ = app.launch(prevent_thread_lock=True, quiet=True, **launch_options(settings, upload_mb=2))
    yield address
    app.close()
    assert demo.exists(), "demo clips are not uploads"


@pytest.fixture(scope="module")
def browser() -> Iterator["Browser"]:
    with headless() as found:
        yield found


@pytest.fixture
def page(browser: "Browser", address: str) -> Iterator["Page"]:
    page = browser.new_page(viewport={"width": 1200, "height": 1400})
    outside: list[str] = []
    page.on("request", lambda request: outside.append(request.url) if _is_outside(request.url, address) else None)
    page.goto(address)
    page.wait_for_selector("#score", timeout=60_000)
    yield page
    page.close()
    assert not outside


def _is_outside(url: str, address: str) -> bool:
    return not url.startswith((address, "data:", "blob:"))


def upload(page: "Page", *files: Path) -> None:
    page.set_input_files("#files input[type=file]", list(files))
    page.wait_for_function(f"document.querySelectorAll('#files .file-preview tr').length >= {len(files)}")


def test_uploads_are_scored_and_shown(page: "Page", clips: Path) -> None:
    upload(page, clips / "short `one` <b>.mp4", clips / "bad.mp4")
    page.click("#score")
    page.wait_for_selector("#picture img", timeout=120_000)
    assert page.inner_text("#words").startswith("short one b.mp4")  # Gradio takes such characters out of uploads
    assert "overall" in page.inner_text("#words")
    assert "bad.mp4" in page.inner_text("#failed")
    assert "contains text" in page.inner_text("#failed")
    assert page.locator("#timeline canvas, #timeline svg.marks").count() >= 1
    assert page.locator("#csv a[download]").count() >= 1
    assert page.locator("#report a[download]").count() >= 1
    before = page.get_attribute("#picture img", "src")
    page.get_by_label("no map").check()
    page.wait_for_function("before => document.querySelector('#picture img').src !== before", arg=before)


def test_the_demo_clips(page: "Page") -> None:
    page.click("#demo")
    page.wait_for_function("document.querySelector('#words').innerText.includes('demo clip.mp4')", timeout=120_000)
    assert "demo clip.mp4: overall" in page.inner_text("#words")


def test_an_upload_that_is_too_large_says_so(page: "Page", tmp_path: Path) -> None:
    large = tmp_path / "large.mp4"
    large.write_bytes(bytes(3_000_000))
    page.set_input_files("#files input[type=file]", large)
    page.wait_for_function("document.body.innerText.toLowerCase().includes('size')", timeout=20_000)
    assert page.locator("#files .file-preview tr").count() == 0


def test_nothing_chosen_says_so(page: "Page") -> None:
    page.click("#score")
    page.wait_for_function("document.body.innerText.includes('Choose a video or an image first')", timeout=20_000)
    assert not page.locator("#picture img").count()


def client(address: str) -> Any:
    gradio_client = pytest.importorskip("gradio_client", reason="needs the extra app")
    return gradio_client.Client(address, verbose=False)


def handed(path: Path) -> Any:
    from gradio_client import handle_file

    return handle_file(str(path))


def test_the_api_scores_as_the_command_does(address: str, clips: Path) -> None:
    from cover import load_model, score

    table, failed, csv, report, _ = client(address).predict(
        [handed(clips / "b.mp4"), handed(clips / "bad.mp4")], "cover_lite", "cpu", False, api_name="/score"
    )
    expected = score(clips / "b.mp4", load_model("cover_lite"))
    line = dict(zip(table["headers"], table["data"][0], strict=True))
    assert line["Filename"] == "b.mp4"
    assert line["overall"] == pytest.approx(expected.overall, abs=1e-3)
    assert "bad.mp4" in failed
    assert Path(csv).read_text().startswith("Filename,Semantic")
    assert "</html>" in Path(report).read_text(encoding="utf-8")


def test_two_at_once_wait_for_each_other(address: str, clips: Path) -> None:
    def scored(name: str) -> Any:
        return client(address).predict([handed(clips / name)], "cover_lite", "cpu", False, api_name="/score")

    with ThreadPoolExecutor() as pool:
        first, second = pool.map(scored, ["b.mp4", "short `one` <b>.mp4"])
    assert first[0]["data"][0][0] == "b.mp4"
    assert len(second[0]["data"]) == 1


def test_two_versions_side_by_side(address: str, tmp_path: Path) -> None:
    good = faulty_clip(tmp_path / "good.mp4")
    bad = write_clip(tmp_path / "bad.mp4", [np.full((180, 320, 3), 90, np.uint8)] * 10)
    words, table, left, right = client(address).predict(
        handed(good), handed(bad), "cover_lite", "cpu", False, api_name="/compare"
    )
    assert "overall" in words
    assert table["headers"] == ["score", "A", "B", "B - A"]
    assert left
    assert right


def test_one_bad_version_says_why(address: str, clips: Path) -> None:
    with pytest.raises(Exception, match="contains text"):
        client(address).predict(
            handed(clips / "b.mp4"), handed(clips / "bad.mp4"), "cover_lite", "cpu", False, api_name="/compare"
        )


def test_one_file_of_three_people_is_scored_for_each(address: str, clips: Path) -> None:
    """To Gradio files of equal content are one: what the first of them leaves must not be gone for the next."""

    def scored(_: int) -> Any:
        return client(address).predict([handed(clips / "b.mp4")], "cover_lite", "cpu", False, api_name="/score")

    with ThreadPoolExecutor() as pool:
        assert [len(found[0]["data"]) for found in pool.map(scored, range(3))] == [1, 1, 1]


def test_the_same_clip_again_shows_what_is_new(page: "Page", clips: Path) -> None:
    upload(page, clips / "b.mp4")
    page.click("#score")
    page.wait_for_selector("#picture img", timeout=120_000)
    page.get_by_label("Look at 24 moments").check()
    page.click("#score")  # the upload is still there
    page.wait_for_function("document.querySelector('#moment input[type=range]').max === '24'", timeout=120_000)
    assert page.inner_text("#words").startswith("b.mp4")


def test_a_session_keeps_its_last_results_only(clips: Path, tmp_path: Path) -> None:
    from cover.apps.web import Settings, _score

    def scored(before: str | None) -> str:
        found = _score(
            Settings(tmp_path), [str(clips / "b.mp4")], "cover_lite", "cpu", False, before, lambda *_, **__: None
        )
        return found[0]

    first = scored(None)
    assert Path(first, "report.html").exists()
    second = scored(first)
    assert not Path(first).exists()
    shutil.rmtree(second)


def test_analytics_links_and_fonts_stay_off(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GRADIO_TEMP_DIR", "")  # which build sets: put back afterwards
    import os

    from cover.apps.web import Settings, build, launch_options

    assert os.environ["GRADIO_ANALYTICS_ENABLED"] == "False"
    app = build(Settings(tmp_path))
    options = launch_options(Settings(tmp_path), 5)
    assert app.delete_cache == (300, 3600)
    assert app.analytics_enabled is False
    assert options["share"] is False
    assert "http" not in str(options["theme"]._font_css)


def test_a_page_under_another_name_is_refused(address: str) -> None:
    import httpx

    refused = httpx.get(address, headers={"host": "evil.example:7860"})
    assert refused.status_code == 400
    assert httpx.get(address).status_code == 200


def test_expected_errors_leave_no_trace(address: str, clips: Path, capfd: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(Exception, match="contains text"):
        client(address).predict(
            handed(clips / "b.mp4"), handed(clips / "bad.mp4"), "cover_lite", "cpu", False, api_name="/compare"
        )
    assert "Traceback" not in capfd.readouterr().err


def test_the_space_is_the_same_app(root: Path) -> None:
    text = (root / "apps/space/app.py").read_text()
    assert "from cover.apps.web import Settings, build, launch_options" in text
    card = (root / "apps/space/README.md").read_text()
    assert card.startswith("---\n")
    assert "app_file: app.py" in card
