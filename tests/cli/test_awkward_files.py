"""Files of other projects' test suites, and real ones, through the command line.

Each gives a table with one row per ALT or region, counted here from the file's text, or one line that names
the file and the line at fault; nothing else.
"""

import gzip
import re
from pathlib import Path

import numpy as np
import pandas as pd
import pysam
import pytest

DATA = Path(__file__).resolve().parents[2].parent / "shared" / "data"
BEDS = sorted([*(DATA / "awkward-bed").rglob("*.bed"), *(DATA / "awkward-bed").rglob("*.bed.gz")])
FASTAS = sorted((DATA / "awkward-bed").rglob("*.fa"))
VCF_FOLDERS = sorted({path.parent for path in (DATA / "awkward-vcf").rglob("*.vcf")})
LONGEST = 20_000


def text_of(path):
    data = path.read_bytes()
    return (gzip.decompress(data) if data[:2] == b"\x1f\x8b" else data).decode("latin-1")


def told(result, path, place):
    """Whether an error is the one line it must be."""
    line = f"janusdna: error: {path}: {place}: " if place else f"janusdna: error: {path}: "
    return (
        (result.exit_code, result.stdout, result.stderr.count("\n")) == (1, "", 1)
        and result.stderr.startswith(line)
        and "bug" not in result.stderr
    )


def bed_lines(path):
    """Regions, and the number of the first line that is none."""
    regions = []
    for number, line in enumerate(text_of(path).splitlines(), start=1):
        if not line.strip() or line.startswith("#") or line.split()[0] in ("track", "browser"):
            continue
        fields = [field.strip() for field in (line.split("\t") if "\t" in line else line.split())]
        if not regions and fields[1:2] and fields[1].lower() in ("start", "chromstart"):
            continue
        numbers = [int(field) for field in fields[1:3] if re.fullmatch(r"-?\d+", field)]
        if len(numbers) < 2 or not 0 <= numbers[0] <= numbers[1]:
            return regions, number
        regions.append((fields[0], *numbers))
    return regions, None


@pytest.mark.parametrize("path", BEDS or [None], ids=lambda path: path and f"{path.parent.name}-{path.name}")
def test_beds(work, bases, path):
    if path is None:
        pytest.skip(f"{DATA / 'awkward-bed'} is not here")
    genome = {f"chr{name}": bases(900, seed=1) for name in (1, 2, 3, 10)} | {"chrX": "ACGT" * 9}
    fasta = work.fasta(**genome)
    regions, broken = bed_lines(path)
    result = work.run("embed", fasta, path, "-m", work.model, "-w", 16, "-o", "out.parquet", "--keep-columns")
    if broken is not None:
        assert told(result, path, f"line {broken}"), result.output
        return
    assert result.exit_code == 0, result.output
    table = pd.read_parquet("out.parquet")
    assert list(table[["chrom", "start", "end"]].itertuples(index=False, name=None)) == regions
    for (chrom, start, end), row in zip(regions, table.to_dict("records"), strict=True):
        length = len(genome.get(chrom, genome.get(f"chr{chrom}", "")))
        known = "out_of_contig" if end > length else "empty" if start == end else "ok"
        assert row["status"] == (known if length else "no_contig")
        assert row["n_bases"] == (end - start if row["status"] == "ok" else 0)


@pytest.mark.parametrize("path", FASTAS or [None], ids=lambda path: path and path.name)
def test_fastas(work, path):
    if path is None:
        pytest.skip(f"{DATA / 'awkward-bed'} is not here")
    copy = work.folder / path.name  # its index is made beside it
    copy.write_bytes(path.read_bytes())
    records = re.findall(r"^>(\S+)[^\n]*\n([^>]*)", text_of(path).replace("\r", ""), re.MULTILINE)
    sequences = {name: "".join(lines.split()) for name, lines in records}
    table = work.embed(copy, "--window", 16)
    assert dict(zip(table["chrom"], table["end"], strict=True)) == {
        name: len(sequence) for name, sequence in sequences.items()
    }
    for row in table.to_dict("records"):
        sequence = sequences[row["chrom"]]
        read = len(re.findall("[ACGTacgt]", sequence)) if len(sequence) >= 3 else 0
        assert row["n_bases"] == read


def vcf_lines(path):
    """Site columns of each record, and the number of the first line that is none (0: no header)."""
    lines = text_of(path).splitlines()
    start = next((i for i, line in enumerate(lines) if line.startswith("#CHROM\t")), None)
    if start is None:
        return [], 0
    records = []
    for number, line in enumerate(lines[start + 1 :], start=start + 2):
        fields = line.split("\t")
        if line.strip() and not line.startswith("#"):
            if len(fields) < 5 or not re.fullmatch(r"-?\d+", fields[1]):
                return records, number
            records.append(fields[:5])
    return records, None


