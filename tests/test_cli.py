"""The command line from outside: exit status, one message, nothing written."""

import errno
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import duckdb
import pytest

from segkit import cli
from segkit.runtime.errors import InputError
from segkit.runtime.progress import progress_bar

ORDERS = "customer_id,order_id,ordered_at,product_id,quantity,unit_price\n" + "".join(
    f"c{n % 3},o{n},2026-0{1 + n % 3}-1{n % 9},p{n % 5},1,{n + 1}.50\n" for n in range(60)
)
CARD = """
title = "A shop"
currency = "EUR"
[orders]
source = "orders.csv"
[orders.columns]
customer_id = "customer_id"
order_id = "order_id"
ordered_at = "ordered_at"
product_id = "product_id"
quantity = "quantity"
unit_price = "unit_price"
"""


@pytest.fixture
def shop(tmp_path):
    """A folder with a card and its orders; a test spoils one of them."""
    (tmp_path / "orders.csv").write_text(ORDERS)
    (tmp_path / "shop.toml").write_text(CARD)
    return tmp_path


def run(monkeypatch, capsys, *arguments) -> tuple[int, str, str]:
    monkeypatch.setattr(sys, "argv", ["segkit", *map(str, arguments)])
    status = 0
    try:
        cli.main()
    except SystemExit as ended:
        status = ended.code or 0
    return status, *capsys.readouterr()


def refused(monkeypatch, capsys, shop, *arguments) -> str:
    """The one message of a command that must end with status 2, without a traceback, writing nothing."""
    before = sorted(shop.rglob("*"))
    status, out, err = run(monkeypatch, capsys, *arguments, *(["--out", shop / "out"] if "report" in arguments else []))
    assert status == 2
    assert err.startswith("segkit: ")
    assert err.count("\n") == 1
    assert "report.html" not in out
    assert "Traceback" not in err
    assert sorted(shop.rglob("*")) == before
    return err


@pytest.mark.parametrize("command", ["", "datasets", "new-card", "check", "report", "months", "fetch"])
def test_every_command_has_help_with_an_example(monkeypatch, capsys, command):
    status, out, _ = run(monkeypatch, capsys, *filter(None, [command, "--help"]))
    assert status == 0
    assert "Usage: segkit" in out
    assert not command or f"Example: segkit {command}" in out


def test_an_unknown_dataset_names_the_known_ones(monkeypatch, capsys, shop):
    message = refused(monkeypatch, capsys, shop, "report", "complete-jorney", "--month", "2017-09")
    assert "complete-journey" in message


ARGUMENTS = ("dataset", "month", "as_of", "source", "out", "self", "settings", "tell", "previous", "x" * 5000)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--month", "17-9"], "17-9"),
        (["--month", "2026-13"], "2026-13"),
        (["--month", "2026-03", "--as-of", "2026-03-15"], "both --month 2026-03 and --as-of 2026-03-15 were given"),
        (["--as-of", "2026-02-30"], "2026-02-30"),
        ([], "--month"),
        (["--month", "2031-01"], "no orders in 2031-01"),
        (["--month", "2026-03"], "3 customers"),
        (["--month", "2026-03", "--set", "max_segment=4"], "did you mean max_segments"),
        (["--month", "2026-03", "--set", "max_segments"], "NAME=VALUE"),
        (["--month", "2026-03", "--set", "max_noise=20"], "from 0 to 1"),
        (["--mnth", "2026-03"], "--mnth"),
        (["--seed", "one"], "as an integer. See segkit report --help"),
        (["--seed", "9" * 5000], "seed"),
        (["--month", "9999-12"], "beyond what is counted: from 1990 to 2199"),
        (["--month", "２０２６-03"], "is not YYYY-MM"),
        (["--as-of", "2026-0３-31"], "is not YYYY-MM-DD"),
        (["--as-of", "9999-12-31"], "beyond what is counted"),
        (["--month", "2026-03", "--choice", "kmeans-²"], "must be a candidate_id, such as kmeans-5"),
        (["--month", "2026-03", "--choice", "k" * 5000], "must be a candidate_id"),
        (["--month", "2026-03", "--set", "window_days=３６５"], "a whole number from 30 to 3,660"),
        (["--month", "2026-03", "--set", f"min_customers={'9' * 5000}"], "a whole number from 0 to 1,000,000,000"),
        (["--month", "2026-03", "--set", "max_noise=nan"], "from 0 to 1"),
        (["--month", "2026-03", "--memory", "9" * 5000], "is not an amount"),
        (["--month", "2026-03", "--source", "~nouser-here/orders.csv"], "there is no user of that name"),
        (["--month", "2026-03", "--notebooks", "~nouser-here/mine"], "there is no user of that name"),
        (["--month", "2026-03", "--source", "postgresql://u:geheim@host/db"], "not an address"),
        *((["--month", "2026-03", "--set", f"{name}=x"], f"unknown parameter {name}") for name in ARGUMENTS),
    ],
)
def test_a_call_that_cannot_work_says_why(monkeypatch, capsys, shop, arguments, words):
    said = refused(monkeypatch, capsys, shop, "report", shop / "shop.toml", *arguments)
    assert words[:60] in said
    assert len(said) < 2000
    assert "geheim" not in said


