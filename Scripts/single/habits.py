"""The daemons as LVM's own test suites start and end them: `make check_lvmlockd_test` of LVM 2.03,
`make check_cluster` of LVM 2.02. What those suites look at is looked at here."""
import os
import signal
import socket
import stat
import subprocess
import time

from machine import PID_FILE, SOCKET, expect

CLVMD_PID_FILE = "/run/clvmd.pid"
CLVMD_SOCKET = "/run/lvm/clvmd.sock"
VG = "tvg"


def spawn(machine, words, **variables):
    """In the background of the suite, as the shell's & does it."""
    log = open(f"{machine.folder}/{words[0]}-{len(os.listdir(machine.folder))}.log", "w")
    return subprocess.Popen(words, stdout=log, stderr=log, env={**os.environ, **variables})


def await_files(*paths):
    """Sockets are there when somebody listens: a daemon that was killed leaves its files behind."""
    for _ in range(200):
        if all(is_there(path) for path in paths):
            return
        time.sleep(0.1)
    raise AssertionError(f"{paths} did not appear")


def is_there(path):
    if not os.path.exists(path) or not stat.S_ISSOCK(os.stat(path).st_mode):
        return os.path.exists(path)
    with socket.socket(socket.AF_UNIX) as client:
        return client.connect_ex(path) == 0


def await_end(process, seconds):
    try:
        return process.wait(seconds)
    except subprocess.TimeoutExpired:
        process.kill()
        return None


def lvmlockd(machine):
    """Each test has a daemon of its own in test mode, which is told to end, and killed if need be."""
    daemon = spawn(machine, ["lvmlockd", "--test", "-D", "-g", "dlm"])
    await_files(PID_FILE, SOCKET)
    expect(machine.run("pgrep lvmlockd").split() == [str(daemon.pid)], "pgrep finds others")
    machine.run(f"vgcreate --shared {VG} " + " ".join(machine.disks[:4]))
    volume_types(machine)
    machine.run(f"vgremove -f -y {VG}")
    daemon.terminate()
    expect(await_end(daemon, 20) == 0, "it does not end without volume groups")
    # A test that fails leaves its group, and takes the devices away by itself.
    daemon = spawn(machine, ["lvmlockd", "--test", "-D", "-g", "dlm"])
    await_files(PID_FILE, SOCKET)
    machine.run(f"vgcreate --shared {VG} " + " ".join(machine.disks[:2]))
    machine.run(f"lvcreate -n x -l 1 {VG}")
    daemon.kill()
    daemon.wait()
    machine.run(f"dmsetup remove {VG}-x")
    daemon = spawn(machine, ["lvmlockd", "--test", "-D", "-g", "dlm"])
    await_files(PID_FILE, SOCKET)
    machine.run(f"vgchange --lockstart {VG}")
    expect(" LV " not in machine.run("lvmlockctl -i"), "the lock of a volume that is gone is there")
    machine.run(f"vgremove -f -y {VG}")
    daemon.terminate()
    expect(await_end(daemon, 20) == 0, "it does not end after all")
    return "started, ended, and killed under an active volume"


def volume_types(machine):
    """Which volumes of a shared group have locks of their own."""
    def lock_arguments(volume):
        return machine.rows(f"lvs -a -o lv_lockargs {VG}/{volume}")[0]["lv_lockargs"]

    machine.run(f"lvcreate -l 3 -n pool {VG}")
    machine.run(f"lvcreate -l 1 -n meta {VG}")
    machine.run(f"lvconvert -y --type thin-pool --poolmetadata meta {VG}/pool")
    machine.run(f"lvcreate -n thin -V 40m --thinpool {VG}/pool")
    machine.run(f"lvcreate -s -n snap {VG}/thin")
    machine.run(f"lvchange -ay -K {VG}/snap")
    for volume, wanted in (("pool", "dlm"), ("pool_tdata", ""), ("thin", ""), ("snap", "")):
        expect(lock_arguments(volume) == wanted, f"{volume}: {lock_arguments(volume)}")
    machine.run(f"lvchange -an {VG}/snap {VG}/thin {VG}/pool")
    machine.run(f"lvremove -y {VG}/snap {VG}/thin {VG}/pool")
    machine.run(f"lvcreate -n origin -l 2 {VG}")
    machine.run(f"lvcreate -s -n cow -l 1 {VG}/origin")
    expect(lock_arguments("cow") == "", "a snapshot has a lock of its own")
    machine.run(f"lvchange -y -an {VG}/origin")
    machine.run(f"lvremove -y {VG}/cow {VG}/origin")
    for kind in ("mirror", "raid1"):
        machine.run(f"lvcreate --type {kind} --nosync -y -m 1 -n m -l 2 {VG}")
        expect(lock_arguments("m") == "dlm", f"{kind} has no lock")
        machine.run(f"lvchange -an {VG}/m")
        machine.run(f"lvremove -y {VG}/m")
    expect(" LV " not in machine.run("lvmlockctl -i"), "a lock is left")


def clvmd(machine):
    """In the foreground with a level as a word of its own; restarted by name; ended by a signal."""
    expect("singlenode" in machine.run("clvmd --help 2>&1 | grep 'Available cluster managers'"),
           "singlenode is not offered")
    devices = f"{machine.work}/dev"
    os.makedirs(devices, exist_ok=True)
    daemon = spawn(machine, ["clvmd", "-Isinglenode", "-d", "1", "-f"], LVM_CLVMD_BINARY="clvmd",
                   DM_DEV_DIR=devices)
    await_files(CLVMD_PID_FILE, CLVMD_SOCKET)
    for _ in range(2):
        machine.run("clvmd -S")
        await_files(CLVMD_SOCKET)
        expect(machine.run("pgrep clvmd").split() == [str(daemon.pid)], "another process")
        for _ in range(100):
            if machine.attempt("clvmd -R")[0] == 0:
                break
            time.sleep(0.1)
        machine.run("clvmd -R")
    daemon.send_signal(signal.SIGTERM)
    expect(await_end(daemon, 20) == 0, "it does not end")
    expect(not os.path.exists(CLVMD_PID_FILE), "its pid file is left")
    return "found by its name, the same process after a restart"
