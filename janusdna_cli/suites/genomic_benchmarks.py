"""GenomicBenchmarks: eight tasks of classes, accuracy.

    DATA/TASK/{train,test}/CLASS.csv.gz      coordinates: pass their genome
    DATA/TASK/{train,test}/CLASS/ID.txt      sequences

Source: Gresova et al., BMC Genomic Data 24:25 (2023); protocol and numbers: Duan et al., arXiv 2505.17257.
"""

from __future__ import annotations

from pathlib import Path

from janusdna_cli.errors import InputError
from janusdna_cli.suites.suite import Protocol, Suite, SuiteTask

__all__ = ["genomic_benchmarks"]

_JANUS, _CADUCEUS, _HYENA = "JanusDNA", "Caduceus-PS", "HyenaDNA"
_PUBLISHED = {
    "dummy_mouse_enhancers_ensembl": (0.770, 0.793, 0.780),
    "demo_coding_vs_intergenomic_seqs": (0.912, 0.910, 0.904),
    "human_ensembl_regulatory": (0.877, 0.873, 0.869),
    "human_nontata_promoters": (0.957, 0.945, 0.944),
}
_TASKS = (
    "dummy_mouse_enhancers_ensembl",
    "demo_coding_vs_intergenomic_seqs",
    "demo_human_or_worm",
    "human_enhancers_cohn",
    "human_enhancers_ensembl",
    "human_ensembl_regulatory",
    "human_nontata_promoters",
    "human_ocr_ensembl",
)
_PROTOCOL = Protocol(
    lr=(1e-3, 2e-3), batch=(128, 256, 512), seeds=(1, 2, 3, 4, 5), epochs=10, options={"rc": "test"}
)


def genomic_benchmarks(data: str, fasta: str | None) -> Suite:
    """The tasks that are there; first those of the suite, then others that are laid out alike.

    Args:
        data: A folder of tasks.
        fasta: The genome of coordinates.

    Raises:
        InputError: If there is none.
    """
    folders = sorted(
        (one for one in Path(data).glob("*") if all((one / part).is_dir() for part in ("train", "test"))),
        key=lambda one: (_TASKS.index(one.name) if one.name in _TASKS else len(_TASKS), one.name),
    )
    if not folders:
        raise InputError(f"{data}: found no TASK/train and TASK/test in it, expected GenomicBenchmarks")
    return Suite(
        name="genomic-benchmarks",
        title="GenomicBenchmarks",
        tasks=tuple(
            SuiteTask(
                name=one.name,
                files={"input": str(one), "fasta": fasta},
                metric="accuracy",
                published=dict(zip((_JANUS, _CADUCEUS, _HYENA), _PUBLISHED.get(one.name, ()), strict=False)),
            )
            for one in folders
        ),
        protocol=_PROTOCOL,
    )
