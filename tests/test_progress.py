"""Progress: a line per step where no terminal is, as the step begins."""

from segkit.progress import progress_bar, use_plain_lines


def test_a_step_is_told_when_it_begins_with_the_time_since_the_command_did(capsys, monkeypatch):
    clock = iter([100.0, 183.5])
    monkeypatch.setattr("segkit.progress.time.perf_counter", lambda: next(clock))
    use_plain_lines()
    with progress_bar("counting"):
        assert capsys.readouterr().out == "   1:23  counting\n"
    use_plain_lines(False)
    with progress_bar("counting again"):
        pass
    assert capsys.readouterr() == ("", "")
