"""The report is one page that needs nothing else, says the verdict first, and shows text from the data unobeyed."""

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace
from html.parser import HTMLParser

import numpy as np
import pytest

from softreg.html import comparison_html
from softreg.html.writing import number, share
from softreg.inference import Difference

HOSTILE = ["<script>alert(1)</script>", '"><img src=x onerror=alert(1)>', "a\x00b\x1b[31m", "</style></title>&amp;"]
ROWS, TEST = 60, "corrected resampled t"
VOID = {"meta", "br", "img", "hr"}


# A comparison in numbers that are easy to find again: `Comparison` itself need not be there to be reported.


@dataclass
class Design:
    kind: str = "folds"
    n: int = ROWS
    n_test: int = 12
    n_folds: int | None = 5
    n_repeats: int | None = 2
    seed: int = 7
    tuned: bool = False
    text: str = "5-fold cross-validation, 2 repeats"


@dataclass
class Estimate:
    value: float
    low: float = float("nan")
    high: float = float("nan")


@dataclass
class Summary:
    name: str
    description: str
    error: str | None = None
    scores: dict = field(default_factory=dict)
    calibrated: dict = field(default_factory=dict)
    inverse_temperature: tuple | None = None
    temperature_bounded: int = 0
    losses: dict | None = None
    zero_gradient: float | None = None
    tiny_gradient: float | None = None
    inside_margin: float | None = None
    norm: float | None = None
    alphas: tuple = ()
    passes: float | None = None
    seconds: float = 0.25
    certificate: float | None = None
    tol: float | None = None
    certified: bool | None = None
    n_certified: int = 0
    n_fits: int = 10
    status: str = ""
    message: str = ""


@dataclass
class Disagreements:
    ids: tuple
    truth: tuple
    predicted: dict

    @property
    def total(self):
        return len(self.ids)


@dataclass
class Portrait:
    W: np.ndarray
    history: dict
    unit: str
    margins: np.ndarray
    masses: np.ndarray
    status: str = "certified"
    message: str = ""


@dataclass
class Bins:
    confidence: np.ndarray
    accuracy: np.ndarray
    count: np.ndarray


@dataclass
class Fake:
    names: tuple
    metric: str
    data: str
    command: str | None
    classes: tuple
    feature_names: tuple
    design: Design
    models: tuple
    differences: tuple
    other_differences: tuple
    verdicts: tuple
    disagreements: Disagreements
    right: dict
    portraits: dict
    portrait_text: str
    bins: dict
    points: tuple | None
    image_shape: tuple | None
    folds: tuple = ()
    notes: tuple = ()
    warnings: tuple = ()
    margin: float = 1.0

    @property
    def reference(self):
        return self.names[0]


def a_portrait(rng, p, classes, hinge):
    t = np.arange(12)
    history = {
        "iteration": t.tolist(),
        "passes": (1 + 2 * t).tolist(),
        "seconds": (0.01 * t).tolist(),
        "objective": (0.1 + np.exp(-t)).tolist(),
        "loss": np.exp(-t.astype(float)).tolist(),
        "certificate": [None, *(10.0 ** -t[1:]).tolist()],
        "zero_gradient": (hinge * t / 12).tolist(),
        "inside_margin": (1 - t / 12).tolist(),
        "norm": np.sqrt(t).tolist(),
    }
    masses = np.maximum(rng.normal(0, 1, ROWS), 0) if hinge else rng.uniform(1e-9, 1, ROWS)
    unit = "margin units per row" if hinge else "nats per row"
    return Portrait(rng.normal(size=(p + 1, len(classes))), history, unit, rng.normal(2, 2, ROWS), masses)


def a_summary(name, hinge):
    accuracy = Estimate(0.9123, 0.8765, 0.9481)
    probable = {metric: Estimate(0.2345, 0.2001, 0.2689) for metric in ("log_loss", "brier", "calibration_error")}
    return Summary(
        name,
        "Weston-Watkins hinge" if hinge else "softmax",
        scores={"accuracy": accuracy, "balanced_accuracy": accuracy, "macro_f1": accuracy}
        | {metric: Estimate(np.nan) if hinge else one for metric, one in probable.items()},
        calibrated=probable,
        inverse_temperature=(0.5, 1.5, 2.5),
        temperature_bounded=2 * hinge,
        losses={"softmax": 0.31, "weston_watkins": 0.42, "crammer_singer": 0.37},
        zero_gradient=0.875 * hinge,
        tiny_gradient=0.9,
        inside_margin=0.125,
        norm=3.21,
        alphas=(1e-4,),
        passes=120.0,
        certificate=3.2e-5,
        tol=1e-4,
        certified=True,
        n_certified=10,
    )


