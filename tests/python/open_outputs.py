#!/usr/bin/env python3
"""Open what the program writes with the libraries people use, and compare with other readers of the same files.

    open_outputs.py [--cli "deno run -A cli.ts"] [--corpus ../shared/corpus] [--formats wav tiff ...]

Sample recordings come from tests/support/sample-files.ts, images from tifffile. With --corpus, every case
of the named formats is converted as well, and every group of every store is opened with xarray.
Prints a line a section and `N passed, N failed`; exit 1 when a check failed.
"""
import argparse
import glob
import json
import os
import shlex
import shutil
import signal
import struct
import subprocess
import sys
import tempfile
import time
import warnings
import wave

warnings.simplefilter("ignore")
import numpy as np
import xarray as xr
import zarr

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import images
import sinks
from checks import Checks

ROOT = os.path.normpath(os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", ".."))


class Unconverted(RuntimeError):
    """The program ended with a status other than 0."""


class Program:
    """The command line under test."""

    def __init__(self, cli, folder):
        self.cli, self.folder, self._runs = cli, folder, 0

    def run(self, *args):
        return subprocess.run([*self.cli, *args], cwd=ROOT, capture_output=True, text=True, timeout=300)

    def convert(self, path, *flags):
        """Converts one file and gives the path of its store."""
        outputs = self.convert_all(path, *flags)
        if len(outputs) != 1:
            raise RuntimeError(f"convert wrote {outputs}")
        return outputs[0]

    def convert_all(self, path, *flags):
        """Converts one file and gives the paths of all its outputs."""
        self._runs += 1
        out = os.path.join(self.folder, f"out{self._runs}")
        done = self.run("convert", path, "--output-dir", out, "--quiet", *flags)
        if done.returncode:
            raise Unconverted(f"convert {' '.join(flags)}: status {done.returncode}: {done.stderr.strip()[-400:]}")
        # Raw samples bring a description along.
        return sorted(os.path.join(out, name) for name in os.listdir(out) if not name.endswith(".json"))


def opened(store, **options):
    """xarray's dataset of a folder or a zip."""
    if store.endswith(".zip"):
        store = zarr.storage.ZipStore(store, mode="r")
    return xr.open_zarr(store, consolidated=True, chunks=None, **options)


def members(group):
    return {name: type(member).__name__ for name, member in group.members(max_depth=None)}


def check_structure(c, store, version):
    """Consolidated metadata tell of the same members as the tree itself, and every array reads."""
    with_index = zarr.open_consolidated(store, mode="r")
    without = zarr.open_group(store, mode="r", use_consolidated=False)
    c.equal("zarr version", with_index.metadata.zarr_format, version)
    c.equal("consolidated members", members(with_index), members(without))
    for name, array in without.members(max_depth=None):
        if isinstance(array, zarr.Array):
            values = array[...]
            c.equal(f"{name} reads", np.shape(values), array.shape)
            dims = array.metadata.dimension_names if version == 3 else array.attrs.get("_ARRAY_DIMENSIONS")
            c.equal(f"{name} has named dimensions", len(dims or ()), array.ndim)


def check_time(c, dataset, rate):
    """`segments` describe the time axis: runs at the rate, jumps between them."""
    t, segments = dataset["time"].values, dataset.attrs["segments"]
    c.that("time is in seconds, float64", t.dtype == np.float64 and dataset["time"].attrs.get("units") == "s")
    c.equal("segments cover the samples", sum(s["length"] for s in segments), len(t))
    for s in segments:
        run = t[s["start_index"]:s["start_index"] + s["length"]]
        c.that("a segment starts at its time", abs(run[0] - s["start_time"]) < 1e-9, run[0])
        expected = s["start_time"] + np.arange(len(run)) / rate
        c.that("a segment runs at the rate", np.allclose(run, expected, rtol=0, atol=1e-9))
    c.that("time goes on", bool(np.all(np.diff(t) > 0)))


def check_wav(c, program, path):
    with wave.open(path) as file:
        raw = np.frombuffer(file.readframes(file.getnframes()), "<i2").reshape(-1, file.getnchannels()).T
        rate = file.getframerate()
    variants = {
        "defaults": [],
        "v2": ["--zarr-format", "2"],
        "zip": ["--to", "zarr.zip"],
        "zip of v2": ["--to", "zarr.zip", "--zarr-format", "2"],
        "zstd in shards": ["--compressor", "zstd:3", "--chunk-bytes", "8KiB", "--shard-bytes", "64KiB"],
        "gzip": ["--compressor", "gzip:4", "--chunk-bytes", "8KiB"],
        "no compressor": ["--compressor", "none"],
        "shards": ["--chunk-bytes", "4KiB", "--shard-bytes", "16KiB"],
        "v2 zstd": ["--zarr-format", "2", "--compressor", "zstd", "--chunk-bytes", "4KiB"],
    }
    for name, flags in variants.items():
        with c.section(f"wav, {name}"):
            store = program.convert(path, *flags)
            version = 2 if "--zarr-format" in flags else 3
            folder = zarr.storage.ZipStore(store, mode="r") if store.endswith(".zip") else store
            check_structure(c, folder, version)
            stored = xr.open_zarr(folder, consolidated=True, chunks=None, mask_and_scale=False)
            values = stored["signals"].values
            c.that("samples bit for bit", values.dtype == np.int16 and np.array_equal(values, raw))
            dataset = opened(store)
            physical = dataset["signals"].values
            c.that("no sample is masked", not np.isnan(physical.astype("f8")).any())
            c.equal("zeros stay zeros", int((physical == 0).sum()), int((raw == 0).sum()))
            c.equal("dimensions", dataset["signals"].dims, ("channel", "time"))
            c.equal("rate", dataset.attrs["sampling_frequency"], rate)
            check_time(c, dataset, rate)
            if "--shard-bytes" in flags:
                array = zarr.open_group(folder, mode="r")["signals"]
                c.that("stored in shards", array.shards is not None and array.shards != array.chunks, array.shards)
                c.that("a slice", np.array_equal(array[1, 4000:4321], raw[1, 4000:4321]))
    with c.section("wav, a part of it"):
        store = program.convert(path, "--from", "0.5", "--until", "1.25", "--channels", "1")
        dataset = opened(store, mask_and_scale=False)
        c.that("samples", np.array_equal(dataset["signals"].values, raw[1:2, int(0.5 * rate):int(1.25 * rate)]))


def neo_streams(reader):
    """Each stream of a neo reader: name, channel names, rate, and per segment start and physical values."""
    reader.parse_header()
    header = reader.header
    for index, stream in enumerate(header["signal_streams"]):
        channels = header["signal_channels"][header["signal_channels"]["stream_id"] == stream["id"]]
        runs = []
        for segment in range(header["nb_segment"][0]):
            raw = reader.get_analogsignal_chunk(0, segment, stream_index=index)
            gain, offset = channels["gain"].astype("f8"), channels["offset"].astype("f8")
            runs.append((reader.get_signal_t_start(0, segment, index), raw.T.astype("f8") * gain[:, None] + offset[:, None]))
        yield stream["name"], list(channels["name"]), float(channels["sampling_rate"][0]), runs


def check_against_neo(c, dataset, names, rate, runs, steps=1e-9):
    """Signals, names, rate and segments of a group against neo's."""
    signals = dataset["signals"]
    c.equal("channel names", [str(n) for n in dataset["channel"].values], names)
    c.that("rate", abs(dataset.attrs["sampling_frequency"] - rate) < 1e-6 * rate, dataset.attrs["sampling_frequency"])
    c.equal("segments", [s["length"] for s in dataset.attrs["segments"]], [r.shape[1] for _, r in runs])
    for (start, values), s in zip(runs, dataset.attrs["segments"]):
        part = signals.values[:, s["start_index"]:s["start_index"] + s["length"]].astype("f8")
        c.that("physical values", part.shape == values.shape and np.allclose(part, values, rtol=0, atol=steps),
               f"largest difference {np.abs(part - values).max() if part.shape == values.shape else part.shape}")
        c.that("start of the segment", abs(s["start_time"] - (start - runs[0][0])) < 1e-9, f"{s['start_time']} and {start}")
    check_time(c, dataset, dataset.attrs["sampling_frequency"])


def check_intan(c, program, path):
    from neo.rawio import IntanRawIO
    groups = {"RHD2000 amplifier channel": "amplifier", "RHD2000 auxiliary input channel": "auxiliary",
              "RHD2000 supply voltage channel": "supply", "USB board ADC input channel": "analog_in",
              "USB board digital input channel": "digital_in"}
    units = {"amplifier": "uV", "auxiliary": "V", "supply": "V", "analog_in": "V"}
    streams = list(neo_streams(IntanRawIO(path)))
    for flags in ([], ["--zarr-format", "2"], ["--to", "zarr.zip"]):
        with c.section(f"several clocks (Intan) {' '.join(flags)}"):
            store = program.convert(path, *flags)
            location = zarr.storage.ZipStore(store, mode="r") if flags[-1:] == ["zarr.zip"] else store
            check_structure(c, location, 2 if flags[-1:] == ["2"] else 3)
            tree = xr.open_datatree(location, engine="zarr", chunks=None)
            for stream, names, rate, runs in streams:
                group = groups[stream]
                dataset = xr.open_zarr(location, group=group, consolidated=True, chunks=None)
                if group != "digital_in":
                    check_against_neo(c, dataset, names, rate, runs, steps=1e-6)
                    c.equal("units", dataset["signals"].attrs["units"], units[group])
                else:
                    c.that("levels of the lines", np.array_equal(dataset["signals"].values, runs[0][1] != 0))
                c.that(f"{group} in the tree", np.array_equal(tree[group]["signals"].values, dataset["signals"].values))
            lines = dict(zip(*[(s[1], s[3][0][1]) for s in streams if groups[s[0]] == "digital_in"][0]))
            rate = streams[0][2]
            for name, level in lines.items():
                changes = np.flatnonzero(np.diff(level)) + 1
                times = tree[f"events/{name}"]["time"]
                c.equal(f"{name}: edges have their own dimension", times.dims, ("event",))
                c.that(f"{name}: times of the edges", np.allclose(times.values, changes / rate, rtol=0, atol=1e-9))
                labels = ["rise" if level[i] else "fall" for i in changes]
                c.equal(f"{name}: labels", list(tree[f"events/{name}"]["label"].values), labels)
                c.equal(f"{name}: level at the start", tree[f"events/{name}"].attrs["initial_level"], int(level[0]))


def nev_spikes(path):
    """Time stamps, electrodes, units and waveforms (counts) of a NEV 2.3 file, read by its specification."""
    data = open(path, "rb").read()
    header, packet, resolution = struct.unpack_from("<III", data, 12)
    stamps, electrodes, units, shapes = [], [], [], []
    for at in range(header, len(data) - packet + 1, packet):
        tick, identity = struct.unpack_from("<IH", data, at)
        if 1 <= identity <= 2048:
            stamps.append(tick / resolution)
            electrodes.append(identity)
            units.append(data[at + 6])
            shapes.append(np.frombuffer(data, "<i2", (packet - 8) // 2, at + 8))
    return np.array(stamps), electrodes, units, np.array(shapes)


def check_blackrock(c, program, folder):
    from neo.rawio import BlackrockRawIO
    for flags in ([], ["--zarr-format", "2"]):
        with c.section(f"a set with spikes and a pause (Blackrock) {' '.join(flags)}"):
            store = program.convert(f"{folder}/set/rec.ns5", *flags)
            check_structure(c, store, 2 if flags else 3)
            (_, names, rate, runs), = neo_streams(BlackrockRawIO(f"{folder}/set/rec", load_nev=False))
            dataset = opened(store)
            check_against_neo(c, dataset, names, rate, runs, steps=1e-6)
            c.equal("units", dataset["signals"].attrs["units"], "uV")
            times, electrodes, units, shapes = nev_spikes(f"{folder}/set/rec.nev")
            spikes = xr.open_zarr(store, group="events/spikes", consolidated=True, chunks=None)
            tree = xr.open_datatree(store, engine="zarr", chunks=None)
            c.that("spike times", np.allclose(spikes["time"].values, times, rtol=0, atol=1e-9))
            c.that("spike times in the tree", np.array_equal(tree["events/spikes"]["time"].values, spikes["time"].values))
            c.that("the events' own time, not the signals'", tree["events/spikes"]["time"].dims == ("event",))
            c.equal("electrodes", list(spikes["electrode"].values), electrodes)
            c.equal("sorted units", list(spikes["unit"].values), units)
            waves = spikes["waveform"].values
            c.that("waveforms in microvolts", np.allclose(waves, shapes[:, :waves.shape[1]] * 0.25, rtol=0, atol=1e-9))
            comments = xr.open_zarr(store, group="events/comments", consolidated=True, chunks=None)
            c.equal("comments", list(comments["label"].values), ["baseline", "stimulation"])
    with c.section("pauses of a slow stream (Blackrock)"):
        (_, names, rate, runs), = neo_streams(BlackrockRawIO(f"{folder}/pause", load_nev=False))
        dataset = opened(program.convert(f"{folder}/pause.ns2"))
        check_against_neo(c, dataset, names, rate, runs, steps=1e-6)
        c.equal("start times", [s["start_time"] for s in dataset.attrs["segments"]], [0, 2])
    time = np.concatenate([start + np.arange(r.shape[1]) / rate for start, r in runs])
    sinks.check_sinks(c, program, f"{folder}/pause.ns2", time, np.concatenate([r for _, r in runs], axis=1), ROOT)
    with c.section("raw integers with gain and offset"):
        store = program.convert(f"{folder}/pause.ns2", "--keep", "raw")
        dataset = opened(store)
        c.that("integers", dataset["signals"].dtype == np.int16)
        both = np.concatenate([r for _, r in runs], axis=1)
        physical = dataset["signals"].values * dataset["gain"].values[:, None] + dataset["offset"].values[:, None]
        c.that("gain and offset give the physical values", np.allclose(physical, both, rtol=0, atol=1e-6))


def check_vocabulary(c, program, folder):
    """The attributes every store has."""
    names = ("time_units time_auto_generated source_format database_id sampling_frequency channel_names channel_units "
             "version upload_date conversion_date auto_mapped doi original_file_name sparc_subject_id species "
             "anatomical_location modality experimenter institution sweep_mode notes sparc_fuse").split()
    for path in ("tone.wav", "two-rates.acq", "events.smr"):
        with c.section(f"attributes of {path}"):
            store = program.convert(f"{folder}/{path}")
            attrs = dict(zarr.open_group(store, mode="r").attrs)
            c.equal("missing attributes", [n for n in names if n not in attrs], [])
            c.equal("original_file_name", attrs["original_file_name"], path)
            json.dumps(attrs, allow_nan=False)
            c.that("provenance", attrs["sparc_fuse"]["source"]["size"] == os.path.getsize(f"{folder}/{path}"))
            tree = xr.open_datatree(store, engine="zarr", chunks=None)
            for node in tree.subtree:
                for variable in node.to_dataset(inherit=False).variables.values():
                    variable.load()
    with c.section("markers and rates (AcqKnowledge)"):
        store = program.convert(f"{folder}/two-rates.acq")
        tree = xr.open_datatree(store, engine="zarr", chunks=None)
        fast, slow = tree["signals_1000hz"].to_dataset(), tree["signals_250hz"].to_dataset()
        ramp = lambda n, k: (np.arange(n) * k) % 997 - 400
        c.that("fast channel", np.allclose(fast["signals"].values[0], ramp(4000, 7) * 0.01))
        c.that("slow channel", np.allclose(slow["signals"].values[0], ramp(1000, 3) * 0.5 - 1))
        markers = tree["events/markers"]
        c.equal("marker texts", list(markers["label"].values), ["start", "dose 5 µg"])
        c.that("marker times", np.allclose(markers["time"].values, [0, 1.5]))


def nothing_opens(c, folder):
    for path, folders, files in os.walk(folder):
        for candidate in [path, *(os.path.join(path, f) for f in files if f.endswith(".zip"))]:
            try:
                store = zarr.storage.ZipStore(candidate, mode="r") if candidate.endswith(".zip") else candidate
                node = zarr.open(store, mode="r")
            except Exception:
                continue
            c.that(f"{os.path.relpath(candidate, folder)} does not open", "/" in os.path.relpath(candidate, folder), repr(node))


def check_failures(c, program, folder):
    """What fails, or is killed, leaves nothing that looks finished."""
    import tifffile
    path = os.path.join(folder, "damaged.tif")
    noise = np.random.default_rng(5).integers(0, 4000, (1024, 1024), dtype=np.uint16)
    tifffile.imwrite(path, noise, tile=(256, 256), compression="deflate")
    with tifffile.TiffFile(path) as file:
        offset, length = file.pages[0].dataoffsets[10], file.pages[0].databytecounts[10]
    with open(path, "r+b") as file:
        file.seek(offset)
        file.write(b"\xff" * length)
    for flags in ([], ["--to", "zarr.zip"], ["--zarr-format", "2"]):
        with c.section(f"a file damaged inside {' '.join(flags)}"):
            out = tempfile.mkdtemp(dir=folder)
            done = program.run("convert", path, "--output-dir", out, "--quiet", *flags)
            c.equal("status", done.returncode, 1)
            c.that("names the file, in words", "damaged.tif" in done.stderr and "    at " not in done.stderr, done.stderr)
            c.equal("left behind", os.listdir(out), [])
    with c.section("a killed conversion"):
        big = os.path.join(folder, "long.wav")
        with wave.open(big, "wb") as file:
            file.setnchannels(8), file.setsampwidth(2), file.setframerate(30000), file.setnframes(1)
            file.writeframes(bytes(16))
        samples = 40_000_000
        with open(big, "r+b") as file:
            file.truncate(44 + samples * 16)
            file.seek(4), file.write(struct.pack("<I", 36 + samples * 16))
            file.seek(40), file.write(struct.pack("<I", samples * 16))
        out = tempfile.mkdtemp(dir=folder)
        running = subprocess.Popen([*program.cli, "convert", big, "--output-dir", out, "--quiet"], cwd=ROOT, stderr=subprocess.PIPE)
        deadline = time.time() + 30
        while time.time() < deadline and running.poll() is None and not glob.glob(f"{out}/*/signals/c/*/*"):
            time.sleep(0.01)
        running.send_signal(signal.SIGKILL)
        running.communicate()
        c.that("it was killed in the middle", running.returncode == -signal.SIGKILL, running.returncode)
        c.that("something was written", bool(os.listdir(out)))
        c.that("no finished name", not os.path.exists(f"{out}/long.wav.zarr"))
        nothing_opens(c, out)
        os.unlink(big)


def check_corpus(c, program, corpus, formats):
    """Every store of the corpus opens with xarray, group by group and as a tree."""
    cases = sorted(f for name in formats for f in glob.glob(f"{corpus}/{name}/*/expected.json"))
    with c.section(f"the corpus with xarray ({len(cases)} cases)"):
        count = 0
        for case in cases:
            expected = json.load(open(case))
            if expected.get("must_fail") or expected.get("expect_error"):
                continue
            name = "/".join(case.split("/")[-3:-1])
            try:
                # Whether a case converts at all is judged by the corpus run, not here.
                store = program.convert(os.path.normpath(os.path.join(os.path.dirname(case), expected["main"])))
                is_image = store.endswith(".ome.zarr")
                root = zarr.open_group(store, mode="r")
                if is_image:
                    images.validate(store, 3)
                else:
                    tree = xr.open_datatree(store, engine="zarr", chunks=None)
                    for node in tree.subtree:
                        node.to_dataset(inherit=False)
                    groups = ["", *(n for n, m in root.members(max_depth=None) if isinstance(m, zarr.Group))]
                    for group in groups:
                        xr.open_zarr(store, group=group, consolidated=True, chunks=None)
                shutil.rmtree(os.path.dirname(store))
                c.that(name, True)
                count += 1
            except Unconverted:
                continue
            except Exception as error:
                c.that(name, False, f"{type(error).__name__}: {str(error)[:400]}")
        c.that("most cases were opened", 2 * count > len(cases), count)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--cli", default="deno run -A cli.ts")
    parser.add_argument("--corpus")
    parser.add_argument("--formats", nargs="*", default=[])
    options = parser.parse_args()
    cli = shlex.split(options.cli)
    c = Checks()
    with tempfile.TemporaryDirectory(prefix="sparc-fuse-") as folder:
        samples = os.path.join(folder, "samples")
        subprocess.run([cli[0], "run", "-A", "tests/support/sample-files.ts", samples], cwd=ROOT, check=True)
        program = Program(cli, folder)
        check_wav(c, program, f"{samples}/tone.wav")
        check_intan(c, program, f"{samples}/mixed.rhd")
        check_blackrock(c, program, samples)
        for path in ("mixed.rhd", "set/rec.ns5", "two-rates.acq", "events.smr"):
            sinks.check_whole_file(c, program, f"{samples}/{path}")
        check_vocabulary(c, program, samples)
        images.check_images(c, program, folder)
        check_failures(c, program, folder)
        if options.corpus:
            check_corpus(c, program, options.corpus, options.formats)
    print(f"{c.passed} passed, {c.failed} failed")
    return 1 if c.failed else 0


if __name__ == "__main__":
    sys.exit(main())
