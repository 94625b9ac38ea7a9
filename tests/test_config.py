"""Defaults under a file under flags; every key one name, one type, one refusal."""

import math
import tomllib
from dataclasses import fields

import pytest

from softreg.cli.options import COMPARE, LOSS, RUN, SETTINGS, TABLES
from softreg.config import ALIASES, KINDS, CompareRun, Run, _toml, configure
from softreg.errors import UsageError
from softreg.training import Settings


def write(tmp_path, text):
    path = tmp_path / "fit.toml"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return str(path)


def refusal(given=None, path=None):
    with pytest.raises(UsageError) as caught:
        configure(given or {}, path)
    message = str(caught.value)
    assert "\n" not in message
    return message


def test_options_are_the_fields_of_settings_and_run_and_the_keys_of_a_file():
    settings, run = {f.name for f in fields(Settings)}, {f.name for f in fields(Run)}
    assert {*LOSS, *SETTINGS} == settings
    assert {*RUN, *TABLES, "data"} == run  # data is an argument
    compared = {f.name for f in fields(CompareRun)}
    assert {*COMPARE, "data"} <= compared
    assert set(KINDS) == settings | run | compared


@pytest.mark.parametrize("name", [*LOSS, *SETTINGS, *RUN, *TABLES, *COMPARE])
def test_each_flag_is_spelled_like_its_key(name):
    [option] = ({**LOSS, **SETTINGS, **RUN, **TABLES, **COMPARE})[name].__metadata__
    flags = [flag.removeprefix("--") for flag in (option.default, *option.param_decls) if isinstance(flag, str)]
    assert name.replace("_", "-") in [flag.split("/")[0] for flag in flags]


def test_settings_are_the_parameters_of_the_estimators():
    estimators = pytest.importorskip("softreg.estimators")
    parameters = {**estimators.SoftmaxRegression().get_params(), **estimators.MulticlassSVC().get_params()}
    only_in_python = {"warm_start", "verbose", "validation_fraction"}  # the last is a key of Run
    assert set(parameters) - only_in_python == {f.name for f in fields(Settings)}


def test_an_empty_request_is_the_defaults():
    config = configure({})
    assert config.settings == Settings()
    assert config.run == Run()


def test_flags_go_before_the_file_and_the_file_before_defaults(tmp_path):
    path = write(tmp_path, 'alpha = 0.5\nloss = "crammer-singer"\ntarget = "species"\nseed = 4\nbatch-size = 3\n')
    config = configure({"alpha": "0.25", "squared": True}, path)
    assert config.settings == Settings(alpha=0.25, loss="crammer_singer", squared=True, random_state=4, batch_size=3)
    assert config.run == Run(target="species")


def test_a_flag_replaces_the_other_way_to_say_it(tmp_path):
    path = write(tmp_path, "C = 2.0\nvalidation_fraction = 0.2\n")
    config = configure({"alpha": "0.5", "validation": "other.csv"}, path)
    assert (config.settings.C, config.settings.alpha) == (None, 0.5)
    assert (config.run.validation, config.run.validation_fraction) == ("other.csv", None)


@pytest.mark.parametrize("value", ["weston-watkins", "weston_watkins"])
def test_hyphens_in_values_are_underscores(value):
    assert configure({"loss": value}).settings.loss == "weston_watkins"


def test_hyphens_in_names_of_columns_and_files_stay():
    config = configure({"target": "is-good", "output": "a-b.softreg"})
    assert (config.run.target, config.run.output) == ("is-good", "a-b.softreg")


def test_none_unsets_what_a_file_has_set(tmp_path):
    path = write(tmp_path, 'max_iter = 5\nclass_weight = "balanced"\n')
    settings = configure({"max_iter": "none", "class_weight": "none"}, path).settings
    assert (settings.max_iter, settings.class_weight) == (None, None)


def test_whole_numbers_may_be_written_as_powers_of_ten():
    assert configure({"max_iter": "1e4"}).settings.max_iter == 10_000


def test_learning_rate_is_a_number_or_a_word():
    assert configure({"learning_rate": "0.1"}).settings.learning_rate == 0.1
    assert configure({"learning_rate": "lipschitz"}).settings.learning_rate == "lipschitz"


def test_early_stopping_keeps_a_tenth_apart_unless_told_otherwise():
    assert configure({"early_stopping": True}).run.validation_fraction == 0.1
    assert configure({"early_stopping": True, "validation": "v.csv"}).run.validation_fraction is None


@pytest.mark.parametrize(
    "given",
    [
        {},
        {"alpha": "1e-3", "target": 'say "hé\\"\x7f\t', "tune": True, "max_iter": "7", "learning_rate": "0.5"},
        {"data": ["a.csv", "b.csv"], "na": "NA,?", "features": ["a", "b,c"], "header": False, "missing": "mean"},
        {"loss": "weston-watkins", "squared": True, "class_weight": "balanced", "tol": "1e-9", "C": "3"},
    ],
)
def test_the_printed_configuration_asks_for_the_same_again(tmp_path, given):
    config = configure(given)
    text = config.to_toml()
    tomllib.loads(text)
    assert configure({}, write(tmp_path, text)) == config


@pytest.mark.parametrize("key", [key for key, kinds in KINDS.items() if float in kinds])
@pytest.mark.parametrize("text", ["nan", "inf", "-1", "1e400", "", "x", "-inf"])
def test_no_number_option_takes_what_is_no_sensible_number(key, text):
    message = refusal({key: text})
    assert message.startswith(f"--{key.replace('_', '-')} ")


