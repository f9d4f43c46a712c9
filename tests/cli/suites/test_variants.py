"""`benchmark variants`: AUROC and AUPRC of scores, against scikit-learn's."""

import json
import random
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import average_precision_score, roc_auc_score

META = (
    '##INFO=<ID=Y,Number=1,Type=String,Description="y">\n'
    '##INFO=<ID=CADD,Number=A,Type=Float,Description="c">\n'
)


@pytest.fixture
def labelled(work):
    """Variants of two classes and a third, a rival score in INFO, and what score-variants makes of them."""
    chance = random.Random(4)
    bases = "".join(chance.choices("ACGT", k=1000))
    fasta = work.fasta(chr1=bases)
    records = []
    for number in range(60):
        at = 30 + number * 15
        alts = [base for base in "ACGT" if base != bases[at]][: 1 + number % 2]
        rival = ",".join(f"{chance.gauss(number % 3 == 1, 1):.2f}" for _ in alts)
        label = ("benign", "pathogenic", "unsure")[number % 3]
        records.append(
            f"chr1 {at + 1} . {bases[at]} {','.join(alts)} . . Y={label};CADD={rival};G=g{number % 2}"
        )
    vcf = work.vcf(*records, meta=META)
    result = work.run(
        "score-variants", vcf, "-f", fasta, "-m", work.model, "-o", "s.parquet", "--scores", "llr,embedding"
    )
    assert result.exit_code == 0, result.output
    return vcf


def test_scores_are_ranked_as_scikit_learn_does(work, labelled):
    command = [
        "benchmark",
        "variants",
        labelled,
        "--label",
        "INFO/Y",
        "--positive",
        "pathogenic",
        "--negative",
        "benign",
    ]
    result = work.run(*command, "--scores", "s.parquet", "--info", "INFO/CADD", "--by", "INFO/G", "-o", "out")
    assert result.exit_code == 0, result.output
    record = json.loads(Path("out/benchmark.json").read_text())
    table = pd.read_parquet("s.parquet")
    number = (table.pos - 31) // 15
    table["label"] = np.array(["benign", "pathogenic", "unsure"])[number % 3]
    rivals = [
        float(value)
        for line in Path(labelled).read_text().splitlines()
        if not line.startswith("#")
        for value in line.split("CADD=")[1].split(";")[0].split(",")
    ]
    table["CADD"] = rivals
    known = table[table.label != "unsure"]
    assert record["classes"] == {
        "positive": int((known.label == "pathogenic").sum()),
        "negative": int((known.label == "benign").sum()),
        "neither": int((table.label == "unsure").sum()),
    }
    sign = {"llr": -1}
    for found in record["found"]:
        some = known
        if found["group"] != "all":
            some = known[(number % 2)[known.index] == int(found["group"][-1])]
        name = found["score"].removeprefix("INFO/")
        values = some[name] * sign.get(name, 1)
        is_so = some.label == "pathogenic"
        assert found["auroc"]["value"] == pytest.approx(roc_auc_score(is_so, values))
        assert found["auprc"]["value"] == pytest.approx(average_precision_score(is_so, values))
        assert found["auroc"]["low"] <= found["auroc"]["value"] <= found["auroc"]["high"]
    assert {one["group"] for one in record["found"]} == {"all", "G=g0", "G=g1"}
    assert {one["score"] for one in record["found"]} == {"llr", "emb_l2", "emb_cosine", "INFO/CADD"}
    assert Path("out/auroc.png").stat().st_size > 5000
    again = work.run(*command, "--scores", "s.parquet", "-o", "out")
    assert again.exit_code == 1
    assert "--overwrite" in again.stderr


def test_an_annotated_vcf_has_its_scores_itself(work, labelled):
    result = work.run(
        "score-variants",
        labelled,
        "-f",
        "genome.fa",
        "-m",
        work.model,
        "-o",
        "s.vcf",
        "--scores",
        "llr,embedding",
    )
    assert result.exit_code == 0, result.output
    options = ["--label", "INFO/Y", "--positive", "pathogenic", "--negative", "benign"]
    for source, output, more in (
        (labelled, "a", ["--scores", "s.parquet"]),
        ("s.vcf", "b", []),
        (labelled, "c", ["--scores", "s.vcf"]),
    ):
        result = work.run("benchmark", "variants", source, *options, *more, "-o", output)
        assert result.exit_code == 0, result.output
    first, *others = (json.loads(Path(f"{output}/benchmark.json").read_text())["found"] for output in "abc")
    for other in others:
        for one, two in zip(first, other, strict=True):
            assert one["auroc"]["value"] == pytest.approx(two["auroc"]["value"], abs=1e-3)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--label", "Y"], "--label Y: expected INFO/NAME"),
        (
            ["--label", "INFO/Y"],
            "INFO/Y has 3 values (benign (30), pathogenic (30), unsure (30)), expected two",
        ),
        (["--label", "INFO/Y", "--positive", "ill"], "--positive: no record has INFO/Y ill"),
        (
            ["--label", "INFO/Y", "--positive", "unsure", "--info", "INFO/X"],
            "--info INFO/X: no record has it",
        ),
        (["--label", "INFO/Y", "--positive", "unsure"], "has no scores; make them with"),
    ],
)
def test_what_cannot_be_compared_is_one_line(work, labelled, options, said):
    result = work.run("benchmark", "variants", labelled, *options)
    assert result.exit_code in (1, 2)
    assert said in " ".join(result.stderr.split())


def test_scores_of_other_variants_are_refused(work, labelled):
    table = pd.read_parquet("s.parquet")
    table.iloc[::-1].to_parquet("other.parquet")
    options = ["--label", "INFO/Y", "--positive", "unsure", "--scores", "other.parquet"]
    result = work.run("benchmark", "variants", labelled, *options)
    assert result.exit_code == 1
    assert "other.parquet: row 1 is chr1:" in result.stderr
