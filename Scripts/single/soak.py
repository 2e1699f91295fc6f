"""Many requests, and what is left of them; see Scripts/soak-lvmlockd."""
import os
import random
import resource
import selectors
import signal
import subprocess
import sys
import time

from machine import Client, Failure, expect

CLIENTS_AT_ONCE = 1000
EXCHANGES = 1000
# What may stay: buffers that are kept, pages of the allocator.
GROWTH_MAX_KIB = 8192


class Daemon:
    def __init__(self, folder):
        self.folder = folder
        self.socket = f"{folder}/s"
        log = open(f"{folder}/daemon.log", "w")
        self.process = subprocess.Popen(
            [f"{folder}/lvmlockd", "-T", "-f", "-p", f"{folder}/pid", "-s", self.socket,
             "--state-directory", f"{folder}/state"], stdout=log, stderr=log)
        for _ in range(200):
            if os.path.exists(self.socket):
                break
            time.sleep(0.1)
        for _ in range(100):
            client = self.client()
            reply = client.ask("start_vg", vg_name="vg1", vg_lock_type="dlm",
                               vg_lock_args="1.0.0:test", vg_uuid="UU", opts="none", cmd="soak")
            client.close()
            if reply["op_result"] in ("0", "-17"):
                return
            time.sleep(0.1)
        raise Failure(f"vg1 does not start: {reply}")

    def client(self):
        return Client(path=self.socket)

    def descriptors(self):
        return len(os.listdir(f"/proc/{self.process.pid}/fd"))

    def memory_kib(self):
        with open(f"/proc/{self.process.pid}/status") as status:
            return int(next(line for line in status if line.startswith("VmRSS")).split()[1])

    def processor_seconds(self):
        with open(f"/proc/{self.process.pid}/stat") as status:
            fields = status.read().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def held(self):
        """Modes that anybody holds, as LVM's own lvmlockctl would see them, from `query`."""
        client = self.client()
        modes = [client.ask("query_lock_vg", vg_name="vg1")["mode"]]
        modes += [client.ask("query_lock_lv", vg_name="vg1", lv_name="l", lv_uuid=f"u{number}")["mode"]
                  for number in range(50)]
        client.close()
        return [mode for mode in modes if mode != "un"]

    def settle(self):
        """The ends of connections take a moment."""
        count = self.descriptors()
        for _ in range(50):
            time.sleep(0.1)
            if self.descriptors() == count:
                return
            count = self.descriptors()

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        try:
            self.process.wait(30)
        except subprocess.TimeoutExpired:
            self.process.kill()
            raise Failure("the daemon does not end") from None


def one_client(daemon, chance):
    """A few requests of one connection, which may vanish with what it holds. Returns their number."""
    client = daemon.client()
    client.ask("hello")
    volume = f"u{chance.randrange(50)}"
    requests = chance.choice((
        [("lock_gl", {"mode": "sh"}), ("lock_vg", {"mode": "sh"}), ("lock_vg", {"mode": "un"})],
        [("lock_vg", {"mode": "ex"}), ("vg_update", {"version": 7}), ("lock_vg", {"mode": "un"})],
        [("lock_vg", {"mode": "ex"}), ("vg_update", {"version": 8})],
        [("lock_vg", {"mode": "sh"}),
         ("lock_lv", {"mode": "ex", "opts": "persistent", "lv_uuid": volume}),
         ("lock_lv", {"mode": "sh", "opts": "persistent", "lv_uuid": volume}),
         ("lock_lv", {"mode": "un", "opts": "persistent", "lv_uuid": volume})],
        [("lock_lv", {"mode": "ex", "lv_uuid": volume}), ("free_lv", {"lv_uuid": volume})],
        [("lock_lv", {"mode": "ex", "lv_uuid": volume})],
        [("lock_vg", {"mode": "xx"}), ("nonsense", {}), ("start_vg", {"vg_lock_type": "idm"})],
        [("busy_vg", {}), ("query_lock_vg", {}), ("running_lm", {})],
    ))
    for name, fields in requests:
        reply = client.ask(name, cmd="soak", vg_name="vg1", lv_name="l", **fields)
        expect(reply is not None, f"{name}: the connection ended")
    client.close()
    return 1 + len(requests)


