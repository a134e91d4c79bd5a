"""Seeds for the fuzz targets of decoders/rust/fuzz, made by encoders the project did not write.

    python tests/python/fuzz_seeds.py                    small seeds, into decoders/rust/fuzz/seeds
    python tests/python/fuzz_seeds.py --corpus DIR       pieces of real files, into decoders/rust/fuzz/corpus

The first are part of the project; the second are not ours to publish. Needs hdf5plugin besides the
requirements.
"""

import argparse
import pathlib
import struct
import tempfile

import h5py
import imagecodecs
import numpy as np
import tifffile

ROOT = pathlib.Path(__file__).resolve().parents[2] / "decoders/rust/fuzz"
# Order of the compressions each target picks from.
CODES = {
    "tiff_plain": [1],
    "tiff_fax": [2, 3, 4, 32771],
    "tiff_lzw": [5],
    "tiff_jpeg_old": [6],
    "tiff_jpeg": [7, 33007, 34892],
    "tiff_deflate": [8, 32946, 50013],
    "tiff_runs": [32766, 32809],
    "tiff_packbits": [32773],
    "tiff_lerc": [34887],
    "tiff_lzma": [34925],
    "tiff_zstd": [34926, 50000],
    "tiff_jp2": [33003, 33004, 33005, 34712],
    "tiff_webp": [34927, 50001],
    "tiff_png": [34933],
    "tiff_jxl": [50002, 52546],
}
FILTERS = {
    1: "deflate",
    2: "shuffle",
    3: "fletcher32",
    4: "szip",
    5: "nbit",
    6: "scaleoffset",
    307: "bzip2",
    32000: "lzf",
    32001: "blosc",
    32004: "lz4",
    32008: "bitshuffle",
    32015: "zstd",
}
LONGEST = 12_000
random = np.random.default_rng(1)


class Seeds:
    def __init__(self, folder):
        self.folder = folder
        self.counts = {}

    def put(self, target, data, name=None):
        if len(data) > LONGEST:
            return
        number = self.counts[target] = self.counts.get(target, 0) + 1
        path = self.folder / target / (name or f"{number:03}")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)

    def tile(self, compression, data, shape, dtype="u1", *, predictor=1, photometric=1, stored=None,
             subsampling=0x11, fax=0, lerc=0, skipped=0, tables=b"", bits=None, flags=0):
        height, width, samples = (*shape, 1)[:3]
        dtype = np.dtype(dtype)
        for target, codes in CODES.items():
            if compression not in codes:
                continue
            kind = {"u": 1, "i": 2, "f": 3, "b": 1}[dtype.kind]
            head = struct.pack(
                "<8B3H4BH", codes.index(compression), predictor, bits or dtype.itemsize * 8, kind,
                samples, dtype.itemsize, flags, photometric, width, height, stored or height,
                subsampling, fax, lerc, skipped, len(tables),
            )
            self.put(target, head + tables + bytes(data))


def image(shape, dtype):
    """A smooth picture with some noise: every coder has something to do."""
    grid = np.indices(shape).sum(axis=0) * 3 + random.integers(0, 5, shape)
    return grid.astype(dtype)


