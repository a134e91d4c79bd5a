/**
 * What ScanImage says of a recording, whichever version wrote it: which channels are saved, how pages
 * follow each other, frame rate, field of view.
 *
 * Sources: ScanImage BigTIFF Specification (MBF Bioscience; static metadata block, versions 3 and 4);
 * header keys as written by ScanImage 3.8 (`state.*`), 4.2 and 5.0 (`scanimage.SI4.*`, `SI5.*`),
 * 5.2 (`scanimage.SI.*`), 2016 and later (`SI.*`). Order of pages: channels, frames of a slice, slices,
 * flyback frames, volumes.
 */
import type { Json } from "../../src/model/dataset.ts";
import { viewOf } from "../../src/source/source.ts";
import { numbersOf, parseAssignments, parseMatlab, textsOf } from "./matlab-text.ts";

/** Magic number at byte 16 of a BigTIFF with a static metadata block. */
export const STATIC_MAGIC = 0x07030301;
/** Bytes from the start of the file to the first text of the static metadata block. */
export const STATIC_TEXTS = 32;

/** Lengths of the two texts of the static metadata block; null without one. */
export function staticLengths(head: Uint8Array): { frameData: number; rois: number } | null {
  if (head.length < STATIC_TEXTS) return null;
  const view = viewOf(head);
  if (view.getUint16(0, true) !== 0x4949 || view.getUint16(2, true) !== 43) return null;
  if (view.getUint32(16, true) !== STATIC_MAGIC) return null;
  return { frameData: view.getUint32(24, true), rois: view.getUint32(28, true) };
}

/** True for the Software or ImageDescription text of a page of any version. */
export function isScanImageText(text: string): boolean {
  return /^\s*(?:state\.|SI\.|scanimage\.SI)/.test(text) ||
    /[\r\n]scanimage\.SI\d?\./.test(text);
}

/** The settings of a recording in one vocabulary. */
export interface ScanSettings {
  /** All settings under the names ScanImage gives them. */
  all: Map<string, Json>;
  /** "2020.1.4", "5.2", "3.8"; "" when the header does not say. */
  version: string;
  /** Numbers of the saved channels, from 1; empty when the header does not say. */
  channels: number[];
  /** Names, colours and display ranges by channel number - 1. */
  channelNames: string[];
  channelColors: string[];
  channelRanges: number[][];
  /** Slices of a volume; 1 for a plane. */
  slices: number;
  /** Saved frames of a slice before the next one; null when it is all there are. */
  framesPerSlice: number | null;
  /** Frames after each volume while the focus goes back. */
  flybackFrames: number;
  /** Frames averaged into one saved frame. */
  averaged: number;
  framePeriodSeconds?: number;
  volumePeriodSeconds?: number;
  sliceStepMicrometres?: number;
  /** Corners of the field of view in micrometres, four pairs in turn. */
  fieldOfViewMicrometres?: number[][];
  micrometresPerDegree?: number;
  /** Several regions of interest are stacked in a page. */
  severalRois: boolean;
  /** ISO 8601 without zone. */
  startTime?: string;
}

/** Settings from the texts of a file: the static block or Software field, and the first description. */
export function readSettings(header: string, description: string): ScanSettings {
  const all = new Map<string, Json>();
  const json = header.trimStart().startsWith("{") ? tryJson(header) : undefined;
  if (json !== undefined) flatten(json, "", all);
  else {
    const texts = isScanImageText(description) ? [header, description] : [header];
    for (const text of texts) {
      for (const [key, value] of parseAssignments(text)) {
        if (/^(?:state|SI|scanimage)\./.test(key)) all.set(key, parseMatlab(value));
      }
    }
  }
  return new Lookup(all).settings();
}

/** The value of a JSON text, or undefined when it is none. */
export function tryJson(text: string): Json | undefined {
  try {
    return JSON.parse(text.replace(/\0+$/, "")) as Json;
  } catch {
    return undefined;
  }
}

function flatten(value: Json, path: string, into: Map<string, Json>): void {
  if (value === null || typeof value !== "object" || Array.isArray(value)) {
    into.set(path, value);
    return;
  }
  for (const [key, inner] of Object.entries(value)) {
    flatten(inner, path ? `${path}.${key}` : key, into);
  }
}

/** Finds settings whatever prefix a version puts before them. */
class Lookup {
  readonly #short = new Map<string, Json>();

