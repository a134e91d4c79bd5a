#!/usr/bin/env python3
"""Open references with fsspec, zarr-python and xarray, and compare them with the files they refer to.

    references.py [--cli "deno run -A cli.ts"] [--corpus ../shared/corpus] [--formats wav tiff ...] [--verbose]

HDF5, TIFF and zip files are made here with h5py, tifffile and zipfile, and read by them for comparison. With
--corpus, every case of the named formats is referred to and converted as well, and both must hold the same
values. Prints a line a section and `N passed, N failed`; exit 1 when a check failed.
"""
import argparse
import gc
import glob
import json
import os
import shlex
import subprocess
import sys
import tempfile
import warnings
import zipfile

warnings.simplefilter("ignore")
import fsspec
import numpy as np
import xarray as xr
import zarr

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from checks import Checks

ROOT = os.path.normpath(os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", ".."))
KINDS = {"kerchunk": "json", "kerchunk-parquet": "parquet"}


class Program:
    """The command line under test."""

    def __init__(self, cli, folder):
        self.cli, self.folder, self._runs = cli, folder, 0

    def run(self, *args, timeout=900):
        return subprocess.run([*self.cli, *args], cwd=ROOT, capture_output=True, text=True, timeout=timeout)

    def output(self):
        self._runs += 1
        return os.path.join(self.folder, f"out{self._runs}")

    def refs(self, path, kind="kerchunk", *flags):
        """Refers to one file: the output's path, and what was said."""
        out = self.output()
        done = self.run("refs", path, "--to", kind, "-o", out, *flags)
        if done.returncode:
            raise RuntimeError(f"refs: status {done.returncode}: {done.stderr.strip()[-400:]}")
        (name,) = os.listdir(out)
        return os.path.join(out, name), done.stderr

    def convert_many(self, paths, *flags):
        """Converts files in one go: the report's row of each."""
        out = self.output()
        # A second input makes it a job with a report.
        self.run("convert", *paths, *([] if len(paths) > 1 else [os.devnull]), "-o", out, "--quiet", *flags)
        rows = json.load(open(os.path.join(out, "report.json")))["files"]
        return {row["uri"]: row for row in rows}


def opened(path, **options):
    """The group of a reference file, or folder, through fsspec."""
    return zarr.open_group("reference://", storage_options={"fo": path, **options}, mode="r", zarr_format=2)


def arrays_of(group):
    return {name: a for name, a in group.members(max_depth=None) if isinstance(a, zarr.Array)}


def groups_of(path):
    """The groups of a reference file or folder, by path, with a way to xarray's dataset of each."""
    if os.path.isdir(path):
        for index in glob.glob(f"{path}/**/.zmetadata", recursive=True):
            folder = os.path.dirname(index)
            # The root may name everything below it; only then the protocol has to be told.
            nested = any(k.count("/") > 1 for k in json.load(open(index))["metadata"])
            options = {"remote_protocol": "file"} if nested else {}
            yield ("" if folder == path else os.path.relpath(folder, path), opened(folder, **options),
                   lambda: xr.open_dataset(folder, engine="kerchunk", storage_options=options))
        return
    group = opened(path)
    yield "", group, lambda: xr.open_dataset(path, engine="kerchunk")
    # Through the kerchunk engine, zarr-python before 3.2 lists nothing below the root of references.
    for name in (n for n, m in group.members(max_depth=None) if isinstance(m, zarr.Group)):
        yield name, group[name], lambda: xr.open_zarr(
            "reference://", storage_options={"fo": path}, group=name, consolidated=True, zarr_format=2, chunks=None)


def referred(path):
    """All arrays of a reference file or folder, by path."""
    return {f"{name}/{key}".lstrip("/"): array for name, group, _ in groups_of(path) for key, array in group.arrays()}


def dims_of(array):
    if array.metadata.zarr_format == 2:
        return list(array.attrs["_ARRAY_DIMENSIONS"])
    return list(array.metadata.dimension_names)


def in_order(found, name, dims):
    """Values of a referenced array in the order of dimensions the store has them in."""
    values, own = found[...], dims_of(found)
    # Where a group knows a name with another length, the array's own name is behind it.
    last = name.split("/")[-1]
    own = [d[: -len(last) - 1] if d.endswith(f"_{last}") and d not in dims else d for d in own]
    if own[-1:] == ["word"] and "word" not in dims:
        values, own = values[..., 0], own[:-1]
    if sorted(own) != sorted(dims):
        raise ValueError(f"dimensions {own}, expected {dims}")
    return np.transpose(values, [own.index(d) for d in dims])


def scales_of(array, name, arrays, dims):
    """Gain and offset of an array, shaped to be multiplied with it; None where there are none."""
    if f"{name}_gain" in arrays:
        shape = [-1 if d == "channel" else 1 for d in dims]
        return [arrays[f"{name}_{k}"][...].reshape(shape) for k in ("gain", "offset")]
    attrs = array.attrs
    if "scale_factor" not in attrs and "add_offset" not in attrs:
        return None
    return [attrs.get("scale_factor", 1.0), attrs.get("add_offset", 0.0)]


def physical(values, scales):
    return values if scales is None else values.astype("f8") * scales[0] + scales[1]


def same_values(found, expected, steps):
    if expected.dtype.kind in "OUST":
        return found.shape == expected.shape and found.tolist() == expected.tolist()
    if found.shape != expected.shape:
        return False
    if steps is None:
        return found.dtype.newbyteorder("=") == expected.dtype.newbyteorder("=") and np.array_equal(
            found, expected, equal_nan=found.dtype.kind in "fc")
    bound = np.maximum(np.abs(steps) * 1e-3, np.abs(expected) * 3e-7)
    return bool((np.abs(found - expected) <= bound).all() or np.array_equal(found, expected, equal_nan=True))


def compare(c, path, store):
    """Every array of the references against the array of the store."""
    found, stored = referred(path), arrays_of(zarr.open_group(store, mode="r"))
    compared = 0
    for name, array in found.items():
        if name not in stored:
            c.that(f"{name} is an array of the store", name.endswith(("_gain", "_offset")))
            continue
        other = stored[name]
        dims = dims_of(other)
        ours, theirs = scales_of(array, name, found, dims), scales_of(other, name, stored, dims)
        values = in_order(array, name, dims)
        steps = None if ours is None and theirs is None else 1.0 if ours is None else ours[0]
        good = same_values(physical(values, ours), physical(other[...], theirs), steps)
        c.that(f"{name} has the store's values", good)
        compared += 1
    named = sum(len(open_dataset().variables) for _, _, open_dataset in groups_of(path))
    c.equal("xarray opens every array", named, len(found))
    return compared


def inside(path):
    """The part of a reference document's chunks that are ranges, and the files they are in."""
    refs = json.load(open(path))["refs"]
    ranges = [v for v in refs.values() if isinstance(v, list)]
    return refs, ranges


HDF5_CHUNKED = {
    "gzip": dict(compression="gzip", compression_opts=5),
    "gzip_shuffle": dict(compression="gzip", shuffle=True),
    "gzip_shuffle_fletcher": dict(compression="gzip", shuffle=True, fletcher32=True),
    "fletcher": dict(fletcher32=True),
    "shuffle": dict(shuffle=True),
    "none": dict(),
}


def write_hdf5(path):
    import h5py
    from h5py import h5d, h5p, h5s, h5t
    rng = np.random.default_rng(7)
    values = {}
    with h5py.File(path, "w") as f:
        for dtype in ("<i2", ">i4", "<u8", "<f4", ">f8", "<c8", "?"):
            data = (rng.normal(size=(70, 33)) * 50).astype(dtype)
            for name, options in HDF5_CHUNKED.items():
                key = f"{name}_{dtype.strip('<>?') or 'bool'}"
                f.create_dataset(key, data=data, chunks=(16, 10), **options)
                values[key] = data
            key = f"contiguous_{dtype.strip('<>?') or 'bool'}"
            f.create_dataset(key, data=data)
            values[key] = data
        sparse = f.create_dataset("sparse", (64, 64), "f4", chunks=(16, 16), fillvalue=-7.5, compression="gzip")
        sparse[16:32, 16:32] = 3
        zeros = f.create_dataset("sparse_zeros", (64,), "i4", chunks=(16,))
        zeros[3:5] = 9
        wide = f.create_dataset("sparse_wide", (64,), "i8", chunks=(16,), fillvalue=2**62 + 1)
        wide[3:5] = 9
        for key in ("sparse", "sparse_zeros", "sparse_wide"):
            values[key] = f[key][...]
        big = np.arange(3_000_000, dtype="<f8").reshape(-1, 3)
        f.create_dataset("bands", data=big)
        values["bands"] = big
        plist = h5p.create(h5p.DATASET_CREATE)
        plist.set_layout(h5d.COMPACT)
        small = np.arange(40, dtype="<i2")
        space = h5s.create_simple((40,))
        dataset = h5d.create(f.id, b"compact", h5t.NATIVE_INT16, space, plist)
        dataset.write(h5s.ALL, h5s.ALL, small)
        values["compact"] = small
        # A chunk that skipped its filter.
        skipped = f.create_dataset("skipped", (40,), "<i4", chunks=(10,), compression="gzip")
        skipped[...] = np.arange(40)
        skipped.id.write_direct_chunk((10,), np.arange(100, 110, dtype="<i4").tobytes(), filter_mask=1)
        values["skipped"] = np.arange(40, dtype="<i4")
        values["skipped"][10:20] = np.arange(100, 110)
        # Long enough not to be kept as values.
        f.create_dataset("lzf", data=np.arange(300_000, dtype="i4"), chunks=(10000,), compression="lzf")
        f.create_dataset("scaleoffset", data=np.arange(300_000, dtype="i4"), chunks=(10000,), scaleoffset=0)
        f.create_dataset("pair", data=np.zeros(30, [("a", "<i4"), ("b", "<f8")]), chunks=(10,))
    return values


def check_hdf5(c, program, folder):
    path = os.path.join(folder, "filters.h5")
    values = write_hdf5(path)
    for kind in KINDS:
        with c.section(f"HDF5, every filter ({kind})"):
            out, said = program.refs(path, kind)
            found = referred(out)
            names = {name.split("/")[-1]: a for name, a in found.items()}
            for key, data in values.items():
                if key not in names:
                    c.that(f"{key} is referred to", False, said[-300:])
                    continue
                read = names[key][...]
                c.that(f"{key}: values", read.dtype.newbyteorder("=") == data.dtype.newbyteorder("=")
                       and np.array_equal(read, data), f"{read.dtype} {read.shape}")
            for key in ("lzf", "scaleoffset", "pair"):
                c.that(f"{key} is left out", not any(key in name.split("/") for name in found))
                c.that(f"{key} is spoken of", f"/{key}" in said or f" {key}" in said, said[-300:])
            if kind == "kerchunk":
                refs, ranges = inside(out)
                c.that("ranges of this file", {r[0] for r in ranges} == {f"file://{path}"})
                kept = [k for k, v in refs.items() if "skipped/" in k and "/.z" not in k and isinstance(v, str)]
                c.equal("only the odd chunk is kept inside", len(kept), 1)


def check_against_kerchunk(c, program, folder):
    """kerchunk's own references of the same file hold the same values."""
    from kerchunk.hdf import SingleHdf5ToZarr
    path = os.path.join(folder, "filters.h5")
    with c.section("HDF5, beside kerchunk's own"):
        # kerchunk holds h5py's lock while zarr's thread works; collecting an h5py object there would wait for ever.
        gc.collect()
        gc.disable()
        own = SingleHdf5ToZarr(path, error="ignore").translate()
        gc.enable()
        theirs = arrays_of(zarr.open_group("reference://", storage_options={"fo": own}, mode="r", zarr_format=2))
        out, _ = program.refs(path)
        ours = {name.split("/")[-1]: a for name, a in referred(out).items()}
        for name, array in theirs.items():
            if name in ours and array.dtype.kind in "iufcb":
                c.that(name, np.array_equal(array[...], ours[name][...]))
        c.that("nothing numeric less than kerchunk refers to",
               not [n for n, a in theirs.items() if n not in ours and a.dtype.kind in "iufcb" and n != "scaleoffset"])


def check_tiff(c, program, folder):
    import tifffile
    rng = np.random.default_rng(3)
    grey = rng.integers(0, 60000, (300, 400), dtype=np.uint16)
    colour = rng.integers(0, 255, (300, 400, 3), dtype=np.uint8)
    stack = rng.integers(0, 60000, (3, 2, 130, 128), dtype=np.uint16)
    cases = {
        "plain strips": (grey, dict()),
        "big-endian": (grey, dict(byteorder=">")),
        "deflate tiles": (grey, dict(tile=(128, 128), compression="deflate")),
        "big-endian deflate tiles": (grey, dict(tile=(128, 128), compression="deflate", byteorder=">")),
        "deflate strips, the last one short": (grey, dict(rowsperstrip=64, compression="deflate")),
        "zstd strips, the last one short": (grey, dict(rowsperstrip=64, compression="zstd")),
        "floats": (grey.astype("f4") / 3, dict(tile=(64, 64))),
        "colour": (colour, dict(photometric="rgb")),
        "colour, deflate tiles": (colour, dict(photometric="rgb", tile=(128, 128), compression="deflate")),
        "colour, deflate strips": (colour, dict(photometric="rgb", rowsperstrip=64, compression="deflate")),
        "planes of colour": (np.moveaxis(colour, 2, 0), dict(photometric="rgb", planarconfig="separate")),
        "BigTIFF": (grey, dict(bigtiff=True, tile=(256, 256))),
        "OME stack": (stack, dict(ome=True, metadata={"axes": "TCYX"}, photometric="minisblack")),
    }
    for name, (data, options) in cases.items():
        with c.section(f"TIFF, {name}"):
            path = os.path.join(folder, name.replace(" ", "-").replace(",", "") + ".tif")
            tifffile.imwrite(path, data, **options)
            out, _ = program.refs(path)
            array = opened(out)["0"]
            values, dims = array[...], dims_of(array)
            # Our order is t c z y x; colours that lie interleaved stay behind.
            expected = data if data.ndim != 3 or dims[-1] == "c" or data.shape[0] == 3 else np.moveaxis(data, 2, 0)
            c.that("values", np.array_equal(values, expected), f"{values.shape} {dims}")
            dataset = xr.open_dataset(out, engine="kerchunk")
            c.that("xarray", np.array_equal(dataset["0"].values, expected))
            c.equal("multiscales only where the axes are OME-Zarr's",
                    "multiscales" in dataset.attrs, dims[-1] == "x")
    with c.section("TIFF, left out"):
        path = os.path.join(folder, "lzw.tif")
        tifffile.imwrite(path, grey, compression="lzw", predictor=True)
        done = program.run("refs", path, "-o", program.output())
        c.equal("status", done.returncode, 1)
        c.that("says why", "LZW" in done.stderr and "Convert it instead" in done.stderr, done.stderr)


def check_recordings(c, program, folder):
    samples = os.path.join(folder, "samples")
    subprocess.run([program.cli[0], "run", "-A", "tests/support/sample-files.ts", samples], cwd=ROOT, check=True)
    paths = [os.path.join(samples, p) for p in ("tone.wav", "mixed.rhd", "set/rec.ns5", "pause.ns2", "two-rates.acq")]
    with c.section("recordings"):
        stores = program.convert_many(paths)
        for kind in KINDS:
            for uri, row in program.convert_many(paths, "--to", kind).items():
                if row["status"] != "ok":
                    if uri in paths:
                        c.that(f"{os.path.basename(uri)} says why not", "referred" in row["error"]["message"], row)
                    continue
                c.that(f"{os.path.basename(uri)}: arrays compared", compare(c, row["output"], stores[uri]["output"]) > 0)


def check_places(c, program, folder):
    """Members of archives, other addresses, names no URL would take."""
    import wave
    path = os.path.join(folder, "a b #1 %20.wav")
    samples = np.arange(40000, dtype="<i2").reshape(-1, 2)
    with wave.open(path, "wb") as file:
        file.setnchannels(2), file.setsampwidth(2), file.setframerate(8000), file.writeframes(samples.tobytes())
    with c.section("a name with blanks and signs"):
        for kind in KINDS:
            out, _ = program.refs(path, kind)
            c.that(f"values ({kind})", np.array_equal(opened(out)["signals"][...], samples))
    with c.section("members of a zip archive"):
        archive = os.path.join(folder, "both.zip")
        with zipfile.ZipFile(archive, "w") as file:
            file.write(path, "in/stored.wav", zipfile.ZIP_STORED)
            file.write(path, "in/packed.wav", zipfile.ZIP_DEFLATED)
        out, _ = program.refs(f"{archive}!/in/stored.wav")
        c.that("a stored member is a range of the archive", np.array_equal(opened(out)["signals"][...], samples))
        c.equal("address", {r[0] for r in inside(out)[1]}, {f"file://{archive}"})
        done = program.run("refs", f"{archive}!/in/packed.wav", "-o", program.output())
        c.that("a packed member is refused", done.returncode == 1 and "compressed inside" in done.stderr, done.stderr)
    with c.section("another address"):
        out, _ = program.refs(path, "kerchunk", "--base-url", "memory://published/")
        c.equal("address", {r[0] for r in inside(out)[1]}, {"memory://published/a b #1 %20.wav"})
        with fsspec.open("memory://published/a b #1 %20.wav", "wb") as file:
            file.write(open(path, "rb").read())
        c.that("values", np.array_equal(opened(out)["signals"][...], samples))
    with c.section("standard output"):
        done = program.run("convert", path, "--to", "kerchunk", "-o", "-", "--quiet")
        c.that("the same document", json.loads(done.stdout)["refs"]["signals/.zarray"]
               == inside(program.refs(path)[0])[0]["signals/.zarray"])


def check_corpus(c, program, corpus, formats, verbose):
    """References and stores of every case hold the same values."""
    reasons = {}
    for name in formats:
        cases = {}
        for case in sorted(glob.glob(f"{corpus}/{name}/*/expected.json")):
            expected = json.load(open(case))
            if not expected.get("must_fail") and not expected.get("expect_error"):
                main = os.path.abspath(os.path.join(os.path.dirname(case), expected["main"]))
                cases[main] = os.path.basename(os.path.dirname(case))
        if not cases:
            continue
        with c.section(f"corpus, {name} ({len(cases)} cases)"):
            stores = program.convert_many(list(cases))
            rows = {kind: program.convert_many(list(cases), "--to", kind) for kind in KINDS}
            compared = 0
            for path, case in cases.items():
                store = stores.get(path, {})
                if store.get("status") != "ok":
                    # Whether a case converts at all is judged by the corpus run, not here.
                    continue
                for kind in KINDS:
                    row = rows[kind].get(path, {})
                    why = (row.get("error") or {}).get("message", "")
                    if row.get("status") != "ok":
                        c.that(f"{case}: {kind}, or a reason", "referred" in why, row)
                        reasons.setdefault(f"{name}: {why.split(': ', 1)[-1]}"[:300], []).append(case)
                        continue
                    for warning in row["warnings"]:
                        if "is not referred to" in warning:
                            reasons.setdefault(f"{name}: {warning}"[:300], []).append(case)
                    try:
                        compared += compare(c, row["output"], store["output"])
                    except Exception as error:
                        c.that(f"{case}: {kind} opens", False, f"{type(error).__name__}: {str(error)[:300]}")
            print(f"     {name}: {compared} arrays compared", flush=True)
    if verbose:
        for reason, cases in sorted(reasons.items()):
            print(f"  - {reason} [{len(cases)}: {', '.join(cases[:3])}]")


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--cli", default="deno run -A cli.ts")
    parser.add_argument("--corpus")
    parser.add_argument("--formats", nargs="*", default=[])
    parser.add_argument("--verbose", action="store_true", help="also list what is not referred to, and why")
    parser.add_argument("--only-corpus", action="store_true")
    options = parser.parse_args()
    c = Checks()
    with tempfile.TemporaryDirectory(prefix="sparc-fuse-") as folder:
        program = Program(shlex.split(options.cli), folder)
        if not options.only_corpus:
            check_hdf5(c, program, folder)
            check_against_kerchunk(c, program, folder)
            check_tiff(c, program, folder)
            check_recordings(c, program, folder)
            check_places(c, program, folder)
        if options.corpus:
            check_corpus(c, program, options.corpus, options.formats, options.verbose)
    print(f"{c.passed} passed, {c.failed} failed")
    return 1 if c.failed else 0


if __name__ == "__main__":
    sys.exit(main())
