"""The stream of windows against the letters of the FASTA and against counting."""

import itertools
import logging
import random
import threading
import tracemalloc
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from janusdna_cli.errors import InputError
from janusdna_cli.genome.fasta import Reference
from janusdna_cli.genome.genomes import GenomeFile, Genomes
from janusdna_cli.genome.marks import read_marks
from janusdna_cli.genome.splits import Interval
from janusdna_cli.genome.windows import Window
from janusdna_cli.training.corpus import Corpus, Sample, shuffled
from janusdna_cli.training.settings import DrawSettings

IDS = {"A": 7, "C": 8, "G": 9, "T": 10, "U": 10}
PAD = 4
LENGTHS = {"chr1": 400, "chr2": 230, "chr3": 37}


@pytest.fixture(scope="module")
def letters() -> dict[str, str]:
    rng = random.Random(1)
    return {name: "".join(rng.choices("ACGTacgtRn", [8] * 8 + [1] * 2, k=n)) for name, n in LENGTHS.items()}


@pytest.fixture(scope="module")
def fasta(letters: dict[str, str], tmp_path_factory: pytest.TempPathFactory) -> str:
    return write(tmp_path_factory.mktemp("genome"), **letters)


def write(folder: Path, **contigs: str) -> str:
    path = folder / "genome.fa"
    path.write_text("".join(f">{name}\n{bases}\n" for name, bases in contigs.items()))
    return str(path)


def whole(lengths: dict[str, int] = LENGTHS) -> list[Interval]:
    return [Interval(name, 0, length) for name, length in lengths.items()]


def facts(sample: Sample) -> tuple[object, ...]:
    """All of a sample, what its generator gives next included."""
    weights = None if sample.weights is None else sample.weights.tolist()
    return sample.window, sample.reverse, sample.ids.tolist(), weights, sample.rng.random(4).tolist()


def encoded(bases: str, reverse: bool = False) -> list[int]:
    """Token ids by hand."""
    if reverse:
        bases = bases.upper().translate(str.maketrans("ACGT", "TGCA"))[::-1]
    return [IDS.get(base, PAD) for base in bases.upper()]


@pytest.mark.parametrize("count", [*range(1, 40), 63, 64, 65, 100, 255, 256, 257, 1_000, 4_097])
def test_shuffled_is_a_permutation(count: int) -> None:
    for key in ((), (0, 0), (0, 1), (7, 3), (2**40, 5), (-1, 0)):
        found = [shuffled(turn, count, key) for turn in range(count)]
        assert sorted(found) == list(range(count)), key


@given(count=st.integers(1, 1 << 62), data=st.data())
def test_shuffled_stays_within_any_count(count: int, data: st.DataObject) -> None:
    turns = data.draw(st.lists(st.integers(0, count - 1), unique=True, max_size=20))
    key = data.draw(st.tuples(st.integers(0, 1 << 64), st.integers(0, 1 << 20)))
    found = [shuffled(turn, count, key) for turn in turns]
    assert len(set(found)) == len(turns)
    assert all(0 <= place < count for place in found)


def test_each_key_has_an_order_of_its_own() -> None:
    orders = [
        tuple(shuffled(turn, 100, (seed, epoch)) for turn in range(100))
        for seed in range(10)
        for epoch in range(10)
    ]
    assert len(set(orders)) == 100


