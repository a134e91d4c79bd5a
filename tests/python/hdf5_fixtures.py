"""Writes tests/support/hdf5-fixtures.ts: small HDF5 files made by h5py, which the tests know the values of.

    python tests/python/hdf5_fixtures.py      (needs numpy, h5py and hdf5plugin)

The files are committed as text, so the tests need no HDF5 library; run this again only to add cases.
"""

import base64
import gzip
import io
import os
import textwrap
import zlib

import h5py
import hdf5plugin
import numpy as np
from h5py import h5d, h5p, h5s, h5t

OUT = os.path.join(os.path.dirname(__file__), "..", "support", "hdf5-fixtures.ts")


def grid(rows, cols, dtype="<i2"):
    """Row i, column j holds 100 i + j."""
    return (100 * np.arange(rows)[:, None] + np.arange(cols)).astype(dtype)


def bumps(dtype="<i4", n=200):
    """Element i holds i * i % 257 - 100."""
    i = np.arange(n)
    return (i * i % 257 - 100).astype(dtype)


def types(f):
    g = f.create_group("types")
    for name in "i1 >i2 <i4 >i8 u1 <u2 >u4 <u8 <f2 >f4 <f8 >c8 <c16".split():
        g[name.replace(">", "be_").replace("<", "")] = (np.arange(5) * 3).astype(name)
    g["i8_large"] = np.array([2**60 + 1, -(2**60) - 1])
    g["bool"] = np.arange(5) % 2 == 1
    g["fixed"] = np.array([b"abc", b"", b"defgh"])
    g.create_dataset("text", data=["eins", "", "zwölf", "日本"], dtype=h5py.string_dtype())
    g.create_dataset("colour", data=np.array([0, 2, 1], "i2"),
                     dtype=h5py.enum_dtype({"red": 0, "green": 1, "blue": 2}, basetype="i2"))
    v = g.create_dataset("ragged", (4,), dtype=h5py.vlen_dtype("<i4"))
    v[1], v[3] = [1, 2, 3], [4]
    inner = np.dtype([("x", "u1"), ("y", "<f2", (2,))])
    rows = np.zeros(6, np.dtype([("a", "<i4"), ("b", ">f8", (2,)), ("c", "S4"), ("d", inner), ("ok", "?")]))
    rows["a"], rows["b"] = np.arange(6), np.arange(12).reshape(6, 2) / 4
    rows["c"], rows["d"]["x"], rows["d"]["y"], rows["ok"] = b"word", 7, 1.5, np.arange(6) > 3
    g.create_dataset("rows", data=rows, chunks=(4,), compression="gzip", shuffle=True)
    g["opaque"] = np.void(b"\x01\x02\x03")
    g["moments"] = np.array([10, -5], "<M8[us]").astype(h5py.opaque_dtype(np.dtype("<M8[us]")))
    g["scalar"], g["word"] = np.float32(2.5), "wörd"
    g.create_dataset("nothing", data=h5py.Empty("f4"))
    g.create_dataset("empty", (0, 4), "<i2")
    g["refs"] = np.array([g["fixed"].ref, f.ref, h5py.Reference()], dtype=h5py.ref_dtype)
    r = g.create_dataset("regions", (2,), dtype=h5py.regionref_dtype)
    r[0] = g["rows"].regionref[2:5]
    long = h5t.STD_I32LE.copy()
    long.set_precision(24)
    long.set_size(3)
    d = h5d.create(g.id, b"i24", long, h5s.create_simple((3,)))
    d.write(h5s.ALL, h5s.ALL, np.array([-1, 8388607, -8388608], "i4"), mtype=h5t.STD_I32LE)


