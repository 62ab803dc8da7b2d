"""The filter of system calls, read as the kernel reads it, also for another processor."""

import errno
import struct
from collections.abc import Iterator

import pytest

from infrastructure.closed import lock

ALLOW, REFUSE, KILL = 0x7FFF0000, 0x00050000 | errno.EPERM, 0x80000000
NUMBERS = {
    "x86_64": {
        "read": 0,
        "write": 1,
        "open": 2,
        "mmap": 9,
        "mprotect": 10,
        "munmap": 11,
        "brk": 12,
        "pread64": 17,
        "madvise": 28,
        "socket": 41,
        "clone": 56,
        "execve": 59,
        "exit": 60,
        "kill": 62,
        "ptrace": 101,
        "prctl": 157,
        "futex": 202,
        "clock_gettime": 228,
        "exit_group": 231,
        "openat": 257,
        "getrandom": 318,
        "bpf": 321,
        "io_uring_setup": 425,
        "clone3": 435,
    },
    "aarch64": {
        "openat": 56,
        "read": 63,
        "write": 64,
        "exit": 93,
        "exit_group": 94,
        "futex": 98,
        "clock_gettime": 113,
        "ptrace": 117,
        "kill": 129,
        "prctl": 167,
        "socket": 198,
        "brk": 214,
        "munmap": 215,
        "clone": 220,
        "execve": 221,
        "mmap": 222,
        "mprotect": 226,
        "madvise": 233,
        "getrandom": 278,
        "bpf": 280,
        "io_uring_setup": 425,
        "clone3": 435,
    },
}
FREE = {"munmap", "brk", "exit", "futex", "clock_gettime", "exit_group", "getrandom"}
ON_A_CONDITION = {"read", "write", "mmap", "mprotect"}
MACHINES = pytest.mark.parametrize("machine", sorted(NUMBERS))


def decided(machine: str, number: int, *arguments: int, audit: int | None = None) -> int:
    """What the filter of *machine* says of a call: a machine for the few instructions it has."""
    known = lock._MACHINES[machine]
    given = [*arguments, *[0] * (6 - len(arguments))]
    data = struct.pack("=IIQ6Q", number, audit or known.audit, 0, *given)
    program, at, held = list(lines(machine)), 0, 0
    while True:
        code, if_true, if_false, value = program[at]
        at += 1
        match code:
            case 0x20:
                (held,) = struct.unpack_from("=I", data, value)
            case 0x15:
                at += if_true if held == value else if_false
            case 0x45:
                at += if_true if held & value else if_false
            case 0x06:
                return value
            case _:
                raise AssertionError(f"no such instruction: {code:#x}")


def lines(machine: str) -> Iterator[tuple[int, int, int, int]]:
    for line in lock._program(lock._MACHINES[machine]):
        yield struct.unpack("=HBBI", line)


@MACHINES
def test_what_is_not_on_the_list_is_refused(machine: str) -> None:
    for name, number in NUMBERS[machine].items():
        expected = ALLOW if name in FREE else REFUSE
        if name not in ON_A_CONDITION:
            assert decided(machine, number) == expected, name


@MACHINES
def test_a_list_of_two_dozen_is_all_there_is(machine: str) -> None:
    allowed = [number for number in range(1000) if decided(machine, number, 0) == ALLOW]
    known = lock._MACHINES[machine]
    assert set(allowed) == {*known.free, known.read, *known.mapping}
    assert len(allowed) < 24


@MACHINES
def test_only_the_pipes_that_were_there_are_read_and_written(machine: str) -> None:
    numbers = NUMBERS[machine]
    for file in range(-1, 8):
        as_seen = file % 2**64
        assert (decided(machine, numbers["read"], as_seen) == ALLOW) == (file == 0)
        assert (decided(machine, numbers["write"], as_seen) == ALLOW) == (file == 1)


@MACHINES
@pytest.mark.parametrize("call", ["mmap", "mprotect"])
def test_no_memory_becomes_executable(machine: str, call: str) -> None:
    number = NUMBERS[machine][call]
    for protection in range(8):
        expected = REFUSE if protection & 4 else ALLOW
        assert decided(machine, number, 0, 4096, protection) == expected


@MACHINES
def test_calls_in_the_manner_of_another_processor_end_the_process(machine: str) -> None:
    assert decided(machine, 0, audit=0x40000003) == KILL  # 32 bits of an x86
    assert decided(machine, NUMBERS[machine]["brk"] | 0x40000000) == REFUSE  # its x32 numbers


def test_what_still_works_after_all_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lock, "_limit", lambda *_: None)
    monkeypatch.setattr(lock, "_filter", lambda _: None)
    with pytest.raises(lock.CannotBeClosed, match=r"Still open: files, .*processes\."):
        lock.close(memory_bytes=1, cpu_s=1)
