"""Ratings of single raters: long and wide tables, joined, and what is said of them."""

import csv
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from cover.errors import UsageError
from datasets.ratings import Ratings

Write = Callable[..., Path]


@pytest.fixture
def write(tmp_path: Path) -> Write:
    def write(name: str, *rows: Sequence[object], delimiter: str = ",") -> Path:
        with (tmp_path / name).open("w", newline="", encoding="utf-8") as file:
            csv.writer(file, delimiter=delimiter).writerows(rows)
        return tmp_path / name

    return write


def found(path: Path | str, **options: str) -> dict[tuple[str, str], float]:
    return {(rating.rater, rating.video): rating.value for rating in Ratings(path, **options).ratings}


def test_a_study_with_a_file_for_each_rater(write: Write, tmp_path: Path) -> None:
    header = ("ParticipantID", "VideoIndex", "Filename", "Rating", "Timestamp", "ResponseTime_seconds")
    for rater in range(3):
        rows = [(f"P{rater}", video, f"v{video}.mp4", 1 + (rater + video) % 5, "10:00", 1.5) for video in range(4)]
        write(f"P{rater}.csv", header, *rows)
    dataset = Ratings(f"{tmp_path}/P*.csv")
    assert len(dataset) == 4
    assert len(dataset.ratings) == 12
    assert dataset.remarks == []
    rows = list(dataset)
    assert [row.name for row in rows] == [f"v{video}.mp4" for video in range(4)]
    assert rows[1].path == tmp_path / "v1.mp4"
    # What is alike for all raters is kept of a video.
    assert rows[1].extras == {"VideoIndex": "1", "Timestamp": "10:00", "ResponseTime_seconds": "1.5"}
    assert {(r.rater, r.video): r.value for r in Ratings(tmp_path).ratings} == found(f"{tmp_path}/*.csv")


@pytest.mark.parametrize(
    ("header", "options"),
    [
        (("subject", "video", "score"), {}),
        (("Worker ID", "File Name", "Vote"), {}),
        (("who", "what", "how"), {"rater": "who", "video": "what", "rating": "how"}),
    ],
)
def test_headers(write: Write, header: Sequence[str], options: dict[str, str]) -> None:
    path = write("r.csv", header, ("A", "x.mp4", 3), ("B", "x.mp4", 4))
    assert found(path, **options) == {("A", "x.mp4"): 3, ("B", "x.mp4"): 4}


def test_a_video_that_comes_twice_needs_raters(write: Write) -> None:
    path = write("r.csv", ("who", "video", "rating"), ("A", "x.mp4", 3), ("B", "x.mp4", 4))
    with pytest.raises(UsageError, match=r"no column of the rater .*ratings.rater=NAME; x.mp4 is rated several times"):
        Ratings(path)


def test_a_file_without_raters_is_one(write: Write, tmp_path: Path) -> None:
    for name, rating in (("anna", 2), ("ben", 5)):
        write(f"{name}.csv", ("video", "rating"), ("x.mp4", rating))
    assert found(tmp_path) == {("anna", "x.mp4"): 2, ("ben", "x.mp4"): 5}


