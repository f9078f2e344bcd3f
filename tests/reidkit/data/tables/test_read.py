"""Tables as spreadsheets write them, and whatever else may lie under the name of one."""

import csv

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from reidkit.data.tables.read import read_table
from reidkit.errors import UserError

TEXT = "pid,camid,file\n0001,2,é.jpg\n1_11,3,b.jpg\n"
CLOSE = [HealthCheck.function_scoped_fixture]
WANTED = {"pid": ["0001", "1_11"], "camid": ["2", "3"], "file": ["é.jpg", "b.jpg"]}


@pytest.mark.parametrize(
    "content",
    [
        TEXT.encode(),
        TEXT.encode("utf-8-sig"),
        TEXT.encode("utf-16"),
        b"\xfe\xff" + TEXT.encode("utf-16-be"),
        TEXT.encode("utf-32"),
        TEXT.replace("\n", "\r\n").encode(),
        TEXT.replace(",", ";").encode(),
        TEXT.replace(",", "\t").encode(),
        TEXT.replace(",", " , ").encode(),
        (TEXT + "\n").encode(),
        (TEXT + ",,\n , ,\n\n").encode(),
        TEXT.replace("b.jpg", '"b.jpg"').encode(),
    ],
)
def test_one_table_in_many_writings(tmp_path, content):
    (tmp_path / "t.csv").write_bytes(content)
    assert read_table(tmp_path / "t.csv") == WANTED


@pytest.mark.parametrize(
    "content, message",
    [
        (TEXT.encode("latin-1"), "line 2: byte 0xe9 is no UTF-8; save the table as UTF-8"),
        ("pid,name\n1,张\n".encode("gbk"), "line 2: byte 0xd5 is no UTF-8"),
        (TEXT.encode("utf-16-le"), "is no UTF-8"),
        ("pid,camid\n1,2\n".encode("utf-16-le"), "holds zero bytes"),
        (b"\xff\xfea", "is no UTF-16"),
        (b"\x89PNG\r\n\x1a\n", "line 1: byte 0x89 is no UTF-8"),
        (b"", "holds no rows"),
        (b"pid,camid\n", "holds no rows"),
        (b"pid,camid\n1,2\n\n3,4\n", "line 3: 0 cells, but the head has 2"),
        (b"pid,camid\n1\n", "line 2: 1 cells, but the head has 2"),
        (b"pid,pid\n1,1\n", "two columns 'pid'; leave one of them"),
        (b'pid,camid\n"1,2\n', "line 2: unexpected end of data"),
        (b"pid\n" + b"a" * 200_000 + b"\n", "hold at most 131,072 letters"),
    ],
)
def test_what_is_no_table_is_refused_in_words(tmp_path, content, message):
    (tmp_path / "t.csv").write_bytes(content)
    with pytest.raises(UserError) as caught:
        read_table(tmp_path / "t.csv")
    assert message in str(caught.value) and "t.csv" in str(caught.value)


def test_names_of_files_keep_bytes_that_are_no_text(tmp_path):
    (tmp_path / "t.csv").write_bytes(b"file\nc1_0\xe9.jpg\n")
    with pytest.raises(UserError, match="byte 0xe9 is no UTF-8"):
        read_table(tmp_path / "t.csv")
    found = read_table(tmp_path / "t.csv", errors="surrogateescape")
    assert found["file"][0].encode("utf-8", "surrogateescape") == b"c1_0\xe9.jpg"


@pytest.mark.parametrize("content", [b"", b"PAR1", b"PAR1" + b"\0" * 40 + b"PAR1"])
def test_damaged_parquet_is_refused(tmp_path, content):
    pytest.importorskip("pyarrow")
    (tmp_path / "t.parquet").write_bytes(content)
    with pytest.raises(UserError, match="damaged, or no Parquet file"):
        read_table(tmp_path / "t.parquet")


def test_missing_files_and_folders_are_refused(tmp_path):
    (tmp_path / "folder.csv").mkdir()
    for name, message in [("a.csv", "no such file"), ("folder.csv", "no such"), ("a.txt", "csv")]:
        with pytest.raises(UserError, match=message):
            read_table(tmp_path / name)


@settings(max_examples=60, deadline=None, suppress_health_check=CLOSE)
@given(content=st.one_of(st.binary(max_size=80), st.text(max_size=60).map(lambda x: x.encode())))
def test_any_bytes_are_a_table_or_refused(tmp_path, content):
    (tmp_path / "any.csv").write_bytes(content)
    try:
        found = read_table(tmp_path / "any.csv")
    except UserError:
        return
    assert len({len(cells) for cells in found.values()}) == 1


@settings(max_examples=40, deadline=None, suppress_health_check=CLOSE)
@given(
    rows=st.lists(
        st.tuples(*[st.text(st.characters(exclude_categories=["Cs", "Cc"]), max_size=6)] * 2),
        min_size=1,
        max_size=8,
    )
)
def test_cells_come_back_as_they_were_written(tmp_path, rows):
    with open(tmp_path / "w.csv", "w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([("a", "b"), *rows, ("end", "end")])
    found = read_table(tmp_path / "w.csv")
    assert found["a"] == [row[0].strip() for row in rows] + ["end"]
    assert found["b"] == [row[1].strip() for row in rows] + ["end"]
