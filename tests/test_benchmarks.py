"""The benchmarks find what they say they find; what they measure is not asserted."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from scipy import sparse
from sklearn.datasets import load_breast_cancer, load_iris
from sklearn.linear_model import LogisticRegression

from benchmarks import __main__ as command
from benchmarks import objective, picture, report, results, scaling, sets
from benchmarks.counting import counted
from benchmarks.generated import generate
from benchmarks.ladder import RESOLUTION, Ladder, Try
from benchmarks.measure import Plan, measure
from benchmarks.missing import Missing
from benchmarks.objective import Weights
from benchmarks.peers import Peer, choose, everybody
from benchmarks.references import Reference, References
from benchmarks.row import Row
from softreg import MulticlassSVC, SoftmaxRegression


def row(**changes):
    fields = {
        "set": "iris", "loss": "softmax", "alpha": 1e-2, "intercept": True, "threads": 1, "limit": 20.0,
        "rows": 150, "columns": 4, "classes": 3, "storage": "dense", "spread": 1.0,
    }  # fmt: skip
    return Row(**(fields | changes))


# --- the objective ---


@pytest.mark.parametrize("loss", objective.LOSSES)
@pytest.mark.parametrize("load", [load_iris, load_breast_cancer])
def test_objective_is_the_one_that_softreg_minimises(loss, load, monkeypatch):
    monkeypatch.setattr(objective, "BLOCK_ENTRIES", 1000)
    X, y = load(return_X_y=True)
    plain = loss.removesuffix("_squared")
    model = (
        SoftmaxRegression(alpha=0.1)
        if loss == "softmax"
        else MulticlassSVC(alpha=0.1, loss=plain, squared=loss != plain)
    ).fit(X, y)
    weights = Weights.of_coef(model.coef_, model.intercept_, len(model.classes_))
    # Of two classes W is ±w/2, the representative of least norm, which is not above the fit's own.
    assert objective.value(X, y, weights, loss, 0.1) == pytest.approx(model.objective_, rel=1e-6)
    assert objective.value(sparse.csr_matrix(X), y, weights, loss, 0.1) == pytest.approx(model.objective_, rel=1e-6)


# --- the ladder ---


def ladder_of(objective_of, exhausted_from=10**9, time_limit=10**9):
    asked = []

    def fit(dial):
        asked.append(dial)
        if dial > time_limit:
            return None
        return Try(dial, objective_of(dial), float(dial), dial >= exhausted_from)

    return Ladder(fit), asked


@pytest.mark.parametrize("needed", [1, 2, 3, 7, 50, 51, 1000, 4097])
def test_ladder_finds_the_loosest_dial_to_a_twentieth(needed):
    ladder, asked = ladder_of(lambda dial: 1.0 if dial >= needed else 2.0 + 1 / dial)
    found = ladder.loosest(1.5)
    assert needed <= found.dial <= max(needed * (1 + RESOLUTION) + 1, needed)
    assert len(asked) <= 2 * np.log2(needed) + 4


def test_ladder_never_repeats_a_fit_between_levels():
    ladder, asked = ladder_of(lambda dial: 1 + 1 / dial)
    dials = [ladder.loosest(1 + level).dial for level in (1e-1, 1e-2, 1e-3)]
    assert dials == sorted(dials)
    assert len(asked) == len(set(asked))


def test_ladder_believes_a_hint_that_a_fit_confirms_and_no_other():
    ladder, asked = ladder_of(lambda dial: 1.0 if dial >= 30 else 2.0)
    assert ladder.loosest(1.5, hint=30).dial == 30
    assert asked == [30]
    ladder, asked = ladder_of(lambda dial: 1.0 if dial >= 30 else 2.0)
    assert 30 <= ladder.loosest(1.5, hint=20).dial <= 32


def test_ladder_gives_up_where_a_solver_has_ended_or_the_time_has():
    ladder, asked = ladder_of(lambda dial: 2.0, exhausted_from=8)
    assert ladder.loosest(1.5) is None
    assert max(asked) == 8
    ladder, asked = ladder_of(lambda dial: 1 + 1 / dial, time_limit=100)
    assert ladder.loosest(1.001) is None
    assert ladder.best.dial == 64
    assert ladder.loosest(1.1).dial in (10, 11)


def test_ladder_gives_up_where_nothing_moves():
    ladder, asked = ladder_of(lambda dial: 2.0)
    assert ladder.loosest(1.5) is None
    assert max(asked) < 10_000


# --- counting passes ---


def test_passes_of_lbfgs_are_its_evaluations():
    X, y = load_iris(return_X_y=True)
    with counted(-np.inf, 60.0) as trace:
        model = LogisticRegression(solver="lbfgs", max_iter=5, C=1.0)
        with pytest.warns(Warning, match="TOTAL NO. OF ITERATIONS"):
            model.fit(X, y)
    assert [i for i, *_ in trace.points] == [1, 2, 3, 4, 5]
    # An evaluation is a product to predict and one for the gradient; there are a first one and one or two a step.
    assert 6 <= trace.passes <= 10
    assert trace.passes == int(trace.passes)


def test_passes_of_newton_include_its_hessians():
    X, y = load_iris(return_X_y=True)
    with counted(-np.inf, 60.0) as trace, pytest.warns(Warning, match="did not converge"):
        LogisticRegression(solver="newton-cholesky", max_iter=1).fit(X, y)
    # A Hessian of three classes is six products.
    assert trace.iteration == 1
    assert trace.passes >= 3.5


def test_a_counted_run_ends_at_its_target_and_leaves_scikit_learn_as_it_was():
    X, y = load_iris(return_X_y=True)
    with counted(0.5, 60.0) as trace:
        LogisticRegression(solver="newton-cg").fit(X, y)
        pytest.fail("the run was not ended")
    assert trace.points[-1][3] <= 0.5
    before = len(trace.points)
    LogisticRegression(solver="newton-cg").fit(X, y)
    assert len(trace.points) == before


# --- sets ---


@pytest.mark.parametrize("name", ["iris", "dense:60x4x3", "dense:60x4x3:1e4", "text:60x200x3"])
def test_a_prepared_set_is_the_same_every_time(name, tmp_path):
    one = sets.load(sets.prepare(name, tmp_path / "a"))
    two = sets.load(sets.prepare(name, tmp_path / "b"))
    same = (one.X != two.X).nnz == 0 if sparse.issparse(one.X) else np.array_equal(one.X, two.X)
    assert same
    assert np.array_equal(one.y, two.y)
    facts = sets.read_facts(sets.prepare(name, tmp_path / "a"))
    assert facts["rows"] == one.X.shape[0]
    assert facts["classes"] == len(np.unique(one.y)) == 3


def test_generated_condition_is_the_one_asked_for():
    X, _ = generate("dense:4000x10x3:1e3")
    values = np.linalg.eigvalsh(np.cov(X.T))
    assert 1e2 < np.sqrt(values[-1] / values[0]) < 1e5


def test_folder_sets_are_read_and_lone_rows_left_out(tmp_path):
    folder = tmp_path / "data" / "tiny"
    folder.mkdir(parents=True)
    (folder / "tiny.csv").write_text("x,colour,label\n1,red,a\n2,blue,b\n3,red,a\n4,red,b\n5,blue,once\n", "utf-8")
    table = sets.load(sets.prepare("tiny", tmp_path / "cache", tmp_path / "data"))
    assert table.X.tolist() == [[1, 0, 1], [2, 1, 0], [3, 0, 1], [4, 0, 1]]
    assert table.y.tolist() == [0, 1, 0, 1]


@pytest.mark.parametrize("name", ["no such set", "mnist", "dense:1x1"])
def test_a_set_that_is_not_there_is_missing_with_a_reason(name, tmp_path):
    with pytest.raises(Missing, match=r"--data|no mnist|is dense:"):
        sets.prepare(name, tmp_path, tmp_path if name == "mnist" else None)


def test_openml_is_asked_by_name_and_version(monkeypatch):
    pandas = pytest.importorskip("pandas")
    frame = pandas.DataFrame({"x": [1.0, 2.0, None], "c": pandas.Categorical(["u", "v", "u"])})

    def fetch(name, version, **options):
        assert (name, version) == ("car", 3)
        return SimpleNamespace(data=frame, target=pandas.Series(["a", "b", "a"]))

    X, y = sets._from_openml("car@3", fetch)
    assert X.tolist() == [[1, 1, 0], [2, 0, 1]]
    assert y.tolist() == ["a", "b"]

    def offline(**options):
        raise OSError("no network")

    with pytest.raises(Missing, match="no network"):
        sets._from_openml("car", offline)


# --- peers ---


def test_names_are_unique_and_patterns_choose():
    names = [peer.name for peer in everybody()]
    assert len(names) == len(set(names))
    assert [peer.name for peer in choose(["softreg auto"])] == ["softreg auto"]
    assert {peer.family for peer in choose(["scikit-learn *"])} == {"scikit-learn"}
    assert "softreg gd" not in {peer.name for peer in choose()}
    with pytest.raises(ValueError, match="no peer is called"):
        choose(["nobody"])


def test_a_penalised_intercept_and_one_vs_rest_are_apart():
    (liblinear,) = choose(["LIBLINEAR crammer-singer"])
    (rest,) = choose(["LIBLINEAR one-vs-rest"])
    hinge = row(loss="crammer_singer", intercept=False)
    assert liblinear.apart(hinge) == ""
    assert liblinear.apart(row(loss="crammer_singer")) == "penalises the intercept"
    assert "one-vs-rest" in rest.apart(hinge)
    assert "penalises the intercept" in rest.apart(row())
    assert not any(peer.apart(row()) for peer in choose(["softreg *", "scikit-learn *", "cyanure *", "torch *"]))


@pytest.mark.parametrize("peer", [p for p in everybody() if not p.absent()], ids=lambda p: p.name)
def test_every_peer_finds_the_optimum_of_the_same_objective(peer, recwarn):
    """cyanure's and scikit-learn's intercepts are not penalised, C and lambda_1 are alpha's: or F would stay above."""
    X, y = generate("dense:200x5x3")
    loss = peer.losses[0]
    question = row(loss=loss, alpha=0.1, intercept=loss == "softmax", rows=200, columns=5)
    if peer.apart(question) or not peer.minimises(question):
        pytest.skip("another objective")
    (best,) = choose(["softreg newton"])
    low = answer_value(best, question, X, y, 9)
    dial = {"softreg": 6, "LIBLINEAR": 80}.get(peer.family, 300)
    tolerance = 2e-2 if peer.solver in ("sgd", "adam") else 1e-3  # the stochastic ones stop near it
    assert answer_value(peer, question, X, y, dial) <= low * (1 + tolerance)