class TestWide:
    def test_a_column_for_each_rater(self, write: Write) -> None:
        path = write(
            "w.csv", ("Filename", "P1", "P2", "content", "mos"), ("a", 1, "", "park", 1), ("b", 2, 3, "sea", 2.5)
        )
        assert found(path) == {("P1", "a"): 1, ("P1", "b"): 2, ("P2", "b"): 3}
        assert [row.extras["content"] for row in Ratings(path)] == ["park", "sea"]

    def test_a_pattern_says_which_columns_are_raters(self, write: Write) -> None:
        path = write("w.csv", ("Filename", "P1", "crispness"), ("a", 1, 7), ("b", 2, 8))
        assert {rater for rater, _ in found(path)} == {"P1", "crispness"}
        assert {rater for rater, _ in found(path, raters="P*")} == {"P1"}

    def test_what_was_taken_for_raters_is_said(self, write: Write) -> None:
        path = write("w.csv", ("Filename", "P1", "P2", "Age"), ("a", 1, 2, 40), ("b", 2, 3, 50))
        dataset = Ratings(path)
        assert {rating.rater for rating in dataset.ratings} == {"P1", "P2"}
        assert dataset.remarks == [f"{path}: 2 raters, one per column (P1, P2); no raters: Age"]

    def test_a_long_table_with_an_odd_header_is_not_wide(self, write: Write) -> None:
        path = write("l.csv", ("participant id", "FILE NAME", "Your Rating (1-5)"), ("A", "x", 3), ("B", "x", 4))
        assert found(path) == {("A", "x"): 3, ("B", "x"): 4}
        assert "the ratings are read from column Your Rating (1-5)" in Ratings(path).remarks[0]

    def test_a_rating_that_is_text(self, write: Write) -> None:
        path = write("w.csv", ("Filename", "P1", "P2"), ("a", 1, 2), ("b", "good", 3), ("c", 4, 3))
        with pytest.raises(UsageError, match=r"line 3 has P1 'good', not a number"):
            Ratings(path)

    def test_semicolons_and_decimal_commas(self, write: Write) -> None:
        path = write("w.csv", ("Filename", "P1", "P2"), ("a", "1,5", "2"), ("b", "2,5", "4"), delimiter=";")
        assert found(path) == {("P1", "a"): 1.5, ("P1", "b"): 2.5, ("P2", "a"): 2, ("P2", "b"): 4}

    def test_a_spreadsheet(self, tmp_path: Path) -> None:
        pytest.importorskip("python_calamine", reason="spreadsheets need it")
        pd.DataFrame({"video": ["a", "b"], "P1": [1, 2], "P2": [3, np.nan]}).to_excel(tmp_path / "r.xlsx", index=False)
        assert found(tmp_path / "r.xlsx") == {("P1", "a"): 1, ("P1", "b"): 2, ("P2", "a"): 3}

    @settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
    @given(
        cells=st.lists(
            st.lists(st.one_of(st.none(), st.integers(1, 5)), min_size=2, max_size=5), min_size=1, max_size=6
        ).filter(lambda rows: len({len(row) for row in rows}) == 1 and any(cell for row in rows for cell in row))
    )
    def test_long_and_wide_are_the_same(self, write: Write, cells: list[list[int | None]]) -> None:
        raters = [f"R{place}" for place in range(len(cells[0]))]
        wide = write("wide.csv", ("video", *raters), *((f"v{n}.mp4", *row) for n, row in enumerate(cells)))
        lines = [
            (rater, f"v{n}.mp4", "" if cell is None else cell)
            for n, row in enumerate(cells)
            for rater, cell in zip(raters, row, strict=True)
        ]
        long = write("long.csv", ("rater", "video", "rating"), *lines)
        assert found(wide) == found(long)


class TestTwice:
    def test_a_rater_who_rated_a_video_twice(self, write: Write) -> None:
        path = write("r.csv", ("rater", "video", "rating"), ("A", "x", 2), ("A", "x", 5), ("B", "x", 1))
        dataset = Ratings(path)
        assert {(r.rater, r.video): r.value for r in dataset.ratings} == {("A", "x"): 3.5, ("B", "x"): 1}
        assert dataset.remarks == ["A rated x 2 times: the mean of them counts"]

    def test_a_copy_of_a_file_that_is_a_rater(self, write: Write, tmp_path: Path) -> None:
        for name in ("anna", "copy"):
            write(f"{name}.csv", ("video", "rating"), ("x", 2), ("y", 4))
        dataset = Ratings(tmp_path)
        assert {rating.rater for rating in dataset.ratings} == {"anna"}
        assert "they count once" in dataset.remarks[0]

    def test_a_file_that_is_given_twice(self, write: Write, tmp_path: Path) -> None:
        rows = [("A", "x", 2), ("A", "y", 5)]
        write("a.csv", ("rater", "video", "rating"), *rows)
        write("copy.csv", ("rater", "video", "rating"), *reversed(rows))
        dataset = Ratings(tmp_path)
        assert len(dataset.ratings) == 2
        assert dataset.remarks == [
            f"{tmp_path / 'copy.csv'}: the same ratings as {tmp_path / 'a.csv'}; they count once"
        ]


