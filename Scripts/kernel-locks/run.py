#!/usr/bin/python3
"""How fast the kernel's lock manager is, and ours beside it: Scripts/benchmark-kernel-locks.

  run.py LAB LAB-SCRIPT    in the lab's network namespace; prints a table
"""
import pathlib
import statistics
import subprocess
import sys
import time

scripts = pathlib.Path(__file__).resolve().parent.parent
sys.path.insert(0, str(scripts / "peers"))
from lockspace import Lockspace  # noqa: E402
from nodes import Failure, KernelNode  # noqa: E402

SPACE = "speed"
KERNELS = (2, 3, 4)
ADDRESSES = {node: f"10.77.0.{node}" for node in KERNELS}
NL, PR, EX = 0, 3, 5
ROUNDS, OPERATIONS, DEPTH = 7, 500, 64
HELD = 100_000
MASK = 0xFFFFFFFF
ECHO_PORT = 7100


def jenkins_hash(name):
    """The kernel's jhash of a resource name (dlm-wire 11.1)."""

    def rotate(value, count):
        return (value << count | value >> (32 - count)) & MASK

    def word(offset):
        return int.from_bytes(name[offset : offset + 4].ljust(4, b"\0"), "little")

    a = b = c = (0xDEADBEEF + len(name)) & MASK
    offset = 0
    while len(name) - offset > 12:
        a, b, c = (a + word(offset)) & MASK, (b + word(offset + 4)) & MASK, (c + word(offset + 8)) & MASK
        a = (a - c) & MASK ^ rotate(c, 4)
        c = (c + b) & MASK
        b = (b - a) & MASK ^ rotate(a, 6)
        a = (a + c) & MASK
        c = (c - b) & MASK ^ rotate(b, 8)
        b = (b + a) & MASK
        a = (a - c) & MASK ^ rotate(c, 16)
        c = (c + b) & MASK
        b = (b - a) & MASK ^ rotate(a, 19)
        a = (a + c) & MASK
        c = (c - b) & MASK ^ rotate(b, 4)
        b = (b + a) & MASK
        offset += 12
    a, b, c = (a + word(offset)) & MASK, (b + word(offset + 4)) & MASK, (c + word(offset + 8)) & MASK
    c = ((c ^ b) - rotate(b, 14)) & MASK
    a = ((a ^ c) - rotate(c, 11)) & MASK
    b = ((b ^ a) - rotate(a, 25)) & MASK
    c = ((c ^ b) - rotate(b, 16)) & MASK
    a = ((a ^ c) - rotate(c, 4)) & MASK
    b = ((b ^ a) - rotate(a, 14)) & MASK
    return ((c ^ b) - rotate(b, 24)) & MASK