def make_tiles(seeds):
    grey, rgb, wide = image((16, 24), "u1"), image((16, 16, 3), "u1"), image((12, 10), "u2")
    real = image((8, 9), "f4")
    for data, dtype, bits in [(grey, "u1", 8), (rgb, "u1", 8), (wide, "u2", 16), (real, "f4", 32)]:
        photometric = 2 if data.ndim == 3 else 1
        flat = data.astype(data.dtype.newbyteorder("<")).tobytes()
        coders = {
            1: bytes,
            5: imagecodecs.lzw_encode,
            8: imagecodecs.zlib_encode,
            32773: imagecodecs.packbits_encode,
            34925: imagecodecs.lzma_encode,
            50000: imagecodecs.zstd_encode,
        }
        for compression, encode in coders.items():
            for predictor in (1, 3 if dtype == "f4" else 2):
                seeds.tile(compression, encode(flat), data.shape, dtype, predictor=predictor,
                           photometric=photometric, flags=2 * (predictor - 1 & 1))
        seeds.tile(8, imagecodecs.zlib_encode(flat), data.shape, dtype, skipped=2,
                   stored=data.shape[0] - 2, photometric=photometric)
    packed = np.packbits(image((9, 21), "u1") & 1, axis=1).tobytes()
    seeds.tile(1, packed, (9, 21), bits=1)
    seeds.tile(1, image((4, 24), "u1").tobytes(), (8, 8), "u2", bits=12)
    seeds.tile(1, bytes(96), (8, 8, 3), photometric=6, subsampling=0x22)
    for compression, data in [(2, b"\x35\x81" * 9), (3, b"\x00\x13\x5a\xc8" * 8), (4, b"\xff\x26\xa0\x00\x10\x01"),
                              (32771, b"\x35\x81" * 9)]:
        for fax in (0, 1, 4, 5):
            seeds.tile(compression, data, (6, 21), bits=1, fax=fax)
    seeds.tile(32766, b"\x00" + bytes(range(6)) + b"\x40\x00\x02\x00\x02\x1b\xe4" + b"\x4c\x8c\xcc", (3, 24), bits=2)
    seeds.tile(32809, b"\x12\x45\x7f\x9a\xc3\xe8\xd1\x05" * 4, (4, 16), bits=4)
    for data, photometric in [(grey, 1), (rgb, 2), (rgb, 6)]:
        coded = imagecodecs.jpeg8_encode(data, level=70)
        seeds.tile(7, coded, data.shape, photometric=photometric)
        scan = coded.index(b"\xff\xda")
        scan += 2 + int.from_bytes(coded[scan + 2 : scan + 4], "big")
        seeds.tile(6, coded[scan:], data.shape, photometric=photometric, tables=coded[:scan])
        table = coded.index(b"\xff\xdb")
        frame = coded.index(b"\xff\xc0")
        seeds.tile(7, coded[:2] + coded[frame:], data.shape, photometric=photometric,
                   tables=coded[:2] + coded[table:frame] + b"\xff\xd9")
    for options in ({"optimize": True}, {"subsampling": "420"}):
        seeds.tile(7, imagecodecs.jpeg8_encode(rgb, level=80, colorspace="RGB", outcolorspace="YCbCr", **options),
                   rgb.shape, photometric=6)
    seeds.tile(7, imagecodecs.ljpeg_encode(wide, bitspersample=12), wide.shape, "u2")
    seeds.tile(7, imagecodecs.ljpeg_encode(grey), grey.shape)
    try:
        seeds.tile(7, imagecodecs.jpeg8_encode(wide & 0xFFF, level=90, bitspersample=12), wide.shape, "u2")
    except Exception as error:
        print("no 12-bit JPEG:", error)
    for data in (grey, wide, real, image((5, 6), "i4")):
        for version in (2, 3, 4, 5, 6):
            try:
                coded = imagecodecs.lerc_encode(data, level=0.01 if data.dtype.kind == "f" else 0, version=version)
            except Exception:
                continue
            seeds.tile(34887, coded, data.shape, data.dtype)
        seeds.tile(34887, imagecodecs.zlib_encode(imagecodecs.lerc_encode(data)), data.shape, data.dtype, lerc=1)
        seeds.tile(34887, imagecodecs.zstd_encode(imagecodecs.lerc_encode(data)), data.shape, data.dtype, lerc=2)
    for data in (grey, rgb, wide):
        for level in (0, 20):
            for kind in ("jp2", "j2k"):
                seeds.tile(34712, imagecodecs.jpeg2k_encode(data, level=level, codecformat=kind), data.shape, data.dtype)
        seeds.tile(34933, imagecodecs.png_encode(data), data.shape, data.dtype)
        for lossless in (True, False):
            for effort in (1, 4):
                coded = imagecodecs.jpegxl_encode(data, lossless=lossless, effort=effort)
                seeds.tile(50002, coded, data.shape, data.dtype)
    seeds.tile(33003, imagecodecs.jpeg2k_encode(rgb, codecformat="j2k"), rgb.shape)
    seeds.tile(50002, imagecodecs.jpegxl_encode(real, lossless=True), real.shape, "f4")
    for lossless in (True, False):
        seeds.tile(50001, imagecodecs.webp_encode(rgb, lossless=lossless), rgb.shape)
    rgba = image((8, 8, 4), "u1")
    seeds.tile(50001, imagecodecs.webp_encode(rgba, lossless=True), rgba.shape)
    seeds.tile(34933, imagecodecs.png_encode(rgba), rgba.shape)


