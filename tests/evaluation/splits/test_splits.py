"""Splits: the official ones to the row, no content on both sides, and files that cannot leak unseen."""

import csv
import random
from collections.abc import Sequence
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cover.errors import UsageError
from cover.evaluation.splits.splits import (
    check_leaks,
    column_split,
    grouped_splits,
    random_splits,
    read_split,
    write_split,
)
from cover.rows import Row, part_of


def rows(*names: str, **columns: Sequence[object]) -> list[Row]:
    extras = [dict(zip(columns, values, strict=True)) for values in zip(*columns.values(), strict=True)]
    return [Row(Path(name), name, None, extras[i] if extras else {}) for i, name in enumerate(names)]


def names(part: Sequence[Row]) -> list[str]:
    return [row.name for row in part]


KONVID = rows(*(f"{i}.mp4" for i in range(1200)))
THREE = rows("a.mp4", "b.mp4", "c.mp4", content=["x", "x", "y"])


class TestRandom:
    @pytest.mark.parametrize("count", [5, 208, 1147, 1200])
    def test_reproduces_the_official_shuffle(self, count: int) -> None:
        lines = [f"{i}.mp4" for i in range(count)]
        for k, split in enumerate(random_splits(rows(*lines))):
            random.seed(42 * (k + 1))
            shuffled = lines.copy()
            random.shuffle(shuffled)
            assert names(split["train"]) == shuffled[: int(0.8 * count)]
            assert names(split["test"]) == shuffled[int(0.8 * count) :]

    def test_is_pinned_to_what_python_draws(self) -> None:
        assert names(random_splits(KONVID)[0]["train"])[:3] == ["439.mp4", "841.mp4", "491.mp4"]

    def test_leaves_the_global_generator_alone(self) -> None:
        state = random.getstate()
        random_splits(KONVID, k=1)
        assert random.getstate() == state

    @pytest.mark.parametrize(
        ("options", "message"),
        [({"k": 0}, "k=0"), ({"train": 0}, "train=0"), ({"train": 1.0}, "train=1"), ({"train": 0.1}, "none for train")],
    )
    def test_wrong_options(self, options: dict[str, float], message: str) -> None:
        with pytest.raises(UsageError, match=message):
            random_splits(THREE, **options)

    def test_no_rows_and_equal_names(self) -> None:
        with pytest.raises(UsageError, match="0 videos"):
            random_splits([])
        with pytest.raises(UsageError, match=r"split: a\.mp4"):
            random_splits(rows("a.mp4", "a.mp4", "b.mp4"))

    @given(st.lists(st.integers(1, 5), min_size=2, max_size=20))
    def test_all_parts_of_a_video_are_on_one_side(self, counts: list[int]) -> None:
        videos = rows(*(f"{number}.mp4" for number in range(len(counts))))
        parts = [
            part_of(video, float(start), start + 1.0)
            for video, count in zip(videos, counts, strict=True)
            for start in range(count)
        ]
        for split, of_videos in zip(random_splits(parts, 3), random_splits(videos, 3), strict=True):
            for side, found in split.items():
                assert list(dict.fromkeys(row.video for row in found)) == names(of_videos[side])
            assert sorted(names([*split["train"], *split["test"]])) == sorted(names(parts))


