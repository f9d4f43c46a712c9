"""Rows by their numbers: whoever has them, they come in order, each once."""

import itertools
import random

import numpy as np
import pyarrow as pa
import pytest

from janusdna_cli.errors import InputError
from janusdna_cli.runs import rows as rows_module
from janusdna_cli.runs.rows import NUMBER, InOrder, SortedRows, in_order, numbered, numbered_by


def table_of(numbers):
    """Rows that tell by their values which they are; every seventh has none."""
    values = [None if number % 7 == 3 else f"row {number}" for number in numbers]
    pairs = [None if number % 7 == 3 else [number, -number] for number in numbers]
    embeddings = pa.array(pairs, pa.list_(pa.float32(), 2))
    return numbered_by(pa.table({"value": pa.array(values, pa.string()), "embedding": embeddings}), numbers)


def divided(count, parts, how, draw):
    """The numbers of `count` rows divided into `parts`, ascending in each."""
    if how == "contiguous":
        cuts = [0, *sorted(draw.choices(range(count + 1), k=parts - 1)), count]
        return [list(range(start, end)) for start, end in itertools.pairwise(cuts)]
    if how == "interleaved":
        return [list(range(part, count, parts)) for part in range(parts)]
    owner = [draw.randrange(parts) for _ in range(count)]
    return [[number for number in range(count) if owner[number] == part] for part in range(parts)]


@pytest.fixture
def small_blocks(monkeypatch):
    monkeypatch.setattr(rows_module, "_BLOCK_ROWS", 16)


@pytest.mark.usefixtures("small_blocks")
@pytest.mark.parametrize("how", ["contiguous", "interleaved", "shuffled"])
def test_all_rows_come_in_order_whoever_has_them(how):
    draw = random.Random(7)
    for count, parts in itertools.product((1, 15, 16, 17, 100), (1, 2, 7)):
        pieces = [piece for piece in divided(count, parts, how, draw) if piece]
        draw.shuffle(pieces)
        blocks = list(in_order([SortedRows(table_of(piece)) for piece in pieces], 0, count))
        assert pa.concat_tables(blocks).equals(table_of(range(count)))
        assert [block.num_rows for block in blocks[:-1]] == [16] * (len(blocks) - 1)


@pytest.mark.usefixtures("small_blocks")
def test_a_stretch_of_the_rows():
    parts = [SortedRows(table_of(piece)) for piece in divided(90, 4, "shuffled", random.Random(1))]
    for start, end in [(0, 90), (3, 40), (17, 18), (30, 30), (31, 90)]:
        found = list(in_order(parts, start, end))
        assert [n for block in found for n in block.column(NUMBER).to_pylist()] == list(range(start, end))


@pytest.mark.usefixtures("small_blocks")
@pytest.mark.parametrize("missing", [0, 15, 16, 31, 50, 89])
def test_a_row_that_is_missing_is_named(missing):
    pieces = [[n for n in piece if n != missing] for piece in divided(90, 3, "interleaved", random.Random(0))]
    with pytest.raises(InputError, match=rf"^row {missing} of the table is missing; "):
        list(in_order([SortedRows(table_of(piece)) for piece in pieces], 0, 90))


@pytest.mark.usefixtures("small_blocks")
@pytest.mark.parametrize("double", [0, 15, 16, 50, 89])
def test_a_row_that_is_there_twice_is_taken_once(double):
    """A process may outlive its run for a moment, and finish what the next one does again."""
    pieces = [*divided(90, 3, "contiguous", random.Random(0)), [double]]
    found = list(in_order([SortedRows(table_of(piece)) for piece in pieces], 0, 90))
    assert [n for block in found for n in block.column(NUMBER).to_pylist()] == list(range(90))


@pytest.mark.usefixtures("small_blocks")
def test_no_rows_at_all():
    assert list(in_order([], 0, 0)) == []
    with pytest.raises(InputError, match="row 0 of the table is missing"):
        list(in_order([], 0, 5))
    assert list(in_order([], 0, 5, is_whole=False)) == []


