/** Writes the smallest HDF5 file there is: superblock 2, a root group, and datasets of int16 in one piece. */
import { lookup3 } from "../../decoders/containers/hdf5/checksum.ts";

const UNDEFINED = [255, 255, 255, 255, 255, 255, 255, 255];
const u16 = (n: number) => [n & 255, n >> 8];
const u32 = (n: number) => [...new Uint8Array(Uint32Array.of(n).buffer)];
const u64 = (n: number) => [...new Uint8Array(BigUint64Array.of(BigInt(n)).buffer)];
const text = (s: string) => [...new TextEncoder().encode(s)];

/** An object header of version 2 with its checksum. */
function header(messages: [type: number, body: number[]][]): number[] {
  const body = messages.flatMap(([type, bytes]) => [type, ...u16(bytes.length), 0, ...bytes]);
  const all = [...text("OHDR"), 2, 2, ...u32(body.length), ...body];
  return [...all, ...u32(lookup3(Uint8Array.from(all)))];
}

/** A file with these matrices, each as its rows follow each other. */
export function smallHdf5(
  datasets: Record<string, { shape: number[]; values: Int16Array }>,
): Uint8Array<ArrayBuffer> {
  const names = Object.keys(datasets);
  const object = (name: string, address: number): number[] => {
    const { shape, values } = datasets[name];
    return header([
      [0x01, [2, shape.length, 0, 1, ...shape.flatMap(u64)]],
      // Fixed point, little-endian, signed, 16 bits.
      [0x03, [0x10, 0x08, 0, 0, ...u32(2), ...u16(0), ...u16(16)]],
      [0x05, [3, 0x0a]],
      [0x08, [3, 1, ...u64(address), ...u64(values.byteLength)]],
    ]);
  };
  const root = (addresses: number[]) =>
    header([
      [0x02, [0, 0, ...UNDEFINED, ...UNDEFINED]],
      [0x0a, [0, 0]],
      ...names.map((name, i): [number, number[]] => [
        0x06,
        [1, 0, text(name).length, ...text(name), ...u64(addresses[i])],
      ]),
    ]);
  let at = 48 + root(names.map(() => 0)).length;
  const headers = names.map((name) => {
    const place = at;
    at += object(name, 0).length;
    return place;
  });
  const data = names.map((name) => {
    const place = at;
    at += datasets[name].values.byteLength;
    return place;
  });
  const start = [
    ...[0x89, ...text("HDF\r\n"), 0x1a, 0x0a, 2, 8, 8, 0],
    ...[...u64(0), ...UNDEFINED, ...u64(at), ...u64(48)],
  ];
  const file = new Uint8Array(at);
  file.set([
    ...[...start, ...u32(lookup3(Uint8Array.from(start)))],
    ...root(headers),
    ...names.flatMap((name, i) => object(name, data[i])),
  ]);
  names.forEach((name, i) => {
    const { values } = datasets[name];
    file.set(new Uint8Array(values.buffer, values.byteOffset, values.byteLength), data[i]);
  });
  return file;
}
