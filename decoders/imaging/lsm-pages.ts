/**
 * Pages of LSM files as their directories mean them: depths that lie elsewhere than the directory says,
 * floats without a SampleFormat, channels of different depths in one page.
 */
import { isFuseError } from "../../src/errors.ts";
import { type Ifd, type IfdEntry, readNumbers } from "./tiff-ifd.ts";
import { type PageKind, sampleType, type TiffPage } from "./tiff-page.ts";
import { Tag } from "./tiff-tags.ts";

/** Depths LSM files have. */
const DEPTHS = [8, 12, 16, 32];
/** DataType of a float channel. */
export const FLOAT = 5;

const plausible = (bits: number[]) => bits.length > 0 && bits.every((b) => DEPTHS.includes(b));

/**
 * Finds BitsPerSample where it really is. LSM 510 keeps two depths at an offset, though they fit into
 * the field, and others keep them in the field: values that can be depths are taken as such.
 * @returns depths of all channels when they differ; the field then holds the smallest alone.
 */
export async function mendDepths(ifd: Ifd): Promise<number[] | undefined> {
  const entry = ifd.entries.get(Tag.BitsPerSample);
  if (!entry || entry.type !== 3 || entry.count > 4096) return undefined;
  let bits = await readNumbers(ifd.file, entry, entry.count);
  if (entry.count === 2 && !plausible(bits)) {
    const elsewhere: IfdEntry = { ...entry, at: bits[0] + bits[1] * 65_536 };
    try {
      const found = await readNumbers(ifd.file, elsewhere, 2);
      if (plausible(found)) {
        ifd.entries.set(Tag.BitsPerSample, elsewhere);
        bits = found;
      }
    } catch (error) {
      if (!isFuseError(error, "Truncated")) throw error;
    }
  }
  const used = ifd.entries.get(Tag.BitsPerSample)!;
  const least = Math.min(...bits);
  if (!plausible(bits) || bits.every((b) => b === least)) return undefined;
  if (await ifd.number(Tag.PlanarConfiguration, 1) !== 2) return undefined;
  ifd.entries.set(Tag.BitsPerSample, { ...used, count: 1, at: used.at + 2 * bits.indexOf(least) });
  return bits;
}

/** Channels of 32 bits are floats where Zeiss' own field says so; the directory has no SampleFormat. */
export function mendFormat(kind: PageKind, ifd: Ifd, isFloat: boolean): void {
  if (!isFloat || kind.bits !== 32 || ifd.has(Tag.SampleFormat)) return;
  kind.format = 3;
  kind.dtype = "float32";
}

/** A page's channel `c` as a page of its own, of `bits` bits. */
export function channelPage(
  page: TiffPage,
  kinds: Map<string, PageKind>,
  c: number,
  bits: number,
): TiffPage {
  const format = bits === 32 ? 3 : 1;
  const key = `${bits} ${page.kind.width} ${page.kind.height} ${page.kind.compression}`;
  let kind = kinds.get(key);
  if (!kind) {
    kind = {
      ...page.kind,
      samples: 1,
      separate: false,
      bits,
      format,
      dtype: sampleType(format, bits)!,
      photometric: 1,
      extraSamples: [],
    };
    kinds.set(key, kind);
  }
  return { ...page, kind, firstChunk: page.firstChunk + c * kind.across * kind.down, subPages: [] };
}
