/** Descriptors that come with the program, for the shapes of published SPARC datasets. */
import { checkDescriptor } from "./descriptor.ts";
import type { MappingDescriptor } from "./descriptor-types.ts";
import { DESCRIPTORS } from "./descriptors/mod.ts";
import { FuseError } from "../../src/errors.ts";

let checked: MappingDescriptor[] | undefined;

/** All of them, in the order of their names. */
export function shippedDescriptors(): readonly MappingDescriptor[] {
  return checked ??= DESCRIPTORS.map((d) => checkDescriptor(d, "a shipped descriptor"));
}

/**
 * The shipped descriptor of a name: its own ("sparc-350-351"), or "sparc-N" for the only one of dataset N.
 * @throws FuseError `Usage` when a dataset has several.
 */
export function shippedDescriptor(name: string): MappingDescriptor | undefined {
  const all = shippedDescriptors();
  const own = all.find((d) => d.name === name);
  const id = /^sparc-(\d+)$/.exec(name)?.[1];
  if (own || id === undefined) return own;
  const found = descriptorsOf(Number(id));
  if (found.length <= 1) return found[0];
  throw new FuseError("Usage", `dataset ${id} has several mappings`, {
    found: name,
    expected: found.map((d) => d.name).join(" or "),
  });
}

/** The shipped descriptors of a dataset. */
export function descriptorsOf(dataset: number): MappingDescriptor[] {
  return shippedDescriptors().filter((d) => d.datasets?.includes(dataset));
}
