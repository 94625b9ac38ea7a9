"""Pictures of rankings: what is drawn is the curve, its mean has the mean area, and nothing that matters is cut off."""

from __future__ import annotations

from xml.etree import ElementTree

import numpy as np
import pytest

from softreg.errors import DataError, UsageError
from softreg.plots import RankingDisplay
from softreg.plots.ranking import POINTS, _mean_curve, _thinned
from softreg.scores import ranking


def rankings(K=4, n=400, apart=2.0, seed=0):
    rng = np.random.default_rng(seed)
    y = rng.integers(K, size=n)
    Z = rng.normal(size=(n, K)) + apart * np.eye(K)[y]
    return {f"class {k}": ranking(Z[:, k], y == k) for k in range(K)}


def area(x, y):
    return float(np.sum(np.diff(x) * (y[1:] + y[:-1]) / 2))


@pytest.mark.parametrize("kind", ["roc", "pr"])
def test_the_area_under_the_mean_curve_is_the_mean_of_the_areas(kind):
    display = RankingDisplay(rankings(), kind)
    curves = [display._curve(one) for one in display.rankings.values()]
    x, y = _mean_curve(curves, 1.0)
    expected = np.mean([display._area(one) for one in display.rankings.values()])
    assert area(x, y) == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize("kind", ["roc", "pr"])
def test_a_curve_of_many_rows_is_drawn_by_the_points_that_can_be_told_apart(kind):
    display = RankingDisplay(rankings(K=2, n=200_000), kind)
    x, y = display._curve(display.rankings["class 0"])
    thin_x, thin_y = _thinned(x, y, 1.0)
    assert len(thin_x) < len(x) / 10
    assert area(thin_x, thin_y) == pytest.approx(area(x, y), abs=1 / POINTS)
    mean_x, mean_y = _mean_curve([(x, y)] * 3, 1.0)
    assert area(mean_x, mean_y) == pytest.approx(area(x, y), abs=1 / POINTS)


@pytest.mark.parametrize("kind", ["roc", "pr"])
@pytest.mark.parametrize(("apart", "whole"), [(0.5, True), (6.0, False)])
def test_the_corner_is_enlarged_only_where_every_curve_bends_there(kind, apart, whole):
    ax = RankingDisplay.from_rankings(rankings(apart=apart), kind).ax_
    low, high = ax.get_xlim()
    assert bool(high - low > 0.6) is whole
    assert ("only the corner" in ax.get_title(loc="left")) is not whole
    low, high = ax.get_ylim()
    assert high > 1 > low


def test_the_worst_of_many_classes_are_named_and_the_others_counted():
    display = RankingDisplay.from_rankings(rankings(K=12))
    labels = [text.get_text() for text in display.ax_.get_legend().get_texts()]
    assert labels[0].startswith("mean of 12  0.")
    assert labels[-1] == "6 better classes"
    worst = sorted(one.auc for one in display.rankings.values())[:6]
    assert [label.split()[-1] for label in labels[1:-1]] == [f"{auc:.3f}" for auc in worst]


def test_an_area_is_1_only_where_no_row_is_out_of_place():
    perfect = ranking(np.array([3.0, 2.0, 1.0]), np.array([True, False, False]))
    n = 10_000
    nearly = ranking(np.arange(n, 0, -1.0), np.arange(n) == 1)
    display = RankingDisplay.from_rankings({"perfect": perfect, "nearly": nearly})
    labels = [text.get_text() for text in display.ax_.get_legend().get_texts()]
    assert labels == ["perfect  1.000", "nearly  >0.999"]


@pytest.mark.parametrize("kind", ["roc", "pr"])
@pytest.mark.parametrize("label", ["$x$", "_a", "a\x00b", "<script>", "é" * 5000, "\x1b[31m"])
def test_G95_no_name_of_a_class_breaks_the_picture(tmp_path, kind, label):
    found = rankings(K=3)
    found[label] = found.pop("class 1")
    RankingDisplay.from_rankings(found, kind).save(tmp_path / "p.svg")
    ElementTree.parse(tmp_path / "p.svg")


def test_what_cannot_be_drawn_is_refused():
    with pytest.raises(DataError, match="nothing to draw"):
        RankingDisplay({})
    with pytest.raises(UsageError, match="roc or pr"):
        RankingDisplay(rankings(), "det")
