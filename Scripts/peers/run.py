#!/usr/bin/python3
"""Two Linux kernels and a dlm-peer: the steps of Scripts/kernel-peers, which prepares the lab.

  run.py LAB PEER-PROGRAM LAB-SCRIPT [PART]   in the lab's network namespace, which has the peer's
                                              addresses; PART is locks or files
"""
import pathlib
import re
import subprocess
import sys
import time
import traceback

import locks
from filesystem import SharedFileSystem, hold_what_the_directory_knows, mastered
from lockspace import Lockspace
from nodes import WOULD_BLOCK, Failure, KernelNode, SwiftNode
from recovery import InFlight, Spread, Witnesses

CLUSTER = "peers"
LOW, HIGH = 1, 4
KERNELS = (2, 3)
ADDRESSES = {node: f"10.77.0.{node}" for node in (LOW, *KERNELS, HIGH)}
RESOURCES = 10_000
KERNEL_ALARM = re.compile(r"beyond end of device|OCFS2: ERROR|WARNING: CPU|BUG:|Oops|I/O error|Call Trace")


class Run:
    def __init__(self, lab, program, lab_script):
        self.lab, self.program, self.lab_script = pathlib.Path(lab), program, lab_script
        self.kernels = {}

    # The lab.

    def in_lab(self, command):
        script = f"source '{self.lab_script}' && lab_open '{self.lab}' && {command}"
        subprocess.run(["bash", "-euo", "pipefail", "-c", script], check=True)

    def boot(self, *numbers):
        for number in numbers:
            self.in_lab(f"node_power_on {number}")
        for number in numbers:
            self.in_lab(f"node_await_boot {number}")
            kernel = self.kernels[number] = KernelNode(number, ADDRESSES[number], self.lab)
            kernel.configure(CLUSTER)
            for node, address in ADDRESSES.items():
                kernel.add_address(node, address)

    def cut_power(self, kernel):
        self.in_lab(f"node_kill {kernel.number}")
        del self.kernels[kernel.number]

    @staticmethod
    def set_link(kernel, state):
        subprocess.run(["ip", "link", "set", f"tap{kernel.number}", state], check=True)

    def peer_log(self, number):
        return self.lab / f"peer-{number}.log"

    def make_peer(self, number, *options):
        return SwiftNode(
            self.program, number, ADDRESSES[number], ADDRESSES, self.space.name,
            self.peer_log(number), options,
        )  # fmt: skip

    # Steps: each returns what the summary says about it.

    def boot_kernels(self):
        self.boot(*KERNELS)
        return "plain configfs, no control daemon"

    def kernels_join_swift_locks(self):
        """The lockspace is full of a dlm-peer's locks when the kernels come."""
        self.space = Lockspace("peers", ADDRESSES)
        self.peer = self.make_peer(HIGH)
        self.space.members[HIGH] = self.peer
        self.space.start()
        self.space.await_recovery()
        held = [self.peer.lock(f"early-{number}", "EX") for number in range(300)]
        values = [self.peer.lock(f"early-value-{n}", "PW", "VALBLK") for n in range(20)]
        for lock in held + values:
            lock.granted()
        for lock in values:
            lock.convert("NL", "VALBLK", lvb="77" * 32).granted()
        for kernel in self.kernels.values():
            self.space.join_kernel(kernel)
        self.expect_held(held, self.kernels[2])
        for read in [self.kernels[3].lock(lock.name, "PR", "VALBLK") for lock in values]:
            locks.expect_value(read.granted(), "77" * 32, "read by a kernel that joined later")
        self.peer.unlock_many(held)
        return "300 locks are respected, 20 value blocks read"

    def expect_held(self, held, by):
        for refused in [by.lock(lock.name, "PR", "NOQUEUE") for lock in held]:
            refused.expect(WOULD_BLOCK)

    def between_all(self, check):
        """`check` with kernel and peer in both roles, and each of the three as master."""
        first, second = self.kernels[2], self.kernels[3]
        count = 0
        for one, other in ((first, self.peer), (self.peer, first)):
            for master in (first, second, self.peer):
                label = f"{self.peer.number}{self.round}-{check.__name__}-{one.number}-{master.number}"
                count += check(label, one, other, master) or 1
        return count

    def mode_pairs(self):
        return f"{self.between_all(locks.mode_pairs)} pairs, granted or told and then granted"

    def conversions(self):
        return f"{self.between_all(locks.conversions)} conversions"

    def value_blocks(self):
        self.between_all(locks.value_blocks)
        return "by conversion and unlock, invalid and valid again"

    def refusals(self):
        self.between_all(locks.refusals)
        self.between_all(locks.deadlocks)
        self.between_all(locks.order_and_alternatives)
        return "NOQUEUE, cancel, forced unlock, deadlocks, queue order, alternative modes"

    def spread_resources(self):
        self.spread = Spread(self.space, RESOURCES)
        self.spread.fill()
        masters, directories = self.spread.by_master(self.peer), self.spread.by_directory(self.peer)
        if min(masters.values()) < RESOURCES // 5 or min(directories.values()) < RESOURCES // 5:
            raise Failure(f"masters {masters}, directories {directories}")
        self.spread.expect_holders(self.peer)
        return f"masters {masters}, directories {directories}"

    def kernel_dies(self):
        victim, survivor = self.kernels[3], self.kernels[2]
        label = f"{self.peer.number}-k3"
        witnesses = Witnesses(label, victim, [self.peer, survivor])
        calls = InFlight(label, victim, self.peer, survivor)
        self.set_link(victim, "down")
        calls.send()
        self.cut_power(victim)
        self.set_link(victim, "up")
        finding = self.recover_from(victim, witnesses)
        return f"{finding}, {calls.arrive()} calls in flight done"

    def recover_from(self, victim, witnesses):
        started = time.monotonic()
        self.space.remove_dead(victim)
        seconds = time.monotonic() - started
        witnesses.testify()
        self.spread.forget(victim)
        for peer in self.space.peers():
            self.spread.expect_holders(peer)
        masters = f", masters {self.spread.by_master(self.peer)}" if self.peer.is_alive else ""
        return f"recovered in {seconds:.1f} s{masters}"

    def kernel_returns(self):
        self.boot(3)
        self.space.join_kernel(self.kernels[3])
        self.spread.come_back(self.kernels[3])
        self.spread.expect_holders(self.peer)
        return f"joined, holds {RESOURCES} locks again"

    def swift_dies(self):
        witnesses = Witnesses(f"{self.peer.number}-s", self.peer, list(self.kernels.values()))
        self.peer.kill()
        self.peer.is_alive = False
        return self.recover_from(self.peer, witnesses)

    def swift_returns(self, *options):
        self.peer = self.make_peer(self.peer.number, *options)
        self.space.join_peer(self.peer)
        self.spread.come_back(self.peer)
        self.spread.expect_holders(self.peer)
        return f"a new process joined a lockspace full of the kernels' locks; holds {RESOURCES} locks"

    def swift_leaves(self):
        self.spread.release(self.peer)
        seconds = self.space.leave_peer(self.peer)
        return f"ended {seconds:.1f} s after it was told to"

    def kernel_leaves(self):
        kernel = self.kernels[3]
        self.spread.release(kernel)
        seconds = self.space.leave_kernel(kernel)
        self.space.join_kernel(kernel)
        self.spread.come_back(kernel)
        if seconds > 20:
            raise Failure(f"the kernel waited {seconds:.1f} s for the peer's farewell")
        return f"release took {seconds:.1f} s; joined again"

    def swift_joins_as_low_node(self):
        for kernel in self.kernels.values():
            self.spread.release(kernel)
        self.peer = self.make_peer(LOW)
        self.space.join_peer(self.peer)
        return f"node {LOW} collects the barriers and gives slots; {self.spread_resources()}"

    def swift_speaks_old_protocol(self):
        self.swift_leaves()
        for kernel in self.kernels.values():
            kernel.remove_address(LOW)
            kernel.add_address(LOW, ADDRESSES[LOW])
        self.peer = self.make_peer(LOW, "--protocol", "3.1")
        self.space.join_peer(self.peer)
        self.round += "old"
        self.between_all(locks.mode_pairs)
        self.between_all(locks.value_blocks)
        self.spread.come_back(self.peer)
        self.spread.expect_holders(self.peer)
        return f"mode pairs, value blocks, {RESOURCES} locks with 3.1"

    def end_lockspace(self):
        for kernel in list(self.kernels.values()):
            self.space.leave_kernel(kernel)
        self.peer.request("leave")
        self.peer.leave(6)
        for kernel in self.kernels.values():
            for number in (LOW, HIGH):
                kernel.remove_address(number)
                kernel.add_address(number, ADDRESSES[number])
        return "all have left"

    def without_directory(self):
        """Another lockspace, in which the directory node is always the master."""
        self.space = Lockspace("nodir", ADDRESSES, uses_directory=False)
        self.peer = self.make_peer(HIGH, "--nodir")
        self.round = "nodir"
        for kernel in self.kernels.values():
            self.space.join_kernel(kernel)
        self.space.join_peer(self.peer)
        self.between_all(locks.mode_pairs)
        self.between_all(locks.value_blocks)
        self.spread = Spread(self.space, 600)
        self.spread.fill()
        before = self.spread.by_master(self.peer)
        self.swift_leaves()
        self.peer = self.make_peer(HIGH, "--nodir")
        self.space.join_peer(self.peer)
        self.spread.come_back(self.peer)
        self.spread.expect_holders(self.peer)
        if self.spread.by_master(self.peer) != before:
            raise Failure(f"masters {self.spread.by_master(self.peer)}, before {before}")
        self.end_lockspace()
        return f"mode pairs, value blocks, leave and return; masters {before}"

    # OCFS2.

    def mount(self):
        self.files = SharedFileSystem(
            str(self.lab / "shared.img"), CLUSTER, ADDRESSES, self.lab
        )
        self.space = self.files.lockspace
        for kernel in self.kernels.values():
            kernel.shell("echo -n pcmk >/sys/fs/ocfs2/cluster_stack")
        first, second = self.kernels.values()
        self.files.mount(first)
        self.files.mount(second)
        self.join_file_system()
        names = first.shell("cd /mnt/shared && mkdir load && seq -f load/%g 50 | xargs touch && ls load")
        if second.shell("ls /mnt/shared/load") != names:
            raise Failure("the kernels see different files")
        first.shell("cd /mnt/shared/load && seq 50 | xargs rm")
        return f"members {sorted(self.space.members)}"

    def join_file_system(self):
        self.peer = self.files.peer(self.program, HIGH, self.peer_log("ocfs2"))
        self.space.join_peer(self.peer)

    def become_master(self):
        """Kernels leave and come back one after the other; what they mastered and the peer has a lock
        on is its own then."""
        held = 0
        for kernel in self.kernels.values():
            held += hold_what_the_directory_knows(self.peer)
            self.files.unmount(kernel)
            self.files.mount(kernel)
        return self.masters(f"after NL locks on {held}: ")

    def masters(self, introduction=""):
        count, shared = mastered(self.peer)
        if shared == 0:
            raise Failure(f"the peer masters {count} resources, none of them in use by kernels")
        return f"{introduction}the peer masters {count}, of which kernels use {shared}"

    def run_load(self):
        self.loads = {kernel: self.files.start_load(kernel) for kernel in self.kernels.values()}
        self.let_load_run(1000)
        return self.masters()

    def let_load_run(self, rounds):
        goals = {kernel: self.files.load_count(kernel) + rounds for kernel in self.loads}
        deadline = time.monotonic() + 60
        while any(self.files.load_count(kernel) < goal for kernel, goal in goals.items()):
            for kernel, job in self.loads.items():
                if job.with_suffix(".rc").exists():
                    self.files.stop_load(kernel, job)
                    raise Failure(f"the load on {kernel} has ended")
            if time.monotonic() > deadline:
                raise Failure("the load does not go on")
            time.sleep(0.1)

    def leave_under_load(self):
        seconds = self.space.leave_peer(self.peer)
        self.let_load_run(300)
        self.join_file_system()
        hold_what_the_directory_knows(self.peer)
        self.let_load_run(300)
        return f"left in {seconds:.1f} s, came back, the load went on"

    def die_under_load(self):
        self.peer.kill()
        self.space.remove_dead(self.peer)
        self.let_load_run(300)
        self.join_file_system()
        held = hold_what_the_directory_knows(self.peer)
        self.let_load_run(300)
        return f"killed, recovered, came back with {held} locks, the load went on"

    def verify_files(self):
        expected = set()
        rounds = sum(self.files.load_count(kernel) for kernel in self.loads)
        for kernel, job in self.loads.items():
            expected |= self.files.stop_load(kernel, job)
        for kernel in self.kernels.values():
            names = self.files.names(kernel)
            if names != expected:
                raise Failure(f"{kernel} sees {sorted(names ^ expected)} too much or not at all")
        for kernel in list(self.kernels.values()):
            self.files.unmount(kernel)
        self.peer.request("leave")
        self.peer.leave(6)
        self.files.check()
        return f"{rounds} rounds, {len(expected)} files left on both nodes, fsck.ocfs2 is content"

    def quiet_kernels(self):
        for console in (self.lab / "nodes").glob("**/console.log"):
            for line in console.read_text(errors="replace").splitlines():
                if KERNEL_ALARM.search(line):
                    raise Failure(f"{console.parent.name}: {line}")
        return "no warning, no file system error"

    def lock_steps(self):
        self.round = ""
        return [
            ("Kernels join a lockspace full of Swift locks", self.kernels_join_swift_locks),
            ("All pairs of modes, with each node as master", self.mode_pairs),
            ("All conversions", self.conversions),
            ("Lock value blocks", self.value_blocks),
            ("What is refused, cancelled, and reordered", self.refusals),
            (f"{RESOURCES} resources spread over all nodes", self.spread_resources),
            ("A kernel is killed", self.kernel_dies),
            ("It comes back", self.kernel_returns),
            ("The Swift node is killed", self.swift_dies),
            ("It comes back", self.swift_returns),
            ("A kernel leaves and comes back", self.kernel_leaves),
            ("The Swift node leaves", self.swift_leaves),
            ("The Swift node joins as low node", self.swift_joins_as_low_node),
            ("A kernel is killed while Swift is low", self.kernel_dies),
            ("It comes back", self.kernel_returns),
            ("The low node is killed", self.swift_dies),
            ("It comes back", self.swift_returns),
            ("Protocol 3.1", self.swift_speaks_old_protocol),
            ("All leave", self.end_lockspace),
            ("A lockspace without directory", self.without_directory),
        ]

    def file_steps(self):
        return [
            ("OCFS2 on two kernels, Swift as third member", self.mount),
            ("The Swift node becomes master of part of it", self.become_master),
            ("Create, rename, unlink on both", self.run_load),
            ("The Swift node leaves and comes back meanwhile", self.leave_under_load),
            ("The Swift node is killed and comes back meanwhile", self.die_under_load),
            ("Files and file system are sound", self.verify_files),
        ]

    def steps(self, part):
        return [
            ("Boot two Linux kernels", self.boot_kernels),
            *(self.lock_steps() if part != "files" else []),
            *(self.file_steps() if part != "locks" else []),
            ("The kernels have nothing to complain of", self.quiet_kernels),
        ]

    def record(self, result, started, title, finding):
        milliseconds = int((time.monotonic() - started) * 1000)
        word = "ok" if result == "ok" else "FAILED"
        print(f"   {word}, {milliseconds / 1000:.1f} s: {finding}", flush=True)
        with open(self.lab / "steps.tsv", "a", encoding="utf-8") as steps:
            steps.write(f"{result}\t{milliseconds}\t{title}\t{finding}\n")

    def run(self, part):
        for title, step in self.steps(part):
            print(f"\n== {title}", flush=True)
            started = time.monotonic()
            try:
                finding = step()
            except (Failure, OSError, subprocess.SubprocessError) as failure:
                traceback.print_exc()
                first_line = str(failure).splitlines()[0] if str(failure) else repr(failure)
                self.record("FAILED", started, title, first_line[:300])
                return 1
            self.record("ok", started, title, finding)
        return 0


if __name__ == "__main__":
    sys.exit(Run(*sys.argv[1:4]).run(sys.argv[4] if len(sys.argv) > 4 else "all"))
