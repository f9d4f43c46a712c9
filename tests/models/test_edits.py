"""Edited windows read from the unedited one's states, against full passes over each edited window."""

from collections.abc import Callable
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from torch import Tensor

import janusdna
from janusdna import SequenceError
from janusdna.checkpoint import Checkpoint, save
from janusdna.nn import blocks, streams, target_reading
from janusdna.nn.blocks import blocks_of
from janusdna.nn.edits import Edit, backward_walk, cut_points, forward_walk
from janusdna.nn.model import JanusDNA
from janusdna.nn.target_reading import TargetReading
from janusdna.ops.backends import REFERENCE, Kernels
from janusdna.reader import Model, load

from ..closeness import assert_as_close
from ..networks import WIDTH

Make = Callable[..., JanusDNA]
Draw = Callable[[int, int], Tensor]


def edit(length: int, row: int, start: int, size: int, ids: list[int], span: int) -> Edit:
    end = start + size
    return Edit(
        row, start, end, torch.tensor(ids, dtype=torch.long), max(0, start - span), min(length, end + span)
    )


def edits_of(length: int, span: int, rows: int = 2) -> list[Edit]:
    """Of every kind, at both ends and in the middle, one base apart and at one place."""
    middle = length // 2
    wanted = [(p, 1, [7 + p % 4]) for p in (0, 1, middle, middle + 1, length - 1)]
    wanted += [(middle, 1, [8]), (middle, 1, [9]), (middle - 1, 3, [10, 7, 8])]
    wanted += [(p, 0, [9, 9, 8, 7, 10]) for p in (0, middle, length)]
    wanted += [(0, length // 3, []), (middle, length // 3, [8]), (length - length // 3, length // 3, [])]
    kept = [(p, r, ids) for p, r, ids in wanted if p + r <= length and length + len(ids) - r >= 3]
    return [edit(length, i % rows, p, r, ids, span) for i, (p, r, ids) in enumerate(kept)]


def targets_for(edits: list[Edit], rows: int) -> Tensor:
    """What the edits read, by row, the shorter rows filled up with their last."""
    needed = [
        sorted({p for e in edits if e.row == row for p in range(e.first, e.last)}) for row in range(rows)
    ]
    most = max(map(len, needed))
    return torch.tensor([(at + [at[-1] if at else 0] * most)[:most] for at in needed])


def edited_window(ids: Tensor, change: Edit) -> Tensor:
    """The whole of it, (1, T')."""
    window = ids[change.row]
    return torch.cat((window[: change.start], change.ids, window[change.end :]))[None]


def logits_of(network: JanusDNA, ids: Tensor, edits: list[Edit]) -> list[Tensor]:
    """By reading edits."""
    with torch.inference_mode():
        return [reading.logits for reading in network.read(ids, targets_for(edits, len(ids)), edits).edits]


def full_logits_of(network: JanusDNA, ids: Tensor, edits: list[Edit]) -> list[Tensor]:
    """By full passes over the edited windows."""
    with torch.inference_mode():
        return [network(edited_window(ids, e)).logits[0, e.first : e.stop] for e in edits]


def compare(network: JanusDNA, ids: Tensor, edits: list[Edit], tolerance: float) -> None:
    """All predictions against full passes over each window, edited or not."""
    targets = targets_for(edits, len(ids))
    with torch.inference_mode():
        plain = network.read(ids, targets, edits)
        whole = network(ids)
        for name in ("hidden", "logits"):
            expected = getattr(whole, name)[torch.arange(len(ids))[:, None], targets]
            assert (getattr(plain, name) - expected).abs().max() <= tolerance
        for change, found in zip(edits, plain.edits, strict=True):
            full = network(edited_window(ids, change))
            for name in ("hidden", "logits"):
                expected = getattr(full, name)[0, change.first : change.stop]
                assert getattr(found, name).shape == expected.shape
                error = (getattr(found, name) - expected).abs().max()
                assert error <= tolerance, f"{change}: {name} off by {error}"


@pytest.fixture
def small_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    """So that short windows have several blocks, cuts and batches."""
    monkeypatch.setattr(blocks, "_NARROWEST", 9)
    monkeypatch.setattr(streams, "_MIN_CHUNK", 16)
    for name, value in {"_CLOSEST_CUTS": 8, "_EDITED_BASES": 60, "_ALIKE": 5}.items():
        monkeypatch.setattr(target_reading, name, value)


@pytest.mark.parametrize("attention_layers", [(2,), ()], ids=["midattn", "nomidattn"])
@pytest.mark.parametrize("chunk", [None, 16], ids=["whole", "chunks"])
@pytest.mark.parametrize(("length", "span"), [(3, 2), (4, 1), (7, 3), (40, 5), (101, 30)])
def test_edits_equal_full_passes(
    make_network: Make,
    random_ids: Draw,
    small_pieces: None,
    attention_layers: tuple[int, ...],
    chunk: int | None,
    length: int,
    span: int,
) -> None:
    kernels = replace(REFERENCE, chunk_values=None if chunk is None else 2 * WIDTH * chunk)
    network = make_network(kernels, attention_layers=attention_layers).cast(torch.float64)
    compare(network, random_ids(2, length), edits_of(length, span), 1e-11)


@pytest.mark.parametrize("attention_layers", [(2,), ()], ids=["midattn", "nomidattn"])
def test_edits_in_one_block_and_one_chunk(
    make_network: Make, random_ids: Draw, attention_layers: tuple[int, ...]
) -> None:
    network = make_network(attention_layers=attention_layers).cast(torch.float64)
    compare(network, random_ids(2, 90), edits_of(90, 12), 1e-11)


@pytest.mark.parametrize("attention_layers", [(2,), ()], ids=["midattn", "nomidattn"])
def test_edits_by_the_cpu_kernels(
    make_network: Make, random_ids: Draw, cpu_kernels: Kernels, attention_layers: tuple[int, ...]
) -> None:
    network = make_network(cpu_kernels, attention_layers=attention_layers)
    compare(network, random_ids(2, 700), edits_of(700, 40), 1e-5)


@pytest.mark.parametrize("attention_layers", [(2,), ()], ids=["midattn", "nomidattn"])
@pytest.mark.parametrize("chunk", [None, 16], ids=["whole", "chunks"])
@pytest.mark.parametrize(("length", "span"), [(40, 5), (101, 30)])
def test_edits_in_float32_are_as_exact_as_full_passes(
    make_network: Make,
    random_ids: Draw,
    cpu_kernels: Kernels,
    small_pieces: None,
    attention_layers: tuple[int, ...],
    chunk: int | None,
    length: int,
    span: int,
) -> None:
    """Against the same weights in float64, from which a full pass is off itself."""
    kernels = replace(cpu_kernels, chunk_values=None if chunk is None else 2 * WIDTH * chunk)
    network = make_network(kernels, attention_layers=attention_layers)
    ids, edits = random_ids(2, length), edits_of(length, span)
    exact = make_network(attention_layers=attention_layers).cast(torch.float64)
    truth = torch.cat(full_logits_of(exact, ids, edits))
    by_edits, by_full_passes = (torch.cat(read(network, ids, edits)) for read in (logits_of, full_logits_of))
    assert_as_close(by_edits, by_full_passes, truth, floor=1e-6)
    assert_as_close(by_full_passes, by_full_passes, truth)


@st.composite
def readings(draw: st.DrawFn) -> tuple[Tensor, list[Edit]]:
    """Two windows with edits of any size, at any place, read unequally far on both sides."""
    length = draw(st.integers(3, 50))
    edits = []
    for _ in range(draw(st.integers(1, 10))):
        start = draw(st.integers(0, length))
        end = draw(st.integers(start, min(length, start + draw(st.sampled_from([1, 3, length])))))
        alt = draw(st.lists(st.integers(7, 10), min_size=max(0, 3 - length + end - start), max_size=7))
        first = draw(st.integers(0, max(0, start - 1)))
        last = draw(st.integers(min(length, end + 1), length))
        row = draw(st.integers(0, 1))
        edits.append(Edit(row, start, end, torch.tensor(alt, dtype=torch.long), first, last))
    # N and what is not a base too.
    tokens = st.lists(st.sampled_from([4, 7, 8, 9, 10]), min_size=2 * length, max_size=2 * length)
    return torch.tensor(draw(tokens)).view(2, length), edits


@settings(
    derandomize=True,
    deadline=None,
    max_examples=12,
    # `make_network` makes a new one at each call.
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(readings(), st.data())
def test_any_edits_in_pieces_of_any_size(
    make_network: Make, reading: tuple[Tensor, list[Edit]], data: st.DataObject
) -> None:
    ids, edits = reading
    layers = data.draw(st.sampled_from([(), (2,), (0, 3)]))
    chunk = data.draw(st.sampled_from([None, 1, 2, 16]))
    pieces = {
        "_CLOSEST_CUTS": data.draw(st.sampled_from([1, 8])),
        "_EDITED_BASES": data.draw(st.sampled_from([1, 60])),
        "_ALIKE": data.draw(st.sampled_from([0, 5])),
    }
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(blocks, "_NARROWEST", data.draw(st.sampled_from([1, 9])))
        patch.setattr(blocks, "_MOST_EDITS", data.draw(st.sampled_from([1, 3, 64])))
        patch.setattr(streams, "_MIN_CHUNK", 1)
        for name, value in pieces.items():
            patch.setattr(target_reading, name, value)
        kernels = replace(REFERENCE, chunk_values=None if chunk is None else 2 * WIDTH * chunk)
        compare(make_network(kernels, attention_layers=layers).cast(torch.float64), ids, edits, 1e-10)


def test_a_crowd_of_edits_at_one_place(make_network: Make, random_ids: Draw) -> None:
    """More than go into a block."""
    network, ids = make_network().cast(torch.float64), random_ids(1, 30)
    draw = np.random.default_rng(2)
    edits = [
        edit(30, 0, 14, int(draw.integers(0, 3)), draw.integers(7, 11, draw.integers(1, 5)).tolist(), 4)
        for _ in range(blocks._MOST_EDITS + 9)
    ]
    compare(network, ids, edits, 1e-11)


def test_edits_in_bfloat16(make_network: Make, random_ids: Draw, cpu_kernels: Kernels) -> None:
    ids, edits = random_ids(2, 101), edits_of(101, 30)
    network = make_network(cpu_kernels).cast(torch.bfloat16)
    found, full = (torch.cat(read(network, ids, edits)) for read in (logits_of, full_logits_of))
    assert found.dtype == torch.float32
    # Two orders of the same rounded sums.
    assert 0 < (found - full).pow(2).mean().sqrt() <= 0.01 * full.std()


def test_an_edit_costs_the_bases_that_are_read_of_it(
    make_network: Make, random_ids: Draw, cpu_kernels: Kernels
) -> None:
    network, ids, embedded = make_network(cpu_kernels), random_ids(1, 2000), []
    network.embedding.register_forward_hook(lambda module, given, out: embedded.append(given[0].numel()))
    for change in (edit(2000, 0, 1000, 1, [7], 8), edit(2000, 0, 700, 300, [8, 9], 8)):
        embedded.clear()
        logits_of(network, ids, [change])
        extra = sum(embedded) - 2 * 2000
        assert 0 < extra <= 2 * (8 + len(change.ids) + 1)


@pytest.mark.parametrize("case", ["midattn-mlp", "nomidattn-mlp"])
def test_edits_where_experts_depend_on_what_was_seen(
    golden: Callable[[str], Path], random_ids: Draw, case: str
) -> None:
    """In float64: an edit brings some tokens close to a tie, which rounding would break either way."""
    module = load(golden(case), device="cpu", dtype="float64").module
    compare(module, random_ids(1, 150), edits_of(150, 40, rows=1), 1e-10)


def test_an_edit_changes_what_is_read(make_network: Make, random_ids: Draw) -> None:
    network, ids = make_network().cast(torch.float64), random_ids(1, 60)
    change = edit(60, 0, 30, 1, [7 if ids[0, 30] != 7 else 8], 5)
    with torch.inference_mode():
        plain = network.read(ids, torch.arange(60)[None], [change])
    difference = (plain.edits[0].logits - plain.logits[0, 25:36]).abs().amax(dim=1)
    assert difference[5] <= 1e-12  # the site itself does not see its own base
    assert (difference > 1e-3).sum() == 10


def test_bases_of_an_edited_window() -> None:
    window = torch.arange(100, 112)
    for start, size, ids in [
        (0, 0, [1, 2]),
        (3, 2, [1, 2, 3]),
        (5, 4, []),
        (12, 0, [9]),
        (11, 1, [9]),
        (0, 12, [1]),
    ]:
        change = edit(12, 0, start, size, ids, 2)
        edited = torch.cat((window[:start], torch.tensor(ids, dtype=torch.long), window[start + size :]))
        for first in range(len(edited) + 1):
            for last in range(first, len(edited) + 1):
                assert torch.equal(change.bases(window, first, last), edited[first:last])


def test_cuts_are_where_they_are_wanted_and_chunks_no_longer_than_allowed() -> None:
    generator = np.random.default_rng(0)
    for _ in range(200):
        length, longest, closest = (int(n) for n in generator.integers(1, (400, 120, 40)))
        wanted = [int(at) for at in generator.integers(0, length + 1, generator.integers(0, 20))]
        cuts = cut_points(length, longest=longest, wanted=wanted, closest=closest)
        assert cuts[0] == 0
        assert cuts[-1] == length
        assert all(0 < b - a <= longest for a, b in pairwise(cuts))
        if longest >= 2 * closest:
            assert all(b - a >= closest for a, b in pairwise(cuts[:-1]))
        for at in wanted:
            assert at == length or any(0 <= at - cut < max(1, closest) for cut in cuts)


def test_cuts_of_a_walk_written_out() -> None:
    assert cut_points(10, longest=10) == [0, 10]
    assert cut_points(10, longest=4) == [0, 3, 6, 10]
    assert cut_points(10, longest=9, wanted=[7, 3, 3]) == [0, 3, 7, 10]
    # 3 is closer than 4 to the beginning, 9 to 7; both have a cut not far before them.
    assert cut_points(10, longest=9, wanted=[3, 7, 9], closest=4) == [0, 7, 10]
    assert cut_points(10, longest=9, wanted=[0, 10]) == [0, 5, 10]


def test_local_walks_begin_at_a_cut_and_hold_the_new_rows() -> None:
    cuts = [0, 10, 25, 40]
    for change in edits_of(40, 6, rows=1):
        forward, backward = forward_walk(change, cuts), backward_walk(change, cuts, 40)
        before, after = max(0, change.start - 1), min(40, change.end + 1)
        assert forward.cut == max(cut for cut in cuts if cut <= before)
        assert backward.cut == min(cut for cut in cuts if cut >= after)
        assert backward.stop == backward.cut + change.shift
        assert forward.stop >= forward.last
        assert backward.start <= backward.first
        assert forward.cut == forward.start <= forward.first <= max(0, change.start - 1)
        assert forward.last == change.stop - 1
        assert backward.first == change.first + 1
        assert change.end <= backward.last - change.shift <= backward.cut <= 40


def test_blocks_hold_all_targets_and_all_edits() -> None:
    generator = np.random.default_rng(1)
    for _ in range(200):
        length, widest = (int(n) for n in generator.integers((20, 3), (300, 60)))
        edits = []
        for index in range(int(generator.integers(0, 8))):
            start = int(generator.integers(0, length))
            size = int(generator.integers(0, length - start))
            edits.append((index, edit(length, 0, start, size, [7], int(generator.integers(1, 9)))))
        asked = set(generator.integers(0, length, 12).tolist())
        asked |= {p for _, change in edits for p in range(change.first, change.last)}
        targets = np.array(sorted(asked))
        found = blocks_of(5, targets, edits, widest)
        assert {block.row for block in found} == {5}
        held = [targets[block.columns] for block in found]
        assert set(np.concatenate(held).tolist()) == asked
        assert sorted(i for block in found for i in block.edits) == list(range(len(edits)))
        for block, columns in zip(found, held, strict=True):
            assert block.low <= columns.min()
            assert columns.max() < block.high
            inside = [edits[i][1] for i in block.edits]
            assert all(block.low <= change.first and change.last <= block.high for change in inside)
            assert all(set(range(e.first, e.last)) <= set(columns.tolist()) for e in inside)
            assert block.high - block.low <= max(widest, *(e.last - e.first for e in inside), 1)


def test_edits_that_all_read_a_wide_stretch_are_read_in_one_block() -> None:
    edits = [(index, edit(300, 0, 50 + index, 1, [7], 90)) for index in range(3)]
    wide = [(index, replace(change, first=20, last=200)) for index, change in edits]
    [block] = blocks_of(0, np.arange(20, 200), wide, widest=64)
    assert (block.low, block.high, block.edits) == (20, 200, (0, 1, 2))


def test_keys_and_values_in_bfloat16(golden: Callable[[str], Path], random_ids: Draw) -> None:
    """Their rounding, 2^-8 of each at most, moves logits by little of what these differ by."""
    path = golden("nomidattn-mlp")
    exact, rough = (load(path, device="cpu", kv_dtype=dtype) for dtype in ("float32", "bfloat16"))
    assert (exact.info.kv_dtype, rough.info.kv_dtype) == ("float32", "bfloat16")
    assert rough.info.dtype == "float32"
    ids, targets = random_ids(1, 2048), torch.arange(0, 2048, 64)[None]
    one, other = exact.read(ids, targets).logits, rough.read(ids, targets).logits
    assert other.dtype == torch.float32
    assert 0 < (one - other).abs().max() <= 0.02 * one.std()


@pytest.fixture
def directory(make_network: Make, tmp_path: Path) -> Path:
    network = make_network()
    tensors = {name: parameter.detach() for name, parameter in network.named_parameters()}
    save(Checkpoint("small", network.config, tensors, ""), tmp_path / "model")
    return tmp_path / "model"


def test_edits_with_keys_and_values_in_bfloat16(directory: Path, random_ids: Draw) -> None:
    """Rounded by 2^-9 at most each, they move logits by less than 2^-6 of what these spread over."""
    exact, rough = (
        janusdna.load(directory, device="cpu", kv_dtype=kept).module for kept in ("auto", "bfloat16")
    )
    ids, edits = random_ids(2, 101), edits_of(101, 30)
    for network, kept in ((exact, torch.float32), (rough, torch.bfloat16)):
        with torch.inference_mode():
            parts = network.streams, network.fusion, ids, targets_for(edits, 2), edits
            memory = TargetReading(*parts, dtype=network.memory_dtype)._memory
        assert (memory.keys.dtype, memory.values.dtype, memory.neighbours.dtype) == (
            kept,
            kept,
            torch.float32,
        )
    one, other = (torch.cat(logits_of(network, ids, edits)) for network in (exact, rough))
    assert other.dtype == torch.float32
    assert 1e-4 * one.std() < (one - other).abs().max() <= 2**-6 * one.std()


@pytest.fixture
def model(directory: Path) -> Model:
    return janusdna.load(directory, device="cpu", dtype="float64")


def test_edits_beside_targets_in_any_order_and_any_number_of_times(model: Model) -> None:
    sequence = "ACGTTGCAACGTAC"
    change = Edit(0, 4, 5, torch.tensor([8, 8]), 2, 7)
    expected = model.read(["ACGTCCGCAACGTAC"])
    generator = torch.Generator().manual_seed(3)
    repeated = torch.cat((torch.arange(14), torch.randint(14, (20,), generator=generator)))
    for order in (torch.randperm(14, generator=generator)[None], repeated.sort().values[None], None):
        out = model.read([sequence], order, edits=[change])
        columns = slice(None) if order is None else order[0]
        assert (out.logits - model.read([sequence]).logits[:, columns]).abs().max() <= 1e-12
        for name in ("hidden", "logits"):
            assert (getattr(out.edits[0], name) - getattr(expected, name)[0, 2:8]).abs().max() <= 1e-12
    assert model.read([sequence]).edits == ()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (Edit(0, -1, 5, torch.tensor([7]), -1, 6), "does not lie within"),
        (Edit(0, 5, 4, torch.tensor([7]), 3, 8), "does not lie within"),
        (Edit(0, 4, 5, torch.tensor([7]), 5, 8), "does not lie within"),
        (Edit(0, 4, 6, torch.tensor([7]), 3, 5), "does not lie within"),
        (Edit(0, 0, 0, torch.tensor([7]), 0, 0), "does not lie within"),
        (Edit(0, 9, 11, torch.tensor([7]), 5, 11), "does not lie within sequences of 10 bases"),
        (Edit(-1, 4, 5, torch.tensor([7]), 3, 6), "does not lie within"),
        (Edit(2, 4, 5, torch.tensor([7]), 3, 6), "does not lie within"),
        (Edit(1, 4, 5, torch.tensor([7]), 3, 6), "is read where its sequence has no target"),
        (Edit(0, 4, 5, torch.tensor([7]), 4, 6), "is read without its neighbours"),
        (Edit(0, 4, 5, torch.tensor([7]), 3, 5), "is read without its neighbours"),
        (Edit(0, 4, 6, torch.tensor([], dtype=torch.long), 4, 6), "is read without its neighbours"),
        (Edit(0, 0, 2, torch.tensor([], dtype=torch.long), 0, 2), "is read without its neighbours"),
        (Edit(0, 1, 9, torch.tensor([], dtype=torch.long), 0, 10), "has 2 bases: expected at least 3"),
    ],
)
def test_edits_that_are_refused(model: Model, change: Edit, message: str) -> None:
    targets = torch.stack((torch.arange(10), torch.arange(10).clamp(max=4)))
    with pytest.raises(SequenceError, match=message):
        model.read(["ACGTACGTAC", "ACGTACGTAA"], targets, edits=[change])
