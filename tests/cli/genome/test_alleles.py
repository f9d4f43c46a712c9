import random
import shutil
import subprocess
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from janusdna_cli.genome.alleles import Allele, Status, classify_alt, is_exchanged, normalise, resolve
from janusdna_cli.genome.fasta import Reference
from janusdna_cli.genome.vcf import Variant, VariantReader

VARIANTS = Path(__file__).resolve().parents[4] / "shared" / "data" / "variants"
BCFTOOLS = shutil.which("bcftools") or ""

#           0         1         2         3
#           0123456789012345678901234567890123456789
REPEATS = "CCAAAAAGTCACACACATTGGGGGGCATCATCATGNNacg"


def homopolymer(length: int) -> str:
    return "T" * length


@pytest.fixture(scope="module")
def reference(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Reference]:
    path = tmp_path_factory.mktemp("genome") / "x.fa"
    long = "G" + "A" * 5000 + "C" + "TCAG" * 1000 + "T"
    path.write_text(
        f">chr1\n{REPEATS}\n>start\nAAAAACG\n>tandem\nCACACACG\n>long\n{long}\n>MT\nGATTACA\n>codes\nACRTTGCA\n"
    )
    with Reference.open(path) as opened:
        yield opened


@pytest.mark.parametrize(
    ("contig", "start", "ref", "alt", "expected"),
    [
        # An SNV, also one that is written as more.
        ("chr1", 7, "G", "T", (7, "G", "T")),
        ("chr1", 6, "AG", "TG", (6, "A", "T")),
        ("chr1", 6, "AGT", "AGC", (8, "T", "C")),
        ("chr1", 5, "AAGTC", "AACTC", (7, "G", "C")),
        # An MNV keeps what lies between its ends.
        ("chr1", 7, "GTC", "CTG", (7, "GTC", "CTG")),
        ("chr1", 6, "AGTCA", "ACTGA", (7, "GTC", "CTG")),
        # An insertion is no SNV: A>AT.
        ("chr1", 6, "A", "AT", (7, "", "T")),
        ("chr1", 7, "G", "TG", (7, "", "T")),
        # In a homopolymer.
        ("chr1", 6, "AG", "G", (2, "A", "")),
        ("chr1", 4, "A", "", (2, "A", "")),
        ("chr1", 6, "A", "AA", (2, "", "A")),
        ("chr1", 3, "AAA", "A", (2, "AA", "")),
        # In a tandem repeat, which may turn the unit.
        ("chr1", 14, "ACA", "A", (9, "CA", "")),
        ("chr1", 13, "CA", "", (9, "CA", "")),
        ("chr1", 14, "AC", "", (9, "CA", "")),
        ("chr1", 16, "A", "ACA", (9, "", "CA")),
        ("chr1", 29, "ATC", "", (25, "CAT", "")),
        # To the contig's start.
        ("start", 4, "A", "", (0, "A", "")),
        ("start", 4, "AC", "AAC", (0, "", "A")),
        ("tandem", 6, "", "CA", (0, "", "CA")),
        ("tandem", 5, "AC", "", (0, "CA", "")),
        ("start", 0, "A", "TA", (0, "", "T")),
        # After the last base.
        ("MT", 6, "A", "AG", (7, "", "G")),
        # Across many pieces of the reference.
        ("long", 5000, "A", "", (1, "A", "")),
        ("long", 5000, "", "AAA", (1, "", "AAA")),
        ("long", 8999, "AGTC", "", (5002, "TCAG", "")),
        # Neither insertion nor deletion: stays where it is.
        ("chr1", 7, "GTC", "AA", (7, "GTC", "AA")),
        ("chr1", 6, "AGT", "AC", (7, "GT", "C")),
        # No change at all.
        ("chr1", 7, "G", "G", (7, "", "")),
    ],
)
def test_normalised_alleles(
    reference: Reference, contig: str, start: int, ref: str, alt: str, expected: tuple[int, str, str]
) -> None:
    at, shortest_ref, shortest_alt = expected
    if contig == "long" and len(ref) == 4:
        ref = reference.fetch(contig, start, start + 4).decode()
    assert reference.fetch(contig, start, start + len(ref)) == ref.encode()
    allele = normalise(reference, contig, start, ref.encode(), alt.encode())
    if contig == "long" and len(ref) == 4:
        assert (allele.start, len(allele.ref), allele.alt) == (at, 4, b"")
    else:
        assert allele == Allele(contig, at, shortest_ref.encode(), shortest_alt.encode())