@pytest.mark.usefixtures("small_blocks")
def test_the_rows_of_a_shard_are_those_that_are_there():
    there = [4, 5, 20, 21, 22, 60, 89]
    parts = [SortedRows(table_of(there[::2])), SortedRows(table_of(there[1::2]))]
    blocks = list(in_order(parts, 0, 90, is_whole=False))
    assert pa.concat_tables(blocks).equals(table_of(there))


def test_only_the_parts_that_a_block_needs_are_asked(monkeypatch):
    """Else each block of a large table would take as long as all of it."""
    monkeypatch.setattr(rows_module, "_BLOCK_ROWS", 10)
    asked = []

    class Watched(SortedRows):
        def between(self, start, end):
            asked.append((self.first, start))
            return super().between(start, end)

    parts = [Watched(table_of(range(start, start + 25))) for start in range(0, 1_000, 25)]
    list(in_order(parts, 0, 1_000))
    assert len(asked) <= 100 + 40 + 20
    assert all(first - 10 < start < first + 25 for first, start in asked)


def test_neighbouring_rows_are_numbered_from_the_first():
    table = pa.table({"value": ["a", "b"]})
    assert numbered(table, 7).to_pydict() == {NUMBER: [7, 8], "value": ["a", "b"]}
    assert numbered(table, 7).schema.field(NUMBER) == rows_module.NUMBER_FIELD


class Spilled:
    """What is put away, and how much of it."""

    def __init__(self):
        self.tables = 0

    def __call__(self, table):
        self.tables += 1
        return SortedRows(table.sort_by(NUMBER))


def given(order, pieces):
    """The numbers that come back for each piece."""
    blocks = [list(order.add(table_of(piece))) for piece in pieces]
    for each in itertools.chain.from_iterable(blocks):
        assert each.equals(table_of(each.column(NUMBER).to_pylist()))
    return [[n for block in each for n in block.column(NUMBER).to_pylist()] for each in blocks]


def test_a_row_waits_for_the_rows_before_it():
    order = InOrder(Spilled())
    pieces = [[0], [3], [], [1, 4], [6], [2], [5]]
    assert given(order, pieces) == [[0], [], [], [1], [], [2, 3, 4], [5, 6]]
    assert order.given == 7


def test_rows_of_one_piece_may_be_in_any_order():
    assert given(InOrder(Spilled()), [[4, 1, 0], [3, 2]]) == [[0, 1], [2, 3, 4]]


@pytest.mark.parametrize("spill_bytes", [1, 5_000, 1 << 24])
@pytest.mark.parametrize("how", ["contiguous", "interleaved", "shuffled"])
@pytest.mark.parametrize("room", [4, 65_536])
def test_thousands_of_rows_in_pieces_in_any_order(monkeypatch, spill_bytes, how, room):
    monkeypatch.setattr(rows_module, "_SPILL_BYTES", spill_bytes)
    monkeypatch.setattr(rows_module, "_BLOCK_ROWS", room)
    draw, spill = random.Random(spill_bytes), Spilled()
    pieces = divided(3_000, 60, how, draw)
    draw.shuffle(pieces)
    order = InOrder(spill)
    came, there, expected = [], set(), 0
    for piece, now in zip(pieces, given(order, pieces), strict=True):
        came += now
        there |= set(piece)
        while expected in there:
            expected += 1
        assert len(came) == expected  # none waits that need not
    assert came == list(range(3_000))
    assert (spill.tables == 0) == (spill_bytes == 1 << 24)


def test_few_rows_stay_in_memory(monkeypatch):
    """The first row comes last: all others are put away as they come."""
    monkeypatch.setattr(rows_module, "_SPILL_BYTES", 10_000)
    kept = []
    order = InOrder(lambda table: kept.append(table.nbytes) or SortedRows(table))
    for start in range(1, 5_001, 50):
        assert not list(order.add(table_of(range(start, start + 50))))
        assert sum(table.nbytes for table in order._fresh) < 10_000
    assert max(kept) < 3 * 10_000
    (last,) = order.add(table_of([0]))
    assert np.array_equal(last.column(NUMBER).to_numpy(), np.arange(5_001))
