"""Pictures show the numbers they were given, legibly, whatever the labels, and as the same bytes each time."""

import os
import subprocess
import sys
from xml.etree import ElementTree

import numpy as np
import pytest

from softreg.errors import DataError, OutputError, UsageError
from softreg.plots import (
    ConfusionDisplay,
    ConvergenceDisplay,
    Display,
    LossDisplay,
    WeightsDisplay,
    save_figure,
)
from softreg.plots.style import drawable

HOSTILE = ["$\\nope$", "a\x00b", "\x1b[31m", "<script>", "表", "x" * 5000, "_hidden", "5% off", "", "\ufffe\U0001f600"]


def a_history(points=6, start=2.3, rate=1.5):
    t = np.arange(points)
    loss = (start * np.exp(-rate * t)).tolist()
    return {
        "iteration": t.tolist(),
        "passes": (1 + 2 * t).tolist(),
        "seconds": (0.25 * t).tolist(),
        "objective": [value + 0.001 for value in loss],
        "loss": loss,
        "gradient_norm": (0.3 * np.exp(-2.0 * t)).tolist(),
        "certificate": [None, *(10.0 ** -t[1:]).tolist()],
        "step": [None] * points,
        "validation_loss": [value + 0.2 for value in loss],
        "validation_accuracy": [None] * points,
    }


def line_data(display):
    return [(line.get_xdata().tolist(), line.get_ydata().tolist()) for line in display.ax_.get_lines()]


def texts(legend_or_labels):
    return [text.get_text() for text in legend_or_labels]


EVERY_DISPLAY = {
    "loss": lambda names: LossDisplay.from_histories(
        {name: a_history() for name in names}, unit=names[0], note=names[-1]
    ),
    "loss of one": lambda names: LossDisplay.from_history(a_history(), names[0], unit=names[-1]),
    "convergence": lambda names: ConvergenceDisplay.from_histories(
        {name: a_history() for name in names}, tol=1e-6, certificate=names[0]
    ),
    "confusion": lambda names: ConfusionDisplay.from_counts(np.eye(len(names), dtype=int), names),
    "weights": lambda names: WeightsDisplay.from_coefficients(
        np.linspace(-1, 1, len(names) * 4).reshape(-1, 4), names, names[:4], unit=names[0]
    ),
    "images": lambda names: WeightsDisplay.from_coefficients(
        np.linspace(-1, 1, len(names) * 4).reshape(-1, 4), names, unit=names[0], shape=(2, 2)
    ),
    "image of two classes": lambda names: WeightsDisplay.from_coefficients(
        [[1.0, -2.0, 0.0, 0.5]], names[:2], shape=(2, 2)
    ),
}
every_display = pytest.mark.parametrize("make", EVERY_DISPLAY.values(), ids=EVERY_DISPLAY)


# What is drawn is what was given.


@pytest.mark.parametrize("x", ["iteration", "passes", "seconds"])
def test_loss_curves_are_the_columns_of_the_history(x):
    history = a_history()
    display = LossDisplay.from_history(history, "iris", x=x)
    names = ("loss", "validation_loss", "objective")
    assert line_data(display) == [(history[x], history[name]) for name in names]
    assert texts(display.ax_.get_legend().get_texts()) == ["training loss", "validation loss", "objective"]


def test_loss_axes_name_what_they_measure_and_in_which_unit():
    ax = LossDisplay.from_history(a_history(), unit="margin units per row", x="seconds").ax_
    assert ax.get_ylabel() == "loss (margin units per row)"
    assert ax.get_xlabel() == "solver time (seconds)"


@pytest.mark.parametrize(("rate", "scale"), [(1.5, "log"), (0.1, "linear")])
def test_loss_axis_is_logarithmic_beyond_two_decades(rate, scale):
    assert LossDisplay.from_history(a_history(rate=rate)).ax_.get_yscale() == scale


def test_loss_axis_is_linear_when_a_loss_reaches_zero():
    history = a_history() | {"loss": [1.0, 1e-5, 0.0, 0.0, 0.0, 0.0]}
    assert LossDisplay.from_history(history).ax_.get_yscale() == "linear"


def test_title_is_the_label_and_the_note_stands_under_it():
    note = "certified: at most 8e-08 (relative) above the optimum"
    ax = LossDisplay.from_history(a_history(), "iris", note=note).ax_
    assert ax.get_title(loc="left") == f"iris\n{note}"


