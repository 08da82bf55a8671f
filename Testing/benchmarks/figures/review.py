"""The review's flags: planted faults that it finds, faultless phantoms that it leaves alone, a real CT, and its time.

No network takes part. Every phantom is another one: pose, size, spacing, voxel order and field of view are drawn.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Mapping
from functools import lru_cache
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
from phantom import PhantomParameters, make_phantom
from phantom_faults import cuts, numbering, pieces, places, presence, ribs, sizes, tissue, vertebrae
from phantom_faults.label_map import LabelMap, PlantedFault
from phantom_faults.plant import Plant
from phantom_faults.random_phantoms import random_phantom
from phantom_faults.reviewed import finds, flags_of
from TotalSegmentatorEngine.ct_input.reading import ReadInput
from TotalSegmentatorEngine.imaging.geometry import Geometry, Volume
from TotalSegmentatorEngine.pipeline.cache import EngineCache
from TotalSegmentatorEngine.review.all_rules import review
from TotalSegmentatorEngine.review.measures.findings import Findings, LabelledStructure
from TotalSegmentatorWire.messages.review import Level
from TotalSegmentatorWire.tables.review_rules import RULES, sentence_of
from transferred_review import check, write_transfer

from benchmarks.inputs.workload import Workload

PHANTOMS = 20
"""Of each fault."""
_MOST_DRAWN = 80
"""Not every phantom has a place for every fault."""
FAULTLESS = 50
FEWEST_FOUND = 0.95
MOST_WRONG, MOST_CHECK = 0.005, 0.02
"""Shares of the structures of faultless phantoms."""
LARGE_SHAPE = (400, 512, 512)
SECONDS, GIGABYTES = 8.0, 1.0
SECONDS_AGAIN = 0.5
SECONDS_SILENT = 0.3
"""A click on Cancel is to take effect within this time."""
_EDITED = ("liver", "lung_upper_lobe_left", "autochthon_left", "vertebrae_T8", "rib_left_5", "kidney_right")
"""Large, long and small ones, and one that is judged beside all vertebrae and ribs."""
EXAMPLE = Path(__file__).resolve().parents[4] / "shared" / "data" / "example_ct"


def measure_flags(workload: Workload) -> None:
    """Planted faults of every rule, shifted runs and variants, faultless phantoms, the real CT."""
    _planted(workload)
    _numberings(workload)
    _faultless(workload)
    _real_ct(workload)


def measure_time(workload: Workload) -> None:
    """All rules on 104 structures at 512 x 512 x 400: seconds, memory beside labels and CT, and the seconds of one
    structure that was changed."""
    report = workload.report
    labels, ct, geometry, table = _large_phantom()
    before = _fresh_peak()
    seconds, busy, silences = [], [], []
    structures = [LabelledStructure(name, 0, label) for name, label in table.items()]
    for _ in range(workload.repeat):
        started = time.monotonic()
        listened = [time.process_time()]
        listen = lambda _share=0.0, times=listened: times.append(time.process_time())  # noqa: E731
        findings = Findings([labels], structures, geometry, Volume(ct, geometry), sought=table, check_cancelled=listen)
        flags = review(findings, listen)
        seconds.append(time.monotonic() - started)
        listen()
        busy.append(listened[-1] - listened[0])
        silences.append(float(np.diff(listened).max()))
    grown = (_memory("VmHWM") - before) * 1024 / 1e9
    figures = ", ".join(f"{each:.1f}" for each in seconds)
    report.say(f"  all: {len(flags)} flags; {figures} s ({np.median(busy):.1f} s of the processor)")
    report.ratio("seconds of all flags, 512 x 512 x 400", float(np.median(seconds)), SECONDS)
    report.ratio("gigabytes beside labels and CT", grown, GIGABYTES)
    silence = float(np.median(silences))
    report.ratio("seconds of the processor without listening for cancellation", silence, SECONDS_SILENT)
    _one_again(workload, labels, ct, geometry, table)


def _one_again(
    workload: Workload, labels: np.ndarray, ct: np.ndarray, geometry: Geometry, table: Mapping[str, int]
) -> None:
    """One structure whose voxels were changed, where all others are known."""
    structures = [LabelledStructure(name, 0, label) for name, label in table.items()]
    known = Findings([labels], structures, geometry, volume := Volume(ct, geometry), sought=table)
    review(known)
    slowest = 0.0
    for name in _EDITED:
        edited = _without_middle(labels, table[name])
        seconds, busy = [], []
        for _ in range(workload.repeat):
            started, worked = time.monotonic(), time.process_time()
            flags = review(Findings([edited], structures, geometry, volume, sought=table, only={name}, known=known))
            seconds.append(time.monotonic() - started)
            busy.append(time.process_time() - worked)
        figures = ", ".join(f"{each:.2f}" for each in seconds)
        workload.report.say(
            f"  {name} again: {len(flags)} flags; {figures} s ({np.median(busy):.2f} s of the processor)"
        )
        slowest = max(slowest, float(np.median(seconds)))
    workload.report.ratio("seconds of one structure again, slowest", slowest, SECONDS_AGAIN)
    _in_worker(workload, labels, volume, table)


def _in_worker(workload: Workload, labels: np.ndarray, volume: Volume, table: Mapping[str, int]) -> None:
    """The same as the panel asks for it: the labels are read, compared with those before, and one is judged."""
    cache = EngineCache()
    cache.remember_ct("ct", ReadInput(volume))
    for name in ("", *_EDITED):
        edited = labels if not name else _without_middle(labels, table[name])
        with TemporaryDirectory() as folder:
            transfer = write_transfer(Path(folder) / "transfer", edited, volume.geometry.ijk_to_ras, table)
            started, worked = time.monotonic(), time.process_time()
            check(transfer, name or ",".join(table), cache, "ct")
            seconds, busy = time.monotonic() - started, time.process_time() - worked
        shown = name or "all"
        workload.report.say(f"  {shown} checked in the worker: {seconds:.2f} s ({busy:.2f} s of the processor)")


def _without_middle(labels: np.ndarray, label: int) -> np.ndarray:
    edited = labels.copy()
    voxels = np.argwhere(labels == label)
    box = tuple(slice(max(0, middle - 4), middle + 5) for middle in voxels[len(voxels) // 2])
    edited[box][edited[box] == label] = 0
    return edited


def _fresh_peak() -> int:
    """Sets the peak of this process back to what it holds now (Linux, proc(5)), and returns that in kB: the making of
    the phantom took more."""
    Path("/proc/self/clear_refs").write_text("5")
    return _memory("VmRSS")


def _memory(name: str) -> int:
    """kB."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(name + ":"))


