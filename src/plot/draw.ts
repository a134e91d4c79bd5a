/** Envelopes as SVG, as pixels, and as text for a terminal. */
import { rangeOf, type Trace } from "./envelope.ts";

/** Height of one channel's lane, pixels. */
const LANE = 90;
const MARGIN = { left: 150, right: 14, top: 26, bottom: 26 };

/** What a picture shows. */
export interface Picture {
  title: string;
  traces: Trace[];
  firstSeconds: number;
  lastSeconds: number;
}

function short(value: number): string {
  return Number.isFinite(value) ? String(Number(value.toPrecision(4))) : "";
}

function escaped(text: string): string {
  return text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll('"', "&quot;");
}

/** An SVG document: a lane a channel, each with its own scale. */
export function svgOf({ title, traces, firstSeconds, lastSeconds }: Picture): string {
  const columns = traces[0]?.low.length ?? 0;
  const width = MARGIN.left + columns + MARGIN.right;
  const height = MARGIN.top + traces.length * LANE + MARGIN.bottom;
  const parts = [
    `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${height}" font-family="sans-serif" font-size="11">`,
    `<rect width="100%" height="100%" fill="white"/>`,
    `<text x="${MARGIN.left}" y="17" font-size="13">${escaped(title)}</text>`,
  ];
  traces.forEach((trace, i) => {
    const top = MARGIN.top + i * LANE;
    const [low, high] = rangeOf(trace);
    const y = (value: number) =>
      (top + 8 + (LANE - 16) * (1 - (value - low) / (high - low))).toFixed(1);
    let path = "";
    for (let x = 0; x < columns; x++) {
      if (Number.isNaN(trace.low[x])) continue;
      path += `M${MARGIN.left + x + 0.5} ${y(trace.high[x])}V${
        (Number(y(trace.low[x])) + 1).toFixed(1)
      }`;
    }
    parts.push(
      `<path d="${path}" stroke="#1f5fa8" stroke-width="1" fill="none"/>`,
      `<text x="8" y="${top + LANE / 2}">${escaped(trace.name.slice(0, 20))}</text>`,
      `<text x="${MARGIN.left - 6}" y="${top + 14}" text-anchor="end" fill="#666">${short(high)} ${
        escaped(trace.units)
      }</text>`,
      `<text x="${MARGIN.left - 6}" y="${top + LANE - 6}" text-anchor="end" fill="#666">${
        short(low)
      }</text>`,
      `<line x1="0" x2="${width}" y1="${top + LANE}" y2="${top + LANE}" stroke="#ddd"/>`,
    );
  });
  const foot = height - 9;
  parts.push(
    `<text x="${MARGIN.left}" y="${foot}">${short(firstSeconds)} s</text>`,
    `<text x="${MARGIN.left + columns}" y="${foot}" text-anchor="end">${
      short(lastSeconds)
    } s</text>`,
    "</svg>",
  );
  return parts.join("\n") + "\n";
}

/** RGB pixels of the lanes, without text. */
export function pixelsOf({ traces }: Picture): { width: number; height: number; data: Uint8Array } {
  const width = traces[0]?.low.length ?? 1;
  const height = Math.max(1, traces.length * LANE);
  const data = new Uint8Array(width * height * 3).fill(255);
  const paint = (x: number, y: number, color: [number, number, number]) =>
    data.set(color, (y * width + x) * 3);
  traces.forEach((trace, i) => {
    const top = i * LANE;
    const [low, high] = rangeOf(trace);
    const row = (value: number) =>
      Math.round(top + 4 + (LANE - 9) * (1 - (value - low) / (high - low)));
    for (let x = 0; x < width; x++) {
      paint(x, top + LANE - 1, [221, 221, 221]);
      if (Number.isNaN(trace.low[x])) continue;
      for (let y = row(trace.high[x]); y <= row(trace.low[x]); y++) paint(x, y, [31, 95, 168]);
    }
  });
  return { width, height, data };
}

/** Rows of a channel in a terminal, four dots each. */
const ROWS = 4;
/** Bits of a Braille cell, by row and column of its dots. */
const DOTS = [[0x01, 0x08], [0x02, 0x10], [0x04, 0x20], [0x40, 0x80]];

/** Braille dots: two columns and four rows of the picture a character. */
export function textOf({ title, traces, firstSeconds, lastSeconds }: Picture): string {
  const columns = traces[0]?.low.length ?? 0;
  const lines = [title];
  for (const trace of traces) {
    const [low, high] = rangeOf(trace);
    const cells = Array.from({ length: ROWS }, () => new Uint8Array(Math.ceil(columns / 2)));
    const dot = (value: number) => Math.round((ROWS * 4 - 1) * (1 - (value - low) / (high - low)));
    for (let x = 0; x < columns; x++) {
      if (Number.isNaN(trace.low[x])) continue;
      for (let y = dot(trace.high[x]); y <= dot(trace.low[x]); y++) {
        cells[y >> 2][x >> 1] |= DOTS[y & 3][x & 1];
      }
    }
    const labels = [
      trace.name.slice(0, 18),
      `${short(high)} ${trace.units}`.trim(),
      "",
      short(low),
    ];
    cells.forEach((row, r) => {
      lines.push(
        `${labels[r].padStart(18)} |${String.fromCodePoint(...Array.from(row, (b) => 0x2800 + b))}`,
      );
    });
  }
  const from = `${short(firstSeconds)} s`, to = `${short(lastSeconds)} s`;
  lines.push(
    " ".repeat(20) + from + to.padStart(Math.max(1, Math.ceil(columns / 2) - from.length)),
  );
  return lines.join("\n");
}