def a_comparison(names=("softmax", "hinge"), classes=("a", "b", "c"), **changes):
    rng, p = np.random.default_rng(0), 2
    words = tuple(np.resize(classes, 70).tolist())
    others = names[1:]
    fake = Fake(
        names=tuple(names),
        metric="accuracy",
        data=f"{ROWS} rows, {p} features",
        command="softreg compare data.csv --target y",
        classes=tuple(classes),
        feature_names=("length", "width"),
        design=Design(),
        models=tuple(a_summary(name, i > 0) for i, name in enumerate(names)),
        differences=tuple(
            Difference(
                "accuracy", n, names[0], 0.0071, -0.0123, 0.0265, "corrected resampled t", 0.41, 0.82, 0.0333, 10
            )
            for n in others
        ),
        other_differences=tuple(Difference("log_loss", n, names[0], 0.1071, -0.1123, 0.2265, TEST) for n in others),
        verdicts=tuple(f"{n} against {names[0]}: no evidence of a difference at this sample size" for n in others),
        disagreements=Disagreements(
            tuple(f"row {i}" for i in range(70)), words, {n: words[i:] + words[:i] for i, n in enumerate(names)}
        ),
        right={n: rng.random(ROWS) < 0.8 for n in names},
        portraits={n: a_portrait(rng, p, classes, i > 0) for i, n in enumerate(names)},
        portrait_text=f"fitted to all {ROWS} rows",
        bins={n: Bins(np.linspace(0.4, 0.99, 5), np.linspace(0.3, 0.95, 5), np.full(5, 12)) for n in names},
        points=(rng.normal(size=(ROWS, 2)), np.arange(ROWS) % len(classes)),
        image_shape=None,
        notes=("hinge: in 2 of 10 fits the temperature was bounded",),
        warnings=("hinge: 1 of 10 fits is not certified",),
    )
    return replace(fake, **changes)


class Reader(HTMLParser):
    """Text, tags and attributes of a page; tags must close in order."""

    def __init__(self, page):
        super().__init__()
        self.open, self.tags, self.attributes, self.words = [], [], [], []
        self.feed(page)
        self.close()
        assert not self.open

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.attributes += [(tag, name, value) for name, value in attrs]
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.tags.append(tag)
        self.attributes += [(tag, name, value) for name, value in attrs]

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if not self.open or self.open[-1] != "style":
            self.words.append(data)

    @property
    def text(self):
        return " ".join(" ".join(self.words).split())


@pytest.fixture
def words_only(monkeypatch):
    """Pages without their pictures, which take most of the time."""
    monkeypatch.setattr("softreg.html.page.figure", lambda *_: "")


@pytest.fixture(scope="module")
def page():
    return comparison_html(a_comparison())


@pytest.fixture(scope="module")
def hostile():
    return comparison_html(
        a_comparison(
            HOSTILE[:2],
            HOSTILE,
            data=HOSTILE[0],
            command=HOSTILE[1],
            feature_names=tuple(HOSTILE[1:3]),
            notes=tuple(HOSTILE),
            warnings=tuple(HOSTILE),
            verdicts=(HOSTILE[3],),
            portrait_text=HOSTILE[0],
        )
    )


@pytest.mark.parametrize("which", ["page", "hostile"])
def test_a_page_loads_nothing_and_runs_nothing(which, request):
    reader = Reader(request.getfixturevalue(which))
    assert not {"script", "link", "iframe", "object", "embed", "img", "base", "form"} & set(reader.tags)
    for tag, name, value in reader.attributes:
        assert not name.startswith("on"), (tag, name)
        if name in ("href", "src", "xlink:href"):
            assert value.startswith(("#", "data:image/png;base64,")), (tag, name, value)
    style = re.search(r"<style>(.*?)</style>", request.getfixturevalue(which), re.DOTALL).group(1)
    assert "@import" not in style
    assert "url(" not in style


@pytest.mark.parametrize("which", ["page", "hostile"])
def test_every_identifier_occurs_once_and_every_reference_has_one(which, request):
    page = request.getfixturevalue(which)
    reader = Reader(page)
    ids = [value for _, name, value in reader.attributes if name == "id"]
    assert len(ids) == len(set(ids)) > 100
    references = {value[1:] for _, name, value in reader.attributes if name == "href" and value.startswith("#")}
    references |= set(re.findall(r"url\(#([^)]+)\)", page))
    assert references <= set(ids)


def test_hostile_text_is_shown_and_not_obeyed(hostile):
    text = Reader(hostile).text
    assert HOSTILE[0] in text
    assert HOSTILE[1] in text
    assert "a\\x00b\\x1b[31m" in text
    assert "\x00" not in hostile
    assert "\x1b" not in hostile
    assert "</style></title>&amp;" in text


def test_the_verdict_comes_before_every_number_and_picture(page):
    text = Reader(page).text
    places = [
        text.index(part)
        for part in (
            "softmax, hinge: a comparison",
            "The primary metric is accuracy, the reference is softmax",
            "no evidence of a difference at this sample size",
            "The models",
            "The differences",
            "What each loss makes of its rows",
            "How the fits went",
            "What the models say",
            "Rows on which they disagree",
            "How it was done",
            "Words used here",
        )
    ]
    assert places == sorted(places)


