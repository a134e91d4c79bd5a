/**
 * What the SPARC Dataset Structure tells about a file: its subject, sample, species and place. Read from
 * the tables at the dataset's root (subjects, samples, dataset_description) and from manifests. Nothing
 * here can fail a conversion: what cannot be read becomes a warning.
 */
import { cleanKeyPath } from "./keys.ts";
import { readCells, TABLE_BYTES, type TableRow, tableRows, verticalValues } from "./tables.ts";

/** The tree of a dataset below its root folder (`files/` when published). */
export interface SdsTree {
  /** The path as it is spelled ("Subjects.xlsx"), of one in any case ("subjects.xlsx"); none when it is not there. */
  find(path: string): string | undefined;
  /** Bytes of one of these paths. */
  read(path: string): Promise<Uint8Array>;
}

/** How a tree whose paths are all known finds them: "subjects.xlsx", "primary/manifest.xlsx". */
export function findAmong(paths: string[]): SdsTree["find"] {
  const spelled = new Map(paths.map((path) => [path.toLowerCase(), path]));
  return (path) => spelled.get(path.toLowerCase());
}

/** What is known of one file. */
export interface SdsFacts {
  subjectId?: string;
  sampleId?: string;
  /** Rows of the tables, with empty and missing-value cells left out. */
  subject?: TableRow;
  sample?: TableRow;
  manifest?: TableRow;
}

/** Codes and words that mean "no value" (missing-value codes of structure 3.0.2, and common habits). */
const MISSING =
  /^(?:asked-(?:answered-unknown|answered-invalid|not-answered)|not-asked(?:-not-applicable)?|asked-not-applicable|n\/?a|nan|none|null|unknown|-+|\.|tbd)$/i;

const TABLE_EXTENSIONS = ["xlsx", "csv", "tsv", "json"];

const SUBJECT = /^(?:pop-)?subj?-/i;
const SAMPLE = /^(?:pop-)?sam-/i;

/** Rows of subjects or samples, found by id however a folder spells it. */
export class EntityRows {
  readonly #byId = new Map<string, TableRow>();
  readonly #byBareId = new Map<string, TableRow>();

  constructor(private readonly prefix: RegExp) {}

  /** Adds a row; the first of an id stays. */
  add(id: string, row: TableRow): void {
    const bare = fold(id.replace(this.prefix, ""));
    if (!this.#byId.has(fold(id))) this.#byId.set(fold(id), row);
    if (!this.#byBareId.has(bare)) this.#byBareId.set(bare, row);
  }

  /**
   * The row of an id, compared without case and punctuation. A missing prefix is forgiven, on either
   * side, unless the rest is a bare number: a folder "1" is a run more often than subject "sub-1".
   */
  get(name: string): TableRow | undefined {
    const exact = this.#byId.get(fold(name));
    if (exact) return exact;
    const bare = fold(name.replace(this.prefix, ""));
    const sure = this.prefix.test(name) || /\p{L}.*\p{N}|\p{N}.*\p{L}/u.test(bare);
    return sure ? this.#byBareId.get(bare) : undefined;
  }

  /** The first name that carries the prefix, else the first that a row is known of. */
  nameIn(names: string[]): string | undefined {
    return names.find((name) => this.prefix.test(name)) ??
      names.find((name) => this.get(name) !== undefined);
  }
}

function fold(id: string): string {
  return id.toLowerCase().replace(/[^\p{L}\p{N}]/gu, "");
}

/** The tables of one dataset, each read once, when first needed. */
export class SdsTables {
  readonly warnings: string[] = [];
  readonly #tree: SdsTree;
  readonly #rows = new Map<string, Promise<TableRow[]>>();
  #description: Promise<Map<string, string[]>> | undefined;
  #subjects: Promise<EntityRows> | undefined;
  #samples: Promise<EntityRows> | undefined;

  constructor(tree: SdsTree) {
    this.#tree = tree;
  }

  /** Elements of dataset_description, by lower-case name: "species", "contributor name" ... */
  description(): Promise<Map<string, string[]>> {
    return this.#description ??= (async () => {
      const cells = await this.#cells("dataset_description");
      const values = verticalValues(cells ?? []);
      for (const [element, given] of values) {
        const known = given.filter((value) => !MISSING.test(value));
        if (known.length > 0) values.set(element, known);
        else values.delete(element);
      }
      return values;
    })();
  }

