"""Memory: what the engine may take, and what is refused beforehand."""

import os
import re

import pytest

from segkit.runtime.errors import InputError
from segkit.runtime.memory import VARIABLE, check_memory, engine_memory, limit_memory, share_engine_memory


@pytest.fixture(autouse=True)
def _no_limit(monkeypatch):
    monkeypatch.setenv(VARIABLE, "")
    monkeypatch.setenv("SEGKIT_ENGINES", "1")


def test_nothing_is_limited_unless_somebody_asks():
    assert engine_memory() is None
    check_memory(10**9)


def test_the_engine_gets_its_share_and_two_side_by_side_get_half_each():
    limit_memory("4GB")
    alone = engine_memory()
    share_engine_memory(2)
    assert (alone, engine_memory()) == ("1600MB", "800MB")


def test_a_limit_too_small_for_anybody_is_refused_before_anything_is_read():
    with pytest.raises(InputError, match="memory 500MB is too little: 1.4 GB"):
        limit_memory("500MB")
    assert not os.environ[VARIABLE]


def test_more_customers_than_fit_are_refused_with_what_would_be_needed():
    limit_memory("4GB")
    check_memory(1_000_000)
    with pytest.raises(InputError, match=r"2,000,000 customers need about 5.85 GB .*--memory 5.85GB"):
        check_memory(2_000_000)


def test_an_amount_without_its_unit_is_told_apart_from_one_that_is_too_little():
    with pytest.raises(InputError, match=r"memory 4 is too little \(4 is 4 bytes; write 4GB\): 1.4 GB"):
        limit_memory("4")
    with pytest.raises(InputError, match="memory '' is not an amount; for example 4GB"):
        limit_memory("")


def test_a_limit_beyond_what_the_machine_has_is_told():
    assert limit_memory("1.5G") == ""
    assert limit_memory("1000TB").startswith("memory 1000TB limits nothing: this machine has ")


@pytest.mark.parametrize("customers", [1, 50_000, 123_456, 1_234_567])
def test_the_least_that_is_printed_is_enough(customers):
    limit_memory("1.4 GB")
    with pytest.raises(InputError) as refused:
        check_memory(customers)
    limit_memory(re.search(r"--memory (\S+),", str(refused.value))[1])
    check_memory(customers)


def test_a_query_beyond_the_limit_spills_and_gives_the_same(tmp_path):
    from segkit.data.views import connect

    def orders_of(memory):
        connection = connect({}, str(tmp_path / memory), memory, 1)
        query = "SELECT k, count(*) FROM (SELECT hash(i) % 900000 AS k FROM range(1500000) t(i)) GROUP BY k ORDER BY k"
        found = connection.execute(f"SELECT sum(hash(#1) % 1000 + #2) FROM ({query})").fetchone()
        return found, connection.execute("SELECT current_setting('memory_limit')").fetchone()[0]

    (small, limit), (large, _) = orders_of("60MB"), orders_of("2GB")
    assert small == large
    assert limit.startswith("57")