def test_an_order_has_no_pattern() -> None:
    """Chi-squared over tenths: of the turn against the place, and of the way from each place to the next."""
    count, keys, parts = 1_000, 40, 10
    turns, places = np.zeros((parts, parts)), np.zeros(parts)
    for key in range(keys):
        order = np.array([shuffled(turn, count, (key, 0)) for turn in range(count)])
        np.add.at(turns, (np.arange(count) * parts // count, order * parts // count), 1)
        np.add.at(places, (np.diff(order) % count - 1) * parts // (count - 1), 1)
    for found, free in ((turns, (parts - 1) ** 2), (places, parts - 1)):
        statistic = ((found - found.mean()) ** 2 / found.mean()).sum()
        assert abs(statistic - free) < 4 * np.sqrt(2 * free)


def test_an_order_is_the_same_on_every_machine() -> None:
    """Written out, so that a run goes on as it began when the code has changed."""
    assert [shuffled(turn, 10, (0, 0)) for turn in range(10)] == [3, 4, 2, 5, 6, 8, 1, 0, 9, 7]
    far = [shuffled(turn, 3_000_000, (5, 2)) for turn in (0, 1, 2_999_999)]
    assert far == [1_931_681, 2_964_821, 557_014]


@pytest.mark.parametrize("length", [1, 7, 16, 37])
def test_an_epoch_has_each_window_of_the_grid_once(fasta: str, length: int) -> None:
    corpus = Corpus([GenomeFile(fasta)], whole(), DrawSettings(length=length, max_n=1.0))
    grid = sorted(
        (name, start, start + length)
        for name, bases in LENGTHS.items()
        for start in range(0, bases - length + 1, length)
    )
    assert corpus.places == len(grid)
    orders = []
    for epoch in range(3):
        numbers = range(epoch * corpus.places, (epoch + 1) * corpus.places)
        windows = [corpus.draw(number).window for number in numbers]
        assert sorted((one.contig, one.start, one.end) for one in windows) == grid
        orders.append(windows)
    assert orders[0] != orders[1] != orders[2]


@pytest.mark.parametrize("shift", [False, True])
def test_a_draw_depends_on_its_number_only(fasta: str, shift: bool) -> None:
    how = DrawSettings(length=20, seed=3, shift=shift, soft_mask_weight=0.5, max_n=0.2)
    corpus = Corpus([GenomeFile(fasta)], whole(), how)
    numbers = range(90)
    expected = [facts(corpus.draw(number)) for number in numbers]
    assert len({str(one) for one in expected}) > 60
    order = random.Random(0).sample(numbers, len(numbers))
    again = {number: facts(corpus.draw(number)) for number in order}
    assert [again[number] for number in numbers] == expected
    fresh = [facts(Corpus([GenomeFile(fasta)], whole(), how).draw(number)) for number in numbers]
    assert fresh == expected
    with ThreadPoolExecutor(4) as pool:
        assert [
            facts(one) for one in pool.map(Corpus([GenomeFile(fasta)], whole(), how).draw, numbers)
        ] == expected
    other = Corpus([GenomeFile(fasta)], whole(), DrawSettings(length=20, seed=4, shift=shift))
    assert [other.draw(number).window for number in numbers] != [one[0] for one in expected]


def test_each_thread_reads_by_a_file_of_its_own(fasta: str, monkeypatch: pytest.MonkeyPatch) -> None:
    opened: Counter[int] = Counter()
    open_reference = Reference.open

    def counted(path: str) -> Reference:
        opened[threading.get_ident()] += 1
        return open_reference(path)

    monkeypatch.setattr(Reference, "open", counted)
    corpus = Corpus([GenomeFile(fasta)], whole(), DrawSettings(length=20))
    together = threading.Barrier(3)

    def read(number: int) -> None:
        together.wait(timeout=20)
        corpus.draw(number)

    with ThreadPoolExecutor(3) as pool:
        list(pool.map(read, range(30)))
    assert list(opened.values()) == [1, 1, 1]


@pytest.mark.parametrize("reverse_complement", [False, True])
def test_a_draw_is_what_the_fasta_says(fasta: str, letters: dict[str, str], reverse_complement: bool) -> None:
    how = DrawSettings(
        length=23, max_n=1.0, reverse_complement=reverse_complement, soft_mask_weight=0.25, shift=True
    )
    corpus = Corpus([GenomeFile(fasta)], whole(), how)
    strands: Counter[bool] = Counter()
    for number in range(400):
        sample = corpus.draw(number)
        bases = letters[sample.window.contig][sample.window.start : sample.window.end]
        assert sample.ids.tolist() == encoded(bases, sample.reverse)
        weights = [0.25 if base.islower() else 1.0 for base in bases]
        assert sample.weights is not None
        assert sample.weights.tolist() == (weights[::-1] if sample.reverse else weights)
        assert (sample.ids.dtype, sample.weights.dtype) == (np.uint8, np.float32)
        strands[sample.reverse] += 1
    if reverse_complement:
        assert abs(strands[True] - 200) < 50  # five standard deviations
    else:
        assert strands == {False: 400}


def test_soft_masking_costs_nothing_where_it_counts_as_much(fasta: str) -> None:
    corpus = Corpus([GenomeFile(fasta)], whole(), DrawSettings(length=20))
    assert corpus.draw(0).weights is None
    assert [sample.weights for sample in corpus.held_out(3)] == [None] * 6


def test_a_shift_is_drawn_anew_and_reaches_all_bases(fasta: str) -> None:
    corpus = Corpus(
        [GenomeFile(fasta)], [Interval("chr1", 5, 99)], DrawSettings(length=10, shift=True, max_n=1.0)
    )
    assert corpus.places == 9
    starts = Counter(corpus.draw(number).window.start for number in range(2_000))
    # The grid ends at 95; what is left of the interval is reached by shifting.
    assert set(starts) == set(range(5, 90))
    first = [corpus.draw(number).window for number in range(9)]
    assert first != [corpus.draw(number).window for number in range(9, 18)]


@st.composite
def disjoint(draw: st.DrawFn) -> tuple[list[Interval], list[Interval]]:
    """Intervals to train on and others held out, of any order; many touch."""
    train, held = [], []
    for name, length in LENGTHS.items():
        cuts = draw(st.lists(st.integers(0, length), max_size=12, unique=True))
        edges = sorted({0, length, *cuts})
        for start, end in itertools.pairwise(edges):
            kind = draw(st.sampled_from([train, held, None]))
            if kind is not None:
                kind.append(Interval(name, start, end))
    return draw(st.permutations(train)), held


@settings(deadline=None, max_examples=60)
@given(intervals=disjoint(), length=st.integers(1, 40), shift=st.booleans(), seed=st.integers(0, 1 << 33))
def test_windows_stay_within_their_intervals(
    fasta: str, intervals: tuple[list[Interval], list[Interval]], length: int, shift: bool, seed: int
) -> None:
    train, held = intervals
    how = DrawSettings(length=length, shift=shift, seed=seed, max_n=1.0)
    corpus = Corpus([GenomeFile(fasta)], train, how)
    may = {(one.contig, at) for one in train for at in range(one.start, one.end)}
    must_not = {(one.contig, at) for one in held for at in range(one.start, one.end)}
    windows = [corpus.draw(number).window for number in range(min(corpus.places, 25))]
    windows += [sample.window for sample in corpus.held_out(5)]
    for window in windows:
        bases = {(window.contig, at) for at in range(window.start, window.end)}
        assert len(bases) == length
        assert bases <= may
        assert not bases & must_not


def test_intervals_that_touch_are_one(fasta: str) -> None:
    cut = [
        Interval("chr1", 3, 10),
        Interval("chr1", 10, 11),
        Interval("chr1", 11, 33),
        Interval("chr2", 33, 60),
    ]
    joined = [Interval("chr1", 3, 33), Interval("chr2", 33, 60)]
    one, other = (
        Corpus([GenomeFile(fasta)], intervals, DrawSettings(length=15)) for intervals in (cut, joined)
    )
    assert one.places == other.places == 3
    assert [facts(one.draw(n)) for n in range(9)] == [facts(other.draw(n)) for n in range(9)]


def test_intervals_shorter_than_a_window_are_left_out(fasta: str) -> None:
    corpus = Corpus(
        [GenomeFile(fasta)], [Interval("chr1", 0, 9), Interval("chr2", 0, 10)], DrawSettings(length=10)
    )
    assert corpus.places == 1
    assert corpus.draw(5).window == Window("chr2", 0, 10)
    nothing = Corpus([GenomeFile(fasta)], [Interval("chr1", 0, 9)], DrawSettings(length=10))
    assert nothing.places == 0
    assert list(nothing.held_out(3)) == []


@pytest.mark.parametrize("max_n", [0.0, 0.1, 0.3, 0.5, 0.7, 0.9, 1.0])
def test_windows_with_more_n_than_allowed_never_come(tmp_path: Path, max_n: float) -> None:
    # Window i of ten bases has i that are none.
    contig = "".join("NnRY-XWKMS"[:i] + "ACGTTGCATG"[: 10 - i] for i in range(11))
    corpus = Corpus(
        [GenomeFile(write(tmp_path, a=contig))],
        [Interval("a", 0, 110)],
        DrawSettings(length=10, max_n=max_n),
    )
    allowed = [i for i in range(11) if i <= round(10 * max_n)]
    found = Counter(corpus.draw(number).window.start // 10 for number in range(150))
    assert sorted(found) == allowed
    assert [sample.window.start // 10 for sample in corpus.held_out(11)] == sorted(allowed * 2)


def test_a_genome_of_n_is_one_line(tmp_path: Path) -> None:
    fasta = write(tmp_path, a="N" * 500)
    corpus = Corpus([GenomeFile(fasta)], [Interval("a", 0, 500)], DrawSettings(length=10))
    with pytest.raises(InputError) as caught:
        corpus.draw(0)
    what = "hold more than 50% other than A, C, G and T, or letters that are not DNA"
    assert str(caught.value) == (
        f"{fasta}: 1,000 windows in a row {what}; choose other --intervals or a larger --max-n"
    )
    with pytest.raises(InputError) as caught:
        list(corpus.held_out(20))
    assert str(caught.value) == (
        f"{fasta}: the 20 windows to validate on {what}; "
        "hold out others with --intervals or --valid-contigs, or pass --valid-every 0"
    )


def test_a_window_among_n_is_found(tmp_path: Path) -> None:
    corpus = Corpus(
        [GenomeFile(write(tmp_path, a="N" * 400 + "ACGTACGTAC" + "N" * 90))],
        [Interval("a", 0, 500)],
        DrawSettings(length=10),
    )
    assert {corpus.draw(number).window.start for number in range(60)} == {400}


def test_what_comes_in_place_of_n_comes_from_anywhere(tmp_path: Path) -> None:
    fasta = write(tmp_path, a="N" * 250 + "ACGTA" * 50)
    corpus = Corpus([GenomeFile(fasta)], [Interval("a", 0, 500)], DrawSettings(length=5))
    found = Counter(corpus.draw(number).window.start for number in range(30 * 100))
    assert set(found) == set(range(250, 500, 5))
    # 30 epochs bring each of 50 windows 30 times by itself, and 30 times for another, give or take.
    assert min(found.values()) > 30 + 4
    assert max(found.values()) < 60 + 30


@pytest.mark.parametrize("letter", ["*", "7", "E", "."])
def test_letters_that_are_no_bases_leave_out_their_window(
    tmp_path: Path, letter: str, caplog: pytest.LogCaptureFixture
) -> None:
    bases = "ACGTACGTAC" * 20
    fasta = write(tmp_path, a=bases[:44] + letter + bases[45:125] + letter + bases[126:])
    corpus = Corpus([GenomeFile(fasta)], [Interval("a", 0, 200)], DrawSettings(length=10))
    with caplog.at_level(logging.WARNING, "janusdna_cli"):
        found = {corpus.draw(number).window.start for number in range(100)}
        held = {sample.window.start for sample in corpus.held_out(20)}
    assert found == held == set(range(0, 200, 10)) - {40, 120}
    (record,) = caplog.records
    assert record.getMessage() in [
        f"{fasta}: a:{start}-{start + 10}: position {at} is {letter!r}: expected A, C, G, T or an IUPAC code "
        "in either case; such windows are left out"
        for start, at in ((40, 4), (120, 5))
    ]


def test_iupac_codes_are_padding_in_either_case(tmp_path: Path) -> None:
    bases = "ACGTNRYSWKMBDHVUacgtnryswkmbdhvuXx-"
    fasta = write(tmp_path, a=bases)
    how = DrawSettings(length=len(bases), max_n=1.0, reverse_complement=False)
    found = Corpus([GenomeFile(fasta)], [Interval("a", 0, len(bases))], how).draw(0).ids.tolist()
    assert found == encoded(bases)
    assert found[:5] == [7, 8, 9, 10, PAD]
    assert found.count(PAD) == len(bases) - 10


def test_nothing_is_kept_of_a_genome_but_its_intervals() -> None:
    blocks = [Interval("chr1", at << 20, (at + 1) << 20) for at in range(0, 6_000, 2)]  # 3 Gb of 6
    Corpus([GenomeFile("no such file")], blocks, DrawSettings(length=1_024))
    tracemalloc.start()
    corpus = Corpus([GenomeFile("no such file")], blocks, DrawSettings(length=1_024))
    kept, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert corpus.places == 3_000 << 10
    assert kept < 100 * len(blocks)
    assert peak < 300 * len(blocks)


@pytest.mark.parametrize(("most", "count"), [(1, 1), (7, 7), (40, 40), (41, 40), (1_000, 40)])
def test_held_out_windows_are_spread_and_read_from_both_strands(
    fasta: str, letters: dict[str, str], most: int, count: int
) -> None:
    how = DrawSettings(length=10, shift=True, reverse_complement=False, max_n=1.0, soft_mask_weight=0.5)
    corpus = Corpus(
        [GenomeFile(fasta)],
        [Interval("chr1", 0, 200), Interval("chr1", 210, 400), Interval("chr2", 50, 65)],
        how,
    )
    assert corpus.places == 20 + 19 + 1
    found = list(corpus.held_out(most))
    assert [sample.reverse for sample in found] == [False, True] * count
    for forward, reverse in zip(found[::2], found[1::2], strict=True):
        assert forward.window == reverse.window
        bases = letters[forward.window.contig][forward.window.start : forward.window.end]
        assert forward.ids.tolist() == encoded(bases)
        assert reverse.ids.tolist() == encoded(bases, reverse=True)
        assert reverse.weights.tolist() == forward.weights.tolist()[::-1]
        assert forward.weights.tolist() == [0.5 if base.islower() else 1.0 for base in bases]
    grid = [("chr1", at) for at in (*range(0, 200, 10), *range(210, 400, 10))] + [("chr2", 50)]
    places = [grid.index((sample.window.contig, sample.window.start)) for sample in found[::2]]
    # One in each of as many equal parts.
    assert [place * count // 40 for place in places] == list(range(count))
    assert [facts(one) for one in corpus.held_out(most)] == [facts(one) for one in corpus.held_out(most)]


def test_a_held_out_contig_is_not_judged_by_its_end(tmp_path: Path) -> None:
    fasta = write(tmp_path, a="N" * 30 + "ACGTACGTAC" * 4 + "N" * 30)
    corpus = Corpus([GenomeFile(fasta)], [Interval("a", 0, 100)], DrawSettings(length=10))
    assert [sample.window for sample in corpus.held_out(1)] == [Window("a", 50, 60)] * 2


def test_windows_come_as_often_as_they_are_wanted(fasta: str) -> None:
    intervals = [
        Interval("chr1", 0, 200, 4.0),
        Interval("chr1", 200, 400, 1.0),
        Interval("chr2", 0, 200, 0.1),
    ]
    corpus = Corpus([GenomeFile(fasta)], intervals, DrawSettings(length=20, max_n=1.0))
    assert (corpus.places, corpus.turns) == (30, 51)
    seen: Counter[Window] = Counter()
    for epoch in range(60):
        drawn = Counter(corpus.draw(number).window for number in range(epoch * 51, epoch * 51 + 51))
        assert {drawn[Window("chr1", at, at + 20)] for at in range(0, 200, 20)} == {4}
        seen += drawn
    rare = [seen[Window("chr2", at, at + 20)] for at in range(0, 200, 20)]
    assert sum(rare) == 60
    assert min(rare) > 0


def test_marks_turn_with_their_window(fasta: str, letters: dict[str, str], tmp_path: Path) -> None:
    (tmp_path / "weights.bed").write_text("chr1\t3\t9\texon\t2\nchr1\t9\t15\trepeat\t0.5\n")
    with Genomes([GenomeFile(fasta)]) as genomes:
        marks = read_marks(str(tmp_path / "weights.bed"), genomes)
    how = DrawSettings(length=20, max_n=1.0, soft_mask_weight=0.5)
    corpus = Corpus([GenomeFile(fasta)], [Interval("chr1", 0, 20)], how, marks)
    kinds = [0] * 3 + [1] * 6 + [2] * 6 + [0] * 5
    soft = [0.5 if letter.islower() else 1.0 for letter in letters["chr1"][:20]]
    weights = [[1.0, 2.0, 0.5][kind] * own for kind, own in zip(kinds, soft, strict=True)]
    forward, reverse = corpus.held_out(1)
    assert (forward.kinds.tolist(), forward.weights.tolist()) == (kinds, weights)
    assert (reverse.kinds.tolist(), reverse.weights.tolist()) == (kinds[::-1], weights[::-1])
    bare = Corpus([GenomeFile(fasta)], [Interval("chr1", 0, 20)], DrawSettings(length=20, max_n=1.0))
    assert bare.draw(0).kinds is None
