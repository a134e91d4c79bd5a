/** Builds small Spike2 text exports. */

/** One channel of an export. */
export interface ExportChannelSpec {
  number: number;
  kind: string;
  title: string;
  comment?: string;
  units?: string;
  idealRate?: number;
  /** Text of the sixth column of the summary. */
  rate?: string;
  /** Lines of the section after its head. */
  body: string[];
  /** Leaves the head of the section away. */
  bare?: boolean;
}

/** A whole export. */
export interface ExportSpec {
  file?: string;
  comments?: string[];
  information?: boolean;
  summary?: boolean;
  newline?: string;
  separator?: string;
  channels: ExportChannelSpec[];
}

/** The text of an export. */
export function exportText(spec: ExportSpec): string {
  const { information = true, summary = true, newline = "\r\n", separator: s = "\t" } = spec;
  const lines: string[] = [];
  if (information) {
    const comments = Array.from({ length: 5 }, (_, i) => `"${spec.comments?.[i] ?? ""}"`);
    lines.push('"INFORMATION"', `"${spec.file ?? "data.smr"}"`, ...comments, "");
  }
  if (summary) {
    lines.push('"SUMMARY"');
    for (const { number, kind, title, units, idealRate, rate } of spec.channels) {
      const row = [`"${number}"`, `"${kind}"`, `"${title}"`];
      if (units !== undefined) row.push(`"${units}"`, `${idealRate}`, rate ?? "", "1", "0");
      lines.push(row.join(s));
    }
    lines.push("");
  }
  for (const channel of spec.channels) {
    lines.push(`"CHANNEL"${s}"${channel.number}"`);
    if (!channel.bare) {
      const comment = channel.comment ?? "No comment";
      lines.push(`"${channel.kind}"`, `"${comment}"`, `"${channel.title}"`, "");
      if (channel.units !== undefined) lines.push(`"${channel.units}"${s}${channel.idealRate}`);
    }
    for (const line of channel.body) lines.push(line);
    lines.push("");
  }
  return lines.join(newline);
}

/** Its bytes in Windows' code page. */
export function exportBytes(spec: ExportSpec): Uint8Array<ArrayBuffer> {
  return Uint8Array.from(exportText(spec), (c) => c.charCodeAt(0));
}
