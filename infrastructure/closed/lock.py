"""Closes this process for good: limits of its resources, and a filter of its system calls.

The filter is seccomp-BPF, which needs no privilege. What is not on its short list fails with
``EPERM``: there are files, sockets, processes, signals and executable memory no more, only the two
pipes that were there. Neither root nor a new program is free of it.
"""

import _socket
import ctypes
import errno
import os
import platform
import resource
import struct
import sys
from collections.abc import Callable, Iterator
from typing import Final, NamedTuple

READ_FROM: Final = 0
WRITE_TO: Final = 1

_NO_NEW_PRIVILEGES: Final = 38
_SET_SECCOMP: Final = 22
_FILTER: Final = 2
_EXECUTABLE: Final = 4

_LOAD: Final = 0x20
_EQUALS: Final = 0x15
_HAS_BITS: Final = 0x45
_RETURN: Final = 0x06
_KILL: Final = 0x80000000
_REFUSE: Final = 0x00050000 | errno.EPERM
_ALLOW: Final = 0x7FFF0000

_NUMBER: Final = 0
_MACHINE: Final = 4
_ARGUMENTS: Final = 16


class _Machine(NamedTuple):
    """How a processor numbers the system calls that stay allowed."""

    audit: int
    free: tuple[int, ...]
    read: int
    write: int
    mapping: tuple[int, int]


# Memory, clocks, locks, randomness and the end: brk, clock_getres, clock_gettime, clock_nanosleep,
# exit, exit_group, futex, getpid, getrandom, gettid, gettimeofday, mremap, munmap,
# nanosleep, restart_syscall, rt_sigreturn, sched_yield; and mmap and mprotect with conditions.
_MACHINES: Final = {
    "x86_64": _Machine(
        audit=0xC000003E,
        free=(
            12, 229, 228, 230, 60, 231, 202, 39, 318, 186, 96, 25, 11, 35, 219, 15, 24,
        ),
        read=0,
        write=1,
        mapping=(9, 10),
    ),
    "aarch64": _Machine(
        audit=0xC00000B7,
        free=(
            214, 114, 113, 115, 93, 94, 98, 172, 278, 178, 169, 216, 215, 101, 128, 139, 124,
        ),
        read=63,
        write=64,
        mapping=(222, 226),
    ),
}  # fmt: skip


def _open_a_file() -> None:
    os.close(os.open("/", os.O_RDONLY))


def _open_a_socket() -> None:
    _socket.socket().close()


def _start_a_process() -> None:
    if (process := os.fork()) == 0:
        os._exit(0)
    os.waitpid(process, 0)


_Attempt = Callable[[], None]
_ATTEMPTS: Final[dict[str, _Attempt]] = {
    "files": _open_a_file,
    "network": _open_a_socket,
    "processes": _start_a_process,
}


class CannotBeClosed(Exception):
    """This machine has no way to close a process; nothing may run in it."""


def close(*, memory_bytes: int, cpu_s: int) -> None:
    """Close this process: it keeps its two pipes, *memory_bytes* of memory and *cpu_s* of time.

    Raises:
        CannotBeClosed: The machine does not offer it, or something is still open.
    """
    machine = _MACHINES.get(platform.machine())
    if sys.platform != "linux" or machine is None:
        raise CannotBeClosed(f"{sys.platform} on {platform.machine()} has no filter we know.")
    _limit(memory_bytes, cpu_s)
    _filter(machine)
    if still := [name for name, attempt in _ATTEMPTS.items() if _succeeds(attempt)]:
        raise CannotBeClosed(f"Still open: {', '.join(still)}.")


def _limit(memory_bytes: int, cpu_s: int) -> None:
    for what, most in (
        (resource.RLIMIT_AS, memory_bytes),
        (resource.RLIMIT_CPU, cpu_s),
        (resource.RLIMIT_CORE, 0),
        (resource.RLIMIT_FSIZE, 0),
        (resource.RLIMIT_NPROC, 0),
    ):
        resource.setrlimit(what, (most, most))


def _filter(machine: _Machine) -> None:
    lines = list(_program(machine))
    text = ctypes.create_string_buffer(b"".join(lines))
    program = ctypes.create_string_buffer(
        struct.pack("@HxxxxxxQ", len(lines), ctypes.addressof(text))
    )
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(_NO_NEW_PRIVILEGES, 1, 0, 0, 0) or libc.prctl(
        _SET_SECCOMP, _FILTER, ctypes.byref(program), 0, 0
    ):
        raise CannotBeClosed(f"The kernel refuses: {os.strerror(ctypes.get_errno())}.")


def _program(machine: _Machine) -> Iterator[bytes]:
    """The filter; each block falls through to the next one unless it decides."""
    yield _line(_LOAD, 0, 0, _MACHINE)
    yield _line(_EQUALS, 1, 0, machine.audit)
    yield _line(_RETURN, 0, 0, _KILL)
    yield _line(_LOAD, 0, 0, _NUMBER)
    for number in machine.free:
        yield _line(_EQUALS, 0, 1, number)
        yield _line(_RETURN, 0, 0, _ALLOW)
    for number, pipe in ((machine.read, READ_FROM), (machine.write, WRITE_TO)):
        yield _line(_EQUALS, 0, 4, number)
        yield _line(_LOAD, 0, 0, _ARGUMENTS)
        yield _line(_EQUALS, 0, 1, pipe)
        yield _line(_RETURN, 0, 0, _ALLOW)
        yield _line(_RETURN, 0, 0, _REFUSE)
    for number in machine.mapping:
        yield _line(_EQUALS, 0, 4, number)
        yield _line(_LOAD, 0, 0, _ARGUMENTS + 2 * 8)
        yield _line(_HAS_BITS, 1, 0, _EXECUTABLE)
        yield _line(_RETURN, 0, 0, _ALLOW)
        yield _line(_RETURN, 0, 0, _REFUSE)
    yield _line(_RETURN, 0, 0, _REFUSE)


def _line(code: int, if_true: int, if_false: int, value: int) -> bytes:
    return struct.pack("=HBBI", code, if_true, if_false, value)


def _succeeds(attempt: _Attempt) -> bool:
    try:
        attempt()
    except OSError as error:
        return error.errno != errno.EPERM
    return True
