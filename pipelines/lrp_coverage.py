"""Sweeps timm: on which networks does the relevance engine run, and is what it gives LRP?

Each model runs unmodified, in float64, with every parameter away from its initial value, in a process of its own. A row
of results/lrp/coverage.csv says: ran (1 or 0), oracle_error (largest difference to the independent second
implementation, relative to the map's largest entry), ledger_gap (relevance that no account explains, as a fraction of
the largest account), and a note: the image size, or what went wrong. An interrupted sweep goes on where it stopped.

All models: about half an hour on one thread.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import subprocess
import sys
import time
import warnings
from pathlib import Path
from typing import Any

import pandas as pd

from benchmark.errors import BenchmarkError
from benchmark.files import atomic_path
from benchmark.registry import Entry
from benchmark.training.progress import clock
from pipelines import program

TABLE = Path("results/lrp/coverage.csv")
COLUMNS = ["model", "ran", "oracle_error", "ledger_gap", "note"]
CHECK = Entry("check", "isnet.lrp.check:check", "built-in")
CLASSES = 5
SMALLEST = 64

MODELS = """
test_byobnet test_coatnet test_convnext test_convnext2 test_convnext3 test_efficientnet test_efficientnet_evos
test_efficientnet_gn test_efficientnet_ln test_mambaout test_maxvit test_nfnet test_resnet test_vit test_vit2 test_vit3
test_vit4 test_vit_relpos

resnet10t resnet18 resnet26t resnetaa34d seresnet18 legacy_seresnet18 seresnext26t_32x4d ecaresnetlight ecaresnet26t
gcresnext26ts skresnet18 resnest14d res2net50_26w_4s resnetv2_18 resnetv2_50x1_bit nf_resnet26 nf_regnet_b0 nfnet_f0
dm_nfnet_f0 eca_nfnet_l0 botnet26t_256:256 halonet26t:256 bat_resnext26ts:256 lambda_resnet26t:256 tresnet_m
densenet121 rdnet_tiny vgg11 vgg11_bn repvgg_a0 dla46_c dpn48b darknet17 cspresnet50 cspdarknet53 cspnext_tiny
hrnet_w18_small hgnet_tiny hgnetv2_b0 inception_v3:96 inception_v4:96 inception_resnet_v2:96 inception_next_atto
xception41 legacy_xception pnasnet5large:96 vovnet39a ese_vovnet19b_slim selecsls42 gernet_s senet154

efficientnet_b0 efficientnet_b0_gn efficientnetv2_rw_t efficientnet_lite0 efficientnet_cc_b0_4e mixnet_s mnasnet_small
semnasnet_050 spnasnet_100 fbnetc_100 fbnetv3_b tinynet_e lcnet_035 lcnetv2_small hardcorenas_a mobilenetv1_100
mobilenetv2_035 mobilenetv3_small_050 mobilenetv4_conv_small_035 mobilenetv4_hybrid_medium mobilenetv5_300m mobileone_s0
ghostnet_050 ghostnetv2_100 ghostnetv3_050 repghostnet_050 rexnet_100 rexnetr_100 regnetx_002 regnety_002 regnetz_005
starnet_s050 fasternet_t0 shvit_s1 repvit_m0_9 csatv2 convmixer_768_32

convnext_atto convnextv2_atto focalnet_tiny_srf mambaout_femto poolformer_s12 poolformerv2_s12 caformer_s18
convformer_s18 edgenext_xx_small efficientformer_l1:224 efficientformerv2_s0:224 efficientvit_b0 efficientvit_m0:224
efficientvim_m1 fastvit_t8 iformer_t lowformer_b0 cpubone_nano mobilevit_xxs mobilevitv2_050 nextvit_small
swiftformer_xs levit_128s:224 levit_conv_128s:224 tiny_vit_5m_224:224 vitamin_small_224:224

vit_tiny_patch16_224 vit_base_patch16_siglip_224 vit_relpos_small_patch16_224:224 vit_srelpos_small_patch16_224:224
vit_tiny_r_s16_p8_224:224 samvit_base_patch16_224:224 deit_tiny_patch16_224 deit3_small_patch16_224
beit_base_patch16_224:224 eva02_tiny_patch14_224:56 cait_xxs24_224:224 xcit_nano_12_p16_224:224 convit_tiny:224
crossvit_tiny_240:240 tnt_s_patch16_224:224 tnt_s_legacy_patch16_224:224 pit_ti_224:224 pvt_v2_b0 volo_d1_224:224
visformer_tiny:224 twins_pcpvt_small:224 twins_svt_small:224 swin_tiny_patch4_window7_224:224
swinv2_tiny_window8_256:256 swinv2_cr_tiny_ns_224:224 nest_tiny:224 hiera_tiny_224:224 hieradet_small:224
mvitv2_tiny:224 gcvit_xxtiny:224 maxvit_tiny_tf_224:224 coatnet_0_224:224 coat_lite_tiny:224 coat_tiny:224
davit_tiny:224 mixer_s32_224:224 gmixer_24_224:224 gmlp_ti16_224:224 resmlp_12_224:224 sequencer2d_s:224
naflexvit_base_patch16_gap
"""
"""``name`` or ``name:image size``: one or more small models of each of timm's families."""


def sizes() -> dict[str, int]:
    """Model name -> image size."""
    pairs = (word.partition(":") for word in MODELS.split())
    return {name: int(size or SMALLEST) for name, _, size in pairs}


