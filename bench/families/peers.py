"""The usual Python reader of a family and zarr-python's default store (zstd), as its documentation shows the way.

usage: peers.py FAMILY SOURCE OUTPUT.zarr      exit status 3: no such reader
Readers that read by parts are read by parts, the others whole: that is what their users get.
"""
import os
import sys

import numpy as np
import zarr

STEP = 262_144


def store(output, name, shape, dtype):
    """An array [channel, time] of up to 16 channels a chunk."""
    group = zarr.open_group(output, mode="a")
    return group.create_array(name, shape=shape, chunks=(min(shape[0], 16), min(shape[1], STEP)), dtype=dtype)


def whole(output, name, data):
    """Stores [channel, time] data that a reader gave whole."""
    a = store(output, name, data.shape, data.dtype)
    for at in range(0, data.shape[1], STEP):
        a[:, at:at + STEP] = data[:, at:at + STEP]


def neo_reader(kind, **options):
    def read(source, output):
        import neo.rawio
        made = {k: (os.path.dirname(source) if v == "parent" else os.path.dirname(os.path.dirname(os.path.dirname(source))) if v == "root" else source if v == "source" else v) for k, v in options.items()}
        reader = getattr(neo.rawio, kind)(**made) if made else getattr(neo.rawio, kind)(source)
        reader.parse_header()
        for stream in range(reader.signal_streams_count()):
            if str(reader.header["signal_streams"]["name"][stream]).endswith("SYNC"):
                continue
            for segment in range(reader.segment_count(0)):
                n, c = reader.get_signal_size(0, segment, stream), reader.signal_channels_count(stream)
                a = None
                for at in range(0, n, STEP):
                    x = reader.get_analogsignal_chunk(0, segment, at, min(n, at + STEP), stream)
                    a = a if a is not None else store(output, f"s{stream}_{segment}", (c, n), x.dtype)
                    a[:, at:at + len(x)] = x.T
    return read


def abf(source, output):
    import pyabf
    whole(output, "signals", pyabf.ABF(source).data)


def acq(source, output):
    import bioread
    channels = bioread.read_file(source).channels
    whole(output, "signals", np.stack([c.data for c in channels]))


def edf(source, output):
    import pyedflib
    with pyedflib.EdfReader(source) as f:
        n = f.getNSamples()
        a = store(output, "signals", (len(n), int(n[0])), "<i4")
        for c in range(len(n)):
            a[c] = f.readSignal(c, digital=True)


def wav(source, output):
    import scipy.io.wavfile
    _, data = scipy.io.wavfile.read(source, mmap=True)
    whole(output, "signals", data.T)


def flat_dat(source, output):
    whole(output, "signals", np.memmap(source, "<i2", "r").reshape(-1, 32).T)


def csv(source, output):
    import pandas
    frame = pandas.read_csv(source)
    whole(output, "signals", frame.to_numpy().T)


def mat(source, output):
    import scipy.io
    whole(output, "signals", scipy.io.loadmat(source)["data"].T)


def tdt(source, output):
    import tdt as reader
    whole(output, "signals", reader.read_block(source).streams.Wav1.data)


def hdf5(source, output):
    import h5py
    with h5py.File(source) as f:
        data = f["data"]
        a = store(output, "signals", data.shape[::-1], data.dtype)
        for at in range(0, len(data), STEP):
            a[:, at:at + STEP] = data[at:at + STEP].T


READERS = {
    "abf": ("pyabf", abf), "acq": ("bioread", acq), "edf": ("pyedflib", edf), "bdf": ("pyedflib", edf), "wav": ("scipy", wav),
    "flat_dat": ("numpy", flat_dat), "csv": ("pandas", csv), "mat5": ("scipy", mat), "mat7": ("scipy", mat),
    "hdf5": ("h5py", hdf5), "hdf5_gzip": ("h5py", hdf5),
    "blackrock": ("neo", neo_reader("BlackrockRawIO")), "brainvision": ("neo", neo_reader("BrainVisionRawIO")),
    "intan_rhd": ("neo", neo_reader("IntanRawIO")), "intan_rhs": ("neo", neo_reader("IntanRawIO")),
    "neuralynx": ("neo", neo_reader("NeuralynxRawIO", dirname="source", strict_gap_mode=False)),
    "neuroexplorer": ("neo", neo_reader("NeuroExplorerRawIO")),
    "openephys": ("neo", neo_reader("OpenEphysBinaryRawIO", dirname="root")),
    "smr": ("neo", neo_reader("Spike2RawIO")), "spikeglx": ("neo", neo_reader("SpikeGLXRawIO", dirname="parent")),
    "tdt": ("tdt", tdt),
}

if __name__ == "__main__":
    family, source, output = sys.argv[1:4]
    if family not in READERS:
        sys.exit(3)
    if output == "--name":
        print(READERS[family][0])
    else:
        READERS[family][1](source, output)
