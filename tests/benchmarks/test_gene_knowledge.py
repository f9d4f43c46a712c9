"""benchmarks/gene_knowledge.py, clinvar.py and their plots, on a small made-up genome."""

import json
import random

import numpy as np
import pytest

from janusdna_cli.genome.genomes import GenomeFile, Genomes
from janusdna_cli.genome.transcripts import Transcript
from janusdna_cli.genome.windows import Window

SURE = np.log(0.97), np.log(0.01)
EVEN = np.log(0.25), np.log(0.25)


def complemented(bases):
    return bases[::-1].translate(str.maketrans("ACGT", "TGCA"))


class KnowsGT:
    """Is sure of every base of a GT of either strand, and has no idea of the others."""

    def answer(self, requests):
        return {request: Answer(request) for request in requests}


class Answer:
    def __init__(self, request):
        bases = "".join("ACGT"[int(code)] if code < 4 else "N" for code in request.ids - 7)
        sure = {at + k for at in range(len(bases)) for k in (0, 1) if bases[at : at + 2] in ("GT", "AC")}
        logp = np.full((2, len(request.targets), 4), EVEN[0])
        for row, at in enumerate(request.targets):
            if at in sure:
                logp[:, row] = SURE[1]
                logp[:, row, "ACGT".index(bases[at])] = SURE[0]
        self.logp = logp


@pytest.fixture
def genome(tmp_path):
    """Two contigs with the same gene of two exons, on either strand: FASTA, genes, intervals, kinds."""
    chance = random.Random(9)
    coding = [codon for codon in ("GCT", "CTT", "GAA", "TGC", "AAG", "GAT") for _ in range(6)]
    chance.shuffle(coding)
    coding = "ATG" + "".join(coding) + "TAG"
    intron = "GT" + "".join(chance.choices("ACGT", k=96)) + "AG"
    first, second = "GGCCTC" + coding[:50], coding[50:] + "CCGCTC"
    whole = first + intron + second
    flanks = ["".join(chance.choices("ACGT", k=400)) for _ in range(4)]
    sequences = [flanks[0] + whole + flanks[1], flanks[2] + complemented(whole) + flanks[3]]
    (tmp_path / "g.fa").write_text("".join(f">c{i}\n{bases}\n" for i, bases in enumerate(sequences)))
    exons = [(0, len(first)), (len(first) + 100, len(whole))]
    turned = [(len(whole) - end, len(whole) - start) for start, end in reversed(exons)]
    lines = []
    for contig, strand, parts in (("c0", "+", exons), ("c1", "-", turned)):
        for start, end in parts:
            about = f'gene_id "g"; transcript_id "{contig}t";'
            lines.append(f"{contig}\tx\texon\t{start + 401}\t{end + 400}\t.\t{strand}\t.\t{about}")
        low, high = parts[0][0] + 6 + 401, parts[-1][1] - 6 + 400
        cds = [(max(low, start + 401), min(high, end + 400)) for start, end in parts]
        lines += [f"{contig}\tx\tCDS\t{start}\t{end}\t.\t{strand}\t.\t{about}" for start, end in cds]
    (tmp_path / "g.gtf").write_text("\n".join(lines) + "\n")
    lengths = [len(bases) for bases in sequences]
    (tmp_path / "splits.bed").write_text(f"h.c0\t0\t{lengths[0]}\tvalid\nh.c1\t0\t{lengths[1]}\ttest\n")
    kinds = [(f"h.c{i}", part) for i in (0, 1) for part in ((0, 400, "intergenic"), (400, 500, "genic"))]
    lines = [f"{contig}\t{start}\t{end}\t{name}\t1\n" for contig, (start, end, name) in kinds]
    (tmp_path / "kinds.bed").write_text("".join(lines))
    return sequences, tmp_path, [tuple((s + 400, e + 400) for s, e in parts) for parts in (exons, turned)]


@pytest.fixture
def reading(module, genome):
    _, folder, _ = genome
    with Genomes([GenomeFile(str(folder / "g.fa"))]) as genomes:
        yield module("spots").Reading(genomes, KnowsGT(), 128, None, 50, 0)


def transcripts_of(genome):
    _, _, exons = genome
    return {
        f"c{i}": [Transcript("t", "g", f"c{i}", strand, parts, (parts[0][0] + 6, parts[-1][1] - 6))]
        for i, (strand, parts) in enumerate(zip("+-", exons, strict=True))
    }