def genome_of(records):
    """Contigs that hold each REF at its POS where that is near."""
    contigs = {}
    for chrom, pos, _, ref, _ in records:
        if re.fullmatch(r"\w+", chrom) and re.fullmatch("[ACGTNacgtn]+", ref) and 0 < int(pos) < LONGEST:
            bases = contigs.setdefault(chrom, ["A", "C", "G", "T"] * (LONGEST // 4))
            bases[int(pos) - 1 : int(pos) - 1 + len(ref)] = ref
    return {chrom: "".join(bases) for chrom, bases in contigs.items()} or {"none": "ACGT" * 9}


@pytest.mark.parametrize("folder", VCF_FOLDERS or [None], ids=lambda p: p and f"{p.parent.name}-{p.name}")
def test_vcfs(work, folder):
    if folder is None:
        pytest.skip(f"{DATA / 'awkward-vcf'} is not here")
    statuses = set()
    for path in sorted(folder.glob("*.vcf")):
        records, broken = vcf_lines(path)
        fasta = work.fasta(f"{path.stem}.fa", width=LONGEST, **genome_of(records))
        arguments = ["-f", fasta, "-m", work.model, "-w", 64, "-o", "out.parquet", "--overwrite"]
        result = work.run("score-variants", path, *arguments)
        if broken is not None:
            assert told(result, path, broken and f"line {broken}"), result.output
            continue
        assert result.exit_code == 0, result.output
        rows = [
            (chrom, int(pos), ref, alt) for chrom, pos, _, ref, alts in records for alt in alts.split(",")
        ]
        table = pd.read_parquet("out.parquet")
        assert list(table[["chrom", "pos", "ref", "alt"]].itertuples(index=False, name=None)) == rows, path
        ids = [None if name == "." else name for _, _, name, _, alts in records for _ in alts.split(",")]
        assert table["id"].astype(object).where(table["id"].notna(), None).tolist() == ids, path
        scored = table["llr"].notna() | table["delta_pll"].notna()
        assert (scored == (table["status"] == "ok")).all(), path
        statuses.update(table["status"])
    assert "ok" in statuses or folder.name == "failed"


def head(path, records, to):
    """The header and the first records of a file, plain."""
    with gzip.open(path, "rt") as file:
        lines = []
        for line in file:
            lines.append(line)
            records -= not line.startswith("#")
            if not records:
                break
    to.write_text("".join(lines))
    return to


@pytest.fixture
def variants(work, shared):
    work.model = shared / "golden" / "tiny-midattn-mlp"
    return shared / "data" / "variants"


def real_rows(path):
    records, broken = vcf_lines(path)
    assert broken is None
    return [(int(pos), ref, alt) for _, pos, _, ref, alts in records for alt in alts.split(",")]


def expected_status(ref, alt, longest):
    if alt.startswith("<"):
        return "symbolic"
    if alt == "*":
        return "spanning_deletion"
    while ref and alt and ref[-1] == alt[-1]:
        ref, alt = ref[:-1], alt[:-1]
    while ref and alt and ref[0] == alt[0]:
        ref, alt = ref[1:], alt[1:]
    return "too_long" if max(len(ref), len(alt)) > longest else "ok"


@pytest.mark.parametrize(
    ("vcf", "fasta", "records"),
    [
        ("1kg_phase3_chr20_1-2Mb.GRCh37.vcf.gz", "GRCh37_chr20.fa.gz", 300),
        ("gvcf_chr20_GRCh37.g.vcf.gz", "GRCh37_chr20.fa.gz", 400),
        ("multisample_chr20_GRCh38.vcf.gz", "GRCh38_chr20_first1Mb.fa.gz", 200),
    ],
    ids=["1000-genomes", "gvcf", "multisample"],
)
def test_real_vcfs(work, variants, oracle_of, vcf, fasta, records):
    path = head(variants / vcf, records, work.folder / "head.vcf")
    table = work.score(path, "-f", variants / fasta, "--window", 256)
    rows = real_rows(path)
    assert list(table[["pos", "ref", "alt"]].itertuples(index=False, name=None)) == rows
    statuses = [expected_status(ref, alt, 64) for _, ref, alt in rows]
    assert table["status"].tolist() == statuses
    assert statuses.count("ok") >= 10
    snvs = table[(table["status"] == "ok") & table["llr"].notna()]
    assert_llr(snvs.iloc[:: len(snvs) // 5 or 1], variants / fasta, oracle_of(work.model / "last.ckpt"))


def assert_llr(rows, fasta, oracle):
    assert len(rows) >= 5
    with pysam.FastaFile(str(fasta)) as genome:
        for row in rows[rows["ref"].str.len() == 1].to_dict("records"):
            window = genome.fetch(row["chrom"], row["pos"] - 129, row["pos"] + 127).upper()
            logp = oracle.logp(window)[:, 128].mean(axis=0)
            wanted = logp["ACGT".index(row["alt"])] - logp["ACGT".index(row["ref"])]
            np.testing.assert_allclose(row["llr"], wanted, atol=1e-4)
