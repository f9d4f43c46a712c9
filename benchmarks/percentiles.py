"""Does the length of an allele decide its rank: by its score, and by its percentile?

    janusdna score-variants variants.vcf.gz -f genome.fa --context tiled -o scores.parquet
    python benchmarks/percentiles.py scores.parquet

Rank correlations (Spearman) of score and of percentile with the bases that an indel brings, or takes; and how
many of the most unexpected tenth of all alleles are indels, for each of all: 1 where kind does not decide.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pandas as pd
from measure import Row, arguments, report


def main() -> None:
    """Measure and report."""
    parser = arguments(__doc__, "percentiles")
    parser.add_argument("scores", type=Path, help="a table of score-variants, with percentiles")
    options = parser.parse_args()
    columns = ["ref", "alt", "status", "llr", "delta_pll", "pct"]
    report(list(compared(pd.read_parquet(options.scores, columns=columns))), options.json)


def compared(table: pd.DataFrame) -> Iterator[Row]:
    """A row for each kind of indels, of the alleles that have a percentile."""
    table = table[(table["status"] == "ok") & table["pct"].notna()]
    change = table["alt"].str.len() - table["ref"].str.len()
    score, percentile = table["llr"].fillna(table["delta_pll"]), table["pct"]
    for name, members in (("insertion", change > 0), ("deletion", change < 0), ("indel", change != 0)):
        yield {
            "alleles": name,
            "count": int(members.sum()),
            "score and length": correlation(score[members], change[members]),
            "pct and length": correlation(percentile[members], change[members]),
            "in the lowest tenth of score": enrichment(score, members),
            "in the lowest tenth of pct": enrichment(percentile, members),
        }


def correlation(one: pd.Series, other: pd.Series) -> float:
    """Of ranks; values that are equal share theirs."""
    return float(one.rank().corr(other.rank()))


def enrichment(values: pd.Series, members: pd.Series) -> float:
    """How often they are in the lowest tenth, for how often they are anywhere."""
    lowest = values.rank(method="first") <= len(values) / 10
    return float(members[lowest].mean() / members.mean())


if __name__ == "__main__":
    main()
