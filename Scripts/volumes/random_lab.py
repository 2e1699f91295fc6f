"""One volume group of a guest: commands by LVM and by clvm, and what differs between them."""

import json
import os
import random
import re
import subprocess
import time

from metadata_text import Text, comparable, difference, layout, metadata_texts

LETTERS = "abcdef"
UNCOMPARED = {"lv_time", "vg_mda_free", "kernel_read_ahead", "lv_kernel_read_ahead"}


def resolved(parameters, numbers):
    words = []
    for word in parameters.split():
        prefix = "meta_device:" if word.startswith("meta_device:") else ""
        words.append(prefix + numbers.get(word[len(prefix) :], word[len(prefix) :]))
    return " ".join(words)


NOISE = re.compile(
    "Wiping|Wiped|File descriptor|WARNING: (?:Failed to connect|.*thin pool.*autoextend|Sum of all|"
    "You have not|For thin pool|Maximum supported)|Set activation/|Logging initialised|"
    "Executing:|thin_pool_autoextend|Zeroing|Skipping zeroing|wiping|"
    "Thin pool volume with chunk size"
)


def said(text):
    return [
        re.sub(r"/tmp/copy/", "/dev/", line.strip())
        for line in text.split("\n")
        if line.strip() and not NOISE.search(line)
    ]


