"""The command line: `segkit` and ``python -m segkit``."""

import os
import signal
import sys
import traceback
from pathlib import Path
from typing import Annotated, NoReturn

import typer

from segkit.runtime.disk import expanded, tell_closed_place, tell_full_disk
from segkit.runtime.errors import InputError
from segkit.runtime.interrupts import stopping_when_asked

app = typer.Typer(
    name="segkit",
    help="Customer segments that are real, or at least useful, from the order lines of a shop.",
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)

Dataset = Annotated[str, typer.Argument(metavar="DATASET", help="The name of a card in data/, or the path of a card.")]


def _check_source(source: str) -> str:
    if "://" in source:  # not shown: it may hold a password
        raise InputError("--source takes a file of this machine, not an address; a database is named in the card")
    return str(expanded(source, "--source")) if source.startswith("~") else source


Source = Annotated[
    str,
    typer.Option(metavar="FILE", callback=_check_source, help="Read this file instead of the one the card names."),
]
Debug = Annotated[bool, typer.Option("--debug", help="Show the traceback of an error.")]


def _use_engine(address: str) -> str:
    from segkit.data.engines.engine import use_engine

    return use_engine(address)


def _limit(memory: str | None) -> str | None:
    if memory is not None:
        from segkit.runtime.memory import limit_memory

        if warning := limit_memory(memory):
            _warn(warning)
    return memory


Memory = Annotated[
    str | None,
    typer.Option(
        metavar="SIZE",
        envvar="SEGKIT_MEMORY",
        callback=_limit,
        help="Keep within so much memory, such as 4GB: beyond it the engine spills to disk.",
    ),
]
Engine = Annotated[
    str,
    typer.Option(
        metavar="ADDRESS",
        callback=_use_engine,
        help="Read and sum the order lines elsewhere: a Spark master, spark://host:7077.",
    ),
]


Notebooks = Annotated[
    Path | None,
    typer.Option(metavar="DIR", help="Run these copies of the notebooks; by default the project's own."),
]


def _silence(asked: bool) -> bool:
    if asked:
        from segkit.runtime.progress import keep_quiet

        keep_quiet()
    return asked


Quiet = Annotated[
    bool, typer.Option("--quiet", callback=_silence, help="Print no progress: only the path of what was made.")
]


def _warn_of_stale(shelf: Path) -> None:
    from segkit.reporting.finished_runs import finished_months, stale_months

    for label, why in stale_months(finished_months(shelf)).items():
        print(f"{label} is stale: {why}; segkit months makes it again", file=sys.stderr)


def _warn(text: str) -> None:
    print(f"warning: {text}", file=sys.stderr)


def _version(asked: bool) -> None:
    if asked:
        from importlib.metadata import version

        print(f"segkit {version('segkit')}")
        raise typer.Exit()