@lru_cache(maxsize=_MOST_DRAWN)
def _body(number: int) -> LabelMap:
    return LabelMap.of(random_phantom(number))


def _planted(workload: Workload) -> None:
    rows, shares, of_rules = [], [], set()
    for module in (cuts, presence, pieces, places, sizes, tissue, vertebrae, ribs, numbering):
        for name, plant in module.FAULTS.items():
            found, drawn, rules = _found(plant)
            of_rules |= rules
            shares.append(found / drawn)
            rows.append(
                [f"{module.__name__.partition('.')[2]}: {name}", ", ".join(sorted(rules)), f"{found} of {drawn}"]
            )
    workload.report.table(["planted fault", "rule", "found"], rows)
    unplanted = sorted(set(RULES) - of_rules - _planted_elsewhere())
    if unplanted:
        workload.report.say(f"  no fault is planted for: {', '.join(unplanted)}")
    workload.report.ratio("planted faults found, worst fault", min(shares), FEWEST_FOUND, ">=")


def _planted_elsewhere() -> set[str]:
    """Shifted runs, which have a table of their own, and mirrored CTs, whose tests are those of the warning."""
    return {rule for rule in RULES if rule.startswith(("numbering_shifted", "mirrored"))} | {"upside_down", "turned"}


def _found(plant: Plant) -> tuple[int, int, set[str]]:
    """How many of the planted faults were found, how many were planted, and for which rules."""
    found, rules, drawn = 0, set(), 0
    for fault in _faults(plant):
        drawn += 1
        rules.add(fault.rule)
        found += finds(flags_of(fault.map), fault)
    return found, drawn, rules


def _faults(plant: Plant) -> list[PlantedFault]:
    faults = []
    for number in range(_MOST_DRAWN):
        fault = plant(_body(number), np.random.default_rng([number, 7]))
        if fault is not None:
            faults.append(fault)
        if len(faults) == PHANTOMS:
            break
    return faults


