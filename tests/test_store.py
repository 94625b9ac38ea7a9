"""The model file: the same bytes again, what was saved comes back, and nothing else is ever believed."""

import hashlib
import io
import json
import math
import os
import pickle
import zipfile

import numpy as np
import pytest

from softreg.certificate import Certificate, DualRows, Witness
from softreg.errors import DataError, ModelFileError, OutputError, UsageError
from softreg.store import Model, check_replaceable, is_model
from softreg.tables import Recipe

SETTINGS = {"loss": "softmax", "alpha": 1e-4, "class_weight": {"0": 2.0}, "tol": None}
NAMES = ("a", "b")


def a_model(**changes):
    rng = np.random.default_rng(0)
    values = {
        "W": rng.normal(size=(3, 3)),
        "classes": np.array(["cat", "dog", "owl"]),
        "settings_json": SETTINGS,
        "alpha": 1e-4,
        "C": 5.0,
        "n_rows": 7,
        "class_counts": np.array([2, 3, 2]),
        "objective": 0.25,
        "certificate": Certificate("gap", np.float64(1e-9), 4e-9, 1e-7),
        "witness": Witness(rng.normal(size=(3, 3)), 0),
        "status": "certified",
        "message": "certified",
        "solver": "newton",
        "feature_names": NAMES,
        "recipe": Recipe.plain(NAMES, "animal", "str"),
        "fingerprint": "ab" * 32,
        "mean": np.array([1.0, 2.0]),
        "scale": np.array([0.5, 3.0]),
        "history": {
            "iteration": [0, 1],
            "seconds": [0.1, 0.2],
            "objective": [1.0, np.float64(0.25)],
            "step": [None, 1],
        },
        "metrics": {"train": {"loss": 0.1}, "validation": None},
        "split": {"kind": "fraction", "fraction": 0.2, "seed": 0, "group": None, "rows": "00"},
    }
    return Model(**{**values, **changes})


X = np.random.default_rng(1).normal(size=(20, 2))


def test_what_was_saved_comes_back(tmp_path):
    model = a_model()
    model.save(tmp_path / "m")
    again = Model.load(tmp_path / "m")
    for name in ("W", "classes", "class_counts", "mean", "scale"):
        np.testing.assert_array_equal(getattr(again, name), getattr(model, name))
        assert getattr(again, name).dtype == getattr(model, name).dtype
    for name in (
        "settings_json", "alpha", "C", "n_rows", "objective", "certificate", "status", "message", "solver",
        "feature_names", "recipe", "fingerprint", "metrics", "versions", "split",
    ):  # fmt: skip
        assert getattr(again, name) == getattr(model, name), name
    np.testing.assert_array_equal(again.witness.step, model.witness.step)
    assert (again.witness.lag, again.witness.temperature, again.witness.envelope) == (0, 0.0, False)
    assert again.history == {"iteration": [0, 1], "objective": [1.0, 0.25], "step": [None, 1]}
    np.testing.assert_array_equal(again.decision_function(X), model.decision_function(X))
    assert again.to_bytes() == model.to_bytes()


def test_settings_come_back_as_settings():
    settings = Model.from_bytes(a_model().to_bytes()).settings
    assert settings.alpha == 1e-4
    assert settings.class_weight == {0: 2.0}  # JSON keys are text


@pytest.mark.parametrize(
    "classes",
    [
        np.array([-3, 0, 2**62]),
        np.array([1, 2, 250], dtype=np.uint8),
        np.array([0.5, 1.0, 1e300]),
        np.array(["007", "7", "ä\ud800 \x1b"]),
        np.array(["a" * 100, "b\0", "c"], dtype=object),
        np.array(["z", "a", "m"]),  # the columns of a frame of soft labels come in its order
    ],
)
def test_labels_keep_their_type(classes):
    again = Model.from_bytes(a_model(classes=classes).to_bytes())
    assert again.classes.dtype.kind == classes.dtype.kind
    assert again.classes.tolist() == classes.tolist()
    assert type(again.predict(X)[0]) is type(classes[0])


def test_two_boolean_classes_survive():
    model = a_model(W=np.ones((3, 2)), classes=np.array([False, True]), class_counts=np.array([0.5, 1.5]), witness=None)
    again = Model.from_bytes(model.to_bytes())
    assert again.classes.dtype == bool
    assert again.class_counts.tolist() == [0.5, 1.5]
    assert again.witness is None