def test_unknown_values_are_left_out_not_drawn_as_something():
    history = a_history() | {"validation_loss": [2.5, None, None, 0.5, float("inf"), float("nan")]}
    validation = line_data(LossDisplay.from_history(history))[1]
    assert validation == ([0, 3], [2.5, 0.5])


def test_overlaid_runs_differ_in_colour_and_marker_and_their_columns_in_dashes():
    runs = {"newton": a_history(), "gd": a_history(40, rate=0.2)}
    ax = LossDisplay.from_histories(runs).ax_
    newton, newton_validation, gd, _ = ax.get_lines()
    assert newton.get_color() == newton_validation.get_color() != gd.get_color()
    assert newton.get_marker() == newton_validation.get_marker() != gd.get_marker()
    assert newton.get_linestyle() != newton_validation.get_linestyle()
    assert texts(ax.get_legend().get_texts()) == ["newton", "gd", "training loss", "validation loss"]


def test_clock_is_logarithmic_when_one_run_is_much_longer_and_still_starts_at_zero():
    ax = LossDisplay.from_histories({"newton": a_history(6), "gd": a_history(600, rate=0.01)}).ax_
    assert ax.get_xscale() == "symlog"
    assert ax.get_xlim()[0] == 0.0


@pytest.mark.parametrize("display", [LossDisplay, ConvergenceDisplay])
@pytest.mark.parametrize("points", [1, 2, 3])
def test_a_run_of_few_points_is_drawn_with_a_marker_at_each(display, points):
    history = a_history(points) | {"certificate": [0.1] * points}
    shown = display.from_history(history)
    shown._repr_png_()
    for line in shown.ax_.get_lines():
        assert line.get_marker() != "None"
        assert line.get_markevery() == 1
        assert len(line.get_xdata()) == points


def test_a_long_run_has_about_ten_markers_one_of_them_at_its_end():
    (line, *_) = LossDisplay.from_history(a_history(5000, rate=0.001)).ax_.get_lines()
    marked = line.get_markevery()
    assert 5 <= len(marked) <= 11
    assert marked[-1] == 4999


def test_convergence_is_certificate_and_gradient_norm_on_a_logarithmic_axis():
    history = a_history()
    display = ConvergenceDisplay.from_history(history, x="passes")
    assert display.ax_.get_yscale() == "log"
    assert line_data(display) == [
        (history["passes"][1:], history["certificate"][1:]),
        (history["passes"], history["gradient_norm"]),
    ]


def test_tol_is_a_labelled_line_within_the_picture():
    ax = ConvergenceDisplay.from_history(a_history(), tol=1e-9).ax_
    assert ax.get_lines()[-1].get_ydata() == [1e-9, 1e-9]
    assert texts(ax.texts) == ["tol 1e-09"]
    assert ax.get_ylim()[0] < 1e-9


def test_a_gap_of_exactly_zero_has_no_place_on_a_logarithmic_axis():
    history = a_history(3) | {"certificate": [1.0, 0.1, 0.0]}
    assert line_data(ConvergenceDisplay.from_history(history))[0] == ([0, 1], [1.0, 0.1])


def test_confusion_writes_counts_and_colours_shares_of_the_true_class():
    ax = ConfusionDisplay.from_counts([[30, 10], [0, 1]], ["no", "yes"]).ax_
    assert texts(ax.texts) == ["30", "10", "0", "1"]
    np.testing.assert_array_equal(ax.get_images()[0].get_array(), [[0.75, 0.25], [0.0, 1.0]])
    assert texts(ax.get_xticklabels()) == texts(ax.get_yticklabels()) == ["no", "yes"]
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("predicted class", "true class")
    assert ax.get_title(loc="left") == "accuracy 0.756 (31 of 41 rows)"


def test_confusion_from_predictions_counts_true_by_row_and_predicted_by_column():
    display = ConfusionDisplay.from_predictions(["b", "a", "a"], ["b", "b", "a"])
    assert display.classes == ["a", "b"]
    np.testing.assert_array_equal(display.counts, [[1, 1], [0, 1]])


