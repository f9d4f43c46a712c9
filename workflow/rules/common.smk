# Runs by name, and where their parts and results lie.

import re

from snakemake.exceptions import WorkflowError

if both := config["score_variants"].keys() & config["embed"].keys():
    raise WorkflowError(f"score_variants and embed: both have a run called {', '.join(sorted(both))}; rename one")

RUNS = {**config["score_variants"], **config["embed"]}

# Named by janusdna: I as wide as N. A folder for each N, so that one cut anew leaves no parts of the old cut.
PART = "results/parts/{run}/of-{shards}/part-{shard}-of-{shards}.parquet"
LOG = "results/logs/{run}/of-{shards}/part-{shard}-of-{shards}.log"


wildcard_constraints:
    shard=r"\d+",
    shards=r"\d+",


def names(runs):
    """A pattern of these names and no other."""
    return "|".join(map(re.escape, runs)) or "(?!)"


def result_of(name):
    return f"results/{name}.{RUNS[name]['format']}"


def parts_of(wildcards):
    """A run's parts, in order."""
    shards = RUNS[wildcards.run]["shards"]
    width = len(str(shards))
    numbers = [f"{number:0{width}}" for number in range(1, shards + 1)]
    return expand(PART, run=wildcards.run, shards=shards, shard=numbers)


def told(key):
    """What the configuration tells of a job's run."""
    return lambda wildcards: RUNS[wildcards.run][key]


def growing(mb):
    """Memory of a first attempt; as much again for each further one."""
    return lambda wildcards, attempt: attempt * mb
