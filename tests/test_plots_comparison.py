"""Pictures of several models show each one's numbers in its own colour, whatever the names and the scales."""

from __future__ import annotations

from dataclasses import dataclass
from xml.etree import ElementTree

import numpy as np
import pytest
from matplotlib.axes import Axes

from softreg.errors import DataError, UsageError
from softreg.plots import (
    AgreementDisplay,
    DifferencesDisplay,
    Display,
    IntervalsDisplay,
    LossDisplay,
    MarginsDisplay,
    MassesDisplay,
    RegionsDisplay,
    ReliabilityDisplay,
    SuboptimalityDisplay,
    TracesDisplay,
    WeightsDisplay,
)
from softreg.plots.style import COLOURS
from softreg.text import percent

HOSTILE = ["$\\nope$", "a\x00b", "<script>", "x" * 5000, "_hidden"]
MODELS = ["softmax", "weston_watkins", "crammer_singer"]
RNG = np.random.default_rng(4)


@dataclass
class Bins:
    confidence: np.ndarray
    accuracy: np.ndarray
    count: np.ndarray


def a_history(points=30, start=2.0, rate=0.5):
    t = np.arange(points)
    objective = 0.1 + start * np.exp(-rate * t)
    return {
        "iteration": t.tolist(),
        "passes": (1 + 2 * t).tolist(),
        "seconds": (0.01 * t).tolist(),
        "objective": objective.tolist(),
        "loss": objective.tolist(),
        "certificate": [None, *(10.0 ** -(t[1:] / 4)).tolist()],
        "zero_gradient": [t_ / points if t_ % 2 == 0 else None for t_ in t.tolist()],
        "norm": np.sqrt(t).tolist(),
    }


def some_bins():
    confidence = np.linspace(0.4, 0.99, 15)
    return Bins(confidence, confidence - 0.05, np.full(15, 10))


def names_of(n):
    return (HOSTILE + [f"model {i}" for i in range(n)])[:n]


def regions(names, classes=("a", "b", "c")):
    X = RNG.normal(size=(40, 2))
    models = {name: RNG.normal(size=(3, len(classes))) for name in names}
    return RegionsDisplay.from_models(models, X, np.arange(40) % len(classes), list(classes), [names[0], names[-1]])


EVERY_DISPLAY = {
    "margins": lambda names: MarginsDisplay.from_margins({n: RNG.normal(2, 1, 100) for n in names}),
    "margins of many scales": lambda names: MarginsDisplay.from_margins(
        {n: 20.0**i * RNG.normal(2, 1, 100) for i, n in enumerate(names)}
    ),
    "masses": lambda names: MassesDisplay.from_masses({n: np.maximum(RNG.normal(0, 1, 100), 0) for n in names}),
    "zero gradient": lambda names: TracesDisplay.from_histories({n: a_history() for n in names}, "zero_gradient"),
    "norm": lambda names: TracesDisplay.from_histories({n: a_history() for n in names}, "norm", names[0], log=True),
    "suboptimality": lambda names: SuboptimalityDisplay.from_histories(
        {n: a_history() for n in names}, certified=names[:1]
    ),
    "reliability": lambda names: ReliabilityDisplay.from_bins({n: some_bins() for n in names}, {names[0]: some_bins()}),
    "intervals": lambda names: IntervalsDisplay.from_estimates(
        {names[-1]: dict.fromkeys(names, (0.5, 0.4, 0.6)), "F1": dict.fromkeys(names, (0.5, np.nan, np.nan))}
    ),
    "differences": lambda names: DifferencesDisplay.from_rows(
        [(n, "accuracy", 0.01, -0.01, 0.03) for n in names], names[0]
    ),
    "regions": regions,
    "regions of classes": lambda names: regions(["softmax"], names),
    "agreement": lambda names: AgreementDisplay.from_rows({n: RNG.random(200) < 0.6 for n in names}),
    "weights": lambda names: WeightsDisplay.from_models(
        {n: RNG.normal(size=(len(names), 4)) for n in names}, names, list("abcd"), unit=names[0]
    ),
    "weight images": lambda names: WeightsDisplay.from_models(
        {n: RNG.normal(size=(len(names), 4)) for n in names}, names, shape=(2, 2), unit=names[0]
    ),
}
every_display = pytest.mark.parametrize("make", EVERY_DISPLAY.values(), ids=EVERY_DISPLAY)


