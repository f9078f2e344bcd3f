"""The one exception that speaks to people, and those that are caught to raise it."""

# what reading a file's content raises that is not what was expected: a text for a number, a number
# that no float or int64 holds, a key that is missing, lists within lists without an end
WRONG_CONTENT = (
    ValueError, OverflowError, TypeError, LookupError, AttributeError, RecursionError,
)  # fmt: skip


class UserError(Exception):
    """A problem its reader can fix: the text says where, what, and what would work.

    Command lines print the text without a traceback (unless ``--debug``) and exit with status 2.
    Bad arguments of Python functions raise ``ValueError`` or ``TypeError`` instead.

    Example:
        >>> raise UserError("data/market1501: no such folder")
        Traceback (most recent call last):
        reidkit.errors.UserError: data/market1501: no such folder
    """