def chunk_seed(seeds, raw_bytes, filters, chunk, dtype):
    """One filter alone, and the pipeline with the conversion of elements."""
    if len(filters) == 1:
        (number, values), = filters
        head = struct.pack("<HB", raw_bytes, len(values)) + b"".join(struct.pack("<I", v & 0xFFFFFFFF) for v in values)
        seeds.put(f"hdf5_{FILTERS[number]}", head + chunk)
    order = 0 if dtype.byteorder in "<|=" else 1
    size = dtype.itemsize
    words = struct.pack("<HB2BB2BB", raw_bytes, 0, size, 0, 0, size, size, order) + bytes([size] + [0] * 9)
    words += struct.pack("<IBB", 0, 0, len(filters))
    known = [1, 2, 3, 4, 5, 6, 307, 32000, 32001, 32004, 32008, 32015, 32022, 32023]
    for number, values in filters:
        words += struct.pack("<BB", known.index(number), len(values))
        words += b"".join(struct.pack("<I", v & 0xFFFFFFFF) for v in values)
    seeds.put("hdf5_chunk", words + struct.pack("<H", raw_bytes) + chunk)


def chunks_of(seeds, dataset):
    """The first chunks of a dataset with their filters."""
    plist = dataset.id.get_create_plist()
    filters = []
    for i in range(plist.get_nfilters()):
        number, _, values, _ = plist.get_filter(i)
        if number not in FILTERS:
            return
        filters.append((number, values))
    raw = int(np.prod(dataset.chunks)) * dataset.dtype.itemsize
    if raw > 0xFFFF or any(len(v) > 20 for _, v in filters):
        return
    for i in range(min(2, dataset.id.get_num_chunks())):
        place = dataset.id.get_chunk_info(i).chunk_offset
        chunk_seed(seeds, raw, filters, dataset.id.read_direct_chunk(place)[1], dataset.dtype)


def make_chunks(seeds):
    import hdf5plugin

    options = [
        {"compression": "gzip"},
        {"shuffle": True},
        {"fletcher32": True},
        {"compression": "szip"},
        {"compression": "szip", "compression_opts": ("ec", 8)},
        {"compression": "lzf"},
        {"scaleoffset": 0},
        {"compression": "gzip", "shuffle": True, "fletcher32": True},
        hdf5plugin.Bitshuffle(nelems=0, cname="lz4"),
        hdf5plugin.Bitshuffle(nelems=0, cname="none"),
        hdf5plugin.Bitshuffle(nelems=0, cname="zstd"),
        hdf5plugin.LZ4(),
        hdf5plugin.Zstd(),
        hdf5plugin.BZip2(),
        *[hdf5plugin.Blosc(cname=c, shuffle=s) for c, s in
          [("blosclz", 1), ("lz4", 2), ("lz4hc", 0), ("snappy", 1), ("zlib", 1), ("zstd", 2)]],
    ]
    with tempfile.TemporaryDirectory() as folder, h5py.File(f"{folder}/a.h5", "w") as file:
        for n, option in enumerate(options):
            for dtype in ("i2", ">i4", "u1", "f8"):
                data = image((16, 20), dtype)
                if dtype == "f8" and "scaleoffset" in dict(option):
                    option = {"scaleoffset": 2}
                made = file.create_dataset(f"{n}{dtype}", data=data, chunks=(16, 20), **dict(option))
                chunks_of(seeds, made)
        for base, precision, offset in ((h5py.h5t.STD_I16LE, 9, 3), (h5py.h5t.STD_U32BE, 17, 4)):
            kind = base.copy()
            kind.set_precision(precision)
            kind.set_offset(offset)
            plist = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
            plist.set_chunk((40,))
            plist.set_filter(5)
            name = f"nbit{precision}".encode()
            h5py.h5d.create(file.id, name, kind, h5py.h5s.create_simple((40,)), plist)
            made = file[name.decode()]
            made.id.write(h5py.h5s.ALL, h5py.h5s.ALL, np.arange(40, dtype="i4"))
            file.flush()
            chunks_of(seeds, made)