# What is drawn is what was given.


def test_margins_say_how_many_rows_are_wrong_within_the_margin_and_beyond():
    display = MarginsDisplay.from_margins({"softmax": [-1.0, 0.0, 0.5, 1.0, 3.0], "hinge": [1.0, 1.0, 1.0, 1.0, 2.0]})
    titles = [panel.get_title(loc="left") for panel in display.axes_]
    assert titles == [
        "softmax: 40.0 % wrong, 20.0 % right within the margin, 40.0 % beyond",
        "hinge: 0 % wrong, 0 % right within the margin, 100 % beyond",
    ]


@pytest.mark.parametrize("scale", [1.0, 50.0, 1e6])
def test_every_row_is_in_one_bar_of_its_margin_panel(scale):
    display = MarginsDisplay.from_margins({"softmax": scale * RNG.normal(1, 1, 500), "hinge": RNG.normal(1, 0.2, 500)})
    for panel in display.axes_:
        (steps,) = panel.patches
        heights, edges, _ = steps.get_data()
        assert heights.sum() == pytest.approx(1.0)  # a sum of fifty shares
        assert (np.diff(edges) > 0).all()


def test_a_hinges_heap_at_the_margin_is_in_one_bar_however_the_solver_rounded():
    heap = 1.0 + np.linspace(-1e-4, 1e-4, 100)
    display = MarginsDisplay.from_margins({"hinge": [*heap, *np.linspace(-1, 5, 100)]})
    (steps,) = display.axes_[0].patches
    assert steps.get_data()[0].max() >= 0.5


@pytest.mark.parametrize(("factor", "scale"), [(5.0, "linear"), (50.0, "symlog")])
def test_margins_are_logarithmic_far_out_only_where_one_model_is_much_larger(factor, scale):
    small = RNG.uniform(0, 3, 200)
    display = MarginsDisplay.from_margins({"softmax": factor * small, "hinge": small})
    assert [panel.get_xscale() for panel in display.axes_] == [scale] * 2


def test_masses_fall_and_the_rows_of_zero_have_their_own_line():
    ax = MassesDisplay.from_masses({"hinge": [0.0, 1.0, 0.1, 0.0]}).ax_
    (line, _) = ax.get_lines()
    share, height = line.get_data()
    assert height[:2].tolist() == [0.0, -1.0]  # powers of ten
    assert share[height == height.min()].tolist() == [0.5, 1.0]
    ax.figure.draw_without_rendering()
    assert ax.get_yticklabels()[0].get_text() == "exactly 0"


def test_positive_masses_have_no_line_of_zero():
    ax = MassesDisplay.from_masses({"softmax": [0.5, 1e-300]}).ax_
    ax.figure.draw_without_rendering()
    assert len(ax.get_lines()) == 1
    assert "exactly 0" not in [label.get_text() for label in ax.get_yticklabels()]


def test_traces_are_the_watched_column_where_somebody_looked():
    history = a_history(4)
    ax = TracesDisplay.from_histories({"softmax": history}, "zero_gradient").ax_
    (line,) = ax.get_lines()
    assert (line.get_xdata().tolist(), line.get_ydata().tolist()) == ([0, 2], [0.0, 0.5])
    assert ax.get_ylabel() == "rows of exactly zero gradient"


def test_suboptimality_begins_at_one_and_ends_at_what_the_certificate_proves():
    history = a_history(3) | {"objective": [5.0, 2.0, 1.0], "certificate": [None, None, 0.2]}
    (line,) = SuboptimalityDisplay.from_histories({"softmax": history}, x="iteration").ax_.get_lines()
    np.testing.assert_allclose(line.get_ydata(), [1.0, 1.2 / 4.2, 0.2 / 4.2], rtol=1e-15)  # bound 0.8


def test_suboptimality_of_a_loss_that_can_be_zero_is_against_the_given_bound():
    history = a_history(3) | {"objective": [4.0, 1.0, 0.0], "certificate": [None, None, 0.0]}
    (line,) = SuboptimalityDisplay.from_histories({"hinge": history}, bounds={"hinge": 0.0}).ax_.get_lines()
    assert line.get_ydata().tolist() == [1.0, 0.25]  # zero has no place on the axis


