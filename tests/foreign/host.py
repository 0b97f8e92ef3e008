"""A host in another language: loads the component with wasmtime for Python and uses a store in a directory.

    python host.py COMPONENT DIR write    puts keys, closes the store
    python host.py COMPONENT DIR read     finds them again, in another process

Run by `cargo xtask ci`. Ends with a message and a code that is not zero if an answer is wrong.
"""

import sys
from pathlib import Path

import wasmtime
from wasmtime.component import Component, Linker, Record, Variant

STORE = "keelstone:store/store@0.1.0"
KEYS = [b"dune", b"emma", b"\x00\xff"]


class Host:
    """One instance of the component that sees one directory."""

    def __init__(self, component: Path, directory: Path):
        engine = wasmtime.Engine()
        self.store = wasmtime.Store(engine)
        config = wasmtime.WasiConfig()
        config.preopen_dir(str(directory), "store")
        self.store.set_wasi(config)
        linker = Linker(engine)
        linker.add_wasip2()
        self.loaded = Component.from_file(engine, str(component))
        self.instance = linker.instantiate(self.store, self.loaded)
        self.exports = self.instance.get_export_index(self.store, STORE)

    def call(self, name: str, *args):
        index = self.instance.get_export_index(self.store, name, self.exports)
        function = self.instance.get_func(self.store, index)
        result = function(self.store, *args)
        function.post_return(self.store)
        return unwrap(result)


def unwrap(result):
    """The value of a result; an error of the component ends the program."""
    if isinstance(result, Variant):
        if result.tag == "err":
            sys.exit(f"the component says: {result.payload.message}")
        return result.payload
    if isinstance(result, Record) and hasattr(result, "message"):
        sys.exit(f"the component says: {result.message}")
    return result


def record(**fields):
    made = Record()
    for name, value in fields.items():
        setattr(made, name.replace("_", "-"), value)
    return made


def options(mode: str):
    unset = ["layout", "value_bytes_max", "segment_bytes", "merge_dead_percent", "expiry_grace_ms",
             "reserve_bytes", "memory_budget", "memtable_bytes", "flush_memtables", "index_shards", "inline_work"]
    return record(mode=mode, seed=(7, 7), durability="durable", sync_every=(0, 0, 0), events=False,
                  **{name: None for name in unset})


def value(key: bytes) -> bytes:
    return b"value of " + key


def cut(values):
    """The values that were found, and None for keys that are not there."""
    rest = bytes(values.bytes)
    for found in values.found:
        if found is None:
            yield None
        else:
            yield rest[: found.length]
            rest = rest[found.length :]


def refused(host: Host, name: str, *args):
    """Calls with arguments that break a rule of the contract."""
    index = host.instance.get_export_index(host.store, name, host.exports)
    function = host.instance.get_func(host.store, index)
    result = function(host.store, *args)
    function.post_return(host.store)
    error = result.payload if isinstance(result, Variant) else result
    assert error.kind == "invalid" and error.subject == "bytes", error.message


def write(host: Host):
    db = host.call("[static]db.open", "store", options("create"))
    writes = [record(key_length=len(key), value_length=len(value(key)), expires_ms=None, range=False) for key in KEYS]
    batch = record(bytes=b"".join(key + value(key) for key in KEYS), writes=writes)
    sequence = host.call("[method]db.apply", db, batch, "durable")
    assert sequence == len(KEYS), sequence
    # Lengths that are not those of the bytes.
    for lengths in [[], [3], [5], [2**32 - 1]]:
        refused(host, "[method]db.get", db, record(bytes=b"four", lengths=lengths))
    for length in [1, 2**32 - 1]:
        wrong = record(key_length=4, value_length=length, expires_ms=None, range=False)
        refused(host, "[method]db.apply", db, record(bytes=b"four", writes=[wrong]), "durable")
    host.call("[method]db.close", db)
    print(f"written={sequence}")


def read(host: Host):
    db = host.call("[static]db.open", "store", options("existing"))
    wanted = [*KEYS, b"missing"]
    keys = record(bytes=b"".join(wanted), lengths=[len(key) for key in wanted])
    values = list(cut(host.call("[method]db.get", db, keys)))
    assert values == [*map(value, KEYS), None], values
    assert host.call("[method]db.len", db) == len(KEYS)
    host.call("[method]db.close", db)
    print(f"found={len(KEYS)}")


if __name__ == "__main__":
    component, directory, what = sys.argv[1:4]
    host = Host(Path(component), Path(directory))
    {"write": write, "read": read}[what](host)
