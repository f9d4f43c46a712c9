"""Where parts of genes are, and what changes do to them, in a made-up gene that is read by hand."""

import itertools
import random

import numpy as np
import pytest

from janusdna_cli.genome.genomes import GenomeFile, Genomes
from janusdna_cli.genome.transcripts import Transcript
from janusdna_cli.labelled.info import LabelledAllele

# NCBI's table 1, codons in the order TCAG.
NCBI = "FFLLSSSSYY**CC*WLLLLPPPPHHQQRRRRIIIMTTTTNNKKSSRRVVVVAAAADDEEGGGG"
AMINO = dict(zip(map("".join, itertools.product("TCAG", repeat=3)), NCBI, strict=True))
# Read: ATG GCT CTT TA | C AAA TGG TGT TGC TAG; six bases before it, four after it.
EXONS = "GGCACCATGGCTCTTTA", "CAAATGGTGTTGCTAGGTTC"
INTRON = "GTAAGTTTTACCATCTTATTCCTTTTTCTTTACAG"
WHOLE = EXONS[0] + INTRON + EXONS[1]
BEFORE, AFTER = 30, 40


def complemented(bases):
    return bases[::-1].translate(str.maketrans("ACGT", "TGCA"))


def some_bases(seed, length):
    return "".join(random.Random(seed).choices("ACGT", k=length))


def placed(spans, strand):
    """Spans of the gene on the contig."""
    if strand == "-":
        spans = [(len(WHOLE) - end, len(WHOLE) - start) for start, end in reversed(spans)]
    return tuple((start + BEFORE, end + BEFORE) for start, end in spans)


@pytest.fixture(params=["+", "-"])
def gene(request, tmp_path):
    """The gene on either strand: bases of its contig, its genome, its transcript."""
    own = WHOLE if request.param == "+" else complemented(WHOLE)
    bases = some_bases(1, BEFORE) + own + some_bases(2, AFTER)
    (tmp_path / "g.fa").write_text(f">c\n{bases}\n")
    exons = placed([(0, 17), (17 + 35, len(WHOLE))], request.param)
    (coding,) = placed([(6, len(WHOLE) - 4)], request.param)
    with Genomes([GenomeFile(str(tmp_path / "g.fa"))]) as genomes:
        yield bases, genomes, Transcript("t", "g", "c", request.param, exons, coding)


def protein(bases, transcript):
    spliced = "".join(bases[start:end] for start, end in transcript.coding_exons())
    spliced = spliced if transcript.strand == "+" else complemented(spliced)
    return "".join(AMINO[spliced[i : i + 3]] for i in range(0, len(spliced), 3))


def test_codons_are_those_that_are_translated(module, gene):
    bases, genomes, transcript = gene
    parts, codons = module("gene_parts"), module("codons")
    found = parts.codons_of(transcript, genomes)
    assert protein(bases, transcript) == "MALYKWCC*"
    assert codons.amino_acids(found.codes).tobytes().decode() == "MALYKWCC*"
    for codon, codes in zip(found.positions.tolist(), found.codes.tolist(), strict=True):
        read = "".join(bases[at] for at in codon)
        read = read if transcript.strand == "+" else complemented(read)[::-1]
        assert read == "".join("ACGT"[code] for code in codes)


def test_codons_that_are_read_in_two_frames_are_left_out(module, gene):
    _, genomes, transcript = gene
    parts = module("gene_parts")
    found = parts.codons_of(transcript, genomes)
    once = parts.unambiguous([found, found])
    assert sorted(map(tuple, once.positions.tolist())) == sorted(map(tuple, found.positions[1:-1].tolist()))
    shifted = parts.Codons(found.positions + 1, found.codes)
    assert len(parts.unambiguous([found, shifted]).positions) == 0


@pytest.mark.parametrize("change", [(0, -1), (1, -2), None])
def test_a_transcript_that_does_not_read_as_a_protein_has_no_codons(module, gene, change):
    _, genomes, one = gene
    coding = change and (one.coding[0] + change[0], one.coding[1] + change[1])
    other = Transcript("t", "g", "c", one.strand, one.exons, coding)
    found = module("gene_parts").codons_of(other, genomes)
    # One base later it would be TGG CTC TTT ACA AAT GGT GTT GCT, without a stop, or from the other side.
    assert found is None or b"*" not in module("codons").amino_acids(found.codes[:-1]).tobytes()
    assert (found is None) == (change != (1, -2))


def test_junctions_and_end_codons_are_seen_from_their_strand(module, gene):
    bases, genomes, transcript = gene
    parts = module("gene_parts")
    found = parts.junctions([transcript, transcript], genomes)
    found |= {
        name: parts.end_codons([parts.codons_of(transcript, genomes)], which, letter, "c")
        for name, which, letter in (("start", 0, "M"), ("stop", -1, "*"))
    }
    expected = {"donor": "GTAAGT", "acceptor": "CAAATG", "start": "ATGGCT", "stop": "TAGGTT"}
    for name, after in expected.items():
        (spot,) = found[name]
        ahead = bases[spot.at : spot.at + 6] if not spot.reverse else bases[spot.at - 6 : spot.at]
        assert (ahead if not spot.reverse else complemented(ahead)) == after
        assert spot.reverse == (transcript.strand == "-")