def test_who_knows_gt_finds_donors_and_no_acceptors(module, genome, reading):
    spots = module("spots")
    genes = transcripts_of(genome)
    every = [one for transcripts in genes.values() for one in transcripts]
    places = module("gene_parts").junctions(every, reading.genomes)
    assert [len(places[kind]) for kind in ("donor", "acceptor")] == [2, 2]
    by_offset, changes = spots.by_junction("h", places, reading)
    mean = {(row["junction"], row["offset"]): row["mean llr"] for row in by_offset}
    assert len(by_offset) == 120
    assert [mean["donor", offset] for offset in (1, 2)] == pytest.approx([SURE[1] - SURE[0]] * 2)
    sequences, _, exons = genome
    around = [
        sequences[0][exons[0][0][1] - 31 : exons[0][0][1] + 31],
        complemented(sequences[1][exons[1][1][0] - 31 : exons[1][1][0] + 31]),
    ]
    for offset in (*range(-30, 0), *range(1, 31)):
        at = 31 + offset - (offset > 0)
        sure = [text[at : at + 2] in ("GT", "AC") or text[at - 1 : at + 1] in ("GT", "AC") for text in around]
        assert mean["donor", offset] == pytest.approx(np.mean(sure) * (SURE[1] - SURE[0]))
    by_kind = {row["changes of the intron's two bases"]: row for row in changes}
    # No other change is less expected than one of which the model is sure.
    assert by_kind["donor"]["median share below"] == 0
    assert by_kind["donor"]["share below 5%"] == 1
    assert by_kind["acceptor"]["median share below"] > 0.05


def test_what_looks_like_a_junction_is_none(module, genome, reading):
    spots = module("spots")
    sequences, _, _ = genome
    every = [one for transcripts in transcripts_of(genome).values() for one in transcripts]
    places = module("gene_parts").junctions(every, reading.genomes)
    known = set().union(*places.values())
    for seed in range(20):
        found = spots.drawn(reading.genomes, places, known, seed=seed)
        for kind, shift, letters in (("donor", 0, "GT"), ("acceptor", 2, "AG")):
            for spot, junction in zip(found[spots.NEITHER[kind]], places[kind], strict=True):
                assert (spot.contig, spot.reverse) == (junction.contig, junction.reverse)
                assert 50 < abs(spot.at - junction.at) <= 500
                bases, at = sequences[int(spot.contig[1])], spot.at
                if spot.reverse:
                    bases, at = complemented(bases), len(bases) - at
                assert bases[at - shift : at - shift + 2] == letters
                assert spot not in known


def test_sites_are_compared_with_themselves_in_each_frame(module):
    sweep, parts = module("sweep"), module("gene_parts")
    text = "GAATGCATGCTTTAC"
    codes = np.array(["ACGT".index(base) for base in text], np.uint8).reshape(-1, 3)
    for positions in (np.arange(40, 55), np.arange(54, 39, -1)):
        codons = parts.Codons(positions.reshape(-1, 3), codes)
        for shift in (0, 1, 2):
            found = sweep.later(codons, shift)
            read = ["".join("ACGT"[code] for code in triplet) for triplet in found.codes]
            expected = [text[i + shift : i + shift + 3] for i in range(0, 15, 3) if i + shift + 3 <= 15]
            assert read == expected
            assert (np.abs(np.diff(found.positions, axis=1)) == 1).all()
    # GAA: G is synonymous, C and T are not. ATG and GCT have only one kind. TAA is a stop.
    triplets = np.array([["ACGT".index(base) for base in codon] for codon in ("GAA", "ATG", "GCT", "TAA")])
    llr = np.full((4, 3, 4), np.nan)
    llr[:, 2] = (9.0, -1.0, 5.0, -2.0)
    assert sweep.differences(triplets.astype(np.uint8), llr) == pytest.approx(
        [5 - -1.5, np.nan, np.nan, np.nan], nan_ok=True
    )


def test_deaminations_are_of_both_strands(module):
    biology, sweep = module("biology"), module("sweep")
    codes = np.array(["ACGT".index(base) for base in "ACGTCAGC"], np.uint8)
    logp = np.log(np.random.default_rng(1).dirichlet(np.ones(4), 8))
    found = dict(sweep.deaminations(biology.Piece(codes, logp), np.ones(8, bool)))
    change = [logp[at, 3] - logp[at, 1] for at in range(8)]
    other = [logp[at, 0] - logp[at, 2] for at in range(8)]
    assert found["CpG"] == pytest.approx([change[1], other[2]])
    # The last C has no base after it.
    assert found["elsewhere"] == pytest.approx([change[4], other[6]])


def test_intervals_that_touch_are_read_as_one(module):
    given = [("b", 5, 9), ("a", 20, 30), ("a", 0, 10), ("b", 9, 12), ("a", 10, 15), ("a", 11, 12)]
    found = module("gene_knowledge").joined([Window(*one) for one in given])
    assert found == [Window("b", 5, 12), Window("a", 0, 15), Window("a", 20, 30)]


