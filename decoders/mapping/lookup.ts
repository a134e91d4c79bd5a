/** Values a descriptor refers to: one array, a number, texts, an attribute. */
import { FuseError } from "../../src/errors.ts";
import type { Attributes, Json } from "../../src/model/dataset.ts";
import type { Reference, Texts } from "./descriptor-types.ts";
import { numberIn, textsIn } from "./evidence.ts";
import { missing } from "./near.ts";
import { agree, filled, matchesOf } from "./patterns.ts";
import { sizeOf, type Variable, type VariableTree } from "./variables.ts";

/** Elements of an array that is an attribute or a list of names. */
const MOST_SMALL = 65_536;

/** What the {names} of a pattern stand for. */
export type Captures = ReadonlyMap<string, string>;

/** Looks things up in a tree. @throws FuseError `Usage` for what is not there. */
export class Lookup {
  /** Paths of all arrays. */
  readonly paths: string[];

  constructor(readonly tree: VariableTree, readonly source: string) {
    this.paths = tree.variables.map((v) => v.path);
  }

  /** A failure of the descriptor at one of its fields. */
  wrong(statement: string, field: string, found?: unknown, expected?: unknown): FuseError {
    return new FuseError("Usage", statement, { source: this.source, field, found, expected });
  }

  /** The one array a pattern means where its names have these values. */
  one(pattern: string, captures: Captures, field: string): Variable {
    const all = matchesOf(filled(pattern, captures), this.tree.variables)
      .filter((m) => agree(m.captures, captures));
    if (all.length === 1) return all[0].variable;
    if (all.length === 0) {
      throw missing("array", filled(pattern, captures), this.paths, {
        source: this.source,
        field,
      });
    }
    const paths = all.slice(0, 4).map((m) => m.variable.path).join(", ");
    throw this.wrong("the mapping means one array and names several", field, paths);
  }

  /** The values of a small array, or an attribute. */
  async value(reference: Reference, captures: Captures, field: string): Promise<Json> {
    if ("variable" in reference) {
      const variable = this.one(reference.variable, captures, field);
      if (sizeOf(variable.shape) > MOST_SMALL) {
        throw this.wrong("the array is too large", field, `${sizeOf(variable.shape)} elements`);
      }
      return Array.from(await variable.values() as ArrayLike<Json | bigint>, plainJson);
    }
    const of = reference.of === undefined ? "" : filled(reference.of, captures);
    const variable = this.tree.variables.find((v) => v.path === of);
    const attributes: Attributes | undefined = variable?.attributes ?? this.tree.groups.get(of);
    if (!attributes) {
      throw missing("array or group", of, [...this.paths, ...this.tree.groups.keys()], {
        source: this.source,
        field: `${field}.of`,
      });
    }
    if (Object.hasOwn(attributes, reference.attribute)) return attributes[reference.attribute];
    const place = { source: this.source, field: `${field}.attribute` };
    throw missing("attribute", reference.attribute, Object.keys(attributes), place);
  }

  /** A number above 0. */
  async number(reference: Reference, captures: Captures, field: string): Promise<number> {
    const value = numberIn(await this.value(reference, captures, field));
    if (value !== undefined && value > 0) return value;
    throw this.wrong("the mapping names a number that is none", field, JSON.stringify(reference));
  }

  /** A text for each of `count` channels; undefined where none are named. */
  async texts(
    from: Texts | undefined,
    captures: Captures,
    count: number,
    field: string,
  ): Promise<string[] | undefined> {
    if (from === undefined) return undefined;
    if ("numbered" in from) {
      const { numbered } = from;
      return count === 1
        ? [numbered]
        : Array.from({ length: count }, (_, i) => `${numbered}${i + 1}`);
    }
    const value = Array.isArray(from) ? from : textsIn(await this.value(from, captures, field));
    const texts = value?.length === 1 && count > 1 ? value[0].split(/[,;\t|]\s*/) : value;
    if (texts?.length === count) return texts;
    throw this.wrong(
      "not a text for each channel",
      field,
      `${texts?.length ?? "no"} texts`,
      count,
    );
  }
}

function plainJson(value: Json | bigint): Json {
  return typeof value === "bigint" ? Number(value) : value;
}

/** True for arrays of numbers whose values can be had in pieces. */
export function isSignal({ streamable, dtype, shape }: Variable): boolean {
  return streamable && /^(?:u?int|float)/.test(dtype) && shape.filter((n) => n > 1).length <= 2;
}
