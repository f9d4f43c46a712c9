"""`janusdna models pull`, against a stand-in of the Dataverse's API."""

import hashlib
import io
import json
import re
import socket
import subprocess
import sys
import tarfile
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
import requests
import torch

import janusdna
from janusdna import PRESETS, CheckpointError
from janusdna.config import ModelConfig
from janusdna_cli.model_store.published import FILES

CHECKPOINT, CONFIG = "32_without_midattn.ckpt", "32_without_midattn_model_config.json"
ARCHIVE = "janusdna_len-1k_d_model-32_inter_dim-128_1head_onlymoe_finalmlp.tar.bz2"
BY_HAND = (
    "; by hand: download a checkpoint and its configuration from https://doi.org/10.7910/DVN/HDT0RN "
    "(unpack an archive), then: janusdna models convert FILE.ckpt -o DIR --length 1024"
)


def logits(model):
    return janusdna.load(model, device="cpu", dtype="float32").read(["ACGTTGCAACGTAAC"]).logits


def saved(folder, run):
    """What to compare with: the reference's two files, as a user puts them down by hand."""
    folder.mkdir()
    for name, content in zip(("last.ckpt", "model_config.json"), run, strict=True):
        (folder / name).write_bytes(content)
    return folder


def done(result, *, says=()):
    assert (result.exit_code, result.stdout) == (0, ""), result.output
    for part in says:
        assert part in result.stderr
    return result.stderr


def failed(result):
    """The one line of an error, without its beginning."""
    assert (result.exit_code, result.stdout) == (1, ""), result.output
    *before, last = result.stderr.splitlines()
    assert all("; again in 0.01 s" in line or " is 32_" in line for line in before), result.stderr
    assert "bug" not in last
    return last.removeprefix("janusdna: error: ")


def test_a_pulled_model_is_the_authors(work, serve, loose, runs, cache):
    stand_in = serve(loose)
    said = done(work.run("models", "pull", "janusdna-32-published"))
    folder = cache / "janusdna-32-published"
    first, second, third, last = said.splitlines()
    assert first == f"janusdna: janusdna-32-published is {CHECKPOINT}, {len(loose[CHECKPOINT]):,} bytes"
    assert second == f"janusdna: {CHECKPOINT} is without the final MLP"
    assert third == "janusdna: janusdna-32-published: known answer: none is known of this model"
    assert last.startswith(f"janusdna: {folder}: janusdna-32-published written, sha256 ")
    assert sorted(path.name for path in folder.iterdir()) == ["config.json", "model.safetensors"]
    assert stand_in.fetched() == [CHECKPOINT, CONFIG]
    by_hand = saved(work.folder / "by-hand", runs["32_without_midattn"])
    assert torch.equal(logits("janusdna-32-published"), logits(by_hand))


def test_each_name_has_its_own_weights(work, serve, loose, runs):
    serve(loose)
    done(work.run("models", "pull", "janusdna-32-published", "-q"))
    done(work.run("models", "pull", "janusdna-32-midattn", "-q"))
    by_hand = saved(work.folder / "by-hand", runs["32_with_midattn"])
    assert torch.equal(logits("janusdna-32-midattn"), logits(by_hand))
    assert not torch.equal(logits("janusdna-32-midattn"), logits("janusdna-32-published"))


@pytest.mark.parametrize("case", ["tiny-midattn-nomlp", "tiny-nomidattn-nomlp"])
def test_the_references_own_files(work, serve, shared, monkeypatch, case):
    golden = shared / "golden" / case
    layers = (4,) if "-midattn" in case else ()
    sizes = ModelConfig(hidden_size=24, intermediate_size=48, fusion_scale_width=64, attention_layers=layers)
    monkeypatch.setitem(PRESETS, "tiny", sizes)
    monkeypatch.setitem(FILES, "tiny", "last.ckpt")
    folder = f"d_model-24_{'midattn' if layers else 'onlymoe'}"
    serve(
        {
            f"{folder}/checkpoints/last.ckpt": (golden / "last.ckpt").read_bytes(),
            f"{folder}/model_config.json": (golden / "model_config.json").read_bytes(),
        }
    )
    done(work.run("models", "pull", "tiny", "-q"))
    assert torch.equal(logits("tiny"), logits(golden))


