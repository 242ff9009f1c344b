"""A run loads and saves tables by name: what is still true is used, what is not is made again, and nothing silently."""

import json

import nbformat
import pandas as pd
import pytest

from segkit import InputError
from segkit.run import open_run

PARAMETERS = 'dataset: str = "shop"\nmonth: str = "2024-06"\nas_of: str = ""\nsource: str = ""\nseed: int = 2'
DOUBLE = """\
import pandas as pd
from segkit import open_run
run = open_run("02_double", dataset, month, as_of, source)
lines = run.orders.connection.execute("SELECT count(*) FROM orders").fetchone()[0]
run.save(doubled=pd.DataFrame({"lines": [seed * lines]}))"""
HALVE = """\
from segkit import open_run
run = open_run("03_halve", dataset, month, as_of, source)
run.save(halved=run.load("doubled") / 2)"""


def write_notebook(folder, name, *cells):
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(source) for source in (PARAMETERS, *cells)])
    notebook.cells[0].metadata["tags"] = ["parameters"]
    notebook.metadata["language_info"] = {"name": "python"}
    nbformat.write(notebook, folder / f"{name}.ipynb")


@pytest.fixture
def shop(tmp_path, monkeypatch):
    """A shop of four order lines and two notebooks; the working directory is theirs."""
    lines = ["customer,order,day,product,pieces,amount"]
    lines += [f"c{i % 2},o{i},2024-0{i + 3}-05,p{i},1,{10 + i}.5" for i in range(4)]
    (tmp_path / "orders.csv").write_text("\n".join(lines) + "\n")
    columns = {"customer_id": "customer", "order_id": "order", "ordered_at": "day", "product_id": "product"}
    listed = "\n".join(
        f'{name} = "{column}"' for name, column in (columns | {"quantity": "pieces", "amount": "amount"}).items()
    )
    (tmp_path / "shop.toml").write_text(
        f'currency = "EUR"\n[orders]\nsource = "orders.csv"\n[orders.columns]\n{listed}\n'
    )
    folder = tmp_path / "notebooks"
    folder.mkdir()
    write_notebook(folder, "02_double", DOUBLE)
    write_notebook(folder, "03_halve", HALVE)
    monkeypatch.setattr("segkit.runtime.cache.CACHE", tmp_path / "cache")
    monkeypatch.setenv("SEGKIT_CACHE", str(tmp_path / "cache"))
    monkeypatch.chdir(folder)
    return tmp_path


def open_halve(shop, **settings):
    return open_run("03_halve", shop / "shop.toml", settings.pop("month", "2024-06"), **settings)


def test_a_notebook_opened_alone_gets_its_inputs_and_they_are_made_once(shop):
    assert open_halve(shop).load("doubled")["lines"].item() == 8
    run = open_halve(shop)
    assert run.tables["doubled"].state == "fresh"
    assert run.tables["halved"].state == "missing"
    made = run.tables["doubled"].saved.record
    assert made["parameters"] == {"seed": 2}
    assert not made["exploratory"]


@pytest.mark.parametrize("change", ["cell", "input", "card", "module"])
def test_a_table_is_stale_when_anything_that_it_hangs_on_changed(shop, change):
    open_halve(shop).load("doubled")
    if change == "cell":
        write_notebook(shop / "notebooks", "02_double", DOUBLE.replace("seed * lines", "seed * lines + 1"))
    elif change == "input":
        (shop / "orders.csv").write_text((shop / "orders.csv").read_text() + "c9,o9,2024-06-07,p1,1,3.5\n")
    elif change == "card":
        (shop / "shop.toml").write_text((shop / "shop.toml").read_text().replace("EUR", "USD"))
    else:
        (shop / "notebooks" / "helpers.py").write_text("TWO = 2\n")
    truth = open_halve(shop).tables["doubled"]
    said = {"cell": "cells", "input": "data", "card": "card", "module": "code"}[change]
    assert truth.state == "stale"
    assert said in truth.why


def test_prose_outputs_and_metadata_do_not_make_a_table_stale(shop):
    open_halve(shop).load("doubled")
    path = shop / "notebooks" / "02_double.ipynb"
    notebook = nbformat.read(path, as_version=4)
    notebook.cells.append(nbformat.v4.new_markdown_cell("A word more."))
    notebook.cells[1].outputs, notebook.cells[1].execution_count = [], 7
    notebook.metadata["author"] = "Ann"
    nbformat.write(notebook, path)
    assert open_halve(shop).tables["doubled"].state == "fresh"


