"""Is what a GPU computes right, how fast is it, and in how much memory?

    python benchmarks/gpu.py --presets janusdna-72 janusdna-144 --lengths 1024 8192 131072 1048576

First every CUDA path against plain PyTorch in float64 on the CPU (`--only checks` stops there). Then both
strands of windows in bfloat16, one target a window and all positions, and training: windows and tokens a
second and peak memory, beside the plain composition (mamba-ssm's scan where it is installed, else this
package's; causal-conv1d likewise; everything else in plain PyTorch; FlexAttention over all 2T rows), and
the floors: the operations of the matrix products at the rate of a large one, and the bytes that the
network's parts must read and write at the rate of a copy. Last what bfloat16 changes of the scores.

It needs one NVIDIA GPU and at most eight minutes: what would take it past `--minutes` is left out and says
so. `--device cpu` tries the script out; its figures mean nothing.
"""

from __future__ import annotations

import copy
import gc
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial

import flex_attention
import made_up
import numpy as np
import torch
from gpu_checks import available, run_checks
from measure import Row, arguments, operations, report
from torch import Tensor

from janusdna import PRESETS, Model, ModelConfig
from janusdna.nn.model import JanusDNA
from janusdna.objectives import Example
from janusdna.ops.backends import REFERENCE, Kernel, choose_kernels
from janusdna.pretraining import PretrainingLoss
from janusdna.recipe import Recipe
from janusdna.tokens import ACGT
from janusdna.training import Trainer

LENGTHS = (1024, 8192, 131_072, 1_048_576)
TRAINING = (1024, 131_072)
# Of a batch: training keeps all activations of it, the plain composition those of a layer.
TRAINING_SHARE, PLAIN_SHARE = 8, 4
SCORED = 256