def test_a_pulled_model_needs_no_network(work, serve, loose, cache, monkeypatch):
    stand_in = serve(loose)
    done(work.run("models", "pull", "janusdna-32-published", "-q"))
    asked = list(stand_in.requests)
    monkeypatch.setenv("JANUSDNA_DATAVERSE", "http://127.0.0.1:1")
    folder = cache / "janusdna-32-published"
    said = done(work.run("models", "pull", "janusdna-32-published"))
    assert said == f"janusdna: janusdna-32-published is here: {folder}; --overwrite fetches it again\n"
    fasta = work.fasta(chr1="ACGTACGTAC" * 8)
    result = work.run("embed", fasta, "--model", "janusdna-32-published", "-w", "64", "-o", "x.tsv", "-q")
    assert result.exit_code == 0, result.output
    assert stand_in.requests == asked


def test_a_model_that_was_not_pulled_says_how(work, cache):
    with pytest.raises(CheckpointError) as error:
        janusdna.load("janusdna-144")
    assert str(error.value) == (
        "janusdna-144: its weights are not here; fetch them once with: janusdna models pull janusdna-144"
    )
    assert "janusdna-144-mlp: its weights are not here" in failed(
        work.run("models", "info", "janusdna-144-mlp")
    )


def test_a_path_goes_before_a_name(work, serve, loose, model_dir):
    serve(loose)
    done(work.run("models", "pull", "janusdna-32-published", "-q"))
    assert janusdna.load("janusdna-32-published", device="cpu").config.hidden_size == 32
    (work.folder / "janusdna-32-published").symlink_to(model_dir)
    assert janusdna.load("janusdna-32-published", device="cpu").info.name == model_dir.name
    assert "tiny" in work.run("models", "info", "janusdna-32-published").stdout


def test_list_and_info_know_it(work, serve, loose, cache):
    serve(loose)
    line = next(
        line for line in work.run("models", "list").stdout.splitlines() if "janusdna-32-published " in line
    )
    assert line.endswith("  none here")
    done(work.run("models", "pull", "janusdna-32-published", "-q"))
    line = next(
        line for line in work.run("models", "list").stdout.splitlines() if "janusdna-32-published " in line
    )
    assert line.split()[:3] == ["janusdna-32-published", "32", "1,024"]
    assert line.endswith(f"  {cache / 'janusdna-32-published'}")
    facts = work.run("models", "info", "janusdna-32-published").stdout
    for name, value in {
        "name": "janusdna-32-published",
        "directory": str(cache / "janusdna-32-published"),
        "trained on windows of": "1,024 bp",
        "final MLP": "no",
        "source": CHECKPOINT,
        "dataset": "doi:10.7910/DVN/HDT0RN",
    }.items():
        assert re.search(rf"^{name} +{re.escape(value)}$", facts, re.MULTILINE), facts


def archive(run):
    checkpoint, configuration = run
    members = {"run/checkpoints/last.ckpt": checkpoint, "run/model_config.json": configuration}
    members |= {"run/checkpoints/val_loss.ckpt": b"x"}
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:bz2") as pack:
        for name, content in members.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(content)
            pack.addfile(entry, io.BytesIO(content))
    return buffer.getvalue()


def test_an_archive_of_a_runs_folder(work, serve, loose, runs, cache):
    run = runs["32_without_midattn_mlp"]
    serve(loose | {ARCHIVE: archive(run)})
    done(work.run("models", "pull", "janusdna-32-mlp"), says=[f"{ARCHIVE} has the final MLP"])
    assert torch.equal(logits("janusdna-32-mlp"), logits(saved(work.folder / "by-hand", run)))
    listed = work.run("models", "list").stdout
    assert re.search(
        rf"^janusdna-32-mlp .*  {re.escape(str(cache / 'janusdna-32-mlp'))}$", listed, re.MULTILINE
    )
    assert not (cache / "janusdna-32-mlp" / "download").exists()


