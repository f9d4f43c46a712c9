"""Variants with labels in INFO, each as two sequences: the window with REF, and with ALT."""

from __future__ import annotations

from collections.abc import Iterator

from janusdna_cli.errors import InputError, RecordError
from janusdna_cli.genome.alleles import Status
from janusdna_cli.genome.fasta import Reference
from janusdna_cli.genome.vcf import VariantReader
from janusdna_cli.labelled.info import InfoReader, of_alt
from janusdna_cli.labelled.item import Item
from janusdna_cli.variants.plan import PlannedAllele, plan_alleles

__all__ = ["read_variants"]

_INFO = "INFO/"


def read_variants(path: str, genome: Reference, *, label: str | None, window: int) -> Iterator[Item]:
    """Each ALT of a VCF in its order.

    Args:
        path: The VCF.
        genome: Whose they are.
        label: "INFO/NAME"; of a field with a value an ALT, each ALT has its own. None for no labels.
        window: Bases around a site.

    Raises:
        InputError: A file cannot be read, or the label is no INFO field.
        RecordError: A record has no such field.
    """
    if label is not None and not label.startswith(_INFO):
        raise InputError(f"{path}: --label {label}: expected INFO/NAME for the labels of a VCF")
    name = None if label is None else label.removeprefix(_INFO)
    with VariantReader.open(path, keep_records=name is not None) as records:
        infos = InfoReader(records, path)
        left: list[str] = []
        for number, planned in enumerate(plan_alleles(records, genome, window, "centered"), 1):
            place = f"allele {number}"
            if name is not None and not left:
                left = _labels(path, place, infos.of(planned.variant), name, len(planned.variant.alts))
            yield _item(planned, genome, place, left.pop(0) if left else None)


def _labels(path: str, place: str, info: dict[str, str], name: str, alts: int) -> list[str]:
    """A field's value for each ALT of a record; one without ALTs has one row as well."""
    if name not in info:
        raise RecordError(path, place, f"INFO has no {name}, expected the label there")
    return [of_alt(info[name], which, alts) for which in range(max(1, alts))]


def _item(planned: PlannedAllele, genome: Reference, place: str, label: str | None) -> Item:
    variant, allele, window = planned.variant, planned.allele, planned.window
    keys = {
        "chrom": variant.chrom,
        "pos": variant.pos,
        "id": variant.id,
        "ref": variant.ref,
        "alt": planned.alt,
    }
    if planned.status is not Status.ok or allele is None or window is None:
        return Item(place, keys, "", label=label, contig=variant.chrom, status=str(planned.status))
    bases = genome.fetch(window.contig, window.start, window.end)
    start, end = allele.start - window.start, allele.end - window.start
    other = bases[:start] + allele.alt + bases[end:]
    return Item(
        place,
        keys,
        bases.decode("ascii"),
        alternative=other.decode("ascii"),
        label=label,
        contig=variant.chrom,
    )
