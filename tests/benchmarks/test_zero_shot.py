"""Matched substitutions, and both scripts from end to end."""

import json
from collections import Counter
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from janusdna_cli.genome.fasta import Reference
from janusdna_cli.genome.windows import Window
from janusdna_cli.labelled.info import LabelledAllele, read_alleles

HEADER = "##fileformat=VCFv4.3\n#CHROM\tPOS\tID\tREF\tALT\tQUAL\tFILTER\tINFO\n"


@pytest.fixture
def genome(tmp_path):
    """A made-up contig with N in it, and a VCF of variants with frequencies."""
    rng = np.random.default_rng(11)
    bases = "".join(rng.choice(list("ACGT"), 4000))
    bases = bases[:1500] + "N" * 50 + bases[1550:]
    (tmp_path / "genome.fa").write_text(f">c\n{bases}\n")
    lines = []
    for at in range(100, 3900, 20):
        if bases[at] in "ACGT":
            alts = [base for base in "ACGT" if base != bases[at]][: 1 + (at % 100 == 0)]
            frequency = ",".join(f"{rng.choice((0.0005, 0.005, 0.03, 0.2, 0.9))}" for _ in alts)
            lines.append(f"c\t{at + 1}\t.\t{bases[at]}\t{','.join(alts)}\t.\t.\tAF={frequency};DB")
    lines += [f"c\t3001\t.\t{bases[3000:3004]}\t{bases[3000]}\t.\t.\tAF=0.1", "c\t3011\t.\tN\t<DEL>\t.\t.\t."]
    lines.sort(key=lambda line: int(line.split("\t")[1]))
    (tmp_path / "seen.vcf").write_text(HEADER + "".join(f"{line}\n" for line in lines))
    return bases, tmp_path / "genome.fa", tmp_path / "seen.vcf"


def test_partners_are_the_same_substitution_in_the_same_trinucleotide_elsewhere(module, genome):
    bases, fasta, vcf = genome
    common_variants = module("common_variants")
    alleles = list(read_alleles(vcf))
    touched = {at for one in alleles for at in range(one.pos, one.pos + len(one.ref))}
    pairs = common_variants.matched(vcf, fasta, seed=4)
    partners = [partner.pos for _, partner in pairs]
    assert len(set(partners)) == len(partners) > 150
    assert not touched & set(partners)
    assert min(touched) < min(partners) <= max(partners) < max(touched)
    for variant, partner in pairs:
        assert bases[partner.pos - 2 : partner.pos + 1] == bases[variant.pos - 2 : variant.pos + 1]
        assert set(bases[partner.pos - 2 : partner.pos + 1]) <= set("ACGT")
        assert (partner.ref, partner.alt) == (variant.ref, variant.alt) != (variant.alt, variant.ref)
        assert partner.ref == bases[partner.pos - 1]
        assert partner.info["AF_BIN"] == variant.info["AF_BIN"]
        low, high = map(float, variant.info["AF_BIN"].split("-"))
        assert low <= float(variant.info["AF"]) < high
    assert {(one.pos, one.alt) for one, _ in pairs} <= {(one.pos, one.alt) for one in alleles}
    assert common_variants.matched(vcf, fasta, seed=4) == pairs
    assert common_variants.matched(vcf, fasta, seed=5) != pairs


def test_a_variant_without_a_place_for_its_partner_is_left_out(module, tmp_path):
    (tmp_path / "genome.fa").write_text(">c\n" + "T" * 9 + "ACG" + "T" * 9 + "ACG" + "T" * 9 + "\n")
    lines = [f"c\t{pos}\t.\t{ref}\tG\t.\t.\tAF=0.2\n" for pos, ref in ((1, "T"), (11, "C"), (28, "T"))]
    (tmp_path / "seen.vcf").write_text(HEADER + "".join(lines) + "c\t30\t.\tA\tG\t.\t.\tAF=0.2\n")
    pairs = module("common_variants").matched(tmp_path / "seen.vcf", tmp_path / "genome.fa")
    assert [(one.pos, other.pos) for one, other in pairs if one.ref == "C"] == [(11, 23)]
    assert {one.pos for one, _ in pairs} == {11, 28}  # 1 has no trinucleotide, REF of 30 is not the genome's


