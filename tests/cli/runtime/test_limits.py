"""Control groups as /proc and /sys show them, laid out in a folder."""

import os

import pytest
import torch

from janusdna_cli.runtime import limits, memory, threads

GIB = 2**30


@pytest.fixture
def groups(tmp_path, monkeypatch):
    """Lays out `/proc/self/cgroup` and files below `/sys/fs/cgroup`."""

    def lay_out(membership, files):
        (tmp_path / "cgroup").write_text(membership)
        for name, text in files.items():
            path = tmp_path / "sys" / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(f"{text}\n")

    monkeypatch.setattr(limits, "_ROOT", tmp_path / "sys")
    monkeypatch.setattr(limits, "_MEMBERSHIP", tmp_path / "cgroup")
    return lay_out


V2 = "0::/user.slice/job.scope\n"
HYBRID = "9:cpu,cpuacct:/job\n4:memory:/job\n1:name=systemd:/\n0::/\n"


@pytest.mark.parametrize(
    ("membership", "files", "left"),
    [
        pytest.param("0::/\n", {"memory.max": GIB, "memory.current": 300}, GIB - 300, id="container, v2"),
        pytest.param("0::/\n", {"memory.max": "max", "memory.current": 300}, None, id="no limit, v2"),
        pytest.param(
            "0::/\n", {"memory.max": "max", "memory.high": 900, "memory.current": 300}, 600, id="high"
        ),
        pytest.param("0::/\n", {"memory.max": 900}, 900, id="nothing used"),
        pytest.param("0::/\n", {"memory.max": 300, "memory.current": 900}, 0, id="above the limit"),
        pytest.param(
            V2,
            {
                "user.slice/memory.max": 5000,
                "user.slice/memory.current": 4500,
                "user.slice/job.scope/memory.max": 2000,
                "user.slice/job.scope/memory.current": 400,
            },
            500,
            id="the group around it has less",
        ),
        pytest.param(
            V2,
            {
                "user.slice/job.scope/memory.max": 2000,
                "user.slice/job.scope/memory.current": 1900,
                "user.slice/job.scope/memory.stat": "anon 300\ninactive_file 1500\nactive_file 100",
            },
            1600,
            id="read files are given back",
        ),
        pytest.param(
            HYBRID,
            {
                "memory/job/memory.limit_in_bytes": 3000,
                "memory/job/memory.usage_in_bytes": 2500,
                "memory/job/memory.stat": "inactive_file 7\ntotal_inactive_file 1000",
                "memory/memory.limit_in_bytes": 2**63 - 4096,
                "memory/memory.usage_in_bytes": 10**9,
            },
            1500,
            id="v1",
        ),
        pytest.param(
            "4:memory:/docker/0123abcd\n",
            {"memory/memory.limit_in_bytes": 3000, "memory/memory.usage_in_bytes": 2500},
            500,
            id="v1, called as outside the container",
        ),
        pytest.param("0::/../other\n", {"memory.max": 3000, "memory.current": 1000}, 2000, id="v2, outside"),
        pytest.param("", {"memory.max": 3000}, None, id="no groups"),
    ],
)
def test_memory_left(groups, membership, files, left):
    groups(membership, files)
    assert limits.memory_left() == left


def test_free_memory_is_the_less_of_both(groups):
    cpu = torch.device("cpu")
    groups("0::/\n", {"memory.max": 1000, "memory.current": 0})
    assert memory.free_memory(cpu) == 1000
    groups("0::/\n", {"memory.max": 2**62})
    assert 0 < memory.free_memory(cpu) < 2**50
    groups("0::/\n", {"memory.max": "max"})
    assert 0 < memory.free_memory(cpu) < 2**50


@pytest.mark.parametrize(
    ("membership", "files", "most"),
    [
        pytest.param("0::/\n", {"cpu.max": "200000 100000"}, 2, id="two, v2"),
        pytest.param("0::/\n", {"cpu.max": "150000 100000"}, 2, id="one and a half"),
        pytest.param("0::/\n", {"cpu.max": "1000 100000"}, 1, id="a hundredth"),
        pytest.param("0::/\n", {"cpu.max": "max 100000"}, 8, id="no limit, v2"),
        pytest.param(
            V2,
            {"user.slice/cpu.max": "100000 100000", "user.slice/job.scope/cpu.max": "max 100000"},
            1,
            id="around",
        ),
        pytest.param(
            HYBRID,
            {"cpu,cpuacct/job/cpu.cfs_quota_us": 300_000, "cpu,cpuacct/job/cpu.cfs_period_us": 100_000},
            3,
            id="v1",
        ),
        pytest.param(
            HYBRID,
            {"cpu/job/cpu.cfs_quota_us": -1, "cpu/job/cpu.cfs_period_us": 100_000},
            8,
            id="no limit, v1",
        ),
        pytest.param("", {}, 8, id="no groups"),
    ],
)
def test_usable_processors(groups, monkeypatch, membership, files, most):
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(8)), raising=False)
    groups(membership, files)
    assert limits.usable_processors() == most


def test_affinity_counts(groups, monkeypatch):
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {3}, raising=False)
    groups("0::/\n", {"cpu.max": "800000 100000"})
    assert limits.usable_processors() == 1


def test_a_run_takes_no_more_threads_than_it_may_use(groups, monkeypatch):
    taken = []
    monkeypatch.setattr(torch, "get_num_threads", lambda: 8)
    monkeypatch.setattr(torch, "set_num_threads", taken.append)
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(8)), raising=False)
    for quota in ("300000 100000", "max 100000"):
        groups("0::/\n", {"cpu.max": quota})
        threads.use_threads(None)
    threads.use_threads(16)
    assert taken == [3, 8, 16]
