"""Seccomp: system calls that a process gives up, in all of its threads, through libseccomp."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterable
from functools import cache
from typing import Any, Final

SOCKETS: Final = ("socket", "connect", "bind", "listen", "accept", "accept4", "io_uring_setup")
"""Making sockets, and having one that is there reach somebody else; io_uring would do both unseen."""

PROGRAMS: Final = ("execve", "execveat")
"""Running other programs."""

PROCESSES: Final = (
    "ptrace",
    "process_vm_readv",
    "process_vm_writev",
    "process_madvise",
    "pidfd_open",
    "pidfd_getfd",
    "pidfd_send_signal",
    "kcmp",
    "tkill",
)
"""Looking into other processes, and signals that do not say which process they are for."""

SYSTEM: Final = (
    "mount",
    "umount2",
    "move_mount",
    "open_tree",
    "fsopen",
    "pivot_root",
    "chroot",
    "unshare",
    "setns",
    "bpf",
    "perf_event_open",
    "userfaultfd",
    "keyctl",
    "add_key",
    "request_key",
    "init_module",
    "finit_module",
    "delete_module",
    "kexec_load",
    "kexec_file_load",
    "reboot",
    "swapon",
    "swapoff",
    "open_by_handle_at",
    "settimeofday",
    "clock_settime",
    "clock_adjtime",
    "adjtimex",
    "acct",
    "quotactl",
    "syslog",
)
"""What changes the system, or has been a way into the kernel."""

ATTRIBUTES: Final = (
    "chmod",
    "fchmod",
    "fchmodat",
    "fchmodat2",
    "chown",
    "fchown",
    "lchown",
    "fchownat",
    "setxattr",
    "lsetxattr",
    "fsetxattr",
    "removexattr",
    "lremovexattr",
    "fremovexattr",
)
"""Who may do what with files, which Landlock does not guard."""

_SIGNALS: Final = ("kill", "tgkill", "rt_sigqueueinfo", "rt_tgsigqueueinfo")


class SeccompMissingError(Exception):
    """There is no libseccomp, or the kernel has no seccomp."""


def give_up(calls: Iterable[str]) -> None:
    """Has system calls fail with EPERM from now on, and signals to other processes, in all threads.

    It cannot be taken back.

    Args:
        calls: Their names; what this architecture or libseccomp does not know is passed over.

    Raises:
        SeccompMissingError: If it cannot be done.
    """
    found = library()
    rules = found.SyscallFilter(found.ALLOW)
    refuse = found.ERRNO(errno.EPERM)
    try:
        rules.set_attr(found.Attr.CTL_TSYNC, 1)
        for name in calls:
            number = found.resolve_syscall(found.Arch.NATIVE, name)
            if number >= 0:
                rules.add_rule(refuse, number)
        for name in _SIGNALS:
            rules.add_rule(refuse, name, found.Arg(0, found.NE, os.getpid()))
        rules.load()
    except OSError as error:
        raise SeccompMissingError(f"the kernel takes no seccomp filter: {error}") from error


@cache
def library() -> Any:
    """The bindings of libseccomp; found with the help of other programs, and so before these are given up.

    Raises:
        SeccompMissingError: If they are not there.
    """
    try:
        import pyseccomp  # noqa: PLC0415 -- it looks for libseccomp, which may be missing
    except (ImportError, RuntimeError, OSError) as error:
        raise SeccompMissingError(f"libseccomp is not installed: {error}") from error
    return pyseccomp
