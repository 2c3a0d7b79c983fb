"""Files as they come: each runs at the first call, or with the options it is told."""

import bz2
import gzip
import io
import lzma
import re
import shlex
import zipfile

import numpy as np
import pandas as pd
import pytest

N = 40


def numbers(n_columns=3, n_rows=N):
    """Return rows of correlated numbers with three decimals."""
    rng = np.random.default_rng(0)
    X = rng.normal(size=(n_rows, 2)) @ rng.normal(size=(2, n_columns))
    X = X + 0.3 * rng.normal(size=(n_rows, n_columns))
    return pd.DataFrame(X.round(3), columns=list("abcdefgh")[:n_columns])


def csv(table, **how):
    return table.to_csv(**({"index": False} | how))


def lines(*columns):
    """Return lines of cells separated by commas."""
    return "".join(",".join(map(str, row)) + "\n" for row in zip(*columns, strict=True))


def zipped(files):
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return buffer.getvalue()


def npz(**arrays):
    buffer = io.BytesIO()
    np.savez(buffer, **arrays)
    return buffer.getvalue()


def npy(array):
    buffer = io.BytesIO()
    np.save(buffer, array)
    return buffer.getvalue()


A, B, C = (numbers()[name].tolist() for name in "abc")
TIMES = pd.date_range("2024-03-28 22:00", periods=N, freq="h")
STAMPS = TIMES.strftime("%Y-%m-%d %H:%M:%S").tolist()
DAYS = TIMES.strftime("%d/%m/%Y").tolist()
CLOCKS = TIMES.strftime("%H.%M.%S").tolist()
KINDS = ["tcp", "udp", "icmp", "udp"] * (N // 4)
COMMAS = csv(numbers(), sep=";", decimal=",")
# Content, and what each column is used for: N number, H one-hot, T time, C carried
# through, L left out; or the options that the first call must name.
FILES = {
    "series": ("timestamp,value\n" + lines(STAMPS, A), "TN"),
    "seconds": ("Time,V1,V2\n" + lines(sorted([0, 1] * 20), A, B), "TNN"),
    "newest-first": ("Date,o,c\n" + lines(STAMPS[::-1], A, B), "TNN"),
    "dates-in-words": (
        csv(pd.DataFrame({"day": TIMES.strftime("%b %d, %Y"), "x": A, "y": B})),
        "TNN",
    ),
    "r-header": (
        '"date","a","b"\n' + lines([f'"{i + 1}"' for i in range(N)], STAMPS, A, B),
        "LTNN",
    ),
    "pandas-index": (csv(numbers().set_axis(range(3), axis=1), index=True), "LNNN"),
    "blanks-and-nan": (
        csv(numbers().where(numbers() < 1), sep=" ", header=False, na_rep="NaN"),
        "NNN",
    ),
    "aligned": (numbers().to_string(index=False), "NNN"),
    "question-marks": (lines(A, ["?", *B[1:]], C, ["Male", "Female"] * 20), "NNNH"),
    "letters": (lines(["p", "e"] * 20, ["x", "b", "s", "f"] * 10, ["n"] * N), "HHL"),
    "adult": (lines(A, [f" {one}" for one in KINDS], B) + "\n", "NHN"),
    "many-categories": (
        "duration,service,flag,bytes\n"
        + lines(A, [f"s{i % 30}" for i in range(N)], KINDS, B),
        "NLHN",
    ),
    "semicolons-and-quotes": (csv(numbers(), sep=";", quoting=2), "NNN"),
    "air": (
        "Date;Time;CO;NO;;\n"
        + "".join(
            f"{d};{t};" + f"{a};{b};;\n".replace(".", ",")
            for d, t, a, b in zip(DAYS, CLOCKS, ["-200", *A[1:]], B, strict=True)
        )
        + ";;;;;\n" * 9,
        "TCNNLL",
    ),
    "decimal-commas": (COMMAS, "NNN"),
    "quoted-decimal-commas": (
        csv(numbers().map(lambda x: str(x).replace(".", ",")), quoting=1),
        "NNN",
    ),
    "thousands": (
        "a,b,change\n"
        + lines(
            A, [f'"{1000 * i + 1234:,}"' for i in (*B, 0)][:N], [f"{c}%" for c in C]
        ),
        "NNN",
    ),
    "latin-1": (
        ("Température(°C),b,saison\n" + lines(A, B, ["été", "hiver"] * 20)).encode(
            "latin-1"
        ),
        "NNH",
    ),
    "utf-16": (csv(numbers(), sep="\t").encode("utf-16"), "NNN"),
    "utf-16-without-mark": (csv(numbers()).encode("utf-16-le"), "NNN"),
    "mark": (b"\xef\xbb\xbf" + csv(numbers()).encode(), "NNN"),
    "old-mac": (csv(numbers()).replace("\n", "\r"), "NNN"),
    "pipes": (csv(numbers(), sep="|"), "NNN"),
    "comments-and-units": (
        "# made by a logger\n# 2024\n" + "t,flow,p\ns,m/s,bar\n" + lines(A, B, C),
        "NNN",
    ),
    "commented-header": ("# a b c\n" + csv(numbers(), sep=" ", header=False), "NNN"),
    "lines-above": ("Plant 4\nExported;today\n\n" + csv(numbers(), sep=";"), "NNN"),
    "weka": (
        "% a comment\n@relation x\n@attribute 'first one' real\n@ATTRIBUTE b real\n"
        "@attribute kind {u,v}\n@data\n" + lines(A, B, ["u", "v"] * 20),
        "NNH",
    ),
    "gz-of-semicolons": (gzip.compress(COMMAS.encode()), "NNN"),
    "xz": (lzma.compress(csv(numbers()).encode()), "NNN"),
    "bz2": (bz2.compress(csv(numbers()).encode()), "NNN"),
    "zip-of-two": (zipped({"read me.txt": "?", "d/x.csv": csv(numbers())}), "NNN"),
    "npz": (
        npz(X=numbers().to_numpy(), time=np.arange(N) * 60.0, y=np.arange(N) < 5),
        "NNNTC",
    ),
    "npy-of-images": (npy(np.random.default_rng(0).random((N, 2, 2))), "NNNN"),
    "ids-and-labels": (
        "id,name,a,b,isFraud\n"
        + lines(range(7, 7 + 3 * N, 3), [f"n{i}" for i in range(N)], A, B, [0, 1] * 20),
        "LLNNC",
    ),
    "awkward-names": (
        '$x_{$,=1+1,"two\nlines",\x1b[31mred,日本,a\n' + lines(A, B, C, A, B, KINDS),
        "NNNNNH",
    ),
    "repeated-names": ("a,a,a.1,\n" + lines(A, B, C, A), "NNNN"),
    "true-and-false": ("a,b,on\n" + lines(A, B, [True, False] * 20), "NNN"),
    "words-for-missing": ("a,b\n" + lines(["error", *A[1:]], B), "NN"),
    "empty-column-and-rows": ("a,b,c\n" + lines(A, [""] * N, C) + ",,\n" * 3, "NLN"),
    "infinite": ("a,b\n" + lines(["inf", *A[1:]], B), "--missing=inf"),
    "too-large": ("a,b\n" + lines(["1e200", *A[1:]], B), "--missing=1e+200"),
    "ragged": ("a,b\n" + lines(A, B) + "1,2,3\n", "--skip-bad-lines"),
    "ids-alone": (
        "id,name\n" + lines(range(N), [f"n{i}" for i in range(N)]),
        "--keep 'id,name'",
    ),
}
LETTERS = {"N": "number", "H": "one-hot", "T": "time", "C": "carried through"}
LETTERS |= {"L": "left out"}
RUN = (
    "series newest-first letters question-marks air latin-1 utf-16 "
    "comments-and-units gz-of-semicolons zip-of-two npz ids-and-labels "
    "awkward-names blanks-and-nan r-header empty-column-and-rows "
)


def write(folder, content):
    path = folder / "data.csv"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


@pytest.mark.parametrize("name", FILES)
def test_every_column_finds_a_use_or_a_reason(name, tmp_path, run, load_file):
    content, expected = FILES[name]
    path = write(tmp_path, content)
    if expected.startswith("--"):
        done = run(tmp_path / "out", path)
        assert done.code == 2
        assert done.err.count("\n") == 1
        assert expected in done.err
        assert not done.folder.exists()
        options = shlex.split(expected)
        if name == "ids-alone":
            options = ["--keep", "id", "--categories", "name"]
        table, _ = load_file(path, *options)
        assert len(table.X) >= N - 1
        return
    table, _ = load_file(path)
    uses = [column.use for column in table.columns]
    assert uses == [LETTERS[letter] for letter in expected]
    assert all(one.why for one in table.columns if one.use in ("left out", "time"))
    assert len(table.X) == N
    assert all(name.isprintable() for name in table.X)


@pytest.mark.parametrize("name", RUN.split())
def test_a_file_runs_at_the_first_call(name, tmp_path, run):
    content, _ = FILES[name]
    done = run(tmp_path / "out", write(tmp_path, content))
    assert done.code == 0, done.err
    scores = pd.read_csv(done.folder / "scores.csv")
    assert len(scores) == N
    assert np.isfinite(scores["score"]).all()
    assert re.search("(number|one-hot) +[0-9]", done.out)
    assert (done.folder / "report.html").stat().st_size > 10_000


SAID = {
    "question-marks": "The first row looks like data",
    "latin-1": "it was read as cp1252",
    "comments-and-units": "The line of units below the names was left out: ['s', 'm/s'",
    "lines-above": "2 lines before the table, from 'Plant 4' on, were left out",
    "zip-of-two": "'d/x.csv' was read. Other parts: 'read me.txt'; pass --part NAME",
    "npy-of-images": "Rows of array 'x', (2, 2), were flattened",
    "awkward-names": "Names were made readable and different: ",
    "empty-column-and-rows": "3 rows without any value were left out",
    "series": "each row is judged with the 9 rows before it (--window 10)",
    "ids-and-labels": "Then pass --label-column 'isFraud'",
    "commented-header": "The last one before the rows holds the names",
}


@pytest.mark.parametrize("name", SAID)
def test_what_was_done_is_said(name, tmp_path, load_file):
    table, _ = load_file(write(tmp_path, FILES[name][0]))
    assert SAID[name] in " ".join(table.notes)


@pytest.mark.parametrize(
    ("name", "column", "why"),
    [
        ("decimal-commas", "b", "decimal commas"),
        ("quoted-decimal-commas", "b", "decimal commas"),
        ("thousands", "b", "commas between thousands"),
        ("thousands", "change", "units taken away"),
        ("words-for-missing", "a", "'error' taken as missing; values missing"),
        ("newest-first", "Date", "the newest row is first"),
        ("many-categories", "service", "text of over 20 values; --categories uses it"),
        (
            "ids-and-labels",
            "id",
            "counts the rows; --keep uses it, --id carries it thr",
        ),
    ],
)
def test_what_was_done_with_a_column_is_said(name, column, why, tmp_path, load_file):
    table, _ = load_file(write(tmp_path, FILES[name][0]))
    (found,) = [one for one in table.columns if one.name == column]
    assert found.why.startswith(why)


def test_decimal_commas_keep_their_values(tmp_path, load_file):
    for name in ("decimal-commas", "quoted-decimal-commas"):
        table, _ = load_file(write(tmp_path, FILES[name][0]))
        np.testing.assert_allclose(table.X, numbers(), atol=1e-9)


def test_a_far_value_that_may_mean_missing_is_asked_about_and_may_be(
    tmp_path, load_file
):
    content = "a,b,c\n" + lines([-200, -200, *A[2:]], [-200, *B[1:-1], -200], C)
    path = write(tmp_path, content)
    table, _ = load_file(path)
    (note,) = table.notes
    assert note.startswith("-200 stands far from all other values of 2 columns: a (2),")
    assert note.endswith("pass --missing=-200.")
    table, _ = load_file(path, "--missing=-200")
    assert table.notes == ()
    assert table.X.isna().sum().tolist() == [2, 2, 0]
    table, _ = load_file(path, "--missing", "-200")
    assert table.X.isna().sum().tolist() == [2, 2, 0]
    arrays = npy(np.column_stack([[-200, *A[1:]], B]))
    table, _ = load_file(write(tmp_path, arrays), "--missing", "-200")
    assert table.X.isna().sum().tolist() == [1, 0]


def test_the_options_of_reading(tmp_path, load_file):
    text = "x\ny\n! note\n" + csv(numbers(), sep="~", decimal=",")
    options = ["--skip-rows", 2, "--comment", "!", "--separator", "~", "--decimal", ","]
    options += ["--encoding", "utf-16"]
    table, _ = load_file(write(tmp_path, text.encode("utf-16")), *options)
    np.testing.assert_allclose(table.X, numbers())
    path = write(tmp_path, csv(numbers(), header=False))
    assert list(load_file(path, "--header")[0].X) == [
        str(x) for x in (A[0], B[0], C[0])
    ]
    path = write(tmp_path, "a,b\n" + lines(A, B) + "1,2,3\n")
    table, _ = load_file(path, "--skip-bad-lines")
    assert "1 lines with too many cells were left out." in table.notes
    path = write(tmp_path, zipped({"u.csv": csv(numbers()), "v.csv": csv(numbers(2))}))
    assert load_file(path, "--part", "v.csv")[0].X.shape[1] == 2


BAD = {
    "empty": ("", "The file is empty."),
    "blank": (" \n\n", "The file is empty."),
    "header-only": ("a,b\n", "has 0 rows of data, but at least 10 are needed"),
    "few-rows": ("a,b\n1,2\n", "has 1 rows of data"),
    "binary": (b"\x89PNG\r\n\x1a\n\0\0\0" * 50, "holds binary data"),
    "old-excel": (b"\xd0\xcf\x11\xe0" * 50, "an old Excel workbook"),
    "broken-gzip": (gzip.compress(b"a,b\n" * 99)[:-9], "cannot be read: Compressed"),
    "broken-zip": (b"PK\x03\x04" + b"x" * 50, "cannot be read: File is not a zip"),
    "objects": (npy(np.array([{}, 1], dtype=object)), "cannot be read: Object arrays"),
    "constants": ("a\n" + "u\n" * N, "No column is left to learn from ('a': left out"),
}


@pytest.mark.parametrize(("content", "words"), BAD.values(), ids=BAD)
def test_a_bad_file_is_refused_in_one_line(content, words, tmp_path, run):
    done = run(tmp_path / "out", write(tmp_path, content))
    assert (done.code, done.out) == (2, "")
    assert done.err.startswith("skae: error: ")
    assert words in done.err
    assert done.err.count("\n") == 1


@pytest.mark.parametrize(
    ("option", "words"),
    [
        (["--encoding", "klingon"], "--encoding 'klingon' is not known"),
        (["--encoding", "utf-16"], "not in the encoding 'utf-16'"),
        (["--keep", "none"], "--keep 'none' is no column. The 3 columns are 'a', 'b'"),
        (["--drop", "a,5"], "--drop '5' is no column"),
        (["--drop", "a", "--keep", "a"], "Column 'a' is asked for twice"),
        (["--drop", "a,b,c"], "No column is left to learn from"),
        (["--label-column", "none"], "--label-column 'none' is no column"),
    ],
)
def test_options_that_fit_no_file_are_refused(option, words, tmp_path, run):
    path = write(tmp_path, csv(numbers()) + "1,2,3\n")
    done = run(tmp_path / "out", path, *option)
    assert done.code == 2
    assert words in done.err


@pytest.mark.parametrize("name", ["sheet.xlsx", "data.parquet"])
def test_a_format_of_another_package_runs_or_names_it(name, tmp_path, run, load_file):
    path = tmp_path / name
    try:
        if name.endswith("xlsx"):
            with pd.ExcelWriter(path) as book:
                numbers(2).assign(when=TIMES).to_excel(
                    book, sheet_name="u", index=False
                )
                numbers(1).head(12).to_excel(book, sheet_name="v", index=False)
        else:
            numbers(2).assign(when=TIMES).to_parquet(path)
    except ImportError:
        content = zipped({"xl/workbook.xml": "x"}) if "xlsx" in name else b"PAR1" * 9
        done = run(tmp_path / "out", write(tmp_path, content))
        assert done.code == 2
        assert "Run pip install 'skae[files]', or save the table as CSV." in done.err
    else:
        table, uses = load_file(path)
        assert uses == {"number": ["a", "b"], "time": ["when"]}
        np.testing.assert_allclose(table.X, numbers(2))
