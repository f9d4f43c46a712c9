"""A stand-in of a Dataverse's API, and checkpoints as the reference implementation writes them."""

import hashlib
import io
import json
import re
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit

import pytest
import torch

from janusdna.config import ModelConfig
from janusdna.nn.model import JanusDNA
from janusdna_cli.model_store import fetching

DOI = "doi:10.7910/DVN/HDT0RN"


class StandIn:
    """A dataset on a local server, which can be told to fail.

    Attributes:
        files: Content by path.
        requests: `GET /path` of each request, with its range.
        failures: Status codes that the next requests for a file are answered with.
        breaks: After how many bytes the next answers break off.
        ranges: Whether it goes on from the middle of a file.
        kind: The checksums' type.
        wrong: Paths of whose content the listing gives another checksum.
        storage: Whether files are behind a redirection, as on Amazon's.
        listing: What it answers instead of the dataset's JSON.
        listing_failures: As `failures`, for the listing.
    """

    def __init__(self, files):
        self.files = dict(files)
        self.requests = []
        self.failures, self.listing_failures, self.breaks = [], [], []
        self.ranges, self.storage = True, False
        self.kind = "MD5"
        self.wrong = set()
        self.listing = None
        self.server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self.url = f"http://127.0.0.1:{self.server.server_port}"

        self.thread = threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.01})
        self.thread.start()

    def stop(self):
        self.server.shutdown()
        self.server.server_close()
        self.thread.join()

    def dataset(self):
        entries = [self._entry(number, path) for number, path in enumerate(self.files)]
        return json.dumps({"status": "OK", "data": {"id": 1, "latestVersion": {"files": entries}}}).encode()

    def _entry(self, number, path):
        content = self.files[path]
        folder, _, name = path.rpartition("/")
        algorithm = self.kind.lower().replace("-", "")
        value = hashlib.new(algorithm, content + b"!" * (path in self.wrong)).hexdigest()
        file = {"id": 1000 + number, "filename": name, "filesize": len(content)}
        file["checksum"] = {"type": self.kind, "value": value}
        entry = {"label": name, "restricted": False, "dataFile": file}
        return entry | ({"directoryLabel": folder} if folder else {})

    def fetched(self):
        """The paths that were asked for, with their ranges."""
        found = [re.fullmatch(r"/api/access/datafile/(\d+)(.*)", request) for request in self.requests]
        return [list(self.files)[int(match[1]) - 1000] + match[2] for match in found if match]

    def _handler(stand_in):  # noqa: N805 - `self` is the handler's
        class Handler(BaseHTTPRequestHandler):
            def log_message(self, *_):
                pass

            def do_GET(self):
                asked = urlsplit(self.path)
                wanted = self.headers.get("Range")
                stand_in.requests.append(asked.path + (f" {wanted}" if wanted else ""))
                if asked.path == "/api/datasets/:persistentId/":
                    self.list_files(parse_qs(asked.query)["persistentId"])
                elif match := re.fullmatch(r"/(api/access/datafile|storage)/(\d+)", asked.path):
                    self.send_file(match[1], int(match[2]), wanted)
                else:
                    self.send_error(404)

            def list_files(self, persistent_id):
                if stand_in.listing_failures:
                    self.send_error(stand_in.listing_failures.pop(0))
                elif persistent_id != [DOI]:
                    self.send_error(404)
                else:
                    self.send(stand_in.dataset() if stand_in.listing is None else stand_in.listing)

            def send_file(self, place, number, wanted):
                if stand_in.failures:
                    self.send_error(stand_in.failures.pop(0))
                elif stand_in.storage and place != "storage":
                    self.send(b"", 303, Location=f"/storage/{number}")
                else:
                    self.send_range(list(stand_in.files.values())[number - 1000], wanted)

            def send_range(self, content, wanted):
                start = int(re.fullmatch(r"bytes=(\d+)-", wanted)[1]) if wanted and stand_in.ranges else 0
                if start >= len(content) > 0:
                    self.send(b"", 416)
                elif start:
                    place = f"bytes {start}-{len(content) - 1}/{len(content)}"
                    self.send(content[start:], 206, Content_Range=place)
                else:
                    self.send(content)

            def send(self, content, status=200, **headers):
                self.send_response(status)
                for name, value in headers.items():
                    self.send_header(name.replace("_", "-"), value)
                self.send_header("Content-Length", str(len(content)))
                self.end_headers()
                breaks = stand_in.breaks and "datasets" not in self.path and content
                self.wfile.write(content[: stand_in.breaks.pop(0)] if breaks else content)

        return Handler


def reference_run(config, *, seed=0, std=0.2, settings=None):
    """What a run of the reference implementation leaves: checkpoint and configuration, as bytes."""
    generator = torch.Generator().manual_seed(seed)
    counters = {"train": 1_310_720_000, "val": 144_965_632, "test": 127_139_840}
    state = {f"{part}_torchmetrics.num_tokens.count": torch.tensor(n) for part, n in counters.items()}
    for name, tensor in JanusDNA(config).named_parameters():
        value = tensor.detach().clone()
        if value.ndim > 1 and not name.endswith("A_log"):
            value.normal_(std=std, generator=generator)
        for key, part in _reference_tensors(name, value):
            state[f"model.{_of_attention(key, config)}"] = part
    buffer = io.BytesIO()
    torch.save({"state_dict": state, "hyper_parameters": {}, "hparams_type": ModelConfig}, buffer)
    sizes = {"hidden_size": config.hidden_size, "flex_attn_n_embd": config.fusion_scale_width}
    return buffer.getvalue(), json.dumps({"config": sizes | (settings or {})}).encode()