def test_confusion_keeps_the_order_of_given_classes_and_those_that_never_occur():
    display = ConfusionDisplay.from_predictions([2, 1], [2, 2], classes=[3, 2, 1])
    np.testing.assert_array_equal(display.counts, [[0, 0, 0], [0, 1, 0], [0, 1, 0]])
    assert texts(display.ax_.get_yticklabels()) == ["3", "2", "1"]


def test_confusion_of_many_classes_has_no_numbers_and_thinned_names():
    ax = ConfusionDisplay.from_counts(1000 * np.eye(120, dtype=int), [f"species_{k}" for k in range(120)]).ax_
    assert not ax.texts
    assert 10 <= len(ax.get_xticklabels()) < 60
    assert texts(ax.get_xticklabels())[:2] == ["species_0", "species_5"]


def test_a_class_without_rows_has_no_share_and_no_warning():
    image = ConfusionDisplay.from_counts([[0, 0], [1, 1]], "ab").ax_.get_images()[0]
    np.testing.assert_array_equal(image.get_array(), [[0, 0], [0.5, 0.5]])


def test_weights_are_coloured_on_a_scale_centred_at_zero():
    coef = np.array([[1.0, -3.0, 0.0], [2.0, 0.0, 0.5]])
    ax = WeightsDisplay.from_coefficients(coef, ["a", "b"], ["f", "g", "h"], unit="nats per cm").ax_
    (image,) = ax.get_images()
    np.testing.assert_array_equal(image.get_array(), coef)
    assert image.get_clim() == (-3.0, 3.0)
    assert texts(ax.get_xticklabels()) == ["f", "g", "h"]
    assert texts(ax.get_yticklabels()) == ["a", "b"]
    assert ax.get_title(loc="left") == "weight (nats per cm)"


def test_weight_images_are_one_a_class_on_one_colour_scale():
    coef = np.arange(24.0).reshape(3, 8)
    ax = WeightsDisplay.from_coefficients(coef, "abc", shape=(2, 4)).ax_
    assert texts(ax.texts) == ["a", "b", "c"]
    for image, row in zip(ax.get_images(), coef, strict=True):
        np.testing.assert_array_equal(image.get_array(), row.reshape(2, 4))
        assert image.get_clim() == (-23.0, 23.0)


def test_weights_of_a_binary_classifier_are_one_row_or_image_named_second_minus_first():
    coef, classes = np.ones((1, 4)), ["benign", "malignant"]
    rows = WeightsDisplay.from_coefficients(coef, classes).ax_.get_yticklabels()
    images = WeightsDisplay.from_coefficients(coef, classes, shape=(2, 2)).ax_.texts
    assert texts(rows) == texts(images) == ["malignant − benign"]


def test_weights_come_from_whatever_has_coefficients_and_classes():
    class Fitted:
        coef_ = np.eye(3)
        classes_ = np.array(["a", "b", "c"])
        feature_names_in_ = np.array(["f", "g", "h"], dtype=object)

    display = WeightsDisplay.from_estimator(Fitted())
    np.testing.assert_array_equal(display.coef, np.eye(3))
    assert display.feature_names == ["f", "g", "h"]


@pytest.mark.parametrize("coef", [np.zeros((3, 4)), np.full((3, 4), np.nan)])
def test_weights_that_are_all_zero_or_unknown_are_drawn_without_a_warning(coef):
    WeightsDisplay.from_coefficients(coef, "abc")._repr_png_()
    WeightsDisplay.from_coefficients(coef, "abc", shape=(2, 2))._repr_png_()


@pytest.mark.parametrize("kind", ["confusion", "weights", "images"])
def test_no_two_names_touch(kind):
    display = EVERY_DISPLAY[kind](["a rather long class name", "another", "c", "the fourth of the classes"] * 5)
    display.figure_.draw_without_rendering()
    ax = display.ax_
    for labels in [ax.get_xticklabels(), ax.get_yticklabels(), ax.texts]:
        boxes = [label.get_window_extent() for label in labels if label.get_text()]
        for i, box in enumerate(boxes):
            assert not any(box.overlaps(other) for other in boxes[i + 1 :])


# Drawing in the manner of scikit-learn, without pyplot.