@pytest.mark.parametrize("key", [key for key, kinds in KINDS.items() if int in kinds])
@pytest.mark.parametrize("text", ["nan", "1.5", "-2", "1e400", "9" * 5000, "", "x", "99999999999999"])
def test_no_count_option_takes_what_is_no_sensible_count(key, text):
    message = refusal({key: text})
    assert message.startswith(f"--{key.replace('_', '-')} ")
    assert len(message) < 200


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ({"solver": "newtn"}, "did you mean newton?"),
        ({"loss": "weston"}, "did you mean weston_watkins?"),
        ({"n_jobs": "0"}, "--n-jobs 0: "),
        ({"batch_size": "0"}, "--batch-size 0: "),
        ({"momentum": "1"}, "--momentum 1.0: "),
        ({"validation_fraction": "1"}, "above 0 and below 1"),
        ({"validation_fraction": "0"}, "above 0 and below 1"),
        ({"validation_fraction": "0.2", "validation": "v.csv"}, "give one of them"),
        ({"C": "1", "alpha": "0.5"}, "--C 1.0 and --alpha 0.5"),
        ({"squared": True}, "needs a hinge loss"),
        ({"class_weight": "balance"}, "balanced"),
        ({"target": ""}, "--target: is empty"),
        ({"learning_rate": "quick"}, "--learning-rate quick: "),
    ],
)
def test_a_flag_that_cannot_be_used_is_named_with_the_way_out(given, says):
    assert says in refusal(given)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("alpah = 1\n", "unknown key 'alpah' (did you mean alpha?)"),
        ("zzz = 1\n", "unknown key 'zzz' (softreg fit --help lists the options)"),
        ("alpha = 'x'\n", "alpha = x: expected a number"),
        ("alpha = true\n", "alpha = True: expected a number"),
        ("squared = 1\n", "squared = 1: expected true or false"),
        ("max_iter = 1.5\n", "max_iter = 1.5: expected a whole number"),
        ("target = 3\n", "target = 3: expected text"),
        ("loss = ['softmax']\n", "loss = ['softmax']: expected text"),
        ("[loss]\nname = 'softmax'\n", "expected text"),
        ("alpha = nan\n", "alpha = nan: a finite number is needed"),
        ("alpha = -1\n", "alpha = -1.0: a number, 0 or above"),
        ("solver = 'newtn'\n", "did you mean newton?"),
        ("alpha = 1\nalpha = 2\n", "not TOML: "),
        ("seed = 1\nrandom_state = 2\n", "sets random_state a second time"),
        ("alpha = \n", "not TOML: "),
        (b"\xef\xbb\xbfalpha = 1\n", "byte-order mark"),
        (b"\xff\xfea\x00", "not UTF-8"),
        ("alpha = " + "[" * 5000 + "]" * 5000, "nested too deeply"),
        ("x" * 1_000_001, "larger than a configuration file"),
        ('"a\\u001b[31m" = 1\n', "unknown key 'a\\x1b[31m'"),
        (f"alpha = 1{'0' * 400}\n", "a finite number is needed"),
    ],
)
def test_a_file_that_cannot_be_used_is_refused_in_a_line_that_names_it(tmp_path, text, says):
    message = refusal(path=write(tmp_path, text))
    assert says in message
    assert "fit.toml: " in message
    assert "\x1b" not in message


def test_a_file_that_is_not_there_or_a_folder_is_refused(tmp_path):
    assert "no such file" in refusal(path=str(tmp_path / "none.toml"))
    assert "is a directory" in refusal(path=str(tmp_path))


def test_a_command_refuses_keys_of_another(tmp_path):
    with pytest.raises(UsageError, match="unknown key 'loss'"):
        configure({}, write(tmp_path, 'loss = "softmax"\n'), ["data", "alpha"], "softreg compare")


def test_aliases_lead_to_keys():
    assert all(key in KINDS for key in ALIASES.values())
    assert not math.isnan(configure({}).settings.alpha)


def test_a_printed_configuration_keeps_every_character():
    text = "\U0001f600 \x7f\x1b.csv"
    assert tomllib.loads(f"data = {_toml(text)}")["data"] == text


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"margin": "2"}, "--margin 2.0 plays no part with loss softmax: only with weston_watkins, crammer_singer"),
        ({"momentum": "0.5", "solver": "adam"}, "--momentum 0.5 plays no part with solver adam: only with momentum, "),
        ({"batch_size": "7"}, "--batch-size 7 plays no part with solver auto: only with sgd, adam"),
        ({"learning_rate": "lipschitz", "solver": "lbfgs"}, "--learning-rate lipschitz plays no part with solver lb"),
        ({"n_iter_no_change": "3"}, "--n-iter-no-change 3 plays no part without --early-stopping"),
    ],
)
def test_what_is_set_in_vain_is_said(given, said):
    (sentence,) = configure(given).idle
    assert sentence.startswith(said)


@pytest.mark.parametrize(
    "given",
    [
        {},
        {"momentum": "0.9", "margin": "1"},  # as they are anyway
        {"margin": "2", "loss": "crammer-singer"},
        {"learning_rate": "0.1", "momentum": "0.5", "batch_size": "7", "solver": "sgd"},
        {"n_iter_no_change": "3", "early_stopping": True},
    ],
)
def test_what_plays_a_part_or_is_the_default_is_not(given, tmp_path):
    assert configure(given).idle == ()
    path = write(tmp_path, configure(given).to_toml())
    assert configure({}, path).idle == ()


def test_a_comparison_has_a_margin_for_its_hinges():
    assert configure({"margin": "2"}, kind=CompareRun).idle == ()
    assert configure({"momentum": "0.5"}, kind=CompareRun).idle
