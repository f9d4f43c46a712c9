"""The workflow for clusters, run by Snakemake on this machine: shards, one of them killed, then merged."""

import gzip
import json
import os
import random
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from janusdna_cli import EmbedSettings, ScoreSettings, embed_regions, score_variants
from janusdna_cli.demo_data import make_demo
from janusdna_cli.runs import running

ROOT = Path(__file__).parents[1]
WORKFLOW = ROOT / "workflow"
SLURM = WORKFLOW / "profiles" / "slurm"
WINDOW = 64
UNIT = 4096

pytest.importorskip("snakemake", reason="snakemake is not installed: pip install '.[workflow]'")
jsonschema = pytest.importorskip("jsonschema")
yaml = pytest.importorskip("yaml")

# janusdna with units of work that a small genome has many of. The first attempt of one shard is killed as
# soon as something of it is done.
JANUSDNA = """
import os
import signal
import sys
from pathlib import Path

from janusdna_cli.app import main
from janusdna_cli.runs import keeper, running
from janusdna_cli.runs.journal import Journal

keeper._SECONDS = 0  # an entry for each unit
running._CPU_UNIT = int(os.environ["UNIT"])
killed = Path("killed")


def add_and_die(journal, *entry):
    add(journal, *entry)
    killed.touch()
    os.kill(os.getpid(), signal.SIGKILL)


if {"score-variants", "2/3"} <= set(sys.argv) and not killed.exists():
    add, Journal.add = Journal.add, add_and_die
main()
"""


class Project:
    """A folder with a genome, variants, regions, and a configuration that is JSON, and so YAML."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.files = make_demo(folder / "demo", overwrite=False)
        (folder / "killed_once.py").write_text(JANUSDNA)
        fasta, options = "demo/genome.fa", f"--window {WINDOW}"
        of_all = {"fasta": fasta, "shards": 3, "options": options}
        self.config = {
            "janusdna": shlex.join([sys.executable, str(folder / "killed_once.py")]),
            "score_variants": {"variants": of_all | {"vcf": "demo/variants.vcf"}},
            "embed": {"regions": of_all | {"regions": "demo/regions.bed", "shards": 2}},
        }

    def snakemake(self, *options: object) -> subprocess.CompletedProcess:
        (self.folder / "config.json").write_text(json.dumps(self.config))
        command = [sys.executable, "-m", "snakemake", "--snakefile", WORKFLOW / "Snakefile"]
        command += ["--configfile", "config.json", *options]
        return subprocess.run(
            list(map(str, command)),
            cwd=self.folder,
            env=os.environ | {"UNIT": str(UNIT)},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=300,
        )

    def single_runs(self, monkeypatch: pytest.MonkeyPatch) -> dict[str, Path]:
        """What one process makes of the same, by the runs' names."""
        monkeypatch.setattr(running, "_CPU_UNIT", UNIT)
        outputs = {name: self.folder / f"single_{name}.parquet" for name in ("variants", "regions")}
        fasta, common = str(self.files.genome), {"window": WINDOW, "threads": 1, "quiet": True}
        variants, regions = str(self.files.variants), str(self.files.regions)
        score_variants(ScoreSettings(vcf=variants, fasta=fasta, output=str(outputs["variants"]), **common))
        embed_regions(EmbedSettings(fasta=fasta, regions=regions, output=str(outputs["regions"]), **common))
        return outputs


@pytest.fixture
def project(tmp_path):
    return Project(tmp_path)


def add_variants(vcf: Path, fasta: Path, count: int) -> None:
    """Substitutions of chr1's bases, among the records that are there."""
    chance = random.Random(4)
    bases = "".join(fasta.read_text().upper().partition("\n")[2].partition(">")[0].split())
    lines = vcf.read_text().splitlines(keepends=True)
    for at in chance.sample(range(40_000), count):
        alt = chance.choice([base for base in "ACGT" if base != bases[at]])
        lines.append(f"chr1\t{at + 1}\t.\t{bases[at]}\t{alt}\t.\tPASS\t.\n")
    header = [line for line in lines if line.startswith("#")]
    records = [line for line in lines if not line.startswith("#")]
    vcf.write_text("".join(header + sorted(records, key=lambda line: (line[:4], int(line.split("\t")[1])))))


