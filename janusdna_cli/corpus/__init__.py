"""Genomes and their genes to the tables that say what pretraining learns from."""
