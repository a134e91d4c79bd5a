"""Writes one large file of a family of formats: band-limited noise, int16 unless the family has another type.

usage: make.py FAMILY FOLDER MEGABYTES      prints the path to convert
The layouts are those of the formats' own descriptions; where two readers exist, both open them.
"""
import json
import os
import struct
import sys

import numpy as np

RATE = 30_000
FRAMES = 262_144
rng = np.random.default_rng(0)


def noise(channels, frames=FRAMES):
    x = rng.normal(0, 60, (frames, channels))
    for i in range(1, 4):
        x[i:] = 0.6 * x[i:] + 0.4 * x[:-i]
    return x.astype("<i2")


def repeat(f, block, size):
    """Writes `block` until `size` bytes are out, the last one cut."""
    block = memoryview(block).cast("B")
    while size > 0:
        f.write(block[:min(size, len(block))])
        size -= len(block)


def frames_of(size, channels, item=2):
    return int(size // (channels * item))


def text(value, width, fill=b"\0"):
    return value.encode("latin-1").ljust(width, fill)[:width]


def wav(folder, size):
    path, channels = os.path.join(folder, "big.wav"), 2
    n = frames_of(size, channels) * 4
    with open(path, "wb") as f:
        f.write(b"RIFF" + struct.pack("<I", 36 + n) + b"WAVEfmt " + struct.pack("<IHHIIHH", 16, 1, channels, 48000, 192000, 4, 16))
        f.write(b"data" + struct.pack("<I", n))
        repeat(f, noise(channels), n)
    return path


def flat_dat(folder, size):
    path, channels = os.path.join(folder, "big.dat"), 32
    with open(os.path.join(folder, "params.py"), "w") as f:
        f.write(f"dat_path = 'big.dat'\nn_channels_dat = {channels}\ndtype = 'int16'\noffset = 0\nsample_rate = {RATE}.\n")
    with open(path, "wb") as f:
        repeat(f, noise(channels), frames_of(size, channels) * channels * 2)
    return path


def edf(folder, size, item=2):
    name, channels, per = ("big.edf" if item == 2 else "big.bdf"), 32, 2000
    path = os.path.join(folder, name)
    records = int(size // (channels * per * item))
    low, high = (-32768, 32767) if item == 2 else (-8388608, 8388607)
    head = b"\xffBIOSEMI" if item == 3 else text("0", 8, b" ")
    head += text("X X X X", 80, b" ") + text("Startdate X X X X", 80, b" ") + b"21.11.2610.11.12" + text(str(256 * (channels + 1)), 8, b" ")
    head += text("24BIT" if item == 3 else "", 44, b" ") + text(str(records), 8, b" ") + text("1", 8, b" ") + text(str(channels), 4, b" ")
    for width, values in (
        (16, [f"EEG {i}" for i in range(channels)]), (80, [""] * channels), (8, ["uV"] * channels),
        (8, ["-3276.8" if item == 2 else "-262144"] * channels), (8, ["3276.7" if item == 2 else "262144"] * channels),
        (8, [str(low)] * channels), (8, [str(high)] * channels), (80, [""] * channels), (8, [str(per)] * channels), (32, [""] * channels),
    ):
        head += b"".join(text(v, width, b" ") for v in values)
    block = np.concatenate([noise(channels, per).T.ravel() for _ in range(20)])
    if item == 3:
        wide = np.zeros((block.size, 4), "u1")
        wide[:] = (block.astype("<i4") * 16).view("u1").reshape(-1, 4)
        block = np.ascontiguousarray(wide[:, :3])
    with open(path, "wb") as f:
        f.write(head)
        repeat(f, block, records * channels * per * item)
    return path


def bdf(folder, size):
    return edf(folder, size, 3)


def brainvision(folder, size):
    channels = 32
    with open(os.path.join(folder, "big.vhdr"), "w") as f:
        f.write("Brain Vision Data Exchange Header File Version 1.0\n\n[Common Infos]\nCodepage=UTF-8\nDataFile=big.eeg\nMarkerFile=big.vmrk\n"
                f"DataFormat=BINARY\nDataOrientation=MULTIPLEXED\nNumberOfChannels={channels}\nSamplingInterval=200\n\n"
                "[Binary Infos]\nBinaryFormat=INT_16\n\n[Channel Infos]\n")
        f.writelines(f"Ch{i + 1}=E{i + 1},,0.1,uV\n" for i in range(channels))
    with open(os.path.join(folder, "big.vmrk"), "w") as f:
        f.write("Brain Vision Data Exchange Marker File, Version 1.0\n\n[Common Infos]\nCodepage=UTF-8\nDataFile=big.eeg\n\n"
                "[Marker Infos]\nMk1=New Segment,,1,1,0,20261121101112000000\n")
    with open(os.path.join(folder, "big.eeg"), "wb") as f:
        repeat(f, noise(channels), frames_of(size, channels) * channels * 2)
    return os.path.join(folder, "big.vhdr")


def blackrock(folder, size):
    path, channels = os.path.join(folder, "big.ns5"), 96
    n = frames_of(size, channels)
    ext = b"".join(struct.pack("<2sH16sBBhhhh16sIIHIIH", b"CC", i + 1, b"elec%d" % (i + 1), 1 + i // 32, i % 32, -32764, 32764,
                               -8191, 8191, b"uV", 300, 4, 1, 7500000, 3, 1) for i in range(channels))
    head = b"NEURALCD" + bytes([2, 3]) + struct.pack("<I16s256sII8HI", 314 + len(ext), b"30 kS/s", b"synthetic", 1, 30000,
                                                   2026, 11, 0, 21, 9, 0, 0, 0, channels)
    with open(path, "wb") as f:
        f.write(head + ext + struct.pack("<BII", 1, 0, n))
        repeat(f, noise(channels), n * channels * 2)
    return path


def qstring(value):
    raw = value.encode("utf-16-le")
    return struct.pack("<I", len(raw)) + raw


def intan(folder, size, rhs):
    path, channels, n = os.path.join(folder, "big.rhs" if rhs else "big.rhd"), 64, 128
    head = struct.pack("<Ihhfh", 0xD69127AC if rhs else 0xC6912702, 3, 0, RATE, 1)
    head += struct.pack("<8f", 1.17, 0.1, 1000, 7603, 1, 0.1, 1000, 7500) if rhs else struct.pack("<6f", 1.17, 0.1, 7603, 1, 0.1, 7500)
    head += struct.pack("<hff", 2, 1000, 1000)
    if rhs:
        head += struct.pack("<hhfff", 0, 0, 1e-6, 1e-8, 0)
    head += qstring("") * 3
    head += struct.pack("<hh", 0, 0) + qstring("n/a") if rhs else struct.pack("<hh", 0, 0) + qstring("n/a")
    head += struct.pack("<h", 1) + qstring("Port A") + qstring("A") + struct.pack("<hhh", 1, channels, channels)
    for i in range(channels):
        head += qstring(f"A-{i:03d}") * 2 + struct.pack("<hhhhh", i, i, 0, 1, i)
        head += struct.pack("<h", 0) if rhs else b""
        head += struct.pack("<hhhhhff", 0, 1, -70, 0, 0, 120000, -40)
    kind = np.dtype([("t", "<i4", n), ("amp", "<u2", (channels, n))] + ([("stim", "<u2", (channels, n))] if rhs else []))
    blocks, at = int(size // kind.itemsize), 0
    part = np.zeros(min(2000, blocks), kind)
    part["amp"] = (noise(channels, len(part) * n).reshape(len(part), n, channels).transpose(0, 2, 1).astype("i4") + 32768).astype("u2")
    with open(path, "wb") as f:
        f.write(head)
        while at < blocks:
            m = min(len(part), blocks - at)
            part["t"] = (np.arange(len(part) * n) + at * n).reshape(-1, n)
            f.write(part[:m].tobytes())
            at += m
    return path


def intan_rhd(folder, size):
    return intan(folder, size, False)


def intan_rhs(folder, size):
    return intan(folder, size, True)


def spikeglx(folder, size):
    channels = 385
    n = frames_of(size, channels)
    stem = os.path.join(folder, "big_g0_t0.imec0.ap")
    block = noise(channels, 60_000)
    block[:, -1] = np.arange(len(block)) // 15_000 % 2 * 64  # the probe's 1 Hz sync line
    with open(stem + ".bin", "wb") as f:
        repeat(f, block, n * channels * 2)
    table = "".join(f"({i} 0 0 500 250 1)" for i in range(384))
    with open(stem + ".meta", "w") as f:
        f.write("\n".join([
            f"appVersion=20230425", f"fileName=big_g0_t0.imec0.ap.bin", f"fileSizeBytes={n * channels * 2}", f"fileTimeSecs={n / 30000}", "imAiRangeMax=0.6", "imAiRangeMin=-0.6",
            "imDatPrb_type=0", "imDatPrb_pn=PRB_1_4_0480_1", "imMaxInt=512", "imSampRate=30000", "nSavedChans=385", "snsApLfSy=384,0,1", "snsSaveChanSubset=0:383,768",
            "typeThis=imec", f"~imroTbl=(0,384){table}", "~snsChanMap=(384,384,1)" + "".join(f"(AP{i};{i}:{i})" for i in range(384)) + "(SY0;768:384)", "",
        ]))
    return stem + ".bin"


def openephys(folder, size):
    channels = 64
    n = frames_of(size, channels)
    base = os.path.join(folder, "experiment1", "recording1")
    data = os.path.join(base, "continuous", "Acquisition_Board-100.Rhythm Data")
    os.makedirs(data)
    with open(os.path.join(data, "continuous.dat"), "wb") as f:
        repeat(f, noise(channels), n * channels * 2)
    np.save(os.path.join(data, "sample_numbers.npy"), np.arange(n, dtype="<i8"))
    np.save(os.path.join(data, "timestamps.npy"), np.arange(n) / RATE)
    with open(os.path.join(base, "structure.oebin"), "w") as f:
        json.dump({"GUI version": "0.6.7", "continuous": [{
            "folder_name": "Acquisition_Board-100.Rhythm Data/", "sample_rate": RATE, "source_processor_name": "Acquisition Board",
            "source_processor_id": 100, "stream_name": "Rhythm Data", "recorded_processor": "Record Node", "recorded_processor_id": 101,
            "num_channels": channels, "channels": [{"channel_name": f"CH{i + 1}", "description": "", "identifier": "", "history": "",
                                                    "bit_volts": 0.195, "units": "uV"} for i in range(channels)],
        }], "events": [], "spikes": []}, f)
    return os.path.join(base, "structure.oebin")


def neuralynx(folder, size):
    """Eight channels, a file each."""
    channels, folder = 8, os.path.join(folder, "neuralynx")
    os.makedirs(folder)
    kind = np.dtype([("t", "<u8"), ("channel", "<u4"), ("rate", "<u4"), ("valid", "<u4"), ("samples", "<i2", 512)])
    records = int(size // (channels * kind.itemsize))
    for c in range(channels):
        head = (f"######## Neuralynx Data File Header\r\n-FileType NCS\r\n-FileVersion 3.4\r\n-RecordSize 1044\r\n-AcqEntName CSC{c + 1}\r\n"
                "-TimeCreated 2026/11/21 10:11:12\r\n-TimeClosed 2026/11/21 11:11:12\r\n-ApplicationName Cheetah \"6.3.2\"\r\n-AcquisitionSystem AcqSystem1 DigitalLynxSX\r\n"
                "-SamplingFrequency 32000\r\n-ADMaxValue 32767\r\n-ADBitVolts 0.000000061037020770982053\r\n"
                f"-NumADChannels 1\r\n-ADChannel {c}\r\n-InputRange 2000\r\n-InputInverted False\r\n")
        part = np.zeros(min(4096, records), kind)
        part["channel"], part["rate"], part["valid"] = c, 32000, 512
        part["samples"] = noise(1, len(part) * 512).reshape(-1, 512)
        with open(os.path.join(folder, f"CSC{c + 1}.ncs"), "wb") as f:
            f.write(text(head, 16384))
            at = 0
            while at < records:
                m = min(len(part), records - at)
                part["t"] = (np.arange(len(part)) + at) * 16000
                f.write(part[:m].tobytes())
                at += m
    return folder


def neuroexplorer(folder, size):
    path, channels = os.path.join(folder, "big.nex"), 4
    n = frames_of(size, channels)
    head = struct.pack("<4si256sdiii260s", b"NEX1", 104, b"", 30000.0, 0, n, channels, b"")
    at, records = 544 + 208 * channels, b""
    for c in range(channels):
        records += struct.pack("<ii64siiiiiiddddidii60x", 5, 102, b"ad%02d" % c, at, 1, 0, 0, 0, 0, 0.0, 0.0, 30000.0, 0.0001, n, 0.0, 0, 0)[:208].ljust(208, b"\0")
        at += 8 + 2 * n
    with open(path, "wb") as f:
        f.write(head.ljust(544, b"\0") + records)
        for c in range(channels):
            f.write(struct.pack("<ii", 0, 0))
            repeat(f, noise(1), 2 * n)
    return path


def tdt(folder, size):
    """A block of 16 channels of one stream store, its samples in the .tev."""
    channels, points, rate = 16, 4096, 24414.0625
    block = os.path.join(folder, "Tank-261121", "Block-1")
    os.makedirs(block)
    rows = int(size // (channels * points * 2))
    kind = np.dtype([("size", "<i4"), ("type", "<i4"), ("name", "S4"), ("channel", "<u2"), ("sort", "<u2"), ("time", "<f8"), ("offset", "<i8"), ("format", "<i4"), ("rate", "<f4")])
    start = 1_780_000_000.0
    t = np.zeros(rows * channels + 3, kind)
    body = t[2:-1]
    index = np.arange(rows * channels)
    body["size"], body["type"], body["name"], body["format"], body["rate"] = 10 + points // 2, 0x8101, b"Wav1", 2, rate
    body["channel"], body["time"], body["offset"] = index % channels + 1, start + (index // channels) * points / rate, index * points * 2
    t["type"][1], t["name"][1], t["time"][1] = 0x8801, b"\x01", start
    t["type"][-1], t["name"][-1], t["time"][-1] = 0x8801, b"\x02", start + rows * points / rate
    t["size"][0] = t.nbytes
    stem = os.path.join(block, "Tank-261121_Block-1")
    t.tofile(stem + ".tsq")
    with open(stem + ".tev", "wb") as f:
        repeat(f, np.ascontiguousarray(noise(channels, points * 16).reshape(16, points, channels).transpose(0, 2, 1)), rows * channels * points * 2)
    for ending in (".Tbk", ".tdx"):
        open(stem + ending, "wb").close()
    return block


def abf(folder, size):
    """Version 2, gap-free, four channels."""
    path, channels = os.path.join(folder, "big.abf"), 4
    n = frames_of(size, channels) * channels
    b = bytearray(512 * 8)
    struct.pack_into("<4s5I", b, 0, b"ABF2", 0x02060000, 512, 1, 20261121, 36672000)
    struct.pack_into("<HH", b, 28, 1, 0)
    struct.pack_into("<II", b, 56, 0x0A070003, 1)
    section = lambda at, block, size, count: struct.pack_into("<IIq", b, at, block, size, count)
    struct.pack_into("<hf", b, 512, 3, 1e6 / 50000)
    struct.pack_into("<ff", b, 512 + 110, 10, 10)
    struct.pack_into("<ii", b, 512 + 118, 32768, 32768)
    section(76, 1, 512, 1)
    for i in range(channels):
        at = 1024 + 128 * i
        struct.pack_into("<hhf", b, at, i, 0, 1)
        struct.pack_into("<fffff", b, at + 28, 1, 1, 1, 0.05, 0)
        struct.pack_into("<ff", b, at + 48, 1, 0)
        struct.pack_into("<f", b, at + 40, 1)
        struct.pack_into("<ii", b, at + 74, 2 + 2 * i, 3 + 2 * i)
    section(92, 2, 128, channels)
    struct.pack_into("<ff", b, 4 * 512 + 8, 20, -70)
    section(108, 4, 256, 1)
    names = ["Clampex"] + [s for i in range(channels) for s in (f"IN {i}", "mV")]
    joined = b"".join(s.encode() + b"\0" for s in names)
    struct.pack_into("<4s4i", b, 5 * 512, b"SSCH", 1, len(names), 0, len(joined))
    b[5 * 512 + 44:5 * 512 + 44 + len(joined)] = joined
    section(220, 5, 44 + len(joined), len(names))
    section(236, 8, 2, n)
    with open(path, "wb") as f:
        f.write(b)
        repeat(f, noise(channels), 2 * n)
    return path


def adibin(folder, size):
    path, channels = os.path.join(folder, "big.adibin"), 8
    n = frames_of(size, channels)
    with open(path, "wb") as f:
        f.write(struct.pack("<4sid5iddiiii", b"CFWB", 1, 1 / 10000, 2026, 11, 21, 10, 11, 12.0, 0.0, channels, n, 0, 3))
        for i in range(channels):
            f.write(text(f"Channel {i + 1}", 32) + text("mV", 32) + struct.pack("<dddd", 0.01, 0, 327, -327))
        repeat(f, noise(channels), n * channels * 2)
    return path


def acq(folder, size):
    """AcqKnowledge 4.1, four channels of one rate."""
    path, channels = os.path.join(folder, "big.acq"), 4
    n = frames_of(size, channels)
    b = bytearray(1564)
    struct.pack_into("<hiihhhd", b, 0, 0, 84, 1564, channels, 0, 1, 0.1)
    for i in range(channels):
        h = bytearray(1716)
        struct.pack_into("<ih40s4shdd20sidd2h", h, 0, 1716, i + 1, text(f"Channel {i + 1}", 40), b"\xff\0\0\0", 2, 0, 1, b"mV", n, 0.01, 0, i + 1, 1092)
        struct.pack_into("<h", h, 152, 1)
        b += h
    b += struct.pack("<ii", 8, 0) + struct.pack("<hh", 2, 2) * channels
    with open(path, "wb") as f:
        f.write(b)
        repeat(f, noise(channels), n * channels * 2)
        f.write(struct.pack("<iiiih4s", 8 + 20, 1, 0, 0, -1, b"defl") + struct.pack("<h", 0))
        f.write(struct.pack("<ih", 6, 0) + struct.pack("<iih", 0, 0xDEADED3D - 2**32, 0))
    return path


def smr(folder, size):
    """32-bit SON, system id 9, four waveforms in blocks of 64 KiB, in turn."""
    path, channels, block = os.path.join(folder, "big.smr"), 4, 65536 - 512
    items = (block - 20) // 2
    blocks = int(size // (channels * block))
    head = bytearray(512 + 9 * 512)
    struct.pack_into("<h10s8sHHhihHhhh", head, 0, 9, b"(C) CED 87", b"0" * 8, 1, 1, 1, len(head) // 512, 32, 9 * 512, 0, 0, 0)
    struct.pack_into("<d", head, 44, 1e-6)
    for i in range(32):
        struct.pack_into("<iii", head, 514 + 140 * i, -1, -1, -1)
    for c in range(channels):
        at = 512 + 140 * c
        struct.pack_into("<iiH", head, at + 6, (len(head) + c * block) // 512, (len(head) + ((blocks - 1) * channels + c) * block) // 512, blocks & 0xFFFF)
        struct.pack_into("<H", head, at + 22, block)
        struct.pack_into("<ihB4s", head, at + 102, 40, c, 4, b"ch%d " % c)
        struct.pack_into("<fBxff", head, at + 118, 25000, 1, 6.5536, 0)
        head[at + 132:at + 135] = b"\x02mV"
    kind = np.dtype([("pred", "<i4"), ("succ", "<i4"), ("start", "<i4"), ("end", "<i4"), ("channel", "<u2"), ("items", "<u2"), ("samples", "<i2", items)])
    part = np.zeros((min(blocks, 64), channels), kind)
    part["channel"], part["items"] = np.arange(1, channels + 1), items
    part["samples"] = noise(1, part.shape[0] * channels * items).reshape(*part.shape, items)
    assert kind.itemsize <= block
    padded = np.zeros((*part.shape, block), "u1")
    with open(path, "wb") as f:
        f.write(head)
        at = 0
        while at < blocks:
            m = min(len(part), blocks - at)
            k = at + np.arange(len(part))[:, None]
            place = lambda k: (len(head) + (k * channels + np.arange(channels)) * block) // 512
            part["pred"], part["succ"] = np.where(k > 0, place(k - 1), -1), np.where(k < blocks - 1, place(k + 1), -1)
            part["start"], part["end"] = k * items * 40, ((k + 1) * items - 1) * 40
            padded[:, :, :kind.itemsize] = part.view("u1").reshape(*part.shape, kind.itemsize)
            f.write(padded[:m].tobytes())
            at += m
    return path


def smrx(folder, size):
    """64-bit SON, four waveforms, lookup blocks behind the data."""
    path, channels, block, fan = os.path.join(folder, "big.smrx"), 4, 65536, 255
    items = (block - 32) // 2
    blocks = int(size // (channels * block))
    texts = [f"ch{c}" for c in range(channels)] + ["mV"]
    pool = b"".join((lambda s: s + b"\0" * (-len(s) % 4))(struct.pack("<I", 1) + t.encode() + b"\0") for t in texts)
    head = bytearray(block)
    head[:10] = b"S64pl\0\x01\x01\xff\xff"
    struct.pack_into("<d6I", head, 0x20, 1e-6, 0, 0x800, 0x800, 0x800 + 32 * 0x110, 32, 0x110)
    strings = struct.pack("<II", len(pool) // 4 + 2, len(texts)) + pool
    head[0x800 + 32 * 0x110:0x800 + 32 * 0x110 + len(strings)] = strings
    slot_at, slots, roots = block * (1 + blocks * channels), b"", []
    for c in range(channels):
        below, level = [(k * items * 40, block * (1 + k * channels + c)) for k in range(blocks)], 1
        while level == 1 or len(below) > 1:
            above = []
            for i in range(0, len(below), fan):
                children = below[i:i + fan]
                page = struct.pack("<QHHI", level << 8, c, 0, len(children)) + b"".join(struct.pack("<qQ", *child) for child in children)
                above.append((children[0][0], slot_at + len(slots)))
                slots += page.ljust(4096, b"\0")
            below, level = above, level + 1
        roots.append(below[0][1])
    slots += b"\0" * (-len(slots) % block)
    for c in range(32):
        at = 0x800 + 0x110 * c
        struct.pack_into("<qi", head, at + 8, -1, 0)
        struct.pack_into("<i", head, at + 0x30, -1)
        if c >= channels:
            continue
        struct.pack_into("<QqQ", head, at, roots[c], (blocks * items - 1) * 40, blocks)
        struct.pack_into("<IHHHHHBBiIII", head, at + 0x20, 2, 0, 0, 0, 0, 0, 1, 0, c, c + 1, channels + 1, 0)
        struct.pack_into("<qddddd", head, at + 0x40, 40, 25000, 6.5536, 0, -5, 5)
    struct.pack_into("<IQQq", head, 0x3E4, 0, slot_at + len(slots), 0, (blocks * items - 1) * 40)
    kind = np.dtype([("back", "<u8"), ("channel", "<u2"), ("generation", "<u2"), ("count", "<u4"), ("tick", "<i8"), ("n", "<u4"), ("zero", "<u4"), ("samples", "<i2", items)])
    part = np.zeros((min(blocks, 64), channels), kind)
    part["channel"], part["count"], part["n"] = np.arange(channels), 1, items
    part["samples"] = noise(1, part.shape[0] * channels * items).reshape(*part.shape, items)
    with open(path, "wb") as f:
        f.write(head)
        at = 0
        while at < blocks:
            m = min(len(part), blocks - at)
            part["tick"] = (at + np.arange(len(part)))[:, None] * items * 40
            f.write(part[:m].tobytes())
            at += m
        f.write(slots)
    return path


def spike2_text(folder, size):
    path, channels = os.path.join(folder, "big.txt"), 2
    lines = "".join(f"{v / 1000:.5f}\r\n" for v in noise(1)[:, 0]).encode()
    n = int(size / channels / len(lines)) or 1
    with open(path, "wb") as f:
        f.write(b'"INFORMATION"\r\n"big.smr"\r\n' + b'""\r\n' * 5 + b'\r\n"SUMMARY"\r\n')
        for c in range(channels):
            f.write(b'"%d"\t"Waveform"\t"ch%d"\t"mV"\t1000\t1000\t1\t0\r\n' % (c + 1, c + 1))
        for c in range(channels):
            f.write(b'\r\n"CHANNEL"\t"%d"\r\n"Waveform"\r\n"No comment"\r\n"ch%d"\r\n\r\n"mV"\t1000\r\n"START"\t0.00000\t0.00100\r\n' % (c + 1, c + 1))
            for _ in range(n):
                f.write(lines)
        f.write(b"\r\n")
    return path


def csv(folder, size):
    path, channels, part = os.path.join(folder, "big.csv"), 8, 16384
    body = noise(channels, part) / 1000
    rows = ["".join(f",{v:.3f}" for v in row) for row in body]
    with open(path, "w") as f:
        f.write("time (s)" + "".join(f",ch{i} (mV)" for i in range(channels)) + "\n")
        at = 0
        while f.tell() < size:
            f.write("".join(f"{(at + i) / 1000:.3f}{row}\n" for i, row in enumerate(rows)))
            at += part
    return path


def mat5(folder, size):
    """One matrix of doubles and its rate, as `save -v6` and scipy write them."""
    import scipy.io
    path, channels = os.path.join(folder, "big.mat"), 8
    n = frames_of(min(size, 1.9e9), channels, 8)
    data = np.resize(noise(channels).astype("f8"), (n, channels))
    scipy.io.savemat(path, {"data": np.asfortranarray(data), "fs": 10000.0})
    return path


def mat7(folder, size):
    """The same, compressed."""
    import scipy.io
    path, channels = os.path.join(folder, "big7.mat"), 8
    n = frames_of(min(size, 1.9e9), channels, 8)
    data = np.resize(noise(channels).astype("f8"), (n, channels))
    scipy.io.savemat(path, {"data": np.asfortranarray(data), "fs": 10000.0}, do_compression=True)
    return path


def hdf5(folder, size, name="big.h5", **options):
    import h5py
    path, channels = os.path.join(folder, name), 32
    n = frames_of(size, channels)
    block = noise(channels)
    with h5py.File(path, "w") as f:
        data = f.create_dataset("data", (n, channels), "<i2", chunks=(16384, channels), **options)
        f.create_dataset("fs", data=10000.0)
        for at in range(0, n, FRAMES):
            data[at:at + FRAMES] = block[:min(FRAMES, n - at)]
    return path


def hdf5_gzip(folder, size):
    return hdf5(folder, size, "big-gzip.h5", compression="gzip", compression_opts=1, shuffle=True)


def pack_planes(samples):
    """A LabChart sample block: bit planes of differences, PackBits."""
    d = np.diff(samples.astype("i8"), prepend=0)
    symbols = 2 * np.abs(d) + (d < 0)
    width = 4 * -(-len(samples) // 32)
    planes = b"".join(np.packbits((symbols >> p & 1).astype("u1"), bitorder="little").tobytes().ljust(width, b"\0") for p in range(17))
    out, at = bytearray(), 0
    while at < len(planes):
        run = 1
        while run < 129 and at + run < len(planes) and planes[at + run] == planes[at]:
            run += 1
        if run > 1:
            out += bytes([257 - run, planes[at]])
            at += run
            continue
        end = at + 1
        while end < len(planes) and end - at < 128 and (end + 1 >= len(planes) or planes[end] != planes[end + 1]):
            end += 1
        out += bytes([end - at - 1]) + planes[at:end]
        at = end
    body = struct.pack("<i", 2 * len(samples)) + bytes(out)
    return struct.pack("<iiiI", len(body) + 12, 0, -(len(body) + 12), 0x104) + body


def adicht(folder, size):
    """LabChart for Windows, version 29: one record of four channels, blocks of 16,000 ticks. `size` is of the samples unpacked."""
    path, channels, ticks, shift = os.path.join(folder, "big.adicht"), 4, 16000, 12
    samples = noise(channels, ticks)
    packed = [pack_planes(samples[:, c]) for c in range(channels)]
    count = int(size // (2 * channels * ticks))
    row = b"".join(packed)
    starts = np.cumsum([4] + [len(p) for p in packed])[:channels]
    text16 = lambda s: struct.pack("<Iii", 0x80000001, len(s) + 1, -(len(s) + 1)) + s.encode("utf-16-le") + b"\0\0"
    m = b"\xaa\xaa\x15\x55" + struct.pack("<i8xH", 2, 25) + b"ADInstruments Chart Data\0" + struct.pack("<hhhB", 3, 7, channels, 0)
    total = count * ticks
    m += struct.pack("<iiiiiqdd12xiq", 0, 0, 3, 1, 0, 10000, 1.78e9, -3600, 0, total) + text16("") + struct.pack("<IIii", 0, 0x30000000, count, -count)
    m += b"".join(struct.pack("<iiIhh", 3, ticks, 0 if i else 0x80000000, 0, 0) for i in range(count))
    m += struct.pack("<ii", channels, -channels)
    for c in range(channels):
        m += struct.pack("<BIiiIIiii12xiiq", 1, 0x801B0000, 3, c, 1, 0x80020001, 1, 0, 1, 1, 0, 10000)
        m += struct.pack("<I", 0x80000000 + 2 * c + 1) + struct.pack("<iid8xBhhhh", 5, 2, 1e-3, 0, -2, 70, -2, 1000) + bytes([0, 0, 0, 1, 0, 0, 0, 0, 0])
        m += text16("mV") + struct.pack("<ddiiii", 1, 0, 2, 1, 0, 0) + text16("") * 5 + b"\0"
        m += struct.pack("<iI", 1, 0x80000000 + 2 * c + 2) + struct.pack("<i", 2) + text16("ChannelDataSource") + text16("")
        m += struct.pack("<qiiiii", total, 0, ticks, ticks, count, -count)
        low, high = float(samples[:, c].min()), float(samples[:, c].max())
        m += b"".join(struct.pack("<Iqiiffq", 0x80020001, 0, ticks, 0, low, high, int(starts[c]) + i * len(row)) for i in range(count))
    m += struct.pack("<iii", -1, channels, -channels) + b"".join(text16(f"Channel {c + 1}") for c in range(channels)) + b"\0" * 16
    cluster = 1 << shift
    lengths = [len(m), 4 + count * len(row)]
    spans, free = [], 2
    for length in [*lengths, 328]:
        clusters = -(-length // cluster)
        spans.append((free, free + clusters - 1))
        free += clusters
    capacity = -(-(free + 64) // (cluster // 8)) * (cluster // 8)
    chain = np.zeros((capacity, 2), "<i4")
    chain[2:free, 0] = np.arange(3, free + 1)
    for _, last in spans:
        chain[last, 0] = 0
    entry = lambda name, span, length, kind: name.encode("utf-16-le").ljust(72, b"\0") + struct.pack("<qqq40xii16x", span[0], length, span[1], 0, kind)
    table = struct.pack("<ii", 2, -2) + entry("Map", spans[0], lengths[0], 2) + entry("Blocks_0", spans[1], lengths[1], 2)
    head = "ADInstruments Compound File".encode("utf-16-le").ljust(0x80, b"\0")
    head += struct.pack("<iiii8xiqqq4x", 29, 512, 131072, 0x7FFFFFFF, shift, capacity, -capacity, free) + entry("ADIRootStorage", spans[2], len(table), 1)
    at = lambda c: 512 + (c - 2) * cluster
    with open(path, "wb") as f:
        f.write(head.ljust(512, b"\0"))
        f.seek(at(spans[0][0]))
        f.write(m)
        f.seek(at(spans[1][0]))
        f.write(b"\x55\x55\x03\xaa")
        many = row * 64
        for i in range(0, count, 64):
            f.write(many[:min(64, count - i) * len(row)])
        f.seek(at(spans[2][0]))
        f.write(table)
        f.seek(at(free))
        f.write(chain.tobytes())
    return path


FAMILIES = {f.__name__: f for f in (
    abf, acq, adibin, adicht, bdf, blackrock, brainvision, csv, edf, flat_dat, hdf5, hdf5_gzip, intan_rhd, intan_rhs, mat5, mat7,
    neuralynx, neuroexplorer, openephys, smr, smrx, spike2_text, spikeglx, tdt, wav)}

if __name__ == "__main__":
    family, folder, megabytes = sys.argv[1:4]
    os.makedirs(folder, exist_ok=True)
    print(FAMILIES[family](folder, float(megabytes) * 1e6))
