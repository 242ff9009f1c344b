"""The one error that a user can mend."""


class InputError(ValueError):
    """Something the user can put right: the message names the thing and the way out.

    The command line prints it as ``segkit: message`` and ends with status 2.

    Examples
    --------
    >>> raise InputError("month 2031-01 has no orders; the data ends on 2018-01-01")
    Traceback (most recent call last):
    segkit.InputError: month 2031-01 has no orders; the data ends on 2018-01-01
    """

    __module__ = "segkit"
