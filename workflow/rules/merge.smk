rule merge:
    # Also a VCF's or BCF's, which is made of the parts and the records as they came.
    input:
        parts=parts_of,
        records=lambda wildcards: RUNS[wildcards.run].get("vcf", []),
    output:
        "results/{run}.{format}",
    log:
        "results/logs/{run}/{format}.log",
    wildcard_constraints:
        run=names(RUNS),
        format=r"parquet|tsv(\.gz)?|vcf(\.gz)?|bcf|npz|h5ad",
    params:
        janusdna=config["janusdna"],
        folder=lambda wildcards, input: Path(input.parts[0]).parent,
    resources:
        mem_mb=growing(4_000),
        runtime=120,
    shell:
        "{params.janusdna} merge {params.folder:q}/ -o {output:q} 2>> {log:q}"