def test_a_model_without_names_certificate_or_penalty_survives():
    model = a_model(
        feature_names=None, recipe=None, certificate=None, witness=None, C=math.inf, alpha=0.0, objective=math.nan,
        mean=None, scale=None, split=None, fingerprint=None, history={},
    )  # fmt: skip
    again = Model.from_bytes(model.to_bytes())
    assert again.feature_names is again.recipe is again.certificate is again.mean is None
    assert math.isinf(again.C)
    assert math.isnan(again.objective)


def test_labels_of_mixed_types_are_refused_when_saving():
    with pytest.raises(OutputError, match="must be text, numbers or booleans"):
        a_model(classes=np.array([1, "a", None], dtype=object)).to_bytes()


# --- predicting ---------------------------------------------------------------------------------------------------


def test_logits_are_the_affine_map_dense_and_sparse():
    from scipy.sparse import csr_array

    model = a_model()
    expected = X @ model.W[:-1] + model.W[-1]
    np.testing.assert_allclose(model.decision_function(X), expected, rtol=1e-14, atol=1e-14)
    np.testing.assert_allclose(model.decision_function(csr_array(X)), expected, rtol=1e-14, atol=1e-14)
    np.testing.assert_allclose(model.predict_proba(X).sum(axis=1), 1, rtol=1e-14)
    np.testing.assert_allclose(np.exp(model.predict_log_proba(X)), model.predict_proba(X), rtol=1e-14)


def test_logits_of_many_blocks_are_those_of_single_rows():
    model = a_model()
    many = np.random.default_rng(2).normal(size=(300_000, 2))
    np.testing.assert_allclose(model.decision_function(many)[-3:], model.decision_function(many[-3:]), rtol=1e-13)


def test_hinges_have_no_probabilities():
    with pytest.raises(UsageError, match="leave out --proba"):
        a_model(settings_json={"loss": "weston_watkins"}).predict_proba(X)


def test_rows_that_do_not_fit_are_refused():
    with pytest.raises(DataError, match="X has 3 columns, the model 2"):
        a_model().decision_function(np.ones((1, 3)))
    with pytest.raises(DataError, match="row 2"):
        a_model(W=np.full((3, 3), 10.0)).decision_function(np.array([[1.0, 1.0], [1e308, 1e308]]))


# --- the file -----------------------------------------------------------------------------------------------------


def test_the_file_holds_no_clock_and_no_path(tmp_path):
    path = tmp_path / "model.softreg"
    a_model().save(path)
    content = path.read_bytes()
    for word in (b"seconds", str(tmp_path).encode(), os.fsencode(os.uname().nodename), b"n_jobs"):
        assert word not in content
    with zipfile.ZipFile(path) as archive:
        assert {entry.date_time for entry in archive.infolist()} == {(1980, 1, 1, 0, 0, 0)}
        assert archive.namelist() == sorted(archive.namelist())


def test_sha256sum_can_check_the_members():
    with zipfile.ZipFile(io.BytesIO(a_model().to_bytes())) as archive:
        for line in archive.read("sha256.txt").decode().splitlines():
            digest, name = line.split("  ")
            assert hashlib.sha256(archive.read(name)).hexdigest() == digest


def agrees_or_is_refused(content, expected):
    try:
        model = Model.from_bytes(content, "file")
    except ModelFileError as error:
        message = str(error)
    else:
        np.testing.assert_array_equal(model.decision_function(X), expected)
        assert model.classes.tolist() == ["cat", "dog", "owl"]
        return True
    assert message.startswith("file: ")
    assert "\n" not in message
    return False


@pytest.mark.parametrize("envelope", [False, True])
def test_the_witness_of_a_hinge_comes_back(envelope):
    witness = Witness(np.ones((3, 3)), 0, 0.5, envelope)
    model = a_model(settings_json={**SETTINGS, "loss": "crammer_singer"}, witness=witness)
    again = Model.from_bytes(model.to_bytes(), "file").witness
    assert (again.lag, again.temperature, again.envelope) == (0, 0.5, envelope)


HINGE = {**SETTINGS, "loss": "crammer_singer"}
DUAL = np.array([[0.0, 1, 0.5], [0, 2, 0.25], [3, 0, 1]])


def test_the_dual_rows_of_a_hinge_come_back():
    witness = Witness(dual=DualRows(DUAL, (5, 3)))
    model = a_model(settings_json=HINGE, witness=witness, n_rows=5)
    again = Model.from_bytes(model.to_bytes(), "file").witness.dual
    assert again.shape == (5, 3)
    np.testing.assert_array_equal(again.entries, DUAL)


