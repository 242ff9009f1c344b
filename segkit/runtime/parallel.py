"""Independent tasks on several processes, of one thread each."""

import warnings
from collections.abc import Callable, Iterator, Sequence
from typing import Any

Progress = Callable[[int, int, str], None]
"""Called as ``progress(done, total, what)`` while the work goes on."""


def run_tasks(
    task: Callable[..., Any],
    arguments: Sequence[tuple],
    *,
    jobs: int = 1,
    progress: Progress | None = None,
    what: str = "",
) -> Iterator[Any]:
    """Yield ``task(*each)`` in order, on `jobs` processes of one thread each.

    One thread per process: small fits lose more than they win by more, and the last digits of a sum would depend on
    their number. Stop taking results to stop the work; an interrupt ends the processes.
    """
    from joblib import Parallel, delayed, parallel_config
    from threadpoolctl import threadpool_limits

    total = len(arguments)
    if jobs == 1 or total == 1:
        with threadpool_limits(limits=1):
            for done, each in enumerate(arguments, start=1):
                result = task(*each)
                if progress is not None:
                    progress(done, total, what)
                yield result
        return
    with parallel_config(backend="loky", inner_max_num_threads=1):
        # Few tasks ahead of the taker: who stops early has not computed the rest for nothing.
        parallel = Parallel(n_jobs=jobs, return_as="generator", pre_dispatch=jobs + 1, batch_size=1)
        results = parallel(delayed(_one_thread)(task, each) for each in arguments)
        try:
            for done, result in enumerate(results, start=1):
                if progress is not None:
                    progress(done, total, what)
                yield result
        finally:
            with warnings.catch_warnings():  # who stops early knows that some tasks were begun for nothing
                warnings.simplefilter("ignore", UserWarning)
                results.close()


def end_processes() -> None:
    """End the processes that `run_tasks` keeps for its next call: they wait with all that they have imported."""
    from joblib.externals.loky import get_reusable_executor

    get_reusable_executor().shutdown(wait=True)


def _one_thread(task: Callable[..., Any], arguments: tuple) -> Any:
    from threadpoolctl import threadpool_limits

    with threadpool_limits(limits=1):
        return task(*arguments)
