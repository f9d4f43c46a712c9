"""What is taken out of an archive of a run's folder, and what an archive cannot do."""

import bz2
import io
import random
import tarfile

import pytest

from janusdna_cli.errors import InputError
from janusdna_cli.model_store import archives
from janusdna_cli.model_store.archives import is_archive, unpack

RUN = {"run/checkpoints/last.ckpt": b"weights", "run/model_config.json": b"{}"}


def entry(name, content=b"", **fields):
    made = tarfile.TarInfo(name)
    made.size = len(content)
    for field, value in fields.items():
        setattr(made, field, value)
    return made, content


def tar(*entries, form="bz2", **options):
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode=f"w:{form}", **options) as pack:
        for made, content in entries:
            pack.addfile(made, io.BytesIO(content))
    return buffer.getvalue()


def files(members):
    return [entry(name, content) for name, content in members.items()]


@pytest.fixture
def put(tmp_path, monkeypatch):
    """Puts an archive down, with an empty folder to unpack it to; it may unpack to 100 kB."""
    monkeypatch.setattr(archives, "MOST_BYTES", 100_000)
    (tmp_path / "inner" / "out").mkdir(parents=True)

    def put(content, name="x.tar.bz2"):
        path = tmp_path / "inner" / name
        path.write_bytes(content)
        return path, tmp_path / "inner" / "out"

    return put


def refused(put, content, name="x.tar.bz2"):
    archive, folder = put(content, name)
    with pytest.raises(InputError) as error:
        unpack(archive, folder)
    assert list(folder.iterdir()) == []
    said = str(error.value)
    assert said.startswith(f"{archive}: ")
    return said.removeprefix(f"{archive}: ")


@pytest.mark.parametrize(("form", "name"), [("bz2", "x.tar.bz2"), ("gz", "x.TGZ"), ("", "x.tar")])
@pytest.mark.parametrize("prefix", ["", "./"])
def test_the_checkpoint_and_its_configuration(put, form, name, prefix):
    more = {"run/checkpoints/val_loss.ckpt": b"other", "run/notes.txt": b"x" * 50_000}
    members = {prefix + path: content for path, content in (RUN | more).items()}
    checkpoint, configuration = unpack(*put(tar(*files(members), form=form), name))
    assert is_archive(name)
    assert (checkpoint.read_bytes(), configuration.read_bytes()) == (b"weights", b"{}")
    assert {path.name for path in checkpoint.parent.iterdir()} == {"last.ckpt", "model_config.json"}


@pytest.mark.parametrize("name", ["72_with_midattn.ckpt", "x.zip", "README.md"])
def test_what_is_no_archive(name):
    assert not is_archive(name)


@pytest.mark.parametrize("outside", ["../", "/tmp/janusdna-test-of-archives/"])
def test_nothing_is_written_under_a_name_of_the_archives(put, tmp_path, outside):
    members = {outside + name: content for name, content in RUN.items()} | {"../escape.txt": b"x"}
    checkpoint, _ = unpack(*put(tar(*files(members))))
    assert checkpoint.read_bytes() == b"weights"
    assert {path.name for path in tmp_path.rglob("*") if path.is_file()} == {
        "last.ckpt",
        "model_config.json",
        "x.tar.bz2",
    }


@pytest.mark.parametrize("kind", [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.FIFOTYPE, tarfile.CHRTYPE])
def test_what_is_no_plain_file_is_not_there(put, kind):
    link = entry("run/last.ckpt", type=kind, linkname="/etc/passwd")
    said = refused(put, tar(link, entry("run/model_config.json", b"{}")))
    assert said.startswith("0 of 1 files are checkpoints; expected one, or one last.ckpt; ")


def test_two_checkpoints(put):
    said = refused(put, tar(*files({"a.ckpt": b"", "b.ckpt": b"", "c": b""})))
    assert said == (
        "2 of 3 files are checkpoints: a.ckpt, b.ckpt; expected one, or one last.ckpt; unpack it, then: "
        "janusdna models convert FILE -o DIR --length N"
    )


@pytest.mark.parametrize("place", ["run/checkpoints/last.ckpt", "run/notes.txt"])
def test_what_unpacks_to_more_than_it_may(put, place):
    content = tar(*files(RUN | {place: bytes(200_000)}))
    assert refused(put, content).startswith(
        f"unpacks to more than 100,000 bytes, from {len(content):,}: no archive of a model does; "
    )


def test_what_unpacks_to_more_than_so_many_times_its_size(put, monkeypatch):
    monkeypatch.setattr(archives, "MOST_BYTES", 1 << 40)
    noise = random.Random(1).randbytes(100_000)
    content = tar(*files(RUN | {"noise": noise, "zeros": bytes(2_200_000)}))
    limit = archives.MOST_TIMES * len(content)
    assert 2_000_000 < limit < 2_200_000
    assert refused(put, content).startswith(f"unpacks to more than {limit:,} bytes, from {len(content):,}: ")
    smaller = tar(*files(RUN | {"noise": noise, "zeros": bytes(1_800_000)}))
    assert unpack(*put(smaller))[0].read_bytes() == b"weights"


def test_a_size_that_only_its_header_has(put):
    made, _ = entry("run/last.ckpt", size=1 << 40)
    header = made.tobuf() + bytes(1024)
    assert refused(put, bz2.compress(header)).startswith("unpacks to more than 100,000 bytes, ")


def test_the_holes_of_a_sparse_file_count(put):
    sparse = {"GNU.sparse.major": "0", "GNU.sparse.minor": "1", "GNU.sparse.name": "run/last.ckpt"}
    sparse |= {"GNU.sparse.size": str(1 << 40), "GNU.sparse.map": "0,7"}
    made = entry("run/x/last.ckpt", b"weights", pax_headers=sparse)
    content = tar(made, entry("run/model_config.json", b"{}"), format=tarfile.PAX_FORMAT)
    with tarfile.open(fileobj=io.BytesIO(content)) as pack:
        assert pack.getmembers()[0].size == 1 << 40
    assert refused(put, content).startswith("unpacks to more than 100,000 bytes, ")


def test_a_header_that_would_fill_the_memory(put, monkeypatch):
    monkeypatch.setattr(archives, "MOST_BYTES", 1 << 40)
    made, _ = entry("run/last.ckpt", type=tarfile.XHDTYPE, size=1 << 30)
    assert refused(put, bz2.compress(made.tobuf() + bytes(1024))).startswith(
        "unpacks to a header of 1,073,741,824 bytes: "
    )


def test_more_files_than_there_may_be(put, monkeypatch):
    monkeypatch.setattr(archives, "_MOST_FILES", 50)
    assert refused(put, tar(*files({str(i): b"" for i in range(51)}))).startswith("unpacks to more than 50 f")


@pytest.mark.parametrize("share", [0, 0.1, 0.5])
@pytest.mark.parametrize("form", ["bz2", "gz"])
def test_an_archive_that_is_cut_short(put, form, share):
    content = tar(*files(RUN), form=form)
    said = refused(put, content[: int(share * len(content))], f"x.tar.{form}")
    assert said.startswith("cannot be unpacked: ")


def test_an_archive_that_is_none(put):
    assert refused(put, b"<html>" * 1000).startswith("cannot be unpacked: ")
