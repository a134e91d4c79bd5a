/**
 * Parquet: rows are collected into row groups of about 16 MiB, each is compressed and written, and the
 * footer with the metadata comes last; so it can also go to a pipe.
 */
import { ByteWriter, ParquetWriter } from "hyparquet-writer";
import type { CompressionCodec, SchemaElement } from "hyparquet";
import { allocate, type DType, type NumericArray, sizeOf } from "../../model/dtype.ts";
import type { Compressor } from "../../plan/plan.ts";
import { nativeCodecs } from "../zarr/native-codecs.ts";
import { describeTable, jsonText, METADATA_KEY } from "./describe.ts";
import type { ByteOutput } from "./output.ts";
import type { ColumnValues, OrderedSink, TableBlock, TableHead } from "./table.ts";

/** Values of a row group, bytes before compression. */
const GROUP_BYTES = 16 << 20;
const MOST_GROUP_ROWS = 1 << 20;
/** What a string of unknown length counts for. */
const STRING_BYTES = 32;

type Element = Pick<SchemaElement, "type" | "converted_type">;

/** Physical and logical type of a column (parquet-format, LogicalTypes.md). */
function parquetType(dtype: DType): Element {
  switch (dtype) {
    case "int8":
      return { type: "INT32", converted_type: "INT_8" };
    case "uint8":
      return { type: "INT32", converted_type: "UINT_8" };
    case "int16":
      return { type: "INT32", converted_type: "INT_16" };
    case "uint16":
      return { type: "INT32", converted_type: "UINT_16" };
    case "int32":
      return { type: "INT32" };
    case "int64":
    // The writer takes no unsigned words past 2^31: they go into 64 bits.
    case "uint32":
      return { type: "INT64" };
    case "uint64":
      return { type: "INT64", converted_type: "UINT_64" };
    case "float32":
      return { type: "FLOAT" };
    case "string":
      return { type: "BYTE_ARRAY", converted_type: "UTF8" };
    default:
      return { type: "DOUBLE" };
  }
}

/** Type of the arrays a column's values are handed to the writer in. */
function groupType(dtype: DType): DType {
  return dtype === "uint32" ? "int64" : dtype;
}

const CODECS: Record<Compressor["id"], CompressionCodec> = {
  // The default of the other sinks is none of Parquet's.
  "blosc-lz4": "SNAPPY",
  none: "UNCOMPRESSED",
  zstd: "ZSTD",
  gzip: "GZIP",
};

/** Writes a table as Parquet. */
export class ParquetSink implements OrderedSink {
  readonly #bytes = new ByteWriter();
  readonly #writer: ParquetWriter;
  readonly #groupRows: number;
  #columns: ColumnValues[];
  #rows = 0;

  constructor(readonly head: TableHead, readonly output: ByteOutput, compressor: Compressor) {
    const rowBytes = head.columns.reduce(
      (n, { dtype }) => n + (dtype === "string" ? STRING_BYTES : sizeOf(groupType(dtype))),
      0,
    );
    this.#groupRows = Math.max(1, Math.min(MOST_GROUP_ROWS, Math.floor(GROUP_BYTES / rowBytes)));
    this.#columns = this.#allocate();
    const level = "level" in compressor ? compressor.level : 0;
    this.#writer = new ParquetWriter({
      writer: this.#bytes,
      schema: [
        { name: "root", num_children: head.columns.length },
        ...head.columns.map(({ name, dtype }): SchemaElement => ({
          name,
          repetition_type: "REQUIRED",
          ...parquetType(dtype),
        })),
      ],
      codec: CODECS[compressor.id],
      compressors: {
        ZSTD: (bytes) => nativeCodecs().zstd(bytes, level),
        GZIP: (bytes) => nativeCodecs().gzip(bytes, level),
      },
      createdBy: "sparc-fuse",
      kvMetadata: [],
    });
  }

  get bytesWritten(): number {
    return this.output.length;
  }

  #allocate(): ColumnValues[] {
    return this.head.columns.map(({ dtype }) =>
      dtype === "string" ? [] : allocate(groupType(dtype), this.#groupRows)
    );
  }

  begin(): void | Promise<void> {
    return this.#flush();
  }

  /** Hands what the writer has encoded to the output. */
  async #flush(): Promise<void> {
    const bytes = this.#bytes.getBytes();
    if (bytes.length) await this.output.write(bytes);
    this.#bytes.index = 0;
  }

  async block({ rows, columns }: TableBlock): Promise<void> {
    for (let done = 0; done < rows;) {
      const n = Math.min(rows - done, this.#groupRows - this.#rows);
      columns.forEach((values, c) => this.#append(c, values, done, n));
      this.#rows += n;
      done += n;
      if (this.#rows === this.#groupRows) await this.#writeGroup();
    }
  }

  #append(c: number, values: ColumnValues, from: number, n: number): void {
    const group = this.#columns[c];
    if (Array.isArray(group)) {
      for (let i = from; i < from + n; i++) group.push(values[i] as string);
    } else if (this.head.columns[c].dtype === "uint32") {
      for (let i = 0; i < n; i++) group[this.#rows + i] = BigInt(values[from + i]);
    } else {
      (group as Float64Array).set((values as Float64Array).subarray(from, from + n), this.#rows);
    }
  }

  async #writeGroup(): Promise<void> {
    if (this.#rows === 0) return;
    this.#writer.write({
      columnData: this.head.columns.map(({ name, dtype, role }, c) => ({
        name,
        // Row groups are looked for by time; extremes of samples would cost as much as writing them.
        statistics: role !== "channel",
        data: Array.isArray(this.#columns[c])
          ? this.#columns[c]
          : (this.#columns[c] as NumericArray).subarray(0, this.#rows) as Float64Array,
        // Samples repeat too seldom for a dictionary to be worth looking for.
        ...(dtype === "string" ? {} : { encoding: "PLAIN" as const }),
      })),
      rowGroupSize: this.#rows,
    });
    this.#columns = this.#columns.map((c) => (Array.isArray(c) ? [] : c));
    this.#rows = 0;
    await this.#flush();
  }

  async finish(rows: number): Promise<void> {
    await this.#writeGroup();
    this.#writer.kvMetadata = [{
      key: METADATA_KEY,
      value: jsonText(describeTable(this.head, rows)),
    }];
    this.#writer.finish();
    await this.#flush();
    await this.output.finish();
  }

  abort(): void | Promise<void> {
    return this.output.abort();
  }
}