@pytest.mark.parametrize("name", ["scikit-learn lbfgs", "cyanure qning-svrg", "LIBLINEAR hinge", "torch lbfgs"])
def test_two_classes_have_the_same_objective_too(name, recwarn):
    (peer,) = choose([name])
    if reason := peer.absent():
        pytest.skip(reason)
    X, y = generate("dense:200x5x2")
    loss = peer.losses[0]
    question = row(loss=loss, alpha=0.1, intercept=loss == "softmax", rows=200, columns=5, classes=2)
    (best,) = choose(["softreg newton"])
    dial = 80 if peer.family == "LIBLINEAR" else 300
    low = answer_value(best, question, X, y, 6)
    assert answer_value(peer, question, X, y, dial) <= low * (1 + 1e-4)


def answer_value(peer, question, X, y, dial):
    model = peer.fit(X.astype(peer.dtype or X.dtype), y, question, dial)
    return objective.value(X, y, peer.answer(model, question, dial).weights, question.loss, question.alpha)


# --- references ---


def test_a_reference_is_kept_and_only_ever_lowered(tmp_path):
    known = References(tmp_path)
    assert known.lower("key", Reference(2.0, 1e-2, "one")).by == "one"
    assert known.lower("key", Reference(3.0, 1e-9, "worse")).by == "one"
    lowered = known.lower("key", Reference(1.99, None, "two"))
    assert lowered.by == "two"
    # 2 was proved to be at most 0.02 above the optimum: 1.99 is at most 0.01 above.
    assert lowered.gap == pytest.approx(0.01 / 1.99)
    assert References(tmp_path).get("key") == lowered


