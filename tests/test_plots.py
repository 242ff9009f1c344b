"""Figures draw the table they are given: labels, lengths, order; and colours stay apart for every reader."""

import io
import itertools
import subprocess
import sys

import matplotlib
import numpy as np
import pandas as pd
import pytest

matplotlib.use("Agg")

from matplotlib import pyplot as plt

from segkit import plots
from segkit.plots.style import PALETTE, spread_apart
from segkit.validation.agreement import segment_flow

SEGMENTS = pd.DataFrame(
    {
        "segment_id": ["S2", "S1", "S0"],
        "segment": ["Frequent big spenders", "Lapsed light buyers", "Unsegmented"],
        "customer_share": [0.25, 0.65, 0.1],
        "revenue_share": [0.61, 0.34, 0.05],
    }
)


@pytest.fixture(autouse=True)
def _style_and_close():
    with matplotlib.rc_context():
        plots.use_style()
        yield
    plt.close("all")


def texts(ax):
    return [text.get_text().replace("\xa0", " ") for text in ax.texts]


def names_on(axis):
    return [label.get_text().replace("\n", " ") for label in axis.get_ticklabels()]


def test_colours_do_not_depend_on_the_order_of_ids_and_the_unsegmented_are_grey():
    colours = plots.segment_colours(["S10", "S0", "S2"])
    assert colours == plots.segment_colours(["S2", "S10", "S0"])
    assert list(colours) == ["S0", "S2", "S10"]
    assert len(set(plots.segment_colours([f"S{number}" for number in range(13)]).values())) == 13


@pytest.mark.parametrize("kind", ["all cones", "no green cones", "no red cones"])
def test_the_first_six_colours_differ_for_colour_blind_readers(kind):
    # Viénot, Brettel & Mollon (1999): what linear light becomes without one kind of cone
    without = {"no red cones": (0.11238, 0.88762, 0.00401), "no green cones": (0.29275, 0.70725, -0.02234)}
    light = np.array([matplotlib.colors.to_rgb(colour) for colour in PALETTE[:6]]) ** 2.2
    if kind in without:
        a, b, c = without[kind]
        light = light @ np.array([[a, b, 0], [a, b, 0], [c, -c, 1]]).T
    seen = light.clip(0, 1) ** (1 / 2.2)
    assert min(np.linalg.norm(one - other) for one, other in itertools.combinations(seen, 2)) > 0.12


def test_sizes_are_drawn_and_written_as_in_the_table():
    ax = plots.plot_sizes(SEGMENTS)
    assert [bar.get_width() for bar in ax.containers[0]] == [0.61, 0.34, 0.05]
    assert {"61 % of revenue", "25 % of customers"} <= set(texts(ax))
    assert names_on(ax.yaxis) == SEGMENTS["segment"].tolist()


def profile():
    rows = [
        ("S1", "spend", "value", -0.9, True),
        ("S1", "order_count", "lifecycle", -0.2, False),
        ("S2", "spend", "value", 4.0, True),
        ("S2", "order_count", "lifecycle", 0.7, True),
        ("S2", "mean_gap_days", "rhythm", 0.1, False),
    ]
    return pd.DataFrame(rows, columns=["segment_id", "feature", "family", "effect_sd", "differs"]).assign(level="")


def test_a_profile_fills_only_what_differs_and_leaves_out_what_never_does():
    figure = plots.plot_profile(profile(), SEGMENTS.head(2))
    first, second = figure.axes[:2]
    assert names_on(first.yaxis) == ["spend", "orders"]
    white = [bar.get_facecolor()[:3] == (1, 1, 1) for bar in second.patches]
    assert white == [True, False]
    assert texts(first) == ["+4.0"]  # longer than the panel: cut, and its figure written
    assert figure.get_supxlabel() == "difference from all customers, in standard deviations"


def test_a_map_has_no_ticks_and_at_most_five_thousand_points():
    rng = np.random.default_rng(0)
    positions = pd.DataFrame(rng.normal(size=(6000, 2)), columns=["x", "y"]).assign(segment_id=["S1", "S2"] * 3000)
    ax = plots.plot_map(positions, SEGMENTS)
    assert len(ax.collections[0].get_offsets()) == 5000
    assert {text.replace("\n", " ") for text in texts(ax)} == {"Frequent big spenders", "Lapsed light buyers"}
    assert not names_on(ax.xaxis)


