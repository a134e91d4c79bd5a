"""Files other than zarr: numpy, csv, json, pyarrow read them; the values are those the input's own reader gives."""
import h5py
import scipy.io
import csv
import io
import json
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