class Run:
    def __init__(self, lab, lab_script):
        self.lab, self.lab_script = pathlib.Path(lab), lab_script
        self.space = Lockspace(SPACE, ADDRESSES)
        self.kernels = {}
        self.echoes = {}

    def in_lab(self, command):
        script = f"source '{self.lab_script}' && lab_open '{self.lab}' && {command}"
        subprocess.run(["bash", "-euo", "pipefail", "-c", script], check=True)

    def boot(self, *numbers):
        for number in numbers:
            self.in_lab(f"node_power_on {number}")
        for number in numbers:
            self.in_lab(f"node_await_boot {number}")
            kernel = self.kernels[number] = KernelNode(number, ADDRESSES[number], self.lab)
            kernel.configure("speed")
            for node, address in ADDRESSES.items():
                kernel.add_address(node, address)

    def names(self, file, names):
        (self.lab / file).write_text("\n".join(names) + "\n")
        return f"/lab/{file}"

    # Programs in the nodes.

    def start(self, number, arguments):
        return self.kernels[number].spawn(f"exec /lab/bin/measure {arguments}")

    def stop(self, number, job):
        process = job.with_suffix(".pid").read_text().strip()
        self.kernels[number].shell(f"kill {process}")

    def hold(self, number, mode, names, seconds=600):
        job = self.start(number, f"{SPACE} hold {mode} {names}")
        deadline = time.monotonic() + seconds
        while not job.with_suffix(".out").exists() or "held" not in job.with_suffix(".out").read_text():
            if job.with_suffix(".rc").exists() or time.monotonic() > deadline:
                raise Failure(f"hold on node {number}: {job.with_suffix('.err').read_text()}")
            time.sleep(0.05)
        return job

    def measure(self, arguments, seconds=120):
        """Median and mean in nanoseconds, on node 2."""
        line = self.kernels[2].shell(f"/lab/bin/measure {arguments}", seconds)
        return [int(word) for word in line.split()[-2:]]

    # Two nodes.

    def pair(self):
        self.space.join_kernel(self.kernels[2])
        self.space.join_kernel(self.kernels[3])
        anchors = self.names("remote", [f"remote-{n}" for n in range(DEPTH)])
        self.hold(3, NL, anchors)
        self.start(3, f"- serve {ECHO_PORT}")
        partner = self.start(3, f"{SPACE} contend contended 0")
        results = {}
        for turn in range(ROUNDS + 1):
            new = self.names(f"new-{turn}", self.new_names(turn))
            echo = f"- echo {ADDRESSES[3]} {ECHO_PORT}"
            median, _ = self.measure(f"{echo} {OPERATIONS} 1")
            _, mean = self.measure(f"{echo} {OPERATIONS * 8} {DEPTH}")
            times = {
                "echo": (median, median),
                "lock, mastered by the peer": (self.measure(f"{SPACE} lock {anchors} {OPERATIONS} 1")[0], median),
                "unlock there": (self.measure(f"{SPACE} unlock {anchors} {OPERATIONS} 1")[0], median),
                "lock of a new name, directory at the peer": (
                    self.measure(f"{SPACE} lock {new} {OPERATIONS} 1")[0], median),
                "conversion NL to EX, mastered by the peer": (
                    self.measure(f"{SPACE} up {anchors} {OPERATIONS}")[0], median),
                "conversion EX to NL, mastered by the peer": (
                    self.measure(f"{SPACE} down {anchors} {OPERATIONS}")[0], median),
                # A turn is two hand-overs.
                "EX from one node to the other": (
                    self.measure(f"{SPACE} contend contended {OPERATIONS // 2}")[0] / 2, median),
                f"echo, {DEPTH} in flight": (mean, mean),
                f"lock or unlock, {DEPTH} in flight, mastered by the peer": (
                    self.measure(f"{SPACE} lock {anchors} {OPERATIONS * 4} {DEPTH}")[1], mean),
            }  # fmt: skip
            # The first round warms up.
            if turn > 0:
                for name, (took, reference) in times.items():
                    results.setdefault(name, []).append((took, took / reference))
        self.stop(3, partner)
        for name, pairs in results.items():
            took = statistics.median(pair[0] for pair in pairs) / 1000
            self.tell(name, f"{took:.1f} µs", f"{statistics.median(pair[1] for pair in pairs):.2f}")

    def ours(self):
        """The same two nodes, with this package's lock manager in place of the kernels'."""
        here, there = ADDRESSES[2], ADDRESSES[3]
        program = "/lab/bin/lock-benchmark"
        self.kernels[3].spawn(f"sleep infinity | exec {program} partner --address {there} --peer {here}")
        options = f"--partner {there} --address {here} --rounds {ROUNDS} --operations {OPERATIONS}"
        print("this package's lock manager, the same two nodes")
        print(self.kernels[2].shell(f"{program} pair {options}", 600), flush=True)

    @staticmethod
    def new_names(turn):
        """Unused, and with their directory entries at node 3: the second of two."""
        names, number = [], 0
        while len(names) < OPERATIONS:
            name = f"new-{turn}-{number}"
            if (jenkins_hash(name.encode()) >> 16) % 2 == 1:
                names.append(name)
            number += 1
        return names

    # Three nodes, of which one dies.

    def slab_kilobytes(self, number):
        text = self.kernels[number].shell("cat /proc/meminfo")
        return next(int(line.split()[1]) for line in text.splitlines() if line.startswith("Slab:"))

    def memory_and_recoveries(self):
        self.space.join_kernel(self.kernels[4])
        before = self.slab_kilobytes(2)
        holder = self.hold(2, EX, self.names("held", [f"held-{n}" for n in range(HELD)]))
        used = (self.slab_kilobytes(2) - before) / HELD
        self.tell("memory of a held lock at its master, value block included", f"{used:.2f} kB", "")
        self.tell(f"recovery, {HELD} locks, none mastered by the dead node", f"{self.recover():.2f} s", "")
        self.stop(2, holder)
        self.recover_moved("one node's", HELD, 2)
        self.recover_moved("two nodes' on the same names", HELD // 2, 2, 3)

    def recover_moved(self, whose, count, *holders):
        """Locks of the holders on names that node 4 masters, which dies."""
        self.boot(4)
        self.space.join_kernel(self.kernels[4])
        names = self.names(f"moved-{len(holders)}", [f"moved-{len(holders)}-{n}" for n in range(count)])
        jobs = [(4, self.hold(4, NL, names))] + [(node, self.hold(node, PR, names)) for node in holders]
        took = self.recover()
        self.tell(f"recovery, {HELD} locks, {whose}, all mastered by the dead node", f"{took:.2f} s", "")
        for node, job in jobs[1:]:
            self.stop(node, job)

    def recover(self):
        """Node 4 dies. Seconds from the start of the others until both run again."""
        dead = self.kernels.pop(4)
        self.in_lab("node_kill 4")
        del self.space.members[4]
        self.space.stop()
        for kernel in self.space.kernels():
            kernel.remove_address(dead.number)
        self.space.forget_member(dead.number)
        started = time.monotonic()
        self.space.start()
        self.await_recovery(600)
        took = time.monotonic() - started
        for kernel in self.space.kernels():
            kernel.add_address(dead.number, ADDRESSES[dead.number])
        return took

    def await_recovery(self, seconds):
        deadline = time.monotonic() + seconds
        for node in self.space.kernels():
            while not int(node.request("read", self.space.control("recover_status"))[0], 16) & 0x40:
                if time.monotonic() > deadline:
                    raise Failure(f"{node} does not recover")
                time.sleep(0.02)

    @staticmethod
    def tell(name, took, ratio):
        print(f"{name:<62} {took:>12} {ratio:>8}", flush=True)

    def all(self):
        self.boot(*KERNELS)
        self.tell("kernel's lock manager, two nodes", "each", "x echo")
        self.pair()
        self.ours()
        self.memory_and_recoveries()


if __name__ == "__main__":
    Run(*sys.argv[1:]).all()