def test_an_archive_that_is_none(work, serve):
    serve({ARCHIVE: b"BZh9 cut"})
    said = failed(work.run("models", "pull", "janusdna-32-mlp", "-q"))
    assert f"{ARCHIVE}: cannot be unpacked: " in said


def test_an_archive_that_unpacks_to_far_too_much(work, serve, cache):
    serve({ARCHIVE: archive((bytes(20_000_000), b"{}"))})
    said = failed(work.run("models", "pull", "janusdna-32-mlp", "-q"))
    assert re.search(rf"{ARCHIVE}: unpacks to more than 1,310,720 bytes, from \d+: no archive of a ", said)
    assert [path.name for path in (cache / "janusdna-32-mlp" / "download").iterdir()] == [ARCHIVE]


def test_the_dataset_is_listed(work, serve, loose):
    stand_in = serve({"b.txt": b"x" * 1234} | loose | {"a/x.json": b"{}"})
    result = work.run("models", "pull", "--list")
    assert (result.exit_code, result.stderr) == (0, "")
    lines = [line.split(maxsplit=1) for line in result.stdout.splitlines()]
    assert lines == [[f"{len(loose[path]):,}", path] for path in sorted(loose)] + [
        ["2", "a/x.json"],
        ["1,234", "b.txt"],
    ]
    assert stand_in.fetched() == []


def test_a_file_can_be_named(work, serve, loose, runs):
    checkpoint, configuration = runs["32_without_midattn"]
    serve(loose | {"other/x.pt": checkpoint, "other/model_config.json": configuration})
    done(
        work.run("models", "pull", "janusdna-32-published", "--file", "x.pt"),
        says=["janusdna-32-published is other/x.pt, "],
    )
    said = failed(work.run("models", "pull", "janusdna-32-midattn", "-q", "--file", CHECKPOINT))
    assert said == (
        f"{CHECKPOINT}: is a model of hidden size 32 with attention in layers [], and janusdna-32-midattn "
        "one of 32 with [4]; name another file with --file"
    )
    assert "y.pt: 0 of the dataset's 6 files are called so; expected one" in failed(
        work.run("models", "pull", "janusdna-72", "--file", "y.pt")
    )


def test_the_download_can_be_kept_and_is_not_fetched_again(work, serve, loose, cache):
    stand_in = serve(loose)
    done(work.run("models", "pull", "janusdna-32-published", "-q", "--keep-download"))
    kept = cache / "janusdna-32-published" / "download"
    assert {path.name: path.read_bytes() for path in kept.iterdir()} == {
        name: loose[name] for name in (CHECKPOINT, CONFIG)
    }
    done(work.run("models", "pull", "janusdna-32-published", "-q", "--overwrite"))
    assert stand_in.fetched() == [CHECKPOINT, CONFIG]
    assert not kept.exists()


@pytest.mark.parametrize("storage", [False, True])
def test_what_breaks_off_goes_on(work, serve, loose, runs, storage):
    stand_in = serve(loose)
    stand_in.storage = storage
    stand_in.breaks = [1000, 500]
    done(
        work.run("models", "pull", "janusdna-32-published"),
        says=[f"{CHECKPOINT}: the connection broke off; again in 0.01 s"],
    )
    assert stand_in.fetched() == [
        CHECKPOINT,
        f"{CHECKPOINT} bytes=1000-",
        f"{CHECKPOINT} bytes=1500-",
        CONFIG,
    ]
    by_hand = saved(work.folder / "by-hand", runs["32_without_midattn"])
    assert torch.equal(logits("janusdna-32-published"), logits(by_hand))


