"""The one exception that speaks to people."""


class UserError(Exception):
    """A problem its reader can fix: the text says where, what, and what would work.

    Command lines print the text without a traceback (unless ``--debug``) and exit with status 2.
    Bad arguments of Python functions raise ``ValueError`` or ``TypeError`` instead.

    Example:
        >>> raise UserError("data/market1501: no such folder")
        Traceback (most recent call last):
        reidkit.errors.UserError: data/market1501: no such folder
    """
