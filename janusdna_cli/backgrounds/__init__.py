"""How unusual a score is: what random alleles of the same class have."""
