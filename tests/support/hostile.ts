/**
 * Damages files, the same way every time: from good bytes to named variants that are cut off, flipped,
 * overwritten with absurd numbers, shuffled or mislabelled.
 */

/** One damaged version of a file. */
export interface Variant {
  /** What was done, in few words: "flip bit 3 of byte 112". */
  name: string;
  /** Makes the bytes; the original stays as it is. */
  bytes(): Uint8Array<ArrayBuffer>;
  /** The file's name, where that is what is wrong. */
  rename?: string;
}

/** Which variants are wanted. */
export interface HostileOptions {
  /** Variants in all; those that are drawn at random fill what the fixed ones leave. */
  count: number;
  seed?: number;
  /** Places worth damaging besides the head: sections a test knows of. */
  places?: number[];
}

/** Bytes of the head in which single bits are flipped, and in which fields are overwritten. */
const FLIP_BYTES = 4096, FIELD_BYTES = 1024;
/** Where formats like to end a header or a first section. */
const CUTS = [2, 4, 8, 12, 16, 32, 44, 64, 100, 128, 256, 314, 512, 1000, 1024, 2048, 4096, 8192];
const BLOCK_BYTES = [64, 512, 4096];
/** Other formats' extensions. */
const EXTENSIONS = [".acq", ".ns5", ".nev", ".rhd", ".rhs", ".smr", ".tif", ".wav", ".csv", ".xyz"];