# --- a whole run ---


class Absent(Peer):
    family = "nobody's"
    package = "a_package_that_is_not_there"


@pytest.fixture(scope="module")
def quick(tmp_path_factory):
    folder = tmp_path_factory.mktemp("quick")
    out, text, drawing = folder / "results.json", folder / "report.md", folder / "picture.svg"
    arguments = ["run", "--quick", "--threads", "1", "--out", out, "--cache", folder / "cache"]
    assert command.main([str(a) for a in [*arguments, "--report", text, "--picture", drawing]]) == 0
    return SimpleNamespace(out=out, text=text, drawing=drawing, cache=folder / "cache")


def test_quick_run_measures_every_peer_to_every_level(quick):
    got = json.loads(quick.out.read_text("utf-8"))
    assert [one["set"] for one in got["rows"]] == ["iris", "wine"]
    for one in got["rows"]:
        solvers = {solver["name"]: solver for solver in one["solvers"]}
        assert {"softreg auto", "scikit-learn newton-cholesky", "scikit-learn newton-cg"} <= set(solvers)
        for solver in solvers.values():
            for level, measured in solver["levels"].items():
                assert measured["seconds"] > 0
                assert measured["reached"] == (measured["suboptimality"] <= float(level))
        ours = solvers["softreg auto"]["levels"]["1e-06"]
        assert ours["reached"]
        assert ours["status"] == "certified"
        assert 0 < ours["true"]["passes"] <= ours["certified"]["passes"] == ours["passes"]
        assert solvers["scikit-learn newton-cholesky"]["levels"]["1e-06"]["passes"] > 0


