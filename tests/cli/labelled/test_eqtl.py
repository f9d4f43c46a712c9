"""DNALongBench's eQTLs in a miniature of their format, against a plain cutting of strings."""

import random
from pathlib import Path

import pandas as pd
import pysam
import pytest

from janusdna_cli.errors import JanusDNAError
from janusdna_cli.genome.fasta import Reference
from janusdna_cli.labelled.opening import Source, open_items

LENGTH, CUTOFF = 4000, 1300
FLANKS = {
    "tss_flank_upstream": 60,
    "tss_flank_downstream": 40,
    "region_flank_upstream": 15,
    "region_flank_downstream": 25,
}
COLUMNS = [
    *("gene_chrom", "gene_start", "gene_end", "region_chrom", "region_start", "region_end", "gene_id"),
    *("gene_strand", "region_id", "target", "subset", "allele1", "allele2", "distance_to_tss"),
]


def make_miniature(folder: Path, seed: int = 0) -> tuple[Path, str, list[dict], list[int]]:
    """A tissue's files as they are published: configuration, targets, a mask that is bgzipped and indexed."""
    chance = random.Random(seed)
    bases = "".join(chance.choices("ACGT", k=LENGTH))
    (folder / "hg38.fa").write_text(f">chr1\n{bases}\n")
    (folder / "targets").mkdir()
    (folder / "blacklist").mkdir()
    rows = []
    for number in range(30):
        gene, region = chance.randrange(1000, 3000), chance.randrange(1000, 3000)
        if abs(gene - region) > 800:
            region = gene + chance.randrange(-700, 700)
        place = {"gene_chrom": "chr1", "gene_start": gene, "gene_end": gene + 300, "region_chrom": "chr1"}
        place |= {"region_start": region, "region_end": region + 1, "gene_strand": chance.choice("+-")}
        other = chance.choice([base for base in "ACGT" if base != bases[region]])
        names = {"gene_id": f"G{number % 4}", "region_id": f"r{number}", "distance_to_tss": 0}
        told = {
            "subset": ("train", "valid", "test")[number % 3],
            "target": chance.choice(("positive", "negative")),
            "allele1": bases[region],
            "allele2": other,
        }
        rows.append(place | names | told)
    lines = ["\t".join(COLUMNS)] + ["\t".join(str(row[name]) for name in COLUMNS) for row in rows]
    (folder / "targets" / "Liver.data.tsv").write_text("\n".join(lines) + "\n")
    masked = sorted({chance.randrange(900, 3300) for _ in range(120)} | {row["region_start"] for row in rows})
    mask = folder / "blacklist" / "Liver.blacklist.bed"
    mask.write_text("".join(f"chr1\t{at}\t{at + 1}\n" for at in masked))
    pysam.tabix_index(str(mask), preset="bed", force=True)
    config = folder / "gtex_hg38.Liver.config"
    named = {"organism": "human", "genome_fa": "hg38.fa", "eQTL_file": "targets/Liver.data.tsv"}
    mask_file = {"eQTL_tabix_file": "blacklist/Liver.blacklist.bed.gz"}
    values = named | mask_file | FLANKS | {"seq_len_cutoff": CUTOFF}
    config.write_text("".join(f"{key}\t{value}\tstring\n" for key, value in values.items()))
    return config, bases, rows, masked


def expected(bases: str, row: dict, masked: list[int], allele: str) -> str:
    """A base at a time."""
    tss = row["gene_start"] if row["gene_strand"] == "+" else row["gene_end"] - 1
    near_gene = (tss - FLANKS["tss_flank_upstream"], tss + 1 + FLANKS["tss_flank_downstream"])
    near_region = (
        row["region_start"] - FLANKS["region_flank_upstream"],
        row["region_end"] + FLANKS["region_flank_downstream"],
    )
    first, second = sorted((near_gene, near_region))
    letters = []
    for at in range(min(near_gene[0], near_region[0]), max(near_gene[1], near_region[1])):
        if at == row["region_start"]:
            letters.append(allele)
        elif first[1] <= at < second[0] and at in masked:
            letters.append("N")
        else:
            letters.append(bases[at])
    text = "".join(letters)
    if tss > row["region_start"]:
        text = text[::-1].translate(str.maketrans("ACGT", "TGCA"))
    return text[:CUTOFF].ljust(CUTOFF, "N")