def sample(name: str, size: int) -> tuple[Any, Any]:
    """A model in float64, with every parameter away from its initial value, and one image ``[1, 3, size, size]``.

    Fresh networks hide errors: batch norm's shifts, the last layers' gammas and layer scales are 0 or next to it.
    """
    import torch

    from benchmark.backbone import import_timm

    timm = import_timm()
    torch.manual_seed(0)
    try:
        model = timm.create_model(name, num_classes=CLASSES, img_size=size)
    except TypeError:  # a network that takes any size
        model = timm.create_model(name, num_classes=CLASSES)
    model = model.double().eval()
    rng = torch.Generator().manual_seed(0)
    for parameter in model.parameters():
        if parameter.dim() < 2 or parameter.detach().abs().max() < 1e-3:
            parameter.data += 0.2 * torch.randn(parameter.shape, generator=rng, dtype=parameter.dtype)
    for key, buffer in model.named_buffers():
        if key.endswith("running_mean"):
            buffer.normal_(0, 0.2, generator=rng)
        elif key.endswith("running_var"):
            buffer.uniform_(0.5, 2, generator=rng)
    return model, torch.randn(1, 3, size, size, generator=rng, dtype=torch.float64)


def measure(name: str, size: int) -> dict[str, Any]:
    """One row of the table.

    Returns:
        A mapping with the keys of :data:`COLUMNS`; what could not be measured is NaN.
    """
    import torch

    torch.set_num_threads(1)
    warnings.simplefilter("ignore")
    model, image = sample(name, size)
    report = CHECK.load()(model, image, 1, verbose=False)
    ran = report.books is not None
    missing = ", ".join(
        f"no rule for {operation} in {module or 'the model'}" for operation, module in report.unsupported
    )
    return {
        "model": name,
        "ran": int(ran),
        "oracle_error": report.oracle_error,
        "ledger_gap": report.books.gap if ran else math.nan,
        "note": "; ".join(filter(None, (f"{size} px", missing, report.note))),
    }


def measure_apart(name: str, size: int, limit: float) -> dict[str, Any]:
    """:func:`measure` in a process that may crash, hang or fill its memory without harm to the sweep."""
    command = [sys.executable, "-m", "pipelines.lrp_coverage", "--one", name, "--size", str(size)]
    failed = {"model": name, "ran": 0, "oracle_error": math.nan, "ledger_gap": math.nan}
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=limit, env=environment)
    except subprocess.TimeoutExpired:
        return {**failed, "note": f"{size} px; not finished after {limit:.0f} s"}
    if done.returncode != 0:
        reason = (done.stderr.strip().splitlines() or [f"exit code {done.returncode}"])[-1]
        return {**failed, "note": f"{size} px; {reason}"}
    row: dict[str, Any] = json.loads(done.stdout.strip().splitlines()[-1])
    return row


def read(table: Path) -> dict[str, dict[str, Any]]:
    """The rows of a table by model name; empty fields are NaN.

    Raises:
        BenchmarkError: If the table has other columns.
    """
    frame = pd.read_csv(table)
    if list(frame.columns) != COLUMNS:
        raise BenchmarkError(
            f"columns of {table}", got=", ".join(frame.columns), expected=", ".join(COLUMNS), do="Delete the file."
        )
    return {row[0]: dict(zip(COLUMNS, row, strict=True)) for row in frame.itertuples(index=False)}


def write(table: Path, rows: dict[str, dict[str, Any]]) -> None:
    """All rows by name, in one go."""
    frame = pd.DataFrame([rows[name] for name in sorted(rows)], columns=COLUMNS)
    with atomic_path(table) as fresh:
        frame.to_csv(fresh, index=False, float_format="%.1e", lineterminator="\n")


def sweep(arguments: argparse.Namespace) -> None:
    known = sizes()
    if arguments.one:
        print(json.dumps(measure(arguments.one, arguments.size or known.get(arguments.one, SMALLEST))))
        return
    names = arguments.models or list(known)
    rows = read(arguments.table) if arguments.table.exists() else {}
    waiting = [name for name in names if arguments.again or name not in rows]
    print(f"{len(names) - len(waiting)} of {len(names)} models are in {arguments.table}; {len(waiting)} to measure")
    begin = time.monotonic()
    for done, name in enumerate(waiting, start=1):
        row = rows[name] = measure_apart(name, arguments.size or known.get(name, SMALLEST), arguments.limit)
        write(arguments.table, rows)
        left = (time.monotonic() - begin) / done * (len(waiting) - done)
        found = f"oracle {row['oracle_error']:.1e}  ledger {row['ledger_gap']:.1e}  {row['note']}"
        print(f"{done}/{len(waiting)} {name}  {found}  {clock(left)} left", flush=True)
    ran = sum(int(rows[name]["ran"]) for name in names)
    print(f"{ran} of {len(names)} ran")


if __name__ == "__main__":
    parser = program.parser(__doc__)
    parser.add_argument("models", nargs="*", help="names of timm models; all of the list if none is given")
    parser.add_argument("--table", type=Path, default=TABLE)
    parser.add_argument("--size", type=int, help="pixels a side; the list's if not given")
    parser.add_argument("--limit", type=float, default=300, help="seconds a model")
    parser.add_argument("--again", action="store_true", help="measure models again that the table has")
    parser.add_argument("--one", metavar="MODEL", help=argparse.SUPPRESS)
    program.run(sweep, parser)