def make_recordings(seeds):
    def blocks(little, links):
        order = "<" if little else ">"
        file = bytearray(len(links) * 64)
        for i, (before, after) in enumerate(links):
            struct.pack_into(order + "4i2H", file, 64 * i, before, after, 10 * i, 10 * i + 9, 1 + i % 2, 5)
        return bytes(file)

    cursors = struct.pack("<HHB", 0, 129, 1) + struct.pack("<HHB", 64, 0, 2)
    for little, links in ((1, [(-1, 128), (-1, 192), (0, -1), (64, -1)]), (0, [(-1, 128), (-1, 64), (0, 0), (64, -1)])):
        seeds.put("son32_scan", bytes([little, 0]) + struct.pack("<HB", 0, 2) + cursors + blocks(little, links))
    item = struct.pack("<i4B2h", 2000, 9, 8, 7, 6, 1, -2)
    for little, codes in ((1, 1), (0, 1), (1, 0)):
        seeds.put("son32_items", struct.pack("<BBHB2dHB", little, codes, 4, 2, 1.0, 1e6, 3, 12) + 3 * item)
    run = struct.pack("<qII", 100, 4, 0) + bytes(8)
    for count in (1, 3):
        head = struct.pack("<HH3qBB", 4096, 2, 0, 0, 10, 0, 8)
        seeds.put("son64_runs", head + bytes(12) + struct.pack("<I", count) + 3 * run)
    item = struct.pack("<q8B", 700, *range(8)) + b"text" * 4
    seeds.put("son64_items", struct.pack("<HBH2dH", 32, 1, 16, 1.0, 1e6, 3) + 3 * item)
    seeds.put("son64_items", struct.pack("<HBH2dH", 8, 0, 0, 1.0, 1e6, 9) + 3 * item)
    for wide in (0, 1):
        stamp = "<Q" if wide else "<I"
        config = struct.pack("<HBBHBBIdq", 64, wide * 5, 2, 24, 2, 2, 24, 30000.0, 5)
        config += bytes([1]) + struct.pack("<HBBI", 1, 2, 0, 24) + bytes([1])
        packets = b""
        ids = [1, 0, 0xFFFF, 0xFFFE, 0xFFFD, 0xFFFC, 0xFFFB, 0xFFFA, 0xFFF9, 5200, 1]
        for i, number in enumerate(ids):
            body = struct.pack(stamp, 30 * i) + struct.pack("<H", number) + bytes([i & 1, 1]) + b"words of text\0" * 4
            packets += body[:64].ljust(64, b"\0")
        tail = struct.pack(stamp, (1 << (64 if wide else 32)) - 1) + struct.pack("<H", 1)
        seeds.put("blackrock_nev", config + packets + tail.ljust(64, b"\1"))
        packet = lambda t: b"\1" + struct.pack(stamp, t) + struct.pack("<Ihh", 1, t, -t)
        stride = len(packet(0))
        seeds.put("blackrock_ptp", struct.pack("<HBdq", stride, wide, 33.3, 7) + b"".join(map(packet, (0, 33, 67, 900, 890))))
    planes = random.integers(0, 4, 68 * 2).astype("u1").tobytes()
    packed = imagecodecs.packbits_encode(planes)
    body = struct.pack("<I", 80) + packed
    block = struct.pack("<iIiI", len(body) + 12, 0, -(len(body) + 12), 0x104) + body
    seeds.put("labchart_block", struct.pack("<BHH", 0, 40, 80) + block)
    seeds.put("labchart_block", struct.pack("<BHH", 1, 20, 80) + block.replace(b"\x04\x01", b"\x05\x01"))
    seeds.put("labchart_block", struct.pack("<BHH", 0, 4, 8) + struct.pack("<iIiI", 20, 0, -20, 0x80000100) + bytes(range(8)))
    seeds.put("labchart_block", struct.pack("<BHH", 2, 40, 160) + imagecodecs.packbits_encode(bytes(range(256))))
    text = b'"CHANNEL"\t"1"\r\n"Waveform"\r\n\r\n"START"\t0\t0.01\r\n1.5\r\n-2\r\n+.5\r\n\r\n"CHANNEL"\t2\n0.25\n  7\n'
    for window in (9, 30, 500):
        seeds.put("text_sections", struct.pack("<H", window) + text)


