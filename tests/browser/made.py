"""The cells of a notebook that shows every block; `test_in_lab` executes it and looks at it."""

# %%
import numpy as np
import pandas as pd

from segkit import plots
from segkit.reporting.blocks import (
    action_table,
    answer,
    figure_block,
    fold,
    key_figures,
    page_style,
    page_table,
    persona_cards,
    segment_cards,
    sentence,
    title,
)

page_style()
# %%
title("Complete Journey", "2017-09")
# %%
answer("Two of three segments bring 75 % of revenue.", "They are stable.\nTrust two borders.", ["Half a month."])
# %%
key_figures({"customers": "2,446", "orders": "155,848", "revenue in the 273 days counted": "3,399,299 USD"})
# %%
segments = pd.DataFrame(
    {"segment_id": ["S1", "S2", "S3"], "segment": ["Fuel regulars", "Deal <hunters> $5 & $6", "Rare"]}
)
segments = segments.assign(
    customers=[325, 1200, 921],
    customer_share=[0.13, 0.49, 0.38],
    revenue_share=[0.31, 0.44, 0.25],
    description="325 customers (13 %) who bring 31 % of revenue. In 273 days they typically ordered 90 times.",
    action="Offer smaller discounts: they buy anyway, and discounts cost 165,484 USD.",
    caution="Don't remind them of what they buy each week.",
)
segment_cards(segments)

# %%
said = segments[["segment_id", "segment"]].assign(do="Give them a reason to buy grocery along with fuel.", count="325")
action_table(
    said.assign(files="S1 in klaviyo.csv", stake="165,484 USD of discounts", test="yes", needs="two groups of 97")
)
# %%
rows = [("apart", "orders", "90", "32"), ("apart", "share of spend on drugstore goods", "17 %", "6 %")]
rows += [("when", "days between orders", "2.9", "7.6"), ("how", "paid with coupons", "1,240 USD", "9 USD")]
rows += [("who", "household", "1 Adult No Kids (33 %)", "51 %"), ("typical", "orders", "94", "")]
personas = pd.DataFrame(
    [
        (name, section, label, label, text, of_all)
        for name in segments["segment_id"]
        for section, label, text, of_all in rows
    ],
    columns=["segment_id", "section", "feature", "label", "text", "overall_text"],
).assign(figure=90.0, low=80.0, high=99.0, overall=32.0, customers=10, known_share=0.7, differs=True)
products = pd.DataFrame({"segment_id": "S1", "level": "product", "item": ["UNLEADED $3 GASOLINE_95", "Milk"]})
products = products.assign(customers=320, lift=2.4, low=[2.2, 1.1], high=2.6, more=True)
persona_cards(segments, personas, products)
# %%
table = segments[["segment", "customers", "revenue_share"]].assign(reason="Says less about the days to come. " * 12)
page_table(table, "made", people=["customers"], shares=["revenue_share"], folded=["reason"])
# %%
sentence("Of 1,095,181 rows read, 99.2 % are sales. Goods_with_lines, 5 $ and 6 $, *stars* and <b>tags</b>.", "Two.")
# %%
figure_block(plots.plot_sizes(segments), "Share of customers and of revenue of each segment")
# %%
points = pd.DataFrame(np.random.default_rng(0).normal(size=(300, 2)), columns=["x", "y"])
axes = plots.plot_map(points.assign(segment_id=np.repeat(["S1", "S2", "S3"], 100)), segments)
# %%
fold("How sure is this?", "Each segment comes back in 94 of 100 random draws.", key_figures({"resamples": "100"}))
