"""A Python for programs that start `geochange` often: its commands fork from one that has read it.

    python forking_python.py serve SOCKET           the server, which prints a line once it is ready
    python forking_python.py SOCKET -m geochange …  a command, as `python -m geochange …`

The command's process has the streams, folder and variables of its caller, and its own group. What
ends the caller ends the command: a signal to end is passed on, and SIGKILL is followed by another.
"""

from __future__ import annotations

import array
import contextlib
import json
import os
import select
import signal
import socket
import sys

STREAMS = 3
ENDING = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)


def ask(place: str, words: list[str]) -> int:
    """Have the server run a command. Returns its exit code, negative if a signal ended it."""
    with socket.socket(socket.AF_UNIX) as server:
        server.connect(place)
        for number in ENDING:
            signal.signal(number, lambda number, _: server.send(bytes([number])))
        told = json.dumps([words, os.getcwd(), dict(os.environ)]).encode()
        fds = array.array("i", range(STREAMS))
        server.sendmsg(
            [len(told).to_bytes(4, "big")], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, fds)]
        )
        server.sendall(told)
        code = server.recv(8)
        return int(code) if code else 1


def serve(place: str) -> None:
    """Fork a process for each command, until this one is ended. Returns in that process only."""
    from forked import PRELOADED

    for name in PRELOADED:
        with contextlib.suppress(ImportError):
            __import__(name)
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # the processes that attend to commands
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(place)
        listener.listen()
        print("ready", flush=True)
        while True:
            caller, _ = listener.accept()
            if os.fork() == 0:
                listener.close()
                signal.signal(signal.SIGCHLD, signal.SIG_DFL)
                if _attend(caller):
                    return
            caller.close()


def _attend(caller: socket.socket) -> bool:
    """Start the command of a caller and pass signals and its code on. True: this is the command."""
    head, passed, _, _ = caller.recvmsg(4, socket.CMSG_SPACE(STREAMS * 4))
    fds = array.array("i", passed[0][2])
    words, folder, variables = json.loads(_all_of(caller, int.from_bytes(head, "big")))
    command = os.fork()
    if command == 0:
        caller.close()
        os.setsid()
        for stream, fd in enumerate(fds):
            os.dup2(fd, stream)
            os.close(fd)
        # Those of the server may be files, in which one can go back.
        sys.stdout, sys.stderr = (os.fdopen(n, "w", 1, closefd=False) for n in (1, 2))
        os.chdir(folder)
        os.environ.clear()
        os.environ.update(variables)
        sys.argv = ["geochange", *words]
        return True
    for fd in fds:
        os.close(fd)
    ended = os.pidfd_open(command)
    while True:
        ready, _, _ = select.select([caller, ended], [], [])
        if ended in ready:
            code = os.waitstatus_to_exitcode(os.waitpid(command, 0)[1])
            with contextlib.suppress(OSError):
                caller.sendall(str(code).encode())
            os._exit(0)
        number = caller.recv(1)
        os.killpg(command, number[0] if number else signal.SIGKILL)


def _all_of(caller: socket.socket, length: int) -> bytes:
    told = b""
    while len(told) < length:
        told += caller.recv(length - len(told))
    return told


def main() -> None:
    """Run the server or a command; anything but `-m geochange` is run by a Python of its own."""
    first, *rest = sys.argv[1:]
    if first == "serve":
        sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
        serve(rest[0])
        from geochange.cli.main import main as run

        run()
    elif rest[:2] != ["-m", "geochange"]:
        os.execv(sys.executable, [sys.executable, *rest])
    else:
        code = ask(first, rest[2:])
        if code < 0:
            signal.signal(-code, signal.SIG_DFL)
            os.kill(os.getpid(), -code)
        sys.exit(code)


if __name__ == "__main__":
    main()