@pytest.mark.parametrize(
    "entries",
    [
        DUAL[::-1].copy(),
        DUAL[:, :2].copy(),
        DUAL[0],
        -DUAL,
        *(DUAL + np.array(change) for change in ([9, 0, 0], [0, 9, 0], [-1, 0, 0], [0.5, 0, 0])),
    ],
)
def test_dual_rows_that_softreg_never_writes_are_refused(entries):
    model = a_model(settings_json=HINGE, witness=Witness(dual=DualRows(entries, (5, 3))), n_rows=5)
    with pytest.raises(ModelFileError, match="array dual is not as softreg writes it"):
        Model.from_bytes(model.to_bytes(), "file")
    softmax = a_model(witness=Witness(dual=DualRows(DUAL, (5, 3))), n_rows=5)
    with pytest.raises(ModelFileError, match="array dual"):
        Model.from_bytes(softmax.to_bytes(), "file")


def test_every_beginning_of_a_file_is_refused():
    model = a_model()
    content, expected = model.to_bytes(), model.decision_function(X)
    cuts = [*range(0, len(content), 7), *range(len(content) - 40, len(content))]
    assert not any(agrees_or_is_refused(content[:cut], expected) for cut in cuts)


def test_a_flipped_byte_is_refused_or_changes_nothing():
    model = a_model()
    content, expected = model.to_bytes(), model.decision_function(X)
    rng = np.random.default_rng(3)
    accepted = 0
    for _ in range(400):
        flipped = bytearray(content)
        flipped[rng.integers(len(content))] ^= 1 << int(rng.integers(8))
        accepted += agrees_or_is_refused(bytes(flipped), expected)
    assert accepted < 60  # only where zip keeps dates and permissions


def test_random_bytes_appended_or_inserted_are_refused_or_change_nothing():
    model = a_model()
    content, expected = model.to_bytes(), model.decision_function(X)
    rng = np.random.default_rng(4)
    for _ in range(100):
        at, extra = int(rng.integers(len(content))), rng.bytes(int(rng.integers(1, 30)))
        agrees_or_is_refused(content[:at] + extra + content[at:], expected)


# --- forged files: consistent checksums, wrong content --------------------------------------------------------------


def members_of(model):
    with zipfile.ZipFile(io.BytesIO(model.to_bytes())) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def forged(members, *, sums=True, extra=(), compression=zipfile.ZIP_STORED):
    """An archive of ``members`` with checksums that match."""
    if sums:
        names = sorted(name for name in members if name != "sha256.txt")
        text = "".join(f"{hashlib.sha256(members[name]).hexdigest()}  {name}\n" for name in names)
        members = {**members, "sha256.txt": text.encode()}
    memory = io.BytesIO()
    with zipfile.ZipFile(memory, "w", compression) as archive:
        for name, content in [*members.items(), *extra]:
            archive.writestr(name, content)
    return memory.getvalue()


def npy(array, **options):
    memory = io.BytesIO()
    np.save(memory, array, **options)
    return memory.getvalue()


def test_members_changed_after_the_checksums_were_taken_are_refused():
    members = members_of(a_model())
    for name in ("W.npy", "header.json"):
        other = members_of(a_model(W=np.ones((3, 3)), objective=0.5))[name]
        with pytest.raises(ModelFileError, match="does not match its checksums"):
            Model.from_bytes(forged(members | {name: other}, sums=False))


def test_an_archive_of_the_same_members_is_the_same_model():
    assert agrees_or_is_refused(forged(members_of(a_model())), a_model().decision_function(X))


@pytest.mark.parametrize(
    ("name", "array", "finding"),
    [
        ("W", np.full((3, 3), np.nan), "not finite"),
        ("W", np.ones((3, 2)), "3 classes for weights of 2"),
        ("W", np.ones((4, 3)), "array mean"),
        ("W", np.ones(3), "not a matrix"),
        ("W", np.ones((3, 3), dtype=np.float32), "float32"),
        ("W", np.asfortranarray(np.arange(9.0).reshape(3, 3)), "row order"),
        ("step", np.ones((2, 2)), "array step"),
        ("scale", np.array([0.0, 1.0]), "array scale"),
    ],
)
def test_arrays_that_do_not_fit_are_refused(name, array, finding):
    members = members_of(a_model()) | {f"{name}.npy": npy(array)}
    with pytest.raises(ModelFileError, match=finding):
        Model.from_bytes(forged(members))


