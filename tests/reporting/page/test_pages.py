"""Reports in a real browser: what people do with them, with the mouse and the keyboard, in light and dark."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from cover.reporting.page.report import write_report
from cover.results.read import read_folder
from tests.helpers.browser import headless, serious_findings
from tests.helpers.results import make_results

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

pytestmark = pytest.mark.slow

HOSTILE = [
    "<script>document.title='owned'</script>.mp4",
    "<img src=x onerror=\"document.title='owned'\">.mp4",
    "\"' onmouseover='document.title=1.mp4",
    "</script><script>document.title='owned'</script>.mp4",
    "<!-- -->&amp;.mp4",
    "line\nbreak\ttab.mp4",
    "\u202egpj.exe.mp4",
    b"invalid-\xff-utf8.mp4".decode("utf-8", "surrogateescape"),
    "{{ 7 * 7 }}{% raw %}.mp4",
    "${7*7}`.mp4",
    "__proto__",
    "emoji 👩\u200d👧.mp4",
]

Open = Callable[..., "Page"]


@pytest.fixture(scope="module")
def browser() -> Iterator["Browser"]:
    with headless() as found:
        yield found


@pytest.fixture
def opened(browser: "Browser") -> Iterator[Open]:
    """``opened(page file)`` opens it; whatever the page reports as an error fails the test."""
    contexts: list[Any] = []
    errors: list[str] = []

    def open_page(path: Path, hash_: str = "", **context: Any) -> "Page":
        contexts.append(browser.new_context(offline=True, **{"viewport": {"width": 1280, "height": 900}, **context}))
        page = contexts[-1].new_page()
        page.on("pageerror", lambda error: errors.append(str(error)))
        page.on("console", lambda message: errors.append(message.text) if message.type == "error" else None)
        page.goto(path.as_uri() + hash_)
        page.wait_for_selector("html[data-ready]")
        return page

    yield open_page
    for context in contexts:
        context.close()
    assert not errors


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("run")
    names = [f"clip_{number:02}.mp4" for number in range(40)]
    extras = {"scene": [f"scene {number % 4}" for number in range(40)]}
    notes, errors = {names[3]: "the file is damaged"}, {"broken.mp4": "the file is empty (0 bytes)"}
    return write_report(
        read_folder(make_results(folder, names=names, moments=12, extras=extras, notes=notes, errors=errors))
    )


def column(page: "Page", title: str) -> list[str]:
    headers = page.locator("#table thead th").all_inner_texts()
    place = next(number for number, text in enumerate(headers) if text.strip().startswith(title))
    return page.locator(f"#table tbody tr td:nth-child({place + 1})").all_inner_texts()


def numbers(page: "Page", title: str) -> list[float]:
    return [float(cell.split()[0]) for cell in column(page, title)]


def shown(page: "Page") -> str:
    return page.locator(".dt-info").inner_text()


def test_the_table_is_sorted_with_mouse_and_keyboard(opened: Open, report: Path) -> None:
    page = opened(report)
    assert numbers(page, "overall") == sorted(numbers(page, "overall"))
    page.get_by_role("columnheader", name="technical").click()
    page.wait_for_selector("th[aria-sort=ascending]:has-text('technical')")
    assert numbers(page, "technical") == sorted(numbers(page, "technical"))
    header = page.locator("#table thead th", has_text="semantic")
    header.focus() if header.get_attribute("tabindex") else header.locator("[tabindex]").focus()
    page.keyboard.press("Enter")
    page.wait_for_selector("th[aria-sort=ascending]:has-text('semantic')")
    assert numbers(page, "semantic") == sorted(numbers(page, "semantic"))
    page.keyboard.press("Enter")
    page.wait_for_selector("th[aria-sort=descending]:has-text('semantic')")
    assert numbers(page, "semantic") == sorted(numbers(page, "semantic"), reverse=True)


def test_searching_and_filtering(opened: Open, report: Path) -> None:
    page = opened(report)
    page.get_by_label("Search").fill("clip_07")
    assert column(page, "video") == ["clip_07.mp4"]
    page.get_by_label("Search").fill("")
    page.get_by_label("Search").press("Enter")
    page.get_by_label("with notes").check()
    assert column(page, "video") == ["clip_03.mp4"]
    page.get_by_label("with notes").uncheck()
    page.locator("#filter-level").select_option(label="scene 2")
    assert "1 to 10 of 10" in shown(page)
    page.locator("#filter-score").select_option("technical")
    page.locator("#filter-low").fill("0.2")
    assert all(value >= 0.2 for value in numbers(page, "technical"))
    page.get_by_role("button", name="All", exact=True).click()
    page.wait_for_function("document.querySelector('.dt-info').innerText.includes('of 40')")
    assert "of 40" in shown(page)


def test_unknown_values_are_in_no_range(opened: Open, tmp_path: Path) -> None:
    folder = make_results(tmp_path, 10, facts={0: {"bitrate": ""}, 1: {"bitrate": ""}})
    page = opened(write_report(read_folder(folder)))
    page.locator("#filter-score").select_option("bitrate")
    page.locator("#filter-low").fill("0")
    page.wait_for_function("document.querySelector('.dt-info').innerText.includes('of 8')")
    assert "video_00000.mp4" not in column(page, "video")


def test_all_takes_the_filters_back(opened: Open, tmp_path: Path) -> None:
    extras = {"scene": ["a", "b"] * 5, "codec of the source": ["p", "q", "r", "s", "t"] * 2}
    page = opened(write_report(read_folder(make_results(tmp_path, 10, extras=extras))))
    page.locator("#filter-column").select_option("codec of the source")
    page.locator("#filter-level").select_option("t")
    page.wait_for_function("document.querySelector('.dt-info').innerText.includes('of 2')")
    page.get_by_role("button", name="All", exact=True).click()
    page.wait_for_function("document.querySelector('.dt-info').innerText.includes('of 10')")
    assert page.locator("#filter-column").input_value() == "scene"
    assert page.locator("#filter-level option").all_inner_texts() == ["any", "a", "b"]


def test_thresholds_count_and_write_the_selection(opened: Open, report: Path) -> None:
    page = opened(report)
    table = read_folder(report.parent).table
    card = page.locator("#distributions .card").first
    slider = card.locator("input[type=range]")
    assert "kept 40 of 40" in card.inner_text()
    slider.focus()
    for _ in range(100):
        page.keyboard.press("ArrowRight")
    code = card.locator("code").inner_text()
    threshold = float(code.split(">")[1].strip(" '"))
    assert code.startswith("cover select ")
    assert f"kept {int((table['overall'] > threshold).sum())} of 40" in card.inner_text()
    box = card.locator("svg").bounding_box()
    page.mouse.click(box["x"] + box["width"] * 0.9, box["y"] + box["height"] / 2)
    assert float(card.locator("code").inner_text().split(">")[1].strip(" '")) > threshold


def test_a_video_opens_and_is_walked_through(opened: Open, report: Path) -> None:
    page = opened(report)
    first = column(page, "video")[0]
    page.locator("#table tbody button.link").first.click()
    panel = page.get_by_role("dialog")
    assert panel.get_by_role("heading", level=2).inner_text() == first
    assert "worst at 0:0" in panel.inner_text()
    assert panel.locator(".film button").count() == 12
    moment = panel.get_by_label("Moment")
    before = panel.locator("p[aria-live]").inner_text()
    moment.focus()
    page.keyboard.press("Home")
    assert panel.locator("p[aria-live]").inner_text() != before
    assert panel.locator(".film button[aria-current=true]").count() == 1
    page.keyboard.press("End")
    panel.get_by_role("radio", name="technical map").check()
    worst = panel.locator("rect.worst")
    technical = worst.get_attribute("x"), worst.get_attribute("y")
    panel.get_by_role("radio", name="aesthetic map").check()
    assert (worst.get_attribute("x"), worst.get_attribute("y")) != technical
    panel.get_by_label("no map").check()
    assert worst.count() == 0
    panel.get_by_role("button", name="Next").click()
    assert panel.get_by_role("heading", level=2).inner_text() == column(page, "video")[1]
    page.keyboard.press("Escape")
    assert not panel.is_visible()


def test_the_map_lies_over_the_frame_in_fixed_colours(opened: Open, report: Path) -> None:
    page = opened(report, "#video-0")
    panel = page.get_by_role("dialog")
    assert "One scale for the whole report" in panel.inner_text()
    frame = panel.locator("svg.frame")
    with_map = frame.screenshot()
    panel.get_by_label("no map").check()
    assert frame.screenshot() != with_map


def test_points_lead_to_their_video(opened: Open, report: Path) -> None:
    page = opened(report)
    dot = page.locator("#scatter svg circle").first
    dot.scroll_into_view_if_needed()
    box = dot.bounding_box()
    page.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    page.mouse.click(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    assert page.get_by_role("dialog").is_visible()


def test_groups_and_failures(opened: Open, report: Path) -> None:
    page = opened(report)
    assert page.locator("#boxes svg").count() == 1
    page.locator("#group-score").select_option("technical")
    assert "technical by scene" in page.locator("#boxes svg").get_attribute("aria-label")
    assert "the file is empty (0 bytes)" in page.locator("#failed").inner_text()


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("panel", [False, True])
def test_nothing_serious_for_accessibility(opened: Open, report: Path, scheme: str, panel: bool) -> None:
    page = opened(report, "#video-0" if panel else "", color_scheme=scheme)
    dark = page.evaluate("getComputedStyle(document.body).backgroundColor")
    assert (dark == "rgb(255, 255, 255)") == (scheme == "light")
    assert serious_findings(page) == []


def test_a_phone_shows_it_without_sideways_scrolling(opened: Open, report: Path) -> None:
    page = opened(report, viewport={"width": 390, "height": 800})
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    page.locator("#table tbody button.link").first.click()
    assert page.evaluate("document.querySelector('dialog').scrollWidth") <= 390
    page.wait_for_selector(".film button[aria-current=true]")
    assert page.evaluate("document.querySelector('dialog').scrollTop") == 0


def test_the_worst_moment_is_shown_with_the_map_that_it_is_named_by(opened: Open, report: Path) -> None:
    page = opened(report)
    for number in range(4):
        page.locator("#table tbody button.link").nth(number).click()
        panel = page.get_by_role("dialog")
        panel.get_by_role("button", name="0:0").nth(1).click()
        named = panel.get_by_role("button", name="0:0").nth(1).inner_text().split(", ")[1]
        if named != "semantic":
            assert panel.get_by_role("radio", name=f"{named} map").is_checked()
        page.keyboard.press("Escape")


def test_the_table_fits_a_laptop_until_more_is_asked_for(opened: Open, tmp_path: Path) -> None:
    facts = {0: {"codec": "h264", "bitrate": "1200.0", "bits_per_pixel": "0.1", "fps": "25.0"}}
    page = opened(write_report(read_folder(make_results(tmp_path / "some", 4, facts=facts))))
    page.set_viewport_size({"width": 1280, "height": 900})
    wide = "() => { const e = document.querySelector('#videos .scroll'); return e.scrollWidth - e.clientWidth; }"
    headers = page.locator("#table thead th").all_inner_texts()
    assert page.evaluate(wide) <= 0
    page.check("#more-columns")
    more = page.locator("#table thead th").all_inner_texts()
    assert {name.strip() for name in more} - {name.strip() for name in headers} == {
        "fps",
        "kbit/s",
        "bits/pixel",
        "codec",
    }


def test_hostile_names_are_text_and_run_nothing(opened: Open, tmp_path: Path) -> None:
    names = list(HOSTILE)
    extras = {HOSTILE[0]: [f"{HOSTILE[1]}{number % 2}" for number in range(len(names))]}
    errors, notes = {HOSTILE[0] + "2": HOSTILE[1]}, {HOSTILE[3]: HOSTILE[1]}
    facts = {2: {"codec": "<b id=codec>"}}
    folder = make_results(tmp_path / "a'b <i>", names=names, extras=extras, errors=errors, notes=notes, facts=facts)
    page = opened(write_report(read_folder(folder)))
    page.check("#more-columns")  # the codec is among them
    title = page.title()
    listed = column(page, "video")
    assert len(listed) == len(names)
    assert HOSTILE[0] in listed
    assert r"\u202egpj.exe.mp4" in listed
    assert r"line\nbreak\ttab.mp4" in listed
    assert HOSTILE[-1] in listed
    for number in range(len(names)):
        page.locator(f"button[data-place='{number}']").click()
        page.keyboard.press("Escape")
    assert page.title() == title
    assert page.locator("main img[src=x], #codec").count() == 0


def test_no_script_runs_but_those_of_the_page(browser: "Browser", report: Path, tmp_path: Path) -> None:
    changed = tmp_path / "changed.html"
    text = report.read_text(encoding="utf-8")
    changed.write_text(text.replace("</body>", "<script>document.title = 'owned'</script></body>"), encoding="utf-8")
    page = browser.new_page()
    said: list[str] = []
    page.on("console", lambda message: said.append(message.text))
    page.goto(changed.as_uri())
    page.wait_for_selector("html[data-ready]")
    assert page.title() != "owned"
    assert any("Content Security Policy" in line for line in said)
    page.close()


def test_evaluations_open_with_the_worst_disagreements(opened: Open, tmp_path: Path) -> None:
    folder = make_results(tmp_path, 30, mos=True)
    (folder / "metrics.json").write_text(
        '{"overall": {"n": 30, "of": 31, "srocc": 0.9, "krocc": 0.7, "plcc": 0.88, "rmse": 0.3, '
        '"ci95": {"srocc": [0.8, 0.95]}}}'
    )
    page = opened(write_report(read_folder(folder)))
    off = [abs(value) for value in numbers(page, "fitted - MOS")]
    assert off == sorted(off, reverse=True)
    assert "0.9000 [0.800, 0.950]" in page.locator("#agreement").inner_text()
    assert "30 of 31" in page.locator("#agreement").inner_text()
    assert page.locator("#fit svg path").count() >= 1
    assert page.locator("#residuals svg circle").count() == 30


def test_meaningless_scores_have_a_banner(opened: Open, tmp_path: Path) -> None:
    page = opened(write_report(read_folder(make_results(tmp_path, 3, weights="random"))))
    assert "These scores mean nothing" in page.locator(".banner").inner_text()


def test_ten_thousand_videos(opened: Open, tmp_path: Path) -> None:
    path = write_report(read_folder(make_results(tmp_path, 10_000)))
    assert path.stat().st_size < 8e6
    page = opened(path)
    assert "of 10,000" in shown(page)
    page.get_by_role("columnheader", name="technical").click()
    page.wait_for_selector("th[aria-sort=ascending]:has-text('technical')")
    assert numbers(page, "technical") == sorted(numbers(page, "technical"))
    page.locator("#table tbody button.link").first.click()
    assert page.get_by_role("dialog").locator(".film button").count() == 3
    # The strips that have no room lie beside the page, and show from there.
    assert len(list((tmp_path / "report_files").glob("*.strips.webp"))) > 5_000


def test_two_runs_against_each_other(opened: Open, tmp_path: Path) -> None:
    from cover.reporting.page.comparison import write_run_comparison
    from cover.results.pairs import compare_results

    a = read_folder(make_results(tmp_path / "a", names=[*HOSTILE, *"bcd"]))
    b = read_folder(make_results(tmp_path / "b", names=[*HOSTILE, *"bcd"], shift=0.4, facts={5: {"fps": 50.0}}))
    found = compare_results(a, b, 999)
    page = opened(write_run_comparison(tmp_path / "out", found))
    assert "B scores higher by 0.4000 overall" in page.locator("h2").first.inner_text()
    assert "frame rate 25 -> 50" in page.locator("#table tbody tr").first.inner_text()
    assert page.locator("#table tbody tr").first.locator("img").count() == 2
    assert page.locator("#changes svg").count() == 4
    assert serious_findings(page) == []


def test_parts_over_time(opened: Open, tmp_path: Path) -> None:
    page = opened(write_report(read_folder(make_results(tmp_path, 3, parts=5, moments=6))))
    bars = page.locator("#films-chart g[aria-hidden] rect, #films-chart svg > g rect")
    assert bars.count() == 15
    assert "Parts of 3 videos" in page.locator("#run").inner_text()
    assert column(page, "video")[0].startswith("video_0000")
    page.get_by_label("Search").fill("video_00001.mp4 0:12-0:18")
    page.get_by_role("button", name="video_00001.mp4 0:12-0:18").click()
    panel = page.locator("#panel")
    assert panel.locator("#panel-title").inner_text() == "video_00001.mp4 0:12-0:18"
    panel.get_by_role("button", name="Part after").click()
    assert panel.locator("#panel-title").inner_text() == "video_00001.mp4 0:18-0:24"
    panel.get_by_role("button", name="Part after").click()
    assert panel.get_by_role("button", name="Part after").is_disabled()
    moments = [float(text.split()[0]) for text in page.locator("#panel [aria-live]").all_inner_texts()]
    assert 24 <= moments[0] <= 30  # seconds of the film, not of the part
    assert not serious_findings(page)


def test_a_part_of_a_chart_opens_its_panel(opened: Open, tmp_path: Path) -> None:
    page = opened(write_report(read_folder(make_results(tmp_path, 1, parts=4))))
    page.locator("#films-chart").scroll_into_view_if_needed()
    bars = page.locator("#films-chart svg > g rect")
    box = bars.nth(2).bounding_box()
    assert box is not None
    page.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    page.mouse.click(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    page.wait_for_selector("#panel[open]")
    assert page.locator("#panel-title").inner_text() == "video_00000.mp4 0:12-0:18"
