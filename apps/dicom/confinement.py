"""Taking from a process what it does not need: network, files, programs, memory, time.

On Linux a filter of system calls (seccomp) refuses sockets, opening files and starting
programs, and a network namespace of its own is taken where the kernel gives one to anybody.
Neither needs a privilege. Elsewhere only the limits of `resource` hold.
"""

import ctypes
import platform
import resource
import struct
import sys

LIMITS, NAMESPACE, FILTER = "limits", "namespace", "filter"  # what may hold
_CLONE_NEWUSER, _CLONE_NEWNET = 0x10000000, 0x40000000
_PR_SET_NO_NEW_PRIVS, _PR_SET_SECCOMP, _SECCOMP_MODE_FILTER = 38, 22, 2
_PR_SET_DUMPABLE = 4
# Classic BPF: load a word, jump if equal, jump if greater or equal, return.
_LOAD, _IF_EQUAL, _IF_AT_LEAST, _RETURN = 0x20, 0x15, 0x35, 0x06
_ALLOW, _REFUSE = 0x7FFF0000, 0x00050000 | 1  # EPERM
_NUMBER, _ARCHITECTURE = 0, 4  # offsets in struct seccomp_data
_X32 = 0x40000000  # the other calling convention of x86-64, with numbers of its own
# socket, connect, accept, sendto, sendmsg, bind, listen, socketpair, accept4, io_uring_setup;
# execve, execveat, ptrace, kill, process_vm_readv and _writev, pidfd_open and _getfd;
# unshare, setns, mount, bpf, keyctl; openat, openat2 and where there are open, creat.
_REFUSED = {
    "x86_64": (
        0xC000003E,
        *(41, 42, 43, 44, 46, 49, 50, 53, 288, 425, 59, 322, 101, 62, 310, 311, 434, 438),
        *(272, 308, 165, 321, 250, 257, 437, 2, 85),
    ),
    "aarch64": (
        0xC00000B7,
        *(198, 203, 202, 206, 211, 200, 201, 199, 242, 425, 221, 281, 117, 129, 270, 271),
        *(434, 438, 97, 268, 40, 280, 219, 56, 437),
    ),
}


def confine(*, memory_bytes: int) -> list[str]:
    """Confine this process for good; returns what holds of LIMITS, NAMESPACE, FILTER.

    To be called with one thread and everything imported that will be needed.
    """
    resource.setrlimit(resource.RLIMIT_AS, (memory_bytes, memory_bytes))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
    found = [LIMITS]
    if sys.platform == "linux":
        libc = ctypes.CDLL(None, use_errno=True)
        found += [NAMESPACE] if _leave_network(libc) else []
        found += [FILTER] if _filter_calls(libc) else []
    return found


def limit_cpu(seconds: int) -> None:
    """From now on so many seconds of CPU time; beyond them the kernel ends the process."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    allowed = int(used.ru_utime + used.ru_stime) + seconds + 1
    resource.setrlimit(resource.RLIMIT_CPU, (allowed, resource.RLIM_INFINITY))


def limit_memory(size: int) -> None:
    """Of address space in bytes, below what the process was confined to."""
    _, hard = resource.getrlimit(resource.RLIMIT_AS)
    resource.setrlimit(resource.RLIMIT_AS, (min(size, hard), hard))


def _leave_network(libc: ctypes.CDLL) -> bool:
    """A namespace without interfaces; refused where users may make none, as in containers."""
    return bool(libc.unshare(_CLONE_NEWUSER | _CLONE_NEWNET) == 0)


def _filter_calls(libc: ctypes.CDLL) -> bool:
    known = _REFUSED.get(platform.machine())
    if known is None:
        return False
    architecture, *numbers = known
    program = _program(architecture, numbers)
    buffer = ctypes.create_string_buffer(program, len(program))
    described = struct.pack("HxxxxxxP", len(program) // 8, ctypes.addressof(buffer))
    pointer = ctypes.create_string_buffer(described, len(described))
    libc.prctl(_PR_SET_DUMPABLE, 0, 0, 0, 0)
    if libc.prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0:
        return False
    return bool(libc.prctl(_PR_SET_SECCOMP, _SECCOMP_MODE_FILTER, pointer, 0, 0) == 0)


def _program(architecture: int, numbers: list[int]) -> bytes:
    """struct sock_filter (code, jump if true, jump if false, operand) one after the other."""
    refuse = len(numbers) + 2  # steps from the check of the architecture to the refusal
    steps = [
        (_LOAD, 0, 0, _ARCHITECTURE),
        (_IF_EQUAL, 0, refuse + 1, architecture),
        (_LOAD, 0, 0, _NUMBER),
        (_IF_AT_LEAST, refuse - 1, 0, _X32),
    ]
    steps += [(_IF_EQUAL, len(numbers) - index, 0, number) for index, number in enumerate(numbers)]
    steps += [(_RETURN, 0, 0, _ALLOW), (_RETURN, 0, 0, _REFUSE)]
    return b"".join(struct.pack("HBBI", *step) for step in steps)
