"""DNALongBench's eQTLs: nine tissues, sequences of 450,000 bases, AUROC.

    DATA/[config/]gtex_hg38.TISSUE.config    names DATA/targets/TISSUE.data.tsv and the mask of other eQTLs

Source: Cheng et al., Nature Communications 16 (2025); protocol and numbers: Duan et al., arXiv 2505.17257;
flaws: karan-nanda/Extending-DNALongBench.
"""

from __future__ import annotations

from pathlib import Path

from janusdna_cli.errors import InputError
from janusdna_cli.labelled.eqtl import read_config
from janusdna_cli.suites.suite import Protocol, Suite, SuiteTask

__all__ = ["eqtl"]

_MODELS = ("JanusDNA", "Caduceus-PH", "Enformer")
_PUBLISHED = {
    "Artery_Tibial": (0.852, 0.690, 0.741),
    "Muscle_Skeletal": (0.864, 0.789, 0.621),
    "Nerve_Tibial": (0.914, 0.842, 0.683),
    "Whole_Blood": (0.821, 0.769, 0.689),
}
_PREFIX, _SUFFIX = "gtex_hg38.", ".config"
_PROTOCOL = Protocol(
    lr=(4e-4,),
    batch=(8,),
    seeds=(1,),
    epochs=3,
    options={"rc": "predict", "dtype": "float32", "aux": 0.02, "last_epoch": True},
)
_NOTES = (
    "The padding of a sequence gives the distance between gene and variant away, which tells much by itself: "
    "a model of the distance stands beside each number.",
    "A test set has 11 to 34 positives: look at the intervals.",
    "Every gene of a test set is one of the training set as well.",
    "The positions that are masked with N are those of the positives.",
)


def eqtl(data: str, fasta: str | None) -> Suite:
    """The tissues that are there.

    Args:
        data: Their folder.
        fasta: The genome; None for the one that a configuration names.

    Raises:
        InputError: If there is none, or a file that one names is missing.
    """
    found = sorted(Path(data).glob(f"**/{_PREFIX}*{_SUFFIX}"))
    if not found:
        raise InputError(f"{data}: found no {_PREFIX}TISSUE{_SUFFIX} in it, expected DNALongBench's eQTLs")
    tasks = []
    for path in found:
        name = path.name.removeprefix(_PREFIX).removesuffix(_SUFFIX)
        genome = fasta or read_config(str(path)).genome
        tasks.append(
            SuiteTask(
                name=name,
                files={"input": str(path), "fasta": None if genome is None else str(genome)},
                metric="auroc",
                published=dict(zip(_MODELS, _PUBLISHED.get(name, ()), strict=False)),
            )
        )
    return Suite(
        name="eqtl", title="DNALongBench eQTLs", tasks=tuple(tasks), protocol=_PROTOCOL, notes=_NOTES
    )