@every_display
def test_plot_draws_on_the_axes_given_or_on_a_new_figure(make):
    from matplotlib.figure import Figure

    display = make(["a", "b", "c", "d"])
    first = display.figure_
    ax = Figure(layout="constrained").subfigures(1, 2)[1].subplots()
    assert display.plot(ax=ax) is display
    assert display.ax_ is ax
    assert display.figure_ is ax.figure.figure is not first
    display.figure_.draw_without_rendering()


def test_drawing_imports_neither_pyplot_nor_scikit_learn():
    code = (
        "import sys; from softreg.plots import ConfusionDisplay as C; C.from_counts([[1]], 'a')._repr_png_();"
        "print([m for m in ('matplotlib.pyplot', 'sklearn') if m in sys.modules])"
    )
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout == "[]\n"


@pytest.mark.parametrize("home", [None, os.devnull + "/no-home"])
def test_drawing_without_a_usable_home_says_nothing(home, tmp_path):
    gone = ("HOME", "MPLCONFIGDIR", "XDG_CACHE_HOME", "XDG_CONFIG_HOME")
    environment = {name: value for name, value in os.environ.items() if name not in gone}
    environment |= {"TMPDIR": str(tmp_path)} | ({"HOME": home} if home else {})
    code = "import sys; from softreg.plots import ConfusionDisplay as C;C.from_counts([[1]], 'a').save(sys.argv[1])"
    command = [sys.executable, "-W", "error", "-c", code, str(tmp_path / "a.svg")]
    result = subprocess.run(command, capture_output=True, text=True, env=environment)
    assert (result.returncode, result.stdout, result.stderr) == (0, "", "")


def test_a_users_matplotlibrc_changes_nothing():
    import matplotlib

    plain = EVERY_DISPLAY["loss"](["a", "b"])._repr_png_()
    with matplotlib.rc_context({"text.usetex": True, "axes.facecolor": "black", "font.size": 30, "savefig.dpi": 10}):
        assert EVERY_DISPLAY["loss"](["a", "b"])._repr_png_() == plain


# Text from data.


@every_display
def test_every_hostile_label_gives_valid_pictures_without_a_warning(make, tmp_path):
    display = make(HOSTILE)
    for name in ("a.svg", "a.png", "a.pdf"):
        display.save(tmp_path / name)
    ElementTree.parse(tmp_path / "a.svg")


@every_display
def test_hostile_labels_are_drawn_letter_by_letter(make):
    shown = [text for text in _every_text(make(HOSTILE)) if text.get_text()]
    assert not any(ord(c) < 32 for text in shown for c in text.get_text().replace("\n", ""))
    assert not any(text.get_parse_math() for text in shown if "$" in text.get_text())
    assert any("$" in text.get_text() for text in shown)


@pytest.mark.parametrize("label", HOSTILE[:-2], ids=[repr(label)[:12] for label in HOSTILE[:-2]])
def test_a_hostile_title_is_drawn_letter_by_letter(label):
    title = LossDisplay.from_history(a_history(), label).ax_.get_title(loc="left")
    assert title == drawable(label, 70)


def _every_text(display):
    from matplotlib.text import Text

    return [text for text in display.figure_.findobj(Text) if text.get_text()]


def test_drawable_text_is_clipped_and_characters_without_a_glyph_are_told_apart():
    assert len(drawable("x" * 5000)) == 28
    assert drawable("\U0010fffd") == "\\U0010fffd"
    assert drawable("\ufffe") != drawable("\uffff")
    assert drawable("  ") == "'  '"
    assert drawable("é ß Ω я −") == "é ß Ω я −"


# Files.


@every_display
@pytest.mark.parametrize(("suffix", "magic"), [("svg", b"<?xml"), ("png", b"\x89PNG\r\n"), ("pdf", b"%PDF-1.")])
def test_saved_bytes_are_the_same_each_time(make, suffix, magic, tmp_path):
    for name in ("first", "second"):
        make(["a", "b", "c", "d"]).save(tmp_path / f"{name}.{suffix}")
    first = (tmp_path / f"first.{suffix}").read_bytes()
    assert first.startswith(magic)
    assert first == (tmp_path / f"second.{suffix}").read_bytes()