@pytest.mark.parametrize(
    ("ref", "alt", "end", "substitution", "differing"),
    [
        (b"A", b"G", 6, True, (0,)),
        (b"ACG", b"TCA", 8, True, (0, 2)),
        (b"", b"", 5, True, ()),
        (b"", b"A", 5, False, None),
        (b"AC", b"", 7, False, None),
        (b"AC", b"G", 7, False, None),
    ],
)
def test_what_an_allele_knows(
    ref: bytes, alt: bytes, end: int, substitution: bool, differing: tuple[int, ...] | None
) -> None:
    allele = Allele("chr1", 5, ref, alt)
    assert (allele.end, allele.is_substitution) == (end, substitution)
    if differing is None:
        with pytest.raises(ValueError, match="zip"):
            _ = allele.differing
    else:
        assert allele.differing == differing


@pytest.mark.parametrize(
    ("status", "alts"),
    [
        (Status.ok, ["A", "acgt", "GATTACA"]),
        (Status.no_alt, ["."]),
        (Status.spanning_deletion, ["*"]),
        (Status.symbolic, ["<DEL>", "<INS:ME>", "<*>", "<NON_REF>", "<INS>BLAH>"]),
        (Status.breakend, ["A[2:321681[", "]2:3]T", "[<ctg1>:7[C", "G.", ".A", ".[1:2["]),
        (Status.non_acgt, ["N", "R", "AN", "A T", "", "U", "A*", "-", "0", "é"]),
    ],
)
def test_kinds_of_alt(status: Status, alts: list[str]) -> None:
    assert {alt: classify_alt(alt) for alt in alts} == dict.fromkeys(alts, status)


@pytest.mark.parametrize(
    ("chrom", "pos", "ref", "alt", "expected"),
    [
        ("chr1", 8, "G", "T", Allele("chr1", 7, b"G", b"T")),
        ("1", 8, "g", "t", Allele("chr1", 7, b"G", b"T")),
        ("1", 38, "A", "G", Allele("chr1", 37, b"A", b"G")),
        ("chrM", 7, "A", "AC", Allele("MT", 7, b"", b"C")),
        ("chr1", 8, "G", ".", Status.no_alt),
        ("chr1", 8, "G", "*", Status.spanning_deletion),
        ("chr7", 0, "G", "<DEL>", Status.symbolic),
        ("chr7", 0, "N", "G[1:2[", Status.breakend),
        ("chr7", 0, "N", "R", Status.no_contig),
        ("chr1", 0, "G", "T", Status.out_of_contig),
        ("chr1", -3, "G", "T", Status.out_of_contig),
        ("MT", 8, "G", "T", Status.out_of_contig),
        ("MT", 7, "AG", "R", Status.out_of_contig),
        ("MT", 7, "A", "R", Status.non_acgt),
        ("chr1", 36, "N", "A", Status.non_acgt),
        ("chr1", 8, ".", "A", Status.non_acgt),
        ("chr1", 8, "", "A", Status.non_acgt),
        ("chr1", 8, "G,A", "T", Status.non_acgt),
        # Of an ambiguity code REF may be any base; what replaces it would be compared with an unknown base.
        ("chr1", 36, "A", "G", Status.non_acgt),
        ("codes", 3, "A", "T", Status.non_acgt),
        ("codes", 3, "g", "t", Status.non_acgt),
        ("codes", 3, "C", "T", Status.ref_mismatch),
        ("codes", 3, "T", "A", Status.ref_mismatch),
        ("codes", 2, "CAT", "TAG", Status.non_acgt),
        ("codes", 2, "CCT", "TCG", Status.ref_mismatch),
        ("codes", 3, "AT", "A", Allele("codes", 3, b"T", b"")),
        ("codes", 3, "GT", "GC", Allele("codes", 3, b"T", b"C")),
        ("codes", 3, "A", "AC", Allele("codes", 3, b"", b"C")),
        ("codes", 2, "CA", "C", Status.non_acgt),
        ("codes", 3, "A", "R", Status.non_acgt),
        ("codes", 3, "R", "T", Status.non_acgt),
        # Never swapped: ALT is what the reference has.
        ("chr1", 8, "T", "G", Status.ref_mismatch),
        ("chr1", 8, "GA", "G", Status.ref_mismatch),
    ],
)
def test_resolving(
    reference: Reference, chrom: str, pos: int, ref: str, alt: str, expected: Allele | Status
) -> None:
    assert resolve(reference, Variant(chrom, pos, None, ref, (alt,)), alt) == expected