def test_another_run_goes_on(work, serve, loose):
    stand_in = serve(loose)
    stand_in.breaks = [1000, 500, 500, 500]
    size = len(loose[CHECKPOINT])
    assert failed(work.run("models", "pull", "janusdna-32-published")) == (
        f"{CHECKPOINT}: {stand_in.url.removeprefix('http://')}: the connection broke off, after 2,500 of "
        f"{size:,} bytes, which are kept: run it again to go on{BY_HAND}"
    )
    stand_in.requests.clear()
    done(work.run("models", "pull", "janusdna-32-published", "-q"))
    assert stand_in.fetched() == [f"{CHECKPOINT} bytes=2500-", CONFIG]


def test_a_server_that_does_not_go_on_begins_anew(work, serve, loose):
    stand_in = serve(loose)
    stand_in.ranges = False
    stand_in.breaks = [1000]
    done(work.run("models", "pull", "janusdna-32-published", "-q"))
    assert stand_in.fetched() == [CHECKPOINT, f"{CHECKPOINT} bytes=1000-", CONFIG]


def test_what_is_left_of_another_file_does_no_harm(work, serve, loose, runs):
    stand_in = serve(loose | {CHECKPOINT: b"an older version" * 1000})
    stand_in.breaks = [1000] * 4
    assert "after 4,000 of 16,000 bytes" in failed(work.run("models", "pull", "janusdna-32-published", "-q"))
    stand_in.files = loose
    stand_in.requests.clear()
    done(work.run("models", "pull", "janusdna-32-published", "-q"))
    assert stand_in.fetched() == [CHECKPOINT, CONFIG]


@pytest.mark.parametrize("more", [b"", b"x" * 1000])
def test_what_is_there_to_its_end_is_not_fetched_again(work, serve, loose, cache, more):
    stand_in = serve(loose)
    download = cache / "janusdna-32-published" / "download"
    download.mkdir(parents=True)
    digest = hashlib.md5(loose[CHECKPOINT]).hexdigest()
    (download / f"{CHECKPOINT}.{digest[-12:]}.part").write_bytes(loose[CHECKPOINT] + more)
    result = work.run("models", "pull", "janusdna-32-published", "-q")
    assert stand_in.fetched()[0] == f"{CHECKPOINT} bytes={len(loose[CHECKPOINT] + more)}-"
    if more:  # damaged: told by its checksum, and not kept
        assert "hash of downloaded file" in failed(result)
        result = work.run("models", "pull", "janusdna-32-published", "-q")
    done(result)
    assert not download.exists()


@pytest.mark.parametrize("kind", ["MD5", "SHA-1", "SHA-256", "SHA-512"])
def test_a_wrong_checksum_removes_the_file(work, serve, loose, cache, kind):
    stand_in = serve(loose)
    stand_in.kind, stand_in.wrong = kind, {CHECKPOINT}
    said = failed(work.run("models", "pull", "janusdna-32-published"))
    algorithm = kind.lower().replace("-", "")
    expected = json.loads(stand_in.dataset())["data"]["latestVersion"]["files"][0]["dataFile"]["checksum"]
    found = hashlib.new(algorithm, loose[CHECKPOINT]).hexdigest()
    assert said.startswith(
        f"{CHECKPOINT}: {algorithm.upper()} hash of downloaded file ({CHECKPOINT}) does not "
    )
    assert f"expected {algorithm}:{expected['value']} but got {found}" in said
    assert said.endswith(BY_HAND)
    assert list((cache / "janusdna-32-published" / "download").iterdir()) == []


@pytest.mark.parametrize("status", [429, 500, 503])
def test_an_error_that_passes(work, serve, loose, status):
    stand_in = serve(loose)
    stand_in.failures, stand_in.listing_failures = [status], [status, status]
    done(
        work.run("models", "pull", "janusdna-32-published"), says=[f"answers {status} ", "; again in 0.01 s"]
    )