def test_a_table_of_cells_that_differ_from_the_file_is_exploratory_and_used_with_a_word(shop, monkeypatch, capsys):
    tried = [PARAMETERS, DOUBLE.replace("seed * lines", "100")]
    monkeypatch.setattr("segkit.run._executed_cells", lambda: tried)
    exploring = open_run("02_double", shop / "shop.toml", "2024-06")
    exploring.save(doubled=pd.DataFrame({"lines": [100]}))
    monkeypatch.setattr("segkit.run._executed_cells", lambda: None)
    monkeypatch.setattr("segkit.runtime.progress._somebody_watches", lambda: True)
    run = open_halve(shop)
    assert run.load("doubled")["lines"].item() == 100
    assert "exploratory" in capsys.readouterr().err
    run.reset()
    assert open_halve(shop).tables["doubled"].state == "missing"


def test_a_stale_exploratory_table_is_never_made_again_by_itself(shop, monkeypatch):
    monkeypatch.setattr("segkit.run._executed_cells", lambda: [PARAMETERS, "something = 'else'", DOUBLE])
    open_run("02_double", shop / "shop.toml", "2024-06").save(doubled=pd.DataFrame({"lines": [100]}))
    monkeypatch.setattr("segkit.run._executed_cells", lambda: None)
    (shop / "orders.csv").write_text((shop / "orders.csv").read_text() + "c9,o9,2024-06-07,p1,1,3.5\n")
    with pytest.raises(InputError, match=r"Either run 02_double.ipynb again .* or .* run.reset\(\)"):
        open_halve(shop).load("doubled")


def test_cells_run_in_order_from_the_top_are_the_notebooks_own(shop, monkeypatch):
    injected = "# Parameters\nseed = 3"
    monkeypatch.setattr("segkit.run._executed_cells", lambda: [PARAMETERS, injected, DOUBLE])
    run = open_run("02_double", shop / "shop.toml", "2024-06")
    run.save(doubled=pd.DataFrame({"lines": [12]}))
    record = run.tables["doubled"].saved.record
    assert not record["exploratory"]
    assert record["parameters"] == {"seed": 3}
    assert run.tables["doubled"].state == "fresh"
    monkeypatch.setattr("segkit.run._executed_cells", lambda: None)
    assert "seed" in open_halve(shop).tables["doubled"].why  # there it is asked for with 2


def test_another_month_has_tables_of_its_own(shop):
    assert open_halve(shop).load("doubled")["lines"].item() == 8
    assert open_halve(shop, month="2024-04").load("doubled")["lines"].item() == 4
    assert open_halve(shop).load("doubled")["lines"].item() == 8


def test_the_state_of_every_table_reads_without_a_style(shop):
    open_halve(shop).load("doubled")
    html = open_halve(shop)._repr_html_()
    assert "<th>state</th>" in html
    assert "<td>doubled</td><td>02_double</td><td>fresh</td>" in html
    assert "style" not in html


def test_an_error_of_the_earlier_notebook_reaches_the_one_that_asks(shop):
    write_notebook(shop / "notebooks", "02_double", DOUBLE.replace("seed * lines", "1 / 0"))
    with pytest.raises(RuntimeError, match="02_double.ipynb, cell 3: ZeroDivisionError"):
        open_halve(shop).load("doubled")
    with pytest.raises(InputError, match="saves trebled; they save doubled, halved"):
        open_halve(shop).load("trebled")


def test_a_notebook_says_what_it_needs(shop):
    (shop / "people.csv").write_text("id,age\n" + "".join(f"{i},{20 + i}\n" for i in range(30)))
    (shop / "people.toml").write_text('[features]\nsource = "people.csv"\nid = "id"\n')
    with pytest.raises(InputError, match="asks people for orders, and it has none"):
        open_run("02_double", shop / "people.toml", needs="orders")
    with pytest.raises(InputError, match="a month before: name it in previous"):
        open_run("02_double", shop / "shop.toml", "2024-06", needs="previous")
    assert json.dumps(open_run("02_double", shop / "people.toml").label) == '"static"'
