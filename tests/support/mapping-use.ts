/** Opens files under descriptors, and says what an output is made of apart from how it was found out. */
import { checkDescriptor, useDescriptor } from "../../decoders/mapping/descriptor.ts";
import { openDataset } from "../../src/identify.ts";
import type { Dataset } from "../../src/model/dataset.ts";
import { MemorySource } from "../../src/source/memory.ts";
import { convertPlanned } from "./convert-memory.ts";

/** Opens bytes, under a descriptor where one is given; it is checked as one from a file would be. */
export async function openMapped(
  name: string,
  bytes: Uint8Array,
  mapping?: unknown,
  siblings: Record<string, Uint8Array> = {},
): Promise<Dataset> {
  const use = mapping === undefined
    ? undefined
    : await useDescriptor(checkDescriptor(structuredClone(mapping), "test"), "test");
  return (await openDataset(new MemorySource(name, bytes, siblings), { mapping: use })).dataset;
}

/** Every object of a dataset's store, with metadata as values and without the provenance. */
export async function storedObjects(dataset: Dataset): Promise<Record<string, unknown>> {
  const { target } = await convertPlanned(dataset);
  const objects: Record<string, unknown> = {};
  for (const [key, bytes] of target.objects) {
    if (!key.endsWith("zarr.json")) {
      objects[key] = bytes;
      continue;
    }
    const node = JSON.parse(new TextDecoder().decode(bytes));
    for (const own of [node, ...Object.values(node.consolidated_metadata?.metadata ?? {})]) {
      const { attributes } = own as { attributes?: Record<string, unknown> };
      delete attributes?.sparc_fuse;
      delete attributes?.auto_mapped;
    }
    objects[key] = node;
  }
  return objects;
}