def test_maps_of_several_candidates_keep_a_segments_colour():
    rng = np.random.default_rng(0)
    customers = pd.Index([f"c{number}" for number in range(60)])
    positions = pd.DataFrame(rng.normal(size=(60, 2)), columns=["x", "y"], index=customers)
    label = np.repeat([0, 1, -1], 20)
    labels = pd.DataFrame({"kmeans-2": label, "gmm-2": np.array([1, 0, -1])[label]}, index=customers)
    figure = plots.plot_maps(positions, labels, {"kmeans-2": "k-means, 2", "gmm-2": "mixture, 2"})
    first, second = (ax.collections[0].get_facecolors() for ax in figure.axes[:2])
    np.testing.assert_array_equal(first, second)
    assert [ax.get_title(loc="left") for ax in figure.axes[:2]] == ["k-means, 2", "mixture, 2"]
    figure = plots.plot_maps(positions, labels, {"kmeans-2": "", "gmm-2": ""}, ("S3", "S1"))
    colours = {tuple(colour[:3]) for colour in figure.axes[0].collections[0].get_facecolors()}
    own = plots.segment_colours(["S0", "S1", "S3"]).values()
    assert colours == {matplotlib.colors.to_rgb(colour) for colour in own}


def test_concentration_writes_what_the_top_customers_hold():
    table = pd.DataFrame({"customer_share": [0, 0.2, 1], "revenue_share": [0, 0.6, 1]})
    ax = plots.plot_concentration(table)
    assert "top 20 %: 60 %" in texts(ax)
    assert ax.get_ylabel() == "share of revenue"


def test_candidates_are_ringed_and_families_named_at_their_lines():
    table = pd.DataFrame(
        {
            "family": ["kmeans", "kmeans", "gmm", "gmm"],
            "segments": [2, 3, 2, 2],
            "silhouette": [0.3, 0.2, 0.1, 0.15],
            "bic": [np.nan] * 4,
            "chosen": [False, True, False, False],
        }
    )
    families = pd.DataFrame({"name": ["kmeans"], "title": ["k-means"], "colour": ["#0072B2"]})
    figure = plots.plot_candidates(table, ["silhouette", "bic"], families)
    visible = [ax for ax in figure.axes if ax.get_visible()]
    assert [ax.get_title(loc="left") for ax in visible] == ["silhouette"]
    assert set(texts(visible[0])) == {"k-means", "gmm"}
    best_of_mixtures = [line for line in visible[0].lines if len(line.get_xdata()) == 1][0]
    assert best_of_mixtures.get_ydata()[0] == 0.15


def test_incomplete_months_are_outlined_and_called_so():
    sales = pd.DataFrame({"month": ["2017-08", "2017-09"], "revenue": [300.0, 90.0], "complete": [True, False]})
    ax = plots.plot_sales(sales, "USD")
    assert texts(ax) == ["incomplete"]
    assert ax.get_ylabel() == "revenue per month (USD)"
    assert [bar.get_height() for bar in ax.patches] == [300.0, 90.0]


def test_categories_beyond_the_most_are_summed():
    table = pd.DataFrame({"category": ["GROCERY", "FUEL", "DELI", "FLORAL"], "revenue_share": [0.5, 0.3, 0.15, 0.05]})
    ax = plots.plot_categories(table, most=2)
    assert names_on(ax.yaxis) == ["Grocery", "Fuel", "2 others"]
    assert texts(ax) == ["50 %", "30 %", "20 %"]


def test_distributions_draw_the_bins_given():
    bins = pd.DataFrame({"left": [0.0, 0.5], "right": [0.5, 1.0], "customer_share": [0.9, 0.1]})
    table = bins.assign(feature="discount_share", family="price", unit="share of spend", log=False)
    figure = plots.plot_distributions(table)
    assert figure.axes[0].get_title(loc="left") == "discounts"
    assert figure.axes[0].get_xlabel() == "share of spend"