def test_an_array_of_objects_is_never_unpickled(tmp_path):
    class Payload:
        def __reduce__(self):
            return (open, (str(tmp_path / "touched"), "w"))

    members = members_of(a_model()) | {"W.npy": npy(np.array([[Payload()]], dtype=object), allow_pickle=True)}
    with pytest.raises(ModelFileError):
        Model.from_bytes(forged(members))
    assert not (tmp_path / "touched").exists()


@pytest.mark.parametrize("shape", ["(1000000000000, 3)", "(-3, -3)", "(3, 3, 2)", "(True, 9)"])
def test_a_shape_its_bytes_do_not_fill_is_refused(shape):
    header = f"{{'descr': '<f8', 'fortran_order': False, 'shape': {shape}, }}\n".encode()
    content = b"\x93NUMPY\x01\x00" + len(header).to_bytes(2, "little") + header + bytes(72)
    with pytest.raises(ModelFileError):
        Model.from_bytes(forged(members_of(a_model()) | {"W.npy": content}))


def with_header(**changes):
    members = members_of(a_model())
    header = json.loads(members["header.json"])
    header.update(changes)
    return forged(members | {"header.json": json.dumps(header).encode()})


@pytest.mark.parametrize(
    "changes",
    [
        {"format": "something else"},
        {"schema": 0},
        {"schema": True},
        {"schema": "1"},
        {"surprise": 1},
        {"classes": {"type": "str", "labels": ["cat", "cat", "owl"]}},
        {"classes": {"type": "str", "labels": ["cat", 1, "owl"]}},
        {"classes": {"type": "int64", "labels": [1, 2, 2**70]}},
        {"classes": {"type": "object", "labels": [[1], 2, 3]}},
        {"classes": {"type": "datetime64[s]", "labels": [1, 2, 3]}},
        {"classes": ["cat", "dog", "owl"]},
        {"feature_names": ["a"]},
        {"feature_names": ["a", "a"]},
        {"feature_names": [1, 2]},
        {"feature_names": list(NAMES)},
        {"feature_names": None, "recipe": {"target": "t", "label_type": "str"}},
        {"recipe": {"target": "a", "label_type": "str"}},
        {"recipe": {"target": "t", "label_type": "code"}},
        {"recipe": "rm -rf"},
        {"settings": {"loss": "perceptron"}},
        {"settings": None},
        {"alpha": -1.0},
        {"alpha": "1e-4"},
        {"alpha": math.nan},
        {"objective": math.inf},
        {"C": 0},
        {"n_rows": -1},
        {"class_counts": [1, 2]},
        {"certificate": {"kind": "gap", "gap": -1, "relative": 0, "kkt": 0}},
        {"certificate": {"kind": "trust me", "gap": 0, "relative": 0, "kkt": 0}},
        {"witness": None},
        {"witness": {"lag": 3, "temperature": 0, "envelope": False}},
        {"witness": {"lag": 0, "temperature": 0, "envelope": True}},
        {"witness": {"lag": 0, "temperature": 1, "envelope": 1}},
        {"witness": {"lag": 0, "temperature": 1}},
        {"witness": {"lag": 0, "temperature": 1, "envelope": True}, "settings": {"loss": "softmax"}},
        {"status": "perfect"},
        {"message": None},
        {"history": {"a": [1], "b": []}},
        {"history": {"a": ["x"]}},
        {"metrics": []},
        {"metrics": {"train": [1]}},
        {"metrics": {"train": {"loss": "x"}}},
        {"split": 3},
        {"split": {"kind": "file"}},
        {"split": {"kind": "none", "group": [1]}},
        {"settings": {"loss": "softmax", "class_weight": {"7": 2.0}}},
        {"settings": {"loss": "softmax", "class_weight": {"-1": 2.0}}},
        {"settings": {"loss": "softmax", "fit_intercept": "no"}},
        {
            "feature_names": None,
            "recipe": {"columns": ["a", {"name": "b", "indicator": True}], "target": "t", "label_type": "str"},
        },
        {"fingerprint": 3},
    ],
    ids=str,
)
def test_headers_that_softreg_never_writes_are_refused(changes):
    with pytest.raises(ModelFileError) as refused:
        Model.from_bytes(with_header(**changes), "m.softreg")
    assert "\n" not in str(refused.value)
    assert str(refused.value).startswith("m.softreg: ")


def test_deep_or_huge_json_is_refused():
    members = members_of(a_model())
    for text in (b"[" * 100_000, b'{"format": ' + b"9" * 5000 + b"}", b"\xff\xfe", b"{}", b"null"):
        with pytest.raises(ModelFileError):
            Model.from_bytes(forged(members | {"header.json": text}))


