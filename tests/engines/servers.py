"""Real servers on loopback for as long as a block lasts: a Spark master with two workers, and PostgreSQL."""

import json
import os
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.request import urlopen

DEBIAN = Path("/usr/lib/postgresql")


def missing_servers() -> list[str]:
    """What isn't there, and how it gets there."""
    lacks = []
    home = os.environ.get("JAVA_HOME")
    java = shutil.which("java", path=f"{home}/bin" if home else None)
    if java is None or not runs([java, "-version"]):
        lacks.append("Java 17 (Debian: apt-get install openjdk-17-jre-headless, or set JAVA_HOME)")
    if postgres_program("initdb") is None:
        lacks.append("PostgreSQL's server (Debian: apt-get install postgresql, or put initdb and postgres on PATH)")
    return lacks


def runs(command: list[str]) -> bool:
    return subprocess.run(command, capture_output=True).returncode == 0


def postgres_program(name: str) -> str | None:
    found = sorted(DEBIAN.glob(f"*/bin/{name}"), key=lambda path: int(path.parts[-3]))
    return str(found[-1]) if found else shutil.which(name)


def free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return one.getsockname()[1]


def wait_for(ready, what: str, log: Path, seconds: int = 180) -> None:
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        try:
            if ready():
                return
        except (OSError, ValueError):  # nobody there yet, or an empty page
            pass
        time.sleep(0.2)
    raise TimeoutError(f"{what} is not ready after {seconds} s:\n{log.read_text()[-2000:]}")


@contextmanager
def running(commands: dict[Path, list[str]], **options) -> Iterator[None]:
    """Keep commands running, each with its output in a file; only these are ended."""
    started = []
    try:
        for log, command in commands.items():
            with log.open("wb") as stream:
                started.append(subprocess.Popen(command, stdout=stream, stderr=subprocess.STDOUT, **options))
        yield
    finally:
        for process in reversed(started):
            process.terminate()
        for process in reversed(started):
            process.wait(timeout=60)


@contextmanager
def spark_cluster(folder: Path) -> Iterator[str]:
    """A standalone cluster: a master and two workers with one core each; gives the master's address."""
    import pyspark

    home, port, page = Path(pyspark.__file__).parent, free_port(), free_port()
    surroundings = os.environ | {"SPARK_LOCAL_IP": "127.0.0.1", "SPARK_HOME": str(home)}
    program, address = [str(home / "bin" / "spark-class")], f"spark://127.0.0.1:{port}"
    master = [*program, "org.apache.spark.deploy.master.Master", "--host", "127.0.0.1", "--port", str(port)]
    worker = [*program, "org.apache.spark.deploy.worker.Worker", "--host", "127.0.0.1", "--cores", "1"]
    worker += ["--memory", "1200m", "--webui-port", "0", address]

    def workers() -> int:
        with urlopen(f"http://127.0.0.1:{page}/json/", timeout=5) as answer:
            return sum(one["state"] == "ALIVE" for one in json.load(answer)["workers"])

    log = folder / "master.log"
    with running({log: [*master, "--webui-port", str(page)]}, env=surroundings, cwd=folder):
        wait_for(lambda: workers() == 0, "Spark's master", log)
        both = {folder / f"worker{one}.log": [*worker, "--work-dir", str(folder / f"work{one}")] for one in (1, 2)}
        with running(both, env=surroundings, cwd=folder):
            wait_for(lambda: workers() == 2, "Spark's second worker", log)
            yield address


@contextmanager
def postgres_server(folder: Path) -> Iterator[str]:
    """A PostgreSQL server with an empty database ``shop``; gives the address of its owner, without a password."""
    data, port, user = folder / "data", free_port(), "postgres"
    # The server refuses to run as root; its user must be able to reach its folder.
    prefix = ["runuser", "-u", "nobody", "--"] if os.geteuid() == 0 else []
    if prefix:
        shutil.chown(folder, "nobody")
        for above in [folder, *folder.parents][:-2]:
            above.chmod(above.stat().st_mode | 0o011)
    made = [*prefix, postgres_program("initdb"), "--pgdata", str(data), "--username", user, "--auth", "trust"]
    subprocess.run([*made, "--encoding", "UTF8", "--locale", "C.UTF-8", "--no-sync"], check=True, capture_output=True)
    (data / "pg_hba.conf").write_text("host all reader 127.0.0.1/32 scram-sha-256\nhost all all 127.0.0.1/32 trust\n")
    served = [*prefix, postgres_program("postgres"), "-D", str(data), "-p", str(port), "-h", "127.0.0.1"]
    served += ["-k", str(folder), "-c", "fsync=off"]
    log = folder / "server.log"
    with running({log: served}, cwd=folder):
        wait_for(lambda: socket.create_connection(("127.0.0.1", port), 1).close() is None, "PostgreSQL", log)
        yield f"postgresql://{user}@127.0.0.1:{port}/postgres"
