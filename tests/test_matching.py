"""Names of one video that files spell differently."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cover.matching import last_part, local_name, match, spelled_otherwise, without_suffix


@pytest.mark.parametrize(
    ("name", "known"),
    [
        ("d00.mp4", "d00.mp4"),
        ("clips/d00.mp4", "d00.mp4"),
        ("D:\\clips\\d00.mp4", "d00.mp4"),
        ("https://host/study/d00.mp4?token=a1", "d00.mp4"),
        ("https://host/my%20clip.mp4#t=1", "my clip.mp4"),
        ("my%20clip.mp4", "my clip.mp4"),
        ("d00", "d00.mp4"),
        ("d00.avi", "d00.mp4"),
        ("https://host/d00", "sub/d00.mp4"),
    ],
)
def test_one_video_is_found_whichever_way_it_is_spelled(name: str, known: str) -> None:
    others = ["other.mp4", "d01.mp4"]
    assert match([name, "d01.mp4"], [*others, known]) == {name: known, "d01.mp4": "d01.mp4"}


@pytest.mark.parametrize(
    ("names", "known"),
    [
        (["d00"], ["d00.mp4", "d00.avi"]),  # two videos could be meant
        (["a/d00", "b/d00"], ["d00.mp4"]),  # two names for one video
        (["clip.mp4"], ["a/clip.mp4", "b/clip.mp4"]),
        (["clip0.5"], ["clip0.mp4"]),  # a fraction is not a suffix
        (["d00.mp4"], ["d01.mp4"]),
    ],
)
def test_what_could_be_several_is_left_out(names: list[str], known: list[str]) -> None:
    assert match(names, known) == {}


def test_an_exact_name_wins() -> None:
    assert match(["d00.mp4", "x/d00.mp4"], ["d00.mp4"]) == {"d00.mp4": "d00.mp4"}


NAMES = st.text("ab./%0", min_size=1, max_size=6)


@given(st.lists(NAMES, unique=True), st.lists(NAMES, unique=True))
def test_a_video_is_matched_at_most_once(names: list[str], known: list[str]) -> None:
    matched = match(names, known)
    assert set(matched) <= set(names)
    assert set(matched.values()) <= set(known)
    assert len(set(matched.values())) == len(matched)
    assert all(matched[name] == name for name in set(names) & set(known))


@given(st.text())
def test_any_text_has_its_parts(text: str) -> None:
    assert isinstance(last_part(text), str)
    assert text.startswith(without_suffix(text))
    assert local_name(f"x/{text}") == f"x/{text}"


def test_other_spellings_are_said() -> None:
    assert spelled_otherwise({"a.mp4": "a.mp4"}) is None
    said = spelled_otherwise({"a": "a.mp4", "b.mp4": "b.mp4"})
    assert said == "1 of 2 names are matched to other spellings, such as 'a' to 'a.mp4'"