def test_who_joins_and_who_left_is_named_where_ten_or_more_do():
    rows = [("S1", "S1", 80), ("joined", "S1", 12), ("S1", "left", 15), ("S2", "S2", 50), ("joined", "S2", 0)]
    first = pd.DataFrame(rows, columns=["from_segment_id", "to_segment_id", "customers"])
    second = first.iloc[[0, 3]].assign(customers=[92, 50])
    flows = [
        first.assign(from_month="2025-01", to_month="2025-02"),
        second.assign(from_month="2025-02", to_month="2025-03"),
    ]
    told = {text.get_text() for text in plots.plot_migrations(pd.concat(flows), {"S1": "Loyal", "S2": "New"}).texts}
    assert told == {"will join  12", "left  15", "Loyal  92", "New  50"}
    few = [flow.assign(customers=flow["customers"].mask(flow["customers"].between(1, 20), 9)) for flow in flows]
    assert len(plots.plot_migrations(pd.concat(few), {}).texts) == 2


def test_stability_shows_each_segment_with_its_figure():
    ax = plots.plot_stability(SEGMENTS.assign(jaccard=[0.9, 0.7, 0.5], low=0.4, high=0.95))
    assert {"0.90", "0.70", "0.50"} <= set(texts(ax))
    assert names_on(ax.yaxis) == SEGMENTS["segment"].tolist()


def test_agreement_is_written_once_for_each_pair():
    names = ["kmeans-4", "ward-4", "gmm-4"]
    table = pd.DataFrame([[1, 0.8, 0.4], [0.8, 1, -0.002], [0.4, -0.002, 1]], index=names, columns=names)
    ax = plots.plot_agreement(table)
    assert texts(ax) == ["0.80", "0.40", "0.00"]
    assert names_on(ax.yaxis) == ["ward-4", "gmm-4"]


def test_labels_keep_their_order_and_their_distance():
    places = spread_apart([0.3, 0.1, 0.2, 9.0], 1.0)
    assert np.argsort(places).tolist() == [1, 2, 0, 3]
    assert np.diff(sorted(places)).min() >= 1.0 - 1e-9


STABILITY = pd.DataFrame(
    {
        "candidate_id": ["kmeans-2"] * 2 + ["kmeans-3"] * 3 + ["hdbscan-50"],
        "customers": [60, 40, 50, 30, 20, 90],
        "jaccard": [0.9, 0.8, 0.7, 0.4, 0.3, 0.6],
        "resamples": [100, 100, 20, 20, 20, 100],
    }
)


def test_every_candidate_has_its_column_of_dots_and_those_given_up_are_hollow():
    axes = plots.plot_stabilities(STABILITY, "kmeans-2").axes
    assert [ax.get_title(loc="left") for ax in axes] == ["kmeans", "hdbscan"]
    assert [ax.xaxis.get_label_text() for ax in axes] == ["segments", "number in the candidate's id"]
    assert names_on(axes[0].xaxis) == ["2", "3"]
    dots = [each for each in axes[0].collections if isinstance(each, matplotlib.collections.PathCollection)]
    heights = dots[0].get_offsets()[:, 1]
    hollow = [matplotlib.colors.to_hex(colour) == "#ffffff" for colour in dots[0].get_facecolors()]
    assert dict(zip(heights.tolist(), hollow, strict=True)) == {0.9: False, 0.8: False, 0.7: True, 0.4: True, 0.3: True}
    assert "chosen" in texts(axes[0])
    legend = plots.plot_stabilities(STABILITY, "kmeans-2").legends[0]
    told = [text.get_text() for text in legend.get_texts()]
    assert told[:2] == ["kept to the end: 100 resamples", "given up sooner: a segment surely dissolves"]


def test_a_flow_draws_each_segment_as_high_as_its_share_and_every_customer_goes_somewhere():
    flow = segment_flow({"kmeans-2": np.repeat([0, 1], [60, 40]), "kmeans-3": np.repeat([0, 2, 1], [45, 15, 40])})
    ax = plots.plot_flow(flow)
    heights = [box.get_height() for box in ax.patches]
    assert heights == pytest.approx([0.6, 0.4, 0.45, 0.15, 0.4])
    assert names_on(ax.xaxis) == ["2", "3"]
    assert len(ax.collections) == len(flow) == 3
    assert texts(ax)[:2] == ["60%", "40%"]