class Bench:
    """Time and memory of work on a device, within a budget.

    Args:
        device: Where the work is done.
        minutes: After which no further work is begun.
        bases: Of a batch.
    """

    def __init__(self, device: torch.device, minutes: float, bases: int) -> None:
        self.device = device
        self.ends = time.monotonic() + 60 * minutes
        self.bases = bases

    def rows(self, length: int, share: int = 1) -> int:
        """Sequences of a batch, or of a share of it."""
        return max(1, self.bases // share // length)

    def run(self, work: Callable[[], object]) -> tuple[float | None, float | None, str]:
        """Seconds of the fastest of some runs, peak GB, and why there are none."""
        if time.monotonic() > self.ends:
            return None, None, "no time left"
        self._clean()
        try:
            first = self._once(work)
            runs = 1 if first > 10 else 3
            seconds = min(self._once(work) for _ in range(runs))
        except (RuntimeError, NotImplementedError) as problem:
            return None, None, f"{type(problem).__name__}: {str(problem).splitlines()[0][:120]}"
        peak = torch.cuda.max_memory_allocated(self.device) / 1e9 if self.device.type == "cuda" else None
        return seconds, peak, ""

    def _once(self, work: Callable[[], object]) -> float:
        self._wait()
        began = time.perf_counter()
        work()
        self._wait()
        return time.perf_counter() - began

    def _wait(self) -> None:
        if self.device.type == "cuda":
            torch.cuda.synchronize(self.device)

    def _clean(self) -> None:
        gc.collect()
        if self.device.type == "cuda":
            torch.cuda.empty_cache()
            torch.cuda.reset_peak_memory_stats(self.device)


def main() -> None:
    """Check, measure and report."""
    parser = arguments(__doc__, "gpu")
    parser.add_argument("--presets", nargs="+", default=("janusdna-72", "janusdna-144"), choices=PRESETS)
    parser.add_argument("--lengths", type=int, nargs="+", default=LENGTHS)
    parser.add_argument("--training", type=int, nargs="*", default=TRAINING)
    parser.add_argument("--minutes", type=float, default=7.5)
    parser.add_argument("--bases", type=int, default=1 << 20, help="of a batch")
    parser.add_argument("--device", default="cuda")
    parser.add_argument("--only", choices=("checks", "figures"))
    options = parser.parse_args()
    device = torch.device(options.device)
    if device.type == "cuda" and not torch.cuda.is_available():
        raise SystemExit("no CUDA GPU here: nothing was measured")
    bench = Bench(device, options.minutes, options.bases)
    checked = [] if options.only == "figures" else run_checks(device)
    rows = (
        [] if options.only == "checks" else figures(bench, options.presets, options.lengths, options.training)
    )
    report([*checked, *rows], options.json)
    if any(row["ok"] == "False" for row in checked):
        raise SystemExit("not all checks are ok")


def figures(
    bench: Bench, presets: Sequence[str], lengths: Sequence[int], training: Sequence[int]
) -> list[Row]:
    """Everything that is measured, what matters most first."""
    rates = Rates(bench)
    models = {preset: model_on(bench.device, preset) for preset in presets}
    reading, trained = [], []
    for preset, model in models.items():
        reading += [row for length in lengths for row in said(read(bench, rates, preset, model, length))]
    for preset, model in models.items():
        trained += [row for length in training for row in said(train(bench, preset, model.config, length))]
    attention = [row for length in lengths[:3] for row in fusions(bench, models[presets[0]].config, length)]
    scores = [precision(bench, preset, lengths[0]) for preset in presets]
    return [*reading, *trained, *attention, *scores, rates.row()]


def said(rows: list[Row]) -> list[Row]:
    """The rows, printed as soon as there are any: a run that is cut off has said what it knew."""
    for row in rows:
        print(row, flush=True)
    return rows


class Rates:
    """What this GPU does at its best: a large product of bfloat16 matrices, a large copy."""

    def __init__(self, bench: Bench) -> None:
        size = 8192 if bench.device.type == "cuda" else 256
        a, b = (torch.randn(size, size, device=bench.device, dtype=torch.bfloat16) for _ in range(2))
        seconds, _, _ = bench.run(lambda: [a @ b for _ in range(10)])
        self.products = 10 * 2 * size**3 / (seconds or 1)
        source = torch.empty(size * size * 8, device=bench.device, dtype=torch.float32)
        target = torch.empty_like(source)
        seconds, _, _ = bench.run(lambda: [target.copy_(source) for _ in range(10)])
        self.bytes = 10 * 2 * source.numel() * source.element_size() / (seconds or 1)

    def row(self) -> Row:
        """As a line of the report."""
        return {"bfloat16 products, TFLOP/s": self.products / 1e12, "copy, TB/s": self.bytes / 1e12}


def model_on(device: torch.device, preset: str, **options: str) -> Model:
    """An untrained network of a preset's size, as the commands load it."""
    return made_up.make_model(preset, device=str(device), **options)


def plain(network: JanusDNA) -> JanusDNA:
    """The same weights, composed of what others offer."""
    where = network.head.weight.device
    on_gpu = where.type == "cuda"
    # The last that is available is mamba-ssm where that is installed.
    kernels = [REFERENCE, *available(torch.bfloat16).values()][-1 if on_gpu else 0]
    attend = partial(flex_attention.janus_attention, compiled=on_gpu)
    chosen = replace(
        REFERENCE,
        scan=kernels.scan,
        conv=kernels.conv if kernels.conv.name == "causal-conv1d" else REFERENCE.conv,
        fusion=Kernel("flex-attention", "to compare with", attend),
    )
    other = (
        JanusDNA(network.config, chosen).cast(network.embedding.weight.dtype).to(network.head.weight.device)
    )
    other.load_state_dict(network.state_dict())
    return other.requires_grad_(False)


def read(bench: Bench, rates: Rates, preset: str, model: Model, length: int) -> list[Row]:
    """Both strands of windows: one target each, all positions, and both by the plain composition."""
    windows = max(1, bench.rows(length) // 2)
    ids = torch.randint(7, 11, (2 * windows, length), generator=torch.Generator().manual_seed(0))
    site = torch.full((2 * windows, 1), length // 2)
    few = max(1, bench.rows(length, PLAIN_SHARE) // 2)
    other = plain(model.module)
    some = ids[: 2 * few].to(bench.device)

    def whole() -> None:
        with torch.inference_mode():
            for strand in some.split(bench.rows(length, PLAIN_SHARE)):
                other(strand)

    def one_target() -> None:
        # A strand at a time where one fills the batch, as the commands read it.
        for strand, at in zip(ids.split(bench.rows(length)), site.split(bench.rows(length)), strict=True):
            model.read(strand, at)

    def all_positions() -> None:
        for strand in ids[: 2 * few].split(bench.rows(length)):
            model.read(strand)

    plainly = bench.run(whole)
    slow = plainly[0] / few if plainly[0] else None
    found = []
    for what, work, count, targets in (
        ("one target", one_target, windows, 1),
        ("all positions", all_positions, few, length),
    ):
        seconds, peak, why = bench.run(work)
        each = seconds / count if seconds else None
        by_operations = 2 * operations(model.module, length, targets) / rates.products
        by_bytes = 2 * length * traffic(model.config) / rates.bytes
        found.append(
            {
                "model": preset,
                "window": length,
                "read": what,
                "windows/s": 1 / each if each else None,
                "peak, GB": peak,
                "plain, windows/s": 1 / slow if slow else None,
                "plain's peak, GB": plainly[1],
                "times plain": slow / each if slow and each else None,
                "floor of products": by_operations / each if each else None,
                "floor of bytes": by_bytes / each if each else None,
                "note": why or plainly[2],
            }
        )
    return found


def traffic(config: ModelConfig) -> float:
    """Bytes that a base's way through both streams reads and writes: bfloat16, the residual in float32.

    Each part reads what it needs and writes what it makes, once; weights are left out.
    """
    d, inner, states, rank = config.hidden_size, config.inner_size, config.state_size, config.dt_rank
    norm, residual = 4 * d + 2 * d, 2 * 4 * d + 2 * d
    mixer = 2 * (
        (d + 2 * inner)  # in_proj
        + 2 * inner  # convolution
        + (inner + rank + 2 * states)  # x_proj
        + 2 * (rank + 2 * states)  # its norms
        + (rank + inner)  # dt_proj
        + (4 * inner + 2 * states)  # scan
        + (inner + d)  # out_proj
    )
    wide = config.intermediate_size
    gated = 2 * ((d + 2 * wide) + 3 * wide + (wide + d))
    visits = config.experts_per_token
    experts = 2 * (d + config.num_experts) + visits * (gated + 2 * 3 * d)
    layers = config.num_layers
    routed = len(config.expert_layers)
    one = layers * (2 * norm + 2 * residual + mixer) + routed * experts + (layers - routed) * gated
    return 2 * (one + norm + 2 * 3 * d)


def train(bench: Bench, preset: str, config: ModelConfig, length: int) -> list[Row]:
    """Steps under autocast, weights in float32: this package, then the plain composition."""
    count = bench.rows(length, TRAINING_SHARE)
    kernels = choose_kernels(torch.device("cuda"), torch.bfloat16, states=config.state_size)
    torch.manual_seed(0)
    ours = JanusDNA(config, kernels).to(bench.device)
    ids = np.random.default_rng(0).integers(7, 11, (count, length)).astype(np.uint8)
    example = Example(ids, ids, np.ones(ids.shape, np.float32))
    found: list[Row] = []
    for name, network in (("janusdna", ours), ("plain", copy.deepcopy(ours))):
        if name == "plain":
            network = plain(network).requires_grad_(True)
        trainer = Trainer(PretrainingLoss(network, compute_dtype=torch.bfloat16), Recipe())
        seconds, peak, why = bench.run(partial(trainer.step, [example], 1))
        rate = count * length / seconds if seconds else None
        before = found[0]["tokens/s"] if found else None
        found.append(
            {
                "training": name,
                "model": preset,
                "window": length,
                "tokens/s": rate,
                "peak, GB": peak,
                "times plain": before / rate if before and rate else None,
                "note": why,
            }
        )
    return found


def fusions(bench: Bench, config: ModelConfig, length: int) -> list[Row]:
    """The fusion's attention alone: four flash attentions against FlexAttention."""
    shape = 1, config.num_heads, 2 * length, config.head_size
    operands = [torch.randn(shape, device=bench.device, dtype=torch.bfloat16) for _ in range(3)]
    ours = choose_kernels(torch.device("cuda"), torch.bfloat16, states=16).fusion
    theirs = partial(flex_attention.janus_attention, compiled=bench.device.type == "cuda")
    rows = []
    for name, attend in ((ours.name, ours), ("FlexAttention", theirs)):

        def forward(attend: Callable[..., Tensor] = attend) -> None:
            with torch.no_grad():
                attend(*operands, config.fusion_scale)

        def both(attend: Callable[..., Tensor] = attend) -> None:
            leaves = [part.detach().requires_grad_() for part in operands]
            attend(*leaves, config.fusion_scale).sum().backward()

        one, two = bench.run(forward), bench.run(both)
        rows.append(
            {
                "attention": name,
                "positions": length,
                "forward, seconds": one[0],
                "with backward": two[0],
                "peak, GB": two[1],
                "note": one[2] or two[2],
            }
        )
    return rows


def precision(bench: Bench, preset: str, length: int) -> Row:
    """What bfloat16 changes of the log-likelihood ratios of a site's substitutions, by untrained weights."""
    ids = torch.randint(7, 11, (SCORED, length), generator=torch.Generator().manual_seed(1))
    site = torch.full((SCORED, 1), length // 2)
    scores = []
    for dtype in ("float32", "bfloat16"):
        logits = model_on(bench.device, preset, dtype=dtype).read(ids, site).logits[:, 0, ACGT]
        logp = logits.float().log_softmax(-1).cpu()
        scores.append((logp - logp.gather(1, ids[:, length // 2, None] - 7)).flatten())
    exact, rough = scores
    ranks = torch.stack([part.argsort().argsort().double() for part in scores])
    return {
        "bfloat16 against float32": preset,
        "window": length,
        "scores": exact.numel(),
        "rank correlation": float(torch.corrcoef(ranks)[0, 1]),
        "largest difference": float((exact - rough).abs().max()),
        "spread of scores": float(exact.std()),
    }


if __name__ == "__main__":
    main()
