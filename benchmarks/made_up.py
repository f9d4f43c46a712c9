"""A made-up genome, its variants and an untrained network, the same in every run.

It has the sizes of the real thing, which time and memory follow; its scores mean nothing.
"""

from __future__ import annotations

import random
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

from janusdna import PRESETS, Model, ModelConfig, load
from janusdna.checkpoint import Checkpoint, save
from janusdna.nn.model import JanusDNA

# As in the 1000 Genomes' chr20:1-2Mb: 28,998 records, 3 % of them insertions and deletions.
BASES_A_VARIANT = 35
_INDELS = 0.03
_TWO_ALTS = 0.005
_LINE = 60
_HEADER = "##fileformat=VCFv4.3\n#CHROM\tPOS\tID\tREF\tALT\tQUAL\tFILTER\tINFO\n"


def write_genome(path: Path, length: int) -> str:
    """Write a FASTA with one contig, chr1, and return its bases."""
    bases = "".join(random.Random(length).choices("ACGT", k=length))
    lines = (bases[i : i + _LINE] for i in range(0, length, _LINE))
    path.write_text(">chr1\n" + "\n".join(lines) + "\n")
    return bases


def write_variants(path: Path, bases: str, every: int = BASES_A_VARIANT) -> None:
    """Write a VCF: SNVs, some with two ALTs, insertions and deletions; by default as dense as a real one."""
    rng = random.Random(1)
    records = []
    at = rng.randrange(every)
    while at < len(bases) - 10:
        ref, alt = _alleles(rng, bases, at)
        records.append(f"chr1\t{at + 1}\t.\t{ref}\t{alt}\t.\t.\t.\n")
        at += len(ref) + rng.randrange(2 * every - 1)
    path.write_text(_HEADER + "".join(records))


def write_snv(path: Path, bases: str) -> None:
    """Write a VCF with one SNV, in the middle."""
    at = len(bases) // 2
    path.write_text(f"{_HEADER}chr1\t{at + 1}\t.\t{bases[at]}\t{_others(bases[at])[0]}\t.\t.\t.\n")


def write_model(directory: Path, preset: str) -> Path:
    """Write an untrained network of a preset's size."""
    return write_network(directory, f"untrained-{preset}", PRESETS[preset], {"trained": False})


def write_network(
    directory: Path, name: str, config: ModelConfig, provenance: Mapping[str, Any] | None = None
) -> Path:
    """Write a network of any size as it is before training."""
    torch.manual_seed(0)
    network = JanusDNA(config)
    tensors = {name: parameter.detach() for name, parameter in network.named_parameters()}
    save(Checkpoint(name, network.config, tensors, "", dict(provenance or {})), directory)
    return directory


def make_model(preset: str, **options: str) -> Model:
    """An untrained network of a preset's size, as the commands load it with these options."""
    with tempfile.TemporaryDirectory() as name:
        return load(write_model(Path(name) / "model", preset), **options)


def _alleles(rng: random.Random, bases: str, at: int) -> tuple[str, str]:
    base, kind = bases[at], rng.random()
    if kind < _INDELS / 2:
        return base, base + "".join(rng.choices("ACGT", k=rng.randint(1, 6)))
    if kind < _INDELS:
        return bases[at : at + rng.randint(2, 7)], base
    return base, ",".join(rng.sample(_others(base), 2 if rng.random() < _TWO_ALTS else 1))


def _others(base: str) -> str:
    return "ACGT".replace(base, "")