@app.callback()
def _segkit(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    pass


@app.command(epilog="Example: segkit datasets")
def datasets(debug: Debug = False) -> None:
    """List the dataset cards: what is there, what is missing, how to get it."""
    from segkit.data.cards.datasets import describe_datasets

    print(describe_datasets())


@app.command(
    name="new-card",
    epilog="Example: segkit new-card orders.csv --name my-shop",
)
def new_card(
    file: Annotated[
        list[str],
        typer.Argument(
            metavar="FILE ...",
            help="A CSV, parquet, JSON or Excel file of order lines, or of customers; several of one shop, such as "
            "orders and customers; a folder of files, or a pattern in quotes; or postgresql://user@host/database.",
        ),
    ],
    name: Annotated[str, typer.Option(metavar="NAME", help="Name of the card; by default the file's.")] = "",
    table: Annotated[str, typer.Option(metavar="SCHEMA.NAME", help="The table of the database to look at.")] = "",
    notebooks: Annotated[bool, typer.Option("--notebooks", help="Copy the notebooks too, to be edited.")] = False,
    debug: Debug = False,
) -> None:
    """Look at exports, guess which column is what, and write a commented card to finish."""
    from segkit.data.new_card.card_text import open_questions
    from segkit.data.new_card.draft import write_new_card

    path = write_new_card(file, name, table=table)
    text = path.read_text(encoding="utf-8")
    asked = ", fill in the currency" if 'currency = "" ' in text and "[orders]" in text else ""
    for question in open_questions(text):
        print(f"To decide: {question}")
    print(
        f"Wrote {path.resolve()}: read its comments, correct what is wrong{asked}, then try\n  segkit check {path.stem}"
    )
    if notebooks:
        from segkit.reporting.own_notebooks import copy_notebooks

        folder = copy_notebooks(path)
        print(f"Copied the notebooks to {folder}: segkit report {path.stem} --notebooks {folder} runs them")


@app.command(epilog="Example: segkit formats")
def formats(debug: Debug = False) -> None:
    """List the export formats that new-card recognises."""
    from segkit.data.cards.known_exports import known_formats

    width = max(len(name) for name in known_formats())
    for name, known in known_formats().items():
        print(f"{name:{width}}  [{known.table}] {known.title}, as of {known.made}; {known.about}")


@app.command(epilog="Example: segkit check online-retail-ii --source online_retail_II.xlsx")
def check(
    dataset: Dataset, source: Source = "", engine: Engine = "", memory: Memory = None, debug: Debug = False
) -> None:
    """Read a dataset against the canonical tables and print where every row went; writes nothing."""
    from segkit.data.cards.card import read_card
    from segkit.data.check import check_dataset
    from segkit.features.custom import try_custom_features
    from segkit.features.dictionary import FEATURES

    wanted: dict[str, list[str]] = {}
    for feature in FEATURES:
        for column in feature.needs:
            wanted.setdefault(column, []).append(feature.name)
    print(check_dataset(read_card(dataset, source or None), wanted, try_custom_features))


@app.command(epilog="Example: segkit report complete-journey --month 2017-09 --set max_segments=8")
def report(
    dataset: Dataset,
    month: Annotated[
        str, typer.Option(metavar="YYYY-MM", help="The month to report on; its last day is the last day counted.")
    ] = "",
    as_of: Annotated[
        str, typer.Option(metavar="YYYY-MM-DD", help="A day instead of a month: the last day counted.")
    ] = "",
    choice: Annotated[str, typer.Option(metavar="ID", help="Take this candidate instead of the proposed one.")] = "",
    settings: Annotated[
        list[str] | None, typer.Option("--set", metavar="NAME=VALUE", help="A parameter; can be given many times.")
    ] = None,
    seed: Annotated[int | None, typer.Option(metavar="N", help="Start of every random draw.")] = None,
    out: Annotated[Path | None, typer.Option(metavar="DIR", help="Where runs are kept; reports/ by default.")] = None,
    source: Source = "",
    notebooks: Notebooks = None,
    engine: Engine = "",
    memory: Memory = None,
    quiet: Quiet = False,
    debug: Debug = False,
) -> None:
    """Run the chain of notebooks for one month: executed notebooks, tables, model and report.html."""
    from segkit.reporting.run_chain import run_report
    from segkit.runtime.parameters import split_settings

    given = split_settings(settings or [])
    if choice:
        given["choice"] = choice
    if seed is not None:
        given["seed"] = str(seed)
    page = run_report(dataset, month=month, as_of=as_of, source=source, out=out, notebooks=notebooks, **given)
    _warn_of_stale(page.parent.parent)
    print(page)


@app.command(epilog="Example: segkit months complete-journey --from 2017-04 --to 2017-12")
def months(
    dataset: Dataset,
    first: Annotated[str, typer.Option("--from", metavar="YYYY-MM", help="The first month.")],
    last: Annotated[str, typer.Option("--to", metavar="YYYY-MM", help="The last month.")],
    settings: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="NAME=VALUE", help="A parameter, such as way=refit; can be given many times."),
    ] = None,
    seed: Annotated[int | None, typer.Option(metavar="N", help="Start of every random draw.")] = None,
    out: Annotated[Path | None, typer.Option(metavar="DIR", help="Where runs are kept; reports/ by default.")] = None,
    source: Source = "",
    notebooks: Notebooks = None,
    engine: Engine = "",
    memory: Memory = None,
    quiet: Quiet = False,
    debug: Debug = False,
) -> None:
    """Run months in order, each held against the month before, and a page over all of them.

    Months that are there and would come out the same are left alone; stale ones are made again.
    """
    from segkit.reporting.run_months import run_months
    from segkit.runtime.parameters import split_settings

    given = split_settings(settings or [])
    if seed is not None:
        given["seed"] = str(seed)
    tell = (lambda _: None) if quiet else print
    page = run_months(dataset, first, last, source=source, out=out, notebooks=notebooks, tell=tell, **given)
    _warn_of_stale(page.parent)
    print(page)


