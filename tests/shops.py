"""Small generated datasets of every kind, each with its card; what the tests of whole reports are made of."""

from pathlib import Path

import numpy as np
import pandas as pd

SMALL = {"max_segments": 4, "bootstraps": 10, "seed": 1}
COLUMNS = {"customer_id": "customer", "order_id": "order", "ordered_at": "day", "product_id": "product"}
COLUMNS |= {"quantity": "quantity", "amount": "amount"}


def write_orders(folder: Path, lines: pd.DataFrame, title: str = "A small shop", more: str = "") -> Path:
    """Write order lines and their card; a column called category is mapped as one."""
    columns = COLUMNS | ({"category": "category"} if "category" in lines else {})
    listed = "\n".join(f'{name} = "{column}"' for name, column in columns.items())
    lines.to_csv(folder / "orders.csv", index=False)
    card = f'title = "{title}"\ncurrency = "EUR"\n[orders]\nsource = "orders.csv"\n[orders.columns]\n{listed}\n{more}'
    (folder / "shop.toml").write_text(card)
    return folder / "shop.toml"


def write_table(folder: Path, table: pd.DataFrame, more: str = "") -> Path:
    """Write a ready table of customers and its card; its index is the id."""
    table.to_csv(folder / "people.csv", index_label="person")
    (folder / "people.toml").write_text(f'title = "People"\n[features]\nsource = "people.csv"\nid = "person"\n{more}')
    return folder / "people.toml"


def two_kinds(seed: int = 0) -> pd.DataFrame:
    """Two kinds of shoppers over a year: a few who come every week for tea, many who come now and then for toys."""
    draw = np.random.default_rng(seed)
    customers = np.repeat(np.arange(160), np.where(np.arange(160) < 50, 40, 6))
    often = customers < 50
    orders = pd.DataFrame({"customer": customers, "order": np.arange(len(customers))})
    orders["day"] = pd.Timestamp("2025-01-01") + pd.to_timedelta(draw.integers(0, 365, len(orders)), "D")
    orders["category"] = np.where(draw.random(len(orders)) < np.where(often, 0.8, 0.2), "tea", "toys")
    orders["product"] = orders["category"] + draw.integers(1, 5, len(orders)).astype(str)
    orders["quantity"] = 1
    orders["amount"] = draw.gamma(np.where(often, 8, 3)).round(2) + 0.01
    return orders


def subscribers() -> pd.DataFrame:
    """Everybody orders the same box on the same days of every month."""
    days = pd.date_range("2025-01-05", periods=12, freq="30D")
    lines = pd.MultiIndex.from_product([range(120), days], names=["customer", "day"]).to_frame(index=False)
    lines["order"] = np.arange(len(lines))
    return lines.assign(product="box", quantity=1, amount=np.where(lines["customer"] % 3 == 0, 49.0, 19.0))


def marketplace(seed: int = 0) -> pd.DataFrame:
    """Of a hundred customers ninety-seven order once."""
    draw = np.random.default_rng(seed)
    customers = np.concatenate([np.arange(400), draw.choice(400, 12, replace=False)])
    lines = pd.DataFrame({"customer": customers, "order": np.arange(len(customers))})
    lines["day"] = pd.Timestamp("2025-01-01") + pd.to_timedelta(draw.integers(0, 365, len(lines)), "D")
    return lines.assign(product="p", quantity=1, amount=draw.gamma(2, 20, len(lines)).round(2) + 1)


def sixty_days(seed: int = 0) -> pd.DataFrame:
    """A shop that opened in November, with categories that a picture could take for formulas."""
    draw = np.random.default_rng(seed)
    lines = pd.DataFrame({"customer": draw.integers(0, 150, 700), "order": np.arange(700)})
    lines["day"] = pd.Timestamp("2025-11-02") + pd.to_timedelta(draw.integers(0, 59, 700), "D")
    names = np.array(["Under $5 & over $10", "$$", "a_b^c <b>", "100 % cotton"])
    lines["category"] = names[draw.integers(0, 4, 700)]
    return lines.assign(product="only one", quantity=1, amount=draw.gamma(2, 10, 700).round(2) + 1)


def mall(seed: int = 0) -> pd.DataFrame:
    """Two hundred customers of a mall, as most beginners get them: no spend, no orders."""
    draw = np.random.default_rng(seed)
    rich = draw.random(200) < 0.4
    table = pd.DataFrame({"gender": draw.choice(["Male", "Female"], 200), "age": draw.integers(18, 70, 200)})
    table["annual_income"] = np.where(rich, draw.normal(85, 6, 200), draw.normal(40, 6, 200)).round()
    return table.assign(
        score=np.where(draw.random(200) < 0.5, draw.normal(75, 8, 200), draw.normal(25, 8, 200)).round()
    )


def survey(seed: int = 0) -> pd.DataFrame:
    """Answers from 1 to 5, some missing, two kinds of respondents, and what they did next."""
    draw = np.random.default_rng(seed)
    kind = np.repeat([0, 1], 120)
    answers = {f"q{i}": np.clip(draw.normal(2 + 2 * (kind == i % 2), 0.8).round(), 1, 5) for i in range(6)}
    table = pd.DataFrame(answers).mask(draw.random((240, 6)) < 0.05)
    return table.assign(empty=np.nan, likes=np.where(draw.random(240) < 0.2 + 0.6 * kind, "yes", "no"))


KINDS = {
    "orders with categories": lambda folder: write_orders(
        folder, two_kinds(), 'Tea <b>&</b> "toys" | $5'.replace('"', "'")
    ),
    "orders without categories": lambda folder: write_orders(folder, two_kinds(1).drop(columns="category")),
    "a subscription": lambda folder: write_orders(folder, subscribers()),
    "a marketplace": lambda folder: write_orders(folder, marketplace()),
    "a new shop": lambda folder: write_orders(folder, sixty_days()),
    "a ready table": lambda folder: write_table(folder, mall()),
    "a survey": lambda folder: write_table(folder, survey(), 'outcomes = ["likes"]\n'),
}
