"""Which attention computes the fusion fastest, and when are the targets' rows alone cheaper than all?

    python benchmarks/fusion.py --preset janusdna-72 512 2048 8192 16384

Every position of one window: four causal flash attentions, the compiled kernel that this package runs in
float32 on a CPU, FlexAttention, and the dense masked softmax that all must equal, forward and with
backward. A peer that would need more memory than there is, or a C++ compiler that is not there, says so.
Then the whole network without a gradient: for how many targets reading their rows alone takes as long as
reading all positions (nothing where that is never so), and the number at which the network itself changes
over.
"""

import shutil
from collections.abc import Callable
from functools import partial
from itertools import pairwise

import flex_attention
import made_up
import torch
from measure import Row, arguments, best, exponent, preset_option, report
from torch import Tensor

from janusdna import PRESETS, ModelConfig
from janusdna.nn.model import JanusDNA
from janusdna.ops import fusion, reference
from janusdna.ops.cpu import fusion as fusion_cpu
from janusdna_cli.runtime.memory import free_memory

LENGTHS = (512, 1024, 2048, 4096, 8192, 16_384)
# Bytes for each pair of a query and a key: of FlexAttention's block mask while it is made, and of the
# dense scores of one head with what comes of them.
MASK_BYTES = 32
SCORE_BYTES = 24
SHARES = (1 / 32, 1 / 16, 1 / 8, 1 / 4, 1 / 2, 1)

Attention = Callable[..., Tensor]


def main() -> None:
    """Measure and report."""
    parser = arguments(__doc__, "fusion")
    parser.add_argument("lengths", type=int, nargs="*", default=LENGTHS)
    parser.add_argument("--crossing", type=int, nargs="*", default=(1024, 4096, 16_384), help="windows")
    preset_option(parser)
    options = parser.parse_args()
    config = PRESETS[options.preset]
    rows = [row for length in options.lengths for row in peers(config, length)]
    network = made_up.make_model(options.preset).module
    crossings = [crossing(network, length) for length in options.crossing]
    report([*rows, *growth(rows), *crossings], options.json)


def peers(config: ModelConfig, length: int) -> list[Row]:
    """All of them at one length."""
    pairs = (2 * length) ** 2
    compiler = shutil.which("c++") or shutil.which("g++") or shutil.which("clang++")
    flex_note = "" if compiler else "needs a compiler"
    ours = row("four-flash", fusion.janus_attention, config, length)
    return [
        ours,
        row("compiled kernel", fusion_cpu.janus_attention, config, length, against=ours),
        row(
            "FlexAttention",
            partial(flex_attention.janus_attention, compiled=True),
            config,
            length,
            flex_note or needs(MASK_BYTES * pairs),
            against=ours,
        ),
        row(
            "dense",
            reference.janus_attention,
            config,
            length,
            needs(SCORE_BYTES * pairs * config.num_heads),
            against=ours,
        ),
    ]


def needs(size: float) -> str:
    """Why not, where `size` bytes are not there."""
    return f"needs {size / 1e9:.0f} GB" if size > 0.8 * free_memory(torch.device("cpu")) else ""


def row(
    name: str,
    attend: Attention,
    config: ModelConfig,
    length: int,
    why_not: str = "",
    *,
    against: Row | None = None,
) -> Row:
    """Seconds of one peer at one length, and how many times those of `against` that is."""
    forward = both = None
    if not why_not:
        operands = make_operands(config, length)
        runs = 5 if length < 4096 else 2
        with torch.no_grad():
            forward = best(lambda: attend(*operands, config.fusion_scale), runs)
        try:
            both = best(lambda: backward(attend, operands, config.fusion_scale), runs)
        except (NotImplementedError, RuntimeError) as error:
            why_not = f"no backward: {str(error).partition('.')[0]}"
    return {
        "attention": name,
        "length": length,
        "forward, seconds": forward,
        "with backward": both,
        "ratio": forward / against["forward, seconds"] if against and forward else None,
        "ratio with backward": both / against["with backward"] if against and both else None,
        "note": why_not,
    }


def make_operands(config: ModelConfig, length: int) -> list[Tensor]:
    """Queries, keys and values of [F; R]."""
    torch.manual_seed(0)
    return [torch.randn(1, config.num_heads, 2 * length, config.head_size) for _ in range(3)]


def backward(attend: Attention, operands: list[Tensor], scale: float) -> None:
    """One step of training through the attention."""
    leaves = [operand.detach().requires_grad_() for operand in operands]
    attend(*leaves, scale).sum().backward()


def growth(rows: list[Row]) -> list[Row]:
    """How each peer's time grows over the lengths that it was run at."""
    found = []
    for name in dict.fromkeys(row["attention"] for row in rows):
        run = [row for row in rows if row["attention"] == name and row["forward, seconds"] is not None]
        if len(run) > 1:
            lengths = [row["length"] for row in run]
            slope = exponent(lengths, [row["forward, seconds"] for row in run])
            found.append({"attention": name, "from": lengths[0], "to": lengths[-1], "exponent": slope})
    return found


@torch.inference_mode()
def crossing(network: JanusDNA, length: int) -> Row:
    """The number of targets at which reading their rows takes as long as reading all positions."""
    ids = torch.randint(7, 11, (1, length))
    counts = [max(1, round(share * length)) for share in SHARES]
    every, one, *seconds = (
        best(work, 3 if length <= 4096 else 1)
        for work in (
            partial(network, ids),
            *(partial(network.read, ids, evenly(count, length)) for count in [1, *counts]),
        )
    )
    return {
        "window": length,
        "all positions, seconds": every,
        "one target": one,
        "as long at targets": meeting([1, *counts], [one, *seconds], every),
        "changes over at": changes_over(network, ids),
    }


def evenly(count: int, length: int) -> Tensor:
    """Targets spread over a window."""
    return (torch.arange(count) * length // count)[None]


def meeting(counts: list[int], seconds: list[float], every: float) -> int | None:
    """Where the line through the measured points first reaches `every`; None where it never does."""
    for (few, short), (many, long) in pairwise(zip(counts, seconds, strict=True)):
        if short <= every < long:
            return round(few + (many - few) * (every - short) / (long - short))
    return None


def changes_over(network: JanusDNA, ids: Tensor) -> int:
    """The least number of targets at which the network reads all positions."""
    low, high = 1, ids.shape[1] + 1
    while low < high:
        middle = (low + high) // 2
        if network.reads_alone(ids, evenly(middle, ids.shape[1])):
            low = middle + 1
        else:
            high = middle
    return low


if __name__ == "__main__":
    main()