CODES = {
    **{"R": "AG", "Y": "CT", "S": "CG", "W": "AT", "K": "GT", "M": "AC"},
    **{"B": "CGT", "D": "AGT", "H": "ACT", "V": "ACG", "N": "ACGT", "X": "ACGT", "-": "ACGT"},
    **{"A": "A", "C": "C", "G": "G", "T": "T"},
}


@pytest.mark.parametrize("code", CODES)
@pytest.mark.parametrize("ref", "ACGT")
def test_a_reference_base_is_one_of_those_its_code_stands_for(code: str, ref: str) -> None:
    alt = "ACGT"["ACGT".index(ref) - 1]
    found = resolve(Contig(f"GG{code}GG".encode()), Variant("c", 3, None, ref, (alt,)), alt)
    if code == ref:
        assert found == Allele("c", 2, ref.encode(), alt.encode())
    else:
        assert found is (Status.non_acgt if ref in CODES[code] else Status.ref_mismatch)


@given(st.data())
def test_an_allele_beside_ambiguity_codes_makes_the_haplotype_that_its_record_means(
    data: st.DataObject,
) -> None:
    letters = data.draw(st.text("AACCRYMN", min_size=1, max_size=20))
    meant = "".join(data.draw(st.sampled_from(CODES[letter])) for letter in letters)
    start = data.draw(st.integers(0, len(letters) - 1))
    end = data.draw(st.integers(start + 1, min(len(letters), start + 5)))
    alt = data.draw(st.text("AC", min_size=1, max_size=5))
    found = resolve(Contig(letters.encode()), Variant("c", start + 1, None, meant[start:end], (alt,)), alt)
    if isinstance(found, Status):
        assert found is Status.non_acgt
        assert letters[start:end] != meant[start:end]
    else:
        assert letters[found.start : found.end] == found.ref.decode()
        haplotype = apply(meant.encode(), found.start, found.ref, found.alt)
        assert haplotype == apply(meant.encode(), start, meant[start:end].encode(), alt.encode())


@pytest.mark.parametrize(
    ("pos", "ref", "alts", "exchanged"),
    [
        (8, "T", ("G",), True),
        (8, "t", ("g",), True),
        (8, "T", ("C", "G"), True),
        (8, "TC", ("GT",), True),
        (8, "T", ("GTCA",), True),
        (8, "T", ("C",), False),
        (8, "T", ("<DEL>", "*", "", "N"), False),
        (8, "T", (), False),
        # To the contig's end and beyond.
        (39, "T", ("CG",), True),
        (39, "T", ("CGT",), False),
    ],
)
def test_alleles_that_were_exchanged(
    reference: Reference, pos: int, ref: str, alts: tuple[str, ...], exchanged: bool
) -> None:
    assert is_exchanged(reference, Variant("1", pos, None, ref, alts)) is exchanged


def apply(bases: bytes, start: int, ref: bytes, alt: bytes) -> bytes:
    assert bases[start : start + len(ref)] == ref
    return bases[:start] + alt + bases[start + len(ref) :]


class Contig(Reference):
    """A reference of one contig, without a file."""

    def __init__(self, bases: bytes) -> None:
        self.lengths = {"c": len(bases)}
        self.bases = bases

    def find(self, name: str) -> str:
        return name

    def fetch(self, contig: str, start: int, end: int) -> bytes:
        assert 0 <= start <= end <= self.lengths[contig]
        return self.bases[start:end]


few_letters = st.text("AC", min_size=1, max_size=30)


@settings(max_examples=400)
@given(few_letters, st.text("AC", max_size=5), st.data())
@example("A" * 30, "A", None)
def test_the_haplotype_is_kept_and_its_writing_does_not_matter(
    contig: str, alt: str, data: st.DataObject | None
) -> None:
    bases = contig.encode()
    start = data.draw(st.integers(0, len(bases))) if data else 20
    end = data.draw(st.integers(start, min(len(bases), start + 5))) if data else 20
    genome = Contig(bases)
    allele = normalise(genome, "c", start, bases[start:end], alt.encode())
    haplotype = apply(bases, start, bases[start:end], alt.encode())
    assert apply(bases, allele.start, allele.ref, allele.alt) == haplotype
    if len(haplotype) == len(bases):
        return
    # Every other place and length at which an edit makes the same haplotype of an insertion or deletion.
    change = len(haplotype) - len(bases)
    for left in range(len(bases) + 1):
        for right in range(left, len(bases) + 1):
            middle = haplotype[left : right + change] if right + change >= left else None
            if middle is not None and bases[:left] + middle + bases[right:] == haplotype:
                same = normalise(genome, "c", left, bases[left:right], middle)
                if not (allele.ref and allele.alt):
                    assert same == allele


