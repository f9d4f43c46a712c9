"""Genomic files as domain objects: contigs, regions, variants, alleles, windows. No tensors here."""
