"""Counts against dictionaries and against sources whose entropy is known; their benchmark from end to end."""

import json
from collections import Counter

import numpy as np
import pytest

from janusdna import load
from janusdna_cli.genome.fasta import Reference
from janusdna_cli.genome.windows import Window

COMPLEMENT = str.maketrans("ACGT", "TGCA")
FASTA = {"one": "ACGTTGCANNACGGGTAC" * 9, "two": "GGATTACAGATTACACCA" * 5 + "R" + "TTGACA" * 20}


def write_fasta(path, contigs):
    path.write_text("".join(f">{name}\n{bases}\n" for name, bases in contigs.items()))
    return path


@pytest.fixture
def reference(tmp_path):
    with Reference.open(write_fasta(tmp_path / "small.fa", FASTA)) as opened:
        yield opened


def both_strands(bases):
    return bases, bases.translate(COMPLEMENT)[::-1]


def dictionary(sequences, longest):
    """Of every k-mer of A, C, G, T, on both strands."""
    found = Counter()
    for bases in (strand for each in sequences for strand in both_strands(each)):
        for k in range(1, longest + 1):
            found.update(bases[i : i + k] for i in range(len(bases) - k + 1))
    return Counter({kmer: count for kmer, count in found.items() if set(kmer) <= set("ACGT")})


INTERVALS = [Window("one", 3, 130), Window("two", 0, 60), Window("two", 61, 211)]
SEQUENCES = [FASTA[one.contig][one.start : one.end] for one in INTERVALS]


@pytest.mark.parametrize("piece", [7, 50, 1 << 18])
def test_counts_are_those_of_a_dictionary(module, reference, monkeypatch, piece):
    counts = module("counts")
    monkeypatch.setattr(counts, "_PIECE", piece)
    found = counts.KmerCounts.of(reference, INTERVALS, 5)
    expected = dictionary(SEQUENCES, 5)
    for k in range(1, 6):
        kmers = ("".join("ACGT"[i >> 2 * (k - 1 - j) & 3] for j in range(k)) for i in range(4**k))
        assert found.tables[k].tolist() == [expected[kmer] for kmer in kmers]


@pytest.mark.parametrize("sides", ["left", "both"])
def test_probabilities_are_the_smoothed_ratios_of_the_longest_context_that_is_known(module, reference, sides):
    counts = module("counts")
    strengths = (1.0, 8.0, 2.0)
    model = counts.CountModel(counts.KmerCounts.of(reference, INTERVALS, 5), sides, strengths)
    window, kmers = Window("one", 0, 60), dictionary(SEQUENCES, 5)
    found = model.log_probabilities(counts.read_codes(reference, window, 2, window), 2, [1, 2])
    bases = FASTA["one"][:60]

    def expected(at, order):
        p = dict.fromkeys("ACGT", 0.25)
        for j in range(order + 1):
            before, after = bases[max(0, at - j) : at], bases[at + 1 : at + 1 + j] if sides == "both" else ""
            if len(before) < j or (sides == "both" and len(after) < j) or set(before + after) - set("ACGT"):
                break
            total = sum(kmers[before + base + after] for base in "ACGT")
            s = strengths[j]
            p = {base: (kmers[before + base + after] + s * p[base]) / (total + s) for base in "ACGT"}
        return [np.log(p[base]) for base in "ACGT"]

    for order in (1, 2):
        np.testing.assert_allclose(found[order], [expected(at, order) for at in range(60)], rtol=1e-12)
        np.testing.assert_allclose(np.exp(found[order]).sum(axis=-1), 1)


def test_contexts_on_both_sides_say_the_same_on_both_strands(module, reference):
    counts = module("counts")
    model = counts.CountModel(counts.KmerCounts.of(reference, INTERVALS, 5), "both", (1.0, 8.0, 2.0))
    codes = counts.read_codes(reference, Window("two", 40, 100), 2, Window("two", 0, 211))
    forward, reverse = model.both_strands(codes, 2, [2])[2]
    np.testing.assert_allclose(forward, reverse, rtol=1e-12)


def symmetric_source():
    """Joint probability of two neighbours, (4, 4), the same on both strands, all bases equally frequent."""
    joint = np.random.default_rng(5).random((4, 4)) ** 3
    for _ in range(200):
        joint = joint + joint[::-1, ::-1].T
        joint /= joint.sum(axis=1, keepdims=True)
        joint /= joint.sum(axis=0)
    return joint / 4


def test_a_markov_source_needs_as_many_bits_as_its_entropy(module, run, tmp_path):
    joint = symmetric_source()
    rng = np.random.default_rng(7)
    rows, draws = (4 * joint).cumsum(axis=1), rng.random(150_000)
    letters, state = [], 0
    for draw in draws:
        state = min(3, int(np.searchsorted(rows[state], draw)))
        letters.append("ACGT"[state])
    fasta = write_fasta(tmp_path / "markov.fa", {"c": "".join(letters)})
    (tmp_path / "splits.bed").write_text("c\t0\t110000\ttrain\nc\t110000\t150000\tvalid\n")
    choices = ("--left", 1, 4, "--both", 1, 3, "--json", tmp_path / "out.json")
    run("baselines", "--fasta", fasta, "--intervals", tmp_path / "splits.bed", *choices)
    rows = json.loads((tmp_path / "out.json").read_text())["rows"]
    bits = {row["predicted by"]: row for row in rows if "predicted by" in row}
    rate = -(joint * np.log2(4 * joint)).sum()
    triples = 16 * joint[:, :, None] * joint[None] / 4  # P(a, b, c) of a chain with P(b) = 1/4
    middle = -(triples * np.log2(triples / triples.sum(axis=1, keepdims=True))).sum()
    assert rate < 1.9
    for name, entropy in (("order-1 Markov", rate), ("order-4 Markov", rate), ("1+1 counts", middle)):
        assert bits[name]["mean"] == pytest.approx(entropy, abs=0.02)
    assert bits["order-1 Markov"]["combined"] < bits["order-1 Markov"]["mean"] - 0.01
    assert bits["3+3 counts"]["mean"] < bits["1+1 counts"]["mean"] + 0.02
    assert bits["1+1 counts"]["number"] == 40_000


