"""Execute one notebook by papermill in a process of its own, and say what went wrong."""

import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from segkit.runtime.disk import tell_full_disk, writing
from segkit.runtime.errors import InputError
from segkit.runtime.notebook_steps import Step
from segkit.runtime.progress import EVENTS, follow_events

POLL_SECONDS = 0.1


class NotebookFailed(RuntimeError):
    """A notebook of the chain stopped; the message names it, the cell, the error and where it lies."""


@dataclass
class StepRun:
    """A notebook that is being executed, and where its outcome will stand."""

    step: Step
    target: Path
    process: subprocess.Popen
    events: Path

    @property
    def outcome(self) -> Path:
        """The file that says how it ended."""
        return self.target.with_suffix(".outcome.json")


def start_step(step: Step, target: Path, arguments: Mapping, env: Mapping[str, str] | None = None) -> StepRun:
    """Start executing a notebook with those of `arguments` that are its parameters; the result will be `target`.

    The notebook's folder is its working directory, so that modules beside it can be imported.
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    events = target.with_suffix(".events.jsonl")
    events.write_text("")
    chosen = {name: given for name, given in arguments.items() if name in step.parameters}
    spec = {"notebook": str(step.path), "target": str(target), "arguments": chosen}
    settings = os.environ | {EVENTS: str(events)} | dict(env or {})
    process = subprocess.Popen(
        [sys.executable, "-m", "segkit.runtime.run_step", json.dumps(spec)], env=settings, stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    return StepRun(step, target, process, events)


def finish_step(run: StepRun) -> list[dict]:
    """Return what the steps of a finished notebook took.

    Raises
    ------
    InputError
        The notebook met something that the user can put right.
    NotebookFailed
        It stopped otherwise; the partly executed notebook is `run.target`.
    """
    told = json.loads(run.outcome.read_text()) if run.outcome.exists() else {"problem": "its process was ended"}
    costs = [event for event in follow_events(run.events) if "seconds" in event]
    for left in (run.outcome, run.events):
        left.unlink(missing_ok=True)
    if told.get("input_error"):
        raise InputError(told["input_error"])
    if told.get("problem"):
        raise NotebookFailed(f"notebook {run.step.path.name}{told.get('where', '')}: {told['problem']}")
    return costs


def run_step(
    step: Step, target: Path, arguments: Mapping, report=None, env: Mapping[str, str] | None = None
) -> list[dict]:
    """Execute a notebook and wait for it; ``report(text)`` hears what it is at. See `finish_step`."""
    running, told = start_step(step, target, arguments, env), 0
    try:
        while running.process.poll() is None:
            time.sleep(POLL_SECONDS)
            events = follow_events(running.events)
            for event in events[told:] if report else ():
                report(event)
            told = len(events)
    finally:
        end_step(running)
    return finish_step(running)


def end_step(running: StepRun) -> None:
    """End a notebook's process with all that it started, where it still works."""
    if running.process.poll() is not None:
        return
    import psutil

    for child in psutil.Process(running.process.pid).children(recursive=True):
        child.kill()
    running.process.kill()
    running.process.wait()


def _end_with_parent() -> None:
    parent = os.getppid()
    while os.getppid() == parent:  # of a run that is killed nothing goes on; a kernel ends with who started it
        time.sleep(0.5)
    os._exit(1)


def _execute(notebook: str, target: str, arguments: dict) -> dict:
    import logging

    skip_grammar()
    from papermill import PapermillExecutionError, execute_notebook

    logging.getLogger("papermill").setLevel(logging.ERROR)
    try:
        # "completed" in the notebook's own metadata is no proof: it says so after a dead kernel too.
        with writing(Path(target)):
            execute_notebook(
                notebook,
                target,
                arguments,
                kernel_name="python3",
                language="python",
                cwd=str(Path(notebook).parent),
                progress_bar=False,
            )
    except PapermillExecutionError as error:
        full = tell_full_disk(OSError(error.evalue)) if error.ename == "OSError" else ""
        if error.ename == "InputError" or full:
            return {"input_error": full or error.evalue}
        return {"where": f", cell {error.exec_count}", "problem": f"{error.ename}: {error.evalue}"}
    except Exception as error:
        full = tell_full_disk(error)
        return {"input_error": full} if full else {"problem": f"{type(error).__name__}: {error}"}
    _drop_times(Path(target))
    return {}


def skip_grammar() -> None:
    """Keep nbformat from compiling a grammar of web addresses: a second of work per process that no notebook needs."""
    sys.modules.setdefault("rfc3987_syntax", None)  # jsonschema checks such addresses only where it can be imported


def _drop_times(notebook: Path) -> None:
    """Take out when and where a notebook was executed: that differs between runs of the same inputs."""
    import nbformat

    content = nbformat.read(notebook, as_version=4)
    for part in (content, *content.cells):
        for told in ("papermill", "execution"):
            part.metadata.pop(told, None)
        if "injected-parameters" in part.metadata.get("tags", ()):
            part["id"] = "injected-parameters"  # papermill draws one
    nbformat.write(content, notebook)


def main() -> None:
    """Execute the notebook that the one argument describes, and write how it ended."""
    threading.Thread(target=_end_with_parent, daemon=True).start()
    spec = json.loads(sys.argv[1])
    outcome = Path(spec["target"]).with_suffix(".outcome.json")
    outcome.write_text(json.dumps(_execute(**spec)))


if __name__ == "__main__":
    main()