def test_at_most_so_many_of_a_bin(module, run, genome, tmp_path):
    _, fasta, vcf = genome
    files = (
        "--vcf",
        vcf,
        "--fasta",
        fasta,
        "--output",
        tmp_path / "pairs.vcf",
        "--json",
        tmp_path / "out.json",
    )
    printed = run("common_variants", *files, "--most", 7, "--edges", 0.01, 0.1)
    rows = json.loads((tmp_path / "out.json").read_text())["rows"]
    assert [(row["allele frequency"], row["pairs"]) for row in rows] == [
        ("0-0.01", 7), ("0.01-0.1", 7), ("0.1-1", 7),
    ]  # fmt: skip
    assert "| allele frequency | pairs |" in printed
    written = list(read_alleles(tmp_path / "pairs.vcf"))
    assert [one.pos for one in written] == sorted(one.pos for one in written)
    assert Counter(one.info["SEEN"] for one in written) == {"0": 21, "1": 21}


def test_common_against_rare_are_the_same_substitutions_between_the_same_neighbours(module, genome):
    bases, fasta, vcf = genome
    zero_shot, common_variants = module("zero_shot"), module("common_variants")
    alleles = common_variants.in_order(common_variants.matched(vcf, fasta))
    frequency = np.array([float(one.info.get("AF", "nan")) for one in alleles])
    examples = zero_shot.Examples(
        alleles,
        np.array([one.info["SEEN"] == "1" for one in alleles]),
        [one.info["AF_BIN"] for one in alleles],
    )
    kinds = {True: Counter(), False: Counter()}
    for one, often in zip(alleles, frequency, strict=True):
        if not np.isnan(often) and (often > 0.05 or often < 0.001):
            kinds[often > 0.05][bases[one.pos - 2 : one.pos + 1], one.alt] += 1
    expected = (kinds[True] & kinds[False]).total()
    options = SimpleNamespace(seed=0, resamples=20, positives="plausible")
    (row,) = zero_shot.against_rare(examples, pd.DataFrame({"frequency": frequency}), options)
    assert (row["of"], row["positives"], row["negatives"]) == ("common against 0-0.001", expected, expected)
    assert row["AUROC"] == 1
    assert expected >= 5


def test_the_llr_of_counts_is_that_of_its_probabilities(module, genome):
    bases, fasta, _ = genome
    counts = module("counts")
    with Reference.open(fasta) as reference:
        (model,) = counts.fit(reference, [Window("c", 0, 4000)], {"left": 3})
        ref = bases[199:201]
        alt = ref.translate(str.maketrans("ACGT", "CATG"))
        sites = [
            (200, ref, alt),
            (200, ref[0], alt[0]),
            (201, ref[1], alt[1]),
            (200, alt[0], ref[0]),
            (1, "AC", "A"),
        ]
        alleles = [LabelledAllele("chrc" if i else "c", *site, {}) for i, site in enumerate(sites)]
        both, first, second, mismatch, deletion = module("zero_shot").by_counts(alleles, reference, model)
        window = Window("c", 199, 201)
        codes = counts.read_codes(reference, window, 3, Window("c", 0, 4000))
    logp = model.both_strands(codes, 3, [3])[3].mean(axis=0)[0]
    assert first == pytest.approx(logp["ACGT".index(alt[0])] - logp["ACGT".index(ref[0])])
    assert both == pytest.approx(first + second)
    assert np.isnan([mismatch, deletion]).all()


