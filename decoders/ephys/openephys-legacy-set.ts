/** The files of one experiment in the older format, which all lie in one folder. */
import { ensure } from "../../src/errors.ts";
import type { Attributes, Dataset } from "../../src/model/dataset.ts";
import type { ByteSource } from "../../src/source/source.ts";
import { readText } from "./openephys-legacy.ts";

/** Bytes of settings.xml in which its first section is looked for. */
const SETTINGS_BYTES = 65_536;
/** Most files of a folder that are opened together. */
const MOST_FILES = 16_384;

/** Number of an experiment by a name that ends in it: "structure_2.openephys"; 1 where it has none. */
function numberIn(name: string): number {
  return Number(/_(\d+)\.[^.]+$/.exec(name)?.[1] ?? 1);
}

/** Number of the experiment of a signal: that behind the channel's name in "100_stream_CH1_2.continuous". */
function signalNumber(name: string): number {
  return Number(/_[A-Za-z]+\d*_(\d+)\.continuous$/.exec(name)?.[1] ?? 1);
}

/** Events and spikes of an experiment: the number at a name's end may be the electrode's, too. */
function ofExperiment(names: string[], experiment: number, experiments: Set<number>): string[] {
  return names.filter((name) => {
    if (!/\.(events|spikes)$/.test(name)) return false;
    const number = numberIn(name);
    return (experiments.has(number) ? number : 1) === experiment;
  }).sort();
}

/** The files of a description, and those beside it that carry its number. */
export async function describedMembers(
  dataset: Dataset,
  signal?: AbortSignal,
): Promise<ByteSource[]> {
  const [main] = dataset.sources;
  const xml = await readText(main, signal);
  const named = new Set(
    [...xml.matchAll(/\bfilename\s*=\s*"([^"]+)"/g)].map((m) =>
      m[1].replaceAll("&lt;", "<").replaceAll("&gt;", ">").replaceAll("&quot;", '"')
        .replaceAll("&apos;", "'").replaceAll("&amp;", "&")
    ),
  );
  const experiment = numberIn(main.name);
  const suffix = experiment > 1 ? `_${experiment}` : "";
  const likely = ["messages", "all_channels"].map((name) => `${name}${suffix}.events`);
  const beside = await main.siblingNames() ?? [];
  const experiments = new Set(beside.filter((n) => /\.openephys$/i.test(n)).map(numberIn));
  // Descriptions before 0.6 name the signals alone.
  const unnamed = ofExperiment(beside, experiment, experiments.add(experiment));
  const members: ByteSource[] = [];
  for (const name of new Set([...named, ...likely, ...unnamed])) {
    if (!/\.(continuous|events|spikes|timestamps)$/.test(name)) continue;
    const member = await main.sibling(name);
    if (member) {
      dataset.sources.push(member);
      members.push(member);
    } else if (named.has(name)) dataset.warnings.push(`${name}: not there; left out`);
  }
  ensure(members.length > 0, "none of the files it names is there", { source: main.name });
  return members;
}

/**
 * The file that was opened, and the others of its experiment where the folder has no description, as in recordings
 * before 2014.
 */
export async function undescribedMembers(
  dataset: Dataset,
  alone: boolean,
): Promise<ByteSource[]> {
  const [main] = dataset.sources;
  const beside = alone ? null : await main.siblingNames();
  if (!beside || beside.some((name) => /\.openephys$/i.test(name))) return [main];
  const signals = [...beside, main.name].filter((name) => name.endsWith(".continuous"));
  const experiments = new Set(signals.map(signalNumber)).add(1);
  const isSignal = main.name.endsWith(".continuous");
  const stated = isSignal ? signalNumber(main.name) : numberIn(main.name);
  const experiment = experiments.has(stated) ? stated : 1;
  const names = [
    ...signals.filter((name) => signalNumber(name) === experiment).sort(byNumber),
    ...ofExperiment([...beside, main.name], experiment, experiments),
  ];
  const members: ByteSource[] = [];
  for (const name of [...new Set(names)].slice(0, MOST_FILES)) {
    if (name === main.name) {
      members.push(main);
      continue;
    }
    const member = await main.sibling(name);
    if (!member) continue;
    dataset.sources.push(member);
    members.push(member);
  }
  return members.length ? members : [main];
}

/** CH2 before CH10. */
function byNumber(a: string, b: string): number {
  const pad = (s: string) => s.replace(/\d+/g, (n) => n.padStart(8, "0"));
  return pad(a) < pad(b) ? -1 : 1;
}

/** What settings.xml says of the program and the machine. */
export async function settingsOf(dataset: Dataset, signal?: AbortSignal): Promise<Attributes> {
  const [main] = dataset.sources;
  const experiment = main.name.endsWith(".continuous")
    ? signalNumber(main.name)
    : numberIn(main.name);
  const file = await main.sibling(experiment > 1 ? `settings_${experiment}.xml` : "settings.xml");
  if (!file) return {};
  dataset.sources.push(file);
  const bytes = await file.readUpTo(0, SETTINGS_BYTES, { purpose: "header", signal });
  const info = /<INFO>([\s\S]*?)<\/INFO>/.exec(new TextDecoder().decode(bytes))?.[1] ?? "";
  const settings: Attributes = {};
  for (const [, key, value] of info.matchAll(/<(VERSION|DATE|OS|MACHINE)\b[^>]*>([^<]*)</g)) {
    settings[key.toLowerCase()] = value.trim();
  }
  return Object.keys(settings).length ? { settings } : {};
}