def test_saved_bytes_are_the_same_in_another_process(tmp_path):
    code = (
        "import sys; from softreg.plots import ConfusionDisplay as C;"
        "picture = C.from_counts([[3, 1], [0, 2]], 'ab');"
        "[picture.save(sys.argv[1] + suffix) for suffix in ('.svg', '.pdf', '.png')]"
    )
    for seed in "12":
        environment = os.environ | {"PYTHONHASHSEED": seed}
        subprocess.run([sys.executable, "-c", code, str(tmp_path / seed)], check=True, env=environment)
    for suffix in (".svg", ".pdf", ".png"):
        assert (tmp_path / f"1{suffix}").read_bytes() == (tmp_path / f"2{suffix}").read_bytes()


def test_saved_files_hold_no_date_and_no_version(tmp_path):
    display = EVERY_DISPLAY["loss"](["a", "b"])
    for suffix in ("svg", "pdf", "png"):
        display.save(tmp_path / f"a.{suffix}")
        data = (tmp_path / f"a.{suffix}").read_bytes()
        assert b"Date" not in data
        assert b"atplotlib v" not in data


@pytest.mark.parametrize("name", ["a.jpg", "a", "a.png.gz", "a.\x1b"])
def test_an_unknown_suffix_is_refused_with_the_formats_there_are(name, tmp_path):
    with pytest.raises(UsageError, match=r"\.png, \.svg or \.pdf"):
        save_figure(EVERY_DISPLAY["loss"](["a"]).figure_, tmp_path / name)
    assert not list(tmp_path.iterdir())


def test_a_suffix_may_be_written_in_capitals(tmp_path):
    EVERY_DISPLAY["confusion"](["a", "b"]).save(tmp_path / "A.PNG")
    assert (tmp_path / "A.PNG").read_bytes().startswith(b"\x89PNG")


def test_a_folder_that_does_not_exist_is_an_output_error(tmp_path):
    with pytest.raises(OutputError, match="cannot be written"):
        EVERY_DISPLAY["confusion"](["a"]).save(tmp_path / "no" / "a.png")


# What cannot be drawn.


@pytest.mark.parametrize(
    ("draw", "error", "finding"),
    [
        (lambda: LossDisplay.from_histories({}), DataError, "no history"),
        (lambda: LossDisplay.from_history({"iteration": [1], "passes": [1]}), DataError, "no column 'seconds'"),
        (lambda: LossDisplay.from_history(a_history() | {"loss": [1.0]}), DataError, "different lengths"),
        (lambda: LossDisplay.from_history({k: [] for k in a_history()}), DataError, "nothing to draw"),
        (lambda: ConvergenceDisplay.from_history({k: [] for k in a_history()}), DataError, "finite positive"),
        (lambda: LossDisplay.from_history(a_history(), x="hours"), UsageError, "'hours' is not a clock"),
        (lambda: ConfusionDisplay.from_counts([[1, 2]], "ab"), DataError, "for 2 classes"),
        (lambda: ConfusionDisplay.from_counts([[-1]], "a"), DataError, "not negative"),
        (lambda: ConfusionDisplay.from_predictions([1, 2], [1]), DataError, "one length"),
        (lambda: ConfusionDisplay.from_predictions([], []), DataError, "at least 1"),
        (lambda: ConfusionDisplay.from_predictions([1, 2], ["a", "b"]), DataError, "different types"),
        (lambda: ConfusionDisplay.from_predictions(["c"], ["a"], "ab"), DataError, "'c' is not among the 2"),
        (lambda: WeightsDisplay.from_coefficients([1.0], "a"), DataError, "not \\(classes, features\\)"),
        (lambda: WeightsDisplay.from_coefficients(np.eye(3), "ab"), DataError, "for 2 classes"),
        (lambda: WeightsDisplay.from_coefficients(np.eye(2), "ab", "f"), DataError, "1 feature names for 2"),
        (
            lambda: WeightsDisplay.from_coefficients(np.ones((2, 30)), "ab", shape=(8, 8)),
            UsageError,
            "shape 8x8 has 64 pixels, the model 30 features",
        ),
    ],
)
def test_what_cannot_be_drawn_is_one_line_that_says_why(draw, error, finding):
    with pytest.raises(error, match=finding) as caught:
        draw()
    assert "\n" not in str(caught.value)


def test_every_display_is_a_display():
    assert all(isinstance(make(["a", "b", "c", "d"]), Display) for make in EVERY_DISPLAY.values())
