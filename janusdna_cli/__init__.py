"""Files and commands around JanusDNA: what `janusdna embed`, `score-variants` and `pretrain` run.

from janusdna_cli import ScoreSettings, score_variants
score_variants(ScoreSettings(vcf="variants.vcf", fasta="genome.fa", model="model"))
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from janusdna_cli.calibration.calibrating import CalibrateSettings, calibrate
    from janusdna_cli.corpus.making import make_corpus
    from janusdna_cli.corpus.settings import CorpusSettings
    from janusdna_cli.dependencies.dependency_map import DependencyMap
    from janusdna_cli.dependencies.mapping import map_dependencies
    from janusdna_cli.dependencies.settings import DependenciesSettings
    from janusdna_cli.finetuning.finetuning import FinetuneSettings, FinetuneSummary, finetune
    from janusdna_cli.finetuning.predicting import predict
    from janusdna_cli.finetuning.predicting_settings import PredictSettings
    from janusdna_cli.finetuning.probe_settings import ProbeSettings
    from janusdna_cli.finetuning.probing import probe
    from janusdna_cli.mutagenesis.scoring import MutagenesisSettings, score_every_allele
    from janusdna_cli.regions.embedding import EmbedSettings, embed_regions
    from janusdna_cli.runtime.summary import Summary
    from janusdna_cli.suites.benchmark import BenchmarkSettings, run_benchmark
    from janusdna_cli.suites.variant_settings import VariantBenchmarkSettings
    from janusdna_cli.suites.variants import benchmark_variants
    from janusdna_cli.tracks.tracking import TrackSettings, make_track
    from janusdna_cli.training.pretraining import PretrainSummary, pretrain
    from janusdna_cli.training.settings import PretrainSettings
    from janusdna_cli.variants.scoring import ScoreSettings, score_variants

__all__ = [
    "BenchmarkSettings",
    "CalibrateSettings",
    "CorpusSettings",
    "DependenciesSettings",
    "DependencyMap",
    "EmbedSettings",
    "FinetuneSettings",
    "FinetuneSummary",
    "MutagenesisSettings",
    "PredictSettings",
    "PretrainSettings",
    "PretrainSummary",
    "ProbeSettings",
    "ScoreSettings",
    "Summary",
    "TrackSettings",
    "VariantBenchmarkSettings",
    "benchmark_variants",
    "calibrate",
    "embed_regions",
    "finetune",
    "make_corpus",
    "make_track",
    "map_dependencies",
    "predict",
    "pretrain",
    "probe",
    "run_benchmark",
    "score_every_allele",
    "score_variants",
]

_HOMES = {
    "DependenciesSettings": "dependencies.settings",
    "DependencyMap": "dependencies.dependency_map",
    "map_dependencies": "dependencies.mapping",
    "EmbedSettings": "regions.embedding",
    "embed_regions": "regions.embedding",
    "CorpusSettings": "corpus.settings",
    "make_corpus": "corpus.making",
    "PretrainSettings": "training.settings",
    "PretrainSummary": "training.pretraining",
    "pretrain": "training.pretraining",
    "ScoreSettings": "variants.scoring",
    "score_variants": "variants.scoring",
    "MutagenesisSettings": "mutagenesis.scoring",
    "score_every_allele": "mutagenesis.scoring",
    "TrackSettings": "tracks.tracking",
    "make_track": "tracks.tracking",
    "Summary": "runtime.summary",
    "FinetuneSettings": "finetuning.finetuning",
    "FinetuneSummary": "finetuning.finetuning",
    "finetune": "finetuning.finetuning",
    "PredictSettings": "finetuning.predicting_settings",
    "predict": "finetuning.predicting",
    "ProbeSettings": "finetuning.probe_settings",
    "probe": "finetuning.probing",
    "BenchmarkSettings": "suites.benchmark",
    "CalibrateSettings": "calibration.calibrating",
    "calibrate": "calibration.calibrating",
    "run_benchmark": "suites.benchmark",
    "VariantBenchmarkSettings": "suites.variant_settings",
    "benchmark_variants": "suites.variants",
}


def __getattr__(name: str) -> Any:
    """Import a task at its first use, so that `janusdna --help` does not wait for PyTorch."""
    if name in _HOMES:
        from importlib import import_module

        return getattr(import_module(f"janusdna_cli.{_HOMES[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
