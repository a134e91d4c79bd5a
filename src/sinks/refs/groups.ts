/** What groups say must fit the arrays that are there: dimensions of one length, images of their levels. */
import type { Attributes, Json } from "../../model/dataset.ts";
import type { PlannedArray } from "../../plan/plan.ts";

/** Gives out names of dimensions. */
export interface DimensionNames {
  /** The names of an array's dimensions, changed where its group knows them with another length. */
  of(path: string, dims: string[], shape: number[]): string[];
}

/** Names of dimensions, of one length in each group: xarray opens no group in which one name has two. */
export function uniqueDims(): DimensionNames {
  const groups = new Map<string, Map<string, number>>();
  return {
    of(path, dims, shape) {
      const at = path.lastIndexOf("/");
      const group = path.slice(0, Math.max(0, at));
      let known = groups.get(group);
      if (!known) groups.set(group, known = new Map());
      const taken = known;
      return dims.map((dim, i) => {
        let name = dim;
        for (let k = 1; (taken.get(name) ?? shape[i]) !== shape[i]; k++) {
          name = `${dim}_${path.slice(at + 1)}${k > 1 ? `_${k}` : ""}`;
        }
        taken.set(name, shape[i]);
        return name;
      });
    },
  };
}

/**
 * Takes out of `multiscales` the levels that could not be expressed. Where the bytes of an image lie in
 * another order of axes than OME-Zarr allows, nothing of it is left.
 * @param expressed dimensions of each array that is there, by path
 */
export function pruneImages(
  groups: Map<string, Attributes>,
  arrays: PlannedArray[],
  expressed: ReadonlyMap<string, string[]>,
): void {
  const planned = new Map(arrays.map((a) => [a.path, a]));
  for (const [path, attributes] of groups) {
    const multiscales = attributes.multiscales as { datasets: { path: string }[] }[] | undefined;
    if (!Array.isArray(multiscales)) continue;
    const full = (level: string) => (path ? `${path}/${level}` : level);
    const datasets = multiscales[0].datasets.filter((d) => expressed.has(full(d.path)));
    const turned = datasets.some((d) =>
      String(expressed.get(full(d.path))) !== String(planned.get(full(d.path))?.dims)
    );
    const { multiscales: _all, omero: _view, ...rest } = attributes;
    groups.set(
      path,
      turned || datasets.length === 0
        ? rest
        : { ...attributes, multiscales: [{ ...multiscales[0], datasets }] as unknown as Json },
    );
  }
}
