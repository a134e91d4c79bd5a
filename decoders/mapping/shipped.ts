/** Descriptors that come with the program. */
import type { MappingDescriptor } from "./descriptor.ts";

/** The shipped descriptor of a name. */
export function shippedDescriptor(_name: string): MappingDescriptor | undefined {
  return undefined;
}