def soak(daemon, count):
    chance = random.Random(1)
    done = 0
    while done < count // 10:
        done += one_client(daemon, chance)
    daemon.settle()
    descriptors, memory = daemon.descriptors(), daemon.memory_kib()
    started = time.monotonic()
    while done < count:
        done += one_client(daemon, chance)
    seconds = time.monotonic() - started
    daemon.settle()
    expect(daemon.descriptors() <= descriptors,
           f"{daemon.descriptors() - descriptors} descriptors are left")
    expect(not daemon.held(), f"locks are left: {daemon.held()}")
    growth = daemon.memory_kib() - memory
    expect(growth < GROWTH_MAX_KIB, f"{growth} KiB of memory are left")
    return f"{done} requests, {count * 0.9 / seconds:.0f} a second, memory {growth:+d} KiB"


def serve_in_turn(clients, takes_its_turn):
    """Waits for each one's answer, whoever is next, and ends its turn: only one has the lock at a time."""
    with selectors.DefaultSelector() as selector:
        for client in clients:
            selector.register(client.socket, selectors.EVENT_READ, client)
        for _ in clients:
            ready = selector.select(20)
            expect(len(ready) == 1, f"{len(ready)} clients have their turn")
            client = ready[0][0].data
            selector.unregister(client.socket)
            expect(takes_its_turn(client), "a client did not get its turn")
            client.close()


def crowd(daemon, _):
    resource.setrlimit(resource.RLIMIT_NOFILE, (4096, 4096))
    daemon.settle()
    before = daemon.descriptors()
    clients = [daemon.client() for _ in range(CLIENTS_AT_ONCE)]
    for client in clients:
        client.send(b'request = "hello"\n\n##\n')
    expect(all(client.reply() for client in clients), "a client was not served")
    for client in clients[1:]:
        client.send(b'request="lock_vg"\nvg_name ="vg1"\nmode ="ex"\n\n##\n')
    serve_in_turn(clients[1:], lambda client: client.reply().get("op_result") == "0")
    clients[0].close()
    daemon.settle()
    expect(daemon.descriptors() <= before, f"{daemon.descriptors() - before} descriptors are left")
    return f"{CLIENTS_AT_ONCE} clients at once, {CLIENTS_AT_ONCE - 1} in the queue of one lock"


def exchange(daemon, _):
    """What vgs says to the daemon on an idle node with one group."""
    times, processor = [], daemon.processor_seconds()
    for _ in range(EXCHANGES):
        started = time.perf_counter()
        client = daemon.client()
        client.ask("hello")
        client.ask("lock_gl", cmd="vgs", mode="sh")
        client.ask("lock_vg", cmd="vgs", vg_name="vg1", mode="sh")
        client.ask("lock_vg", cmd="vgs", vg_name="vg1", mode="un")
        client.close()
        times.append((time.perf_counter() - started) * 1000)
    times.sort()
    processor = (daemon.processor_seconds() - processor) * 1000 / EXCHANGES
    return (f"median {times[len(times) // 2]:.2f} ms, 99 % below {times[len(times) * 99 // 100]:.2f} ms,"
            f" {processor:.2f} ms of the daemon's processor time")


def run(daemon, folder, count, steps_to_take):
    """Takes the steps, writes what came of each, and ends the daemon and this program."""
    failed = False
    with open(f"{folder}/steps.tsv", "w") as steps:
        for title, body in steps_to_take:
            started = time.monotonic()
            try:
                result, finding = "ok", body(daemon, count)
            except (Failure, OSError, EOFError) as failure:
                result, finding, failed = "FAILED", str(failure), True
            milliseconds = int((time.monotonic() - started) * 1000)
            steps.write(f"{result}\t{milliseconds}\t{title}\t{finding}\n")
    try:
        daemon.stop()
    except Failure as failure:
        print(failure)
        failed = True
    sys.exit(1 if failed else 0)


def main():
    folder, count = sys.argv[1], int(sys.argv[2])
    run(Daemon(folder), folder, count,
        (("Many requests", soak), ("Many clients", crowd), ("What locking adds to vgs", exchange)))


if __name__ == "__main__":
    main()
