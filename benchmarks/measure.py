"""What the benchmarks share: time, peak memory, the machine and its floors, tables and JSON."""

from __future__ import annotations

import argparse
import ctypes
import gc
import json
import math
import os
import platform
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from itertools import groupby
from pathlib import Path
from typing import Any

import torch
from torch import nn
from torch.nn import functional

from janusdna import PRESETS
from janusdna.nn.feed_forward import MixtureOfExperts
from janusdna.nn.model import JanusDNA
from janusdna.ops.cpu.threads import side_by_side

RESULTS = Path(__file__).parent / "results"
Row = dict[str, Any]

_MAXRSS_UNIT = 1 if sys.platform == "darwin" else 1024
# A child begins with the peak memory of the process that starts it, so a small one has to stand between.
_LAUNCHER = """
import os, sys, time
began = time.monotonic()
process = os.posix_spawn(sys.argv[1], sys.argv[1:], os.environ)
_, status, usage = os.wait4(process, 0)
print(f"\\n{time.monotonic() - began} {usage.ru_maxrss} {status}")
"""


def arguments(doc: str, name: str) -> argparse.ArgumentParser:
    """A parser that all benchmarks begin with; `name` is the script's."""
    parser = argparse.ArgumentParser(description=doc, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--json", type=Path, default=RESULTS / f"{name}.json", help="where the results go")
    return parser


def preset_option(parser: argparse.ArgumentParser, default: str = "janusdna-72") -> None:
    """Which sizes of network."""
    parser.add_argument("--preset", default=default, choices=PRESETS)


def best(work: Callable[[], object], runs: int, *, warm_up: bool = True) -> float:
    """Seconds of the fastest run, after one that does not count."""
    if warm_up:
        work()
    seconds = []
    for _ in range(runs):
        began = time.perf_counter()
        work()
        seconds.append(time.perf_counter() - began)
    return min(seconds)


def run_janusdna(*options: str | Path) -> tuple[float, int, str]:
    """Run the real command in a process of its own: seconds, peak bytes, what it wrote to stderr."""
    return run_child([sys.executable, "-m", "janusdna_cli", *map(str, options)])


def run_child(command: Sequence[str]) -> tuple[float, int, str]:
    """Run a command: seconds, peak bytes, what it wrote to stderr. Ends this program where it fails."""
    launcher = [sys.executable, "-S", "-c", _LAUNCHER, *command]
    environment = os.environ | {"PYTHONWARNINGS": "ignore"}
    done = subprocess.run(launcher, capture_output=True, text=True, env=environment)
    seconds, peak, status = (done.stdout.split("\n")[-2:-1] or ["0 0 1"])[0].split()
    if int(status):
        raise SystemExit(f"failed: {' '.join(command)}\n{done.stderr}")
    return float(seconds), int(peak) * _MAXRSS_UNIT, done.stderr


def memory_growth(work: Callable[[], object]) -> int | None:
    """By how many bytes `work` makes this process larger at its peak; None where the system cannot tell."""
    status, reset = Path("/proc/self/status"), Path("/proc/self/clear_refs")
    gc.collect()
    try:
        # What was freed, and is kept for later, goes back first: `work` would be given it again.
        ctypes.CDLL(None).malloc_trim(0)
        reset.write_text("5")
    except (AttributeError, OSError):
        work()
        return None

    def field(name: str) -> int:
        return next(int(line.split()[1]) for line in status.read_text().splitlines() if name in line) * 1024

    before = field("VmRSS")
    work()
    return field("VmHWM") - before


def exponent(sizes: Sequence[float], values: Sequence[float]) -> float:
    """The slope of `values` over `sizes` on logarithmic axes: 1 is linear, 2 quadratic."""
    x, y = ([math.log(value) for value in axis] for axis in (sizes, values))
    mean_x, mean_y = sum(x) / len(x), sum(y) / len(y)
    over = sum((a - mean_x) * (b - mean_y) for a, b in zip(x, y, strict=True))
    return over / sum((a - mean_x) ** 2 for a in x)


def operations(network: JanusDNA, length: int, targets: int) -> float:
    """Floating-point operations of the matrix products of one window, on one strand.

    Counted from the parameters: every matrix that a base goes through, a multiplication and an addition for
    each weight, and the attention's products. Scan, convolution, norms and activations are left out.
    """
    config, width = network.config, network.config.hidden_size
    streams = _weights(network.forward_stream) + _weights(network.backward_stream)
    looks_back = len(config.attention_layers) * 2 * (length / 2) * 2 * width
    keys_values = 2 * 2 * width**2
    rows = 2 * (_weights(network.fusion) - 2 * width**2 + 2 * width * length)
    after = _weights(network.head) + (_weights(network.final_mlp) if network.final_mlp else 0)
    return 2 * (length * (streams + looks_back + keys_values) + targets * (rows + after))


def _weights(module: nn.Module) -> float:
    """Weights of the matrices that one base goes through."""
    found = 0.0
    for part in module.modules():
        if isinstance(part, nn.Linear):
            found += part.weight.numel()
        elif isinstance(part, MixtureOfExperts):
            used = part.experts_per_token / len(part.down_proj)
            found += used * (part.gate_up_proj.numel() + part.down_proj.numel())
    return found


@torch.inference_mode()
def matrix_rate(network: JanusDNA) -> float:
    """Operations a second of the products that a chunk of both streams makes, and nothing else."""
    rows = max(64, (network.kernels.chunk_values or 1 << 16) // network.config.hidden_size)
    operands = []
    for part in network.forward_stream.modules():
        if isinstance(part, nn.Linear):
            operands.append((torch.randn(rows, part.in_features), part.weight))
        elif isinstance(part, MixtureOfExperts):
            share = max(1, rows * part.experts_per_token // len(part.down_proj))
            for matrix in (*part.gate_up_proj, *part.down_proj):
                operands.append((torch.randn(share, matrix.shape[1]), matrix))

    def products() -> None:
        for tokens, matrix in operands:
            functional.linear(tokens, matrix)

    counted = 2 * 2 * sum(len(tokens) * matrix.numel() for tokens, matrix in operands)
    return counted / best(lambda: side_by_side(products, products), 10)


def machine() -> Row:
    """What the figures were measured on."""
    cpuinfo = Path("/proc/cpuinfo")
    lines = cpuinfo.read_text().splitlines() if cpuinfo.exists() else []
    fields = {key.strip(): value.strip() for key, _, value in (line.partition(":") for line in lines)}
    flags = fields.get("flags", "").split()
    extensions = {
        "AVX-512": "avx512f",
        "AMX": "amx_tile",
        "AMX bfloat16": "amx_bf16",
        "AVX-512 BF16": "avx512_bf16",
    }
    return {
        "processor": fields.get("model name", platform.processor() or platform.machine()),
        "cores": os.cpu_count(),
        "extensions": [name for name, flag in extensions.items() if flag in flags],
        "threads": torch.get_num_threads(),
        "memory_bytes": os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE"),
        "system": f"{platform.system()} {platform.machine()}",
        "python": platform.python_version(),
        "pytorch": torch.__version__,
        "gpu": torch.cuda.get_device_name() if torch.cuda.is_available() else None,
    }


def report(rows: list[Row], path: Path) -> None:
    """Print the rows as Markdown tables, a table for each kind of row, and save them as JSON."""
    found = machine()
    extensions = ", ".join(found["extensions"]) or "neither AVX-512 nor AMX"
    gpu = f"{found['gpu']}, " if found["gpu"] else ""
    print(f"{gpu}{found['processor']} ({extensions}), {found['threads']} threads, PyTorch {found['pytorch']}")
    for _, kind in groupby(rows, key=tuple):
        print(f"\n{_table(list(kind))}")
    script = Path(sys.argv[0])
    command = " ".join(["python", f"{script.parent.name}/{script.name}", *sys.argv[1:]])
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps({"machine": found, "command": command, "rows": rows}, indent=2) + "\n")


def _table(rows: list[Row]) -> str:
    cells = [list(rows[0]), *([_cell(value) for value in row.values()] for row in rows)]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    right = [not isinstance(value, str) for value in rows[0].values()]
    rule = ["-" * (width - 1) + (":" if last else "-") for width, last in zip(widths, right, strict=True)]
    return "\n".join(
        "| "
        + " | ".join(
            cell.rjust(width) if last else cell.ljust(width)
            for cell, width, last in zip(line, widths, right, strict=True)
        )
        + " |"
        for line in (cells[0], rule, *cells[1:])
    )


def _cell(value: object) -> str:
    """Integers with commas, other numbers to three digits, what is not there as nothing."""
    if value is None:
        return ""
    if isinstance(value, float) and abs(value) < 100:
        return f"{value:.3g}"
    return f"{value:,.0f}" if isinstance(value, int | float) else str(value)