def _numberings(workload: Workload) -> None:
    rows, right, wrong = [], [], 0
    for name, plant in numbering.SHIFTED.items():
        faults = _faults(plant)
        proposed = sum(finds(flags_of(fault.map), fault) for fault in faults)
        without = sum(_proposals(fault.map.without_ribs()) for fault in faults)
        rows.append([name, f"{proposed} of {len(faults)} right", f"{without} without ribs"])
        right.append(proposed / len(faults))
        wrong += without
    for name, variant in numbering.VARIANTS.items():
        maps = _variants(variant)
        proposals = sum(map(_proposals, maps))
        rows.append([name, "-", f"{proposals} of {len(maps)}"])
        wrong += proposals
    workload.report.table(["numbers", "renumbering proposed", "wrongly"], rows)
    workload.report.ratio("right renumberings, worst kind", min(right), 1.0, ">=")
    workload.report.ratio("wrong renumberings", wrong, 0)


def _proposals(body: LabelMap) -> bool:
    return any(flag.rule == "numbering_shifted" for flag in flags_of(body))


def _variants(variant: Callable[[LabelMap], LabelMap | None]) -> list[LabelMap]:
    made = (variant(_body(number)) for number in range(_MOST_DRAWN))
    return [body for body in made if body is not None][:PHANTOMS]


def _faultless(workload: Workload) -> None:
    structures, flagged = 0, Counter()
    for number in range(FAULTLESS):
        body = _body(number)
        structures += len(np.unique(body.labels)) - 1
        worst: dict[str, str] = {}
        for flag in flags_of(body):
            worst.setdefault(flag.structure, flag.level)
            if flag.level != Level.CUT:
                workload.report.say(f"  phantom {number}: {flag.level}: {sentence_of(flag)}")
        flagged.update(worst.values())
    workload.report.say(f"  {FAULTLESS} faultless phantoms, {structures} structures: {dict(flagged)}")
    workload.report.ratio("structures flagged as wrong without a fault", flagged[Level.WRONG] / structures, MOST_WRONG)
    workload.report.ratio("structures to check without a fault", flagged[Level.CHECK] / structures, MOST_CHECK)


def _real_ct(workload: Workload) -> None:
    if not EXAMPLE.exists():
        workload.report.say("  the real CT is not beside the checkout")
        return
    import nibabel

    images = {
        name: nibabel.load(EXAMPLE / f"{name}.nii.gz") for name in ("ct", "reference_104_1.5mm", "reference_104_3mm")
    }
    arrays = {name: np.asarray(image.dataobj).T for name, image in images.items()}
    body = LabelMap(
        arrays["reference_104_1.5mm"].astype(np.uint8),
        images["ct"].affine,
        ct=arrays["ct"].astype(np.int16),
        coarse=arrays["reference_104_3mm"].astype(np.uint8),
    )
    flags = flags_of(body)
    for flag in flags:
        if flag.level != Level.CUT:
            workload.report.say(f"  real CT: {flag.level}: {sentence_of(flag)}")
    cut = {flag.structure for flag in flags if flag.level == Level.CUT}
    others = {flag.structure for flag in flags if flag.level != Level.CUT} - {"femur_left"}
    workload.report.ratio("structures of the real CT that are cut (33 are)", len(cut), 33)
    workload.report.ratio("other structures of the real CT that are flagged", len(others), 8)


def _large_phantom() -> tuple[np.ndarray, np.ndarray, Geometry, Mapping[str, int]]:
    """Labels and CT of a phantom, its voxels repeated."""
    made = make_phantom(PhantomParameters(spacing_mm=(2.4, 2.4, 3.0)))
    index = np.ix_(
        *[(np.arange(size) * old / size).astype(int) for size, old in zip(LARGE_SHAPE, made.labels.shape, strict=True)]
    )
    matrix = made.ijk_to_ras.copy()
    matrix[:3, :3] *= [old / size for size, old in zip(LARGE_SHAPE[::-1], made.labels.shape[::-1], strict=True)]
    labels, ct = (np.ascontiguousarray(array[index]) for array in (made.labels, made.ct))
    return labels, ct, Geometry(LARGE_SHAPE, matrix), LabelMap.of(made).table