def test_certified_ends_are_ringed():
    runs = {"softmax": a_history(), "hinge": a_history()}
    plain, ringed = (
        SuboptimalityDisplay.from_histories(runs),
        SuboptimalityDisplay.from_histories(runs, certified=["hinge"]),
    )
    assert len(ringed.ax_.get_lines()) == len(plain.ax_.get_lines()) + 1


def test_reliability_lines_are_the_bins_raw_ones_hollow():
    bins = some_bins()
    ax = ReliabilityDisplay.from_bins({"softmax": bins}, {"softmax": bins}).ax_
    _, calibrated, raw = ax.get_lines()
    for line in (calibrated, raw):
        np.testing.assert_array_equal(line.get_xdata(), bins.confidence)
        np.testing.assert_array_equal(line.get_ydata(), bins.accuracy)
    assert raw.get_markerfacecolor() == "white" != calibrated.get_markerfacecolor()
    assert [text.get_text() for text in ax.get_legend().get_texts()] == ["softmax", "softmax, raw"]


def test_an_interval_reaches_from_low_to_high_and_a_value_without_one_is_hollow():
    display = IntervalsDisplay.from_estimates(
        {"accuracy": {"a": (0.5, 0.4, 0.7)}, "calibration error": {"a": (0.1, np.nan, np.nan)}}
    )
    with_interval, without = display.axes_
    (segments,) = with_interval.collections[0].get_segments()
    np.testing.assert_allclose(segments[:, 0], [0.4, 0.7], rtol=1e-15)
    assert not without.collections
    assert without.get_lines()[0].get_markerfacecolor() == "white"


def test_differences_name_the_model_and_the_reference_beside_a_line_of_zero():
    display = DifferencesDisplay.from_rows([("hinge", "accuracy", 0.01, -0.01, 0.03)], "softmax")
    (panel,) = display.axes_
    assert [label.get_text() for label in panel.get_yticklabels()] == ["hinge − softmax"]
    assert any(list(line.get_xdata()) == [0.0, 0.0] for line in panel.get_lines())


def test_agreement_counts_every_row_once_under_who_was_right():
    right = {"softmax": [1, 1, 1, 0, 0, 0], "hinge": [1, 1, 0, 1, 0, 0], "nearest": [1, 1, 0, 0, 0, 1]}
    assert AgreementDisplay.from_rows(right).bars() == [
        ("all right", 2),
        ("only nearest right", 1),
        ("only hinge right", 1),
        ("only softmax right", 1),
        ("all wrong", 1),
    ]


@pytest.mark.parametrize("n_models", [1, 2, 3, 5, 8])
def test_agreement_has_at_most_seventeen_bars_and_loses_no_row(n_models):
    bars = AgreementDisplay.from_rows({str(i): RNG.random(600) < 0.5 for i in range(n_models)}).bars()
    assert len(bars) <= 17
    assert sum(count for _, count in bars) == 600


def test_region_boundaries_are_where_two_logits_are_equal_and_wrong_rows_are_ringed():
    W = np.array([[1.0, -1.0], [0.0, 0.0], [0.0, 0.0]])  # class 0 where the first feature is positive
    X, y = np.array([[1.0, 0.0], [-1.0, 1.0], [0.5, 0.5]]), np.array([0, 1, 1])
    display = RegionsDisplay.from_models({"softmax": W}, X, y, ["yes", "no"], ["f", "g"])
    (panel,) = display.axes_
    assert panel.get_title(loc="left") == "softmax: 33.3 % wrong"
    rings = panel.get_lines()[-1]
    assert rings.get_xydata().tolist() == [[0.5, 0.5]]
    boundary = panel.collections[0].get_paths()[0].vertices
    np.testing.assert_allclose(boundary[:, 0], 0.0, atol=1e-12)  # linear interpolation of a linear function