LONG = "x" * 5000


@pytest.mark.parametrize(
    "arguments",
    [
        ["score", LONG, "shop.toml"], ["score", "run", "shop.toml", "--out", f"{LONG}.csv"], ["handover", LONG],
        ["handover", "run", "--out", LONG],
        ["months", "complete-journey", "--from", "2017-09", "--to", "2017-09", "--out", LONG],
        ["months", "complete-journey", "--from", "2017-09", "--to", "2017-09", "--out", "~nouser-here/runs"],
        ["score", "run", "shop.toml", "--month", "../../x"], ["handover", "run", "--set", "floor=10"],
        ["handover", "run", "--set", f"handover_floor={'9' * 5000}"], ["handover", "run", "--set", "handover_floor=9"],
        ["months", "complete-journey", "--from", "9999-11", "--to", "9999-12"], ["fetch", f"{LONG}.toml"],
        ["months", "complete-journey", "--from", "2017-01", "--to", "2017-02", "--set", "first=2"],
    ],
)  # fmt: skip
def test_names_and_numbers_that_cannot_be_are_refused_in_one_short_line(monkeypatch, capsys, shop, arguments):
    monkeypatch.chdir(shop)
    assert len(refused(monkeypatch, capsys, shop, *arguments)) < 2000


@pytest.mark.parametrize("name", ["...toml", ".toml", "..toml", ".x.toml", "a\nb.toml", "x" * 150 + ".toml"])
def test_a_card_whose_name_would_lead_elsewhere_is_refused(monkeypatch, capsys, shop, name):
    (shop / name).write_text(CARD)
    said = refused(monkeypatch, capsys, shop, "report", shop / name, "--month", "2026-03")
    assert "can't name its runs" in said


def test_who_stops_reading_stops_the_command_with_a_word():
    command = f"{sys.executable} -m segkit datasets --help | true; exit ${{PIPESTATUS[0]}}"
    ended = subprocess.run(["bash", "-c", command], capture_output=True, text=True)
    stopped = 141, "segkit: stopped, because nobody reads its output any more\n"
    assert (ended.returncode, ended.stderr) in (stopped, (0, ""))  # the latter where it writes before `true` ends


def test_a_message_of_many_lines_becomes_one(monkeypatch, capsys, shop):
    def fail(*_, **__):
        raise InputError("first\n  second\n")

    monkeypatch.setattr("segkit.data.cards.datasets.describe_datasets", fail)
    assert run(monkeypatch, capsys, "datasets") == (2, "", "segkit: first second\n")


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (lambda card, orders: (card.replace("[orders.columns]", "[orders.colums]"), orders), "columns"),
        (lambda card, orders: (card.replace('= "unit_price"', '= "price"'), orders), "unit_price"),
        (lambda card, orders: (card.replace('"orders.csv"', '"orders.csv"\nseparator = ";"'), orders), "separator"),
        (lambda card, orders: (card, orders.replace("2026-", "20.26/")), "ordered_at"),
        (lambda card, orders: (card, ""), "empty"),
        (lambda card, orders: (card.replace("orders.csv", "orders.parquet"), orders), "orders.parquet"),
        (lambda card, orders: (card + "[", orders), "TOML"),
    ],
)
def test_a_spoilt_card_or_file_is_named_with_the_way_out(monkeypatch, capsys, shop, spoil, words):
    card, orders = spoil(CARD, ORDERS)
    (shop / "shop.toml").write_text(card)
    for name in ("orders.csv", "orders.parquet"):
        (shop / name).write_text(orders)
    message = refused(monkeypatch, capsys, shop, "report", shop / "shop.toml", "--month", "2026-03")
    assert words in message