def test_sequences_are_those_of_a_plain_cutting(tmp_path):
    config, bases, rows, masked = make_miniature(tmp_path)
    with Reference.open(str(tmp_path / "hg38.fa")) as genome:
        found = list(open_items(Source(path=str(config), genome=genome)))
        both = list(open_items(Source(path=str(config), genome=genome, reference_too=True)))
    cut = [expected(bases, row, masked, row["allele2"]) for row in rows]
    assert [item.sequence for item in found] == cut
    assert [item.label for item in found] == [row["target"] for row in rows]
    assert [item.part for item in found] == [row["subset"] for row in rows]
    assert all(item.alternative is None for item in found)
    cut = [expected(bases, row, masked, row["allele1"]) for row in rows]
    assert [item.sequence for item in both] == cut
    assert [item.alternative for item in both] == [item.sequence for item in found]
    tss = [row["gene_start"] if row["gene_strand"] == "+" else row["gene_end"] - 1 for row in rows]
    apart = [abs(row["region_start"] - at) for row, at in zip(rows, tss, strict=True)]
    assert [item.columns["distance"] for item in found] == apart


def test_real_pairs_lie_in_their_genome(shared, tmp_path):
    """Those of ten real ones whose bases are in hand, moved to the slice that holds them."""
    place = shared / "data" / "benchmarks" / "dnalongbench"
    fasta, first = place / "GRCh38_chr1_1600001_1860000.fa.gz", 1_600_000
    with Reference.open(str(fasta)) as genome:
        [contig] = genome.lengths
        bases = genome.fetch(contig, 0, genome.lengths[contig]).decode().upper()
    table = pd.read_csv(place / "eqtl_v2_pairs.sample10.tsv", sep="\t")
    table = table[(table.region_chrom == "chr1") & table.region_start.between(first, first + len(bases))]
    for name in ("gene_start", "gene_end", "region_start", "region_end"):
        table[name] -= first
    table = table.assign(gene_chrom=contig, region_chrom=contig, subset="test")
    table.to_csv(tmp_path / "targets.tsv", sep="\t", index=False)
    config = tmp_path / "gtex_hg38.Some.config"
    config.write_text("eQTL_file targets.tsv string\neQTL_tabix_file None string\n")
    with Reference.open(str(fasta)) as genome:
        found = list(open_items(Source(path=str(config), genome=genome)))
    assert len(found) == len(table) > 2
    for item, row in zip(found, table.itertuples(), strict=True):
        assert item.status == "ok"
        assert len(item.sequence) == 450_000
        start = row.region_start - 500
        edited = bases[start : row.region_start] + row.allele2 + bases[row.region_end : row.region_end + 500]
        turned = edited[::-1].translate(str.maketrans("ACGT", "TGCA"))
        assert edited in item.sequence or turned in item.sequence


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (("allele1", "N"), "allele1 is N, found"),
        (("target", "maybe"), "found target 'maybe' and subset"),
        (("region_end", "1"), "found region"),
    ],
)
def test_a_broken_line_is_one_line(tmp_path, change, said):
    config, _, _, _ = make_miniature(tmp_path)
    targets = tmp_path / "targets" / "Liver.data.tsv"
    lines = targets.read_text().splitlines()
    fields = lines[3].split("\t")
    fields[COLUMNS.index(change[0])] = change[1]
    lines[3] = "\t".join(fields)
    targets.write_text("\n".join(lines) + "\n")
    with Reference.open(str(tmp_path / "hg38.fa")) as genome, pytest.raises(JanusDNAError) as caught:
        list(open_items(Source(path=str(config), genome=genome)))
    assert "Liver.data.tsv: line 4: " in str(caught.value)
    assert said in str(caught.value)


def test_pairs_too_far_apart_are_left_out(tmp_path):
    config, _, rows, _ = make_miniature(tmp_path)
    config.write_text(config.read_text().replace(f"seq_len_cutoff\t{CUTOFF}", "seq_len_cutoff\t300"))
    with Reference.open(str(tmp_path / "hg38.fa")) as genome:
        found = list(open_items(Source(path=str(config), genome=genome)))
    assert len(found) == len(rows)
    assert {item.status for item in found} == {"ok", "too_long"}
    assert all(len(item.sequence) == 300 for item in found if item.status == "ok")


def test_a_file_that_is_missing_is_named(tmp_path):
    config, _, _, _ = make_miniature(tmp_path)
    (tmp_path / "targets" / "Liver.data.tsv").unlink()
    with (
        Reference.open(str(tmp_path / "hg38.fa")) as genome,
        pytest.raises(JanusDNAError, match=r"Liver\.data\.tsv, which"),
    ):
        list(open_items(Source(path=str(config), genome=genome)))


def test_a_genome_must_be_named(tmp_path):
    config, _, _, _ = make_miniature(tmp_path)
    with pytest.raises(JanusDNAError, match=r"genome with -f \(the configuration names hg38\.fa"):
        list(open_items(Source(path=str(config))))