def links(f, order):
    g = f.create_group("links", track_order=order)
    for i in range(12):
        g[f"member {(i * 5) % 12}"] = np.int16(i)
    g["soft"], g["dangling"] = h5py.SoftLink("/types/fixed"), h5py.SoftLink("/nowhere")
    g["hard"], g["loop"] = f["types/fixed"], f
    g["external"], g["missing"] = h5py.ExternalLink("other.h5", "/data"), h5py.ExternalLink("none.h5", "/x")
    a = f.create_group("attributes", track_order=order)
    for i in range(12):
        a.attrs[f"number {i}"] = i * 1.5
    a.attrs["text"], a.attrs["texts"], a.attrs["bytes"] = "größe", ["a", "", "ccc"], np.array([b"x", b"yz"])
    a.attrs["matrix"], a.attrs["empty"] = np.arange(6).reshape(2, 3), h5py.Empty("f4")
    a.attrs["large"], a.attrs["complex"], a.attrs["flag"] = np.uint64(2**63 + 5), 1 + 2j, True
    a.attrs["to"] = f["types/fixed"].ref
    a.attrs["pair"] = np.array((3, b"ab"), np.dtype([("n", "<i4"), ("s", "S2")]))
    a.attrs["list"] = np.zeros(5000, "u1")


def chunks(f):
    g = f.create_group("chunks")

    def put(name, data, rows_cols, maxshape=None, **more):
        return g.create_dataset(name, data=data, chunks=rows_cols, maxshape=maxshape, **more)

    put("whole", grid(6, 5), (6, 5))
    put("fixed", grid(20, 31), (3, 7), compression="gzip")
    d = g.create_dataset("paged", (2500,), "u1", chunks=(1,))
    d[3], d[2400] = 1, 2
    put("first", grid(40, 9), (7, 4), maxshape=(None, 9), fletcher32=True)
    put("second", grid(9, 40), (4, 3), maxshape=(9, None), compression="gzip")
    put("both", grid(21, 33), (2, 3), maxshape=(None, None), shuffle=True)
    put("shrunk", grid(30, 30), (4, 4), maxshape=(None, None)).resize((13, 17))
    d = g.create_dataset("gaps", (50,), "<i8", chunks=(6,), fillvalue=2**60 + 1)
    d[20:22] = [5, 6]
    d = g.create_dataset("gaps_half", (20,), ">f2", chunks=(6,), fillvalue=1.5)
    d[7] = 2
    g.create_dataset("never", (10,), "<f4", fillvalue=-1)
    early = h5p.create(h5p.DATASET_CREATE)
    early.set_chunk((4, 5))
    early.set_alloc_time(h5d.ALLOC_TIME_EARLY)
    d = h5d.create(g.id, b"implicit", h5t.STD_I16LE, h5s.create_simple((9, 13), (12, 20)), early)
    h5py.Dataset(d)[...] = grid(9, 13)
    compact = h5p.create(h5p.DATASET_CREATE)
    compact.set_layout(h5d.COMPACT)
    d = h5d.create(g.id, b"compact", h5t.STD_I16BE, h5s.create_simple((7,)), compact)
    h5py.Dataset(d)[...] = np.arange(7)
    d = g.create_dataset("masks", (40,), "<i4", chunks=(10,), compression="gzip", shuffle=True)
    a = np.arange(40, dtype="<i4")
    planes = lambda x: np.frombuffer(x.tobytes(), "u1").reshape(-1, 4).T.tobytes()
    d.id.write_direct_chunk((0,), zlib.compress(planes(a[:10])), 0)
    d.id.write_direct_chunk((10,), zlib.compress(a[10:20].tobytes()), 1)
    d.id.write_direct_chunk((20,), planes(a[20:30]), 2)
    d.id.write_direct_chunk((30,), a[30:].tobytes(), 3)


