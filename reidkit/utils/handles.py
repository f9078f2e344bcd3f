"""Open files that loader processes need; without enough of them torch waits for ever."""

from __future__ import annotations

import os
import resource

from reidkit.errors import UserError

PER_WORKER = 16  # pipes, and the shared memory of batches on their way
RESERVE = 16  # checkpoints, logs, images


def ensure_handles(workers: int) -> None:
    """See to it that loader processes get the open files they need, before they start.

    The process's own limit is raised as far as the system allows.

    Args:
        workers: loader processes; nothing is looked at for 0.

    Raises:
        UserError: the system allows too few.

    Example:
        >>> ensure_handles(2)
    """
    if not workers:
        return
    wanted = _open_now() + PER_WORKER * workers + RESERVE
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft == resource.RLIM_INFINITY or soft >= wanted:
        return
    if hard != resource.RLIM_INFINITY and hard < wanted:
        raise UserError(
            f"{workers} loader processes need about {wanted} open files, and this system allows "
            f"{hard} (ulimit -n): raise the limit, or set settings.workers lower (0 loads in the "
            "main process)"
        )
    resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


def _open_now() -> int:
    try:
        return len(os.listdir("/proc/self/fd"))
    except OSError:  # no such folder on this system
        return 32
