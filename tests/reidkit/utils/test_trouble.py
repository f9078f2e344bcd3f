"""What the machine refuses, in words."""

import errno
import os

import pytest

from reidkit.errors import UserError
from reidkit.utils.io import atomic_folder, atomic_write, ensure_writable
from reidkit.utils.trouble import (
    DiskError,
    MachineError,
    disk_error,
    ensure_room,
    machine_error,
    worker_error,
)


@pytest.mark.parametrize(
    ("number", "said"),
    [
        (errno.ENOSPC, "the disk is full"),
        (errno.EDQUOT, "the disk quota is used up"),
        (errno.EFBIG, r"larger than this process may write \(ulimit -f\); raise the limit"),
        (errno.EROFS, r"cannot be written \(read-only file system\); choose another place"),
        (errno.EACCES, r"cannot be written \(permission denied\)"),
        (errno.EMFILE, r"too many open files; raise the limit \(ulimit -n\)"),
        (errno.EIO, "the disk reports an error"),
        (errno.ENAMETOOLONG, r"cannot be written \(file name too long\); choose another name"),
    ],
)
def test_a_file_that_cannot_be_written(tmp_path, number, said):
    for writing in (atomic_write(tmp_path / "a"), atomic_folder(tmp_path / "a")):
        with pytest.raises(DiskError, match=f"{tmp_path}/a: {said}") as error, writing:
            raise OSError(number, os.strerror(number))
        assert isinstance(error.value, UserError) and error.value.errno == number
    assert os.listdir(tmp_path) == []


def test_a_full_disk_says_what_is_free_and_needed(tmp_path):
    error = OSError(errno.ENOSPC, "No space left on device")
    text = str(disk_error(error, tmp_path / "x", 5_700_000))
    assert "are free, and 5.7 MB are needed; make room" in text


def test_an_array_that_numpy_could_write_in_part(tmp_path):
    for writing in (atomic_write(tmp_path / "a"), atomic_folder(tmp_path / "a")):
        said = f"{tmp_path}/a: only a part of it .* is full, .* free"
        with pytest.raises(DiskError, match=said), writing:
            raise OSError("1792 requested and 992 written")
    assert os.listdir(tmp_path) == []


def test_other_errors_stay_what_they_are(tmp_path):
    with pytest.raises(FileNotFoundError), atomic_write(tmp_path / "a"):
        (tmp_path / "missing").read_text()
    with pytest.raises(FileExistsError), atomic_write(tmp_path / "a"):
        raise FileExistsError(errno.EEXIST, "File exists")


def test_another_file_is_not_blamed_on_the_one_written(tmp_path):
    with pytest.raises(DiskError, match="^/other: "), atomic_write(tmp_path / "a"):
        raise PermissionError(errno.EACCES, "Permission denied", "/other")


def test_room_is_looked_at_before(tmp_path):
    ensure_room(tmp_path, 1, "a checkpoint")
    with pytest.raises(DiskError, match=r"are free on the disk, and a checkpoint takes at least"):
        ensure_room(tmp_path, 1 << 60, "a checkpoint")
    ensure_room(tmp_path / "missing", 1 << 60, "a checkpoint")  # cannot be asked


def test_places_are_tried_before(tmp_path):
    ensure_writable(tmp_path / "new" / "file.json")
    assert os.listdir(tmp_path) == []
    with pytest.raises(DiskError, match="is a folder; give a file's name"):
        ensure_writable(tmp_path)
    (tmp_path / "file").touch()
    with pytest.raises(DiskError, match=r"below: cannot be written \(not a directory\)"):
        ensure_writable(tmp_path / "file" / "below")
    with pytest.raises(DiskError, match="cannot be written"):
        ensure_writable("/proc/nothing")


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (MemoryError(), "out of memory: lower train.batch_size"),
        (RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried"), "out of memory"),
        (
            ImportError("see numpy.org:\nx.so: failed to map segment from shared object"),
            r"to load a library \(x.so: failed to map segment from shared object\): raise ulimit",
        ),
        (OSError(errno.EMFILE, "Too many open files", "x"), "x: too many open files"),
        (PermissionError(errno.EACCES, "Permission denied", "x"), "x: permission denied"),
        (
            UnicodeEncodeError("utf-8", "r\udce9", 1, 2, "surrogates not allowed"),
            "cannot be written in utf-8; rename it",
        ),
        (
            RuntimeError("DataLoader worker (pid 7) is killed by signal: Terminated. "),
            r"a loader process died \(DataLoader worker \(pid 7\) is killed by signal: Term",
        ),
    ],
    ids=repr,
)
def test_exceptions_of_the_machine(error, said):
    with pytest.raises(MachineError, match=said):
        raise machine_error(error)


def test_exceptions_of_the_program_are_left_alone():
    for error in (
        ValueError("x"), RuntimeError("shapes differ"), FileNotFoundError(2, "x", "y"),
        ImportError("No module named 'x'"),
    ):  # fmt: skip
        assert machine_error(error) is None
    said = UserError("x")
    assert machine_error(said) is said


def test_shared_memory_is_named():
    text = (
        "DataLoader worker (pid 7) is killed by signal: Bus error. It is possible that "
        "dataloader's workers are out of shared memory. Please try to raise your limit."
    )
    said = str(worker_error(RuntimeError(text), "market1501"))
    assert said.startswith("a loader process of market1501 died (DataLoader worker (pid 7) is")
    assert "the shared memory in /dev/shm ran out (" in said and "settings.workers" in said


def test_shared_memory_that_a_worker_cannot_get():
    text = (
        "Caught RuntimeError in DataLoader worker process 0.\nOriginal Traceback ...\n"
        "RuntimeError: unable to write to file </torch_71_2_0>: No space left on device (28)"
    )
    said = str(worker_error(RuntimeError(text)))
    assert "Traceback" not in said and "/dev/shm ran out" in said
    assert worker_error(RuntimeError(text.replace("</torch_71_2_0>", "x"))) is None
