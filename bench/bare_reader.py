"""The limit: reads PDUs in plain Python, a thread per association, answers C-STORE, keeps nothing. PORT FOLDER"""

from __future__ import annotations

import socket
import struct
import sys
import threading

IMPLICIT = b"1.2.840.10008.1.2"
MAX_PDU = 262144
NO_DATA_SET = b"\x00\x08\x02\x00\x00\x00\x01\x01"


def _exactly(sock: socket.socket, view: memoryview) -> bool:
    while view:
        count = sock.recv_into(view)
        if not count:
            return False
        view = view[count:]
    return True


def _accept(body: bytes) -> bytes:
    """An A-ASSOCIATE-AC that accepts every context with its first transfer syntax."""
    items = bytearray(struct.pack(">BBH", 0x10, 0, 21) + b"1.2.840.10008.3.1.1.1")
    position = 68
    while position + 4 <= len(body):
        kind, length = body[position], struct.unpack_from(">H", body, position + 2)[0]
        if kind == 0x20:
            context, inner = body[position + 4], position + 8
            while body[inner] != 0x40:
                inner += 4 + struct.unpack_from(">H", body, inner + 2)[0]
            size = struct.unpack_from(">H", body, inner + 2)[0]
            syntax = body[inner : inner + 4 + size]
            items += struct.pack(">BBHBBBB", 0x21, 0, 4 + len(syntax), context, 0, 0, 0) + syntax
        position += 4 + length
    user = struct.pack(">BBHI", 0x51, 0, 4, MAX_PDU) + struct.pack(">BBH", 0x52, 0, 5) + b"1.2.3"
    items += struct.pack(">BBH", 0x50, 0, len(user)) + user
    fixed = body[:68]
    return struct.pack(">BBI", 2, 0, len(fixed) + len(items)) + fixed + bytes(items)


def _element(element: int, value: bytes) -> bytes:
    return struct.pack("<HHI", 0, element, len(value)) + value


def _answer(command: bytes, context: int) -> bytes:
    found, position = {}, 0
    while position < len(command):
        _, element, length = struct.unpack_from("<HHI", command, position)
        found[element] = command[position + 8 : position + 8 + length]
        position += 8 + length
    if struct.unpack("<H", found[0x0100])[0] not in (0x0001, 0x0030):
        return b""
    field = struct.pack("<H", struct.unpack("<H", found[0x0100])[0] | 0x8000)
    rest = _element(0x0002, found[0x0002]) + _element(0x0100, field) + _element(0x0120, found[0x0110])
    rest += _element(0x0800, b"\x01\x01") + _element(0x0900, b"\0\0") + _element(0x1000, found.get(0x1000, b""))
    data = _element(0, struct.pack("<I", len(rest))) + rest
    return struct.pack(">BBIIBB", 4, 0, len(data) + 6, len(data) + 2, context, 3) + data


def _serve(sock: socket.socket) -> None:
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    head, buffer = bytearray(6), bytearray(MAX_PDU)
    command, answer = bytearray(), b""
    while _exactly(sock, memoryview(head)):
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_QUICKACK, 1)
        kind, _, length = struct.unpack(">BBI", head)
        view = memoryview(buffer)[:length]
        if not _exactly(sock, view):
            break
        if kind == 1:
            sock.sendall(_accept(bytes(view)))
        elif kind == 5:
            sock.sendall(b"\x06\x00\x00\x00\x00\x04\x00\x00\x00\x00")
            break
        elif kind == 4:
            position = 0
            while position < length:
                size, context, flags = struct.unpack_from(">IBB", view, position)
                if flags & 1:
                    command += view[position + 6 : position + 4 + size]
                    if flags & 2:
                        answer, has_data = _answer(bytes(command), context), NO_DATA_SET not in command
                        command.clear()
                        if not has_data:
                            sock.sendall(answer)
                elif flags & 2:
                    sock.sendall(answer)
                position += 4 + size
        else:
            break
    sock.close()


def main() -> None:
    with socket.create_server(("127.0.0.1", int(sys.argv[1]))) as listener:
        while True:
            sock, _ = listener.accept()
            threading.Thread(target=_serve, args=(sock,), daemon=True).start()


if __name__ == "__main__":
    main()
