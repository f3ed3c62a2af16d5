"""The little of eBPF that pods' networking takes: two programs, one map, three system calls.

A pod has an address but no network of its own. One program gives the connections that a control
group's processes make the pod's address as their source (bpf_bind, as a CNI plugin would give the
pod an interface). The other drops packets that no NetworkPolicy allows, in both directions and of
connections that stand already, so that a cut is silence and not a refusal. Needs root (CAP_BPF,
CAP_NET_ADMIN) and control groups version 2, mounted anywhere.

Sources: bpf(2), linux/bpf.h; programs of type CGROUP_SOCK_ADDR and CGROUP_SKB.
"""

import ctypes
import os
import platform
import socket
import struct
from collections.abc import Mapping
from pathlib import Path

Flow = tuple[str, str, int]  # client ("" in no place), server ("" for any), server's port (0: any)

_SYSCALL = {"x86_64": 321, "aarch64": 280}
_MAP_CREATE, _MAP_UPDATE, _MAP_DELETE, _PROG_LOAD, _PROG_ATTACH = 0, 2, 3, 5, 8
_HASH, _NO_PREALLOC, _ENTRIES = 1, 1, 1 << 17
_CGROUP_SKB, _CGROUP_SOCK_ADDR = 8, 18
_INGRESS, _EGRESS, _CONNECT4 = 0, 1, 10
_ALLOW_MULTI = 2
_LOOKUP, _SKB_LOAD_BYTES, _BIND = 1, 26, 64  # helper functions
ALLOWED, RESTRICTED = 1, 2

_libc = ctypes.CDLL(None, use_errno=True)


def _bpf(command: int, attributes: bytes) -> int:
    """Raises OSError."""
    number = _SYSCALL.get(platform.machine())
    if number is None:
        raise OSError(f"eBPF is not used on {platform.machine()}")
    buffer = ctypes.create_string_buffer(attributes, 128)
    result: int = _libc.syscall(number, command, buffer, 128)
    if result < 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
    return result


def _address(of: "ctypes.Array[ctypes.c_char]") -> int:
    return ctypes.addressof(of)


# --- an assembler -------------------------------------------------------------------------------
# Instructions are (code, destination, source, offset, immediate); a jump's offset may be a label.

_Instruction = tuple[int, int, int, int | str, int]
R0, R1, R2, R3, R4, R6, R7, R8, R9, FP = 0, 1, 2, 3, 4, 6, 7, 8, 9, 10
_SIZES = {1: 0x10, 2: 0x08, 4: 0x00, 8: 0x18}


def _mov(to: int, source: int) -> _Instruction:
    return (0xBF, to, source, 0, 0)


def _set(to: int, value: int) -> _Instruction:
    return (0xB7, to, 0, 0, value)


def _add(to: int, value: int) -> _Instruction:
    return (0x07, to, 0, 0, value)


def _and(to: int, value: int) -> _Instruction:
    return (0x57, to, 0, 0, value)


def _load(to: int, base: int, offset: int, size: int) -> _Instruction:
    return (0x61 | _SIZES[size], to, base, offset, 0)


def _store(base: int, offset: int, source: int) -> _Instruction:
    return (0x63, base, source, offset, 0)


def _store_value(base: int, offset: int, value: int) -> _Instruction:
    return (0x62, base, 0, offset, value)


def _to_host16(of: int) -> _Instruction:
    return (0xDC, of, 0, 0, 16)


def _jump(label: str) -> _Instruction:
    return (0x05, 0, 0, label, 0)


def _if_equal(of: int, value: int, label: str) -> _Instruction:
    return (0x15, of, 0, label, value)


def _if_not(of: int, value: int, label: str) -> _Instruction:
    return (0x55, of, 0, label, value)


def _if_greater(of: int, than: int, label: str) -> _Instruction:
    return (0x2D, of, than, label, 0)


def _call(helper: int) -> _Instruction:
    return (0x85, 0, 0, 0, helper)


_EXIT: _Instruction = (0x95, 0, 0, 0, 0)


def _map_into(to: int, descriptor: int) -> list[_Instruction]:
    return [(0x18, to, 1, 0, descriptor), (0, 0, 0, 0, 0)]


def assemble(program: list[_Instruction | str]) -> bytes:
    """Machine code; a string in the list is a label that stands before the next instruction."""
    places: dict[str, int] = {}
    code: list[_Instruction] = []
    for line in program:
        if isinstance(line, str):
            places[line] = len(code)
        else:
            code.append(line)
    packed = b""
    for number, (operation, to, source, offset, value) in enumerate(code):
        away = places[offset] - number - 1 if isinstance(offset, str) else offset
        packed += struct.pack("<BBhI", operation, to | source << 4, away, value & 0xFFFFFFFF)
    return packed


def _program(kind: int, attach: int, code: bytes) -> int:
    """A loaded program's descriptor. Raises OSError."""
    instructions, licence = ctypes.create_string_buffer(code), ctypes.create_string_buffer(b"GPL")
    head = struct.pack(
        "<IIQQIIQII", kind, len(code) // 8, _address(instructions), _address(licence), 0, 0, 0, 0, 0
    )
    return _bpf(_PROG_LOAD, head + b"gameday".ljust(16, b"\0") + struct.pack("<II", 0, attach))


def _attach(directory: Path, program: int, where: int) -> None:
    group = os.open(directory, os.O_RDONLY)
    try:
        _bpf(_PROG_ATTACH, struct.pack("<IIII", group, program, where, _ALLOW_MULTI))
    finally:
        os.close(group)


# --- the two programs ---------------------------------------------------------------------------


