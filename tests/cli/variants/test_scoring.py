"""Scores against plain full readings of both haplotypes, written down from their definitions."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from janusdna_cli.genome.alleles import Status
from janusdna_cli.variants import agreement

EXACT = {"rtol": 2e-4, "atol": 2e-5}
SCORES = ["llr", "delta_pll", "emb_l2", "emb_cosine", "influence", "ref_logp", "alt_logp", "entropy"]
EVERYTHING = ("--scores", "llr,delta_pll,embedding,influence")
LETTERS = "ACGT"


def trimmed(contig, start, ref, alt):
    """The shortest, leftmost writing, one base at a time."""
    while ref and alt and ref[-1] == alt[-1]:
        ref, alt = ref[:-1], alt[:-1]
    while ref and alt and ref[0] == alt[0]:
        ref, alt, start = ref[1:], alt[1:], start + 1
    while (not ref) != (not alt) and start > 0 and contig[start - 1] == (ref or alt)[-1]:
        base = contig[start - 1]
        ref, alt = (base + ref)[: len(ref)], (base + alt)[: len(alt)]
        start -= 1
    return start, ref, alt


def start_of_window(p, window, context):
    """Where an unshifted window begins: centered on p, or of the grid with p in its middle half."""
    if context == "centered":
        return p - window // 2
    step, quarter = window // 2, window // 4
    grid = range(-2 * window // step * step, p + window, step)
    return next(start for start in grid if start + quarter <= p < start + quarter + step)


def expected(oracle, contig, pos, ref, alt, *, window, span, strands=(0, 1), context="centered"):
    """All scores of one allele, by the definitions, from full readings in float64."""
    contig = contig.upper()
    p, r, a = trimmed(contig, pos - 1, ref.upper(), alt.upper())
    lo = max(0, min(start_of_window(p, window, context), len(contig) - window))
    hi = min(lo + window, len(contig))
    before = contig[lo:hi]
    after = contig[lo:p] + a + contig[p + len(r) : hi]
    strands = list(strands)
    logp_before, logp_after = oracle.logp(before)[strands], oracle.logp(after)[strands]
    at = p - lo

    def near(size, length):
        return range(max(0, at - span), min(length, at + size + span))

    def pll(sequence, logp, positions):
        return sum(logp[:, t, LETTERS.index(sequence[t])] for t in positions if sequence[t] in LETTERS).mean()

    def mean_hidden(sequence, positions):
        return oracle.hidden(sequence)[strands].mean(axis=0)[list(positions)].mean(axis=0)

    def influence():
        """Base by base, over what stands within span on either side of what changes."""
        sizes = []
        for by in range(1, span + 1):
            for one, two in ((at - by, at - by), (at + len(r) + by - 1, at + len(a) + by - 1)):
                if not (0 <= one < len(before) and 0 <= two < len(after)):
                    continue
                for strand in range(len(strands)):
                    p, q = (
                        np.clip(np.exp(logp[strand, t]), 1e-6, 1 - 1e-6)
                        for logp, t in ((logp_before, one), (logp_after, two))
                    )
                    sizes.append(max(abs(np.log2(q / (1 - q)) - np.log2(p / (1 - p)))))
        return np.mean(sizes)

    x, y = mean_hidden(before, near(len(r), len(before))), mean_hidden(after, near(len(a), len(after)))
    found = {
        "delta_pll": pll(after, logp_after, near(len(a), len(after)))
        - pll(before, logp_before, near(len(r), len(before))),
        "influence": influence(),
        "emb_l2": np.sqrt(((x - y) ** 2).sum()),
        "emb_cosine": 1 - x @ y / np.sqrt((x @ x) * (y @ y)),
        "window_start": lo,
        "window_end": hi,
        "n_frac": sum(base not in LETTERS for base in before) / len(before),
        "entropy": np.nan,
    }
    if at < len(before):
        site = logp_before[:, at]
        found["entropy"] = -(np.exp(site) * site).sum(axis=1).mean() / np.log(2)
    found |= {"llr": np.nan, "ref_logp": np.nan, "alt_logp": np.nan}
    if len(r) == len(a):
        differ = [i for i in range(len(r)) if r[i] != a[i]]
        found["ref_logp"] = sum(logp_before[:, at + i, LETTERS.index(r[i])] for i in differ).mean()
        found["alt_logp"] = sum(logp_before[:, at + i, LETTERS.index(a[i])] for i in differ).mean()
        found["llr"] = found["alt_logp"] - found["ref_logp"]
    return found


def other(base, by=1):
    return LETTERS[(LETTERS.index(base.upper()) + by) % 4]


def alleles(contig):
    """Records of every kind, within and at both ends of a contig: (pos, ref, alts)."""
    length = len(contig)
    ref = contig.upper()
    snvs = [(p, ref[p - 1], [other(ref[p - 1], by) for by in (1, 2, 3)]) for p in (1, 2, length // 2, length)]
    mid = length // 2 + 3
    apart = other(ref[mid - 1]) + ref[mid] + other(ref[mid + 1], 2)
    return [
        *snvs,
        (mid, ref[mid - 1 : mid + 2], [apart]),
        (length - 1, ref[length - 2 :], [other(ref[length - 2]) + other(ref[length - 1])]),
        (mid, ref[mid - 1], [ref[mid - 1] + "T", ref[mid - 1] + "GATTACA", other(ref[mid - 1])]),
        (1, ref[0], ["CT" + ref[0], ref[0] + "GG"]),
        (length, ref[-1], [ref[-1] + "ACC"]),
        (mid, ref[mid - 1 : mid + 3], [ref[mid - 1], "TTTTT", other(ref[mid - 1]) + "C"]),
        (1, ref[:3], [ref[2]]),
        (length - 2, ref[length - 3 :], [ref[length - 3]]),
    ]


def compare(work, oracle, contig, *, window, span, options=(), strands=(0, 1), context="centered"):
    records = alleles(contig)
    vcf = work.vcf(*(f"c {pos} . {ref} {','.join(alts)}" for pos, ref, alts in records))
    fasta = work.fasta(c=contig)
    options = ["--window", window, "--span", span, "--context", context, *EVERYTHING, *options]
    table = work.score(vcf, "-f", fasta, *options)
    rows = [
        expected(oracle, contig, pos, ref, alt, window=window, span=span, strands=strands, context=context)
        for pos, ref, alts in records
        for alt in alts
    ]
    wanted = pd.DataFrame(rows)
    assert len(table) == len(wanted)
    assert (table["status"] == "ok").all(), table
    assert np.nanmin(np.abs(wanted[["llr", "delta_pll"]])) > 1e-4  # what is compared is not nothing
    for column in wanted:
        np.testing.assert_allclose(
            table[column].to_numpy(float), wanted[column].to_numpy(float), err_msg=column, **EXACT
        )


@pytest.mark.parametrize(
    ("length", "window", "span"),
    [(150, 64, 128), (150, 63, 10), (150, 33, 1), (40, 64, 5), (40, 40, 7), (31, 1024, 128)],
    ids=["even", "odd", "short-span", "contig-shorter", "contig-as-long", "contig-much-shorter"],
)
def test_every_kind_of_allele_against_full_readings(work, oracle, bases, length, window, span):
    compare(work, oracle, bases(length, seed=length), window=window, span=span)


@pytest.mark.parametrize(
    ("length", "window", "span"),
    [(150, 64, 128), (333, 64, 20), (150, 63, 10), (150, 33, 1), (40, 64, 5), (31, 1024, 128)],
    ids=["even", "long-contig", "odd", "short-span", "contig-shorter", "contig-much-shorter"],
)
def test_tiled_windows_against_full_readings(work, oracle, bases, length, window, span):
    compare(work, oracle, bases(length, seed=length), window=window, span=span, context="tiled")


def test_soft_masked_bases_are_bases(work, oracle, bases):
    contig = bases(150, seed=5)
    compare(work, oracle, contig[:60] + contig[60:100].lower() + contig[100:], window=64, span=20)


def test_n_in_the_window_does_not_count(work, oracle, bases):
    contig = bases(150, seed=6)
    # Within the span of what lies in the middle, and at no allele.
    contig = contig[:60] + "NNN" + contig[63:70] + "R" + contig[71:90] + "N" * 10 + contig[100:]
    compare(work, oracle, contig, window=64, span=20)


def test_forward_strand_alone(work, oracle, bases):
    contig = bases(150, seed=7)
    compare(work, oracle, contig, window=64, span=20, options=["--no-rc"], strands=[0])


def test_an_architecture_without_mid_attention(work, oracle_of, no_attention_dir, bases):
    work.model = no_attention_dir
    compare(work, oracle_of(no_attention_dir), bases(150, seed=4), window=64, span=20)


def test_a_tiny_window_has_its_sites(work, oracle, bases):
    contig = bases(50, seed=8)
    rows = [(pos, contig[pos - 1], other(contig[pos - 1])) for pos in (1, 2, 25, 49, 50)]
    vcf = work.vcf(*(f"c {pos} . {ref} {alt}" for pos, ref, alt in rows))
    for window in (3, 4):
        table = work.score(vcf, "-f", work.fasta(c=contig), "--window", window, *EVERYTHING)
        for (pos, ref, alt), row in zip(rows, table.to_dict("records"), strict=True):
            wanted = expected(oracle, contig, pos, ref, alt, window=window, span=128)
            for column, value in wanted.items():
                np.testing.assert_allclose(row[column], value, err_msg=column, **EXACT)


def test_the_other_strand_of_the_genome_scores_the_same(work, bases, revcomp):
    """Odd windows: an even one has its centre on the other side of the middle."""
    contig = bases(200, seed=9)
    snvs = [(pos, contig[pos - 1], other(contig[pos - 1])) for pos in range(40, 160, 7)]
    vcf = work.vcf(*(f"c {pos} . {ref} {alt}" for pos, ref, alt in snvs))
    mirrored = work.vcf(
        *(f"c {201 - pos} . {revcomp(ref)} {revcomp(alt)}" for pos, ref, alt in snvs), name="mirror.vcf"
    )
    options = ["--window", 63, "--span", 10, *EVERYTHING]
    one = work.score(vcf, "-f", work.fasta(c=contig), *options)
    two = work.score(mirrored, "-f", work.fasta("mirror.fa", c=revcomp(contig)), *options)
    np.testing.assert_allclose(one[SCORES], two[SCORES], rtol=0, atol=1e-5)
    forward = work.score(vcf, "-f", work.fasta(c=contig), *options, "--no-rc")
    assert np.abs(forward["llr"] - one["llr"]).max() > 1e-2


def test_one_haplotype_has_one_score_however_it_is_written(work, bases):
    contig = bases(60, seed=10) + "GCACACACAT" + bases(60, seed=11)
    # CA of the repeat deleted at either end and in the middle, with more context, and as a delins.
    deletion = ["c 61 . GCA G", "c 63 . ACA A", "c 67 . ACA A", "c 68 . CAT T", "c 61 . GCACACACAT GCACACAT"]
    snv = ["c 62 . C T", "c 61 . GC GT", "c 62 . CA TA", f"c 60 . {contig[59]}GCA {contig[59]}GTA"]
    insertion = ["c 61 . G GCA", "c 65 . A ACA", "c 69 . A ACA"]
    options = ["-f", work.fasta(c=contig), "--window", 64, *EVERYTHING]
    for group in (deletion, snv, insertion):
        table = work.score(work.vcf(*group), *options)
        assert (table["status"] == "ok").all()
        assert len(table) == len(group)
        np.testing.assert_array_equal(table[SCORES], table[SCORES].iloc[[0] * len(group)])
        assert abs(table["delta_pll"][0]) > 1e-3
        assert list(table["ref"]) == [record.split()[3] for record in group]
        assert list(table["pos"]) == [int(record.split()[1]) for record in group]


def test_an_insertion_is_no_snv(work, bases):
    contig = bases(120, seed=12)
    ref = contig[59]
    vcf = work.vcf(f"c 60 . {ref} {ref}{other(contig[60])}", f"c 60 . {ref} {other(ref)}")
    table = work.score(vcf, "-f", work.fasta(c=contig))
    assert table["llr"].isna().tolist() == [True, False]
    assert table["delta_pll"].isna().tolist() == [False, True]
    assert abs(table["delta_pll"][0]) > 1e-3


def test_an_snv_and_its_reversal_have_opposite_signs(work, bases):
    contig = bases(120, seed=13)
    ref, alt = contig[59], other(contig[59])
    turned = contig[:59] + alt + contig[60:]
    options = ["--window", 64, *EVERYTHING]
    there = work.score(work.vcf(f"c 60 . {ref} {alt}"), "-f", work.fasta(c=contig), *options)
    back = work.score(work.vcf(f"c 60 . {alt} {ref}"), "-f", work.fasta("turned.fa", c=turned), *options)
    assert abs(there["llr"][0]) > 1e-3
    for column in ("llr", "delta_pll"):
        np.testing.assert_allclose(there[column], -back[column], atol=1e-5)
    np.testing.assert_allclose(there["emb_l2"], back["emb_l2"], atol=1e-6)
    assert there["emb_l2"][0] > 1e-3  # the flanks carry it: the site's own state is the same for both


def test_an_alt_that_is_ref_changes_nothing(work, bases):
    contig = bases(120, seed=14)
    table = work.score(work.vcf(f"c 60 . {contig[59]} {contig[59]}"), "-f", work.fasta(c=contig), *EVERYTHING)
    assert table["status"].tolist() == ["ok"]
    assert table[["llr", "delta_pll", "emb_l2", "influence"]].to_numpy().tolist() == [[0.0] * 4]
    # No base differs, so none was read: 0 would be log p of a certainty.
    assert table[["ref_logp", "alt_logp"]].isna().all(axis=None)


@pytest.fixture
def crowd(work, bases):
    """Some hundred records on two contigs: unsorted, some twice, of several kinds."""
    contigs = {"one": bases(300, seed=15), "two": bases(50, seed=16)}
    records = []
    for number in range(120):
        name = "two" if number % 5 == 0 else "one"
        pos = number * 37 % (len(contigs[name]) - 6) + 1
        ref = contigs[name][pos - 1 : pos + number % 3]
        records.append(f"{name} {pos} rs{number} {ref} {other(ref[0])},{ref}G")
    records += records[:7]
    return records, work.fasta(**contigs)


def test_rows_keep_the_order_and_the_keys_of_the_file(work, crowd):
    records, fasta = crowd
    table = work.score(work.vcf(*records), "-f", fasta)
    keys = []
    for record in records:
        chrom, pos, name, ref, alts = record.split()
        keys += [(chrom, int(pos), name, ref, alt) for alt in alts.split(",")]
    assert list(table[["chrom", "pos", "id", "ref", "alt"]].itertuples(index=False, name=None)) == keys


def test_a_score_depends_on_no_neighbour(work, crowd):
    records, fasta = crowd
    options = ["-f", fasta, "--window", 64, "--span", 8, *EVERYTHING]
    together = work.score(work.vcf(*records), *options).iloc[: 2 * 120]
    alone = work.score(work.vcf(*records), *options, "--batch-bp", 1).iloc[: 2 * 120]
    turned = work.score(work.vcf(*records[::-1]), *options, "--batch-bp", 700)
    key = ["chrom", "pos", "id", "ref", "alt"]
    turned = together[key].merge(turned.drop_duplicates(key), on=key)
    single = pd.concat(work.score(work.vcf(record), *options) for record in records[:3])
    for table, rows in ((alone, 240), (turned, 240), (single, 6)):
        np.testing.assert_allclose(table[SCORES], together[SCORES].iloc[:rows], rtol=0, atol=1e-5)


def test_default_scores_read_no_more_than_they_need(work, crowd):
    records, fasta = crowd
    default = work.score(work.vcf(*records), "-f", fasta)
    everything = work.score(work.vcf(*records), "-f", fasta, *EVERYTHING)
    substitution = default["ref"].str.len() == default["alt"].str.len()
    assert (default["llr"].notna() == substitution).all()
    assert default["delta_pll"].notna().any()
    assert default[["emb_l2", "emb_cosine"]].isna().all(axis=None)
    for column in ("llr", "delta_pll", "entropy"):
        known = default[column].notna()
        np.testing.assert_allclose(default[column][known], everything[column][known], atol=1e-5)


def test_chosen_scores(work, crowd):
    records, fasta = crowd
    table = work.score(work.vcf(*records), "-f", fasta, "--scores", " llr , embedding")
    assert table["delta_pll"].isna().all()
    assert table[["emb_l2", "emb_cosine"]].notna().all(axis=None)
    result = work.run("score-variants", "variants.vcf", "-f", fasta, "--scores", "llr,magic", "-o", "x.tsv")
    assert (result.exit_code, result.stdout) == (2, "")
    assert "'magic'" in result.stderr
    assert "llr, delta_pll, embedding, influence" in result.stderr


STATUSES = [
    ("c 10 . {r10} {a10}", "ok"),
    ("c 10 . {a10} {r10}", "ref_mismatch"),
    ("d 10 . A C", "no_contig"),
    ("c 121 . A C", "out_of_contig"),
    ("c 119 . AAA C", "out_of_contig"),
    ("c 0 . N C", "out_of_contig"),
    ("c 10 . {r10} <DEL>", "symbolic"),
    ("c 10 . {r10} <NON_REF>", "symbolic"),
    ("c 10 . {r10} <INS:ME>", "symbolic"),
    ("c 10 . {r10} {r10}[c:50[", "breakend"),
    ("c 10 . {r10} {r10}.", "breakend"),
    ("c 10 . {r10} *", "spanning_deletion"),
    ("c 10 . {r10} R", "non_acgt"),
    ("c 10 . {r10} N", "non_acgt"),
    ("c 70 . N A", "non_acgt"),
    ("c 10 . {r10} .", "no_alt"),
    ("c 10 . {r10} {r10}" + "ACGTT" * 4, "too_long"),
    ("c 10 . {long} {r10}", "too_long"),
    ("short 1 . A C", "contig_too_short"),
    ("three 1 . AC A", "too_long"),
    ("c 10 . {low} {a10}", "ok"),
]


@pytest.fixture
def statuses(work, bases):
    contig = bases(120, seed=17)
    contig = contig[:69] + "N" + contig[70:]
    words = {"r10": contig[9], "a10": other(contig[9]), "long": contig[9:27], "low": contig[9].lower()}
    records = [record.format(**words) for record, _ in STATUSES]
    return work.vcf(*records), work.fasta(c=contig, short="AC", three="ACG")


@pytest.mark.parametrize("context", ["centered", "tiled"])
def test_every_status(work, statuses, context):
    vcf, fasta = statuses
    table = work.score(vcf, "-f", fasta, "--window", 64, "--context", context, *EVERYTHING)
    assert table["pos"].tolist() == [int(record.split()[1]) for record, _ in STATUSES]
    assert table["status"].tolist() == [status for _, status in STATUSES]
    ok = table["status"] == "ok"
    assert table.loc[ok, SCORES].notna().all(axis=None)
    assert table.loc[~ok, [*SCORES, "window_start", "window_end", "n_frac"]].isna().all(axis=None)
    assert set(table["status"]) == {status.value for status in Status}


def test_statuses_are_counted_at_the_end(work, statuses):
    vcf, fasta = statuses
    result = work.run("score-variants", vcf, "-f", fasta, "-m", work.model, "-o", "out.parquet")
    assert result.exit_code == 0
    assert (
        "21 alleles: 2 ok, 3 non_acgt, 3 out_of_contig, 3 symbolic, 3 too_long, 2 breakend" in result.stderr
    )


def test_strict_stops_at_the_first_that_is_not_ok(work, statuses):
    vcf, fasta = statuses
    result = work.run("score-variants", vcf, "-f", fasta, "-m", work.model, "-o", "out.parquet", "--strict")
    assert (result.exit_code, result.stdout) == (1, "")
    assert "c:10" in result.stderr
    assert "is ref_mismatch, and --strict allows ok only" in result.stderr
    assert sorted(path.name for path in work.folder.iterdir()) == [
        "genome.fa",
        "genome.fa.fai",
        "variants.vcf",
    ]


def test_an_allele_may_be_a_quarter_of_the_window(work, bases):
    contig = bases(200, seed=18)
    records = [f"c 100 . {contig[99 : 100 + size]} {contig[99]}" for size in (16, 17)]
    records += [f"c 100 . {contig[99]} {contig[99]}{bases(size, seed=19)}" for size in (16, 17)]
    table = work.score(work.vcf(*records), "-f", work.fasta(c=contig), "--window", 64)
    assert table["status"].tolist() == ["ok", "too_long"] * 2


def test_another_assembly_is_told_before_the_work(work, bases, monkeypatch):
    contig = bases(300, seed=20)
    wrong = [f"c {pos} . {other(contig[pos - 1])} {other(contig[pos - 1], 2)}" for pos in range(1, 61)]
    right = [f"c {pos} . {contig[pos - 1]} {other(contig[pos - 1])}" for pos in range(1, 61)]
    fasta = work.fasta(c=contig)
    vcf = work.vcf(*wrong, *right[:59])
    result = work.run("score-variants", vcf, "-f", fasta, "-m", work.model, "-o", "out.parquet")
    assert (result.exit_code, result.stdout, len(result.stderr.splitlines())) == (1, "", 1)
    assert f"{vcf}: this VCF is probably on another assembly than {fasta}" in result.stderr
    assert "60 of the first 119 records" in result.stderr
    # As many right as wrong; and few records, whatever their share.
    assert work.score(work.vcf(*wrong, *right), "-f", fasta)["status"].eq("ok").sum() == 60
    assert work.score(work.vcf(*wrong[:19]), "-f", fasta)["status"].eq("ok").sum() == 0
    # Only the first thousand are asked.
    monkeypatch.setattr(agreement, "_ASSEMBLY_RECORDS", 40)
    assert len(work.score(work.vcf(*right[:40], *wrong), "-f", fasta)) == 100
    result = work.run("score-variants", work.vcf(*wrong[:40], *right), "-f", fasta, "-m", work.model)
    assert "40 of the first 40 records" in result.stderr


@pytest.mark.parametrize(
    ("in_fasta", "in_vcf"),
    [
        ("chr20", "20"),
        ("20", "chr20"),
        ("chrM", "MT"),
        ("MT", "chrM"),
        ("chrr1", "chrr1"),
        ("chrhchr1", "hchr1"),
    ],
)
def test_contig_names_match_and_the_file_keeps_its_own(work, bases, in_fasta, in_vcf):
    contig = bases(100, seed=21)
    vcf = work.vcf(f"{in_vcf} 50 . {contig[49]} {other(contig[49])}")
    table = work.score(vcf, "-f", work.fasta(**{in_fasta: contig}))
    assert table[["chrom", "status"]].to_numpy().tolist() == [[in_vcf, "ok"]]


def test_what_a_vcf_and_the_fasta_do_not_agree_on_is_said_once_and_to_the_quiet_too(work, bases):
    contig = bases(1000, seed=23)
    meta = "##contig=<ID=MT,length=999>\n##contig=<ID=HLA,length=5>\n"
    records = [
        f"{name} 50 . {contig[49]} {other(contig[49])}" for name in ("MT", "MT", "chrMT", "chr07", "x")
    ]
    vcf, fasta = work.vcf(*records, meta=meta), work.fasta(chrM=contig, chr7=contig)
    options = ["-f", fasta, "-m", work.model, "-w", 64, "--quiet", "-o", "-"]
    result = work.run("score-variants", "-", *options, stdin=Path(vcf).read_bytes())
    assert [line.split("\t")[5] for line in result.stdout.splitlines()[1:]] == ["ok"] * 3 + ["no_contig"] * 2
    assert result.stderr.splitlines() == [
        f"janusdna: warning: stdin: MT has 999 bases by its header and 1,000 in {fasta}: "
        "was it called on another assembly?",
        f"janusdna: warning: stdin: 2 of its 5 alleles lie on no contig of {fasta}: 'chr07' is not in it, "
        "but 'chr7' is: write names the same way in both files",
    ]


def test_a_table_without_a_score_does_not_pass_in_silence(work, bases):
    contig = bases(100, seed=24)
    options = ["-f", work.fasta(c=contig), "-m", work.model, "--quiet", "-o", "x.tsv", "--overwrite"]
    result = work.run("score-variants", work.vcf(*(f"c {pos} . N <DEL>" for pos in (1, 2, 3))), *options)
    assert (result.exit_code, len(result.stderr.splitlines())) == (0, 1)
    assert result.stderr.startswith("janusdna: warning: 3 alleles: 3 symbolic in ")
    for quiet in (work.vcf(), work.vcf("c 1 . N <DEL>", f"c 9 . {contig[8]} {other(contig[8])}")):
        assert work.run("score-variants", quiet, *options).stderr == ""


def test_names_of_letters_of_chr_are_not_stripped(work, bases):
    contig = bases(100, seed=22)
    vcf = work.vcf(f"1 50 . {contig[49]} {other(contig[49])}")
    assert work.score(vcf, "-f", work.fasta(hrc1=contig))["status"].tolist() == ["no_contig"]


def test_an_empty_file_has_an_empty_table(work, bases):
    table = work.score(work.vcf(), "-f", work.fasta(c=bases(100)))
    assert len(table) == 0
    assert "llr" in table