def test_regions_of_a_function_are_those_of_its_weights():
    W, X = RNG.normal(size=(3, 4)), RNG.normal(size=(30, 2))
    y = (X @ W[:2] + W[2]).argmax(axis=1)
    display = RegionsDisplay.from_models({"W": W, "f": lambda P: (P @ W[:2] + W[2]).argmax(axis=1)}, X, y, "abcd")
    one, other = (panel.get_images()[0].get_array() for panel in display.axes_)
    np.testing.assert_array_equal(one, other)


def test_weights_of_several_models_share_one_scale_symmetric_about_zero():
    models = {"softmax": [[4.0, -1.0], [0.0, 1.0]], "hinge": [[-0.5, 0.5], [0.1, 0.2]]}
    for shape in (None, (1, 2)):
        display = WeightsDisplay.from_models(models, "ab", shape=shape)
        images = [image for panel in display.axes_ for image in panel.get_images()]
        assert {image.get_clim() for image in images} == {(-4.0, 4.0)}
        assert [panel.get_title(loc="left") for panel in display.axes_] == ["softmax", "hinge"]


# One colour a model.


@pytest.mark.parametrize(
    "draw",
    [
        lambda: MassesDisplay.from_masses({"a": [], "b": [1.0, 0.5]}).ax_.get_lines()[0],
        lambda: TracesDisplay.from_histories(
            {"a": {name: [] for name in a_history()}, "b": a_history()}, "norm"
        ).ax_.get_lines()[0],
        lambda: LossDisplay.from_histories(
            {"a": {name: [] for name in a_history()}, "b": a_history()}
        ).ax_.get_lines()[0],
        lambda: ReliabilityDisplay.from_bins({"a": None, "b": some_bins()}).ax_.get_lines()[1],
        lambda: DifferencesDisplay.from_rows([("b", "accuracy", 0.1, 0.0, 0.2)], "a").axes_[0].get_lines()[0],
        lambda: IntervalsDisplay(
            {"accuracy": {"b": (0.1, 0.0, 0.2)}}, models=["a", "b"]
        ).plot().axes_[0].get_lines()[0],
    ],
)  # fmt: skip
def test_a_model_keeps_its_colour_where_the_one_before_it_has_nothing_to_show(draw):
    assert draw().get_color() == COLOURS[1]


# Any number of models and classes, any names.


@every_display
@pytest.mark.parametrize("n", [1, 2, 5])
def test_one_to_five_hostile_names_give_pictures_without_a_warning(make, n, tmp_path):
    if n == 1 and make is EVERY_DISPLAY["regions of classes"]:
        n = 2  # one class needs no boundary, nor a picture
    display = make(names_of(n))
    display.save(tmp_path / "a.svg")
    ElementTree.parse(tmp_path / "a.svg")
    assert isinstance(display, Display)


@pytest.mark.parametrize("kind", ["regions of classes", "weights", "weight images"])
def test_a_hundred_classes_are_drawn_without_a_warning(kind, tmp_path):
    names = names_of(100) if kind == "regions of classes" else names_of(5)
    if kind == "regions of classes":
        display = EVERY_DISPLAY[kind](names)
    else:
        shape = (2, 2) if kind == "weight images" else None
        display = WeightsDisplay.from_models({n: RNG.normal(size=(100, 4)) for n in names}, names_of(100), shape=shape)
    display.save(tmp_path / "a.png", dpi=50)


@every_display
def test_no_two_texts_of_a_picture_touch(make):
    from matplotlib.text import Text

    display = make(names_of(3))
    display.figure_.draw_without_rendering()
    texts = set(display.figure_.findobj(Text)) - _not_drawn(display.figure_)
    shown = [text for text in texts if text.get_text().strip() and text.get_visible()]
    boxes = [(t.get_text(), t.get_window_extent().padded(-1.0)) for t in shown]
    for i, (text, box) in enumerate(boxes):
        for other, another in boxes[i + 1 :]:
            assert not box.overlaps(another), (text, other)


def _not_drawn(figure):
    """Labels of ticks beyond the ends of an axis, and of axes that are switched off: they exist, but are not shown."""
    from matplotlib.text import Text

    hidden = set()
    for axes in figure.findobj(Axes):
        for axis in (axes.xaxis, axes.yaxis):
            low, high = sorted(axis.get_view_interval())
            for tick in (*axis.get_major_ticks(), *axis.get_minor_ticks()):
                if not (axes.axison and low <= tick.get_loc() <= high):
                    hidden |= {tick.label1, tick.label2}
            if not axes.axison:
                hidden |= set(axis.findobj(Text))
    return hidden


