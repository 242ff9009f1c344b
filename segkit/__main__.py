"""The start of ``segkit`` and ``python -m segkit``."""

import signal


def main() -> None:
    """Run the command line; Ctrl-C ends it silently, as it would any other, while its modules are still loading."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)  # until the command line sees to it; a shell reads status 130
    from segkit.cli import main as command_line

    command_line()


if __name__ == "__main__":
    main()