def filters(f):
    g = f.create_group("filters")

    def put(name, dtype="<i4", **more):
        g.create_dataset(name, data=bumps(dtype), chunks=(64,), **more)

    put("deflate", compression="gzip", shuffle=True, fletcher32=True)
    put("lzf", compression="lzf")
    put("szip_nn", "<i2", compression="szip", compression_opts=("nn", 16))
    put("szip_ec", ">f8", compression="szip", compression_opts=("ec", 8))
    put("scaleoffset", scaleoffset=0)
    put("scaleoffset_f4", "<f4", scaleoffset=0)
    for c in ("blosclz", "lz4", "zlib", "zstd", "snappy"):
        put(f"blosc_{c}", **hdf5plugin.Blosc(cname=c, shuffle=1))
    put("blosc_bits", **hdf5plugin.Blosc(cname="lz4", shuffle=2))
    put("bitshuffle", **hdf5plugin.Bitshuffle(cname="none"))
    put("bitshuffle_lz4", **hdf5plugin.Bitshuffle(cname="lz4"))
    put("bitshuffle_zstd", **hdf5plugin.Bitshuffle(cname="zstd"))
    put("lz4", **hdf5plugin.LZ4())
    put("zstd", **hdf5plugin.Zstd())
    put("bzip2", **hdf5plugin.BZip2())
    put("zfp", "<f4", **hdf5plugin.Zfp(accuracy=0.1))
    nbit = h5p.create(h5p.DATASET_CREATE)
    nbit.set_chunk((64,))
    nbit.set_filter(5, 0, ())
    d = h5d.create(g.id, b"nbit", h5t.STD_I32BE, h5s.create_simple((200,)), nbit)
    h5py.Dataset(d)[...] = bumps()


def tree(version):
    def make(f):
        order = version == "latest"
        types(f)
        links(f, order)
        chunks(f)
        if version == "latest":
            filters(f)
            f.create_virtual_dataset("virtual", h5py.VirtualLayout((4,), "i4"))

    return make


def other(f):
    f["data"] = np.arange(4, dtype="<i2")


def flat(f):
    f.attrs["sampling_rate"], f.attrs["date"] = 250.0, "2021-03-17T14:25:36"
    f["time"] = np.arange(400) / 250
    d = f.create_dataset("signals", data=bumps("<i2", 1200).reshape(400, 3), chunks=(150, 3), compression="gzip")
    d.attrs["channel_names"], d.attrs["units"] = ["a", "b", "c"], "uV"
    d.attrs["scale"], d.attrs["offset"] = 0.5, -1.0
    f["raw"] = bumps(">f4", 400)
    f["raw"].attrs["units"] = "mV"
    f["electrodes/position"] = np.arange(6.0).reshape(3, 2)
    f["electrodes"].attrs["made by"] = "nobody"


def moments(f):
    for k, name in enumerate(["2022-09-22T18:20:00.500000+00:00", "2022-09-22T18:19:58.250000+00:00"]):
        g = f.create_group(f"subject-3/{name}")
        for array, rate, channels in (("ecg", 1000, 3), ("hr", 500, 2), ("neural", 30000, 1)):
            n = rate // 100
            g[array] = grid(n, channels, "<f8") + 1e6 * k


def trials(f):
    for trial, levels in (("E1R2  001", [200]), ("E1R2  002", [200, 250])):
        g = f.create_group(f"EPs/20200108/E1R2 /{trial}")
        g["w_Level"], g["w_Response"] = np.array(levels, "<f4"), np.array(levels, "<f4") * 1e-8
        g["v_Threshold"] = 200.0
        for level in levels:
            g[f"w_E1R2 {level}CL"] = (np.arange(50) * level).astype("<f4")


def sequences(f):
    v = f.create_dataset("spectra", (3,), dtype=h5py.vlen_dtype(np.dtype("<c8")))
    v[0], v[2] = np.array([1 + 2j, -3j], "<c8"), np.array([0.5], "<c8")