def test_zero_shot_of_a_labelled_vcf(module, run, genome, tmp_path):
    _, fasta, vcf = genome
    model = module("made_up").write_model(tmp_path / "model", "janusdna-32")
    files = (
        "--vcf",
        vcf,
        "--fasta",
        fasta,
        "--output",
        tmp_path / "pairs.vcf",
        "--json",
        tmp_path / "out.json",
    )
    run("common_variants", *files, "--most", 4, "--edges", 0.01)
    (tmp_path / "splits.bed").write_text("c\t0\t4000\ttrain\n")
    counted = ("--counts-fasta", fasta, "--counts-intervals", tmp_path / "splits.bed")
    choices = ("--resamples", 20, "--counts-both", 2, "--counts-left", 3, "--window", 64, "--threads", 1)
    command = (
        "zero_shot", "--vcf", tmp_path / "pairs.vcf", "--label", "SEEN", "--by", "AF_BIN", "--fasta", fasta,
        "--model", model, "--scores", "llr", "delta_pll", "embedding", "influence", "--span", 4,
        *counted, *choices,
    )  # fmt: skip
    rows = []
    for name in ("once", "again"):
        printed = run(*command, "--positives", "plausible", "--json", tmp_path / f"{name}.json")
        rows.append(json.loads((tmp_path / f"{name}.json").read_text())["rows"])
    assert rows[0] == rows[1]
    names = [
        "llr", "delta_pll", "-emb_l2", "-emb_cosine", "-influence",
        "llr of 2+2 counts", "llr of order-3 Markov",
    ]  # fmt: skip
    assert [(row["score"], row["of"], row["positives"], row["negatives"]) for row in rows[0]] == [
        (name, group, count, count)
        for group, count in (("all", 8), ("0-0.01", 4), ("0.01-1", 4))
        for name in names
    ]
    assert all(row["AUROC from"] <= row["AUROC to"] for row in rows[0])
    assert "| AUPRC |" in printed
    run(*command, "--json", tmp_path / "turned.json")
    turned = json.loads((tmp_path / "turned.json").read_text())["rows"]
    assert [row["score"] for row in turned[:5]] == ["-llr", "-delta_pll", "emb_l2", "emb_cosine", "influence"]
    assert turned[0]["AUROC"] == pytest.approx(1 - rows[0][0]["AUROC"])


def test_zero_shot_of_two_vcfs_by_counts_alone(run, genome, tmp_path):
    bases, fasta, _ = genome
    other = str.maketrans("ACGT", "CATG")
    for name, first in (("ill", 200), ("well", 210)):
        lines = [
            f"c\t{at + 1}\t.\t{bases[at]}\t{bases[at].translate(other)}\t.\t.\t.\n"
            for at in range(first, 1000, 50)
        ]
        (tmp_path / f"{name}.vcf").write_text(HEADER + "".join(lines))
    (tmp_path / "splits.bed").write_text("c\t0\t4000\ttrain\n")
    files = ("--positive", tmp_path / "ill.vcf", "--negative", tmp_path / "well.vcf", "--fasta", fasta)
    counted = ("--counts-fasta", fasta, "--counts-intervals", tmp_path / "splits.bed")
    choices = ("--resamples", 20, "--counts-both", 2, "--counts-left", 3, "--json", tmp_path / "out.json")
    printed = run("zero_shot", *files, *counted, *choices)
    rows = json.loads((tmp_path / "out.json").read_text())["rows"]
    assert [(row["score"], row["positives"], row["negatives"]) for row in rows] == [
        ("-llr of 2+2 counts", 16, 16), ("-llr of order-3 Markov", 16, 16),
    ]  # fmt: skip
    assert "no --model" in printed


def test_they_say_what_is_missing(module, run, monkeypatch, genome, tmp_path):
    _, fasta, vcf = genome
    with pytest.raises(SystemExit, match="needs --fasta"):
        run("zero_shot", "--vcf", vcf, "--label", "SEEN")
    with pytest.raises(SystemExit, match="--vcf with --label"):
        run("zero_shot", "--vcf", vcf, "--fasta", fasta)
    with pytest.raises(SystemExit, match="all of one class"):
        run("zero_shot", "--vcf", vcf, "--label", "DB", "--fasta", fasta)
    with pytest.raises(SystemExit, match="nothing to score with"):
        run("zero_shot", "--positive", vcf, "--negative", vcf, "--fasta", fasta)
    with pytest.raises(SystemExit, match="go together"):
        run("common_variants", "--vcf", vcf, "--output", tmp_path / "out.vcf")
    monkeypatch.setattr(module("common_variants"), "VCF", tmp_path / "nowhere.vcf.gz")
    with pytest.raises(SystemExit, match=r"nowhere.vcf.gz and .* are not there: pass --vcf and --fasta"):
        run("zero_shot")