def test_results_name_neither_host_nor_path(quick):
    text = quick.out.read_text("utf-8")
    assert str(quick.cache) not in text
    assert str(Path.home()) not in text
    assert "filepath" not in text


def test_resumed_run_keeps_its_rows_and_report_is_made_from_the_file_alone(quick, tmp_path, capsys):
    before = results.read([quick.out])["rows"]
    arguments = ["run", "--quick", "--resume", "--threads", "1", "--out", quick.out, "--cache", quick.cache]
    assert command.main([str(a) for a in arguments]) == 0
    assert results.read([quick.out])["rows"] == before
    assert command.main(["report", str(quick.out), "--picture", str(tmp_path / "again.svg")]) == 0
    assert quick.text.read_text("utf-8") in capsys.readouterr().out
    assert (tmp_path / "again.svg").read_bytes() == quick.drawing.read_bytes()


def test_an_absent_peer_and_set_are_skipped_by_name(tmp_path):
    prepared = sets.prepare("iris", tmp_path)
    got = measure(row(), prepared, "iris", [Absent("solver")], Plan(repeats=1, memory=False), References(tmp_path))
    assert got["solvers"] == []
    assert got["skipped"] == [{"name": "nobody's solver", "reason": "a_package_that_is_not_there is not installed"}]
    out = tmp_path / "results.json"
    arguments = ["run", "--sets", "nowhere", "--threads", "1", "--out", out, "--cache", tmp_path]
    assert command.main([str(a) for a in arguments]) == 0
    assert "- nowhere: not bundled" in report.markdown(results.read([out]))


def test_memory_and_peers_apart_are_measured(tmp_path):
    prepared = sets.prepare("iris", tmp_path)
    peers = choose(["softreg auto", "LIBLINEAR crammer-singer"])
    plan = Plan(levels=(1e-1,), repeats=1)
    question = row(loss="crammer_singer", alpha=1e-1)
    got = measure(question, prepared, "iris", peers, plan, References(tmp_path))
    ours, theirs = got["solvers"]
    assert 0 < ours["memory"]["imports"] <= ours["memory"]["peak"]
    assert theirs["apart"] == "penalises the intercept"
    assert not any(level["reached"] for level in theirs["levels"].values())
    assert theirs["memory"] is None


# --- the report ---