def make_tables(seeds):
    def table(text, separator, kinds, encoding=0, piece=5, flags=3, comments=0):
        head = bytes([encoding, b",;\t | \0x".index(separator), 0, flags, 4, 3]) + struct.pack("<d", 0.5)
        head += bytes([0, 1, len(kinds) - 1, comments])
        head += b"".join(bytes([kind, detail, 0]) for kind, detail in kinds)
        seeds.put("table", head + bytes([piece]) + text)

    text = b'0.01,5,"a ""b"" c",1e-3\r\n0.02,x,plain,nan\r\n\r\n0.03,,"two\nlines",-7.25,9\r\n'
    table(text, b",", [(3, 0), (1, 0), (2, 0), (1, 0)])
    table(text, b",", [(1, 0), (0, 0), (2, 0)], piece=1, comments=1)
    table(text.decode().encode("utf-16-le"), b",", [(3, 0), (1, 0), (2, 0), (1, 0)], encoding=1, piece=3)
    table(text.decode().encode("utf-16-be"), b",", [(1, 0), (2, 0)], encoding=2, piece=7)
    table(b"1 2  3\n 4 5 6\n# note\n7 8 9", b"\0", [(1, 0), (1, 0), (2, 0)], comments=1)
    table("12.01.2024;23:59:59.5;1.5;µV\n13.01.2024;00:00:01;2.5;é\n".encode("latin1"), b";",
          [(4, 0), (5, 0), (1, 0), (2, 0)])
    table(b"1700000000000\t1.5\n1700000000010\t2.5\n", b"\t", [(6, 6), (1, 0)])
    for text in (b"1234.5678e-9", b"-0.1", b"inf", b"NaN", b"1.234.567,89", b"2024-01-31T23:59:59.123456789Z",
                 b"31/01/2024 11:59:59 PM", b"1:02:03.5", b"12:30", b"1700000000.25", b"9" * 40, b"0x1F", b"1e400"):
        seeds.put("table_cells", b"\0\x09" + text)
        seeds.put("table_cells", b"\1\x00" + text)


def make_frames(seeds):
    head = bytes([2, 0, 0, 0, 0, 3, 0, 2, 4]) + struct.pack("<HBHH", 1, 0, 6, 2) + struct.pack("<2d", 0.5, 1.0)
    for kind, output in ((2, 0), (4, 1), (10, 2), (12, 0), (14, 1), (16, 0)):
        start = bytes([kind, 0, 0, 0, output]) + head[5:]
        for first, count in ((0, 12), (3, 5)):
            window = struct.pack("<4HB", first, count, count, 0, 4)
            seeds.put("gather_frames", start + window + bytes(range(200)))
    swapped = bytes([6, 1, 1, 0, 0, 2, 4, 0]) + struct.pack("<HB", 3, 1) + bytes([8, 0, 16])
    seeds.put("gather_frames", swapped + struct.pack("<HH2d4HB", 24, 8, 0, 0, 0, 9, 9, 0, 2) + bytes(range(120)))
    for width in (0, 1, 2):
        words = np.repeat(random.integers(0, 8, 12), 20).astype("u4").astype(["u1", "<u2", "<u4"][width])
        seeds.put("find_edges", struct.pack("<BIIB", width, 0, 7, 40) + words.tobytes())
    for kind in (1, 2, 6, 8, 10, 11):
        seeds.put("downsample", struct.pack("<BB4HB", kind, 0, 5, 5, 5, 3, 4) + bytes(range(220)))
        for output in (1, 2):
            seeds.put("calibrate", struct.pack("<BBddHB", kind, output, 0.5, -1.0, 12, 4) + bytes(range(100)))
    seeds.put("words", struct.pack("<BH", 4, 10) + bytes(range(64)))
    for data in (bytes(400), image((20, 20), "u1").tobytes(), bytes(range(256))):
        seeds.put("lz4_block", struct.pack("<H", 400) + imagecodecs.lz4_encode(data, header=False))
        for kind in (0, 1, 2):
            coded = imagecodecs.blosc_encode(data, compressor="lz4", typesize=4, shuffle=kind)
            seeds.put("blosc_frame", struct.pack("<H", 400) + coded)
            seeds.put("blosc_there_and_back", bytes([4, kind, 0, 0, 1, 2]) + data)


