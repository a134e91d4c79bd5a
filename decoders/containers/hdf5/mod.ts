/**
 * HDF5 files, read by ranges: the base of every format that lives in one.
 *
 * ```ts
 * const file = await openHdf5(source, { signal, limits });
 * const rate = (await file.root.attributes()).get("rate")?.values[0];
 *
 * const data = await file.get("/recording/data");     // null when it is not there
 * if (data instanceof Dataset5) {
 *   data.shape;                                       // [] for a scalar, see also data.kind
 *   const values = await data.readAll();              // typed array, or values of other types
 *   const part = await data.read([0, 0], [100, 4]);   // only the chunks of this box are read
 *   const [leaf] = leavesOf(data.type)!;              // one leaf a member of a compound
 *   const layout = await data.layout(leaf, 0);        // a ChunkLayout: offsets and codecs, nothing is read
 * }
 *
 * await walk(file, { dataset: (d) => console.log(d.path) });
 * const target = await file.dereference(reference);   // also: file.pathOf(reference.address)
 * ```
 *
 * Opening reads the superblock only. Headers, indexes and heaps are read when they are first needed, in pages
 * that are kept; sources should cache "header" reads when they are remote (`openSource` does). Soft links are
 * followed by `get`, external ones through `source.sibling`. What cannot be read says so in
 * {@link Dataset5.obstacle} before anything is tried. Everything wrong with a file is a FuseError.
 *
 * A layout's codec is "raw" where the bytes need nothing but their order turned, else "hdf5", whose parameters
 * ({@link Hdf5ChunkParams}) name the filters in the order they were applied: virtual references are made from
 * these and the offsets.
 */
export { Hdf5File, type Hdf5Options, type NamedType, type Object5, openHdf5 } from "./file.ts";
export { Group } from "./group.ts";
export type { Link } from "./links.ts";
export { Dataset5, type DatasetHeader } from "./dataset.ts";
export type { Datatype, Member } from "./datatype.ts";
export { type Leaf, leavesOf, numberCoding } from "./elements.ts";
export { type Attribute, attributeJson, valueJson } from "./attributes.ts";
export type { Complex, Value, Values } from "./values.ts";
export { isReference, type Reference } from "./references.ts";
export { type Filter, filterName } from "./filters.ts";
export type { Hdf5ChunkParams, ItemCoding } from "./chunk-codec.ts";
export { type Visitor, walk } from "./walk.ts";
export { hasSignature } from "./superblock.ts";