def solver_of(name, family, seconds, *, reached=True, apart="", best=1e-3, **more):
    level = {"reached": reached, "seconds": seconds, "passes": 10.0, "suboptimality": 1e-7 if reached else best}
    return {
        "name": name, "family": family, "solver": name.split()[-1], "dtype": "float64", "apart": apart, "note": "",
        "levels": {"1e-06": level | more}, "best": {"suboptimality": best, "seconds": seconds},
        "curve": [[seconds / 2, 2.0], [seconds, 1.0]], "memory": None,
    }  # fmt: skip


def results_of(*rows):
    machine = {"processor": "a", "cores": 2, "memory_gib": 1, "system": "b", "python": "3", "versions": {}, "blas": []}
    head = {"format": 1, "machine": machine, "threads": 1, "levels": [1e-6], "limit": 9.0, "repeats": 1}
    return head | {"absent": [], "sets_skipped": [], "rows": list(rows)}


def row_of(name, *solvers):
    shape = {"rows": 10, "columns": 2, "classes": 3, "storage": "dense", "bytes": 160}
    question = {"set": name, "loss": "softmax", "alpha": 1e-4, "intercept": True, "limit": 20.0, "repeats": 3}
    return shape | question | {"optimum": 1.0, "optimum_gap": 1e-12, "solvers": list(solvers), "skipped": []}


def ours_of(seconds, true=10.0, certified=10.0):
    arrival = {"true": {"passes": true, "seconds": 0.1}, "certified": {"passes": certified, "seconds": 0.1}}
    return solver_of("softreg auto", "softreg", seconds, status="certified", gap=1e-7, **arrival)


def test_rows_measured_otherwise_are_told_together():
    rows = [row_of(name, ours_of(1.0)) for name in ("one", "two")]
    assert "At most 20 s a fit, medians of 3 rounds." in report.markdown(results_of(*rows))
    rows[1] |= {"limit": 60.0, "repeats": 1}
    assert "At most 20 or 60 s a fit, medians of 1 to 3 rounds." in report.markdown(results_of(*rows))


def test_geometric_means_are_at_the_foot_and_count_the_fastest():
    got = results_of(
        row_of("one", ours_of(1.0), solver_of("scikit-learn lbfgs", "scikit-learn", 2.0)),
        row_of(
            "two",
            ours_of(1.0),
            solver_of("scikit-learn lbfgs", "scikit-learn", 500.0),
            solver_of("scikit-learn newton-cg", "scikit-learn", 8.0),
        ),
    )
    text = report.markdown(got)
    assert "| **4 (2 rows)** |" in text  # of 2 and 8
    assert "8 newton-cg | 8 |" in text
    assert "geometric mean 4, least 2 (one 0.0001)" in text


def test_who_never_arrives_is_named_and_has_no_part_in_the_mean():
    lost = solver_of("scikit-learn lbfgs", "scikit-learn", 9.0, reached=False, best=0.2)
    found = solver_of("scikit-learn lbfgs", "scikit-learn", 3.0)
    text = report.markdown(results_of(row_of("one", ours_of(1.0), lost), row_of("two", ours_of(1.0), found)))
    assert "3 (1 rows), 1 never" in text
    assert "- one softmax 0.0001, scikit-learn lbfgs: not reached: best suboptimality 2.0e-01 after 9 s" in text


def test_where_none_arrived_the_ratio_is_at_least_that_of_the_seconds_they_had():
    lost = solver_of("scikit-learn lbfgs", "scikit-learn", 9.0, reached=False, best=0.2)
    found = solver_of("scikit-learn lbfgs", "scikit-learn", 5.0)
    rows = [row_of("one", ours_of(1.0), lost), row_of("two", ours_of(1.0), found), row_of("three", ours_of(1.0))]
    expected = (
        "geometric mean 5, least 5 (two 0.0001); with 1 row where none arrived, counted at the seconds they had: at"
    )
    for text in (report.markdown(results_of(*rows)), report.short(results_of(*rows), 1e-4)):
        assert f"{expected} least 10." in text  # of 5 and 20


