"""Pools, caches and conversions of volumes that are not active, drawn by chance."""


class Conversions:
    """What `Script` draws beside its own when it is asked for conversions."""

    MODES = ["writeback", "writethrough", "passthrough"]

    CONVERSIONS = {
        "cache_pool": 4, "cached": 5, "uncached": 3, "pool_of_volume": 4, "thin_of_volume": 3,
        "swap_metadata": 2, "split_snapshot": 4, "convert_mirror": 4, "convert_raid": 2,
    }

    def cache_pool(self):
        lab = self.lab
        options = (
            lab.optional(40, "-c 64k", "-c 128k", "-c 96k", "-c 1m", "-c 20k")
            + lab.optional(40, *(f"--cachemode {mode}" for mode in self.MODES))
            + lab.optional(30, "--cachemetadataformat 1", "--cachemetadataformat 2")
            + lab.optional(
                25, "--cachesettings migration_threshold=4096", "--cachepolicy cleaner",
                "--cachepolicy mq")
            + lab.optional(25, *(f"--poolmetadatasize {size}" for size in ("4m", "9m", "1m")))
            + lab.optional(15, "--poolmetadataspare n")
            + lab.optional(15, "-r 64", "--addtag c", "--alloc cling")
        )
        return (
            f"lvcreate -an --type cache-pool -n {self.name()} {self.size()}{options}"
            f" vg{self.places()}")

    def cached(self):
        lab = self.lab
        pool = lab.a_volume("cache-pool")
        volume = lab.a_volume("striped", "raid1", "raid5", "raid10", "cache", "thin")
        settings = lab.optional(
            30, "--cachemode writeback", "--cachemode passthrough", "--cachepolicy cleaner",
            "--cachesettings migration_threshold=2048", "--cachemetadataformat 1")
        if volume and lab.chance(40):
            size = f"-l {lab.number(4, 12)}"
            return f"lvcreate --type cache {size} -n {self.name()}{settings} vg/{volume}"
        if not pool or not volume:
            return None
        return f"lvconvert --type cache --cachepool {pool}{settings} vg/{volume}"

    def uncached(self):
        name = self.lab.a_volume("cache")
        return name and f"lvconvert {self.lab.pick('--splitcache', '--uncache')} vg/{name}"

    def pool_of_volume(self):
        lab = self.lab
        name = lab.a_volume("striped", "raid1", "raid5", "cache")
        metadata = lab.a_volume("striped", "raid1")
        given = f" --poolmetadata {metadata}" if metadata and lab.chance(40) else ""
        return name and (f"lvconvert --type {lab.pick('thin-pool', 'cache-pool')}{given}"
                         f"{lab.optional(30, '-c 64k', '-c 256k')}"
                         f"{lab.optional(15, '--poolmetadataspare n')} vg/{name}")

    def thin_of_volume(self):
        lab = self.lab
        pool, name = lab.a_volume("thin-pool"), lab.a_volume("striped", "raid1", "thin")
        return pool and name and (f"lvconvert --type thin --thinpool {pool}"
                                  f"{lab.optional(50, f'--originname {self.name()}')} vg/{name}")

    def swap_metadata(self):
        lab = self.lab
        pool, name = lab.a_volume("thin-pool", "cache-pool"), lab.a_volume("striped")
        return pool and name and f"lvconvert --swapmetadata --poolmetadata {name} vg/{pool}"

    def split_snapshot(self):
        lab = self.lab
        group = (lab.group() or {}).get("logical_volumes", {})
        stores = [volume["segment1"]["cow_store"] for volume in group.values()
                  if "cow_store" in volume["segment1"]]
        name = lab.random.choice(stores) if stores and lab.chance(60) else lab.a_volume()
        other = lab.a_volume("striped", "raid1")
        if name and other and lab.chance(40):
            options = lab.optional(40, "-c 8k", "-c 3k") + lab.optional(30, "-Zn")
            return f"lvconvert -s{options} vg/{other} {name}"
        return name and f"lvconvert --splitsnapshot vg/{name}"

    def convert_mirror(self):
        lab = self.lab
        name = lab.a_volume("mirror", "mirror", "striped")
        return name and "lvconvert " + lab.pick(
            "-m 0", "-m 1", "--mirrorlog core", "--mirrorlog disk", "--type mirror -m 1",
            "--type mirror -m 2 --mirrorlog core") + f" vg/{name}"

    def convert_raid(self):
        lab = self.lab
        name = lab.a_volume("raid1", "raid5", "raid5_ls", "raid6", "raid10", "raid0")
        return name and "lvconvert " + lab.pick(
            "-m 0", "-m +1", "--type striped", "--type raid5", "--repair",
            f"--replace {lab.pick(*lab.disks)}", "-R 1m") + f" vg/{name}"
