/**
 * Names of dimensions. A name stands for one length in the whole store, so that groups open together in
 * xarray: dimension scales name the axes they belong to, other axes are named after their array.
 */
import { nameOf } from "../mapping/variables.ts";

/** Gives out names of dimensions. */
export class DimensionNames {
  readonly #lengths = new Map<string, number>();

  /** Keeps names for dimensions that are named elsewhere. */
  reserve(...names: string[]): void {
    for (const name of names) this.#lengths.set(name, -1);
  }

  /** `wanted`, or with a number behind it where that stands for another length. */
  take(wanted: string, length: number): string {
    const base = wanted === "" ? "dim" : wanted;
    for (let n = 1;; n++) {
      const name = n === 1 ? base : `${base}_${n}`;
      const known = this.#lengths.get(name);
      if (known === undefined) this.#lengths.set(name, length);
      if (known === undefined || known === length) return name;
    }
  }

  /**
   * Names of the dimensions of an array.
   * @param scales paths of the dimension scales of the axes, "" where there is none
   * @param isScale true when the array is a dimension scale itself: its axis has its own name
   */
  of(path: string, shape: number[], scales: string[] = [], isScale = false): string[] {
    const own = new Set<string>();
    return shape.map((length, axis) => {
      const wanted = isScale && shape.length === 1
        ? nameOf(path)
        : scales[axis]
        ? nameOf(scales[axis])
        : `${nameOf(path)}_dim${axis}`;
      let name = this.take(wanted, length);
      // Two axes of one array never share a name.
      while (own.has(name)) name = this.take(`${nameOf(path)}_dim${axis}`, length);
      own.add(name);
      return name;
    });
  }
}