def test_peers_apart_have_a_table_of_their_own():
    apart = solver_of("LIBLINEAR one", "LIBLINEAR", 0.001, apart="penalises the intercept")
    text = report.markdown(results_of(row_of("one", ours_of(1.0), apart)))
    main, _, rest = text.partition("## Shown apart")
    assert "LIBLINEAR" not in main
    assert "| LIBLINEAR one | penalises the intercept | 0.001 |" in rest


def test_share_of_passes_between_arrival_and_certificate():
    rows = [row_of("one", ours_of(1.0, 10.0, 20.0)), row_of("two", ours_of(1.0, 10.0, 80.0))]
    # passes needed over passes made: 1/2 and 1/8, geometric mean 1/4
    assert report.certificate_share(rows, "1e-06") == pytest.approx(0.75)


def test_later_files_replace_rows_of_earlier_ones(tmp_path):
    one, two = tmp_path / "one.json", tmp_path / "two.json"
    results.save(one, results_of(row_of("a", ours_of(1.0)), row_of("b", ours_of(float("nan")))))
    results.save(two, results_of(row_of("a", ours_of(5.0))))
    rows = results.read([one, two])["rows"]
    assert [row["set"] for row in rows] == ["a", "b"]
    assert rows[0]["solvers"][0]["levels"]["1e-06"]["seconds"] == 5.0
    (tmp_path / "other.json").write_text("{}", "utf-8")
    with pytest.raises(ValueError, match="not a results file"):
        results.read([tmp_path / "other.json"])


def test_picture_has_a_panel_for_each_set():
    peer = solver_of("scikit-learn lbfgs", "scikit-learn", 2.0)
    figure = picture.picture(results_of(*(row_of(name, ours_of(1.0), peer) for name in "abcd")))
    shown = [ax for ax in figure.axes if ax.get_visible()]
    assert [ax.get_title("left") for ax in shown] == list("abcd")
    with pytest.raises(ValueError, match="there are 0\\.0001"):
        picture.picture(results_of(row_of("a", peer)), alpha=3.0)


# --- scaling and the whole command ---


def test_slope_is_that_of_a_power_law():
    points = [{"size": n, "seconds": 0.001 * n**1.5} for n in (10, 100, 1000)]
    assert scaling.slope(points) == pytest.approx(1.5)
    assert scaling.slope([{"size": 1, "error": "too long"}]) is None


def test_scaling_writes_points_and_picture(tmp_path):
    out, drawing = tmp_path / "scaling.json", tmp_path / "scaling.png"
    arguments = [
        "scaling",
        "--rows",
        "200",
        "400",
        "--classes",
        "3",
        "--columns",
        "4",
        "--repeats",
        "1",
        "--threads",
        "1",
    ]
    assert command.main([*arguments, "--out", str(out), "--picture", str(drawing)]) == 0
    points = json.loads(out.read_text("utf-8"))["points"]
    assert [point["size"] for point in points["rows"]] == [200, 400]
    assert points["classes"][0]["status"] == "certified"
    assert drawing.stat().st_size > 0


def test_whole_command_arrives_where_the_script_does(tmp_path, capsys):
    pytest.importorskip("pandas")
    out = tmp_path / "command.json"
    arguments = ["command", "--set", "iris", "--solver", "newton-cholesky", "--repeats", "1", "--threads", "1"]
    assert command.main([*arguments, "--cache", str(tmp_path), "--out", str(out)]) == 0
    got = json.loads(out.read_text("utf-8"))
    assert all(one["suboptimality"] <= 1e-6 for one in got["commands"].values())
    assert "ratio" in capsys.readouterr().out


def test_the_short_table_goes_between_its_marks_and_nowhere_else():
    from benchmarks.report import MARKS, put_into

    page = f"before\n{MARKS[0]}\nold\n{MARKS[1]}\nafter\n"
    assert put_into(page, "new") == f"before\n{MARKS[0]}\nnew\n{MARKS[1]}\nafter\n"
    assert put_into(put_into(page, "x"), "new") == put_into(page, "new")
    with pytest.raises(ValueError, match="nowhere to write to"):
        put_into("no marks", "new")