class Lab:
    def __init__(self, seed, commands_log, differences_log):
        self.seed, self.commands_log, self.differences_log = seed, commands_log, differences_log
        self.random = random.Random(seed)
        self.differences = 0
        self.commands = 0
        self.plans = 0
        self.disks = []

    # --- running things ---

    def run(self, command, environment=None):
        started = time.monotonic()
        result = subprocess.run(
            command,
            shell=True,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            env=environment,
        )
        self.commands_log.write(
            f"$ {command}   [{result.returncode}, {time.monotonic() - started:.1f} s]\n"
            f"{result.stdout}{result.stderr}"
        )
        return result

    def differ(self, what, detail):
        self.differences += 1
        self.differences_log.write(f"=== seed {self.seed} step {self.commands}: {what}\n{detail}\n")

    # --- drawing ---

    def chance(self, percent):
        return self.random.random() * 100 < percent

    def pick(self, *choices):
        return self.random.choice(choices)

    def optional(self, percent, *choices):
        return f" {self.pick(*choices)}" if self.chance(percent) else ""

    def number(self, low, high):
        return self.random.randint(low, high)

    # --- disks ---

    def copy_path(self, disk):
        return f"/tmp/copy/{os.path.basename(disk)}"

    def copy_disks(self):
        """Heads and tails; the rest of the copies is empty."""
        os.makedirs("/tmp/copy", exist_ok=True)
        for disk in self.disks:
            with open(disk, "rb") as source, open(self.copy_path(disk), "wb") as copy:
                size = source.seek(0, 2)
                source.seek(0)
                copy.write(source.read(2 << 20))
                copy.seek(size - (2 << 20))
                source.seek(size - (2 << 20))
                copy.write(source.read(2 << 20))

    def devices_of_copies(self):
        return ",".join(f"{disk}={self.copy_path(disk)}" for disk in self.disks)

    def texts(self, copies=False):
        found = {}
        for disk in self.disks:
            text = metadata_texts(self.copy_path(disk) if copies else disk)
            if text:
                found.setdefault(tuple(comparable(text)), []).append(disk)
        return found

    def group(self, name="vg"):
        for disk in self.disks:
            text = metadata_texts(disk)
            if text and text.startswith(f"{name} {{"):
                return Text(text).section()[name]
        return None

    def volumes(self, types=None, visible=True):
        group = self.group() or {}
        found = []
        for name, volume in group.get("logical_volumes", {}).items():
            kind = volume.get("segment1", {}).get("type", "")
            if visible and "VISIBLE" not in volume["status"]:
                continue
            if types is None or kind.split("+")[0] in types:
                found.append(name)
        return found

    def a_volume(self, *types):
        names = self.volumes(types or None)
        return self.random.choice(names) if names else None

    # --- comparing ---

    def reload_log(self):
        try:
            with open("/run/lvm.log") as log:
                return log.read()
        except FileNotFoundError:
            return ""

    def live(self):
        numbers = {f"98:{16 * LETTERS.index(disk[-1])}": f"@{disk}" for disk in self.disks}
        devices = {}
        listed = self.run(
            "dmsetup info -c --noheadings --separator ' ' -o name,uuid,major,minor"
        ).stdout
        for line in listed.split("\n"):
            words = line.split()
            if len(words) == 4:
                numbers[f"{words[2]}:{words[3]}"] = f"@dm:{words[0]}"
                devices[words[0]] = {"uuid": words[1], "table": []}
        for line in self.run("dmsetup table").stdout.split("\n"):
            match = re.match(r"(\S+): (\d+) (\d+) (\S+) ?(.*)", line)
            if match and match[1] in devices:
                devices[match[1]]["table"].append(
                    (int(match[2]), int(match[3]), match[4], resolved(match[5], numbers))
                )
        return devices, numbers

    def compare_plans(self, what, devices=None, lvm_options="", options=""):
        """Activates everything anew and compares what LVM loaded and what clvm plans."""
        self.plans += 1
        self.run("vgchange -an vg")
        open("/run/lvm.log", "w").close()
        activated = self.run(
            "vgchange -ay -K --config 'log { file=\"/run/lvm.log\" level=7 }' "
            + lvm_options
            + " vg"
        )
        live, numbers = self.live()
        loaded = {}
        for line in self.reload_log().split("\n"):
            match = re.search(r"Adding target to \((\d+:\d+)\): (\d+) (\d+) (\S+) ?(.*)", line)
            if match:
                name = numbers.get(match[1], match[1]).removeprefix("@dm:")
                loaded.setdefault(name, [])
                line_of_table = (
                    int(match[2]),
                    int(match[3]),
                    match[4],
                    resolved(match[5].strip(), numbers),
                )
                loaded[name] = [line for line in loaded[name] if line[0] != line_of_table[0]]
                loaded[name].append(line_of_table)
        listed = devices or ",".join(self.disks)
        planned = self.run(f"clvm dm-tables --json {options} --devices {listed} vg")
        if re.search("ioctl.*failed", activated.stderr):
            # Halfway through, LVM has not found out yet what cannot be.
            self.differences_log.write(f"--- not compared, LVM failed: {activated.stderr}")
            return
        # Volumes that cannot be active are refused one by one; the others must be alike.
        try:
            plan = json.loads(planned.stdout)["devices"]
        except (json.JSONDecodeError, KeyError):
            if loaded:
                self.differ(f"{what}: clvm plans nothing", planned.stderr + activated.stderr)
            return
        wanted = {
            name: {
                "uuid": device["uuid"],
                "table": [
                    (line["start"], line["length"], line["target"], line["params"])
                    for line in device["table"]
                ],
            }
            for name, device in plan.items()
        }
        if set(wanted) != set(live):
            self.differ(
                f"{what}: devices",
                f"only LVM {sorted(set(live) - set(wanted))}, "
                f"only clvm {sorted(set(wanted) - set(live))}\n{activated.stderr}"
                f"{planned.stderr}",
            )
        for name in sorted(set(wanted) & set(live)):
            if wanted[name]["uuid"] != live[name]["uuid"]:
                self.differ(
                    f"{what}: uuid of {name}", f"{live[name]['uuid']}\n{wanted[name]['uuid']}"
                )
            theirs = sorted(loaded.get(name, [])) or live[name]["table"]
            if theirs != wanted[name]["table"]:
                self.differ(
                    f"{what}: table of {name}",
                    f"LVM  {theirs}\nclvm {wanted[name]['table']}\nlive {live[name]['table']}",
                )

    def compare_reports(self, what):
        for command in ("lvs -a -o all", "vgs -o all", "pvs -o all", "lvs -a -o seg_all"):
            arguments = f"{command} --reportformat json --units b --nosuffix"
            theirs = self.run(f"lvm {arguments}")
            ours = self.run(f"clvm {arguments} --devices {','.join(self.disks)}")
            try:
                left = json.loads(theirs.stdout)["report"][0]
                right = json.loads(ours.stdout)["report"][0]
            except (json.JSONDecodeError, KeyError, IndexError):
                self.differ(
                    f"{what}: {command}", f"{theirs.stdout[:500]}\n{ours.stdout[:500]}{ours.stderr}"
                )
                continue
            if left == right:
                continue
            detail = []
            for kind in left:
                rows, others = left[kind], right.get(kind, [])
                if len(rows) != len(others):
                    detail.append(f"{len(rows)} rows, clvm {len(others)}")
                for row, other in zip(rows, others):
                    label = row.get("lv_name") or row.get("vg_name") or row.get("pv_name") or ""
                    for field in row:
                        if row[field] != other.get(field) and field not in UNCOMPARED:
                            detail.append(
                                f"{label} {field}: LVM {row[field]!r} clvm {other.get(field)!r}"
                            )
            if detail:
                self.differ(f"{what}: {command}", "\n".join(detail[:40]))

    def both(self, command):
        """A command by LVM on the disks and by clvm on copies."""
        self.commands += 1
        self.copy_disks()
        before = self.texts(copies=True)
        ours = self.run(f"clvm {command} -y --devices {self.devices_of_copies()}")
        theirs = self.run(f"lvm {command} -y")
        left, right = self.texts(), self.texts(copies=True)
        refused = ours.returncode != 0 and re.search("LVM's own|clvm \\w+ does not", ours.stderr)
        if refused and theirs.returncode == 0:
            self.differences_log.write(f"--- refused by clvm: {command}: {ours.stderr}")
            return theirs
        messages = said(theirs.stderr), said(ours.stderr)
        output = said(theirs.stdout), said(ours.stdout)
        if theirs.returncode != ours.returncode or left != right:
            changes = difference(left, right)
            self.differ(
                f"{command}",
                f"status LVM {theirs.returncode}, clvm {ours.returncode}\n"
                f"LVM:  {theirs.stdout}{theirs.stderr}clvm: {ours.stdout}{ours.stderr}"
                f"{changes}\nbefore: {layout(before)}"
                f"\nLVM's: {layout(left) if left != before else ''}",
            )
        elif "Internal error" in theirs.stderr:
            self.differences_log.write(f"--- a defect of LVM's: {command}: {theirs.stderr}")
        elif messages != output and (messages[0] != messages[1] or output[0] != output[1]):
            self.differ(
                f"{command} (words)",
                f"LVM:  {theirs.stdout}{theirs.stderr}" f"clvm: {ours.stdout}{ours.stderr}",
            )
        return theirs

    def theirs(self, command):
        """A command that only LVM has."""
        self.commands += 1
        return self.run(f"{command} -y")

    def compare_partial(self, hidden, activation):
        with open("/etc/lvm/lvm.conf") as file:
            configuration = file.read()
        try:
            with open("/etc/lvm/lvm.conf", "w") as file:
                file.write(
                    configuration.replace('filter = [ "a', f'filter = [ "r|^{hidden}$|", "a')
                )
            rest = ",".join(disk for disk in self.disks if disk != hidden)
            self.compare_plans(
                f"without {hidden}, {activation}",
                devices=rest,
                lvm_options=f"--activationmode {activation}",
                options=f"--activationmode {activation} --merging",
            )
            self.run("vgchange -an vg")
        finally:
            with open("/etc/lvm/lvm.conf", "w") as file:
                file.write(configuration)
