"""What training sees in an epoch: which clips share a batch, what each rank has of it, where tensors come from."""

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from itertools import chain, groupby, repeat
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from cover.decoding.decoder import Decoded, Decoder
from cover.errors import UsageError
from cover.rows import Row
from cover.training.data.batches import CENTER, Batching, ByContent, VideoBatch, epoch_batches, sampling_name
from cover.training.data.cache import TensorCache
from cover.training.data.loader import TrainingData
from cover.training.data.sets import RatedSet
from cover.video import FragmentView, ViewSpec, WholeView, load_views
from tests.helpers.clips import noise_frame, write_clip


def generator(seed: int = 0) -> np.random.Generator:
    return np.random.Generator(np.random.PCG64(seed))


class TestEpochBatches:
    @given(
        sets=st.lists(st.tuples(st.integers(1, 30), st.sampled_from([0.3, 0.5, 1.0, 1.5, 2.0, 3.0])), min_size=1),
        ranks=st.integers(1, 4),
        share=st.integers(1, 5),
        seed=st.integers(0, 2**32),
    )
    def test_every_epoch(self, sets: list[tuple[int, float]], ranks: int, share: int, seed: int) -> None:
        sizes, weights = [size for size, _ in sets], [weight for _, weight in sets]
        wanted = [round(weight * size) for size, weight in sets]
        batch_size = ranks * share
        lengths_of = [min(batch_size, count // ranks * ranks) for count in wanted]
        if min(lengths_of) < 2:  # whichever set comes first is named
            with pytest.raises(UsageError, match=f"too few for {ranks} processes|batches of one video"):
                epoch_batches(sizes, weights, batch_size, ranks, generator(seed))
            return
        batches = epoch_batches(sizes, weights, batch_size, ranks, generator(seed))
        assert batches == epoch_batches(sizes, weights, batch_size, ranks, generator(seed))

        owners = [number for number, size in enumerate(sizes) for _ in range(size)]
        drawn: list[list[int]] = [[] for _ in sizes]
        lengths: list[set[int]] = [set() for _ in sizes]
        for batch in batches:
            (owner,) = {owners[clip] for clip in batch}
            assert len(batch) % ranks == 0
            drawn[owner] += batch
            lengths[owner].add(len(batch))
        for size, count, clips, (length,) in zip(sizes, wanted, drawn, lengths, strict=True):
            assert length == min(batch_size, count // ranks * ranks)
            assert len(clips) == count // length * length
            passes = -(-count // size)
            assert max(Counter(clips).values()) <= passes  # no clip twice in a pass
            if len(clips) == count:
                assert min(Counter(clips)[clip] for clip in set(clips)) >= passes - 1

    @pytest.mark.parametrize(
        ("weight", "count", "times"), [(0.5, 8, {1}), (1, 16, {1}), (1.5, 24, {1, 2}), (2, 32, {2})]
    )
    def test_weights(self, weight: float, count: int, times: set[int]) -> None:
        batches = epoch_batches([16, 8], [weight, 1], 4, 1, generator())
        clips = Counter(clip for batch in batches for clip in batch)
        first = {clip: seen for clip, seen in clips.items() if clip < 16}
        assert sum(first.values()) == count
        assert set(first.values()) == times
        assert sum(clips.values()) == count + 8

    def test_half_of_a_set_is_another_half_in_each_epoch(self) -> None:
        rng = generator()
        halves = [frozenset(chain(*epoch_batches([16], [0.5], 4, 1, rng))) for _ in range(20)]
        assert len(set(halves)) > 10
        assert frozenset().union(*halves) == set(range(16))

    def test_no_clip_is_left_out_for_good(self) -> None:
        rng = generator()
        epochs = [list(chain(*epoch_batches([11], [1.0], 4, 1, rng))) for _ in range(20)]
        assert {len(epoch) for epoch in epochs} == {8}
        assert set().union(*epochs) == set(range(11))

    def test_sets_take_turns_at_random(self) -> None:
        batches = epoch_batches([40, 40], [1.0, 1.0], 4, 1, generator())
        owners = [batch[0] // 40 for batch in batches]
        assert owners != sorted(owners)
        assert owners != sorted(owners, reverse=True)

    @given(
        contents=st.lists(st.integers(0, 5), min_size=2, max_size=40),
        together=st.integers(1, 6),
        seed=st.integers(0, 2**32),
    )
    def test_by_content(self, contents: list[int], together: int, seed: int) -> None:
        (order,) = epoch_batches([len(contents)], [1.0], len(contents), 1, generator(seed), [contents], together)
        assert sorted(order) == list(range(len(contents)))
        if together > 1:
            expected = Counter(-(-count // together) for count in Counter(contents).values())
            # Parts of one content may come one after the other by chance, so there are at most as many runs as parts.
            assert len(list(groupby(contents[clip] for clip in order))) <= sum(
                parts * n for parts, n in expected.items()
            )

    def test_by_content_is_another_order_in_each_epoch(self) -> None:
        rng = generator()
        epochs = [epoch_batches([24], [1.0], 4, 1, rng, [[clip % 3 for clip in range(24)]], 4) for _ in range(5)]
        for batches in epochs:
            assert all(len({clip % 3 for clip in batch}) == 1 for batch in batches)
        assert len({frozenset(map(frozenset, batches)) for batches in epochs}) == 5

    def test_a_small_set_makes_one_batch(self) -> None:
        assert [sorted(batch) for batch in epoch_batches([5], [1.0], 8, 1, generator())] == [[0, 1, 2, 3, 4]]
        assert [len(batch) for batch in epoch_batches([5], [1.0], 8, 2, generator())] == [4]


def test_a_branch_may_have_ratings_of_its_own() -> None:
    rows = [Row(Path(f"{n}.mp4"), f"{n}.mp4", float(n), {"sharp": str(9 - 3 * n)}) for n in range(4)]
    rated = RatedSet("set", rows[:3], rows[3:], Decoder(), columns={"technical": "sharp"})
    assert [rated.rating(rows[3]), rated.rating(rows[3], "technical"), rated.rating(rows[3], "aesthetic")] == [3, 0, 3]
    assert rated.scales["aesthetic"] == rated.scales["overall"]
    for score in ("overall", "technical"):
        assert np.mean([rated.standardized(row, score) for row in rows[:3]]) == pytest.approx(0)
        assert np.std([rated.standardized(row, score) for row in rows[:3]]) == pytest.approx(1)
    assert rated.standardized(rows[3]) == pytest.approx(-rated.standardized(rows[3], "technical"))


def test_names_of_draws() -> None:
    assert sampling_name(0, 7, mirrored=False) == CENTER
    names = [sampling_name(n, seed, mirrored) for n in (1, 2, 12) for seed in (1, 12) for mirrored in (False, True)]
    assert len({CENTER, *names}) == 1 + len(names)


DRAWS = 3
SEED = 5


class Cached:
    """Sets of clips whose cached tensors say which clip, draw and branch they are of."""

    def __init__(self, folder: Path, sizes: Sequence[tuple[int, int]], draws: int, weights: Sequence[float]) -> None:
        self.features = {name: TensorCache(folder, f"{name}-features", {}) for name in ("semantic", "technical")}
        self.views = {"aesthetic": TensorCache(folder, "aesthetic-views", {})}
        self.samplings = [sampling_name(number, SEED, number % 2 == 1) for number in range(draws + 1)]
        self.sets = []
        for number, ((train, validation), weight) in enumerate(zip(sizes, weights, strict=True)):
            rows = [
                Row(folder / f"{number}-{clip}.mp4", f"{clip}.mp4", 10 * number + clip**1.5, {"scene": clip % 3})
                for clip in range(train + validation)
            ]
            self.sets.append(RatedSet(f"set {number}", rows[:train], rows[train:], Decoder(), weight))
        self.rows = [row for part in ("train", "validation") for rated in self.sets for row in getattr(rated, part)]

    def save(self, wide: Callable[[int], bool] = lambda clip: False) -> None:
        for clip, row in enumerate(self.rows):
            for number, draw in enumerate(self.samplings):
                for place, cache in enumerate([*self.features.values(), *self.views.values()]):
                    values = torch.tensor([clip, number, place])
                    shape = (3, 2, 2, 2) if wide(clip) and place else (3, 1, 1, 1)
                    tensor = values.view(3, 1, 1, 1).expand(shape)
                    cache.save(row, draw, tensor.float() if place < 2 else tensor.to(torch.uint8))

    def data(
        self,
        batch_size: int = 4,
        seed: int = SEED,
        by_content: ByContent | None = None,
        auxiliary: Sequence[str] = (),
    ) -> TrainingData:
        return TrainingData(
            self.sets,
            ViewSpec(),
            features=self.features,
            views=self.views,
            decoded=[],
            batching=Batching(batch_size, len(self.samplings) - 1, mirror=True, by_content=by_content),
            seed=seed,
            auxiliary=auxiliary,
        )


@pytest.fixture(scope="module")
def cached(tmp_path_factory: pytest.TempPathFactory) -> Cached:
    """A set of 9 and 5 clips, one of 8 and 2 of which an epoch takes half."""
    cached = Cached(tmp_path_factory.mktemp("cached"), [(9, 5), (8, 2)], DRAWS, [1.0, 0.5])
    cached.save()
    return cached


def epoch(data: TrainingData, number: int = 0, rank: int = 0, ranks: int = 1, part: str = "train") -> list[VideoBatch]:
    """The batches of one rank in an epoch."""
    data.trainer = SimpleNamespace(current_epoch=number, global_rank=rank, world_size=ranks)  # type: ignore[assignment]
    loader = getattr(data, f"{part}_dataloader")()
    batches = list(loader)
    assert len(loader) == len(batches)
    return batches


def test_clips_of_a_content_share_a_batch(cached: Cached) -> None:
    data = cached.data(4, by_content=ByContent("scene", 2))
    for batch in epoch(data):
        assert batch.contents is not None
        scenes = [data.videos[clip].extras["scene"] for clip in batch.videos.tolist()]
        assert [a == b for a in scenes for b in scenes] == [
            bool(a == b) for a in batch.contents for b in batch.contents
        ]
    assert all(batch.contents is None for batch in epoch(data, part="val"))
    assert all(batch.contents is None for batch in epoch(cached.data()))


def test_auxiliary_columns_are_standardized_over_all_clips_to_train_on(cached: Cached) -> None:
    data = cached.data(4, auxiliary=["scene"])
    scenes = np.array([float(str(row.extras["scene"])) for row in data.videos[: data.trained]])
    for batch in epoch(data):
        assert batch.auxiliary is not None
        assert batch.auxiliary.dtype == torch.float32
        expected = (scenes[batch.videos.numpy()] - scenes.mean()) / scenes.std()
        assert batch.auxiliary.squeeze(1).tolist() == pytest.approx(expected.tolist())
    assert all(batch.auxiliary is None for batch in epoch(data, part="val"))
    assert all(batch.auxiliary is None for batch in epoch(cached.data()))


def said(batch: VideoBatch) -> list[tuple[int, int]]:
    """Clip and draw as the tensors of a batch say them."""
    lines = []
    for group in batch.groups:
        tensors = [group.features["semantic"], group.features["technical"], group.views["aesthetic"]]
        for values in zip(*(tensor.flatten(2)[..., 0].tolist() for tensor in tensors), strict=True):
            (clip,), (draw,) = {value[0] for value in values}, {value[1] for value in values}
            assert [value[2] for value in values] == [0, 1, 2]
            lines.append((int(clip), int(draw)))
    return lines


class TestCachedClips:
    @pytest.mark.parametrize("part", ["train", "val", "predict"])
    def test_tensors_and_ratings_are_those_of_the_clips(self, cached: Cached, part: str) -> None:
        data = cached.data()
        for batch in epoch(data, part=part):
            assert [clip for clip, _ in said(batch)] == batch.videos.tolist()
            assert batch.videos.dtype == torch.int64
            assert batch.mos.dtype == torch.float32
            assert batch.mos.tolist() == pytest.approx([data.mos[clip] for clip in batch.videos])
            if part != "train":
                assert {draw for _, draw in said(batch)} == {0}

    def test_a_batch_is_of_one_set(self, cached: Cached) -> None:
        batches = epoch(cached.data())
        assert sorted(len(batch.videos) for batch in batches) == [4, 4, 4]
        assert all(len({int(clip) // 9 for clip in batch.videos}) == 1 for batch in batches)
        assert max(int(clip) for batch in batches for clip in batch.videos) < 17  # none to validate on

    def test_all_draws_are_used(self, cached: Cached) -> None:
        data = cached.data()
        drawn = Counter(draw for number in range(20) for batch in epoch(data, number) for _, draw in said(batch))
        assert set(drawn) == set(range(DRAWS + 1))
        assert min(drawn.values()) > 0.5 * drawn.total() / (DRAWS + 1)

    def test_mirrored_draws_are_named(self, cached: Cached) -> None:
        assert cached.data().samplings == [CENTER, "random 5 1 mirrored", "random 5 2", "random 5 3 mirrored"]

    def test_seed_and_epoch_decide(self, cached: Cached) -> None:
        def lines(data: TrainingData, number: int) -> list[list[tuple[int, int]]]:
            return [said(batch) for batch in epoch(data, number)]

        first = lines(cached.data(), 0)
        torch.manual_seed(123)
        assert lines(cached.data(), 0) == first
        data = cached.data()
        assert lines(data, 1) != first
        assert lines(data, 0) == first  # whatever came before
        data.seed += 1  # the draws keep their names, which hold the seed
        assert lines(data, 0) != first

    def test_batches_draw_no_random_number_that_dropout_is_to_have(self, cached: Cached) -> None:
        torch.manual_seed(0)
        expected = torch.rand(3)
        torch.manual_seed(0)
        epoch(cached.data())
        assert torch.equal(torch.rand(3), expected)

    @pytest.mark.parametrize("ranks", [2, 4])
    def test_ranks_share_the_batches_of_one_process(self, cached: Cached, ranks: int) -> None:
        data = cached.data(batch_size=4 // ranks)
        shares = [epoch(data, 3, rank, ranks) for rank in range(ranks)]
        assert {len(batch.videos) for share in shares for batch in share} == {4 // ranks}
        together = [sorted(chain.from_iterable(map(said, parts))) for parts in zip(*shares, strict=True)]
        assert together == [sorted(said(batch)) for batch in epoch(cached.data(batch_size=4), 3)]

    @pytest.mark.parametrize("part", ["val", "predict"])
    @pytest.mark.parametrize("ranks", [1, 2, 3, 8])
    def test_every_clip_is_measured_once(self, cached: Cached, ranks: int, part: str) -> None:
        data = cached.data()
        clips = [clip for rank in range(ranks) for batch in epoch(data, 2, rank, ranks, part) for clip in batch.videos]
        expected = range(17, 24) if part == "val" else range(24)
        assert sorted(map(int, clips)) == list(expected)

    def test_clips_of_different_shapes_share_a_batch(self, tmp_path: Path) -> None:
        cached = Cached(tmp_path, [(8, 6)], 0, [1.0])
        cached.save(wide=lambda clip: clip % 3 == 0)
        for part in ("train", "val"):
            data = cached.data(batch_size=6)
            (batch,) = epoch(data, part=part)
            assert len(batch.groups) == 2
            assert [clip for clip, _ in said(batch)] == batch.videos.tolist()
            assert batch.mos.tolist() == pytest.approx([data.mos[clip] for clip in batch.videos])
            shapes = [tuple(group.views["aesthetic"].shape[2:]) for group in batch.groups]
            assert sorted(shapes) == [(1, 1, 1), (2, 2, 2)]

    def test_a_damaged_file_stops_the_run(self, tmp_path: Path) -> None:
        cached = Cached(tmp_path, [(4, 2)], 0, [1.0])
        cached.save()
        damaged = sorted(cached.features["technical"].folder.glob("*.safetensors"))[0]
        damaged.write_bytes(b"")
        with pytest.raises(UsageError, match=damaged.name):
            [*epoch(cached.data()), *epoch(cached.data(), part="val")]


def test_ratings_are_on_the_scale_of_their_set(cached: Cached) -> None:
    data = cached.data()
    assert data.trained == 17
    assert [rated.name for rated in data.owners] == ["set 0"] * 9 + ["set 1"] * 8 + ["set 0"] * 5 + ["set 1"] * 2
    for rated in cached.sets:
        mos = np.array([row.mos for row in rated.train])
        own = np.array([mos for mos, owner in zip(data.mos, data.owners, strict=True) if owner is rated])
        assert own[: len(mos)].mean() == pytest.approx(0, abs=1e-12)
        assert own[: len(mos)].std() == pytest.approx(1)
        held_out = np.array([row.mos for row in rated.validation])
        assert own[len(mos) :] == pytest.approx((held_out - mos.mean()) / mos.std())


HERE = Decoder(workers=0)

SPEC = ViewSpec(
    WholeView(fragments=2, frames=1, size=32), FragmentView(fragments=2, frames=2, grid=2), WholeView(2, 2, size=32)
)


@pytest.fixture(scope="module")
def clips(tmp_path_factory: pytest.TempPathFactory) -> list[Row]:
    """Six clips whose views differ from each other, from draw to draw, and from their mirror images."""
    folder = tmp_path_factory.mktemp("clips")
    rows = []
    for number in range(6):
        frames = [noise_frame(100 * number + frame, 96, 96) for frame in range(24)]
        path = write_clip(folder / f"{number}.mp4", frames, options={"preset": "ultrafast", "threads": "1"})
        rows.append(Row(path, path.name, float(number)))
    return rows


class TestDecodedClips:
    @staticmethod
    def data(rows: Sequence[Row], mirror: bool = True, batch_size: int = 2) -> TrainingData:
        return TrainingData(
            [RatedSet("set", rows[:4], rows[4:], HERE)],
            SPEC,
            features={},
            views={},
            decoded=["technical", "aesthetic"],
            batching=Batching(batch_size, samplings=0, mirror=mirror),
            seed=SEED,
        )

    @staticmethod
    def items(batches: Sequence[VideoBatch]) -> Iterator[tuple[int, Tensor]]:
        """Each clip with its aesthetic view."""
        for batch in batches:
            views = [view for group in batch.groups for view in group.views["aesthetic"]]
            yield from zip(batch.videos.tolist(), views, strict=True)

    @pytest.mark.parametrize("part", ["val", "predict"])
    def test_the_centre_as_it_is_is_measured(self, clips: list[Row], part: str) -> None:
        batches = epoch(self.data(clips), part=part)
        for clip, view in self.items(batches):
            (expected,) = load_views(clips[clip].path, SPEC).views
            assert torch.equal(view, torch.from_numpy(expected["aesthetic"]))
        assert set(batches[0].groups[0].views) == {"technical", "aesthetic"}
        assert batches[0].groups[0].features == {}

    def test_each_epoch_has_other_frames(self, clips: list[Row]) -> None:
        data = self.data(clips, mirror=False)
        first, second, again = (dict(self.items(epoch(data, number))) for number in (0, 1, 0))
        assert set(first) == set(second) == {0, 1, 2, 3}
        for clip, view in first.items():
            assert not torch.equal(view, second[clip])
            assert torch.equal(view, again[clip])

    def test_mirrored_views_are_flipped(self, clips: list[Row]) -> None:
        plain, mirrored = self.data(clips, mirror=False), self.data(clips)
        flipped = []
        for number in range(4):
            for ours, others in zip(epoch(plain, number), epoch(mirrored, number), strict=True):
                assert torch.equal(ours.videos, others.videos)
                for place in range(len(ours.videos)):
                    views, turned = ({n: v[place] for n, v in b.groups[0].views.items()} for b in (ours, others))
                    same = all(torch.equal(turned[name], view) for name, view in views.items())
                    assert same or all(torch.equal(turned[name], view.flip(-1)) for name, view in views.items())
                    flipped.append(not same)
        assert 0 < sum(flipped) < len(flipped)

    def test_another_clip_stands_for_one_that_is_lost(
        self, clips: list[Row], tmp_path: Path, caplog: pytest.LogCaptureFixture
    ) -> None:
        broken = tmp_path / "broken.mp4"
        broken.write_bytes(b"no video")
        rows = [Row(broken, "broken.mp4", 0.5), *clips[1:]]
        data = self.data(rows, batch_size=4)
        (batch,) = epoch(data)
        assert len(batch.videos) == 4  # ranks stay in step
        assert set(batch.videos.tolist()) == {1, 2, 3}
        assert batch.mos.tolist() == pytest.approx([data.mos[clip] for clip in batch.videos])
        views = list(self.items([batch]))
        (twice,) = (clip for clip, count in Counter(batch.videos.tolist()).items() if count == 2)
        first, second = (view for clip, view in views if clip == twice)
        assert torch.equal(first, second)
        assert str(broken) in caplog.text

    def test_a_batch_of_which_nothing_can_be_read(self, clips: list[Row], tmp_path: Path) -> None:
        rows = [Row(tmp_path / f"{number}.mp4", f"gone-{number}", float(number)) for number in range(4)]
        with pytest.raises(UsageError, match=r"gone-\d, gone-\d") as raised:
            epoch(self.data([*rows, *clips[4:]]))
        assert len(str(raised.value).splitlines()) == 1

    def test_features_and_views_are_of_the_same_clips(self, clips: list[Row], tmp_path: Path) -> None:
        cache = TensorCache(tmp_path, "semantic-features", {})
        for clip, row in enumerate(clips):
            cache.save(row, CENTER, torch.full((3, 4), float(clip)))
        data = self.data(clips)
        data.features, data.decoded = {"semantic": cache}, ["aesthetic"]
        for batch in epoch(data, part="predict"):
            (group,) = batch.groups
            assert group.features["semantic"][:, 0, 0].tolist() == batch.videos.tolist()
            assert set(group.views) == {"aesthetic"}


def test_decoding_ends_with_the_epoch(tmp_path: Path) -> None:
    """A loop that stops early leaves no decoding process behind."""
    closed = []

    class Endless(Decoder):
        @contextmanager
        def views(self, *_: object, **__: object) -> Iterator[Iterator[Decoded]]:
            loaded: Any = SimpleNamespace(views=[{"aesthetic": np.zeros((3, 2, 4, 4), dtype=np.uint8)}])
            try:
                yield repeat((Row(tmp_path, "x"), loaded))
            finally:
                closed.append(True)

    rows = [Row(tmp_path, str(number), float(number)) for number in range(8)]
    data = TestDecodedClips.data(rows)
    data.sets = [RatedSet("set", rows[:4], rows[4:], Endless())]
    data.decoded = ["aesthetic"]
    iterator = iter(data.train_dataloader())
    next(iterator)
    assert not closed
    del iterator
    assert closed