def test_a_flow_gives_the_chosen_segments_their_own_colours_and_those_beside_them_their_kins():
    solutions = {
        "k-2": np.repeat([0, 1], [60, 40]),
        "k-3": np.repeat([0, 2, 1], [45, 15, 40]),
        "k-4": np.arange(100) // 25,
    }
    flow = segment_flow(solutions)
    names = np.array(["New", "Loyal", "Rare"])  # labels 0, 1, 2 of k-3
    for side in ("", "next_"):
        named = names[flow[f"{side}label"].clip(upper=2)]
        flow[f"{side}segment"] = np.where(flow[f"{side}candidate_id"] == "k-3", named, "1 of 9")
    segments = pd.DataFrame({"segment_id": ["S1", "S2", "S3"], "segment": ["Loyal", "New", "Rare"]})
    ax = plots.plot_flow(flow, segments)
    loyal, new, rare = plots.segment_colours(segments["segment_id"]).values()
    boxes = [matplotlib.colors.to_hex(box.get_facecolor()).upper() for box in ax.patches]
    assert boxes[:5] == [new, loyal, new, rare, loyal]
    assert {new, loyal} < set(boxes[5:])
    assert [text.get_text() for text in ax.get_legend().get_texts()] == ["Loyal", "New", "Rare"]
    assert names_on(ax.xaxis)[1] == "3 chosen"


def candidates(families=("kmeans", "toy")):
    rows = [
        (family, f"{family}-{k}", k, 0.1 * k, 0.3 + 0.1 * place, 0.2, k == 3 and not place)
        for place, family in enumerate(families)
        for k in (2, 3)
    ]
    names = ["family", "candidate_id", "segments", "silhouette", "forward_value", "forward_behaviour", "chosen"]
    return pd.DataFrame(rows, columns=names)


def test_a_family_that_nobody_knows_is_in_every_picture_in_a_colour_of_its_own():
    known = {"kmeans": "#0072B2"}
    figures = [
        plots.plot_candidates(candidates(), ["silhouette"], known),
        plots.plot_frontier(candidates(), families=known).figure,
    ]
    for figure in figures:
        assert "toy" in texts(figure.axes[0])
        points = [each for each in figure.axes[0].collections if len(each.get_offsets()) == 4]
        drawn = {matplotlib.colors.to_hex(colour) for colour in points[0].get_facecolors()}
        assert len(drawn) == 2
    stability = STABILITY.assign(candidate_id=STABILITY["candidate_id"].str.replace("hdbscan", "toy"))
    titles = [ax.get_title(loc="left") for ax in plots.plot_stabilities(stability, families=known).axes]
    assert titles == ["kmeans", "toy"]


def test_the_intervals_that_are_drawn_are_those_of_the_table():
    table = candidates().assign(forward_value_low=0.1, forward_value_high=0.6)
    table = table.assign(forward_behaviour_low=0.05, forward_behaviour_high=0.25)
    ax = plots.plot_frontier(table)
    ends = {tuple(map(tuple, path)) for lines in ax.collections[:2] for path in lines.get_segments()}
    assert ((0.1, 0.2), (0.6, 0.2)) in ends
    assert ((0.3, 0.05), (0.3, 0.25)) in ends


ODD = "$a_b^2$ \\frac\nx"  # would be a formula, or an error


@pytest.mark.parametrize("style", [{}, {"text.parse_math": True}])
def test_names_are_text_and_never_formulas(style):
    segments = SEGMENTS.head(2).assign(segment=[ODD, "_own"], jaccard=0.8)
    flow = segment_flow({f"{ODD}-2": np.repeat([0, 1], [60, 40]), "k-3": np.repeat([0, 2, 1], [45, 15, 40])})
    flow = flow.assign(segment=[ODD, ODD, "_own"], next_segment="")
    with matplotlib.rc_context(style):
        pictures = [plots.plot_sizes(segments), plots.plot_stability(segments), plots.plot_flow(flow, segments)]
        pictures += [plots.plot_candidates(candidates(("$x$", "a_$")), ["silhouette"]).axes[0]]
        for ax in pictures:
            ax.figure.canvas.draw()
    shown = [text.get_text() for text in pictures[2].get_legend().get_texts()]
    assert shown == ["$a_b^2$ \\frac x", " _own"]