def from_tiffs(seeds, corpus):
    for path in sorted(p for p in corpus.rglob("*") if p.suffix.lower() in (".tif", ".tiff", ".lsm", ".svs")):
        try:
            with tifffile.TiffFile(path) as file:
                for page in file.pages[:2]:
                    page = getattr(page, "aspage", lambda: page)()
                    rows = page.tilelength or page.rowsperstrip or page.imagelength
                    width = page.tilewidth or page.imagewidth
                    samples = page.samplesperpixel if page.planarconfig == 1 else 1
                    dtype = page.dtype or np.dtype("u1")
                    if dtype.kind not in "uif":
                        continue
                    bits = page.bitspersample if isinstance(page.bitspersample, int) else page.bitspersample[0]
                    offset, length = page.dataoffsets[0], page.databytecounts[0]
                    file.filehandle.seek(offset)
                    sub = page.tags.get(530)
                    sub = sub.value[0] | sub.value[1] << 4 if sub else 0x22
                    seeds.tile(
                        int(page.compression), file.filehandle.read(length),
                        (min(rows, page.imagelength) if not page.is_tiled else rows, width, samples), dtype,
                        predictor=int(page.predictor), photometric=int(page.photometric), subsampling=sub,
                        bits=bits, tables=page.jpegtables or b"",
                        flags=2 * (file.byteorder == ">") + (page.fillorder == 2),
                        fax=int(page.tags[292].value) & 255 if 292 in page.tags else 0,
                    )
        except Exception as error:
            print(f"{path.name}: {error}")


def from_hdf5(seeds, corpus):
    for path in sorted(p for p in corpus.rglob("*") if p.suffix in (".h5", ".nwb", ".mat", ".ims")):
        try:
            with h5py.File(path) as file:
                file.visititems(lambda _, d: chunks_of(seeds, d) if isinstance(d, h5py.Dataset) and d.chunks else None)
        except OSError:
            pass


def from_recordings(seeds, corpus):
    """Heads of real files behind plain parameters: what is in them is right, what leads there is not."""
    def heads(folder, pattern):
        for path in sorted((corpus / folder).rglob(pattern)):
            yield path.read_bytes()[:10_000]

    for head in heads("smr", "*.smr"):
        starts = struct.pack("<HHB", 512, 0, 1) + struct.pack("<HHB", 1024, 0, 2)
        seeds.put("son32_scan", bytes([1, 1]) + struct.pack("<HB", 0, 2) + starts + head)
    for path in sorted((corpus / "smrx").rglob("*.smrx")):
        data = path.read_bytes()
        for at in range(0x10000, len(data), 0x10000):
            seeds.put("son64_runs", struct.pack("<HH3qBB", 0xFFFF, 2, 0, 0, 10, 0, 200) + data[at : at + 4000])
    for head in heads("blackrock", "*.nev"):
        start, packet = struct.unpack_from("<II", head, 12)
        config = struct.pack("<HBBHBBIdq", packet, 0, 2, (packet - 8) // 2, 2, 2, (packet - 8) // 2, 30000.0, 0)
        seeds.put("blackrock_nev", config + bytes([0, 1]) + head[start:])
    for folder in ("csv", "spike2_text"):
        for pattern in ("*.csv", "*.tsv", "*.txt"):
            for head in heads(folder, pattern):
                for separator in (0, 1, 2):
                    kinds = b"".join(bytes([k, 0, 0]) for k in (3, 1, 1, 2, 1))
                    start = bytes([0, separator, 0, 3, 8, 0]) + struct.pack("<d", 1.0) + bytes([0, 0, 4, 0])
                    seeds.put("table", start + kinds + b"\x20" + head[:3000])
                seeds.put("text_sections", struct.pack("<H", 200) + head[:3000])


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--corpus", type=pathlib.Path)
    corpus = parser.parse_args().corpus
    seeds = Seeds(ROOT / ("corpus" if corpus else "seeds"))
    if corpus:
        from_tiffs(seeds, corpus)
        from_hdf5(seeds, corpus)
        from_recordings(seeds, corpus)
    else:
        for make in (make_tiles, make_chunks, make_recordings, make_tables, make_frames):
            make(seeds)
    for target, count in sorted(seeds.counts.items()):
        print(f"{target}: {count}")


main()