def _reference_tensors(name, value):
    """A parameter of ours under the reference's names: experts one by one, gates and ups apart."""
    if "gate_up_proj" in name:
        for part, half in zip(("gate_proj", "up_proj"), value.chunk(2, dim=-2), strict=True):
            yield from _reference_tensors(name.replace("gate_up_proj", part), half.clone())
    elif value.ndim == 3 and "feed_forward" in name:
        stem, _, leaf = name.rpartition(".")
        for number, expert in enumerate(value):
            yield from _reference_tensors(f"{stem}.experts.{number}.{leaf}.weight", expert.clone())
    elif match := re.fullmatch(r"(forward|backward)_stream\.layers\.(\d+)\.(.+)", name):
        yield from _in_layer(match[1], match[2], match[3], value)
    else:
        yield _outside_layers(name), value


def _of_attention(key, config):
    """What a layer is called in which there is attention."""
    for layer in config.attention_layers:
        key = key.replace(f"model.layers.{layer}.mamba_module.", f"model.layers.{layer}.attn.")
    return key


def _in_layer(stream, layer, rest, value):
    other, state = ("fwd", "fwd") if stream == "forward" else ("bwd", "rev")
    kind = "mamba_module"
    module, _, leaf = rest.partition(".")
    if re.search(r"mixer\.projections\.[qkvo]_proj", rest):
        yield f"model.layers.{layer}.{kind}.self_attn_{other}.{leaf.removeprefix('projections.')}", value
        return
    if module == "mixer":
        theirs = {
            "conv": "conv1d",
            "dt_norm": "dt_layernorm",
            "B_norm": "b_layernorm",
            "C_norm": "c_layernorm",
        }
        first, dot, last = leaf.removeprefix("projections.").partition(".")
        leaf = theirs.get(first, first) + dot + last
        yield f"model.layers.{layer}.{kind}.mamba_{state}.{leaf}", value
        if first in ("in_proj", "out_proj"):  # tied in the reference, which writes both
            yield f"model.layers.{layer}.{kind}.mamba_rev.{leaf}", value
        return
    module = {"mixer_norm": "input_layernorm", "feed_forward_norm": "pre_ff_layernorm"}.get(module, module)
    yield f"model.layers.{layer}.{kind}.{module}_{other}.{leaf}", value


def _outside_layers(name):
    for ours, theirs in {
        "embedding.": "model.embed_tokens.",
        "fusion.attention.o_proj.": "model.final_attention.self_attn.o_projs.0.",
        "fusion.attention.": "model.final_attention.self_attn.",
        "fusion.feed_forward.": "model.final_attention.feed_forward.",
        "fusion.attention_norm.": "model.final_attention.input_layernorm.",
        "fusion.feed_forward_norm.": "model.final_attention.pre_ff_layernorm.",
        "final_norm.": "model.final_layernorm.",
        "final_mlp.": "model.final_mlp.",
        "head.": "lm_head.",
    }.items():
        if name.startswith(ours):
            return theirs + name.removeprefix(ours)
    raise AssertionError(name)


def small(hidden_size=32, *, attention=False, final_mlp=False):
    """As narrow and as shallow as a published name allows."""
    return ModelConfig(
        hidden_size=hidden_size,
        intermediate_size=16,
        fusion_scale_width=64,
        num_layers=5,
        num_experts=2,
        expert_layers=(1,),
        attention_layers=(4,) if attention else (),
        final_mlp=final_mlp,
    )


@pytest.fixture(scope="session")
def write_run():
    """`reference_run`."""
    return reference_run


@pytest.fixture(scope="session")
def narrow_run():
    """Checkpoint and configuration of a model that is small but as wide as published ones of 72."""
    return reference_run(small(72), seed=5, std=0.05)


@pytest.fixture(scope="session")
def runs():
    """Checkpoint and configuration of small models, by what the authors call theirs."""
    return {
        "32_without_midattn": reference_run(small(), seed=1),
        "32_with_midattn": reference_run(small(attention=True), seed=2),
        "32_without_midattn_mlp": reference_run(small(final_mlp=True), seed=3),
    }


@pytest.fixture
def loose(runs):
    """The dataset as others describe it: checkpoints beside their configurations."""
    files = {}
    for name in ("32_without_midattn", "32_with_midattn"):
        files[f"{name}.ckpt"], files[f"{name}_model_config.json"] = runs[name]
    return files


@pytest.fixture
def cache(tmp_path, monkeypatch):
    """A user's cache, and an environment without proxies."""
    folder = tmp_path / "cache"
    monkeypatch.setenv("XDG_CACHE_HOME", str(folder))
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.lower(), raising=False)
    monkeypatch.setattr(fetching, "PAUSES", [0.01, 0.01, 0.01])
    monkeypatch.setattr(fetching, "_CHUNK", 500)
    return folder / "janusdna" / "models"


@pytest.fixture
def serve(monkeypatch, cache):
    """Puts a dataset on a local server that stands in for Harvard's."""
    running = []

    def start(files):
        stand_in = StandIn(files)
        running.append(stand_in)
        monkeypatch.setenv("JANUSDNA_DATAVERSE", stand_in.url)
        return stand_in

    yield start
    for stand_in in running:
        stand_in.stop()