def test_where_there_is_nothing_to_draw_the_picture_says_why():
    none = pd.DataFrame
    plt.rcParams["figure.max_open_warning"] = 0
    kpis = none({"segment_id": ["S1"], "segment": "a", "kpi": "retention", "unit": "share", "figure": np.nan})
    pictures = [
        plots.plot_kpis(kpis),
        plots.plot_kpis(kpis.head(0)),
        plots.plot_sizes(SEGMENTS.head(0)).figure,
        plots.plot_profile(profile().assign(differs=False), SEGMENTS).figure,
        plots.plot_profile(profile().head(0), SEGMENTS).figure,
        plots.plot_map(none({"x": [], "y": [], "segment_id": []}), SEGMENTS).figure,
        plots.plot_stability(SEGMENTS.head(0).assign(jaccard=[])).figure,
        plots.plot_stabilities(STABILITY.head(0)),
        plots.plot_candidates(candidates(), ["bic"]),
        plots.plot_candidates(candidates().head(0)),
        plots.plot_frontier(candidates().assign(forward_value=np.nan)).figure,
        plots.plot_agreement(none([[1.0]], ["a"], ["a"])).figure,
        plots.plot_maps(none({"x": [], "y": []}), none(), {}),
        plots.plot_sales(none({"month": [], "revenue": []})).figure,
        plots.plot_concentration(none({"customer_share": [0.0], "revenue_share": [0.0]})).figure,
        plots.plot_categories(none({"category": [], "revenue_share": []})).figure,
        plots.plot_distributions(none({"feature": []})),
        plots.plot_migrations(none(), {}).figure,
        plots.plot_flow(none()).figure,
        plots.plot_series(none({"month": [], "segment_id": [], "customer_share": []}), "customer_share", {}).figure,
        plots.plot_drift(none({"psi": []})).figure,
        plots.plot_targets(none({"attractiveness": [], "ability": []})).figure,
    ]
    for picture in pictures:
        (reason,) = [text.get_text() for text in picture.texts]
        assert reason.endswith(".")


def test_one_segment_alone_can_be_drawn():
    one = SEGMENTS.head(1).assign(jaccard=0.9, customers=40)
    plots.plot_sizes(one)
    plots.plot_profile(profile(), one)
    plots.plot_map(pd.DataFrame({"x": [0.0], "y": [0.0], "segment_id": ["S2"]}), one)
    ends = {f"{name}_{end}": 0.5 for name in ("attractiveness", "ability") for end in ("low", "high")}
    plots.plot_targets(one.assign(attractiveness=0.5, ability=0.5, **ends)).figure.canvas.draw()
    moves = pd.DataFrame({"from_segment_id": ["S2"], "to_segment_id": "S2", "customers": 40})
    plots.plot_migrations(moves.assign(from_month="2025-01", to_month="2025-02"), {})


def test_the_size_of_a_figure_does_not_hang_on_what_stands_in_it():
    rng = np.random.default_rng(0)
    sizes = set()
    for wide in (1, 5):
        points = pd.DataFrame({"x": wide * rng.normal(size=50), "y": rng.normal(size=50), "segment_id": "S2"})
        figure = plots.plot_map(points, SEGMENTS.assign(segment="a long name " * wide)).figure
        image = plt.imread(io.BytesIO(plots.style.small_png(figure)))
        sizes.add((repr(figure), image.shape))
    assert len(sizes) == 1


def test_a_figure_leaves_the_settings_of_others_alone_but_for_what_its_backend_sets():
    code = "import matplotlib; matplotlib.use('agg'); import pandas as pd; from segkit import plots\n"
    code += "before = dict(matplotlib.rcParams); plots.plot_drift(pd.DataFrame({'psi': []}))\n"
    code += "print(dict(matplotlib.rcParams) == before)"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout == "True\n"


def test_importing_the_figures_loads_no_matplotlib():
    code = "import segkit.plots, sys; print('matplotlib' in sys.modules, 'seaborn' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout == "False False\n"