def test_bases_near_a_stop_and_of_first_and_last_codons_are_those_of_the_changed_gene(
    run, module, gene, tmp_path
):
    bases, _, one = gene
    changes = [(at, bases[:at] + alt + bases[at + 1 :]) for at in range(len(bases)) for alt in "ACGT"]
    near = {at for at, changed in changes if "*" in protein(changed, one)[:-1]}
    read = sorted(at for start, end in one.coding_exons() for at in range(start, end))
    exons = "".join(f"{exon[0]}," for exon in one.exons), "".join(f"{exon[1]}," for exon in one.exons)
    fields = ("t", "c", one.strand, one.start, one.end, *one.coding, 2, *exons, 0, "g")
    (tmp_path / "g.txt").write_text("\t".join(map(str, fields)) + "\n")
    given = ("--fasta", tmp_path / "g.fa", "--genes", tmp_path / "g.txt", "--intervals", "of corpus")
    out = ("-o", tmp_path / "codons.bed", "--json", tmp_path / "x.json")
    run("codon_weights", *given, "--near-stop", 12, "--ends", 30.5, *out)
    lines = [line.split("\t") for line in (tmp_path / "codons.bed").read_text().splitlines()]
    assert {(name, kind) for name, _, _, kind, _ in lines} == {("c", "coding")}
    assert all(int(end) - int(start) == 1 for _, start, end, _, _ in lines)
    assert len(near) > 5
    assert [int(start) for _, start, _, _, weight in lines if weight == "12"] == sorted(near)
    assert [int(start) for _, start, _, _, weight in lines if weight == "30.5"] == read[:3] + read[-3:]


def test_consequences_are_those_of_reading_the_changed_gene(module, gene):
    bases, genomes, transcript = gene
    consequences = module("consequences").Consequences({"c": [transcript]}, genomes)
    first, last = transcript.introns[0]
    for at, alt in itertools.product(range(len(bases)), "ACGT"):
        if alt != bases[at]:
            found = consequences.of(LabelledAllele("c", at + 1, bases[at], alt, {}))
            assert found == expected_of(bases, transcript, at, alt), (at, alt)
        sites = (first, first + 1, last - 2, last - 1)
        assert consequences.distance("c", at) == min(abs(at - site) for site in sites)


def expected_of(bases, transcript, at, alt):
    first, last = transcript.introns[0]
    if not transcript.start <= at < transcript.end:
        return "other"
    if first <= at < last:
        depth = min(at - first, last - 1 - at)
        return "splice site" if depth < 2 else "splice region" if depth < 8 else "intron"
    before = protein(bases, transcript)
    after = protein(bases[:at] + alt + bases[at + 1 :], transcript)
    region = at in range(first - 3, first) or at in range(last, last + 3)
    if before[0] != after[0]:
        return "start lost"
    if before != after:
        return "stop gained" if "*" in after[:-1] else "missense" if after[-1] == "*" else "stop lost"
    if region:
        return "splice region"
    return "synonymous" if transcript.coding[0] <= at < transcript.coding[1] else "untranslated"


def test_the_worst_of_all_transcripts_counts(module, gene):
    bases, genomes, one = gene
    untranslated = Transcript("u", "g", "c", one.strand, ((one.start, one.end),), None)
    both = module("consequences").Consequences({"c": [untranslated, one]}, genomes)
    inside = sum(one.introns[0]) // 2
    alt = "A" if bases[inside] != "A" else "C"
    assert both.of(LabelledAllele("c", inside + 1, bases[inside], alt, {})) == "untranslated"
    assert both.unsound == 0
    wrong = "ACGT"["ACGT".index(bases[one.coding[0]]) - 1]
    with pytest.raises(ValueError, match=f"c:{one.coding[0] + 1}: REF is {wrong}"):
        both.of(LabelledAllele("c", one.coding[0] + 1, wrong, bases[one.coding[0]], {}))


def test_genes_are_moved_onto_slices(module):
    one = Transcript("t", "g", "chr7", "+", ((1010, 1020), (1030, 1050)), (1012, 1040))
    lengths = {"GRCh37_chr7_1001_2000": 1000, "chr7_1041_1100": 60, "chr7": 5000, "chr8_1_2000": 2000}
    found, cut = module("clinvar").genes_on([one], lengths)
    moved = found["GRCh37_chr7_1001_2000"][0]
    assert (moved.exons, moved.coding) == (((10, 20), (30, 50)), (12, 40))
    assert moved.contig == "GRCh37_chr7_1001_2000"
    assert found["chr7"] == [one]
    assert [len(cut[contig]) for contig in lengths] == [0, 1, 0, 0]
    assert [len(found[contig]) for contig in lengths] == [1, 0, 1, 0]


def test_a_mean_of_clusters_has_the_error_of_their_means(module):
    averages = module("averages")
    means = averages.Means()
    rng = np.random.default_rng(5)
    clusters = [rng.normal(size=4) + rng.normal() for _ in range(50)]
    for cluster in clusters:
        means["a",].add(np.append(cluster, np.nan))
    means["b",].add(np.array([1.0]))
    rows = means.rows("which")
    assert [(row["which"], row["substitutions"]) for row in rows] == [("a", 200), ("b", 1)]
    own = np.mean(clusters, axis=1)
    assert rows[0]["mean llr"] == pytest.approx(own.mean())
    assert rows[0]["standard error"] == pytest.approx(own.std(ddof=1) / 50**0.5)
    assert rows[1]["standard error"] is None
    value, low, high = averages.interval(own, lambda drawn: drawn.mean(axis=-1), resamples=500, seed=1)
    assert value == pytest.approx(own.mean())
    assert low < value < high
    assert (high - low) / (2 * 1.96) == pytest.approx(rows[0]["standard error"], rel=0.15)
