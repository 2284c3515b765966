"""Where the store lies: a file that nobody else may read, in a folder that nobody else may write to."""

import grp
import os
import pwd
import stat
from pathlib import Path
from typing import Final

from webhookctl.core.errors import StoreError

_PRIVATE: Final = 0o600
_OTHERS: Final = 0o077
_MOUNTS: Final = Path("/proc/self/mountinfo")
_SHARED: Final = frozenset(
    {"9p", "afs", "ceph", "cifs", "coda", "gfs2", "glusterfs", "lustre", "nfs", "nfs4", "ocfs2", "smb3", "virtiofs"}
)
"""Beside all that FUSE brings."""


def is_read_only(path: Path) -> bool:
    """Say whether the file system is mounted so that nobody writes to it."""
    try:
        return bool(os.statvfs(path.parent).f_flag & os.ST_RDONLY)
    except OSError:
        return False


def shared_file_system(path: Path, mounts: Path = _MOUNTS) -> str | None:
    """Name the kind of file system that `path` lies on if more than this machine's kernel stands behind it.

    There SQLite's WAL can't be relied on: it needs memory that all who use the file share (sqlite.org/wal.html).
    `mounts` is the kernel's list (proc_pid_mountinfo(5)); None where there is none, or for a disk of this machine.
    """
    try:
        device = path.parent.stat().st_dev
        lines = mounts.read_text("utf-8", "replace").splitlines()
    except OSError:
        return None
    number = f"{os.major(device)}:{os.minor(device)}"
    kinds = [line.partition(" - ")[2].split(" ")[0] for line in lines if line.split(" ")[2:3] == [number]]
    return next((kind for kind in kinds if kind in _SHARED or kind.startswith("fuse")), None)


def prepare(path: Path, *, create: bool, only_read: bool = False) -> tuple[str, ...]:
    """Check the folder and the file, making the file where `create` says so; returns what the operator should know."""
    check_folder(path, only_read=only_read)
    try:
        found = path.stat()
    except FileNotFoundError:
        if not create:
            raise StoreError(
                f"There is no store at {path}: run `webhookctl serve`, which makes one, or name the right "
                "file in [store] url."
            ) from None
        _make(path)
        return ()
    except OSError as error:
        raise StoreError(f"The store {path} can't be looked at: {error.strerror}.") from None
    return _check_file(path, found)


def check_folder(path: Path, *, only_read: bool) -> None:
    """Raise `StoreError` where the store's folder won't do."""
    folder = path.parent
    try:
        found = folder.stat()
    except OSError as error:
        raise StoreError(
            f"The store's folder {folder} can't be used: {error.strerror}. Make it, with mode 0700."
        ) from None
    if not stat.S_ISDIR(found.st_mode):
        raise StoreError(f"The store's folder {folder} is not a folder: mend [store] url.")
    if not only_read and is_read_only(path):
        raise StoreError(f"The store's folder {folder} lies on a file system that is mounted read-only: remount it.")
    if not os.access(folder, os.R_OK | os.X_OK | (0 if only_read else os.W_OK)):
        raise StoreError(f"The store's folder {folder} can't be written to by this user: mend its owner or its mode.")
    if who := who_else_writes(found):
        # Not even a sticky folder will do: SQLite would trust a journal that somebody else had laid beside the file.
        raise StoreError(
            f"The store's folder {folder} can be written to by {who}, who could plant a journal there: "
            f"`chmod go-w {folder}`, or give the store a folder of its own with mode 0700."
        )


def who_else_writes(found: os.stat_result, uid: int | None = None) -> str | None:
    """Say who may write to a folder beside the user `uid` (None: us) and root; None: nobody."""
    if found.st_mode & stat.S_IWOTH:
        return "everybody"
    if found.st_uid not in {0, os.geteuid() if uid is None else uid}:
        return "its owner, another user"
    if found.st_mode & stat.S_IWGRP and not _is_private_group(found):
        return "its group"
    return None


def _is_private_group(found: os.stat_result) -> bool:
    """Many systems give each user a group of his own, and a umask that lets it write."""
    try:
        group, owner = grp.getgrgid(found.st_gid), pwd.getpwuid(found.st_uid)
    except KeyError:
        return False
    return group.gr_name == owner.pw_name and set(group.gr_mem) <= {owner.pw_name}


def _make(path: Path) -> None:
    try:
        handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, _PRIVATE)
    except FileExistsError:  # another process was faster, and it is ours as well
        return
    except OSError as error:
        raise StoreError(f"The store {path} can't be made: {error.strerror}.") from None
    os.close(handle)


def _check_file(path: Path, found: os.stat_result) -> tuple[str, ...]:
    if not stat.S_ISREG(found.st_mode):
        raise StoreError(f"The store {path} is not a file: mend [store] url.")
    if found.st_nlink > 1:
        raise StoreError(
            f"The store {path} has a second name (a hard link): SQLite would keep a journal for each, and damage it. "
            "Remove the other name."
        )
    if not found.st_mode & _OTHERS:
        return ()
    try:
        # SQLite gives the -wal and the -shm the mode of the file itself; those that are there already must follow.
        for name in (path, path.with_name(f"{path.name}-wal"), path.with_name(f"{path.name}-shm")):
            if name.exists():
                name.chmod(_PRIVATE)
    except OSError:
        raise StoreError(
            f"The store {path} can be read by others, and this user can't change that: `chmod 600 {path}`."
        ) from None
    return (f"The store {path} could be read by others: its mode is 0600 now.",)
