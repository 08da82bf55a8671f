"""The report of a comparison of many pairs as one file for browsers."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from datetime import date

from TotalSegmentatorWire import ALGORITHM_NAME, ENGINE_VERSION
from TotalSegmentatorWire.command.command_run import without_text
from TotalSegmentatorWire.errors.problem import Problem
from TotalSegmentatorWire.messages.comparison import volume_digits

from TotalSegmentatorEngine.export.cohort.outcome import Cohort, PairResult, WorstCase
from TotalSegmentatorEngine.export.cohort.plots import distribution_plot
from TotalSegmentatorEngine.export.cohort.summary import (
    BELOW_PUBLISHED,
    Distribution,
    StructureSummary,
    never_compared,
    summaries,
)
from TotalSegmentatorEngine.export.page.html_parts import Markup, document, html, jpeg_image, paragraphs, table
from TotalSegmentatorEngine.export.page.structure_groups import by_group

TITLE = "Comparison with reference contours"
_STYLE = """
svg { width: 100%; height: auto; display: block; } .plot { break-inside: avoid; margin-bottom: 6px; }
.cases { display: grid; grid-template-columns: repeat(auto-fill, minmax(205px, 1fr)); gap: 14px 12px; }
.case { break-inside: avoid; font-size: 12px; } .case b { display: block; font-size: 13px; }
.case:target { outline: 3px solid #b03a00; outline-offset: 3px; }
nav a { margin-right: 14px; } .wide { overflow-x: auto; } .below { color: #b03a00; font-weight: bold; }
@media print { nav { display: none; } a { color: #000; text-decoration: none; } .list { font-size: 8.5px; }
 .cases { grid-template-columns: repeat(5, 1fr); gap: 8px; } .case { font-size: 8px; } .case b { font-size: 9px; } }
"""
_HEADS = (
    "Structure",
    "pairs",
    "cut",
    "Dice: median",
    "quartiles",
    "lowest",
    "mean",
    "published",
    "HD95 mm",
    "MSD mm",
    "surface Dice",
    "APL cm",
    "volume %",
    "range %",
)
_NUMBERS = frozenset(_HEADS[1:])
_MOST_BELOW = 12
"""Listed at the top; the table of all structures has the others in another colour."""
_MINUS = "\N{MINUS SIGN}"


def cohort_page(cohort: Cohort, today: date) -> str:
    found = summaries(cohort)
    body = [
        f"<h1>{TITLE}</h1>",
        *paragraphs(_introduction(cohort, found, today)),
        '<nav><a href="#structures">Structures</a><a href="#distributions">Distributions</a>'
        '<a href="#worst">Worst cases</a><a href="#pairs">Pairs</a><a href="#left-out">Not compared</a>'
        '<a href="#definitions">Definitions</a></nav>',
        *_below_published(cohort, found),
        '<h2 id="structures">Structures</h2>',
        '<div class="wide">' + table(_HEADS, (_structure_row(each, cohort) for each in found), _NUMBERS) + "</div>",
        *paragraphs([_TABLE_NOTE], "small"),
        '<h2 id="distributions">Distributions</h2>',
        *paragraphs([_PLOT_NOTE], "small"),
        *_plots(found, cohort.tolerance_mm),
        *_worst(cohort),
        '<h2 id="pairs">Pairs</h2>',
        _pairs(cohort),
        '<h2 id="left-out">Not compared</h2>',
        *_left_out(cohort, found),
        '<h2 id="definitions">Definitions</h2>',
        *paragraphs(_definitions(cohort), "small"),
    ]
    return document(TITLE, _STYLE, body)


# -- head --------------------------------------------------------------------------------------------------------------


def _introduction(cohort: Cohort, found: Sequence[StructureSummary], today: date) -> list[str]:
    pairs, failed = len(cohort.compared), len(cohort.failed)
    lines = [
        f"{ALGORITHM_NAME} {ENGINE_VERSION}, {today.isoformat()}. Ours: {_models(cohort)}. "
        "Theirs: the reference contours.",
        f"{pairs} of {len(cohort.pairs)} pairs compared, {len(found)} structures.",
    ]
    if found:
        middle = Distribution(tuple(each.dice.median for each in found)).median
        lines[-1] += f" Half of the structures have a median Dice above {middle:.3f}."
    if failed:
        codes = Counter(pair.problem.code for pair in cohort.failed)
        said = ", ".join(f"{code} ({count})" for code, count in sorted(codes.items()))
        lines.append(Markup(f'<b>{failed} could not be compared:</b> {html(said)}; see <a href="#pairs">Pairs</a>.'))
    if not cohort.keeps_names:
        lines.append("Pairs have numbers, in the order of their names, so that no patient is named here.")
    return lines


def _models(cohort: Cohort) -> str:
    return "model " + ", ".join(cohort.models) if cohort.models else "model not known"


def _below_published(cohort: Cohort, found: Sequence[StructureSummary]) -> list[str]:
    lines = ["<h2>Against the published values</h2>"]
    known = [each for each in found if each.difference is not None]
    if not known:
        return [*lines, *paragraphs([_NO_PUBLISHED])]
    below = sorted((each for each in known if _is_below(each)), key=lambda each: each.difference)
    share = Distribution(tuple(each.difference for each in known))
    lines += paragraphs(
        [
            f"Mean Dice minus the published mean Dice, over {len(known)} structures: "
            f"median {_signed(share.median, 3)}, from {_signed(share.lowest, 3)} to {_signed(share.highest, 3)}."
        ]
    )
    if not below:
        return [*lines, *paragraphs([f"No structure is more than {BELOW_PUBLISHED} below its published value."])]
    more = f"; the {_MOST_BELOW} furthest below" if len(below) > _MOST_BELOW else ""
    lines += paragraphs([f"{len(below)} are more than {BELOW_PUBLISHED} below their published value{more}:"])
    heads = ("Structure", "pairs", "cut", "mean Dice", "published", "difference", "worst pair")
    rows = [
        (
            each.structure,
            str(each.count),
            str(each.cut or ""),
            f"{each.dice.mean:.3f}",
            f"{each.published_dice:.3f}",
            _signed(each.difference, 3),
            _case_link(cohort, each.structure, _worst_label(each)),
        )
        for each in below[:_MOST_BELOW]
    ]
    return [*lines, table(heads, rows, frozenset(heads[1:]))]


def _is_below(each: StructureSummary) -> bool:
    return each.difference is not None and each.difference < -BELOW_PUBLISHED


def _worst_label(each: StructureSummary) -> str:
    return min(each.results, key=lambda entry: entry[1].row.dice)[0].label


# -- structures --------------------------------------------------------------------------------------------------------


def _structure_row(each: StructureSummary, cohort: Cohort) -> Sequence[str]:
    low, high = each.dice.quartiles
    published = "" if each.published_dice is None else f"{each.published_dice:.3f}"
    mean = f"{each.dice.mean:.3f}"
    return (
        each.structure,
        str(each.count),
        str(each.cut or ""),
        f"{each.dice.median:.3f}",
        f"{low:.3f}\N{EN DASH}{high:.3f}" if each.count > 1 else "",
        _case_link(cohort, each.structure, f"{each.dice.lowest:.3f}"),
        Markup(f'<span class="below">{mean}</span>') if _is_below(each) else mean,
        published,
        f"{each.hausdorff95_mm.median:.1f}",
        f"{each.mean_distance_mm.median:.2f}",
        f"{each.surface_dice.median:.3f}",
        f"{each.added_path_mm.median / 10:.1f}",
        _signed(each.difference_percent.median, 1),
        f"{_signed(each.difference_percent.lowest, 1)} to {_signed(each.difference_percent.highest, 1)}",
    )


def _signed(value: float, digits: int) -> str:
    """Zero has no sign, rounded or not."""
    text = f"{value:+.{digits}f}"
    return f"{0:.{digits}f}" if float(text) == 0.0 else text.replace("-", _MINUS)


def _case_link(cohort: Cohort, structure: str, text: str) -> str:
    """To the picture, where there is one."""
    number = _case_numbers(cohort).get(structure)
    return html(text) if number is None else Markup(f'<a href="#case-{number}">{html(text)}</a>')


def _case_numbers(cohort: Cohort) -> dict[str, int]:
    return {structure: number for number, structure in enumerate(cohort.worst, start=1)}


def _plots(found: Sequence[StructureSummary], tolerance_mm: float) -> list[str]:
    """One plot for each group."""
    return [
        f'<div class="plot"><h3>{title}</h3>{distribution_plot(shown, tolerance_mm)}</div>'
        for title, shown in by_group(found, lambda each: each.structure).items()
    ]


def _worst(cohort: Cohort) -> list[str]:
    lines = ['<h2 id="worst">Worst cases</h2>']
    if not cohort.worst:
        return [*lines, *paragraphs(["No structure differs in any pair."])]
    cases = [_case(number, case) for number, case in enumerate(cohort.worst.values(), start=1)]
    return [*lines, *paragraphs([_CASE_NOTE], "small"), '<div class="cases">' + "".join(cases) + "</div>"]


def _case(number: int, case: WorstCase) -> str:
    row = case.row
    said = [f"Dice {row.dice:.3f}"]
    if row.hausdorff95_mm is not None:
        said.append(f"HD95 {row.hausdorff95_mm:.1f} mm")
    said.append(f"added path {row.added_path_mm / 10:.1f} cm")
    ours, theirs = (f"{volume:.{volume_digits(volume)}f}" for volume in (row.our_ml, row.their_ml))
    said.append(f"volume {ours} ml, theirs {theirs} ml")
    return (
        f'<div class="case" id="case-{number}">{jpeg_image(case.jpeg, case.title)}<b>{html(case.structure)}</b>'
        f'<a href="#pair-{case.number}">Pair {html(case.label)}</a>. {html(case.title)}<br>'
        f"{html('; '.join(said))}</div>"
    )


# -- pairs -------------------------------------------------------------------------------------------------------------


def _pairs(cohort: Cohort) -> str:
    heads = ("Pair", "structures", "mean Dice", "lowest Dice", "model", "problems and warnings")
    rows = [_pair_row(pair, cohort) for pair in cohort.pairs]
    return table(heads, rows, frozenset(heads[1:4]))


def _pair_row(pair: PairResult, cohort: Cohort) -> Sequence[str]:
    label = Markup(f'<span id="pair-{pair.number}">{html(pair.label)}</span>')
    if pair.problem is not None:
        return (label, "", "", "", "", Markup(f"<b>{_said(pair.problem, cohort)}</b>"))
    scores = {result.structure: result.row.dice for result in pair.compared}
    warnings = Markup("<br>".join(_said(warning, cohort) for warning in pair.warnings))
    model = ", ".join(sorted(pair.models))
    if not scores:
        return (label, "0", "", "", model, warnings)
    worst = min(scores, key=scores.__getitem__)
    mean = sum(scores.values()) / len(scores)
    return (label, str(len(scores)), f"{mean:.3f}", f"{scores[worst]:.3f} ({worst})", model, warnings)


def _said(problem: Problem, cohort: Cohort) -> str:
    """The code and the sentence; names that somebody typed only where they are kept."""
    shown = problem if cohort.keeps_names else without_text(problem)
    return f"{html(problem.code)}: {html(shown.what.replace('<text>', '...'))}"


def _left_out(cohort: Cohort, found: Sequence[StructureSummary]) -> list[str]:
    rows = [
        (each.structure, status, str(len(labels)), ", ".join(labels))
        for each in (*never_compared(cohort), *sorted(found, key=lambda each: each.structure))
        for status, labels in _labels_by_status(each).items()
    ]
    if not rows:
        return paragraphs(["In all pairs that were compared, both sides have all structures."])
    heads = ("Structure", "reason", "number", "pairs")
    return [table(heads, rows, frozenset(heads[2:3]))]


def _labels_by_status(each: StructureSummary) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for pair, result in each.alone:
        found.setdefault(result.status, []).append(pair.label)
    return dict(sorted(found.items()))


# -- words -------------------------------------------------------------------------------------------------------------

_NO_PUBLISHED = (
    "The model that made ours is not known, or has no published values. Specify it with --model, for example "
    "--model 117-1.5mm."
)
_TABLE_NOTE = (
    "Lowest median Dice first. HD95 (95 % Hausdorff distance), MSD (mean surface distance), surface Dice, APL (added "
    "path length) and volume difference: medians over the pairs. mean: of the Dice, to be compared with the published "
    "mean. cut: in how many pairs the reference reaches the border of the CT. The lowest Dice leads to its picture."
)
_PLOT_NOTE = (
    "A point is a pair. Boxes (from five pairs on) reach from the lower to the upper quartile, the line is the median, "
    "whiskers end at the last value within 1.5 times the box; with many pairs, only the values beyond are points. "
    "Diamonds: published mean Dice."
)
_CASE_NOTE = (
    "For each structure the pair with the lowest Dice, in the plane where most voxels belong to one side only. Thin, "
    "yellow: ours. Bold, blue: theirs; where they coincide, theirs is seen. R is the patient's right."
)


def _definitions(cohort: Cohort) -> Iterable[str]:
    return (
        "Differences are ours minus theirs, in percent of theirs. Distances run between the centres of surface voxels, "
        "after Maier-Hein et al., Metrics reloaded (Nature Methods 2024).",
        f"Surface Dice: the share of both surfaces within {cohort.tolerance_mm:g} mm of the other one (Nikolov et al. "
        "2021, J Med Internet Res 23:e26151).",
        "Added path length: the part of their contour, in all axial slices, that does not lie on ours and would have "
        "to be drawn (Vaassen et al. 2020, Phys Imaging Radiat Oncol 13:1-6).",
        "Published Dice: the mean over the test set of the model's authors, at 1.5 mm. Their reference contours were "
        "made with the help of the model; a department's own contours follow other conventions, so agreement can be "
        "lower although nothing is wrong.",
        "Structures that only one side has, and those without voxels on a side, are in no mean.",
        "For research use; not a medical device.",
    )
