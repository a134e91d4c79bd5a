/** Units of length and time as imaging programs write them. */

/** Micrometres in one of a unit's steps; undefined for units that are no length ("pixel", ""). */
export function micrometresPer(unit: string | undefined): number | undefined {
  if (!unit) return undefined;
  // ImageJ escapes the micro sign as \u00B5 in its ASCII descriptions.
  const name = unit.trim().replace(/\\u00[bB]5/g, "\u00b5").replace("\u03bc", "\u00b5");
  return LENGTHS[name] ?? LENGTHS[name.toLowerCase()];
}

const LENGTHS: Record<string, number> = {
  "\u00b5m": 1,
  "\u00b5": 1,
  um: 1,
  micron: 1,
  microns: 1,
  micrometer: 1,
  micrometers: 1,
  micrometre: 1,
  micrometres: 1,
  pm: 1e-6,
  "\u00c5": 1e-4,
  "\u212b": 1e-4,
  angstrom: 1e-4,
  nm: 1e-3,
  nanometer: 1e-3,
  nanometers: 1e-3,
  nanometre: 1e-3,
  mm: 1e3,
  millimeter: 1e3,
  millimeters: 1e3,
  millimetre: 1e3,
  cm: 1e4,
  centimeter: 1e4,
  centimeters: 1e4,
  dm: 1e5,
  m: 1e6,
  meter: 1e6,
  meters: 1e6,
  metre: 1e6,
  km: 1e9,
  inch: 25_400,
  inches: 25_400,
  in: 25_400,
  ft: 304_800,
  thou: 25.4,
  pt: 25_400 / 72,
};

const TIMES: Record<string, number> = {
  s: 1,
  ms: 1e-3,
  "\u00b5s": 1e-6,
  us: 1e-6,
  ns: 1e-9,
  ps: 1e-12,
  ds: 0.1,
  cs: 0.01,
  ks: 1e3,
  min: 60,
  h: 3600,
  d: 86_400,
};

/** Seconds in one step of a unit of time of the OME schema; undefined for an unknown one. */
export function secondsPer(unit: string | undefined): number | undefined {
  return TIMES[(unit ?? "s").trim().replace("\u03bc", "\u00b5")];
}
