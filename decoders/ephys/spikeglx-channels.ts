/** The saved channels of a SpikeGLX stream: what each is, its name and its gain. */
import type { Channel } from "../../src/model/dataset.ts";
import {
  countsOf,
  numberOf,
  positiveOf,
  rangesOf,
  type SpikeglxMeta,
  tableOf,
  wrongField,
} from "./spikeglx-meta.ts";

/** Kinds of channel, in the order a stream stores them. */
export type ChannelKind = "AP" | "LF" | "SY" | "MN" | "MA" | "XA" | "DW";

/** A saved channel. */
export interface SavedChannel extends Channel {
  /** Kind; words of digital lines are SY and DW. */
  kind: ChannelKind;
  /** Its place among the acquired channels of its kind. */
  index: number;
}

/** What a stream is, by its `.meta` file. */
export interface SpikeglxStream {
  /** "imec", "nidq" or "obx". */
  type: "imec" | "nidq" | "obx";
  /** Hz, as calibrated. */
  rate: number;
  /** Channels in the order of a scan. */
  channels: SavedChannel[];
  /** What could not be known. */
  warnings: string[];
}

const STREAMS = {
  imec: { rate: "imSampRate", counts: "ApLfSy", kinds: ["AP", "LF", "SY"] },
  nidq: { rate: "niSampRate", counts: "MnMaXaDw", kinds: ["MN", "MA", "XA", "DW"] },
  obx: { rate: "obSampRate", counts: "XaDwSy", kinds: ["XA", "DW", "SY"] },
} as const;

/** Most channels of a stream a list may name: above what any device has. */
const MOST_CHANNELS = 65_536;

/** Reads the channels of a stream from its `.meta` file. @throws FuseError where it contradicts itself. */
export function streamOf(meta: SpikeglxMeta): SpikeglxStream {
  const type = meta.values.get("typeThis") as SpikeglxStream["type"];
  const rules = Object.hasOwn(STREAMS, type) ? STREAMS[type] : undefined;
  if (!rules) throw wrongField(meta, "typeThis", "imec, nidq or obx");
  const warnings: string[] = [];
  const count = positiveOf(meta, "nSavedChans");
  if (!Number.isSafeInteger(count) || count > MOST_CHANNELS) {
    throw wrongField(meta, "nSavedChans", `1 to ${MOST_CHANNELS} channels`);
  }
  const kinds: readonly ChannelKind[] = rules.kinds;
  const saved = countsOf(meta, `sns${rules.counts}`, kinds.length);
  if (!saved || saved.reduce((a, b) => a + b, 0) !== count) {
    throw wrongField(meta, `sns${rules.counts}`, `counts that make ${count} together`);
  }
  const acquired = countsOf(meta, `acq${rules.counts}`, kinds.length) ?? saved;
  const subset = subsetOf(meta, count, saved, acquired);
  const names = namesOf(meta);
  const gain = gainsOf(meta, type, warnings);
  let place = 0, isDisordered = false;
  const channels = kinds.flatMap((kind, k) => {
    const first = acquired.slice(0, k).reduce((a, b) => a + b, 0);
    return Array.from({ length: saved[k] }, (_, i): SavedChannel => {
      const order = place++;
      // Numbers of acquired channels run through all kinds.
      let number = subset[order];
      if (number < first || number >= first + acquired[k]) {
        if (!isDisordered) {
          warnings.push(
            `snsSaveChanSubset names channel ${number} as one of kind ${kind}, which it is not: channels of each ` +
              "kind are numbered in the order of the file",
          );
        }
        isDisordered = true;
      }
      if (isDisordered) number = first + i;
      const index = number - first;
      const name = names.get(number) ?? `${kind}${index}`;
      return { name, ...gain(kind, index), offset: 0, kind, index };
    });
  });
  return { type, rate: positiveOf(meta, rules.rate), channels, warnings };
}

/** Numbers of the acquired channels, by their place in the scan. */
function subsetOf(
  meta: SpikeglxMeta,
  count: number,
  saved: number[],
  acquired: number[],
): number[] {
  const text = meta.values.get("snsSaveChanSubset") ?? "all";
  if (text !== "" && text !== "all") {
    const subset = rangesOf(meta, "snsSaveChanSubset", count);
    if (subset.length !== count) {
      throw wrongField(meta, "snsSaveChanSubset", `${count} channels`);
    }
    return subset;
  }
  // "all" of a file with one band are all of that band.
  let first = 0;
  return saved.flatMap((n, k) => {
    const numbers = Array.from({ length: n }, (_, i) => first + i);
    first += acquired[k];
    return numbers;
  });
}