def test_gene_knowledge_of_a_genome(run, genome, tmp_path):
    sequences, folder, _ = genome
    files = ("--fasta", f"h={folder / 'g.fa'}", "--genes", f"h={folder / 'g.gtf'}")
    choices = ("--intervals", folder / "splits.bed", "--kinds", folder / "kinds.bed", "--window", 128)
    run("gene_knowledge", *files, *choices, "--resamples", 20, "--json", tmp_path / "out.json")
    rows = json.loads((tmp_path / "out.json").read_text())["rows"]
    assert {row["genome"] for row in rows} == {"h"}
    bits = {row["kind"]: row for row in rows if "kind" in row}
    assert bits["all"]["bases"] == sum(map(len, sequences))
    assert [bits[kind]["bases"] for kind in ("intergenic", "genic")] == [800, 200]
    assert all(1 < row["bits per base"] < 3 for row in bits.values())
    codons = {row["which"]: row["substitutions"] for row in rows if "codon" in row}
    assert {codons[position] for position in "123"} == {3 * codons_in_windows(genome, 128)}
    assert sum(codons[name] for name in ("synonymous", "missense", "stop")) == sum(codons[p] for p in "123")
    ends = {(row["end codon"], row["which"]): row for row in rows if "end codon" in row}
    assert ends["start", "annotated"]["substitutions"] == 2 * 9
    assert sum(row.get("junction") == "donor" for row in rows) == 60
    frames = [row["third positions, frame"] for row in rows if "third positions, frame" in row]
    assert frames == ["own", "one base later", "two bases later"]
    draw(run, tmp_path)


def codons_in_windows(genome, size):
    """Codons without start and stop whose bases lie in one window of those that hold each base once."""
    sequences, _, exons = genome
    number = 0
    for bases, parts in zip(sequences, exons, strict=True):
        positions = [at for start, end in parts for at in range(start, end)][6:-6]
        for i in range(3, len(positions) - 3, 3):
            codon = positions[i : i + 3]
            start = codon[0] // size * size
            number += codon[2] < min(start + size, len(bases))
    return number


def draw(run, tmp_path):
    pytest.importorskip("matplotlib")
    out = tmp_path / "out.json"
    run("knowledge_plots", f"before={out}", f"after={out}", "--output", tmp_path)
    assert sorted(path.stem for path in tmp_path.glob("*.svg")) == ["acceptors", "donors", "effects", "kinds"]
    with pytest.raises(SystemExit, match="has no genome mouse, it has h"):
        run("knowledge_plots", f"before={out}", "--genome", "mouse", "--output", tmp_path)


def test_clinvar_of_a_made_up_gene(run, genome, tmp_path):
    sequences, folder, exons = genome
    bases = sequences[0]
    start, donor = exons[0][0][0] + 6, exons[0][0][1]
    other = str.maketrans("ACGT", "CATG")
    places = [
        *((at, 1, 0, "Pathogenic") for at in (donor, donor + 1, start, start + 1)),
        *((at, 0, 0, "Benign") for at in range(20, 120, 10)),
        (5, 0, 0, "Uncertain_significance|Benign"), (6, 1, 1, "Pathogenic|Benign"), (7, 0, 0, "other"),
    ]  # fmt: skip
    lines = [
        f"c0\t{at + 1}\t.\t{bases[at]}\t{bases[at].translate(other)}\t.\t.\t"
        f"PATHOGENIC={ill};CONFLICTED={both};CLNSIG={said}\n"
        for at, ill, both, said in sorted(places)
    ]
    for at, ill in ((200, 0), (start + 10, 1), (210, 0), (start + 12, 1)):
        info = f"PATHOGENIC={ill};CONFLICTED=0;CLNSIG={'Pathogenic' if ill else 'Benign'}"
        lines.append(f"c0\t{at}\t.\t{bases[at - 1 : at + 1]}\t{bases[at - 1]}\t.\t.\t{info}\n")
    lines.sort(key=lambda line: int(line.split("\t")[1]))
    header = "##fileformat=VCFv4.3\n#CHROM\tPOS\tID\tREF\tALT\tQUAL\tFILTER\tINFO\n"
    (tmp_path / "v.vcf").write_text(header + "".join(lines))
    files = ("--vcf", tmp_path / "v.vcf", "--fasta", folder / "g.fa", "--genes", folder / "g.gtf")
    choices = ("--window", 64, "--span", 4, "--resamples", 20, "--json", tmp_path / "out.json")
    scores = ("--model", "janusdna-32", "--scores", "llr", "delta_pll", "influence", "embedding")
    run("clinvar", *files, *scores, *choices)
    rows = json.loads((tmp_path / "out.json").read_text())["rows"]
    left = {row["left out, as they are"]: row["records"] for row in rows if "records" in row}
    assert left["of uncertain significance"] == left["conflicted"] == left["called neither"] == 1
    numbers = {row["consequence"]: (row["pathogenic"], row["benign"]) for row in rows if "benign" in row}
    assert numbers == {"splice site": (2, 0), "start lost": (2, 0), "other": (0, 10)}
    found = {(row["score"], row["of"]): row for row in rows if "score" in row}
    assert {name for name, of in found if of == "SNVs"} >= {"-llr", "-delta_pll", "influence", "emb_l2"}
    assert {name for name, of in found if of == "indels"} >= {"-delta_pll", "influence", "emb_l2"}
    assert ("-llr", "indels") not in found
    assert (found["-llr", "SNVs"]["positives"], found["-llr", "SNVs"]["negatives"]) == (4, 10)
    assert json.loads((tmp_path / "out.json").read_text())["command"].startswith("python benchmarks/clinvar")