@pytest.mark.parametrize(
    ("attribute", "failures", "said"),
    [
        ("failures", [404], "{file}: {host}: answers 404 Not Found"),
        ("failures", [403], "{file}: {host}: answers 403 Forbidden"),
        ("failures", [500] * 4, "{file}: {host}: answers 500 Internal Server Error"),
        ("listing_failures", [404], "{host}: answers 404 Not Found"),
        ("listing_failures", [502] * 4, "{host}: answers 502 Bad Gateway"),
        ("listing", b"<html>", "{host}: its answer is not JSON: is this the address of a Dataverse?"),
        (
            "listing",
            b'{"data": {}}',
            "{host}: its answer is not that of a Dataverse's API (KeyError: 'latestVersion'): "
            "it may have changed",
        ),
    ],
)
def test_an_error_that_stays(work, serve, loose, attribute, failures, said):
    stand_in = serve(loose)
    setattr(stand_in, attribute, failures)
    host = stand_in.url.removeprefix("http://")
    assert failed(work.run("models", "pull", "janusdna-32-published")) == (
        said.format(file=CHECKPOINT, host=host) + BY_HAND
    )


def test_no_network(work, cache, monkeypatch):
    def unknown(*_, **__):
        raise socket.gaierror(-3, "Temporary failure in name resolution")

    monkeypatch.setattr(socket, "getaddrinfo", unknown)
    said = "dataverse.harvard.edu: no connection: is there a network, and does it need a proxy (HTTPS_PROXY)?"
    assert failed(work.run("models", "pull", "janusdna-32-published")) == said + BY_HAND
    listed = failed(work.run("models", "pull", "--list"))
    assert listed.startswith(said)
    assert "--length N" in listed


def test_nobody_there(work, cache):
    said = failed(
        work.run("models", "pull", "janusdna-32-published", JANUSDNA_DATAVERSE="http://127.0.0.1:1")
    )
    assert said == (
        f"127.0.0.1:1: no connection: is there a network, and does it need a proxy (HTTPS_PROXY)?{BY_HAND}"
    )


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (requests.exceptions.SSLError(), "its certificate is not trusted; REQUESTS_CA_BUNDLE names"),
        (requests.ConnectTimeout(), "no answer in 60 s"),
        (requests.exceptions.InvalidProxyURL(), "cannot be asked (InvalidProxyURL)"),
    ],
)
def test_other_ways_to_fail(work, serve, loose, monkeypatch, error, said):
    stand_in = serve(loose)

    def fail(*_, **__):
        raise error

    monkeypatch.setattr(requests, "get", fail)
    line = failed(work.run("models", "pull", "janusdna-32-published"))
    assert line.startswith(f"{stand_in.url.removeprefix('http://')}: {said}")
    assert line.endswith(BY_HAND)


@pytest.mark.parametrize("address", ["dataverse.harvard.edu", "ftp://x", "http://"])
def test_a_server_that_is_no_address(work, cache, address):
    said = failed(work.run("models", "pull", "janusdna-32-published", JANUSDNA_DATAVERSE=address))
    assert said == (
        f"JANUSDNA_DATAVERSE is {address!r}: expected an address such as https://dataverse.harvard.edu"
    )


class Proxy(BaseHTTPRequestHandler):
    """Passes requests for a host that nobody else knows on to where `target` is."""

    target = ""

    def log_message(self, *_):
        pass

    def do_GET(self):
        assert self.path.startswith("http://dataverse.invalid/")
        answer = requests.get(self.target + self.path.removeprefix("http://dataverse.invalid"), timeout=10)
        self.send_response(answer.status_code)
        self.send_header("Content-Length", str(len(answer.content)))
        self.end_headers()
        self.wfile.write(answer.content)