/** Names by number of the acquired channel, from `(AP0;0:0)` of the channel map. */
function namesOf(meta: SpikeglxMeta): Map<number, string> {
  const names = new Map<number, string>();
  for (const entry of tableOf(meta, "snsChanMap").slice(1)) {
    const match = /^\s*([^;]+);\s*(\d+)\s*(?::|$)/.exec(entry);
    if (match) names.set(Number(match[2]), match[1].trim());
  }
  return names;
}

type GainRule = (kind: ChannelKind, index: number) => { gain: number; units: string };

function gainsOf(
  meta: SpikeglxMeta,
  type: SpikeglxStream["type"],
  warnings: string[],
): GainRule {
  const analog = type === "imec" ? imecGains(meta, warnings) : inputGains(meta, type);
  return (kind, index) =>
    kind === "SY" || kind === "DW" ? { gain: 1, units: "" } : analog(kind, index);
}

/** NI and OneBox inputs in volts: the range over the converter's steps, over the gain of multiplexers. */
function inputGains(meta: SpikeglxMeta, type: "nidq" | "obx"): GainRule {
  const prefix = type === "nidq" ? "ni" : "ob";
  const range = positiveOf(meta, `${prefix}AiRangeMax`);
  const steps = numberOf(meta, `${prefix}MaxInt`) ?? 32_768;
  if (!(steps > 0)) throw wrongField(meta, `${prefix}MaxInt`, "a number above 0");
  return (kind) => {
    const amplified = type === "nidq" && (kind === "MN" || kind === "MA");
    const gain = amplified ? positiveOf(meta, `ni${kind}Gain`) : 1;
    return { gain: range / steps / gain, units: "V" };
  };
}

/** Probe types whose gain the metadata did not state at first, with the gain of their one band. */
const FIXED_GAIN: Record<string, number> = {
  "21": 80,
  "24": 80,
  "2003": 100,
  "2004": 100,
  "2005": 100,
  "2006": 100,
  "2013": 100,
  "2014": 100,
  "2020": 100,
  "2021": 100,
};
/** Types of the second generation, whose converters have more than 10 bits. */
const FOURTEEN_BITS = ["21", "24"], TWELVE_BITS = /^20\d\d$/;

/**
 * Probe channels in microvolts. Gains are those of the channel's row of `~imroTbl` where it has five or more
 * numbers (channel, bank, reference, AP gain, LF gain), of its header for type 1110, or one for all channels.
 */
function imecGains(meta: SpikeglxMeta, warnings: string[]): GainRule {
  const range = positiveOf(meta, "imAiRangeMax");
  const [header = "", ...rows] = tableOf(meta, "imroTbl");
  const first = header.split(",").map((s) => s.trim());
  // Phase 3A writes the probe's serial number first and has no type.
  const option3A = first.length === 3 && meta.values.get("imProbeOpt") !== undefined;
  const type = meta.values.get("imDatPrb_type") ?? (option3A ? "0" : first[0] ?? "0");
  const usual = FOURTEEN_BITS.includes(type) ? 8192 : TWELVE_BITS.test(type) ? 2048 : 512;
  const steps = numberOf(meta, "imMaxInt") ?? usual;
  if (!(steps > 0)) throw wrongField(meta, "imMaxInt", "a number above 0");
  const shared = {
    AP: numberOf(meta, "imChan0apGain"),
    LF: numberOf(meta, "imChan0lfGain"),
  };
  const byChannel = new Map<number, { AP: number; LF: number }>();
  const secondGeneration = type in FIXED_GAIN;
  if (!secondGeneration && type !== "1110") {
    for (const row of rows) {
      const numbers = row.trim().split(/\s+/).map(Number);
      if (numbers.length < 5) continue;
      byChannel.set(numbers[0], { AP: numbers[3], LF: numbers[4] });
    }
  }
  const ofHeader = type === "1110" ? { AP: Number(first[3]), LF: Number(first[4]) } : undefined;
  let warned = false;
  return (kind, index) => {
    const band = kind === "LF" ? "LF" : "AP";
    const gain = byChannel.get(index)?.[band] ?? shared[band] ?? ofHeader?.[band] ??
      FIXED_GAIN[type];
    if (gain !== undefined && Number.isFinite(gain) && gain > 0) {
      return { gain: range * 1e6 / steps / gain, units: "uV" };
    }
    if (!warned) {
      warned = true;
      warnings.push(
        `the .meta file gives no ${band} gain for channel ${index} (probe type ${type}): ` +
          "the converter's numbers are kept, without a unit",
      );
    }
    return { gain: 1, units: "" };
  };
}
