"""COVID-19 or normal on chest X-rays: a mixed data set, in which the class is the hospital, and other hospitals.

| source | class | split | from |
| --- | --- | --- | --- |
| bimcv | covid | drawn | COVID-19 Radiography Database, images that it has from BIMCV |
| rsna | normal | drawn | the same database, images that it has from the RSNA Pneumonia Detection Challenge |
| cohen | covid, normal | external | ieee8023/covid-chestxray-dataset, frontal X-rays |
| hannover | covid | external | COVID-19 Image Repository of Hannover Medical School, frontal X-rays |
| shenzhen, montgomery | normal | external | the sets of the U.S. National Library of Medicine |

So anything that tells the two sources apart tells the class: markings, exposure, the age of the patients. That is the
situation of many published studies, and external scores show it. Children's images (Kermany), which the database has
among its normal ones, are left out, and so are the images of Hannover that are in Cohen's collection, too. The database
names no patients: images that show the same picture are one unit, others are taken as independent, which is too good
where patients came twice.

Masks: the database's own (``given``), those of the collection (``predicted``, by lungVAE), of the NLM (``human``); the
others are missing. The database needs a login; the rest is downloaded.

Source: Chowdhury et al. 2020 and Rahman et al. 2021 (the database), de la Iglesia Vayá et al. 2020 (BIMCV), Shih et al.
2019 (RSNA), Cohen et al. 2020, Winther et al. 2020 (doi 10.6084/m9.figshare.12275009), Jaeger et al. 2014.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from benchmark.data.csv_rows import read_csv
from benchmark.data.filed import FileDataset, Record
from benchmark.data.lungs import lung_mask, nlm_records
from benchmark.data.official import AGAIN
from benchmark.data.xlsx import read_sheet
from benchmark.errors import BenchmarkError
from benchmark.seeding import Draws

External = Literal["cohen", "hannover", "shenzhen", "montgomery"]

DATABASE = "COVID-19_Radiography_Dataset"
COHEN, HANNOVER = "covid-chestxray-dataset-master", "covid-19-image-repository-master"
MIXED = {"bimcv": ("COVID", "covid", "bimcv.cipf.es"), "rsna": ("Normal", "normal", "rsna-pneumonia-detection")}
"""Source to folder, class, and what the database's table says of where an image is from."""
FRONTAL = ("PA", "AP", "AP Supine")
FINDINGS = {"Pneumonia/Viral/COVID-19": "covid", "No Finding": "normal"}


class CovidCXR(FileDataset):
    """Chest X-rays of two classes from two sources, and of other hospitals."""

    class Settings(FileDataset.Settings):
        """The data set's YAML."""

        externals: tuple[External, ...] = Field(
            ("cohen", "hannover", "shenzhen", "montgomery"), description="hospitals of the external test"
        )
        balanced: bool = Field(True, description="as many normal as covid images in the mixed set, drawn by id")
        group_duplicates: bool = Field(
            True, description="images of the mixed set that show the same picture are one unit"
        )

    settings: Settings

    def records(self, folder: Path) -> list[Record]:
        """The images of all sources.

        Raises:
            BenchmarkError: If the files of a source are missing or of another form.
        """
        s = self.settings
        mixed = [record for source in MIXED for record in database(folder, source)]
        if s.balanced:
            mixed = balanced(mixed, s.split.seed)
        if s.group_duplicates:
            mixed = grouped(folder, mixed)
        readers = {"cohen": cohen, "hannover": hannover}
        others: list[Record] = []
        for name in s.externals:
            if name in readers:
                others += readers[name](folder)
            else:
                others += [record for record in nlm_records(folder, name, "external") if record.label == "normal"]
        return mixed + others

    def read_mask(self, folder: Path, record: Record, shape: tuple[int, int]) -> NDArray[np.bool_]:
        """Both lungs. The database's masks are 256 pixels wide, its images 299."""
        return lung_mask(folder, record.mask, shape)