@pytest.mark.long
def test_shards_of_which_one_is_killed_are_one_run(project, monkeypatch):
    add_variants(project.files.variants, project.files.genome, 200)
    regions = project.files.regions.read_text().splitlines(keepends=True)
    project.files.regions.write_text("".join(regions[:5]))
    result = project.snakemake("--set-threads", "score_variants=1", "embed=1", "--cores", 2)
    assert result.returncode == 0, result.stdout
    assert "Trying to restart job" in result.stdout
    log = project.folder / "results/logs/variants/of-3/part-2-of-3.log"
    done, of_all = re.search(r"going on: (\d+) of (\d+) alleles are done", log.read_text()).groups()
    assert 0 < int(done) < int(of_all)
    parts = sorted((project.folder / "results/parts/variants/of-3").iterdir())
    assert [part.name for part in parts] == [f"part-{i}-of-3.parquet" for i in (1, 2, 3)]
    assert min(pq.read_metadata(part).num_rows for part in parts) > 40

    for name, single in project.single_runs(monkeypatch).items():
        assert pq.read_table(project.folder / f"results/{name}.parquet").equals(pq.read_table(single)), name

    project.config["score_variants"]["variants"]["format"] = "vcf.gz"
    again = project.snakemake("--cores", 2)
    assert again.returncode == 0, again.stdout
    assert re.search(r"^merge +1\nall +1\ntotal +2$", re.sub(" +\n", "\n", again.stdout), re.MULTILINE), (
        again.stdout
    )
    vcf, index = (project.folder / f"results/variants.vcf.gz{suffix}" for suffix in ("", ".tbi"))
    assert gzip.decompress(vcf.read_bytes()).count(b"JANUS_STATUS=") > 200
    assert index.stat().st_mtime >= vcf.stat().st_mtime


def test_the_configuration_of_the_project_runs_on_the_demo(project):
    project.config = {}
    result = project.snakemake("--dry-run", "--configfile", ROOT / "config/config.yaml")
    assert result.returncode == 0, result.stdout
    assert re.search(r"score_variants +3\n", result.stdout)
    assert re.search(r"embed +2\n", result.stdout)


def test_jobs_of_slurm_ask_for_what_the_profile_says(project):
    project.config["score_variants"] = {}
    result = project.snakemake("--dry-run", "--workflow-profile", SLURM, "--cores", 8)
    jobs = re.findall(
        r"^rule embed:.*?threads: (\d+)\n.*?mem_mb=(\d+).*?runtime=(\d+)", result.stdout, re.S | re.M
    )
    assert jobs == [("4", "8000", "240")] * 2, result.stdout


def test_a_mistake_in_the_configuration_is_told_before_anything_runs(project):
    project.config["score_variants"]["variants"]["vfc"] = "typo.vcf"
    result = project.snakemake("--dry-run")
    assert result.returncode == 1
    assert "'vfc' was unexpected" in result.stdout


@pytest.mark.parametrize(
    "change",
    [{"shards": 0}, {"shards": "3"}, {"format": "xlsx"}, {"vcf": ""}, {"options": ["--no-rc"]}],
    ids=str,
)
def test_what_the_schema_refuses(project, change):
    schema = yaml.safe_load((WORKFLOW / "schemas/config.schema.yaml").read_text())
    jsonschema.validate(project.config, schema)
    project.config["score_variants"]["variants"] |= change
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(project.config, schema)


def test_lint_asks_for_nothing_but_an_environment(project):
    """Which there is none of: janusdna is installed by whoever runs it."""
    result = project.snakemake("--lint")
    remarks = set(re.findall(r"^    \* (.+)$", result.stdout, re.MULTILINE))
    assert remarks == {"Specify a conda environment or container for each rule.:"}
