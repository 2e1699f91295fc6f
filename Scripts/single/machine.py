"""What the suites of Scripts/single-node share: loop devices, the daemon, commands, steps."""
import json
import os
import socket
import subprocess
import sys
import time

DISK_COUNT = 6
DISK_SIZE = 96 << 20
SOCKET = "/run/lvm/lvmlockd.socket"
PID_FILE = "/run/lvmlockd.pid"
TERMINATOR = b"\n##\n"


class Failure(Exception):
    pass


def expect(truth, what):
    if not truth:
        raise Failure(what)


class Machine:
    """This machine, and what was made on it."""

    def __init__(self, folder):
        self.folder = folder
        self.work = f"/tmp/clvmd-single-{os.getpid()}"
        os.makedirs(f"{self.work}/lvm")
        self.log = open(f"{folder}/commands.log", "a", buffering=1)
        self.steps = open(f"{folder}/steps.tsv", "a", buffering=1)
        self.disks = []
        self.failed = False
        os.environ["PATH"] = f"{folder}/bin:{os.environ['PATH']}"
        os.environ["LVM_SYSTEM_DIR"] = f"{self.work}/lvm"
        os.environ["LVM_SUPPRESS_FD_WARNINGS"] = "1"
        os.environ["DM_DISABLE_UDEV"] = "1"
        os.makedirs("/run/lvm", exist_ok=True)

    def make_disks(self, count=DISK_COUNT, size=DISK_SIZE):
        for number in range(count):
            path = f"{self.work}/disk{number}"
            with open(path, "wb") as file:
                file.truncate(size)
            self.disks.append(self.run(f"losetup --find --show {path}").strip())
        filter = " ".join(f'"a|^{disk}$|",' for disk in self.disks)
        source = os.path.join(os.path.dirname(os.path.abspath(__file__)), "lvm.conf")
        text = open(source).read().replace("@FILTER@", filter)
        with open(f"{self.work}/lvm/lvm.conf", "w") as file:
            file.write(text)

    def remove_disks(self):
        for name in self.run("dmsetup info -c --noheadings -o name,uuid", check=False).split("\n"):
            # Only what LVM made in the suite's groups.
            if name.startswith(("svg", "tvg")) and ":LVM-" in name:
                self.run(f"dmsetup remove --force {name.split(':')[0]}", check=False)
        for disk in self.disks:
            self.run(f"losetup --detach {disk}", check=False)
        subprocess.run(["rm", "-rf", self.work], check=False)

    def attempt(self, command, seconds=90):
        """Runs a command; its status, output and error output."""
        started = time.monotonic()
        try:
            result = subprocess.run(
                command, shell=True, stdin=subprocess.DEVNULL, capture_output=True, text=True,
                timeout=seconds)
            status, output, error = result.returncode, result.stdout, result.stderr
        except subprocess.TimeoutExpired:
            status, output, error = 124, "", f"no end after {seconds} s"
        self.log.write(
            f"$ {command}   [{status}, {time.monotonic() - started:.1f} s]\n{output}{error}")
        return status, output, error

    def run(self, command, check=True, seconds=90):
        status, output, error = self.attempt(command, seconds)
        if check and status != 0:
            words = (error or output).strip().split("\n")[-1]
            raise Failure(f"{command}: status {status}: {words}")
        return output

    def refused(self, command, words, status=5):
        """A command that must fail, and say `words`."""
        found, output, error = self.attempt(command)
        text = output + error
        expect(found == status, f"{command}: status {found} instead of {status}: {text.strip()}")
        expect(words in text, f"{command}: does not say '{words}': {text.strip()}")

    def rows(self, command):
        """The rows of a report command."""
        report = json.loads(self.run(f"{command} --reportformat json"))["report"][0]
        return next(iter(report.values()))

    def step(self, title, body):
        started = time.monotonic()
        self.log.write(f"\n## {title}\n")
        try:
            result, finding = "ok", body(self) or ""
        except Failure as failure:
            result, finding, self.failed = "FAILED", str(failure), True
        milliseconds = int((time.monotonic() - started) * 1000)
        finding = finding.replace("\n", " ").replace("\t", " ")
        self.steps.write(f"{result}\t{milliseconds}\t{title}\t{finding}\n")
        print(f"{result:6} {milliseconds / 1000:6.1f} s  {title}  {finding}", flush=True)

    # The daemon.

    def start_daemon(self, options="-T -g dlm"):
        self.run(f"lvmlockd {options}", seconds=60)
        return self.daemon()

    def daemon(self):
        with open(PID_FILE) as file:
            return int(file.read())

    def daemon_has_ended(self, process, seconds=20):
        for _ in range(seconds * 10):
            try:
                with open(f"/proc/{process}/stat") as file:
                    if file.read().rsplit(")", 1)[1].split()[0] == "Z":
                        return True
            except (FileNotFoundError, ProcessLookupError):
                return True
            time.sleep(0.1)
        return False


class Client:
    """A command on lvmlockd's socket, byte by byte."""

    def __init__(self, timeout=20, path=SOCKET):
        self.socket = socket.socket(socket.AF_UNIX)
        # Blocking, as commands connect: the kernel makes them wait for a place in the queue.
        self.socket.connect(path)
        self.socket.settimeout(timeout)
        self.buffer = b""

    def send(self, data):
        self.socket.sendall(data)

    def reply(self):
        """The next reply; None at the end of the connection."""
        while TERMINATOR not in self.buffer:
            try:
                data = self.socket.recv(65536)
            except ConnectionResetError:
                return None
            if not data:
                return None
            self.buffer += data
        message, self.buffer = self.buffer.split(TERMINATOR, 1)
        return dict(
            (part.strip().strip('"') for part in line.split("=", 1))
            for line in message.decode(errors="replace").split("\n") if "=" in line)

    def ask(self, request, **fields):
        lines = [f'request="{request}"'] + [f'{name} ="{value}"' for name, value in fields.items()]
        self.send("\n".join(lines).encode() + b"\n" + TERMINATOR)
        return self.reply()

    def close(self):
        self.socket.close()


def main(body):
    folder = sys.argv[1] if len(sys.argv) > 1 else "/lab"
    machine = Machine(folder)
    try:
        body(machine)
        open(f"{folder}/finished", "w").close()
    finally:
        machine.remove_disks()
    sys.exit(1 if machine.failed else 0)