  constructor(readonly all: Map<string, Json>) {
    for (const [key, value] of all) {
      this.#short.set(key.replace(/^(?:scanimage\.)?SI\d?\./, ""), value);
    }
  }

  #first(names: string[]): Json | undefined {
    for (const name of names) {
      const value = this.#short.get(name);
      if (value !== undefined) return value;
    }
    return undefined;
  }

  number(...names: string[]): number | undefined {
    for (const name of names) {
      const value = this.#short.get(name);
      if (typeof value === "number" && Number.isFinite(value)) return value;
    }
    return undefined;
  }

  positive(...names: string[]): number | undefined {
    for (const name of names) {
      const value = this.number(name);
      if (value !== undefined && value > 0) return value;
    }
    return undefined;
  }

  /** MATLAB writes logicals as true, 1 or '1'. */
  flag(...names: string[]): boolean | undefined {
    const value = this.#first(names);
    if (value === undefined) return undefined;
    return value === true || value === 1 || value === "1";
  }

  text(...names: string[]): string | undefined {
    const value = this.#first(names);
    return typeof value === "string" && value !== "" ? value : undefined;
  }

  numbers(...names: string[]): number[] {
    return numbersOf(this.#first(names));
  }

  texts(...names: string[]): string[] {
    return textsOf(this.#first(names));
  }

  rows(...names: string[]): number[][] {
    const value = this.#first(names);
    if (!Array.isArray(value)) return [];
    return value.map((row) => numbersOf(row));
  }

  settings(): ScanSettings {
    return this.all.size > 0 && [...this.all.keys()].every((key) => key.startsWith("state."))
      ? classicSettings(this)
      : managedSettings(this);
  }
}

/** ScanImage 3: `state.*`. */
function classicSettings(s: Lookup): ScanSettings {
  const saved = [1, 2, 3, 4].filter((n) => s.flag(`state.acq.savingChannel${n}`));
  const count = s.positive("state.acq.numberOfChannelsSave");
  const averaged = s.flag("state.acq.averaging")
    ? s.positive("state.acq.numberOfFrames") ?? 1
    : s.positive("state.acq.numAvgFramesSave") ?? 1;
  const frames = s.positive("state.acq.numberOfFrames");
  const rate = s.positive("state.acq.frameRate");
  return {
    all: s.all,
    version: String(s.number("state.software.version") ?? s.text("state.software.version") ?? ""),
    channels: count === undefined || saved.length === count
      ? saved
      : Array.from({ length: Math.min(count, 64) }, (_, i) => i + 1),
    channelNames: [],
    channelColors: [],
    channelRanges: [],
    slices: s.positive("state.acq.numberOfZSlices") ?? 1,
    framesPerSlice: frames === undefined ? null : Math.max(1, Math.floor(frames / averaged)),
    flybackFrames: 0,
    averaged,
    framePeriodSeconds: rate && averaged / rate,
    sliceStepMicrometres: absolute(s.number("state.acq.zStepSize")),
    severalRois: false,
    startTime: clockTime(s.text("state.internal.triggerTimeString")),
  };
}

/** ScanImage 4 and later, whose names moved from one flat list into managers (`hStackManager`). */
function managedSettings(s: Lookup): ScanSettings {
  const slices = s.positive("hStackManager.actualNumSlices") ??
    s.positive("hStackManager.numSlices", "stackNumSlices") ?? 1;
  const fast = s.flag("hFastZ.enable", "fastZEnable") ||
    /fast/i.test(s.text("hStackManager.stackMode") ?? "");
  // Older versions have no switch for stacks: more than one slice is one.
  const volumes = slices > 1 && (fast || s.flag("hStackManager.enable") !== false);
  const averaged = s.positive(
    "hScan2D.logAverageFactor",
    "hScan2D.loggingAverageFactor",
    "acqNumAveragedFrames",
    "loggingNumAveragedFrames",
  ) ?? 1;
  const perSlice = s.positive("hStackManager.framesPerSlice", "acqNumFrames");
  const perVolume = s.positive("hStackManager.numFramesPerVolume");
  const withFlyback = s.positive("hStackManager.numFramesPerVolumeWithFlyback");
  const inFast = perVolume !== undefined && perVolume % slices === 0 ? perVolume / slices : 1;
  const discarded = s.flag("hFastZ.discardFlybackFrames", "fastZDiscardFlybackFrames")
    ? s.positive("hFastZ.numDiscardFlybackFrames", "fastZNumDiscardFrames") ?? 0
    : 0;
  const flyback = perVolume !== undefined && withFlyback !== undefined
    ? Math.max(0, withFlyback - perVolume)
    : discarded;
  const framePeriod = s.positive("hRoiManager.scanFramePeriod", "scanFramePeriod") ??
    inverse(s.positive("hRoiManager.scanFrameRate", "scanFrameRate"));
  const degrees = s.positive("objectiveResolution");
  return {
    all: s.all,
    version: versionOf(s),
    channels: s.numbers("hChannels.channelSave", "channelsSave", "hChannels.channelsActive"),
    channelNames: s.texts("hChannels.channelName", "channelsName"),
    channelColors: s.texts("hChannels.channelMergeColor", "channelsMergeColor"),
    channelRanges: s.rows("hChannels.channelLUT", "channelsLUT"),
    slices: volumes ? Math.floor(slices) : 1,
    framesPerSlice: !volumes
      ? null
      : fast
      ? inFast
      : perSlice === undefined
      ? null
      : Math.max(1, Math.floor(perSlice / averaged)),
    flybackFrames: volumes && fast ? Math.floor(flyback) : 0,
    averaged,
    framePeriodSeconds: framePeriod && framePeriod * averaged,
    volumePeriodSeconds: inverse(s.positive("hRoiManager.scanVolumeRate")),
    sliceStepMicrometres: absolute(
      s.number("hStackManager.actualStackZStepSize") ??
        s.number("hStackManager.stackZStepSize", "stackZStepSize"),
    ),
    fieldOfViewMicrometres: fieldOfView(s, degrees),
    micrometresPerDegree: degrees,
    severalRois: s.flag("hRoiManager.mroiEnable") ?? false,
    startTime: clockTime(s.text("triggerClockTimeFirst")),
  };
}

function versionOf(s: Lookup): string {
  const part = (name: string) => s.number(name) ?? s.text(name);
  const parts = [
    part("VERSION_MAJOR") ?? part("versionMajor"),
    part("VERSION_MINOR") ?? part("versionMinor"),
    part("VERSION_UPDATE"),
  ];
  return parts.filter((p) => p !== undefined).join(".");
}

function fieldOfView(s: Lookup, micrometresPerDegree: number | undefined): number[][] | undefined {
  const whole = (rows: number[][]) => rows.length >= 4 && rows.every((r) => r.length === 2);
  const inMicrometres = s.rows("hRoiManager.imagingFovUm");
  if (whole(inMicrometres)) return inMicrometres;
  const inDegrees = s.rows("hRoiManager.imagingFovDeg");
  if (!micrometresPerDegree || !whole(inDegrees)) return undefined;
  return inDegrees.map((corner) => corner.map((v) => v * micrometresPerDegree));
}

function inverse(rate: number | undefined): number | undefined {
  return rate && 1 / rate;
}

function absolute(step: number | undefined): number | undefined {
  return step === undefined || step === 0 ? undefined : Math.abs(step);
}

/** "5/17/2012 14:03:12.345" (month first) or "18-03-2014 12:01:12.123" (day first) as ISO 8601. */
export function clockTime(text: string | undefined): string | undefined {
  const m = text &&
    /^(\d{1,2})([/-])(\d{1,2})\2(\d{4}) +(\d{1,2}):(\d\d):(\d\d(?:\.\d+)?)/.exec(text);
  if (!m) return undefined;
  const [month, day] = m[2] === "/" ? [m[1], m[3]] : [m[3], m[1]];
  return isoTime([m[4], month, day, m[5], m[6], m[7]].map(Number));
}

/** `[year month day hour minute second]` as ISO 8601; undefined for anything else. */
export function isoTime(parts: number[]): string | undefined {
  if (parts.length !== 6 || !parts.every(Number.isFinite)) return undefined;
  const [year, month, day, hour, minute, second] = parts;
  if (year < 1970 || month < 1 || month > 12 || day < 1 || day > 31 || hour > 23) return undefined;
  if (minute > 59 || second < 0 || second >= 61) return undefined;
  const two = (n: number) => String(n).padStart(2, "0");
  const milliseconds = Math.min(59_999, Math.round(second * 1000));
  const rest = milliseconds % 1000;
  const fraction = rest ? `.${String(rest).padStart(3, "0")}` : "";
  const whole = Math.floor(milliseconds / 1000);
  return `${year}-${two(month)}-${two(day)}T${two(hour)}:${two(minute)}:${two(whole)}${fraction}`;
}
