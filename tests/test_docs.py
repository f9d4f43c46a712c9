"""The documents name what the code has, all of it and nothing else."""

import json
import re
from pathlib import Path

import pytest

from janusdna.bundled import bundled_folder
from janusdna_cli.genome.alleles import Status
from janusdna_cli.genome.places import RegionStatus
from janusdna_cli.outputs.info_values import fields_of
from janusdna_cli.regions.table import embedding_schema
from janusdna_cli.tracks.table import track_schema
from janusdna_cli.tracks.values import VALUES
from janusdna_cli.training.metrics import BITS_BY_KIND, EXPERT_USAGE, TRAINING_FIELDS, VALIDATION_FIELDS
from janusdna_cli.variants.annotation import annotation_schema
from janusdna_cli.variants.scores import SCORES
from janusdna_cli.variants.table import VARIANT_SCHEMA

ROOT = Path(__file__).parents[1]
DOCS = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/*.md")])


def section(document, heading):
    """The text under a heading, up to the next heading of any level."""
    text = (ROOT / "docs" / document).read_text()
    start = re.search(rf"^#+ {re.escape(heading)}$", text, re.MULTILINE)
    assert start, f"{document} has no heading {heading!r}"
    return re.split(r"^#+ ", text[start.end() :], maxsplit=1, flags=re.MULTILINE)[0]


def rows(text):
    """The cells of a section's table, without its two heading lines."""
    lines = [line for line in text.splitlines() if line.startswith("|")]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines[2:]]


def names(text):
    return [cells[0].strip("`") for cells in rows(text)]


def test_the_columns_of_a_variant_are_those_of_the_schema():
    documented = [(name.strip("`"), kind, null) for name, kind, *_, null in rows(variant_section())]
    assert [(name, kind) for name, kind, _ in documented] == kinds(VARIANT_SCHEMA)
    never = {name for name, _, null in documented if null == "never"}
    assert never == {field.name for field in VARIANT_SCHEMA if not field.nullable}


def test_the_info_fields_are_those_of_the_scores():
    documented = [
        [cell.strip("`") for cell in cells] for cells in rows(section("formats.md", "VCF and BCF output"))
    ]
    written = fields_of(annotation_schema(tuple(SCORES), with_percentiles=True))
    assert sorted(documented) == sorted([each.name, column, each.kind] for column, each in written.items())


def test_the_columns_of_a_region_are_those_of_the_schema():
    documented = [
        (name.strip("`"), kind) for name, kind, *_ in rows(section("formats.md", "Regions: `embed`"))
    ]
    schema = embedding_schema(7, per_base=True, extra_columns=1)
    assert [(name.removesuffix("` ..."), kind.replace("[d]", "[7]")) for name, kind in documented] == kinds(
        schema
    )


def test_the_columns_and_values_of_a_track_are_those_of_the_schema():
    documented = [
        (name.strip("`"), kind) for name, kind, *_ in rows(section("formats.md", "Tracks: `track`"))
    ]
    assert documented == kinds(track_schema("logp"))
    values = ",".join(names(section("tracks.md", "A value for every base: `track`")))
    assert re.findall(r"entropy|logp|p_\w+", values) == list(VALUES)


def variant_section():
    return section("formats.md", "Variants: `score-variants`")


def kinds(schema):
    def told(kind):
        return re.sub(r"\bfloat\b", "float32", re.sub(r"(item|element): ", "", str(kind)))

    return [(field.name, told(field.type)) for field in schema]


@pytest.mark.parametrize(("heading", "statuses"), [("Of an allele", Status), ("Of a region", RegionStatus)])
def test_the_statuses_are_all_there(heading, statuses):
    assert sorted(names(section("formats.md", heading))) == sorted(statuses)


def test_the_readme_names_every_status_of_an_allele():
    text = (ROOT / "README.md").read_text()
    assert [status for status in Status if f"`{status}`" not in text] == []


def test_the_readme_names_every_column_of_both_tables():
    words = set(re.findall(r"\w+", (ROOT / "README.md").read_text()))
    assert [name for name in [*VARIANT_SCHEMA.names, *embedding_schema(1).names] if name not in words] == []


def test_the_fields_of_config_json_are_named():
    written = json.loads((bundled_folder() / "config.json").read_text())
    assert names(section("formats.md", "Models")) == list(written)


def test_the_fields_of_the_metrics_are_those_that_are_written():
    step, validation = (
        names(section("formats.md", heading)) for heading in ("A step's line", "A validation's line")
    )
    assert step == ["step", *TRAINING_FIELDS]
    assert validation == ["step", *VALIDATION_FIELDS, BITS_BY_KIND, EXPERT_USAGE]


@pytest.mark.parametrize("package", ["janusdna_cli", "models/janusdna", "benchmarks"])
def test_architecture_names_every_file(package):
    named = re.findall(
        rf"^\| `({package}/[^`]+)` \|", (ROOT / "docs/architecture.md").read_text(), re.MULTILINE
    )
    files = {path.relative_to(ROOT).as_posix() for path in (ROOT / package).rglob("*.py")}
    nested = {path for path in files if path.endswith("/__init__.py")} - {f"{package}/__init__.py"}
    assert sorted(named) == sorted(files - nested)


def test_architecture_shows_the_layers_that_are_checked():
    text = (ROOT / "pyproject.toml").read_text()
    checked = re.findall(
        r'^    "(janusdna[^"]*)",$', text.split("layers = [")[1].split("\n]")[0], re.MULTILINE
    )
    block = section("architecture.md", "The rules").split("```")[1].splitlines()
    shown = [line.strip() for line in block if line.startswith(" janusdna")]

    def full(line):
        package, _, rest = line.partition(".")
        return [part.strip().removeprefix(f"{package}.") for part in f"{package}.{rest}".split("|")]

    assert [full(line) for line in shown] == [full(line) for line in checked]


@pytest.mark.parametrize("path", DOCS, ids=lambda path: path.name)
def test_links_lead_somewhere(path):
    text = path.read_text()
    anchors = {
        re.sub(r"[^\w -]", "", h).strip().lower().replace(" ", "-")
        for h in re.findall(r"^#+ (.+)$", text, re.M)
    }
    for target in re.findall(r"\]\(([^)\s]+)\)", text):
        if target.startswith("#"):
            assert target[1:] in anchors, target
        elif "://" not in target:
            assert (path.parent / target.split("#")[0]).exists(), target
