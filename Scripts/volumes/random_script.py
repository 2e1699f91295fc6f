"""Commands for volumes of every type, drawn by chance."""

from random_conversions import Conversions


class Script(Conversions):
    """What is drawn."""

    RAIDS = [
        "raid5", "raid5_ls", "raid5_la", "raid5_ra", "raid5_rs", "raid5_n", "raid4", "raid6",
        "raid6_zr", "raid6_nr", "raid6_nc", "raid6_ls_6", "raid6_la_6", "raid6_rs_6",
        "raid6_ra_6", "raid6_n_6",
    ]

    def __init__(self, lab):
        self.lab = lab
        self.count = 0

    def name(self):
        self.count += 1
        return f"v{self.count}"

    def size(self, sign=""):
        lab = self.lab
        kind = lab.number(0, 5)
        if kind <= 2:
            return f"-l {sign}{lab.number(1, 24)}"
        if kind == 3:
            return f"-L {sign}{lab.number(1, 30)}m"
        return f"-l {sign}{lab.number(1, 60)}%{lab.pick('FREE', 'VG', 'PVS')}"

    def places(self):
        lab = self.lab
        if not lab.chance(20):
            return ""
        disks = lab.random.sample(lab.disks, lab.number(1, len(lab.disks)))
        return " " + " ".join(
            disk + (f":{lab.number(0, 3)}-{lab.number(4, 30)}" if lab.chance(30) else "")
            for disk in disks
        )

    def attributes(self):
        lab = self.lab
        return (
            lab.optional(12, "-p r")
            + lab.optional(10, "-r none", "-r auto", "-r 3", "-r 64k", "-r 512")
            + lab.optional(8, "-M y --minor 77", "-M y --minor 130")
            + lab.optional(10, "-k y", "-k n")
            + lab.optional(10, "--setautoactivation n")
            + lab.optional(10, "--addtag t1 --addtag t2")
            + lab.optional(
                15,
                "--alloc anywhere",
                "--alloc cling",
                "--alloc contiguous",
                "--alloc normal",
                "--alloc inherit",
                "-C y",
            )
        )

    def plain(self):
        return (
            f"lvcreate -an -Zn -Wn -n {self.name()} {self.size()}{self.attributes()}"
            f" vg{self.places()}"
        )

    def striped(self):
        lab = self.lab
        return (
            f"lvcreate -an -Zn -Wn -n {self.name()} -i {lab.number(1, 5)}"
            f"{lab.optional(50, '-I 4k', '-I 16k', '-I 256k', '-I 1m', '-I 4m', '-I 3k')}"
            f" {self.size()}"
            f"{self.attributes()} vg{self.places()}"
        )

    def virtual(self):
        lab = self.lab
        return f"lvcreate -an -n {self.name()} --type {lab.pick('error', 'zero')} {self.size()} vg"

    def mirror(self):
        lab = self.lab
        return (
            f"lvcreate -an -Wn -Zn --type mirror -m {lab.number(1, 3)} -n {self.name()}"
            f" {self.size()}"
            f"{lab.optional(60, '--mirrorlog core', '--mirrorlog disk')}"
            f"{lab.optional(30, '-R 64k', '-R 1m', '-R 4m', '-R 16m')}"
            f"{lab.optional(20, '--nosync')}"
            f"{self.attributes()} vg{self.places()}"
        )

    def raid(self):
        lab = self.lab
        kind = lab.number(0, 5)
        if kind <= 1:
            shape = (
                f"--type raid1 -m {lab.number(1, 3)}"
                if lab.chance(70)
                else f"-m {lab.number(1, 2)}"
            )
        elif kind == 2:
            shape = f"--type raid10 -i {lab.number(2, 3)}{lab.optional(40, '-m 1', '-m 2')}"
        elif kind == 3:
            shape = f"--type {lab.pick('raid0', 'raid0_meta')} -i {lab.number(2, 4)}"
        else:
            shape = f"--type {lab.pick(*self.RAIDS)} -i {lab.number(2, 4)}"
        stripes = (
            ""
            if "raid1 " in shape or shape.startswith("-m")
            else lab.optional(40, "-I 4k", "-I 32k", "-I 128k", "-I 1m")
        )
        return (
            f"lvcreate -an -Wn -Zn {shape}{stripes} -n {self.name()} {self.size()}"
            f"{lab.optional(30, '-R 64k', '-R 512k', '-R 4m')}{lab.optional(15, '--nosync')}"
            f"{lab.optional(15, '--minrecoveryrate 100')}"
            f"{lab.optional(15, '--maxrecoveryrate 5000')}"
            f"{self.attributes()} vg{self.places()}"
        )

    def integrity(self):
        lab = self.lab
        shape = lab.pick("raid1 -m 1", "raid5 -i 2", "raid6 -i 3", "raid10 -i 2")
        return (
            f"lvcreate -Wn -Zn --type {shape} -n {self.name()} -l {lab.number(2, 6)}"
            f" --raidintegrity y"
            f"{lab.optional(40, '--raidintegritymode bitmap', '--raidintegritymode journal')}"
            f"{lab.optional(30, '--raidintegrityblocksize 512', '--raidintegrityblocksize 4096')}"
            f" vg"
        )

    def snapshot(self):
        lab = self.lab
        origin = lab.a_volume(
            "striped", "raid1", "raid5", "mirror", "snapshot", "thin", "cache", "raid10"
        )
        if not origin:
            return None
        return (
            f"lvcreate -an -s -n {self.name()} -l {lab.number(1, 8)}"
            f"{lab.pick('', '', '', '', '%ORIGIN')}"
            f"{lab.optional(50, '-c 4k', '-c 32k', '-c 512k', '-c 8k', '-c 3k')}"
            f"{lab.optional(30, '-p r')}"
            f"{lab.optional(15, '-k n')} vg/{origin}"
        )

    def virtual_snapshot(self):
        lab = self.lab
        return (
            f"lvcreate -an -s -n {self.name()} -L {lab.number(2, 12)}m -V {lab.number(8, 90)}m vg"
        )

    def thin_pool(self):
        lab = self.lab
        discards = [f"--discards {how}" for how in ("nopassdown", "ignore", "passdown")]
        return (
            f"lvcreate -an --type thin-pool -n {self.name()} {self.size()}"
            f"{lab.optional(40, '-c 64k', '-c 128k', '-c 192k', '-c 1m', '-c 32k')}"
            f"{lab.optional(30, *discards)}"
            f"{lab.optional(30, '--errorwhenfull y')}{lab.optional(30, '-Zn', '-Zy')}"
            f"{lab.optional(25, *(f'--poolmetadatasize {size}' for size in ('4m', '2m', '9m')))}"
            f"{lab.optional(15, '--poolmetadataspare n')}{lab.optional(20, '-i 2', '-i 3 -I 64k')}"
            f"{lab.optional(20, '-r 64', '-p r')} vg{self.places()}"
        )

    def thin(self):
        lab = self.lab
        pool = lab.a_volume("thin-pool")
        if not pool:
            return None
        how = lab.pick(
            f"--thinpool {pool} vg", f"-T vg/{pool}", f"--type thin --thinpool vg/{pool}"
        )
        return (
            f"lvcreate -an -V {lab.number(1, 90)}m -n {self.name()}{lab.optional(15, '-k y')}"
            f"{lab.optional(15, '-p r')}{lab.optional(15, '-r 128')}"
            f"{lab.optional(15, '--addtag q')} {how}"
        )

    def thin_snapshot(self):
        lab = self.lab
        origin = lab.a_volume("thin")
        if not origin:
            return None
        return (
            f"lvcreate -an -s -n {self.name()}{lab.optional(30, '-k n', '-ky')}"
            f"{lab.optional(20, '-p r')}"
            f" vg/{origin}"
        )

    def extend(self):
        lab = self.lab
        name = lab.a_volume()
        if not name:
            return None
        command = lab.pick("lvextend", "lvextend", "lvresize")
        return (
            f"{command} {self.size(lab.pick('+', '+', '+', ''))}"
            f"{lab.optional(15, '-i 1', '-i 2', '-i 3')}"
            f"{lab.optional(10, '-I 8k')}{lab.optional(10, '-m 1')}"
            f"{lab.optional(20, '--alloc anywhere', '--alloc cling', '--alloc contiguous')}"
            f"{lab.optional(8, '--nosync')} vg/{name}{self.places()}"
        )

    def extend_metadata(self):
        lab = self.lab
        name = lab.a_volume("thin-pool")
        return name and f"lvextend --poolmetadatasize +{lab.number(1, 6)}m vg/{name}"

    def reduce(self):
        lab = self.lab
        name = lab.a_volume()
        if not name:
            return None
        command = lab.pick("lvreduce -f", "lvresize -f", "lvreduce")
        size = lab.pick(
            f"-l -{lab.number(1, 6)}",
            f"-l {lab.number(1, 12)}",
            f"-L -{lab.number(1, 9)}m",
            f"-l {lab.number(1, 90)}%LV",
            f"-l -{lab.number(1, 50)}%LV",
        )
        return f"{command} {size} vg/{name}"

    def rename(self):
        name = self.lab.a_volume()
        return name and f"lvrename vg {name} {self.name()}"

    def remove(self):
        name = self.lab.a_volume()
        return name and f"lvremove vg/{name}"

    def change(self):
        lab = self.lab
        name = lab.a_volume()
        if not name:
            return None
        return (
            "lvchange "
            + lab.pick(
                "-p r",
                "-p rw",
                "-r none",
                "-r 256",
                "-r auto",
                "--alloc cling",
                "--alloc inherit",
                "--addtag x",
                "--deltag x",
                "--deltag t1",
                "-k y",
                "-k n",
                "--setautoactivation n",
                "--setautoactivation y",
                "-M y --minor 55",
                "-M n",
                "-C y",
                "-C n",
            )
            + f" vg/{name}"
        )

    def change_pool(self):
        lab = self.lab
        name = lab.a_volume("thin-pool")
        return (
            name
            and "lvchange "
            + lab.pick(
                "--discards ignore",
                "--discards nopassdown",
                "--discards passdown",
                "-Z n",
                "-Z y",
                "--errorwhenfull y",
                "--errorwhenfull n",
            )
            + f" vg/{name}"
        )

    def change_group(self):
        lab = self.lab
        return lab.pick(
            "vgchange --alloc cling vg",
            "vgchange --alloc anywhere vg",
            "vgchange --alloc normal vg",
            "vgchange --addtag g vg",
            "vgchange -x n vg",
            "vgchange -x y vg",
            "vgchange -l 20 vg",
            "vgchange -l 0 vg",
            "vgchange -s 512k vg",
            "vgchange -s 1m vg",
            "vgchange -s 8m vg",
            f"pvchange -x n {lab.pick(*lab.disks)}",
            f"pvchange -x y {lab.pick(*lab.disks)}",
            f"pvchange -x y {' '.join(lab.disks)}",
            f"pvchange --addtag p {lab.pick(*lab.disks)}",
            f"vgreduce vg {lab.pick(*lab.disks)}",
            f"vgextend vg {lab.pick(*lab.disks)}",
            f"pvresize {lab.pick(*lab.disks)}",
            f"pvresize --setphysicalvolumesize {lab.number(40, 64)}m {lab.pick(*lab.disks)}",
        )

    # --- what clvm does not do ---

    def cache(self):
        lab = self.lab
        origin = lab.a_volume("striped", "raid1", "raid5", "thin-pool")
        if not origin:
            return None
        name = self.name()
        kind = lab.pick("pool", "vol")
        mode = lab.optional(
            60, "--cachemode writeback", "--cachemode writethrough", "--cachemode passthrough"
        )
        settings = lab.optional(
            40,
            "--cachesettings migration_threshold=4096",
            "--cachesettings 'migration_threshold=2048'",
            "--cachepolicy cleaner",
            "--cachepolicy mq",
            "--cachesettings 'sequential_threshold=10 random_threshold=5' --cachepolicy mq",
        )
        chunk = lab.optional(50, "-c 64k", "-c 128k", "-c 512k")
        if kind == "pool":
            return [
                f"lvcreate --type cache-pool -an -l {lab.number(8, 20)}{chunk}{mode}"
                f"{lab.optional(30, '--cachemetadataformat 1', '--cachemetadataformat 2')}"
                f" -n {name} vg",
                f"lvconvert --type cache --cachepool vg/{name}{settings} vg/{origin}",
            ]
        return [
            f"lvcreate -an -l {lab.number(8, 20)} -Wn -Zn -n {name} vg",
            f"lvconvert --type cache --cachevol vg/{name}{chunk}{mode}{settings} vg/{origin}",
        ]

    def writecache(self):
        lab = self.lab
        origin = lab.a_volume("striped", "raid1")
        if not origin:
            return None
        name = self.name()
        settings = lab.optional(
            50,
            "--cachesettings 'high_watermark=70 low_watermark=30'",
            "--cachesettings writeback_jobs=64",
            "--cachesettings 'autocommit_blocks=1000 autocommit_time=500'",
            "--cachesettings max_age=2000",
            "--cachesettings fua=1",
            "--cachesettings nofua=1",
            "--cachesettings 'metadata_only=1 pause_writeback=5'",
        )
        return [
            f"lvcreate -an -l {lab.number(2, 8)} -Wn -Zn -n {name} vg",
            f"lvconvert --type writecache --cachevol vg/{name} "
            f"--cachesettings block_size=4096{settings} vg/{origin}",
        ]

    def change_cache(self):
        lab = self.lab
        name = lab.a_volume("cache")
        return name and [
            "lvchange "
            + lab.pick(
                "--cachemode writethrough",
                "--cachemode writeback",
                "--cachepolicy cleaner",
                "--cachepolicy smq",
                "--cachesettings migration_threshold=1000",
                "--cachesettings ''",
            )
            + f" vg/{name}"
        ]

    def change_raid(self):
        lab = self.lab
        name = lab.a_volume("raid1", "raid5", "raid5_ls", "raid6", "raid6_zr", "raid10", "raid4")
        return name and [
            "lvchange "
            + lab.pick(
                "--minrecoveryrate 200",
                "--maxrecoveryrate 9000",
                f"--writemostly {lab.pick(*lab.disks)}:y",
                f"--writemostly {lab.pick(*lab.disks)}:t --writebehind 512",
                "--writebehind 300",
                "--resync",
            )
            + f" vg/{name}"
        ]

    def convert(self):
        lab = self.lab
        name = lab.a_volume(
            "striped",
            "raid1",
            "raid5",
            "raid5_ls",
            "raid6",
            "raid6_zr",
            "raid0",
            "raid0_meta",
            "raid4",
            "raid5_n",
            "raid10",
            "mirror",
            "raid6_n_6",
        )
        if not name:
            return None
        form = lab.pick(
            f"-m {lab.number(0, 3)}",
            "--type raid1 -m 1",
            "--type mirror -m 1",
            "--type raid5",
            "--type raid5_n",
            "--type raid6",
            "--type raid6_n_6",
            "--type raid4",
            "--type raid0_meta",
            "--type raid0",
            "--type striped",
            "--type raid10",
            f"--stripes {lab.number(2, 5)}",
            f"--stripes {lab.number(2, 4)} --stripesize 32k",
            "--type raid5_la",
            "-R 1m",
            "-R 64k",
            "--mirrorlog core",
            "--mirrorlog disk",
            "--splitmirrors 1 --trackchanges",
            f"--splitmirrors 1 -n {self.name()}",
            "--raidintegrity y",
            "--raidintegrity n",
        )
        commands = [f"lvchange -ay vg/{name}", f"lvconvert {form} vg/{name}"]
        return commands + ([commands[1]] if lab.chance(40) else [])

    def external_origin(self):
        lab = self.lab
        pool, origin = lab.a_volume("thin-pool"), lab.a_volume("striped", "raid1", "mirror", "zero")
        if not pool or not origin:
            return None
        if lab.chance(40):
            return [
                f"lvconvert --type thin --thinpool vg/{pool} --originname {self.name()} vg/{origin}"
            ]
        return [
            f"lvchange -an vg/{origin}",
            f"lvchange -p r vg/{origin}",
            f"lvcreate -an -s -n {self.name()} --thinpool {pool} vg/{origin}",
        ]

    def convert_pool(self):
        lab = self.lab
        name = lab.a_volume("raid1", "raid5", "striped", "raid10")
        return name and [
            f"lvconvert --type thin-pool vg/{name}{lab.optional(40, '-c 256k', '-c 64k')}"
            f"{lab.optional(30, '-Zn')}"
        ]

    def merge(self):
        lab = self.lab
        group = (lab.group() or {}).get("logical_volumes", {})
        names = [
            volume["segment1"]["cow_store"]
            for volume in group.values()
            if volume["segment1"]["type"] == "snapshot" and "cow_store" in volume["segment1"]
        ]
        names += [
            name
            for name, volume in group.items()
            if "origin" in volume["segment1"] and volume["segment1"]["type"] == "thin"
        ]
        return names and [f"lvconvert --merge vg/{lab.random.choice(names)}"]

    def move(self):
        lab = self.lab
        return [f"pvmove -b -i 100{lab.optional(30, '--atomic')} {lab.pick(*lab.disks)}"]

    SHARED = {
        "plain": 10, "striped": 8, "virtual": 2, "mirror": 5, "raid": 12, "snapshot": 6,
        "thin_pool": 5, "thin": 6, "thin_snapshot": 4, "extend": 16, "extend_metadata": 2,
        "reduce": 8, "rename": 3, "remove": 4, "change": 6, "change_pool": 3, "change_group": 8,
        "virtual_snapshot": 1,
    }
    LVMS = {
        "integrity": 5, "cache": 10, "writecache": 6, "change_cache": 5, "change_raid": 8,
        "convert": 22, "external_origin": 6, "convert_pool": 4, "merge": 3, "move": 2,
    }

    def draw(self, weights):
        kinds = list(weights)
        for _ in range(20):
            kind = self.lab.random.choices(kinds, [weights[kind] for kind in kinds])[0]
            command = getattr(self, kind)()
            if command:
                return [command] if isinstance(command, str) else command
        return [self.plain()]