@pytest.mark.parametrize(
    ("rows", "options", "words"),
    [
        ([("rater", "rating"), ("A", 2)], {}, "no column of the video"),
        ([("video", "mos"), ("x", 2)], {}, "no column of the rating.*read by data=table"),
        ([("video", "rater", "rating"), ("x", "A", "good")], {}, "line 2 has rating 'good', not a number"),
        ([("video", "rater", "rating"), ("x", "", 3)], {}, "line 2 has no rater"),
        ([("video", "rater", "rating"), ("x", "A", "")], {}, "there is no rating in it"),
        (
            [("video", "rater", "rating"), ("x", "A", 3)],
            {"rater": "who"},
            "no column of the rater .who; found: video, ",
        ),
    ],
)
def test_what_is_refused(write: Write, rows: list[tuple[object, ...]], options: dict[str, str], words: str) -> None:
    with pytest.raises(UsageError, match=words):
        Ratings(write("r.csv", *rows), **options)


def test_no_table(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no table there"):
        Ratings(tmp_path / "*.csv")


PEOPLE = [[4, 5, 5, 4], [5, 4, 4, 3], [2, 3, 3, 3], [1, 1, 2, 2], [3, 4, 2, 5]]
MEANS = [sum(row) / 4 for row in PEOPLE]
SUMMARIES = {
    "Average": [f"{mean:.2f}" for mean in MEANS],
    "Mean": MEANS,
    "MOS": MEANS,
    "Median": [4.5, 4, 3, 1.5, 3.5],
    "Std. Dev.": ["0.58", "0.82", "0.50", "0.58", "1.29"],
    "Total": [sum(row) for row in PEOPLE],
    "Unnamed: 0": range(5),
    "index": range(5),
    "Rank": [1, 2, 4, 5, 3],
    "count": [4] * 5,
    "25%": [4, 3.75, 2.75, 1, 2.75],
    "Max": [max(row) for row in PEOPLE],
    "Min": [min(row) for row in PEOPLE],
    # Names in other languages: only the values show what they are.
    "Mittelwert": [f"{mean:.2f}" for mean in MEANS],
    "合計": [sum(row) for row in PEOPLE],
    "écart": ["0.58", "0.82", "0.50", "0.58", "1.29"],
}


class TestColumnsThatAreNoRaters:
    """Summaries, indices and properties of a wide table."""

    @staticmethod
    def table(write: Write, columns: dict[str, Sequence[object]], *, first: bool = False) -> Path:
        raters = {f"P{place + 1}": [row[place] for row in PEOPLE] for place in range(4)}
        names = {"Filename": [f"v{row}.mp4" for row in range(5)]}
        both = {**names, **columns, **raters} if first else {**names, **raters, **columns}
        return write("w.csv", list(both), *zip(*both.values(), strict=True))

    @pytest.mark.parametrize("first", [False, True], ids=["behind", "before"])
    @pytest.mark.parametrize("name", SUMMARIES)
    def test_a_summary_is_no_rater(self, write: Write, name: str, first: bool) -> None:
        dataset = Ratings(self.table(write, {name: SUMMARIES[name]}, first=first))
        assert {rating.rater for rating in dataset.ratings} == {"P1", "P2", "P3", "P4"}
        assert dataset.remarks[0].endswith(f"4 raters, one per column (P1, P2, P3, ...); no raters: {name}")

    def test_all_columns_that_are_left_out_are_named(self, write: Write) -> None:
        dataset = Ratings(self.table(write, {name: SUMMARIES[name] for name in ("Mittelwert", "合計", "Std. Dev.")}))
        assert dataset.remarks[0].endswith("no raters: Mittelwert, 合計, Std. Dev.")

    @pytest.mark.parametrize("name", ["Max", "Min", "Summer"])
    def test_a_person_of_such_a_name_is_a_rater(self, write: Write, name: str) -> None:
        dataset = Ratings(self.table(write, {name: [3, 3, 4, 2, 1]}))
        assert name in {rating.rater for rating in dataset.ratings}

    @pytest.mark.parametrize(
        ("name", "values"), [("kbps", [800, 900, 400, 300, 500]), ("alpha", [-40, -50, -30, -60, -20])]
    )
    def test_a_column_far_from_the_scale_is_asked_about(
        self, write: Write, name: str, values: Sequence[object]
    ) -> None:
        path = self.table(write, {name: values})
        with pytest.raises(UsageError, match=rf"column {name} may or may not be a rater.*ratings.raters='P\*'"):
            Ratings(path)
        assert {rater for rater, _ in found(path, raters="P*")} == {"P1", "P2", "P3", "P4"}


class TestColumnsThatPeopleSeldomGive:
    """Numbers that a rater is not likely to give: they are asked about, whatever they are called."""

    RATERS = ((5, 4, 4, 1, 3, 2, 5, 1), (4, 4, 3, 2, 3, 1, 5, 1), (5, 3, 4, 1, 2, 2, 4, 2), (4, 5, 4, 2, 3, 3, 5, 1))

    @pytest.mark.parametrize(
        ("values", "reason"),
        [
            ([4, 4, 4, 2, 3, 2, 5, 1], "in every row it is the rounded mean of the other columns"),
            ([5, 5, 4, 2, 3, 3, 5, 2], "in every row it is the highest of the other columns"),
            (
                [0.91, 0.88, 0.75, 0.31, 0.4, 0.2, 0.9, 0.1],
                "it has fractions, and all other columns have whole numbers",
            ),
        ],
    )
    def test_they_are_asked_about(self, write: Write, values: Sequence[float], reason: str) -> None:
        rows = [
            (f"v{row}.mp4", *given, value) for row, (*given, value) in enumerate(zip(*self.RATERS, values, strict=True))
        ]
        path = write("w.csv", ("video", "P1", "P2", "P3", "P4", "xyz"), *rows)
        with pytest.raises(UsageError, match=rf"column xyz may or may not be a rater: {reason}"):
            Ratings(path)
        assert len({rater for rater, _ in found(path, raters="P*")}) == 4

    @pytest.mark.parametrize("name", ["Best", "Pos", "Media"])
    def test_a_name_that_may_be_a_person_is_asked_about(self, write: Write, name: str) -> None:
        rows = [(f"v{row}.mp4", *given) for row, given in enumerate(zip(*self.RATERS, strict=True))]
        path = write("w.csv", ("video", "P1", "P2", "P3", name), *rows)
        with pytest.raises(UsageError, match=f"column {name} may or may not be a rater: its header"):
            Ratings(path)
        assert len({rater for rater, _ in found(path, raters="*")}) == 4

    def test_half_points_are_a_rater(self, write: Write) -> None:
        halves = [4.5, 4, 3.5, 1, 2.5, 2, 5, 1.5]
        rows = [(f"v{row}.mp4", *given) for row, given in enumerate(zip(*self.RATERS, halves, strict=True))]
        assert len({rater for rater, _ in found(write("w.csv", ("video", *"ABCDE"), *rows))}) == 5

    @pytest.mark.parametrize(
        "name", ["Moyenne", "Varianz", "平均 (整数)", "N valid", "SSIM", "HRC", "Scene ID", "Q3", "Length (s)"]
    )
    def test_their_headers_say_so(self, write: Write, name: str) -> None:
        rows = [(f"v{row}.mp4", *given, 1 + row % 3) for row, given in enumerate(zip(*self.RATERS, strict=True))]
        dataset = Ratings(write("w.csv", ("video", "P1", "P2", "P3", "P4", name), *rows))
        assert dataset.remarks[0].endswith(f"no raters: {name}")


class TestLongTables:
    """A table with a column of raters has one rating in each row."""

    def test_the_rating_may_have_an_unusual_header(self, write: Write) -> None:
        header = ("video", "trials.thisN", "slider.response", "slider.rt", "participant", "session")
        rows = [(f"v{row}.mp4", row, 1 + row % 5, 2.5, "P1", "001") for row in range(4)]
        dataset = Ratings(write("l.csv", header, *rows))
        assert {rating.video: rating.value for rating in dataset.ratings} == {f"v{n}.mp4": 1 + n % 5 for n in range(4)}
        assert "the ratings are read from column slider.response" in dataset.remarks[0]

    @pytest.mark.parametrize(
        "names", [("response time", "stars"), ("rating_rt", "stars"), ("value_index", "x"), ("connection quality", "x")]
    )
    def test_a_time_or_an_index_is_no_rating(self, write: Write, names: Sequence[str]) -> None:
        path = write("l.csv", ("video", "participant", *names), ("a.mp4", "P1", 2400, 5), ("b.mp4", "P1", 2700, 1))
        with pytest.raises(UsageError, match="no column of the rating"):
            Ratings(path)
        assert found(path, rating=names[1]) == {("P1", "a.mp4"): 5, ("P1", "b.mp4"): 1}

    @pytest.mark.parametrize("raters", [("1", "2"), ("Anna", "Ben"), ("a@x.org", "b@x.org")])
    def test_a_column_of_raters_with_another_header_is_asked_for(self, write: Write, raters: Sequence[str]) -> None:
        rows = [(f"v{row}.mp4", rater, 1 + row) for row in range(4) for rater in raters]
        path = write("l.csv", ("Video", "Proband", "Bewertung"), *rows)
        with pytest.raises(UsageError, match=r"no column of the rater .*ratings.rater=NAME.* stands in several rows"):
            Ratings(path)
        assert len(found(path, rater="Proband", rating="Bewertung")) == 8

    @pytest.mark.parametrize("names", [("trial", "rt"), ("first score", "second score")])
    def test_it_is_never_read_as_wide(self, write: Write, names: Sequence[str]) -> None:
        path = write("l.csv", ("video", *names, "participant"), ("a.mp4", 1, 2, "P1"), ("b.mp4", 2, 3, "P1"))
        with pytest.raises(UsageError, match=r"no column of the rating .*found: video, .*ratings.rating=NAME"):
            Ratings(path)


@pytest.mark.parametrize("mark", ["", "NA", "nan", "N/A", "null", "-", "n.a.", "\u2013", "\\N", "#VALUE!", "NaT"])
@pytest.mark.parametrize("form", ["long", "wide"])
def test_a_missing_rating(write: Write, mark: str, form: str) -> None:
    if form == "wide":
        path = write("r.csv", ("video", "P1", "P2"), ("a.mp4", 1, mark), ("b.mp4", 3, 4))
    else:
        rows = [("P1", "a.mp4", 1), ("P2", "a.mp4", mark), ("P1", "b.mp4", 3), ("P2", "b.mp4", 4)]
        path = write("r.csv", ("rater", "video", "rating"), *rows)
    assert found(path) == {("P1", "a.mp4"): 1, ("P1", "b.mp4"): 3, ("P2", "b.mp4"): 4}


def test_hidden_lock_and_empty_files_of_a_folder_are_passed_over(write: Write, tmp_path: Path) -> None:
    for name in ("P1", "P2"):
        write(f"{name}.csv", ("video", "rating"), ("a.mp4", 4), ("b.mp4", 2))
    for name in ("~$P2.xlsx", "._P1.csv"):
        (tmp_path / name).write_bytes(b"\x05lock")
    (tmp_path / "P3.csv").write_text("\ufeff\n")
    for path in (tmp_path, f"{tmp_path}/*"):
        dataset = Ratings(path, rater=None)
        assert {rating.rater for rating in dataset.ratings} <= {"P1", "P2"}
        assert any("P3.csv: an empty table" in remark for remark in dataset.remarks)


def test_addresses_of_a_crowd_platform_are_names(write: Write) -> None:
    address = "https://files.example.org/study/my%20clip.mp4?token=a1b2#top"
    path = write("r.csv", ("worker", "video", "rating"), ("A", address, 3), ("B", f"{address}3", 4))
    assert found(path) == {("A", "my clip.mp4"): 3, ("B", "my clip.mp4"): 4}


def test_two_addresses_of_one_name_are_refused(write: Write) -> None:
    rows = [("A", f"https://host/{folder}/clip.mp4", 3) for folder in ("a", "b")]
    with pytest.raises(UsageError, match="have one name"):
        Ratings(write("r.csv", ("worker", "video", "rating"), *rows))


@pytest.mark.parametrize("header", [("Filename", "Semantic", "Technical", "Overall"), ("video", "start", "end")])
def test_scores_of_a_model_and_bounds_of_parts_are_no_raters(write: Write, header: Sequence[str]) -> None:
    path = write("scores.csv", header, ("a.mp4", *(0.5,) * (len(header) - 1)), ("b.mp4", *(1.5,) * (len(header) - 1)))
    with pytest.raises(UsageError, match="no column of the rating"):
        Ratings(path)
