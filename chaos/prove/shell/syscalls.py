"""System calls that a step never makes, kept from it by a seccomp filter.

The standard library alone.
Landlock fences files, programs and TCP ports. It does not fence UDP, raw and Unix sockets, programs
that exist only in memory, and other processes of the same user: those calls fail here. The rest are
calls with which a kernel is usually attacked.

Source: kernel.org/doc/html/latest/userspace-api/seccomp_filter.html
"""

import ctypes
import platform
import struct

PR_SET_SECCOMP, FILTER = 22, 2
ALLOW, FAIL = 0x7FFF0000, 0x00050000
EPERM, ENOSYS = 1, 38
LOAD, EQUAL, AT_LEAST, ANY_BIT, AND, RETURN = 0x20, 0x15, 0x35, 0x45, 0x54, 0x06
NUMBER, ARCHITECTURE, FIRST, SECOND, THIRD = 0, 4, 16, 24, 32  # offsets in struct seccomp_data
INET, INET6, STREAM, KIND, TCP = 2, 10, 1, 0xF, 6
NAMESPACES = 0x7E020000 | 0x80  # the CLONE_NEW… flags

NAMES = (  # noqa: SIM905
    "ptrace process_vm_readv process_vm_writev pidfd_getfd kcmp memfd_create memfd_secret bpf"
    " mount umount2 pivot_root chroot move_mount open_tree fsopen mount_setattr unshare setns"
    " open_by_handle_at mknodat keyctl add_key request_key perf_event_open userfaultfd"
    " io_uring_setup init_module finit_module delete_module kexec_load kexec_file_load reboot"
    " swapon swapoff acct quotactl settimeofday clock_settime sethostname personality"
).split()
_X86_64 = (
    "101 310 311 438 312 319 447 321 165 166 155 161 429 428 430 442 272 308"
    " 304 259 250 248 249 298 323 425 175 313 176 246 320 169 167 168 163 179 164 227 170 135"
)
_AARCH64 = (
    "117 270 271 438 272 279 447 280 40 39 41 51 429 428 430 442 97 268"
    " 265 33 219 217 218 241 282 425 105 273 106 104 294 142 224 225 89 60 170 112 161 92"
)
# By machine: its number for the kernel, then `clone`, `clone3`, `socket`, and those of NAMES.
MACHINES = {
    "x86_64": (0xC000003E, 56, 435, 41, [int(n) for n in _X86_64.split()]),
    "aarch64": (0xC00000B7, 220, 435, 198, [int(n) for n in _AARCH64.split()]),
}
X32 = 0x40000000  # the same calls under other numbers


class _Program(ctypes.Structure):
    _fields_ = (("length", ctypes.c_ushort), ("instructions", ctypes.c_char_p))


def is_known() -> bool:
    """Is there a filter for this machine?"""
    return platform.machine() in MACHINES


def program(machine: str) -> bytes:
    """The filter in classic BPF. Jumps are forward, counted in instructions."""
    number, clone, clone3, socket, refused = MACHINES[machine]
    lines: list[tuple[int, int, int, int]] = [
        (LOAD, 0, 0, ARCHITECTURE),
        (EQUAL, 1, 0, number),
        (RETURN, 0, 0, FAIL | EPERM),
        (LOAD, 0, 0, NUMBER),
        (AT_LEAST, 0, 1, X32),
        (RETURN, 0, 0, FAIL | EPERM),
        (EQUAL, 0, 1, clone3),
        (RETURN, 0, 0, FAIL | ENOSYS),  # its flags are out of sight: libraries then use clone
    ]
    for call in refused:
        lines += [(EQUAL, 0, 1, call), (RETURN, 0, 0, FAIL | EPERM)]
    lines += [
        (EQUAL, 0, 4, clone),
        (LOAD, 0, 0, FIRST),
        (ANY_BIT, 0, 1, NAMESPACES),
        (RETURN, 0, 0, FAIL | EPERM),
        (RETURN, 0, 0, ALLOW),
        (EQUAL, 1, 0, socket),
        (RETURN, 0, 0, ALLOW),
        (LOAD, 0, 0, FIRST),
        (EQUAL, 2, 0, INET),
        (EQUAL, 1, 0, INET6),
        (RETURN, 0, 0, FAIL | EPERM),
        (LOAD, 0, 0, SECOND),
        (AND, 0, 0, KIND),
        (EQUAL, 1, 0, STREAM),
        (RETURN, 0, 0, FAIL | EPERM),
        (LOAD, 0, 0, THIRD),
        (EQUAL, 2, 0, 0),
        (EQUAL, 1, 0, TCP),
        (RETURN, 0, 0, FAIL | EPERM),
        (RETURN, 0, 0, ALLOW),
    ]
    return b"".join(struct.pack("HBBI", *line) for line in lines)


def refuse() -> None:
    """From here on, for this process and all that it starts. Needs no_new_privs. Raises OSError."""
    code = program(platform.machine())
    libc = ctypes.CDLL(None, use_errno=True)
    filter_ = _Program(len(code) // 8, code)
    if libc.prctl(PR_SET_SECCOMP, FILTER, ctypes.byref(filter_), 0, 0):
        raise OSError(ctypes.get_errno(), "the kernel takes no seccomp filter")