def test_settings_that_cannot_be_are_refused_when_they_are_needed():
    model = Model.from_bytes(with_header(settings={"loss": "softmax", "alpha": -3}))
    with pytest.raises(ModelFileError, match="settings are not valid"):
        model.settings  # noqa: B018


def test_a_newer_schema_is_named():
    content = with_header(schema=3, versions={"softreg": "9.1"}, surprise="of the future")
    with pytest.raises(ModelFileError, match=r"written by softreg 9\.1 as schema 3; .*use the newer one"):
        Model.from_bytes(content)


def test_E71_a_model_of_schema_1_is_read_as_it_was_meant():
    old = {"schema": 1, "feature_names": list(NAMES), "recipe": {"target": "animal", "label_type": "str"}}
    again = Model.from_bytes(with_header(**old))
    assert again.recipe == Recipe.plain(NAMES, "animal", "str")
    assert again.feature_names == tuple(NAMES)
    assert again.to_bytes() == a_model().to_bytes()


def test_members_that_do_not_belong_are_refused():
    members = members_of(a_model())
    with pytest.raises(ModelFileError, match=r"does not belong: '\.\./\.\./evil'"):
        Model.from_bytes(forged(members, extra=[("../../evil", b"x")]))
    with pytest.raises(ModelFileError, match="does not belong"):
        Model.from_bytes(forged(members, extra=[("/etc/evil", b"x")]))
    with (
        pytest.warns(UserWarning, match="Duplicate name"),
        pytest.raises(ModelFileError, match="two members of one name"),
    ):
        Model.from_bytes(forged(members, extra=[("W.npy", members["W.npy"])]))
    with pytest.raises(ModelFileError, match="compressed"):
        Model.from_bytes(forged(members, compression=zipfile.ZIP_DEFLATED))
    del members["sha256.txt"]
    with pytest.raises(ModelFileError, match="checksums are missing"):
        Model.from_bytes(forged(members, sums=False))


def test_an_encrypted_archive_is_refused():
    content = bytearray(a_model().to_bytes())
    at = content.find(b"PK\x01\x02")
    while at >= 0:  # the flag of every entry in the central directory
        content[at + 8] |= 1
        at = content.find(b"PK\x01\x02", at + 1)
    with pytest.raises(ModelFileError, match="encrypted"):
        Model.from_bytes(bytes(content))


def test_a_pickle_is_refused_unopened_whatever_its_name(tmp_path):
    class Payload:
        def __reduce__(self):
            return (open, (str(tmp_path / "touched"), "w"))

    path = tmp_path / "model.softreg"
    for protocol in range(2, 6):
        path.write_bytes(pickle.dumps(Payload(), protocol=protocol))
        with pytest.raises(ModelFileError, match="pickle or joblib file"):
            Model.load(path)
    assert not (tmp_path / "touched").exists()


def test_other_files_are_refused_by_name(tmp_path):
    path = tmp_path / "m"
    with pytest.raises(ModelFileError, match="no such file"):
        Model.load(path)
    for content, finding in (
        (b"", "empty"),
        (b"a,b\n1,2\n", "not a softreg model"),
        (forged({"X.npy": b"1"}, sums=False), "without header.json"),
    ):
        path.write_bytes(content)
        with pytest.raises(ModelFileError, match=finding):
            Model.load(path)
    for other in (tmp_path, "/dev/null", "a\0b"):
        with pytest.raises(ModelFileError, match="cannot be read"):
            Model.load(other)


# --- where it is written ------------------------------------------------------------------------------------------


def test_a_model_replaces_a_model_and_nothing_else(tmp_path):
    path = tmp_path / "m"
    a_model().save(path)
    a_model(objective=0.5).save(path)
    assert Model.load(path).objective == 0.5
    assert is_model(path)
    table = tmp_path / "table.csv"
    for content in (b"a,b\n1,2\n", b"", forged({"X.npy": b"1"}, sums=False)):
        table.write_bytes(content)
        assert not is_model(table)
        with pytest.raises(OutputError, match=r"not a softreg model \(choose another --output\)"):
            a_model().save(table)
        assert table.read_bytes() == content
    check_replaceable(tmp_path / "new")


def test_a_failed_write_leaves_the_old_model(tmp_path, monkeypatch):
    path = tmp_path / "m"
    a_model().save(path)
    before = path.read_bytes()

    def full(_descriptor):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OutputError, match="no space left"):
        a_model(objective=0.5).save(path)
    assert path.read_bytes() == before
    assert os.listdir(tmp_path) == ["m"]