class TestGrouped:
    @given(
        contents=st.lists(st.integers(0, 6), min_size=2, max_size=40).filter(lambda values: len(set(values)) > 1),
        train=st.floats(0.05, 0.95),
    )
    def test_no_content_on_both_sides_and_nobody_lost(self, contents: list[int], train: float) -> None:
        dataset = rows(*map(str, range(len(contents))), content=contents)
        largest = max(map(contents.count, contents))
        for split in grouped_splits(dataset, "content", k=3, train=train):
            sides = [{row.extras["content"] for row in part} for part in split.values()]
            assert sides[0]
            assert sides[1]
            assert not sides[0] & sides[1]
            assert sorted(names(split["train"] + split["test"]), key=int) == names(dataset)
            assert abs(len(split["train"]) - train * len(dataset)) <= largest

    def test_shares_are_met_where_contents_allow(self) -> None:
        dataset = rows(*map(str, range(100)), content=[i // 4 for i in range(100)])
        splits = grouped_splits(dataset, "content")
        assert [len(split["train"]) for split in splits] == [80] * 10
        assert len({tuple(names(split["test"])) for split in splits}) == 10

    @pytest.mark.parametrize("missing", [None, "", float("nan")])
    def test_a_row_without_content(self, missing: object) -> None:
        with pytest.raises(UsageError, match=r"b\.mp4: no content"):
            grouped_splits(rows("a.mp4", "b.mp4", content=["x", missing]), "content")

    def test_one_content_or_another_column(self) -> None:
        with pytest.raises(UsageError, match="1 contents cannot be split"):
            grouped_splits(THREE[:2], "content")
        with pytest.raises(UsageError, match=r"a\.mp4: no scene \(it has: content\)"):
            grouped_splits(THREE, "scene")


class TestColumn:
    def test_one_part_a_value(self) -> None:
        dataset = rows("a", "b", "c", split=["training", "test", "training"])
        assert {part: names(found) for part, found in column_split(dataset).items()} == {
            "training": ["a", "c"],
            "test": ["b"],
        }

    def test_a_row_without_a_part(self) -> None:
        with pytest.raises(UsageError, match="no subset"):
            column_split(THREE, "subset")


class TestFiles:
    @given(
        assignment=st.dictionaries(
            st.text(st.characters(codec="utf-8"), min_size=1), st.sampled_from("abc"), min_size=1
        )
    )
    def test_round_trip(self, tmp_path_factory: pytest.TempPathFactory, assignment: dict[str, str]) -> None:
        path = tmp_path_factory.mktemp("split") / "new" / "split.csv"
        dataset = rows(*assignment, split=list(assignment.values()))
        split = column_split(dataset)
        write_split(path, split)
        assert read_split(path, reversed(dataset)) == split

    def test_is_a_plain_table(self, tmp_path: Path) -> None:
        write_split(tmp_path / "split.csv", {"train": THREE[:2], "test": THREE[2:]})
        assert (
            tmp_path / "split.csv"
        ).read_bytes() == b"Filename,split\r\na.mp4,train\r\nb.mp4,train\r\nc.mp4,test\r\n"

    def test_names_that_are_no_utf8(self, tmp_path: Path) -> None:
        split = {"train": rows("caf\udce9.mp4")}
        write_split(tmp_path / "split.csv", split)
        assert read_split(tmp_path / "split.csv", split["train"]) == split

    @pytest.mark.parametrize(
        ("lines", "message"),
        [
            (
                ["a.mp4,train", "b.mp4,train", "z.mp4,test", "y.mp4,test", "c.mp4,test"],
                "the dataset has no z.mp4 and 1 more",
            ),
            (["a.mp4,train"], "b.mp4 and 1 more of the dataset in no split"),
            (["a.mp4,train", "b.mp4,train", "a.mp4,train"], "line 4: a.mp4 appears twice in train"),
            (["a.mp4,train", "b.mp4,train", "a.mp4,test"], "line 4: a.mp4 appears in train and in test"),
            (["a.mp4,train", "b.mp4,"], "line 3: split is empty"),
            (["a.mp4,train", ",test"], "line 3: Filename is empty"),
            (["a.mp4"], "line 2: split is empty"),
            (['"a.mp4'], "not a readable table"),
            ([], "names no video"),
            (["a.mp4,train", "b.mp4,test", "c.mp4,test"], "content x is in train and in test"),
        ],
    )
    def test_what_is_wrong_with_a_file(self, tmp_path: Path, lines: list[str], message: str) -> None:
        path = tmp_path / "split.csv"
        path.write_text("\n".join(["Filename,split", *lines]))
        with pytest.raises(UsageError) as caught:
            read_split(path, THREE, content="content")
        assert message in str(caught.value)
        assert "\n" not in str(caught.value)

    def test_wrong_header_no_file_no_folder(self, tmp_path: Path) -> None:
        (tmp_path / "split.csv").write_text("video,split\na.mp4,train\n")
        with pytest.raises(UsageError, match=r"no column Filename \(found: video, split\)"):
            read_split(tmp_path / "split.csv", THREE)
        with pytest.raises(UsageError, match=r"none\.csv: No such file"):
            read_split(tmp_path / "none.csv", THREE)
        with pytest.raises(UsageError, match=r"split\.csv"):
            write_split(tmp_path / "split.csv" / "below", {"train": THREE})

    def test_columns_may_come_in_any_order_with_others(self, tmp_path: Path) -> None:
        with (tmp_path / "split.csv").open("w", newline="", encoding="utf-8-sig") as file:
            csv.writer(file).writerows([("split", "mos", "Filename"), *(("test", 1, row.name) for row in THREE)])
        assert read_split(tmp_path / "split.csv", THREE) == {"test": THREE}


def test_leaks_between_parts() -> None:
    check_leaks({"train": THREE[:2], "test": THREE[2:]}, "content")
    with pytest.raises(UsageError, match="content x is in train and in test"):
        check_leaks({"train": THREE[:1], "test": THREE[1:]}, "content")
    with pytest.raises(UsageError, match=r"b\.mp4 is in train and in test"):
        check_leaks({"train": THREE[:2], "test": THREE[1:]})
    with pytest.raises(UsageError, match="more than once in test"):
        check_leaks({"train": THREE[:1], "test": [THREE[2], THREE[2]]})