@pytest.mark.parametrize(
    "more",
    [
        "[defaults]\nwindo = 3\n",
        "[defaults]\nmin_share = 3\n",
        "[custom_features]\nodd.sql = 'avgg(amount)'\n",
        "[custom_features]\nspend.sql = 'sum(amount)'\n",
        "[custom_features]\nodd = { sql = 'sum(prize)', kind = 'money' }\n",
    ],
)
def test_a_check_refuses_the_card_that_a_report_refuses_in_the_same_words(monkeypatch, capsys, shop, more):
    (shop / "shop.toml").write_text(CARD + more)
    message = refused(monkeypatch, capsys, shop, "report", shop / "shop.toml", "--month", "2026-03")
    assert refused(monkeypatch, capsys, shop, "check", shop / "shop.toml") == message


def test_a_check_of_good_features_of_a_card_passes(monkeypatch, capsys, shop):
    more = "[custom_features]\nlarge = { sql = 'avg(CASE WHEN amount > 20 THEN 1 ELSE 0 END)', kind = 'share' }\n"
    (shop / "shop.toml").write_text(CARD + more)
    assert run(monkeypatch, capsys, "check", shop / "shop.toml")[0] == 0


@pytest.mark.parametrize("out", ["/etc/passwd", "/etc/passwd/x", "/proc/x"])
@pytest.mark.parametrize("command", ["report", "months", "score", "handover"])
def test_a_place_that_cannot_be_written_to_is_named_before_any_work(monkeypatch, capsys, shop, command, out):
    (shop / "run").mkdir()
    record = {
        "dataset": "shop",
        "month": "2026-03",
        "as_of": "2026-03-31",
        "card": str(shop / "shop.toml"),
        "source": "",
    }
    record["parameters"] = {"handover_floor": 2, "min_confidence": 0.0}
    (shop / "run" / "run.json").write_text(json.dumps(record))
    arguments = {
        "report": [shop / "shop.toml", "--month", "2026-03"],
        "months": [shop / "shop.toml", "--from", "2026-03", "--to", "2026-03"],
        "score": [shop / "run", shop / "shop.toml"],
        "handover": [shop / "run"],
    }
    out = f"{out}/a.csv" if command == "score" else out
    status, said, message = run(monkeypatch, capsys, command, *arguments[command], "--out", out)
    assert (status, said, message.count("\n")) == (2, "", 1)
    assert message.startswith(f"segkit: --out {out}")


def test_a_pattern_that_the_shell_filled_in_is_told_what_to_do(monkeypatch, capsys, shop):
    for name in ("a.csv", "b.csv"):
        (shop / name).write_text("order_id,order_date,customer_id,price\n1,2024-01-31,7,2.50\n")
    message = refused(monkeypatch, capsys, shop, "new-card", shop / "a.csv", shop / "b.csv")
    assert "a.csv and b.csv have the same columns, so they are parts of one table: name them by their folder" in message


def test_check_prints_the_ledger_and_writes_nothing(monkeypatch, capsys, shop):
    before = sorted(shop.rglob("*"))
    status, out, err = run(monkeypatch, capsys, "check", shop / "shop.toml")
    assert (status, err) == (0, "")
    assert "sale" in out
    assert "60" in out
    assert sorted(shop.rglob("*")) == before


def test_debug_adds_the_traceback_and_changes_neither_the_message_nor_the_status(monkeypatch, capsys, shop):
    _, _, message = run(monkeypatch, capsys, "check", shop / "nothing.toml")
    status, _, err = run(monkeypatch, capsys, "check", shop / "nothing.toml", "--debug")
    assert status == 2
    assert err.startswith("Traceback")
    assert err.endswith(message)


OFFLOAD = """Out of Memory Error: failed to offload data block of size 256.0 KiB (3.5 MiB/3.5 MiB used).
This limit was set by the 'max_temp_directory_size' setting."""
WRITE = 'IO Error: Could not write file "/media/stick/x.parquet": No space left on device'
TEMPORARY = f"the folder for temporary files, {tempfile.gettempdir()}, is full: make room there, or name a larger one"


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (duckdb.OutOfMemoryException(OFFLOAD), TEMPORARY),
        (duckdb.IOException(WRITE), "/media/stick is full: make room there"),
        (OSError(errno.ENOSPC, "No space left on device"), TEMPORARY),
        (OSError(errno.ENOSPC, "No space left on device", f"{tempfile.gettempdir()}/segkit-1-x-y/a.tmp"), TEMPORARY),
        (RuntimeError("notebook 03_compare.ipynb: OSError: [Errno 28] No space left on device: '/runs/b'"), "/runs is"),
        (RuntimeError(f"notebook 03_compare.ipynb, cell 4: OutOfMemoryException: {OFFLOAD}"), TEMPORARY),
    ],
)
@pytest.mark.parametrize("wrapped", [False, True])
def test_a_full_disk_is_the_users_to_mend_and_named(monkeypatch, capsys, error, words, wrapped):
    def fail():
        try:
            raise error
        except Exception:
            if wrapped:
                raise InputError("[orders]: what a section makes of it") from None
            raise

    monkeypatch.setattr("segkit.data.cards.datasets.describe_datasets", fail)
    status, _, err = run(monkeypatch, capsys, "datasets")
    assert (status, err.count("\n")) == (2, 1)
    assert err.startswith(f"segkit: {words}")


