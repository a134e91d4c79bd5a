/**
 * Arrow IPC stream: a schema, then a record batch for each block of rows. Units and whatever else is
 * known of a column lie in the metadata of its field, the rest in the metadata of the schema.
 */
import {
  AsyncByteQueue,
  type DataType,
  Field,
  Float32,
  Float64,
  Int16,
  Int32,
  Int64,
  Int8,
  makeData,
  RecordBatch,
  RecordBatchStreamWriter,
  Schema,
  Struct,
  Uint16,
  Uint32,
  Uint64,
  Uint8,
  Utf8,
  vectorFromArray,
} from "apache-arrow";
import type { DType } from "../../model/dtype.ts";
import { describeTable, jsonText, METADATA_KEY } from "./describe.ts";
import type { ByteOutput } from "./output.ts";
import type { OrderedSink, TableBlock, TableHead } from "./table.ts";

/** Takes the writer's pieces at once instead of queueing them. */
class Pieces extends AsyncByteQueue<Uint8Array> {
  readonly pieces: Uint8Array[] = [];

  override write(piece: unknown): void {
    this.pieces.push(piece as Uint8Array);
  }

  take(): Uint8Array[] {
    return this.pieces.splice(0);
  }
}

function arrowType(dtype: DType): DataType {
  switch (dtype) {
    case "int8":
      return new Int8();
    case "uint8":
      return new Uint8();
    case "int16":
      return new Int16();
    case "uint16":
      return new Uint16();
    case "int32":
      return new Int32();
    case "uint32":
      return new Uint32();
    case "int64":
      return new Int64();
    case "uint64":
      return new Uint64();
    case "float32":
      return new Float32();
    case "string":
      return new Utf8();
    default:
      return new Float64();
  }
}

/** Writes a table as an Arrow IPC stream. */
export class ArrowSink implements OrderedSink {
  readonly #schema: Schema;
  readonly #pieces = new Pieces();
  readonly #writer = new RecordBatchStreamWriter();

  constructor(readonly head: TableHead, readonly output: ByteOutput) {
    const fields = head.columns.map(({ name, dtype, units, attributes }) => {
      const metadata = new Map([["units", units]]);
      for (const [key, value] of Object.entries(attributes)) {
        metadata.set(key, typeof value === "string" ? value : jsonText(value));
      }
      return new Field(name, arrowType(dtype), false, metadata);
    });
    this.#schema = new Schema(
      fields,
      new Map([[METADATA_KEY, jsonText(describeTable(head, head.rows))]]),
    );
  }

  get bytesWritten(): number {
    return this.output.length;
  }

  async #flush(): Promise<void> {
    for (const piece of this.#pieces.take()) await this.output.write(piece);
  }

  async begin(): Promise<void> {
    // A byte queue is taken as it is; anything else would be wrapped in a stream of its own.
    this.#writer.reset(this.#pieces as never, this.#schema);
    await this.#flush();
  }

  async block({ rows, columns }: TableBlock): Promise<void> {
    const children = columns.map((values, c) => {
      const { type } = this.#schema.fields[c];
      if (Array.isArray(values)) return vectorFromArray(values, new Utf8()).data[0];
      return makeData({ type, length: rows, nullCount: 0, data: values } as never);
    });
    const type = new Struct(this.#schema.fields);
    const data = makeData({ type, length: rows, nullCount: 0, children } as never);
    this.#writer.write(new RecordBatch(this.#schema, data as never));
    await this.#flush();
  }

  async finish(): Promise<void> {
    this.#writer.finish();
    await this.#flush();
    await this.output.finish();
  }

  abort(): void | Promise<void> {
    return this.output.abort();
  }
}