def test_behind_a_proxy(work, serve, loose, monkeypatch):
    stand_in = serve(loose)
    monkeypatch.setattr(Proxy, "target", stand_in.url)
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    proxy = ThreadingHTTPServer(("127.0.0.1", 0), Proxy)
    thread = threading.Thread(target=proxy.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        result = work.run(
            "models", "pull", "janusdna-32-published", "-q",
            JANUSDNA_DATAVERSE="http://dataverse.invalid",
            HTTP_PROXY=f"http://127.0.0.1:{proxy.server_port}",
        )  # fmt: skip
    finally:
        proxy.shutdown()
        proxy.server_close()
        thread.join()
    done(result)
    assert stand_in.fetched() == [CHECKPOINT, CONFIG]


def test_a_proxy_that_is_not_there(work, cache):
    said = failed(
        work.run(
            "models", "pull", "janusdna-32-published", "-q",
            HTTPS_PROXY="http://user:secret@127.0.0.1:1",
        )
    )  # fmt: skip
    assert said == (
        f"dataverse.harvard.edu: the proxy that HTTPS_PROXY or HTTP_PROXY names cannot be used{BY_HAND}"
    )


def test_a_download_that_is_no_checkpoint(work, serve, loose, cache):
    serve(loose | {CHECKPOINT: b"not a checkpoint"})
    said = failed(work.run("models", "pull", "janusdna-32-published"))
    assert f"{CHECKPOINT}: cut short, or not a checkpoint" in said
    assert not (cache / "janusdna-32-published" / "config.json").exists()


def test_a_cache_that_cannot_be_written(work, serve, loose, monkeypatch):
    serve(loose)
    monkeypatch.setenv("XDG_CACHE_HOME", work.file("file", ""))
    said = failed(work.run("models", "pull", "janusdna-32-published"))
    assert said == (
        f"{work.folder}/file/janusdna/models/janusdna-32-published: cannot be written (Not a directory); "
        "set XDG_CACHE_HOME to a folder that can"
    )


def test_two_processes_at_once_fetch_it_once(work, serve, loose):
    stand_in = serve(loose)
    command = [sys.executable, "-m", "janusdna_cli", "models", "pull", "janusdna-32-published"]
    both = [subprocess.Popen(command, stderr=subprocess.PIPE, text=True) for _ in range(2)]
    said = [process.communicate(timeout=60)[1] for process in both]
    assert [process.returncode for process in both] == [0, 0], said
    assert stand_in.fetched() == [CHECKPOINT, CONFIG]
    assert logits("janusdna-32-published").shape == (1, 15, 16)


@pytest.mark.parametrize("words", [(), ("janusdna-32-published", "--list")])
def test_a_name_or_the_list(work, cache, words):
    result = work.run("models", "pull", *words)
    assert (result.exit_code, result.stdout) == (2, "")
    assert "expected either the NAME of a published model, or --list" in result.stderr


def test_a_name_that_nothing_has(work, cache):
    assert failed(work.run("models", "pull", "janusdna-7")).startswith(
        "no published model is called 'janusdna-7': expected one of janusdna-32-published, janusdna-32-"
    )


def test_help_loads_nothing_for_the_network():
    code = (
        "import sys; from janusdna_cli.app import app; "
        "app(['models', 'pull', '--help'], standalone_mode=False); "
        "print([name for name in ('torch', 'requests', 'pooch') if name in sys.modules])"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert result.stdout.splitlines()[-1] == "[]", result.stderr


def test_progress_is_shown_on_a_terminal_only(monkeypatch, capsys):
    from janusdna_cli.runtime.progress import download_progress

    with download_progress("x.ckpt", 100) as show:
        show(50)
    assert capsys.readouterr().err == ""
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True, raising=False)
    monkeypatch.setenv("TTY_COMPATIBLE", "1")
    with download_progress("x.ckpt", 100) as show:
        show(50)
    assert "x.ckpt" in capsys.readouterr().err
    with download_progress("x.ckpt", 100, quiet=True) as show:
        show(50)
    assert capsys.readouterr().err == ""
