"""Progress: a line per step where no terminal is, as the step begins."""

from itertools import chain, repeat

from segkit.runtime.progress import progress_bar, use_plain_lines


def test_a_step_is_told_when_it_begins_with_the_time_since_the_command_did(capsys, monkeypatch):
    clock = chain([100.0], repeat(183.5))
    monkeypatch.setattr("segkit.runtime.progress.time.perf_counter", lambda: next(clock))
    use_plain_lines()
    with progress_bar("counting"):
        assert capsys.readouterr().out == "   1:23  counting\n"
    use_plain_lines(False)
    with progress_bar("counting again"):
        pass
    assert capsys.readouterr() == ("", "")


def test_a_log_is_told_every_half_minute_how_far_a_step_has_come(capsys, monkeypatch):
    now = [0.0]
    monkeypatch.setattr("segkit.runtime.progress.time.perf_counter", lambda: now[0])
    use_plain_lines()
    with progress_bar("resampling 68 candidates") as report:
        for done in range(1, 11):
            now[0] += 20
            report(done, 10, "stability")
    use_plain_lines(False)
    lines = capsys.readouterr().out.splitlines()
    assert lines[:3] == [
        "   0:00  resampling 68 candidates",
        "   0:40    stability: 20 %",
        "   1:20    stability: 40 %",
    ]
    assert len(lines) == 6
