"""The pure parts of the benchmarks, and that the docs show each of them; none of them runs here."""

import os
import time
from pathlib import Path

import pytest
from benchmarks import capacity, processes, results
from benchmarks.__main__ import BENCHMARKS
from benchmarks.calls import body, reference
from benchmarks.load import Load, Request, interleaved, middle, ratio
from benchmarks.results import BEGIN, DOCS, END, Outcome, Row, at_least, at_most, markdown, missing, read, stated
from benchmarks.workers import Shared

from roompulse.report.decode import decode_report
from tests.builders import REFERENCE

OUTCOME = Outcome("2026-01-02T03:04:05+00:00", quick=False, load=0.24, machine={"CPU": "2 cores"}, rows=[], raw={})


def outcome(*rows: Row) -> Outcome:
    return Outcome(OUTCOME.at, quick=False, load=0.24, machine=OUTCOME.machine, rows=list(rows), raw={})


def load(rate: float, cpu: float) -> Load:
    return Load(rate, cpu, 0.001, 0.002)


def cpu_used(stat: str) -> float:
    return processes._cpu_of(stat) * processes.TICKS


def test_a_goal_is_met_from_its_very_limit_on() -> None:
    assert [at_most("x", value, 2).met for value in (1.9, 2, 2.1)] == [True, True, False]
    assert [at_least("x", value, 2).met for value in (1.9, 2, 2.1)] == [False, True, True]


def test_without_a_goal_or_a_baseline_nothing_is_met_or_missed() -> None:
    assert stated("x", 1).met is None
    assert missing("x", "≤ 2", "nginx is not installed") == Row("x", "not measured: nginx is not installed", "≤ 2")


@pytest.mark.parametrize(
    ("value", "text"), [(12345.6, "12 346"), (99.44, "99.4"), (1.0, "1"), (0.5312, "0.531"), (0.00012, "1.2e-04")]
)
def test_figures_have_three_digits_that_count(value: float, text: str) -> None:
    assert stated("x", value, "ms").figure == f"**{text}** ms"


def test_the_table_has_a_line_for_each_row_and_says_what_was_missed() -> None:
    table = markdown({"ingest": outcome(at_most("p99", 3, 2, "ms", "slow | noisy"), stated("rate", 7))})
    assert (
        "| ingest (load 0.2) | p99 | **3** ms (slow \\| noisy) | ≤ 2 ms | **no** |\n|  | rate | **7** |  |  |" in table
    )


def test_the_table_names_what_is_not_measured_yet() -> None:
    assert "|  | rate | **7** |  |  |\n| soak | not measured yet |  |  |  |" in markdown(
        {"ingest": outcome(stated("p50", 1), stated("rate", 7))}, ["ingest", "soak"]
    )


def test_benchmarks_of_one_machine_and_day_share_their_description() -> None:
    elsewhere = Outcome(OUTCOME.at, quick=True, load=9, machine={"CPU": "64 cores"}, rows=[], raw={})
    text = markdown({"ingest": OUTCOME, "soak": OUTCOME, "bulk": elsewhere})
    assert "Measured with (ingest, soak):\n\n- when: 2026-01-02\n- CPU: 2 cores" in text
    assert "Measured with (bulk):\n\n- when: 2026-01-02, quick\n- CPU: 64 cores" in text


def test_what_stands_beside_the_table_stays(tmp_path: Path) -> None:
    (tmp_path / "performance.md").write_text(f"# Before\n{BEGIN}\nold\n{END}\nafter\n")
    results.write({"ingest": outcome(stated("rate", 7))}, tmp_path)
    text = (tmp_path / "performance.md").read_text()
    assert text.startswith(f"# Before\n{BEGIN}\n| Benchmark |")
    assert text.endswith(f"{END}\nafter\n")
    assert "old" not in text


def test_a_page_without_markers_is_not_written_over() -> None:
    with pytest.raises(ValueError, match="measured: begin"):
        results.between_markers("prose", "table")


def test_results_are_read_as_they_were_written(tmp_path: Path) -> None:
    assert results.read(tmp_path / "performance.json") == {}
    written = {"ingest": outcome(at_most("p99", 3, 2, "ms"))}
    results.write(written, tmp_path)
    assert results.read(tmp_path / "performance.json") == written


def test_ratios_are_of_rounds_that_were_next_to_each_other() -> None:
    # The second round met a machine of half the speed, which the ratio of the medians would take for a difference.
    assert ratio([100, 50, 110], [50, 25, 55]) == 2
    assert middle([load(100, 3), load(50, 1), load(110, 2)]) == load(100, 2)


def test_rounds_take_turns() -> None:
    done: list[str] = []
    found = interleaved(2, {name: lambda name=name: done.append(name) for name in "ab"})  # type: ignore[misc]
    assert done == ["a", "b", "a", "b"]
    assert found == {"a": [None, None], "b": [None, None]}


def test_cpu_is_user_and_system_time_whatever_the_command_is_called() -> None:
    after_name = "S 1 7 7 0 -1 4194560 100 0 0 0 250 50 999 999 20 0 1 0 5 1 1"
    assert cpu_used(f"7 (python) {after_name}") == 300
    assert cpu_used(f"7 (a) R 9 (b) {after_name}") == 300


def test_the_cpu_of_a_process_is_that_of_the_operating_system() -> None:
    before = processes.cpu_seconds(os.getpid())
    until = time.process_time() + 0.05
    while time.process_time() < until:
        pass
    assert processes.cpu_seconds(os.getpid()) > before


def test_a_request_is_one_line_for_wrk() -> None:
    request = Request("POST", "/metrics/job/a", "rtt 1\nloss 2\n", "Content-Type: text/plain")
    assert request.line() == "POST\t/metrics/job/a\tContent-Type: text/plain\trtt 1\\nloss 2\\n"


def test_what_is_posted_is_the_reference_report() -> None:
    assert decode_report(body(reference("u1", "room-1"))) == decode_report(REFERENCE)


def test_the_docs_show_every_benchmark_and_what_the_json_says() -> None:
    shown = results.read(DOCS / "performance.json")
    assert list(shown) == list(BENCHMARKS)
    text = (DOCS / "performance.md").read_text()
    assert results.between_markers(text, markdown(shown, BENCHMARKS)) == text
    assert all(one.rows and not one.quick for one in shown.values())


def test_of_several_workers_each_takes_its_share_and_follows_the_rest() -> None:
    text = capacity.several(Shared(taken=500e-6, followed=100e-6, stored=100e-6))
    assert "| 1 | 5 thousand | 1 thousand | 0.1 |" in text
    assert "| 3 | 11 thousand | 2.1 thousand | 0.21 |" in text
    assert "carry less than 25 thousand users" in text


def test_the_tables_of_scale_follow_from_what_was_measured() -> None:
    page = (DOCS / "scale.md").read_text()
    assert capacity.written(page, read(DOCS / "performance.json")) == page
