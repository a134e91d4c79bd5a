/** Units in column headers: which texts are units, and where headers put them. */

const PREFIX = /^(?:da|[YZEPTGMkhdcmµμunpfa])/;
const BASES = new Set(
  ("V A W J N Pa Hz s g m L l mol M K C F S T H \u03a9 \u2126 ohm Ohm ohms Ohms lm lx cd Bq Gy rad " +
    "sr bar eV cal Torr B Volt Volts volt volts Amp Amps amps Ampere Newton Newtons Watt Watts " +
    "second seconds sec secs gram grams liter litre liters meter metre meters Osm Eq VA G").split(
      " ",
    ),
);
const WORDS = new Set(
  ("% \u2030 \u00b0 \u00b0C \u00b0F \u00baC degC degF deg degrees celsius Celsius mmHg mmhg cmH2O cmH20 cmh2o mmH2O inHg " +
    "psi atm bpm BPM rpm RPM beats breaths br spikes imp pulses a.u. a.u au AU arb arb. arb.u. " +
    "counts count cts px pixel pixels frame frames sample samples min mins minute minutes h hr hrs " +
    "hour hours d day days week weeks month months year years yr msec usec nsec \u00b5sec \u03bcsec cc " +
    "dB dBm dBV dBA ppm ppb pH U IU cell cells lux in inch inches ft lb lbs lbf kgf gf gr oz mph knots " +
    "milliseconds millisecond microseconds microsecond nanoseconds millivolts millivolt microvolts " +
    "microvolt kelvin Kelvin percent rel norm normalized unitless dimensionless z score bits bit LSB " +
    "steps cycles cyc events Event Mach ips kph RIU RFU AFU RLU OD dF/F \u0394F/F \u2206F/F fraction " +
    "ratio").split(" "),
);
/** Words that are units only behind other units or alone in a unit row. */
const LETTERS = /^[A-Za-z\u00b5\u03bc]$/;

/** True for a single factor of a unit: "mV", "s^-1", "m\u00b2". */
function isFactor(text: string): boolean {
  // "m2" and "s-1" are powers; "C3" and "A1" are names of electrodes.
  const bare = /^[a-z\u00b5\u03bc]?m[23]$/.test(text)
    ? text.slice(0, -1)
    : text.replace(/(?:\^\(?[-\u2212+]?\d+\)?|[-\u2212]\d+|[\u207b\u00b2\u00b3\u00b9]+)$/, "");
  if (WORDS.has(text) || WORDS.has(bare) || BASES.has(bare)) return bare.length > 0;
  const prefix = PREFIX.exec(bare)?.[0];
  return prefix !== undefined && BASES.has(bare.slice(prefix.length));
}

/** True when `text` reads as a unit of measurement. */
export function isUnit(text: string): boolean {
  const trimmed = text.trim();
  if (trimmed === "" || trimmed.length > 24) return false;
  if (WORDS.has(trimmed)) return true;
  const factors = trimmed.split(/[\s\u00b7*/\u22c5]+/).filter((f) => f !== "" && f !== "1");
  return factors.length > 0 && factors.every(isFactor);
}

/** A unit that no name would be mistaken for: "mmHg" but not "A". */
export function isStrongUnit(text: string): boolean {
  return isUnit(text) && !LETTERS.test(text) &&
    /^(?:[a-zµμ]{0,2}(?:V|A|W|N|Pa|Hz|S|F|M|g|L|l|ohm|\u03a9)|mmHg|cmH2O|mmH2O|bpm|BPM|rpm|psi|\u00b0C|degC|%|ms|us|\u00b5s|\u03bcs|ns|msec|usec|sec|mm|cm|um|\u00b5m|nm|mL\/min|ml\/min|L\/min|m\/s|deg|rad|dB|ppm)$/
      .test(text);
}

/** A header cell taken apart. */
export interface HeaderName {
  name: string;
  /** As the file writes it; "" when it names none. */
  units: string;
}

/**
 * Takes the unit out of a header: "Pressure (mmHg)", "Flow [mL/min]", "U / mV". A unit behind an
 * underscore or blank ("EMG_mV") is noted but stays part of the name.
 */
export function splitHeader(header: string): HeaderName {
  const text = header.trim();
  const brackets =
    /^(.*?)\s*(?:\(\s*([^()]*?)\s*\)|\[\s*([^[\]]*?)\s*\]|\{\s*([^{}]*?)\s*\}|<\s*([^<>]*?)\s*>)\s*$/
      .exec(text);
  if (brackets && brackets[1] !== "") {
    const [, name, round, square, curly, angle] = brackets;
    const inside = round ?? square ?? curly ?? angle ?? "";
    if (square !== undefined && inside !== "" && !/^[\d\s,.:]+$/.test(inside)) {
      return { name, units: inside };
    }
    if (isUnit(inside)) return { name, units: inside };
  }
  const slash = /^(.+?)\s+\/\s+(\S+)$/.exec(text);
  if (slash && isUnit(slash[2])) return { name: slash[1], units: slash[2] };
  // Without blanks it may as well be a unit of its own: "mL/min".
  const tight = /^([^/]+)\/([^/]+)$/.exec(text);
  if (tight && isUnit(tight[2]) && !isUnit(tight[1])) return { name: tight[1], units: tight[2] };
  const comma = /^(.+?)\s*,\s*([^,]+)$/.exec(text);
  if (comma && isStrongUnit(comma[2])) return { name: comma[1], units: comma[2] };
  const tail = /^(.+?)[\s_.-]+([^\s_.-]+)$/.exec(text);
  if (tail && isStrongUnit(tail[2])) return { name: text, units: tail[2] };
  return { name: text, units: "" };
}

/** The text of a unit cell without its brackets. */
export function bareUnit(cell: string): string {
  return /^[([{<]\s*(.*?)\s*[)\]}>]$/.exec(cell.trim())?.[1] ?? cell.trim();
}

/** How many seconds a time unit has, as a fraction of whole numbers; null for other units. */
export function timeFactor(unit: string): { multiply: number; divide: number } | null {
  const u = unit.trim().replace(/[\u00b5\u03bc]/g, "u");
  const match = (pattern: RegExp) => pattern.test(u);
  if (match(/^(?:s|sec|secs|second|seconds)\.?$/i)) return { multiply: 1, divide: 1 };
  if (match(/^(?:ms|msec|msecs|milli ?sec|milliseconds?|millis)\.?$/i)) {
    return { multiply: 1, divide: 1e3 };
  }
  if (match(/^(?:us|usec|usecs|micro ?sec|microseconds?|micros)\.?$/i)) {
    return { multiply: 1, divide: 1e6 };
  }
  if (match(/^(?:ns|nsec|nanoseconds?|nanos)\.?$/i)) return { multiply: 1, divide: 1e9 };
  if (match(/^(?:min|mins|minutes?)\.?$/i)) return { multiply: 60, divide: 1 };
  if (match(/^(?:h|hr|hrs|hours?)\.?$/i)) return { multiply: 3600, divide: 1 };
  if (match(/^(?:d|days?)\.?$/i)) return { multiply: 86_400, divide: 1 };
  return null;
}