  /** Rows of the subjects table. */
  subjects(): Promise<EntityRows> {
    return this.#subjects ??= this.#entities("subjects", ["subject id", "subject"], SUBJECT);
  }

  /** Rows of the samples table. */
  samples(): Promise<EntityRows> {
    return this.#samples ??= this.#entities("samples", ["sample id", "sample"], SAMPLE);
  }

  /**
   * What the tables tell about a file, by its path below the root folder ("primary/sub-1/rec.acq").
   * The subject is that of the nearest folder that names one, else of the sample folder, else of the
   * manifest's entity, else of the file's own name.
   */
  async facts(path: string): Promise<SdsFacts> {
    const [subjects, samples, manifest] = await Promise.all([
      this.subjects(),
      this.samples(),
      this.#manifestRow(path),
    ]);
    const folders = path.split("/").slice(0, -1).reverse();
    const entities = (manifest?.["entity"] ?? "").split(/[\s,;]+/).filter(Boolean);
    const own = /^subj?-[a-z0-9]+(?:-[a-z0-9]+)*/i.exec(path.split("/").pop()!)?.[0];
    const sampleId = samples.nameIn(folders) ?? samples.nameIn(entities);
    const sample = sampleId === undefined ? undefined : samples.get(sampleId);
    const subjectId = subjects.nameIn(folders) ?? sample?.["subject id"] ??
      subjects.nameIn(entities) ?? own;
    const subject = subjectId === undefined ? undefined : subjects.get(subjectId);
    // The table's spelling is the id; a folder may differ from it in case or prefix.
    return {
      subjectId: subject?.["subject id"] ?? subjectId,
      sampleId: sample?.["sample id"] ?? sampleId,
      subject,
      sample,
      manifest,
    };
  }

  async #entities(table: string, columns: string[], prefix: RegExp): Promise<EntityRows> {
    const rows = new EntityRows(prefix);
    for (const row of await this.#table(table)) {
      const id = columns.map((column) => row[column]).find((value) => value !== undefined);
      if (id !== undefined) rows.add(id, row);
    }
    return rows;
  }

  /** The row of the nearest manifest that names the file, or a folder it lies in. */
  async #manifestRow(path: string): Promise<TableRow | undefined> {
    const folders = path.split("/").slice(0, -1);
    for (let depth = folders.length; depth >= 0; depth--) {
      const folder = folders.slice(0, depth).map((name) => `${name}/`).join("");
      const rows = await this.#table(`${folder}manifest`);
      if (rows.length === 0) continue;
      // File names count from the manifest's folder in practice, and from the root by structure 3.0.
      const wanted = [path.slice(folder.length), path].map(foldPath);
      let nearest: { row: TableRow; length: number } | undefined;
      for (const row of rows) {
        const name = foldPath(row["filename"] ?? row["file name"] ?? "");
        if (name === "") continue;
        if (wanted.includes(name)) return row;
        if (
          wanted.some((w) => w.startsWith(`${name}/`)) && name.length > (nearest?.length ?? 0)
        ) nearest = { row, length: name.length };
      }
      if (nearest) return nearest.row;
    }
    return undefined;
  }

  /** Rows of a table by its path without extension; none when it is absent or cannot be read. */
  #table(base: string): Promise<TableRow[]> {
    let rows = this.#rows.get(base);
    if (!rows) {
      rows = this.#cells(base).then((cells) => tableRows(cells ?? []).map(withoutMissing));
      this.#rows.set(base, rows);
    }
    return rows;
  }

  async #cells(base: string): Promise<string[][] | undefined> {
    for (const extension of TABLE_EXTENSIONS) {
      const path = this.#tree.find(`${base}.${extension}`);
      if (path === undefined) continue;
      try {
        const bytes = await this.#tree.read(path);
        if (bytes.length > TABLE_BYTES) throw new Error(`larger than ${TABLE_BYTES} bytes`);
        return await readCells(path, bytes);
      } catch (error) {
        const reason = error instanceof Error ? error.message : String(error);
        this.warnings.push(`${path} cannot be read: ${reason}`);
      }
    }
    return undefined;
  }
}

function withoutMissing(row: TableRow): TableRow {
  return Object.fromEntries(Object.entries(row).filter(([, value]) => !MISSING.test(value)));
}

/** Paths are compared as keys, since tables name files and published trees hold keys. */
function foldPath(path: string): string {
  return cleanKeyPath(path.replace(/^(?:\.?\/)+/, "").replace(/\/+$/, "")).toLowerCase();
}