@app.command(epilog="Example: segkit score reports/complete-journey/2017-09 complete-journey --month 2017-10")
def score(
    run: Annotated[Path, typer.Argument(metavar="RUN", help="A finished run, such as reports/my-shop/2026-10.")],
    dataset: Dataset,
    month: Annotated[
        str, typer.Option(metavar="YYYY-MM", help="The month whose customers to score; by default the run's own day.")
    ] = "",
    out: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE", help="A .parquet or .csv file, with --engine a folder of parquet; by default within RUN."
        ),
    ] = None,
    source: Source = "",
    engine: Engine = "",
    memory: Memory = None,
    debug: Debug = False,
) -> None:
    """Assign customers with the frozen model of a finished run; nothing is fitted."""
    from segkit.data.periods import last_day_counted
    from segkit.reporting.sentences import tell_sizes
    from segkit.scoring.score import check_place, score_customers, write_scores

    if month:
        last_day_counted(month)
    place = out or run / f"scores-{month or 'own'}.parquet"
    if engine and engine != "duckdb":
        from segkit.scoring.on_spark import score_in_cluster

        sizes = score_in_cluster(run, dataset, place, month=month, source=source, engine=engine, tell=_warn)
        print(tell_sizes(sizes))
        print(place)
        return
    if out or run.is_dir():  # else it is the run that is missing
        check_place(place)
    scores = score_customers(run, dataset, month=month, source=source, tell=_warn)
    print(tell_sizes(scores["segment"].value_counts()))
    print(write_scores(scores, place))


@app.command(epilog="Example: segkit handover reports/my-shop/2026-10 --to klaviyo --to meta")
def handover(
    run: Annotated[Path, typer.Argument(metavar="RUN", help="A finished run, such as reports/my-shop/2026-10.")],
    to: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME", help="klaviyo, mailchimp, hubspot, salesforce, google-ads, meta, bi, sql."),
    ] = None,
    out: Annotated[Path | None, typer.Option(metavar="DIR", help="Folder to write; RUN/handover by default.")] = None,
    settings: Annotated[
        list[str] | None,
        typer.Option(
            "--set",
            metavar="NAME=VALUE",
            help="min_confidence, by default the run's; handover_floor, the fewest people of a segment in a file: 50, "
            "or what is asked here, at least 10.",
        ),
    ] = None,
    debug: Debug = False,
) -> None:
    """Write audience files, tables for Power BI and Tableau, and SQL from a finished run."""
    from segkit.runtime.parameters import read_parameters, split_settings
    from segkit.targeting.handover.folder import hand_over

    given = split_settings(settings or [])
    read = read_parameters(given)
    chosen = {name: getattr(read, name) for name in given}
    if others := set(chosen) - {"min_confidence", "handover_floor"}:
        raise InputError(f"--set {sorted(others)[0]}: a handover takes min_confidence and handover_floor only")
    floor, least = chosen.get("handover_floor"), chosen.get("min_confidence")
    folder, told = hand_over(run, tuple(to or ()), out, floor=floor, min_confidence=least)
    print("\n".join([*told, str(folder)]))


@app.command(epilog="Example: segkit fetch online-retail-ii")
def fetch(
    name: Annotated[str, typer.Argument(metavar="NAME", help="A dataset whose card says where it is published.")],
    debug: Debug = False,
) -> None:
    """Download a public dataset into data/raw/ and check it against its checksum."""
    from segkit.data.fetch import fetch_dataset

    print(fetch_dataset(name))


def main() -> None:
    """Run the command line and end with its status.

    0 when done; 2 for an error that the user can mend, in one line; 1 for one of segkit's own. A signal that asks for
    an end, such as Ctrl-C's, gives 128 + its number: 130, or 143 for SIGTERM, or 141 where nobody reads the output.
    """
    from segkit.runtime.progress import use_plain_lines

    use_plain_lines()
    debug = "--debug" in sys.argv
    if len(sys.argv) == 1:
        sys.argv.append("--help")
    try:
        with stopping_when_asked():
            status = app(prog_name="segkit", standalone_mode=False)
            sys.stdout.flush()
        if status:  # of an interrupt that a library handled
            sys.exit(status)
    except typer.TyperException as error:  # an unknown option, a missing argument
        context = getattr(error, "ctx", None)
        said = error.format_message()
        stop = "" if said.endswith((".", "?", "!")) else "."
        _end(f"{said}{stop} See {context.command_path if context else 'segkit'} --help", 2)
    except SystemExit as ended:
        if isinstance(ended.__context__, BrokenPipeError):  # typer makes a silent 1 of it
            _stop_writing()
        raise
    except BrokenPipeError:
        _stop_writing()
    except Exception as error:
        if debug:
            traceback.print_exc()
        if said := tell_full_disk(error) or tell_closed_place(error):
            _end(said, 2)
        if isinstance(error, InputError):
            _end(str(error), 2)
        _end(f"{type(error).__name__}: {error} (a fault of segkit; --debug shows where)", 1)
    finally:
        use_plain_lines(False)


def _end(said: str, status: int) -> NoReturn:
    """Say the one message of a failure, on one line, and end."""
    print("segkit:", " ".join(said.split()), file=sys.stderr)
    sys.exit(status)


def _stop_writing() -> NoReturn:
    """End where what reads the output has gone, as in ``segkit check my-shop | head -1``."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # Python flushes what is left when it ends
    _end("stopped, because nobody reads its output any more", 128 + signal.SIGPIPE)