def matlab(f):
    """Variables as MATLAB 7.3 saves them; `point` is an object of a class of its own."""

    def put(where, name, values, kind, **attributes):
        d = where.create_dataset(name, data=values)
        d.attrs["MATLAB_class"] = np.bytes_(kind)
        for key, value in attributes.items():
            d.attrs["MATLAB_" + key] = value
        return d

    def text(where, name, words):
        return put(where, name, np.array([[ord(c)] for c in words], "u2"), "char", int_decode=np.int32(2))

    refs = f.create_group("#refs#")
    put(f, "d", np.arange(6.0).reshape(2, 3), "double")
    put(f, "yes", np.array([[1, 0, 1]], "u1"), "logical", int_decode=np.int32(1))
    z = np.zeros((2, 2), [("real", "<i2"), ("imag", "<i2")])
    z["real"], z["imag"] = [[1, 2], [3, 4]], -5
    put(f, "z", z, "int16")
    text(f, "words", "größe")
    put(f, "nothing", np.array([0, 3], "u8"), "double", empty=np.uint8(1))
    one, two = put(refs, "a", np.array([[1.0]]), "double"), text(refs, "b", "two")
    f.create_dataset("cell", data=np.array([[one.ref], [two.ref]], h5py.ref_dtype))
    f["cell"].attrs["MATLAB_class"] = np.bytes_("cell")
    s = f.create_group("s")
    s.attrs["MATLAB_class"] = np.bytes_("struct")
    s.create_dataset("x", data=np.array([[one.ref, one.ref]], h5py.ref_dtype))
    sparse = f.create_group("sparse")
    sparse.attrs["MATLAB_class"], sparse.attrs["MATLAB_sparse"] = np.bytes_("logical"), np.uint64(4)
    sparse["data"], sparse["ir"] = np.array([1, 1], "u1"), np.array([0, 3], "u8")
    sparse["jc"] = np.array([0, 1, 2], "u8")
    reference = np.array([[0xDD000000, 2, 1, 1, 1, 1]], "u4")
    put(f, "point", reference, "Point", object_decode=np.int32(3))
    names = b"Point\0x\0" + bytes(8)
    classes, objects = [0] * 4 + [0, 1, 0, 0], [0] * 6 + [1, 0, 0, 0, 1, 1]
    saved, own, more = [0, 0], [0, 0] + [1, 2, 1, 0], [0, 0]
    at, offsets = 40 + len(names), []
    for region in (classes, saved, objects, own, more):
        offsets.append(at)
        at += 4 * len(region)
    words = np.array(classes + saved + objects + own + more, "<u4").tobytes()
    table = np.array([4, 2, *offsets, at, 0, 0], "<u4").tobytes() + names + words
    held = [
        put(refs, "c", np.frombuffer(table, "u1")[None, :], "uint8"),
        put(refs, "d", np.array([0, 0], "u8"), "double", empty=np.uint8(1)),
        put(refs, "e", np.array([[2.5]]), "double"),
    ]
    system = f.create_group("#subsystem#")
    system.create_dataset("MCOS", data=np.array([[h.ref for h in held]], h5py.ref_dtype))
    system["MCOS"].attrs["MATLAB_class"] = np.bytes_("FileWrapper__")


def encoded(make, **options):
    buffer = io.BytesIO()
    with h5py.File(buffer, "w", **options) as f:
        make(f)
    return base64.b64encode(gzip.compress(buffer.getvalue(), 9, mtime=0)).decode()


FILES = {
    "old": encoded(tree("earliest"), libver="earliest"),
    "new": encoded(tree("latest"), libver="latest", track_order=True),
    "other": encoded(other, userblock_size=512),
    "flat": encoded(flat),
    "moments": encoded(moments),
    "trials": encoded(trials),
    "matlab": encoded(matlab, userblock_size=512),
    "sequences": encoded(sequences),
}

with open(OUT, "w") as out:
    out.write('/** Small HDF5 files, gzip and base64; made by `tests/python/hdf5_fixtures.py`. */\n')
    out.write("const PACKED: Record<string, string[]> = {\n")
    for name, text in FILES.items():
        out.write(f"  {name}: [\n")
        for line in textwrap.wrap(text, 90):
            out.write(f'    "{line}",\n')
        out.write("  ],\n")
    out.write("};\n")
    out.write('''
/** The bytes of one of the files. */
export async function hdf5Fixture(name: string): Promise<Uint8Array> {
  const packed = Uint8Array.from(atob(PACKED[name].join("")), (c) => c.charCodeAt(0));
  const stream = new Blob([packed]).stream().pipeThrough(new DecompressionStream("gzip"));
  return new Uint8Array(await new Response(stream).arrayBuffer());
}
''')
print({k: len(v) for k, v in FILES.items()}, sum(map(len, FILES.values())))
