"""Files that are whole at every moment."""

import csv
import io
import os
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cover.errors import UsageError
from cover.files import (
    content_digest,
    csv_line,
    replacing,
    sole_writer,
    temporary_folder,
    write_rows,
    write_text,
)
from cover.text import as_cell


def test_a_failure_leaves_the_old_file_and_nothing_else(tmp_path: Path) -> None:
    file = tmp_path / "a.txt"
    write_text(file, "old")

    def fail() -> None:
        with replacing(file) as partial:
            partial.write_text("half")
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail()
    assert file.read_text() == "old"
    assert list(tmp_path.iterdir()) == [file]


def test_writers_of_one_file_do_not_meet(tmp_path: Path) -> None:
    texts = [str(number) * 20_000 for number in range(8)]
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda text: write_text(tmp_path / "a.txt", text), texts * 5))
    assert (tmp_path / "a.txt").read_text() in texts
    assert [path.name for path in tmp_path.iterdir()] == ["a.txt"]


def test_others_may_read_it_as_any_new_file(tmp_path: Path) -> None:
    (tmp_path / "plain").touch()
    write_text(tmp_path / "ours", "x")
    assert (tmp_path / "ours").stat().st_mode == (tmp_path / "plain").stat().st_mode


def test_a_name_may_be_as_long_as_a_name_can_be(tmp_path: Path) -> None:
    write_text(tmp_path / ("n" * 255), "x")
    assert (tmp_path / ("n" * 255)).read_text() == "x"


def test_rows_are_valid_utf8(tmp_path: Path) -> None:
    write_rows(tmp_path / "a.csv", ("Filename",), [(os.fsdecode(b"\xff,.mp4"),)])
    assert (tmp_path / "a.csv").read_text(encoding="utf-8") == 'Filename\n"\\udcff,.mp4"\n'


def test_one_writer_at_a_time(tmp_path: Path) -> None:
    second = sole_writer(tmp_path / "out")
    with sole_writer(tmp_path / "out"), pytest.raises(UsageError, match="another run is writing there"):
        second.__enter__()
    with sole_writer(tmp_path / "out"):
        (tmp_path / "out/kept").touch()
    with sole_writer(tmp_path / "refused"):
        pass
    assert [path.name for path in tmp_path.iterdir()] == ["out"]


@given(st.lists(st.text(), min_size=1, max_size=5))
def test_a_line_of_csv_is_as_the_csv_module_writes_it(cells: list[str]) -> None:
    text = io.StringIO()
    csv.writer(text).writerow([*map(as_cell, cells)])
    assert csv_line(*cells) == text.getvalue().removesuffix("\r\n")


class TestTemporaryFolders:
    """Folders of killed processes go with the next run; all others stay."""

    @pytest.fixture
    def place(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
        monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
        return tmp_path

    def test_goes_with_its_block(self, place: Path) -> None:
        with temporary_folder() as folder:
            (folder / "index").touch()
            assert folder.parent == place
        assert not list(place.iterdir())

    def test_what_a_killed_process_left_is_removed(self, place: Path) -> None:
        code = (
            "import os, signal, tempfile, sys; from cover.files import temporary_folder\n"
            "tempfile.tempdir = sys.argv[1]\n"
            "with temporary_folder() as folder:\n"
            "    (folder / 'index').touch(); os.kill(os.getpid(), signal.SIGKILL)"
        )
        subprocess.run([sys.executable, "-c", code, str(place)], check=False)
        (left,) = place.iterdir()
        with temporary_folder() as folder:
            assert list(place.iterdir()) == [folder]
        assert not left.exists()

    def test_folders_of_others_and_links_stay(self, place: Path) -> None:
        with temporary_folder() as folder:
            machine = folder.name.split("-")[1]
        (place / "elsewhere").mkdir()
        stay = [place / f"cover-{machine}-{os.getpid()}-abc", place / "cover-0-99999999-abc", place / "cover-notes"]
        for path in stay:
            path.mkdir()
        link = place / f"cover-{machine}-99999999-link"
        link.symlink_to(place / "elsewhere")
        with temporary_folder():
            pass
        assert all(path.is_dir() for path in [*stay, place / "elsewhere"])
        assert link.is_symlink()


@pytest.mark.parametrize("size", [0, 1, 65_536, 65_537, 200_000])
def test_a_digest_is_of_the_content_alone(size: int, tmp_path: Path) -> None:
    data = bytes(number % 251 for number in range(size))
    for name in ("a.mp4", "b.mkv"):
        (tmp_path / name).write_bytes(data)
    (tmp_path / "longer").write_bytes(data + b"x")
    digest = content_digest(tmp_path / "a.mp4")
    assert digest == content_digest(tmp_path / "b.mkv")
    assert digest != content_digest(tmp_path / "longer")
    if size:
        (tmp_path / "end").write_bytes(data[:-1] + b"\xff")
        assert digest != content_digest(tmp_path / "end")
    assert content_digest(tmp_path / "gone") is None
