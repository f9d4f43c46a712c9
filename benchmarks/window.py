"""How fast is one window read, and how does that grow with its length?

    python benchmarks/window.py --preset janusdna-72 1024 8192 131072 1048576

One strand, in this process: one target, and, up to `--all` bases, every position. `floor` is the share of
the time that the network's matrix products alone would take on this machine. Beside it the selective scans
that such a pass contains, two streams times the layers, in plain PyTorch: as a loop without a tensor of
all states, and as published implementations write it.
"""

from collections.abc import Sequence

import made_up
import torch
from measure import Row, arguments, best, exponent, matrix_rate, operations, preset_option, report
from torch import Tensor
from torch.nn import functional

from janusdna import Model, ModelConfig
from janusdna.ops import reference

LENGTHS = (1024, 4096, 8192, 16_384, 65_536, 131_072, 262_144, 1_048_576)
# From here on what a window costs beside its bases no longer counts.
LONG = 65_536


def main() -> None:
    """Measure and report."""
    parser = arguments(__doc__, "window")
    parser.add_argument("lengths", type=int, nargs="*", default=LENGTHS)
    parser.add_argument(
        "--all", type=int, default=16_384, help="longest window of which all positions are read"
    )
    parser.add_argument("--scan", type=int, default=8192, help="length of the scans beside it")
    preset_option(parser)
    options = parser.parse_args()
    model = made_up.make_model(options.preset)
    rate = matrix_rate(model.module)
    rows = [read(model, length, "one", rate) for length in options.lengths]
    rows += [read(model, length, "all", rate) for length in options.lengths if length <= options.all]
    report([*rows, *growth(rows), *scans(model, options.scan)], options.json)


def read(model: Model, length: int, targets: str, rate: float) -> Row:
    """One pass over a window; `rate` is that of matrix products, operations a second."""
    ids = torch.randint(7, 11, (1, length), generator=torch.Generator().manual_seed(0))
    asked = torch.tensor([[length // 2]]) if targets == "one" else None
    short = length < LONG
    seconds = best(lambda: model.read(ids, asked), 3 if short else 1, warm_up=short)
    count = 1 if targets == "one" else length
    floor = operations(model.module, length, count) / rate
    return {
        "targets": targets,
        "window": length,
        "seconds": seconds,
        "kb/s": length / seconds / 1e3,
        "floor": floor / seconds,
        "GFLOP/s of products": rate / 1e9,
    }


def growth(rows: Sequence[Row]) -> list[Row]:
    """How one target's time grows between the long windows."""
    long = [row for row in rows if row["targets"] == "one" and row["window"] >= LONG]
    if len(long) < 2:
        return []
    windows = [row["window"] for row in long]
    found = exponent(windows, [row["seconds"] for row in long])
    return [{"one target": "time", "from": windows[0], "to": windows[-1], "exponent": found}]


def scans(model: Model, length: int) -> list[Row]:
    """The plain scans of a pass against the whole pass; one is measured and counted as often as it runs."""
    operands = make_operands(length, model.config)
    layers = model.config.num_layers - len(model.config.attention_layers)
    ids = torch.randint(7, 11, (1, length))
    one = best(lambda: model.read(ids, torch.tensor([[length // 2]])), 3)
    every = best(lambda: model.read(ids), 3)
    found = {"this network, one target": one, "this network, all positions": every}
    with torch.inference_mode():
        for name, scan in (
            ("its scans as a plain loop", reference.selective_scan),
            ("its scans as published", published_scan),
        ):
            found[name] = 2 * layers * best(lambda scan=scan: scan(*operands), 1)
    return [
        {
            "what": name,
            "length": length,
            "seconds": seconds,
            "against one target": seconds / one,
            "against all positions": seconds / every,
        }
        for name, seconds in found.items()
    ]


def make_operands(length: int, config: ModelConfig, channels: int | None = None) -> list[Tensor]:
    """Random operands of one scan, with the decay that a fresh network has."""
    torch.manual_seed(0)
    channels, states = channels or config.inner_size, config.state_size
    wide, narrow = (1, length, channels), (1, length, states)
    decay = -torch.arange(1.0, states + 1).repeat(channels, 1)
    x, dt, z = torch.randn(*wide), torch.randn(*wide) - 2, torch.randn(*wide)
    return [x, dt, decay, torch.randn(*narrow), torch.randn(*narrow), torch.ones(channels), z]


def published_scan(x: Tensor, dt: Tensor, A: Tensor, B: Tensor, C: Tensor, D: Tensor, z: Tensor) -> Tensor:
    """As published implementations without kernels write it.

    Channels first: decay and input of all tokens as (d_in, T, N) tensors, then a step and a product a token.
    """
    inputs, delta, gate = (part.transpose(1, 2) for part in (x, functional.softplus(dt), z))
    decay = torch.exp(delta[..., None] * A[:, None])
    fed = (delta * inputs)[..., None] * B[:, None]
    state = x.new_zeros(x.shape[0], *A.shape)
    outputs = []
    for t in range(x.shape[1]):
        state = decay[:, :, t] * state + fed[:, :, t]
        outputs.append((state @ C[:, t, :, None])[..., 0])
    found = torch.stack(outputs, dim=-1) + inputs * D[:, None]
    return (found * functional.silu(gate)).transpose(1, 2)


if __name__ == "__main__":
    main()
