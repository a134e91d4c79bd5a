"""Images: level 0 against tifffile, levels below against a 2x2 mean in numpy, metadata against the OME-Zarr models."""
import os

import numpy as np
import zarr


def halved(level):
    """2x2 means over the last two axes; sizes round up, halves round up, edges average what is there."""
    rows, columns = level.shape[-2:]
    wide = level.astype(np.float64 if level.dtype.kind == "f" else np.int64)
    total = np.add.reduceat(np.add.reduceat(wide, np.arange(0, rows, 2), axis=-2), np.arange(0, columns, 2), axis=-1)
    count = np.add.reduceat(np.add.reduceat(np.ones((rows, columns), np.int64), np.arange(0, rows, 2), axis=0),
                            np.arange(0, columns, 2), axis=1)
    if level.dtype.kind == "f":
        return (total / count).astype(level.dtype)
    return ((2 * total + count) // (2 * count)).astype(level.dtype)


def validate(store, version):
    """The OME-Zarr models' word on a store: every image of it, or the bioformats2raw layout. Raises where they object."""
    if version == 3:
        from ome_zarr_models.v05 import Image
    else:
        from ome_zarr_models.v04 import Image
    root = zarr.open_group(store, mode="r")
    attributes = dict(root.attrs)
    ome = attributes.get("ome", {}) if version == 3 else attributes
    if "multiscales" in ome:
        return [Image.from_zarr(root)]
    if ome.get("bioformats2raw.layout") != 3:
        raise ValueError(f"neither multiscales nor bioformats2raw.layout in {sorted(attributes)}")
    series = dict(root["OME"].attrs)
    series = (series.get("ome", series))["series"]
    return [Image.from_zarr(root[name]) for name in series]


def levels_of(store, group=""):
    root = zarr.open_group(store, mode="r")
    node = root[group] if group else root
    attributes = dict(node.attrs)
    multiscale = attributes.get("ome", attributes)["multiscales"][0]
    return multiscale, [node[d["path"]] for d in multiscale["datasets"]]


def check_pyramid(c, arrays, level0, exact=True):
    c.that("level 0 bit for bit", arrays[0].dtype == level0.dtype and np.array_equal(arrays[0][...], level0))
    smaller = level0
    for depth, array in enumerate(arrays[1:], 1):
        smaller = halved(smaller)
        found = array[...]
        same = found.shape == smaller.shape and (
            np.array_equal(found, smaller) if exact else np.allclose(found, smaller, rtol=1e-6, atol=1e-6))
        c.that(f"level {depth} is the 2x2 mean of level {depth - 1}", same,
               f"{found.shape} and {smaller.shape}, {int((found != smaller).sum()) if found.shape == smaller.shape else 'other size'}")


def check_images(c, program, folder):
    import tifffile
    random = np.random.default_rng(3)
    y, x = np.mgrid[0:1301, 0:1777]
    smooth = lambda top: ((np.sin(x / 90) * np.cos(y / 70) + 1) / 2 * top)
    pictures = {
        "gray-u8-strips": (smooth(255).astype(np.uint8), {}),
        "gray-u16-tiles": ((smooth(60000) + random.integers(0, 4000, y.shape)).astype(np.uint16),
                           dict(tile=(256, 256), compression="deflate", predictor=True)),
        "gray-i16-lzw": ((smooth(3000) - 1500).astype(np.int16), dict(compression="lzw", rowsperstrip=50)),
        "gray-f32": (smooth(1).astype(np.float32), dict(tile=(128, 128))),
        "rgb-u8": (np.stack([smooth(255), 255 - smooth(255), random.integers(0, 255, y.shape)], -1).astype(np.uint8),
                   dict(photometric="rgb", tile=(512, 512), compression="deflate")),
    }
    for name, (data, options) in pictures.items():
        path = os.path.join(folder, f"{name}.tif")
        tifffile.imwrite(path, data, metadata=None, **options)
        stored = tifffile.imread(path)
        level0 = np.moveaxis(stored, -1, 0) if stored.ndim == 3 else stored
        for flags, version in (([], 3), (["--zarr-format", "2"], 2), (["--chunk-bytes", "64KiB", "--shard-bytes", "512KiB"], 3)):
            with c.section(f"image {name} {' '.join(flags)}"):
                store = program.convert(path, *flags)
                c.that("named .ome.zarr", store.endswith(".ome.zarr"), store)
                validate(store, version)
                multiscale, arrays = levels_of(store)
                squeezed = arrays[0][...].reshape(level0.shape) if arrays[0].size == level0.size else level0
                c.equal("axes", [a["name"] for a in multiscale["axes"]], ["c", "y", "x"][3 - level0.ndim:])
                c.that("several levels", len(arrays) > 1 or "--chunk-bytes" not in flags, len(arrays))
                check_pyramid(c, arrays, level0, exact=level0.dtype.kind != "f")
                scales = [d["coordinateTransformations"][0]["scale"][-1] for d in multiscale["datasets"]]
                c.equal("scales double", scales, [scales[0] * 2**i for i in range(len(scales))])
    check_ome_tiff(c, program, folder)


def check_ome_tiff(c, program, folder):
    import tifffile
    random = np.random.default_rng(4)
    data = random.integers(0, 65535, (2, 3, 4, 300, 421), dtype=np.uint16)
    path = os.path.join(folder, "stack.ome.tif")
    tifffile.imwrite(path, data, ome=True, metadata={
        "axes": "TCZYX", "PhysicalSizeX": 0.25, "PhysicalSizeXUnit": "µm", "PhysicalSizeY": 0.5, "PhysicalSizeYUnit": "µm",
        "PhysicalSizeZ": 1.5, "PhysicalSizeZUnit": "µm", "TimeIncrement": 2.0, "TimeIncrementUnit": "s",
        "Channel": {"Name": ["DAPI", "GFP", "Cy5"]}})
    for flags, version in (([], 3), (["--zarr-format", "2"], 2)):
        with c.section(f"OME-TIFF stack {' '.join(flags)}"):
            store = program.convert(path, *flags)
            validate(store, version)
            multiscale, arrays = levels_of(store)
            c.equal("axes", [a["name"] for a in multiscale["axes"]], list("tczyx"))
            c.equal("sizes", multiscale["datasets"][0]["coordinateTransformations"][0]["scale"], [2.0, 1, 1.5, 0.5, 0.25])
            c.equal("units", [a.get("unit") for a in multiscale["axes"]],
                    ["second", None, "micrometer", "micrometer", "micrometer"])
            check_pyramid(c, arrays, data)
            attributes = dict(zarr.open_group(store, mode="r").attrs)
            omero = attributes.get("ome", attributes).get("omero", {})
            c.equal("channel names", [ch["label"] for ch in omero.get("channels", [])], ["DAPI", "GFP", "Cy5"])
    with c.section("several images in one file"):
        path = os.path.join(folder, "series.ome.tif")
        with tifffile.TiffWriter(path, ome=True) as writer:
            writer.write(data[0, 0, 0], metadata={"axes": "YX", "Name": "first"})
            writer.write(data[0, :, 0], metadata={"axes": "CYX", "Name": "second"})
        for flags, version in (([], 3), (["--zarr-format", "2"], 2)):
            store = program.convert(path, *flags)
            models = validate(store, version)
            c.equal("images", len(models), 2)
            for group, expected in (("0", data[0, 0, 0]), ("1", data[0, :, 0])):
                check_pyramid(c, levels_of(store, group)[1], expected)
            c.that("the OME-XML is kept", os.path.exists(os.path.join(store, "OME", "METADATA.ome.xml")))
