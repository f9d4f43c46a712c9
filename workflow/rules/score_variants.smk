rule score_variants:
    # What a job that was killed had done lies beside its part: the next attempt goes on from there.
    input:
        vcf=told("vcf"),
        fasta=told("fasta"),
    output:
        PART,
    log:
        LOG,
    wildcard_constraints:
        run=names(config["score_variants"]),
    params:
        janusdna=config["janusdna"],
        folder=subpath(output[0], parent=True),
        options=told("options"),
    threads: 2
    resources:
        mem_mb=growing(4_000),
        runtime=240,
    shell:
        "{params.janusdna} score-variants {input.vcf:q} --fasta {input.fasta:q} {params.options}"
        " --shard {wildcards.shard}/{wildcards.shards} --threads {threads} --workers auto --resume"
        " -o {params.folder:q}/ 2>> {log:q}"
