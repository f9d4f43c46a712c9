"""The bytes of VCF and BCF: header lines, records, and INFO that is added to them."""