def test_what_helps_not_is_smoothed_away(module):
    counts = module("counts")
    rng = np.random.default_rng(0)
    codes = rng.integers(0, 4, 30_000, dtype=np.uint8)
    kmers = counts.KmerCounts(5)
    kmers.add(codes[:20_000], 4)
    chosen = counts.choose_strengths(kmers, "left", 4, [codes[20_000:]], 4)
    assert min(chosen[1:]) >= 256
    again = np.tile(codes[:50], 100)
    periodic = counts.KmerCounts(5)
    periodic.add(again, 4)
    assert counts.choose_strengths(periodic, "left", 4, [again], 4)[4] == counts.STRENGTHS[0]


def test_windows_hold_each_base_once(module):
    baselines = module("baselines")
    intervals = [Window("c", 5, 105), Window("c", 200, 207), Window("d", 0, 40)]
    places = list(baselines.places_of(intervals, 20))
    counted = [
        (window.contig, at) for window, first, _ in places for at in range(window.start + first, window.end)
    ]
    assert counted == [(one.contig, at) for one in intervals for at in range(one.start, one.end)]
    longer = list(baselines.places_of([Window("c", 5, 50)], 20))
    assert longer[-1] == (Window("c", 30, 50), 15, Window("c", 5, 50))
    assert baselines.spread(places, 2) == [places[len(places) // 4], places[len(places) * 3 // 4]]


def test_the_benchmark_of_a_soft_masked_genome_and_a_model(module, run, tmp_path):
    made_up = module("made_up")
    model = made_up.write_model(tmp_path / "model", "janusdna-32")
    bases = "".join(np.random.default_rng(3).choice(list("ACGT"), 6000))
    bases = bases[:5100] + bases[5100:5200].lower() + bases[5200:5300] + "NNNNNN" + bases[5306:]
    fasta = write_fasta(tmp_path / "soft.fa", {"c": bases})
    (tmp_path / "splits.bed").write_text("c\t0\t5000\ttrain\nc\t5000\t5410\tvalid\n")
    files = ("--fasta", fasta, "--intervals", tmp_path / "splits.bed", "--model", model, "--window", 128)
    choices = ("--left", 3, "--both", 2, "--threads", 1, "--json", tmp_path / "out.json")
    printed = run("baselines", *files, *choices)
    rows = json.loads((tmp_path / "out.json").read_text())["rows"]
    assert [(row["predicted by"], row["bases"], row["number"]) for row in rows[:-2]] == [
        (name, kind, number)
        for name in ("order-3 Markov", "2+2 counts", "untrained-janusdna-32")
        for kind, number in (("all", 404), ("soft-masked", 100), ("unique", 304))
    ]
    assert "soft-masked" in printed
    network = load(str(model), device="cpu")
    sums = []
    for start, first in ((5000, 0), (5128, 0), (5256, 0), (5282, 102)):
        read = network.read([bases[start : start + 128].upper()]).logits[0][:, 7:11].log_softmax(-1)
        own = ["ACGT".find(base) for base in bases[start : start + 128].upper()]
        sums += [
            -read[at, base].item() / np.log(2) for at, base in enumerate(own) if at >= first and base >= 0
        ]
    assert rows[6]["forward"] == pytest.approx(np.mean(sums), abs=1e-4)
    assert rows[6]["mean"] == pytest.approx((rows[6]["forward"] + rows[6]["reverse"]) / 2)


def test_without_soft_masking_it_says_so(run, tmp_path):
    fasta = write_fasta(tmp_path / "upper.fa", FASTA)
    (tmp_path / "splits.bed").write_text("one\t0\t162\ttrain\ntwo\t0\t200\tvalid\n")
    files = ("--fasta", fasta, "--intervals", tmp_path / "splits.bed", "--json", tmp_path / "out.json")
    printed = run("baselines", *files, "--left", 2, "--both", 1, "--window", 64, "--most", 2)
    rows = json.loads((tmp_path / "out.json").read_text())["rows"]
    assert "no lower-case" in printed
    assert {row["bases"] for row in rows[:2]} == {"all"}


def test_it_says_what_is_missing(module, run, monkeypatch, tmp_path):
    with pytest.raises(SystemExit, match="needs --intervals"):
        run("baselines", "--fasta", "genome.fa")
    monkeypatch.setattr(module("baselines"), "HUMAN", tmp_path / "pretrain.fa.gz")
    with pytest.raises(SystemExit, match="are not there: pass --fasta"):
        module("baselines").human_data(tmp_path)
    fasta = write_fasta(tmp_path / "upper.fa", FASTA)
    (tmp_path / "splits.bed").write_text("one\t0\t162\ttrain\n")
    with pytest.raises(SystemExit, match="hold no valid"):
        run("baselines", "--fasta", fasta, "--intervals", tmp_path / "splits.bed")