@pytest.mark.skipif(not BCFTOOLS, reason="bcftools is not installed")
def test_alleles_agree_with_bcftools_norm(tmp_path: Path) -> None:
    rng = random.Random(7)
    units = ["A", "C", "AC", "GT", "CAG", "TTTA", "ACGTACGA"]
    bases = "".join(
        rng.choice(units) * rng.randint(1, 60) if rng.random() < 0.5 else "".join(rng.choices("ACGT", k=9))
        for _ in range(400)
    )
    (tmp_path / "x.fa").write_text(f">c\n{bases}\n")
    records = [random_record(rng, bases) for _ in range(3000)]
    columns = "\t".join(["#CHROM", "POS", "ID", "REF", "ALT", "QUAL", "FILTER", "INFO"])
    head = f"##fileformat=VCFv4.2\n##contig=<ID=c,length={len(bases)}>\n{columns}\n"
    lines = (f"c\t{start + 1}\t{at}\t{ref}\t{alt}\t.\t.\t.\n" for at, (start, ref, alt) in enumerate(records))
    (tmp_path / "x.vcf").write_text(head + "".join(lines))
    norm = [
        BCFTOOLS,
        "norm",
        "-f",
        str(tmp_path / "x.fa"),
        "-o",
        str(tmp_path / "n.vcf"),
        str(tmp_path / "x.vcf"),
    ]
    subprocess.run(norm, check=True, capture_output=True)
    with Reference.open(tmp_path / "x.fa") as genome, VariantReader.open(str(tmp_path / "n.vcf")) as normed:
        compared = 0
        for variant in normed:
            start, ref, alt = records[int(variant.id or "")]
            ours = normalise(genome, "c", start, ref.encode(), alt.encode())
            assert ours == trimmed(variant), (start, ref, alt)
            compared += 1
    assert compared == 3000


@pytest.mark.skipif(not VARIANTS.is_dir(), reason=f"{VARIANTS} is not here")
def test_real_variants_all_lie_on_their_reference() -> None:
    counts: Counter[str] = Counter()
    with (
        Reference.open(VARIANTS / "GRCh37_chr20.fa.gz") as genome,
        VariantReader.open(str(VARIANTS / "1kg_phase3_chr20_1-2Mb.GRCh37.vcf.gz")) as variants,
    ):
        for variant in variants:
            for alt in variant.alts:
                allele = resolve(genome, variant, alt)
                counts[allele if isinstance(allele, Status) else kind(allele)] += 1
    # Twelve of the SNVs are written as MNVs (AT>GT).
    assert counts == {"SNV": 28_191 + 12, "indel": 917, Status.symbolic: 24}


def kind(allele: Allele) -> str:
    if not allele.is_substitution:
        return "indel"
    return "SNV" if len(allele.ref) == 1 else "MNV"


def random_record(rng: random.Random, bases: str) -> tuple[int, str, str]:
    start = rng.randrange(0, len(bases) - 12)
    ref = bases[start : start + rng.randint(2, 8)]
    kind = rng.random()
    if kind < 0.3:
        return start, ref, ref[0]
    if kind < 0.6:
        return start, ref[0], ref[0] + rng.choice([bases[start + 1 : start + 5], "A", "CAG"])
    alt = "".join(rng.choices("ACGT", k=rng.randint(1, 8)))
    return start, ref, alt if alt != ref else alt + "A"


def trimmed(variant: Variant) -> Allele:
    """bcftools keeps one base before an insertion or deletion, or after it at the contig's start."""
    start, ref, alt = variant.pos - 1, variant.ref.encode(), (variant.alts or (variant.ref,))[0].encode()
    while ref and alt and ref[-1] == alt[-1]:
        ref, alt = ref[:-1], alt[:-1]
    while ref and alt and ref[0] == alt[0]:
        start, ref, alt = start + 1, ref[1:], alt[1:]
    return Allele("c", start, ref, alt)


def test_a_variant_of_dna_lies_on_rna(tmp_path: Path) -> None:
    path = tmp_path / "rna.fa"
    path.write_text(">c\nACGUUUGCA\n")
    with Reference.open(path) as reference:
        assert resolve(reference, Variant("c", 4, None, "T", ("A",)), "A") == Allele("c", 3, b"T", b"A")
        # One U fewer, written at the end of its run.
        assert resolve(reference, Variant("c", 5, None, "TT", ("T",)), "T") == Allele("c", 3, b"T", b"")
