"""Many requests of LVM 2.02's kind, good and bad, and what is left of them; see Scripts/soak-clvmd."""
import os
import random
import resource
import socket
import subprocess
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "single"))
from machine import expect
import soak
from clvmd_client import (ACTIVATE, COMMIT, DEACTIVATE, DROP, LOCAL, READ, SOCKET, TEST, UNLOCK, WRITE,
                          Client, encode)

GROUPS = 10
FLOOD = 2000


class Daemon(soak.Daemon):
    """`clvmd -I singlenode`, in whose /run nobody else is."""

    def __init__(self, folder):
        self.folder = folder
        log = open(f"{folder}/daemon.log", "w")
        self.process = subprocess.Popen([f"{folder}/clvmd", "-f", "-Isinglenode"], stdout=log, stderr=log)
        for _ in range(300):
            if os.path.exists(SOCKET):
                break
            time.sleep(0.1)
        # Without quorum, right after its start, it grants nothing.
        client = self.client()
        for _ in range(100):
            if client.group(WRITE, "V_vg0").is_good:
                break
            time.sleep(0.1)
        client.close()
        self.expect_free()

    def client(self):
        return Client(timeout=30)

    def expect_free(self):
        """Every group's lock can be had: nobody has left one behind."""
        client = self.client()
        for number in range(GROUPS):
            expect(client.group(WRITE, f"V_vg{number}").is_good, f"the lock of vg{number} is not free")
        client.close()


def good_client(daemon, chance):
    """A few requests of one connection, which may end with what it holds. Returns their number."""
    client, group = daemon.client(), f"vg{chance.randrange(GROUPS)}"
    volume = "".join(chance.choice("abcdef0123456789") for _ in range(64))
    # Each of these looks at all disks.
    volumes = (
        lambda: [client.group(WRITE, f"V_{group}"), client.volume(ACTIVATE, volume),
                 client.query(volume), client.volume(DEACTIVATE, volume)])
    usual = chance.choice((
        lambda: [client.group(READ, f"V_{group}"), client.group(UNLOCK, f"V_{group}")],
        lambda: [client.group(WRITE, f"V_{group}"), client.group(COMMIT, f"P_{group}"),
                 client.group(DROP, f"P_{group}"), client.group(UNLOCK, f"V_{group}")],
        lambda: [client.group(WRITE, f"V_{group}")],
        lambda: [client.sync(LOCAL), client.ask(TEST, 0, b"soak\0")],
        lambda: [client.ask(TEST, 0, b"", node="nobody")],
    ))
    requests = (volumes if chance.randrange(50) == 0 else usual)()
    client.close()
    return len(requests)


def bad_client(daemon, chance):
    """One connection that sends what is no request, a part of one, or one in pieces."""
    client = daemon.client()
    whole = encode(TEST, 0, b"soak\0")
    kind = chance.randrange(5)
    try:
        if kind == 0:
            client.send(whole[:chance.randrange(1, len(whole))])
        elif kind == 1:
            client.send(bytes(chance.randrange(256) for _ in range(chance.randrange(1, 200))))
        elif kind == 2:
            client.send(whole[:12] + b"\xff\xff\xff\x7f" + whole[16:])
        elif kind == 3:
            client.send(encode(99))
            expect(not client.receive(), "an unknown command was answered")
        else:
            for byte in whole:
                client.send(bytes([byte]))
            expect(client.receive(), "a request in pieces was not answered")
    except (BrokenPipeError, ConnectionResetError):
        pass  # The daemon may end such a connection.
    client.close()
    return 1


def many(daemon, count):
    chance = random.Random(1)

    def run(until, done):
        while done < until:
            done += (bad_client if chance.randrange(5) == 0 else good_client)(daemon, chance)
        return done

    done = run(count // 10, 0)
    daemon.settle()
    descriptors, memory = daemon.descriptors(), daemon.memory_kib()
    started = time.monotonic()
    done = run(count, done)
    seconds = time.monotonic() - started
    daemon.settle()
    expect(daemon.descriptors() <= descriptors,
           f"{daemon.descriptors() - descriptors} descriptors are left")
    daemon.expect_free()
    growth = daemon.memory_kib() - memory
    expect(growth < soak.GROWTH_MAX_KIB, f"{growth} KiB of memory are left")
    return f"{done} requests, {count * 0.9 / seconds:.0f} a second, memory {growth:+d} KiB"


def crowd(daemon, _):
    resource.setrlimit(resource.RLIMIT_NOFILE, (4096, 4096))
    daemon.settle()
    before = daemon.descriptors()
    clients = [daemon.client() for _ in range(soak.CLIENTS_AT_ONCE)]
    for client in clients:
        client.send(encode(51, LOCAL, bytes([WRITE, 0]) + b"V_vg1\0"))
    soak.serve_in_turn(clients, lambda client: client.receive())
    daemon.settle()
    expect(daemon.descriptors() <= before, f"{daemon.descriptors() - before} descriptors are left")
    return f"{soak.CLIENTS_AT_ONCE} clients at once in the queue of one lock"


def deaf(daemon, _):
    """A client that asks and never reads keeps nobody waiting."""
    client, other = daemon.client(), daemon.client()
    client.socket.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 1 << 20)
    client.socket.setblocking(False)
    sent = 0
    try:
        for _ in range(FLOOD):
            client.socket.send(encode(TEST, 0, b"x" * 200 + b"\0"))
            sent += 1
    except (BlockingIOError, BrokenPipeError, ConnectionResetError):
        pass
    started = time.monotonic()
    expect(other.sync(LOCAL).is_good, "another client was not served")
    milliseconds = (time.monotonic() - started) * 1000
    client.close()
    other.close()
    return f"{sent} requests unread; another client was answered in {milliseconds:.1f} ms"


def main():
    folder, count = sys.argv[1], int(sys.argv[2])
    soak.run(Daemon(folder), folder, count,
             (("Many requests on clvmd's socket", many), ("Many clients on clvmd's socket", crowd),
              ("A client that never reads", deaf)))


if __name__ == "__main__":
    main()
