"""Fetching a public dataset, from a server on this machine."""

import hashlib
import io
import os
import subprocess
import sys
import threading
import zipfile
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer

import pytest

from segkit.data import fetch
from segkit.data.fetch import fetch_dataset
from segkit.runtime.errors import InputError

CONTENT = b"who,order\n1,2\n"


class Quiet(SimpleHTTPRequestHandler):
    def do_GET(self):
        leads = {
            "/moved.csv": "/orders.csv",
            "/away.csv": "http://localhost:9/orders.csv",
            "/file.csv": "file:///etc/x",
        }
        if self.path not in leads:
            return super().do_GET()
        self.send_response(302)
        self.send_header("Location", leads[self.path])
        self.end_headers()

    def log_message(self, *_):
        pass


@pytest.fixture
def address(tmp_path, monkeypatch):
    """Serve a folder with one file, plain and zipped; return its address, as if it were https."""
    monkeypatch.setattr(fetch, "_SCHEME", "http")
    served = tmp_path / "served"
    served.mkdir()
    (served / "orders.csv").write_bytes(CONTENT)
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr("inside/orders.csv", CONTENT)
    (served / "orders.zip").write_bytes(packed.getvalue())
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=served)) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.02,))
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


def write(folder, url, content=CONTENT, **more):
    keys = {"url": url, "sha256": hashlib.sha256(content).hexdigest(), "path": "raw/orders.csv", **more}
    fetch = "\n".join(f'{key} = "{value}"' for key, value in keys.items())
    path = folder / "shop.toml"
    path.write_text(f'[features]\nsource = "raw/orders.csv"\nid = "who"\n[fetch]\n{fetch}\n')
    return path


def left_behind(folder):
    return [path.name for path in (folder / "raw").rglob("*")] if (folder / "raw").exists() else []


def test_a_file_with_the_right_checksum_is_put_in_its_place(tmp_path, address):
    card = write(tmp_path, f"{address}/orders.csv")
    assert "checksum right" in fetch_dataset(card)
    assert (tmp_path / "raw" / "orders.csv").read_bytes() == CONTENT
    assert left_behind(tmp_path) == ["orders.csv"]


def test_a_file_that_is_there_is_not_downloaded_again(tmp_path, address):
    fetch_dataset(write(tmp_path, f"{address}/orders.csv"))
    assert "there already" in fetch_dataset(write(tmp_path, "http://127.0.0.1:9/gone"))


def test_a_member_of_a_zip_is_unpacked_and_checked(tmp_path, address):
    packed = (tmp_path / "served" / "orders.zip").read_bytes()
    right = {"member": "inside/orders.csv", "member_sha256": hashlib.sha256(CONTENT).hexdigest()}
    fetch_dataset(write(tmp_path, f"{address}/orders.zip", packed, **right))
    assert (tmp_path / "raw" / "orders.csv").read_bytes() == CONTENT


@pytest.mark.parametrize(
    ("member", "message"),
    [
        ({"member": "other.csv"}, "is not a zip file with other.csv in it"),
        ({"member": "inside/orders.csv", "member_sha256": "0" * 64}, "another checksum than the card says"),
    ],
)
def test_a_wrong_zip_leaves_nothing_behind(tmp_path, address, member, message):
    packed = (tmp_path / "served" / "orders.zip").read_bytes()
    with pytest.raises(InputError, match=message):
        fetch_dataset(write(tmp_path, f"{address}/orders.zip", packed, **member))
    assert left_behind(tmp_path) == []


def test_a_wrong_checksum_leaves_everything_as_it_was(tmp_path, address):
    (tmp_path / "raw").mkdir()
    (tmp_path / "raw" / "orders.csv").write_bytes(b"mine")
    with pytest.raises(InputError, match="nothing was kept. Try again; if it stays so, by hand: open"):
        fetch_dataset(write(tmp_path, f"{address}/orders.csv", b"something else"))
    assert (tmp_path / "raw" / "orders.csv").read_bytes() == b"mine"
    assert left_behind(tmp_path) == ["orders.csv"]


@pytest.mark.parametrize("url", ["http://127.0.0.1:9/gone.csv", "{address}/gone.csv"])
def test_an_address_that_cannot_be_reached_shows_the_way_by_hand(tmp_path, address, url):
    with pytest.raises(InputError, match=r"can't be downloaded.*By hand: open .* --source FILE"):
        fetch_dataset(write(tmp_path, url.format(address=address)))
    assert left_behind(tmp_path) == []


def test_a_redirect_is_followed_on_the_same_server_and_nowhere_else(tmp_path, address):
    for url in (f"{address}/away.csv", f"{address}/file.csv"):
        with pytest.raises(InputError, match="it leads elsewhere, to .*, which isn't followed"):
            fetch_dataset(write(tmp_path, url))
    assert left_behind(tmp_path) == []
    assert "checksum right" in fetch_dataset(write(tmp_path, f"{address}/moved.csv"))


@pytest.mark.parametrize(
    "url", ["file:///etc/passwd", "ftp://x.org/a", "http://x.org/a", "nowhere", "https:///a", "HTTP:x"]
)
def test_nothing_but_https_is_fetched(tmp_path, url):
    with pytest.raises(InputError, match="must begin with https://"):
        fetch_dataset(write(tmp_path, url))


def test_an_address_with_a_password_is_refused_and_not_shown(tmp_path):
    with pytest.raises(InputError, match="holds a name or password") as refused:
        fetch_dataset(write(tmp_path, "https://me:geheim@x.org/a.csv"))
    assert "geheim" not in str(refused.value)


OUT = ["../orders.csv", "raw/../shop.toml", "shop.toml", "/etc/orders.csv", "raw/link/orders.csv", "."]
PATHS = dict.fromkeys(OUT, "leads out of raw/") | dict.fromkeys(("raw", "raw/sub", "raw/new/"), "is a folder")
PATHS |= {"raw/" + "x" * 300: "can't be the name of a file", "raw/a\\u0000b": "can't be the name of a file"}


@pytest.mark.parametrize(("path", "words"), PATHS.items())
def test_a_download_goes_to_a_file_below_raw_and_nowhere_else(tmp_path, address, path, words):
    (tmp_path / "raw" / "sub").mkdir(parents=True)
    (tmp_path / "raw" / "link").symlink_to("/tmp")
    card = write(tmp_path, f"{address}/orders.csv", path=path)
    before = card.read_bytes()
    with pytest.raises(InputError, match=words):
        fetch_dataset(card)
    assert card.read_bytes() == before


def test_a_checksum_that_is_none_is_refused(tmp_path, address):
    with pytest.raises(InputError, match="sha256 must be 64 hexadecimal digits"):
        fetch_dataset(write(tmp_path, f"{address}/orders.csv", sha256="none"))


KILLED = """
import os, sys
from segkit.data import fetch
fetch._SCHEME = "http"
fetch._Progress.update = lambda *_: os.kill(os.getpid(), 9)
fetch.fetch_dataset(sys.argv[1])
"""


def test_a_killed_download_leaves_the_old_file_and_the_next_one_sweeps(tmp_path, address):
    card = write(tmp_path, f"{address}/orders.csv")
    (tmp_path / "raw").mkdir()
    (tmp_path / "raw" / "orders.csv").write_bytes(b"mine")
    assert subprocess.run([sys.executable, "-c", KILLED, card], env=os.environ).returncode == -9
    assert (tmp_path / "raw" / "orders.csv").read_bytes() == b"mine"
    fetch_dataset(card)
    assert left_behind(tmp_path) == ["orders.csv"]