def database(folder: Path, source: str) -> Iterator[Record]:
    """The database's images of one source.

    Raises:
        BenchmarkError: If its table is missing, or names no image of this source.
    """
    kind, label, origin = MIXED[source]
    table = f"{DATABASE}/{kind}.metadata.xlsx"
    found = 0
    for row in read_sheet(folder, table):
        if origin not in row.get("URL", ""):
            continue
        number = row.get("FILE NAME", "").rpartition("-")[2].strip()
        if not number.isdecimal():
            raise BenchmarkError(
                f"FILE NAME in {table}", got=row.get("FILE NAME", ""), expected=f"{kind}-1 or the like", do=AGAIN
            )
        found += 1
        yield Record(
            file=f"{DATABASE}/{kind}/images/{kind}-{number}.png",
            label=label,
            source=source,
            mask=f"{DATABASE}/{kind}/masks/{kind}-{number}.png",
            id=f"{source}-{int(number):05d}",
        )
    if not found:
        raise BenchmarkError(f"{table} names no image from {origin}", expected="a column URL that does", do=AGAIN)


def cohen(folder: Path) -> Iterator[Record]:
    """Frontal X-rays of Cohen's collection with COVID-19, or without a finding, but for those of Hannover."""
    columns = ("patientid", "finding", "view", "modality", "location", "folder", "filename", "doi", "url")
    for _, row in read_csv(folder, f"{COHEN}/metadata.csv", columns):
        label = FINDINGS.get(row["finding"].strip())
        if not label or row["modality"] != "X-ray" or row["view"] not in FRONTAL or row["folder"] != "images":
            continue
        if of_hannover(row):
            continue
        stem = row["filename"].rpartition(".")[0]
        mask = f"{COHEN}/annotations/lungVAE-masks/{stem}_mask.png"
        there = (folder / mask).is_file()
        yield Record(
            file=f"{COHEN}/images/{row['filename']}",
            label=label,
            source="cohen",
            split="external",
            unit=f"cohen-{row['patientid'].strip()}",
            mask=mask if there else "",
            mask_kind="predicted" if there else "",
            id=f"cohen-{row['filename']}",
        )


def of_hannover(row: Mapping[str, str]) -> bool:
    """Whether an image of Cohen's collection is from Hannover's repository."""
    return (
        "hannover" in row["location"].lower() or "covid-19-image-repository" in row["url"] or "12275009" in row["doi"]
    )


def hannover(folder: Path) -> Iterator[Record]:
    """Frontal X-rays of Hannover's repository; a patient has up to dozens."""
    for _, row in read_csv(folder, f"{HANNOVER}/data.csv", ("patient_id", "image_id", "projection")):
        if row["projection"].strip().upper() in FRONTAL:
            yield Record(
                file=f"{HANNOVER}/png/{row['image_id']}.png",
                label="covid",
                source="hannover",
                split="external",
                unit=f"hannover-{row['patient_id']}",
                id=f"hannover-{row['image_id']}",
            )


def balanced(records: list[Record], seed: int) -> list[Record]:
    """As many images of each class as the smaller one has: those that come first by a number that seed and id give."""
    place = Draws(seed, np.array([record.id for record in records])).uniform("balanced")
    labels = np.array([record.label for record in records])
    order = np.argsort(place)
    each = [order[labels[order] == label] for label in np.unique(labels)]
    kept = np.concatenate([rows[: min(map(len, each))] for rows in each])
    return [records[row] for row in np.sort(kept).tolist()]


def grouped(folder: Path, records: list[Record]) -> list[Record]:
    """One unit for images that show the same picture, directly or by way of others."""
    from benchmark.data.check.duplicates import equal_files, near_duplicates
    from benchmark.data.check.look import look_at

    look = look_at(folder, [record.file for record in records], [""] * len(records))
    ids = [record.id for record in records]
    pairs = np.array(equal_files(look) + near_duplicates(look, ids, ids), dtype=np.int64).reshape(-1, 2)
    edges = coo_array((np.ones(len(pairs)), (pairs[:, 0], pairs[:, 1])), shape=(len(records), len(records)))
    _, group = connected_components(edges, directed=False)
    first: dict[int, str] = {}
    return [replace(r, unit=first.setdefault(g, r.id)) for r, g in zip(records, group.tolist(), strict=True)]
