/** The files of a SPARC dataset as the files of a job. */
import { useDescriptor } from "../../decoders/mapping/descriptor.ts";
import type { MappingUse } from "../../decoders/mapping/descriptor-types.ts";
import { descriptorsOf } from "../../decoders/mapping/shipped.ts";
import { FuseError } from "../errors.ts";
import type { JobInput } from "../job.ts";
import { listingAttributes } from "../sparc/attributes.ts";
import { listDataset, selectFiles } from "../sparc/dataset-files.ts";
import { openDatasetFile, readDatasetFile } from "../sparc/dataset-sources.ts";
import { DISCOVER_URL, DiscoverClient } from "../sparc/discover.ts";
import type { FlagValues } from "./flags.ts";
import { globMatcher } from "./glob.ts";
import { type Inputs, sourceOptions } from "./inputs.ts";

/**
 * Lists dataset `id` and picks `paths` (files, folders or globs; all of primary/ without any).
 * @throws FuseError `Usage` for unknown datasets and paths, `Network`.
 */
export async function datasetInputs(
  id: number,
  paths: string[],
  flags: FlagValues,
  signal?: AbortSignal,
): Promise<Inputs> {
  const baseUrl = String(
    flags.discoverUrl ?? Deno.env.get("SPARC_FUSE_DISCOVER_URL") ?? DISCOVER_URL,
  );
  const client = new DiscoverClient({ baseUrl, signal });
  const options = sourceOptions(flags, signal);
  const listing = await listDataset(client, id, datasetVersion(flags));
  const { files, unmatched } = selectFiles(listing, paths);
  if (unmatched.length) {
    throw new FuseError("Usage", "no file of the dataset matches", {
      source: `dataset ${id}`,
      found: unmatched.join(", "),
      remedy: `\`list ${id}\` shows the paths`,
    });
  }
  const described = listingAttributes(
    listing,
    (file) => readDatasetFile(file, { client, listing, options }),
  );
  const mappingFor = await shippedMappings(id);
  const title = `SPARC dataset ${id} version ${listing.dataset.version}: ${listing.dataset.name}`;
  const inputs = files.map((file): JobInput => ({
    path: file.relativePath,
    uri: file.uri,
    size: file.size,
    sha256: file.sha256,
    open: () => openDatasetFile(file, { client, listing, options }),
    context: () => described.of(file),
    mapping: mappingFor(file.relativePath),
  }));
  return { files: inputs, collection: true, title };
}

/** Descriptors that come with the program for a dataset, by the paths of its files. */
async function shippedMappings(id: number): Promise<(path: string) => MappingUse | undefined> {
  const shipped = await Promise.all(
    descriptorsOf(id).map(async (descriptor) => ({
      matches: globMatcher(descriptor.files),
      use: { ...await useDescriptor(descriptor, "shipped"), lenient: "all" as const },
    })),
  );
  return (path) => shipped.find(({ matches }) => !matches || matches(path))?.use;
}

function datasetVersion(flags: FlagValues): number | undefined {
  if (flags.datasetVersion === undefined) return undefined;
  const version = Number(flags.datasetVersion);
  if (Number.isInteger(version) && version > 0) return version;
  throw new FuseError("Usage", "--dataset-version takes a number", { found: flags.datasetVersion });
}