def test_the_table_has_values_with_their_intervals_and_dashes_where_there_are_none(page):
    text = Reader(page).text
    assert "accuracy 0.9123 0.8765 … 0.9481" in text
    assert "rows of exactly zero gradient 0 % 87.5 %" in text
    assert "2 of 10 bounded" in text
    assert "10 of 10 to 1e-4" in text
    raw = text[text.index("as the model gives them") :]
    assert raw.index("–") < raw.index("Mean loss")  # a hinge has no probabilities of its own


def test_differences_have_signs_intervals_tests_and_power(page):
    assert "+0.0071 −0.0123 … +0.0265 0.41 0.82 0.0333 corrected resampled t" in Reader(page).text


def test_mcnemar_says_how_many_rows_only_one_of_them_got_right(words_only):
    tested = Difference(
        "accuracy", "hinge", "softmax", -0.01, -0.03, 0.01, "exact McNemar", 0.5, None, 0.04, 900, 12, 9
    )
    design = Design(kind="test", n_folds=None, n_repeats=None, n_test=900)
    text = Reader(comparison_html(a_comparison(differences=(tested,), design=design))).text
    assert "only the model right: 9, only the reference: 12" in text
    assert "A binomial test of the rows" in text
    assert "judged on the same 900 others" in text


def test_every_picture_has_a_caption_and_a_name_for_those_who_hear_it(page):
    reader = Reader(page)
    labels = [value for tag, name, value in reader.attributes if (tag, name) == ("svg", "aria-label")]
    assert reader.tags.count("figure") == reader.tags.count("figcaption") == len(labels) == 14
    assert all(labels)


def test_at_most_fifty_rows_in_dispute_are_listed_and_all_are_counted(page):
    text = Reader(page).text
    assert f"70 of {ROWS} rows" in text
    assert "The first 50 are listed" in text
    assert "row 49" in text
    assert "row 50" not in text


def test_models_that_agree_everywhere_are_said_to(words_only):
    same = Disagreements((), (), {"softmax": (), "hinge": ()})
    assert "None: all models predict the same class" in Reader(comparison_html(a_comparison(disagreements=same))).text


def test_a_failed_model_is_named_with_its_reason_and_the_others_are_shown():
    c = a_comparison(("softmax", "hinge", "bayes"))
    failed = Summary("bayes", "sklearn:GaussianNB", error="3 rows are negative", n_fits=0)
    del c.portraits["bayes"], c.bins["bayes"], c.right["bayes"]
    text = Reader(comparison_html(replace(c, models=(*c.models[:2], failed)))).text
    assert "bayes (sklearn:GaussianNB): 3 rows are negative" in text
    assert "0.9123" in text


def test_one_model_without_pictures_is_a_page_too():
    c = a_comparison(("bayes",), portraits={}, bins={}, points=None, right={}, warnings=(), notes=(), command=None)
    reader = Reader(comparison_html(replace(c, disagreements=Disagreements((), (), {}))))
    assert "bayes: a comparison" in reader.text
    assert "Verdict" not in reader.text
    assert "The differences" not in reader.text


@pytest.mark.parametrize(("n_models", "n_classes"), [(1, 2), (5, 100)])
def test_any_number_of_models_and_classes_makes_a_page(n_models, n_classes):
    names = [f"model {i}" for i in range(n_models)]
    c = a_comparison(names, [f"class {k}" for k in range(n_classes)])
    assert "How it was done" in Reader(comparison_html(c)).text


def test_the_same_comparison_gives_the_same_bytes(page):
    assert comparison_html(a_comparison()) == page


def test_the_page_adapts_to_night_telephones_and_paper(page):
    assert "@media (prefers-color-scheme: dark)" in page
    assert '<meta name="viewport" content="width=device-width, initial-scale=1">' in page
    assert "@media print" in page


def test_runs_without_penalty_are_measured_from_what_bounds_them():
    from softreg.plots.comparison import bounds

    c = a_comparison()
    models = tuple(replace(model, alphas=(0.0,)) for model in c.models)
    c.portraits["softmax"].status = "separated"
    found = bounds(replace(c, models=models))
    assert found == {"softmax": 0.0, "hinge": min(c.portraits["hinge"].history["objective"])}


@pytest.mark.parametrize(
    ("value", "shown"),
    [(0.97218, "0.9722"), (None, "–"), (float("nan"), "–"), (-0.5, "−0.5000"), (1e-7, "1.0e−7"), (0.0, "0.0000")],
)
def test_numbers_are_shown_as_they_are_read(value, shown):
    assert number(value) == shown


@pytest.mark.parametrize(("value", "shown"), [(0.0, "0 %"), (1e-9, "&lt;0.1 %"), (0.5, "50.0 %"), (1.0, "100 %")])
def test_a_share_is_said_to_be_nothing_or_all_only_where_it_is(value, shown):
    assert share(value) == shown
