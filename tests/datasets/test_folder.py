"""Folders: what is scored, what is left out, and folders of frames."""

from pathlib import Path

import pytest
from cover.datasets.folder import Folder

from cover.errors import UsageError


def touch(folder: Path, *names: str) -> None:
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).touch()


def test_what_is_left_out_is_counted_by_suffix(tmp_path: Path) -> None:
    touch(tmp_path, "a.mp4", "b.HEIC", *(f"{n}.txt" for n in range(9)), "x.psd", "y/z.PSD", "README", ".hidden")
    folder = Folder(tmp_path)
    assert [row.name for row in folder] == ["a.mp4", "b.HEIC"]
    assert folder.remarks == ["skipped 12 files that are no videos or images (.txt 9, .psd 2, no suffix 1)"]


def test_one_that_is_left_out(tmp_path: Path) -> None:
    touch(tmp_path, "a.mp4", "notes.txt")
    assert Folder(tmp_path).remarks == ["skipped 1 file that is no video or image (.txt)"]


def test_a_folder_with_nothing_to_score_says_what_it_has(tmp_path: Path) -> None:
    touch(tmp_path, "a.psd", "b.psd")
    with pytest.raises(UsageError, match=r"no video or image in it; it has .psd 2"):
        Folder(tmp_path)


class TestFrames:
    @pytest.fixture
    def clips(self, tmp_path: Path) -> Path:
        for clip in ("one", "sub/two"):
            touch(tmp_path / "clips", *(f"{clip}/{number:05}.png" for number in range(1, 13)))
        touch(tmp_path / "clips", "three.mp4")
        return tmp_path / "clips"

    def test_each_folder_is_a_video(self, clips: Path) -> None:
        folder = Folder(clips, frames=True)
        assert [(row.name, row.path) for row in folder] == [
            ("one", clips / "one"),
            ("sub/two", clips / "sub/two"),
            ("three.mp4", clips / "three.mp4"),
        ]
        assert folder.remarks == []

    def test_a_single_folder_has_its_own_name(self, clips: Path) -> None:
        (row,) = Folder(clips / "one", frames=True)
        assert (row.name, row.path) == ("one", clips / "one")

    def test_a_glob_of_folders(self, clips: Path) -> None:
        assert [row.name for row in Folder(clips / "o*", frames=True)] == ["one"]
        with pytest.raises(UsageError, match=r"the glob matches no file; of folders .* data.frames=true"):
            Folder(clips / "o*")

    def test_without_the_option_a_line_names_it(self, clips: Path) -> None:
        folder = Folder(clips)
        assert len(list(folder)) == 25
        (remark,) = folder.remarks
        assert remark.endswith("look like frames of a video: data.frames=true scores such a folder as one video")
        assert remark.startswith("2 folders, such as ")

    @pytest.mark.parametrize(
        "names",
        [
            [f"{number}.png" for number in range(3)],  # a few
            [f"{name}.png" for name in "abcdefghij"],  # no numbers
            [f"{number**2}.jpg" for number in range(20)],  # photos that were picked
        ],
    )
    def test_other_images_do_not_look_so(self, names: list[str], tmp_path: Path) -> None:
        touch(tmp_path, *names)
        assert Folder(tmp_path).remarks == []


@pytest.mark.parametrize(
    "folder", ["@eaDir", "@Recycle", "#recycle", "$RECYCLE.BIN", "lost+found", "__MACOSX", "System Volume Information"]
)
def test_folders_of_a_system_are_left_out_and_named(tmp_path: Path, folder: str) -> None:
    touch(tmp_path, "clip.mp4", "sub/other.mp4", f"sub/{folder}/other.mp4/thumbnail.jpg", f"{folder}/old.mp4")
    dataset = Folder(tmp_path)
    assert [row.name for row in dataset] == ["clip.mp4", "sub/other.mp4"]
    assert f"a system's own folder was left out: {tmp_path / folder} and 1 more" in dataset.remarks
    assert [row.name for row in Folder(f"{tmp_path}/**/*.*")] == ["clip.mp4", "sub/other.mp4"]


def test_a_folder_of_a_system_that_is_named_is_read(tmp_path: Path) -> None:
    touch(tmp_path, "lost+found/clip.mp4")
    assert [row.name for row in Folder(tmp_path / "lost+found")] == ["clip.mp4"]
