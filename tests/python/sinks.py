"""Files other than zarr: numpy, csv, json, pyarrow read them; the values are those the input's own reader gives."""
import h5py
import scipy.io
import csv
import io
import json
import os
import subprocess

import numpy as np


def read_npz(data):
    with np.load(io.BytesIO(data), allow_pickle=False) as arrays:
        json.loads(str(arrays["metadata"]))
        return arrays["time"], arrays["signals"]


def read_npy(data):
    return None, np.load(io.BytesIO(data), allow_pickle=False)


def read_csv(data):
    rows = list(csv.reader(io.StringIO(data.decode("utf-8"))))
    table = np.array(rows[1:], "f8").T
    return table[0], table[1:]


def read_ndjson(data):
    rows = [list(json.loads(line).values()) for line in data.decode("utf-8").splitlines()]
    table = np.array(rows, "f8").T
    return table[0], table[1:]


def columns(table):
    values = [np.asarray(column, "f8") for column in table.columns]
    return values[0], np.array(values[1:])


def read_parquet(data):
    import pyarrow.parquet
    return columns(pyarrow.parquet.read_table(io.BytesIO(data)))


def read_arrow(data):
    import pyarrow
    return columns(pyarrow.ipc.open_stream(io.BytesIO(data)).read_all())


def read_mat(path, version):
    """Time, signals, channel names and source format, with the reader each version has."""
    if version == "5":
        m = scipy.io.loadmat(path)
        return m["time"].ravel(), m["signals"], [str(n[0]) for n in m["channel"].ravel()], str(m["metadata"]["source_format"][0, 0][0])
    with h5py.File(path) as f:
        text = lambda d: "".join(map(chr, d[...].ravel()))
        names = [text(f[r]) for r in f["channel"][...].ravel()]
        return f["time"][...].ravel(), f["signals"][...].T, names, text(f["metadata"]["source_format"])


READERS = {"npz": read_npz, "npy": read_npy, "csv": read_csv, "ndjson": read_ndjson, "parquet": read_parquet, "arrow": read_arrow}


def check_sinks(c, program, path, time, signals, root):
    """`time` and `signals` (channels x samples, physical) are another reader's."""
    for sink, read in READERS.items():
        with c.section(f"--to {sink}"):
            out = program.convert(path, "--to", sink)
            data = open(out, "rb").read()
            found_time, found = read(data)
            c.that("signals", found.shape == signals.shape and np.allclose(found, signals, rtol=1e-6, atol=1e-9), found.shape)
            c.that("time", found_time is None or np.allclose(found_time, time, rtol=0, atol=1e-9))
            piped = subprocess.run([*program.cli, "convert", path, "-o", "-", "--to", sink, "--quiet"], cwd=root,
                                   capture_output=True, timeout=120)
            c.equal("status of the pipe", piped.returncode, 0)
            again_time, again = read(piped.stdout)
            c.that("the same through a pipe", np.array_equal(again, found) and (again_time is None or np.array_equal(again_time, found_time)))
    for version in ("5", "7.3"):
        with c.section(f"--to mat, version {version}"):
            out = program.convert(path, "--to", "mat", "--mat-version", version, "--overwrite")
            found_time, found, names, source_format = read_mat(out, version)
            c.that("signals", found.shape == signals.shape and np.allclose(found, signals, rtol=1e-6, atol=1e-9), found.shape)
            c.that("time", np.allclose(found_time, time, rtol=0, atol=1e-9))
            c.equal("channels", len(names), len(signals))
            c.that("metadata", source_format in ("wav", "blackrock"), source_format)
    for sink, dtype in (("f32le", "<f4"), ("i16le", "<i2")):
        with c.section(f"--to {sink}, piped"):
            piped = subprocess.run([*program.cli, "convert", path, "-o", "-", "--to", sink, "--quiet"], cwd=root,
                                   capture_output=True, timeout=120)
            values = np.frombuffer(piped.stdout, dtype).reshape(-1, len(signals)).T
            c.equal("interleaved samples", values.shape, signals.shape)
            if sink == "f32le":
                c.that("physical values", np.allclose(values, signals, rtol=1e-6, atol=1e-9))
    with c.section("a pipe that is closed early"):
        command = " ".join([*program.cli, "convert", path, "-o", "-", "--to", "csv", "--quiet"])
        done = subprocess.run(["bash", "-c", f"{command} | head -n 2; exit ${{PIPESTATUS[0]}}"], cwd=root, capture_output=True, text=True)
        c.equal("status", done.returncode, 0)
        c.equal("errors", done.stderr, "")
        c.equal("lines", len(done.stdout.splitlines()), 2)


def physical(array):
    """Values of a zarr array, multiplied out."""
    values, scale = array[...], dict(array.attrs)
    if "scale_factor" in scale or "add_offset" in scale:
        return values.astype("f8") * scale.get("scale_factor", 1) + scale.get("add_offset", 0)
    return values


def alike(found, expected):
    if found.shape != expected.shape:
        return False
    if found.dtype.kind == "U":
        return [str(v) for v in found.ravel()] == [str(v) for v in np.ravel(expected)]
    return np.allclose(found.astype("f8"), expected.astype("f8"), rtol=1e-7, atol=1e-12, equal_nan=True)


def check_whole_file(c, program, path):
    """Every array of a file: npz holds what the store holds, Parquet and Arrow every recording and event table."""
    import pyarrow
    import pyarrow.parquet
    import zarr
    name = os.path.basename(path)
    with c.section(f"all arrays of {name}"):
        store = zarr.open_group(program.convert(path), mode="r")
        arrays = {key: array for key, array in store.members(max_depth=None) if isinstance(array, zarr.Array)}
        with np.load(program.convert(path, "--to", "npz"), allow_pickle=False) as npz:
            c.equal("names", sorted(npz.files), sorted([*arrays, "metadata"]))
            for key, array in arrays.items():
                c.that(key, alike(npz[key], physical(array)))
            metadata = json.loads(str(npz["metadata"]))
            c.equal("rates", metadata["attributes"]["sampling_frequency"], store.attrs["sampling_frequency"])
            c.equal("dimensions", [metadata["arrays"][k]["dims"] for k in arrays], [list(a.metadata.dimension_names) for a in arrays.values()])
        for sink in ("parquet", "arrow"):
            for out in program.convert_all(path, "--to", sink):
                table = pyarrow.parquet.read_table(out) if sink == "parquet" else pyarrow.ipc.open_stream(open(out, "rb")).read_all()
                about = json.loads(table.schema.metadata[b"sparc_fuse"])
                c.equal("original file", about["file"]["original_file_name"], name)
                c.equal("columns", [column["name"] for column in about["columns"]], table.column_names)
                group = about["table"].removesuffix("signals")
                if about["table"].startswith("events/"):
                    group += "/"
                elif about["table"].endswith("signals"):
                    rows = np.array([np.asarray(v, "f8") for v in table.columns[1:]])
                    c.that(f"{about['table']} in {sink}", alike(rows, physical(arrays[about["table"]])))
                times = np.asarray(table["time"], "f8")
                c.that(f"times of {about['table']} in {sink}", alike(times, arrays[f"{group}time"][...]))