@every_display
def test_panels_fit_where_an_axes_can_stand(make):
    from matplotlib.figure import Figure

    display = make(["a", "b"])
    for layout in ("constrained", None):
        figure = Figure(figsize=(14, 6), layout=layout)
        ax = figure.subplots(1, 2)[1]
        assert display.plot(ax=ax) is display
        assert display.ax_ is ax
        figure.draw_without_rendering()
    display.plot(ax=Figure().add_axes((0.2, 0.2, 0.6, 0.6)))


@every_display
def test_the_same_numbers_give_the_same_bytes(make, tmp_path):
    display = make(["a", "b"])
    display.save(tmp_path / "first.svg")
    display.plot().save(tmp_path / "second.svg")
    assert (tmp_path / "first.svg").read_bytes() == (tmp_path / "second.svg").read_bytes()


@pytest.mark.parametrize(
    ("share", "text"), [(0.0, "0 %"), (1e-5, "<0.1 %"), (0.0311, "3.1 %"), (1 - 1e-5, ">99.9 %"), (1.0, "100 %")]
)
def test_a_share_is_said_to_be_nothing_or_all_only_where_it_is(share, text):
    assert percent(share) == text


# What cannot be drawn.


@pytest.mark.parametrize(
    ("draw", "error", "finding"),
    [
        (lambda: MarginsDisplay({}), DataError, "no model has margins"),
        (lambda: MarginsDisplay({"a": [np.inf]}), DataError, "finite"),
        (lambda: MarginsDisplay({"a": [1.0]}, margin=0.0), UsageError, "margin 0.0"),
        (lambda: MarginsDisplay({"a": [[1.0]]}), DataError, "a: margins of shape"),
        (lambda: MassesDisplay({"a": [-1.0]}), DataError, "not negative"),
        (lambda: MassesDisplay({"a": [np.nan]}), DataError, "a: masses hold NaN"),
        (lambda: TracesDisplay.from_histories({"a": a_history()}, "weather"), DataError, "positive|finite weather"),
        (lambda: SuboptimalityDisplay({"a": a_history()}, certified=["b"]), DataError, "no history of 'b'"),
        (lambda: ReliabilityDisplay({"a": None}), DataError, "no model has probabilities"),
        (lambda: ReliabilityDisplay({"a": some_bins()}, {"b": some_bins()}), DataError, "'b': raw bins"),
        (lambda: IntervalsDisplay({"accuracy": {"a": (np.nan, 0.0, 1.0)}}), DataError, "no finite value"),
        (lambda: DifferencesDisplay([], "a"), DataError, "no finite value"),
        (lambda: AgreementDisplay({"a": [True], "b": [True, False]}), DataError, "different numbers of rows"),
        (lambda: RegionsDisplay({}, [[0.0, 0.0]], [0], "a"), DataError, "no model"),
        (lambda: RegionsDisplay({"a": np.ones((4, 1))}, [[0.0, 0.0]], [0], "a"), DataError, "not \\(3, 1\\)"),
        (lambda: RegionsDisplay({"a": np.ones((3, 1))}, [[0.0]], [0], "a"), DataError, "not \\(n, 2\\)"),
        (lambda: RegionsDisplay({"a": np.ones((3, 1))}, [[0.0, 0.0]], [1], "a"), DataError, "from 0 to 0"),
        (lambda: WeightsDisplay.from_models({}, "ab"), DataError, "no model"),
        (
            lambda: WeightsDisplay.from_models({"a": np.ones((2, 3)), "b": np.ones((2, 4))}, "ab"),
            DataError,
            "different classes or features",
        ),
        (
            lambda: WeightsDisplay.from_models({"a": np.ones((2, 3))}, "ab", shape=(2, 2)),
            UsageError,
            "shape 2x2 has 4 pixels",
        ),
    ],
)
def test_what_cannot_be_drawn_is_one_line_that_says_why(draw, error, finding):
    with pytest.raises(error, match=finding) as caught:
        draw()
    assert "\n" not in str(caught.value)
