rule embed:
    # As score_variants.
    input:
        fasta=told("fasta"),
        regions=lambda wildcards: RUNS[wildcards.run].get("regions", []),
    output:
        PART,
    log:
        LOG,
    wildcard_constraints:
        run=names(config["embed"]),
    params:
        janusdna=config["janusdna"],
        folder=subpath(output[0], parent=True),
        options=told("options"),
    threads: 2
    resources:
        mem_mb=growing(4_000),
        runtime=240,
    shell:
        "{params.janusdna} embed {input.fasta:q} {input.regions:q} {params.options}"
        " --shard {wildcards.shard}/{wildcards.shards} --threads {threads} --workers auto --resume"
        " -o {params.folder:q}/ 2>> {log:q}"