def _number(address: str) -> int:
    """An address as a word of memory holds it."""
    return int.from_bytes(socket.inet_aton(address), "little")


def give_source(directory: Path, address: str) -> None:
    """Connections from the control group to 127.B.x.y come from `address`, 127.B.u.v.

    Programs that bind their sockets themselves keep what they chose. Raises OSError.
    """
    network = _number(address) & 0xFFFF
    code = assemble(
        [
            _mov(R6, R1),
            _load(R2, R1, 4, 4),  # bpf_sock_addr.user_ip4
            _and(R2, 0xFFFF),
            _if_not(R2, network, "pass"),
            _store_value(FP, -16, socket.AF_INET),  # a sockaddr_in: family, port 0
            _store_value(FP, -12, _number(address)),
            _store_value(FP, -8, 0),
            _store_value(FP, -4, 0),
            _mov(R1, R6),
            _mov(R2, FP),
            _add(R2, -16),
            _set(R3, 16),
            _call(_BIND),
            "pass",
            _set(R0, 1),
            _EXIT,
        ]
    )
    program = _program(_CGROUP_SOCK_ADDR, _CONNECT4, code)
    try:
        _attach(directory, program, _CONNECT4)
    finally:
        os.close(program)  # the group holds it


def _filter(rules: int) -> bytes:
    """Look the packet's flow up in the map of rules.

    The end with the lower port is the server: servers listen below the ephemeral ports.
    """
    packet, key = -24, -40

    def look_up(label: str) -> list[_Instruction | str]:
        """R0: the rule for the key on the stack; goes to `label` where there is none."""
        return [
            *_map_into(R1, rules),
            _mov(R2, FP),
            _add(R2, key),
            _call(_LOOKUP),
            _if_equal(R0, 0, label),
            _load(R0, R0, 0, 4),
        ]

    return assemble(
        [
            _set(R2, 0),
            _mov(R3, FP),
            _add(R3, packet),
            _set(R4, 24),  # an IPv4 header without options, and two ports
            _call(_SKB_LOAD_BYTES),
            _if_not(R0, 0, "pass"),
            _load(R1, FP, packet, 1),
            _if_not(R1, 0x45, "pass"),
            _load(R1, FP, packet + 9, 1),
            _if_equal(R1, socket.IPPROTO_TCP, "ports"),
            _if_not(R1, socket.IPPROTO_UDP, "pass"),
            "ports",
            _load(R6, FP, packet + 12, 4),  # client
            _load(R7, FP, packet + 16, 4),  # server
            _load(R8, FP, packet + 20, 2),
            _load(R9, FP, packet + 22, 2),  # server's port
            _to_host16(R8),
            _to_host16(R9),
            _if_greater(R8, R9, "ordered"),
            _mov(R1, R6),  # an answer: from the server to the client
            _mov(R6, R7),
            _mov(R7, R1),
            _mov(R9, R8),
            "ordered",
            _store(FP, key, R6),
            _store(FP, key + 4, R7),
            _store_value(FP, key + 8, 0),
            *look_up("any server"),
            _if_equal(R0, ALLOWED, "pass"),
            _store(FP, key + 8, R9),
            *look_up("drop"),
            _jump("pass"),
            "any server",
            _store_value(FP, key + 4, 0),
            *look_up("pass"),
            _if_equal(R0, ALLOWED, "pass"),
            _store(FP, key + 8, R9),
            *look_up("this port"),
            _jump("pass"),
            "this port",
            _store(FP, key + 4, R7),
            *look_up("drop"),
            "pass",
            _set(R0, 1),
            _EXIT,
            "drop",
            _set(R0, 0),
            _EXIT,
        ]
    )


class PacketFilter:
    """Drops what the rules do not allow, of the processes in a control group and those below it."""

    def __init__(self, directory: Path) -> None:
        """Raises OSError where this is not allowed."""
        create = struct.pack("<IIIII", _HASH, 12, 4, _ENTRIES, _NO_PREALLOC)
        self._map = _bpf(_MAP_CREATE, create)
        self._rules: dict[Flow, int] = {}
        code = _filter(self._map)
        for way in (_INGRESS, _EGRESS):
            program = _program(_CGROUP_SKB, way, code)
            try:
                _attach(directory, program, way)
            finally:
                os.close(program)

    def apply(self, rules: Mapping[Flow, int]) -> None:
        """ALLOWED or RESTRICTED by flow; nothing is refused on the way to a laxer set."""
        changed = {f: v for f, v in rules.items() if self._rules.get(f) != v}
        gone = [f for f in self._rules if f not in rules]
        for flow in [f for f in gone if self._rules[f] == RESTRICTED]:
            self._delete(flow)
        for flow, value in sorted(changed.items(), key=lambda item: item[1]):  # what allows, first
            self._update(flow, value)
        for flow in [f for f in gone if self._rules[f] == ALLOWED]:
            self._delete(flow)
        self._rules = dict(rules)

    def _update(self, flow: Flow, value: int) -> None:
        key, held = _key(flow), ctypes.create_string_buffer(struct.pack("<I", value), 4)
        _bpf(_MAP_UPDATE, struct.pack("<IIQQQ", self._map, 0, _address(key), _address(held), 0))

    def _delete(self, flow: Flow) -> None:
        key = _key(flow)
        _bpf(_MAP_DELETE, struct.pack("<IIQ", self._map, 0, _address(key)))


def _key(flow: Flow) -> "ctypes.Array[ctypes.c_char]":
    client, server, port = flow
    packed = struct.pack("<III", _number(client), _number(server or "0.0.0.0"), port)  # noqa: S104
    return ctypes.create_string_buffer(packed, 12)
