"""Excel workbooks: written here by hand as the standard says, and by another reader's rules."""

import zipfile

import pytest

from benchmark.data.xlsx import SHARED, SHEET, read_sheet
from benchmark.errors import BenchmarkError

MAIN = 'xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main"'
STRINGS = f"""<?xml version="1.0" encoding="UTF-8"?>
<sst {MAIN} count="5" uniqueCount="5"><si><t>FILE NAME</t></si>
<si><t xml:space="preserve">SIZE </t></si><si><t>URL</t></si>
<si><r><t>COVID</t></r><r><t>-1</t></r></si><si><t>a &amp; b</t></si></sst>"""
ROWS = f"""<?xml version="1.0" encoding="UTF-8"?>
<worksheet {MAIN}><sheetData>
<row r="1"><c r="A1" t="s"><v>0</v></c><c r="B1" t="s"><v>1</v></c><c r="D1" t="s"><v>2</v></c></row>
<row r="2"><c r="A2" t="s"><v>3</v></c><c r="B2"><v>299</v></c><c r="D2" t="s"><v>4</v></c></row>
<row r="3"><c r="B3"/></row>
<row r="4"><c r="A4" t="inlineStr"><is><t>COVID-2</t></is></c><c r="C4"><v>7</v></c></row>
</sheetData></worksheet>"""


def workbook(folder, parts) -> None:
    with zipfile.ZipFile(folder / "t.xlsx", "w") as archive:
        for name, content in parts.items():
            archive.writestr(name, content)


def test_texts_numbers_gaps_and_empty_rows_are_read_by_column(tmp_path):
    workbook(tmp_path, {SHEET: ROWS, SHARED: STRINGS})
    assert list(read_sheet(tmp_path, "t.xlsx")) == [
        {"FILE NAME": "COVID-1", "SIZE": "299", "URL": "a & b"},
        {"FILE NAME": "COVID-2", "SIZE": "", "URL": ""},
    ]


BOMB = f'<!DOCTYPE x [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;">]><worksheet {MAIN}><sheetData/></worksheet>'


@pytest.mark.parametrize(
    ("parts", "said"),
    [
        ({"other.xml": ""}, "KeyError"),
        ({SHEET: "<worksheet>"}, "ParseError"),
        ({SHEET: BOMB}, "document type"),
        ({SHEET: ROWS, SHARED: f"<sst {MAIN}/>"}, "IndexError"),
        ({SHEET: ROWS.replace("<v>3</v>", "<v>x</v>"), SHARED: STRINGS}, "ValueError"),
    ],
)
def test_what_is_no_workbook_is_refused(tmp_path, parts, said):
    workbook(tmp_path, parts)
    with pytest.raises(BenchmarkError, match=rf"table t.xlsx cannot be read; got .*{said}.*expected an Excel workbook"):
        list(read_sheet(tmp_path, "t.xlsx"))


def test_a_huge_sheet_is_not_unpacked(tmp_path, monkeypatch):
    monkeypatch.setattr("benchmark.data.xlsx.MOST_BYTES", 10_000)
    with zipfile.ZipFile(tmp_path / "t.xlsx", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(SHEET, b" " * 10_001)
    with pytest.raises(BenchmarkError, match="has 10001 bytes, more than 10000"):
        list(read_sheet(tmp_path, "t.xlsx"))


def test_a_file_that_is_missing_or_no_zip_is_named(tmp_path):
    with pytest.raises(BenchmarkError, match=r"t.xlsx is not among the data set's files"):
        list(read_sheet(tmp_path, "t.xlsx"))
    (tmp_path / "t.xlsx").write_text("<html>sign in</html>")
    with pytest.raises(BenchmarkError, match=r"table t.xlsx cannot be read; got 'BadZipFile"):
        list(read_sheet(tmp_path, "t.xlsx"))
