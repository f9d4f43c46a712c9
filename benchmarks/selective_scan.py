"""How fast is the selective scan, forward and backward, against its peers and the bound?

    python benchmarks/selective_scan.py --channels 144 1024 16384 131072

One sequence, softplus, skip and gate part of all of them. The peers: two plain PyTorch loops, one without
a tensor of all states and one as published implementations write it, and mambapy's parallel scan, where it
is installed. They run at `--peers` only, the kernel at every length, on all threads and on one. The bound
is what C with AVX-512 intrinsics took on two cores of another such machine: 5.6 ms at 16,384 x 144. The
loops run forward only: PyTorch's way back through one takes a time that grows with the square of the length.
"""

from collections.abc import Callable, Sequence

import torch
from measure import Row, arguments, best, exponent, report
from torch import Tensor
from torch.nn import functional
from window import make_operands, published_scan

from janusdna import preset
from janusdna.ops import reference
from janusdna.ops.cpu import scan as scan_cpu

LENGTHS = (1024, 4096, 16_384, 65_536, 262_144, 1_048_576)
BOUND = 5.6e-3 / (16_384 * 144)
LONGEST_BACKWARD = 65_536

Scan = Callable[..., tuple[Tensor, Tensor] | Tensor]


def main() -> None:
    """Measure and report."""
    parser = arguments(__doc__, "selective_scan")
    parser.add_argument("lengths", type=int, nargs="*", default=LENGTHS)
    parser.add_argument("--channels", type=int, default=144)
    parser.add_argument("--peers", type=int, default=16_384, help="length at which the peers run")
    options = parser.parse_args()
    kernel = scan_cpu.selective_scan
    rows = [measure("kernel", kernel, length, options.channels) for length in options.lengths]
    rows.append(on_one_thread(options.peers, options.channels))
    own = measure("kernel", kernel, options.peers, options.channels)
    rows += [beside(name, scan, own, options.channels) for name, scan in peers().items()]
    forward = [(row["length"], row["forward, seconds"]) for row in rows if row["scan"] == "kernel"]
    report([*rows, *growth(forward)], options.json)


def peers() -> dict[str, Scan]:
    """Other ways to the same numbers."""
    found: dict[str, Scan] = {"plain loop": reference.selective_scan, "published loop": published_scan}
    try:
        from mambapy.pscan import pscan
    except ImportError:
        print("mambapy is not installed: left out")
        return found

    def parallel(x: Tensor, dt: Tensor, A: Tensor, B: Tensor, C: Tensor, D: Tensor, z: Tensor) -> Tensor:
        delta = functional.softplus(dt)
        decay = torch.exp(delta[..., None] * A)
        states = pscan(decay, (delta * x)[..., None] * B[:, :, None])
        return ((states @ C[..., None])[..., 0] + D * x) * functional.silu(z)

    return found | {"mambapy parallel scan": parallel}


def measure(
    name: str, scan: Scan, length: int, channels: int, *, runs: int = 5, backward: bool = True
) -> Row:
    """One scan at one length, forward alone and the whole step of a training."""
    operands = make_operands(length, preset("janusdna-72"), channels)
    with torch.no_grad():
        forward = best(lambda: scan(*operands), runs)
    both = None
    if backward and length <= LONGEST_BACKWARD:
        both = best(lambda: step(scan, operands), max(1, runs // 2))
    return {
        "scan": name,
        "length": length,
        "forward, seconds": forward,
        "with backward": both,
        "backward / forward": None if both is None else (both - forward) / forward,
        "over the bound": forward / (BOUND * length * channels),
    }


def step(scan: Scan, operands: Sequence[Tensor]) -> None:
    """Forward and backward."""
    leaves = [operand.detach().requires_grad_() for operand in operands]
    found = scan(*leaves)
    out = found[0] if isinstance(found, tuple) else found
    torch.autograd.grad(out, leaves, torch.ones_like(out))


def on_one_thread(length: int, channels: int) -> Row:
    """As a stream's scan runs when both streams share two cores."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    row = measure("kernel, one thread", scan_cpu.selective_scan, length, channels)
    torch.set_num_threads(threads)
    return row


def beside(name: str, scan: Scan, own: Row, channels: int) -> Row:
    """A peer, with how many times longer than the kernel it takes."""
    row = measure(name, scan, own["length"], channels, runs=2, backward="loop" not in name)
    both = row["with backward"]
    return row | {
        "kernel is faster": row["forward, seconds"] / own["forward, seconds"],
        "with backward, faster": None if both is None else both / own["with backward"],
    }


def growth(forward: Sequence[tuple[int, float]]) -> list[Row]:
    """How the kernel's time grows with the length."""
    if len(forward) < 2:
        return []
    lengths, seconds = zip(*forward, strict=True)
    found = exponent(lengths, seconds)
    return [{"kernel": "forward", "from": lengths[0], "to": lengths[-1], "exponent": found}]


if __name__ == "__main__":
    main()
