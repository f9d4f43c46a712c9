"""Launches a kernel by a CUDA driver that only writes down what it is asked, and prints that as JSON."""

import ctypes
import json
from types import SimpleNamespace
from typing import Any

import torch

from janusdna.ops.triton import launch as triton_launch
from janusdna.ops.triton import norm as norm_triton


class WritingDriver:
    def __init__(self) -> None:
        self.asked: list[dict[str, Any]] = []

    def cuModuleLoadData(self, module: Any, cubin: bytes) -> int:  # noqa: N802
        self.asked.append({"call": "load", "is_elf": cubin[:4] == b"\x7fELF"})
        return 0

    def cuModuleGetFunction(self, function: Any, module: Any, name: bytes) -> int:  # noqa: N802
        self.asked.append({"call": "get", "name": name.decode()})
        return 0

    def cuLaunchKernel(self, function: Any, *rest: Any) -> int:  # noqa: N802
        *sizes, shared, stream, addresses, extra = rest
        kinds = [ctypes.c_void_p] * 3 + [ctypes.c_int32] * 3 + [ctypes.c_float]
        kinds += [ctypes.c_void_p] * (len(addresses) - len(kinds))
        values = [kind.from_address(address).value for kind, address in zip(kinds, addresses, strict=True)]
        self.asked.append(
            {"call": "launch", "sizes": sizes, "shared": shared, "stream": stream.value, "values": values}
        )
        assert extra is None
        return 0


driver = WritingDriver()
triton_launch.builds_a_launcher = lambda: False
triton_launch._driver = lambda: driver
torch.cuda.current_device = lambda: 0
torch.cuda.get_device_capability = lambda device: (9, 0)
torch.cuda.current_stream = lambda: SimpleNamespace(cuda_stream=7)

x, weight = torch.randn(1000, 72), torch.ones(72)
out = norm_triton.rms_norm(x, weight, 1e-6)
norm_triton.rms_norm(x, weight, 1e-6)
expected = [x.data_ptr(), weight.data_ptr(), out.data_ptr()]
print(json.dumps({"asked": driver.asked, "pointers": expected, "rows": norm_triton._sizes(x)[1]}))