def test_a_fault_of_segkit_ends_with_status_one(monkeypatch, capsys, shop):
    def fail(*_, **__):
        raise RuntimeError("the disk is full")

    monkeypatch.setattr("segkit.reporting.run_chain.run_report", fail)
    status, _, err = run(monkeypatch, capsys, "report", "complete-journey", "--month", "2017-09")
    assert status == 1
    assert err.startswith("segkit: RuntimeError: the disk is full")


@pytest.mark.parametrize(("command", "days"), [("report", ["--month"]), ("months", ["--from", "2017-09", "--to"])])
def test_quiet_leaves_nothing_but_the_path_and_what_is_stale_goes_beside_it(monkeypatch, capsys, command, days):
    def make(*_, tell=str, **__):
        with progress_bar("counting"):
            tell("2017-09: being made")
        return Path("shelf/2017-09/report.html")

    monkeypatch.setattr(f"segkit.reporting.{'run_months' if command == 'months' else 'run_chain'}.run_{command}", make)
    monkeypatch.setattr(
        "segkit.reporting.finished_runs.stale_months", lambda _: {"2017-10": "2017-09 has changed since"}
    )
    call = command, "complete-journey", *days, "2017-09"
    status, out, err = run(monkeypatch, capsys, *call)
    assert (status, err.count("\n")) == (0, 1)
    assert "0:00  counting" in out
    assert ("2017-09: being made" in out) == (command == "months")
    assert out.endswith("\nshelf/2017-09/report.html\n")
    assert "2017-10 is stale: 2017-09 has changed since" in err
    assert run(monkeypatch, capsys, *call, "--quiet") == (0, "shelf/2017-09/report.html\n", err)


@pytest.mark.parametrize("before", ["", "import numpy; "])
def test_small_numerics_get_one_thread_unless_the_user_says_otherwise(before):
    code = before + "import segkit, os, numpy; from threadpoolctl import threadpool_info as pools; "
    code += "print(os.environ['OMP_NUM_THREADS'], *{one['num_threads'] for one in pools()})"
    surroundings = {name: text for name, text in os.environ.items() if not name.endswith("_NUM_THREADS")}
    for own, expected in ({}, "1 1"), ({"OMP_NUM_THREADS": "2", "OPENBLAS_NUM_THREADS": "2"}, "2 2"):
        ended = subprocess.run([sys.executable, "-c", code], env=surroundings | own, capture_output=True, text=True)
        assert ended.stdout.strip() == expected


def test_a_limit_on_memory_that_cannot_be_enough_is_refused_with_what_is_needed(monkeypatch, capsys, shop):
    monkeypatch.setenv("SEGKIT_MEMORY", "")
    status, _, said = run(monkeypatch, capsys, "report", shop / "shop.toml", "--month", "2026-03", "--memory", "1GB")
    assert status == 2
    assert "1.4 GB are needed" in said


@pytest.mark.parametrize("command", ["check", "report", "months", "score"])
def test_a_limit_on_memory_is_named_in_the_help_and_never_empty(monkeypatch, capsys, command):
    assert "SEGKIT_MEMORY" in run(monkeypatch, capsys, command, "--help")[1]
    days = ["--from", "2026-03", "--to", "2026-03"] if command == "months" else ["run"] if command == "score" else []
    status, _, said = run(monkeypatch, capsys, command, *days, "shop.toml", "--memory", "")
    assert (status, said) == (2, "segkit: memory '' is not an amount; for example 4GB\n")


def test_an_interrupt_that_a_library_makes_of_ctrl_c_is_no_success(monkeypatch, capsys):
    def interrupt():
        raise KeyboardInterrupt

    monkeypatch.setattr("segkit.data.cards.datasets.describe_datasets", interrupt)
    assert run(monkeypatch, capsys, "datasets")[0] == 130
