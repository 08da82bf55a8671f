"""The figures that README and docs quote are those of the benchmarks' files."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest
from benchmarks import main as benchmarks
from benchmarks.measuring import result_files
from benchmarks.measuring.report import Report
from benchmarks.measuring.result_files import read_results, write_result
from benchmarks.measuring.spent_time import Pairs, Spent, Stopwatch
from benchmarks.measuring.timed_process import run_timed
from make_figures import UnknownFigureError, pages, with_figures

PAGE = "| fast | <!-- speed; second job; 0.00 × -->0.99 ×<!-- end -->, <!-- labels; equal; 0.0 % -->?<!-- end --> |"


@pytest.mark.parametrize("page", pages(), ids=lambda page: page.name)
def test_the_committed_pages_quote_the_files(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    assert text == with_figures(text, read_results()), "run Testing/make_figures.py"


def test_performance_quotes_figures_at_all() -> None:
    (page,) = (page for page in pages() if page.name == "performance.md")
    assert page.read_text(encoding="utf-8").count("<!-- end -->") > 20


def test_a_new_run_changes_what_is_quoted(tmp_path: Path) -> None:
    for speed, shown in ((0.3149, "0.31 ×"), (0.275, "0.28 ×")):
        write_result(tmp_path, "speed", "", {"second job": {"value": speed, "unit": "ratio"}}, 5, 0.0)
        write_result(tmp_path, "labels", "", {"equal": {"value": 0.9985, "unit": "ratio"}}, 1, 0.0)
        changed = with_figures(PAGE, read_results(tmp_path))
        assert f"-->{shown}<!--" in changed and "-->99.9 %<!--" in changed
        assert with_figures(changed, read_results(tmp_path)) == changed


def test_a_figure_that_no_run_has_is_named(tmp_path: Path) -> None:
    write_result(tmp_path, "speed", "", {"first job": {"value": 0.3, "unit": "ratio"}}, 5, 0.0)
    with pytest.raises(UnknownFigureError, match="speed: second job"):
        with_figures(PAGE, read_results(tmp_path))


def test_a_file_says_where_and_when(tmp_path: Path) -> None:
    path = write_result(tmp_path, "speed", "what", {"second job": {"value": 0.3, "unit": "ratio"}}, 3, 0.254321)
    result = json.loads(path.read_text(encoding="utf-8"))
    assert result["processor"] and len(result["date"]) == 10 and result["versions"]["torch"]
    assert (result["repeat"], result["share of the processors that other programs had"]) == (3, 0.254)
    table = "<!-- where the figures were measured -->\n<!-- end -->"
    assert f"| `speed` | {result['date']} | " in with_figures(table, read_results(tmp_path))


# -- pairs -------------------------------------------------------------------------------------------------------------


def test_a_slow_while_of_the_computer_hardly_changes_the_ratio_of_pairs(capsys) -> None:
    """Both programs of the second pair took three times as long, but no more of the processors."""
    ours = [Spent(3.0, 5.0), Spent(9.3, 5.1), Spent(3.2, 5.0)]
    theirs = [Spent(10.0, 20.0), Spent(30.0, 20.0), Spent(10.0, 20.0)]
    report = Report()
    report.pairs("second job", Pairs(ours, theirs), 0.33)
    said = capsys.readouterr().out
    assert "pairs 0.300 0.310 0.320; spread 0.300 to 0.320" in said
    assert report.figures["second job"] == {
        "value": 0.31,
        "unit": "ratio",
        "target": 0.33,
        "judge": "<=",
        "values": [0.3, 0.31, 0.32],
    }
    assert report.figures["second job, processor time"]["value"] == 0.25
    report.close()
    assert capsys.readouterr().out.splitlines() == [
        "ratio second job = 0.310 (target <= 0.33)",
        "ratio second job, processor time = 0.250 (no target)",
    ]
    assert report.missed == []


def test_processor_time_that_was_not_measured_has_no_ratio() -> None:
    report = Report()
    report.pairs("scaled", Pairs([Spent(1.0)], [Spent(2.0, 3.0)]))
    assert list(report.figures) == ["scaled"]


def test_the_watch_counts_what_a_program_computes() -> None:
    busy = "import os, time\nwhile os.times().user < 0.2: pass\ntime.sleep(0.2)"
    run = run_timed([sys.executable, "-c", busy])
    assert 0.15 < run.user_seconds < run.seconds - 0.1
    assert Stopwatch().read().user < 0.1, "what ended before does not count"


# -- the quick runs and the files --------------------------------------------------------------------------------------


def measured(workload) -> None:
    workload.report.ratio("time", 0.4 if workload.quick else 0.3, 0.33)


@pytest.fixture
def made_up(monkeypatch, tmp_path):
    """Three benchmarks that take no time; where their files go."""
    monkeypatch.setitem(sys.modules, "benchmarks.figures.made_up", sys.modules[__name__])
    entries = {
        "short": benchmarks.EngineBenchmark("what", "made_up.measured", 1),
        "long": benchmarks.EngineBenchmark("what", "made_up.measured", 20),
        "shortened": benchmarks.EngineBenchmark("what", "made_up.measured", 20, left_out="half of it"),
    }
    monkeypatch.setattr(benchmarks, "BENCHMARKS", entries)
    monkeypatch.setattr(benchmarks, "TESTING", tmp_path / "Testing")
    monkeypatch.setattr(result_files, "RESULTS", tmp_path / "Testing" / "results")
    return tmp_path


def run_benchmarks(monkeypatch, *arguments: str) -> int:
    monkeypatch.setattr(sys, "argv", ["run.py", *arguments])
    return benchmarks.main()


def test_a_quick_run_says_what_it_leaves_out_and_changes_no_page(made_up, monkeypatch, capsys) -> None:
    assert run_benchmarks(monkeypatch, "--quick") == 0
    said = capsys.readouterr().out
    assert "quick: one measurement; left out: half of it" in said
    assert "ratio time = 0.400 (target <= 0.33)" in said
    assert "long: what" not in said
    kept = sorted(path.relative_to(made_up).as_posix() for path in made_up.rglob("*.json"))
    assert kept == ["build/benchmarks/quick/short.json", "build/benchmarks/quick/shortened.json"]
    with pytest.raises(SystemExit):
        run_benchmarks(monkeypatch, "--quick", "long")
    assert "not quick: long; quick are short, shortened" in capsys.readouterr().err


def test_a_whole_run_writes_the_file_that_the_pages_quote(made_up, monkeypatch, capsys) -> None:
    assert run_benchmarks(monkeypatch, "long") == 0
    assert run_benchmarks(monkeypatch, "short", "--small") == 0
    (path,) = made_up.rglob("*.json")
    assert path == result_files.RESULTS / "long.json"
    figures = json.loads(path.read_text(encoding="utf-8"))["figures"]
    assert figures == {"time": {"value": 0.3, "unit": "ratio", "target": 0.33, "judge": "<="}}
    assert "ratio time = 0.300 (target <= 0.33)" in capsys.readouterr().out


def test_files_of_results_belong_to_benchmarks() -> None:
    assert set(read_results()) <= set(benchmarks.BENCHMARKS)