/** Numbers between 0 and 1 that are the same for the same seed (mulberry32). */
export function randomNumbers(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = Math.imul(state ^ (state >>> 15), state | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** A number for a text, to seed by names. */
export function hashOf(text: string): number {
  let hash = 0x811c9dc5;
  for (let i = 0; i < text.length; i++) hash = Math.imul(hash ^ text.charCodeAt(i), 0x01000193);
  return hash >>> 0;
}

function variant(
  name: string,
  good: Uint8Array,
  change: (copy: Uint8Array<ArrayBuffer>) => Uint8Array<ArrayBuffer> | void,
): Variant {
  return {
    name,
    bytes: () => {
      const copy = new Uint8Array(good);
      return change(copy) ?? copy;
    },
  };
}

/** The variants of `good` (a file called `name`): all fixed kinds first, then drawn ones. */
export function hostileVariants(
  name: string,
  good: Uint8Array,
  options: HostileOptions,
): Variant[] {
  const random = randomNumbers((options.seed ?? 1) ^ hashOf(name));
  const fixed = [
    ...cuts(good),
    ...labels(name, good, random),
    ...garbage(good, random),
    ...blocks(good, random),
  ];
  // A short run still sees every kind: at most half of it is fixed.
  const kept = spread(fixed, Math.ceil(options.count / 2));
  return [...kept, ...draw(good, options, random, options.count - kept.length)];
}

/** `count` of `all`, evenly. */
function spread<T>(all: T[], count: number): T[] {
  if (all.length <= count) return all;
  return Array.from({ length: count }, (_, i) => all[Math.floor(i * all.length / count)]);
}

function cuts(good: Uint8Array): Variant[] {
  const lengths = new Set([0, 1]);
  for (const share of [0.25, 0.5, 0.75, 0.99]) lengths.add(Math.floor(good.length * share));
  for (const at of CUTS) lengths.add(at);
  for (const missing of [1, 2, 3, 7]) lengths.add(good.length - missing);
  return [...lengths].filter((n) => n >= 0 && n < good.length).sort((a, b) => a - b).map((n) =>
    variant(n === 0 ? "empty" : `cut to ${n} bytes`, good, (copy) => copy.slice(0, n))
  );
}

function labels(name: string, good: Uint8Array, random: () => number): Variant[] {
  const dot = name.lastIndexOf(".");
  const stem = dot < 0 ? name : name.slice(0, dot), own = name.slice(dot).toLowerCase();
  const others = EXTENSIONS.filter((e) => e !== own);
  const [first, second] = [0, 1].map(() => others[Math.floor(random() * others.length)]);
  const renamed = (rename: string): Variant => ({
    name: `renamed to ${rename}`,
    bytes: () => new Uint8Array(good),
    rename,
  });
  return [
    ...[...new Set([first, second])].map((e) => renamed(stem + e)),
    renamed(stem),
    variant(
      "text under this name",
      good,
      () => new TextEncoder().encode("This is not what its name says.\r\n".repeat(40)),
    ),
    variant("a zip's head under this name", good, (copy) => {
      copy.set([0x50, 0x4b, 3, 4].slice(0, copy.length));
    }),
  ];
}

function garbage(good: Uint8Array, random: () => number): Variant[] {
  const after = (keep: number, fill: (i: number) => number) => (copy: Uint8Array<ArrayBuffer>) => {
    for (let i = keep; i < copy.length; i++) copy[i] = fill(i);
  };
  const seed = Math.floor(random() * 2 ** 32);
  const noise = () => {
    const next = randomNumbers(seed);
    return () => next() * 256;
  };
  return [
    ...[4, 8, 16, 64, 256].filter((n) => n < good.length).flatMap((n) => [
      variant(`noise after byte ${n}`, good, (copy) => after(n, noise())(copy)),
      variant(`zeros after byte ${n}`, good, after(n, () => 0)),
      variant(`0xff after byte ${n}`, good, after(n, () => 0xff)),
    ]),
    variant("noise throughout", good, (copy) => after(0, noise())(copy)),
    variant("the file twice", good, (copy) => {
      const twice = new Uint8Array(2 * copy.length);
      twice.set(copy);
      twice.set(copy, copy.length);
      return twice;
    }),
    ...[1, 2, 4].map((n) =>
      variant(`${n} bytes too many at byte 20`, good, (copy) => {
        const longer = new Uint8Array(copy.length + n);
        const at = Math.min(20, copy.length);
        longer.set(copy.subarray(0, at));
        longer.set(copy.subarray(at), at + n);
        return longer;
      })
    ),
  ];
}

function blocks(good: Uint8Array, random: () => number): Variant[] {
  const made: Variant[] = [];
  for (const size of BLOCK_BYTES) {
    const count = Math.floor(good.length / size);
    if (count < 2) continue;
    const pick = () => Math.floor(random() * count) * size;
    const [zeroed, from, to, a, b, lost] = [pick(), pick(), pick(), pick(), pick(), pick()];
    const early = Math.min(count - 1, Math.floor(random() * 4)) * size;
    made.push(
      variant(`${size} bytes zeroed at ${zeroed}`, good, (copy) => {
        copy.fill(0, zeroed, zeroed + size);
      }),
      variant(`${size} bytes zeroed at ${early}`, good, (copy) => {
        copy.fill(0, early, early + size);
      }),
      variant(`${size} bytes of ${from} again at ${to}`, good, (copy) => {
        copy.copyWithin(to, from, from + size);
      }),
      variant(`${size} bytes at ${a} and ${b} swapped`, good, (copy) => {
        const kept = copy.slice(a, a + size);
        copy.copyWithin(a, b, b + size);
        copy.set(kept, b);
      }),
      variant(`${size} bytes lost at ${lost}`, good, (copy) => {
        copy.copyWithin(lost, lost + size);
        return copy.slice(0, copy.length - size);
      }),
    );
  }
  return made;
}

/** Little- and big-endian numbers that readers get wrong, by width. */
const ABSURD: Record<number, [name: string, bytes: number[]][]> = {
  2: [
    ["0", [0, 0]],
    ["0xffff", [255, 255]],
    ["0x7fff", [255, 127]],
    ["0x7fff big-endian", [127, 255]],
    ["0x8000", [0, 128]],
    ["1", [1, 0]],
  ],
  4: [
    ["0", [0, 0, 0, 0]],
    ["0xffffffff", [255, 255, 255, 255]],
    ["0x7fffffff", [255, 255, 255, 127]],
    ["0x7fffffff big-endian", [127, 255, 255, 255]],
    ["0x80000000", [0, 0, 0, 128]],
    ["1e9", [0, 0xca, 0x9a, 0x3b]],
    ["0xfffffff0", [240, 255, 255, 255]],
    ["a float NaN", [0, 0, 0xc0, 0x7f]],
    ["a float infinity", [0, 0, 0x80, 0x7f]],
    ["a path", [0x2e, 0x2e, 0x2f, 0x2e]],
  ],
  8: [
    ["0", [0, 0, 0, 0, 0, 0, 0, 0]],
    ["0xff..", [255, 255, 255, 255, 255, 255, 255, 255]],
    ["0x7f..", [255, 255, 255, 255, 255, 255, 255, 127]],
    ["0x7f.. big-endian", [127, 255, 255, 255, 255, 255, 255, 255]],
    ["2^40", [0, 0, 0, 0, 0, 1, 0, 0]],
    ["2^53", [0, 0, 0, 0, 0, 0, 32, 0]],
    ["a double NaN", [0, 0, 0, 0, 0, 0, 0xf8, 0x7f]],
    ["a double infinity", [0, 0, 0, 0, 0, 0, 0xf0, 0x7f]],
    ["a double 1e-300", [0x59, 0xf3, 0xf8, 0xc2, 0x1f, 0x6e, 0xa5, 0x01]],
    ["a path", [0x2e, 0x2e, 0x2f, 0x2e, 0x2e, 0x2f, 0x65, 0x00]],
  ],
};

/** What stands in for a number written as text. */
const WRITTEN = [
  "",
  "0",
  "-1",
  "1e308",
  "nan",
  "999999999",
  "1".repeat(400),
  "../../x",
  '"',
  ",;\t",
  "9",
];
/** Bytes of the head in which written numbers are looked for. */
const TEXT_BYTES = 1 << 16;

/** Places and lengths of numbers written in ASCII, in the head. */
function writtenNumbers(good: Uint8Array): [at: number, length: number][] {
  const found: [number, number][] = [];
  const digit = (b: number) => b >= 0x30 && b <= 0x39;
  const printed = (b: number | undefined) =>
    b !== undefined && (b >= 0x20 && b < 0x7f || b === 10 || b === 13);
  const end = Math.min(good.length, TEXT_BYTES);
  for (let at = 0; at < end; at++) {
    if (!digit(good[at])) continue;
    let stop = at;
    while (stop < end && digit(good[stop])) stop++;
    // Digits among binary numbers are chance.
    if ([at - 3, at - 2, at - 1, stop].every((i) => i < 0 || printed(good[i]))) {
      found.push([at, stop - at]);
    }
    at = stop;
  }
  return found;
}

/** Another text in place of `length` bytes: of the same length in fields of fixed width, else as long as it is. */
function rewrite(good: Uint8Array, at: number, length: number, text: string): Variant {
  if (text === "9") {
    return variant(`digits at ${at} set to nines`, good, (copy) => {
      copy.fill(0x39, at, at + length);
    });
  }
  const shown = text.length > 20 ? `${text.length} digits` : JSON.stringify(text);
  return variant(`the number at ${at} rewritten as ${shown}`, good, (copy) => {
    const bytes = new TextEncoder().encode(text);
    const made = new Uint8Array(copy.length - length + bytes.length);
    made.set(copy.subarray(0, at));
    made.set(bytes, at);
    made.set(copy.subarray(at + length), at + bytes.length);
    return made;
  });
}

function draw(
  good: Uint8Array,
  options: HostileOptions,
  random: () => number,
  count: number,
): Variant[] {
  if (good.length === 0) return [];
  const below = (n: number) => Math.floor(random() * n);
  // Half in the head, the rest anywhere: at known places, near the end, or wherever.
  const anywhere = (head: number): number => {
    const where = random();
    if (where < 0.5) return below(Math.min(head, good.length));
    if (where < 0.7 && options.places?.length) {
      const place = options.places[below(options.places.length)];
      return Math.min(good.length - 1, Math.max(0, place + below(64)));
    }
    if (where < 0.85) return good.length - 1 - below(Math.min(1024, good.length));
    return below(good.length);
  };
  const numbers = writtenNumbers(good);
  return Array.from({ length: count }, (): Variant => {
    if (numbers.length && random() < 0.25) {
      const [at, length] = numbers[below(numbers.length)];
      return rewrite(good, at, length, WRITTEN[below(WRITTEN.length)]);
    }
    const kind = random();
    if (kind < 0.45) {
      const at = anywhere(FLIP_BYTES), bit = below(8);
      return variant(`flip bit ${bit} of byte ${at}`, good, (copy) => {
        copy[at] ^= 1 << bit;
      });
    }
    if (kind < 0.9) {
      const width = [2, 4, 8][below(3)];
      const [what, bytes] = ABSURD[width][below(ABSURD[width].length)];
      // Fields lie at even places in most formats; in some behind odd-sized text.
      const at = anywhere(FIELD_BYTES) & (random() < 0.8 ? ~1 : ~0);
      return variant(`${width} bytes at ${at} set to ${what}`, good, (copy) => {
        copy.set(bytes.slice(0, copy.length - at), at);
      });
    }
    const places = Array.from({ length: 2 + below(7) }, () => [anywhere(FLIP_BYTES), below(256)]);
    return variant(
      `bytes ${places.map(([at, v]) => `${at}=${v}`).join(" ")}`,
      good,
      (copy) => places.forEach(([at, value]) => copy[at] = value),
    );
  });
}
