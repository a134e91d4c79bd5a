/** The verbs, their help and the default verb, on top of commander. */
import { Command, Option } from "commander";
import { VERSION } from "../plan/attributes.ts";
import { type Flag, type FlagKey, FLAGS, type FlagValues } from "./flags.ts";

/** A verb: what it takes, and the module that does it (loaded when used). */
interface Verb {
  name: string;
  usage: string;
  summary: string;
  examples: [string, string][];
  arguments: [string, string][];
  flags: FlagKey[];
  run(args: string[], flags: FlagValues): Promise<number>;
}

const HELP = "show help; the long form shows every option";

/** What describes files that do not describe themselves. */
const MAPPING: FlagKey[] = [
  "mapping",
  "dtype",
  "channelCount",
  "rate",
  "order",
  "byteOrder",
  "headerBytes",
  "gain",
  "units",
];
const READING: FlagKey[] = ["format", "discoverUrl", "s3Endpoint", "datasetVersion"];

/** All verbs; the first is the default. */
export const VERBS: Verb[] = [
  {
    name: "convert",
    usage: "[options] DATASET [PATHS...] | INPUTS...",
    summary: "convert a SPARC dataset, files, folders or URLs (the default verb)",
    arguments: [[
      "[inputs...]",
      "a dataset id with paths below primary/, or files, folders, URLs, s3:// or -",
    ]],
    examples: [
      ["sparc-fuse 224", "every recording and image of SPARC dataset 224, into ./output"],
      ["sparc-fuse 224 'sub-ChAT-*' --dry-run", "what would be done for these subjects"],
      ["sparc-fuse recording.ns5 -o results", "one local recording"],
      ["sparc-fuse table.csv --mapping map.json", "as a descriptor says (docs/mapping.md)"],
      [
        "sparc-fuse raw.dat --dtype int16 --channels 8 --rate 20000",
        "samples without a header",
      ],
      ["sparc-fuse slide.ome.tif --to zarr.zip", "an image, as a single file"],
      [
        "sparc-fuse https://example.org/a.rhd --channels A-000,A-001 --from 10 --until 20",
        "a part of a remote file",
      ],
    ],
    flags: [
      "outputDir",
      "to",
      "array",
      "zarrFormat",
      "compressor",
      "matVersion",
      "chunkBytes",
      "shardBytes",
      "keep",
      "channels",
      "from",
      "until",
      "overwrite",
      "resume",
      "jobs",
      "memory",
      "include",
      "exclude",
      "dryRun",
      "json",
      "quiet",
      ...MAPPING,
      ...READING,
    ],
    run: async (args, flags) => (await import("./convert.ts")).convertCommand(args, flags),
  },
  {
    name: "list",
    usage: "[options] DATASET [PATHS...] | INPUTS...",
    summary: "list the files of a dataset or folder: size, format, read or not",
    arguments: [["[inputs...]", "as for convert"]],
    examples: [["sparc-fuse list 224", "the primary files of dataset 224"]],
    flags: ["include", "exclude", "json", ...READING],
    run: async (args, flags) => (await import("./list.ts")).listCommand(args, flags),
  },
  {
    name: "inspect",
    usage: "[options] DATASET [PATHS...] | INPUTS...",
    summary: "show what is inside files without converting them",
    arguments: [["[inputs...]", "as for convert"]],
    examples: [
      [
        "sparc-fuse inspect recording.smr",
        "channels, rates, units, events, and why it is read as Spike2",
      ],
      ["sparc-fuse inspect recording.smr --json", "the same for programs"],
    ],
    flags: ["include", "exclude", "json", "channels", "writeDescriptor", ...MAPPING, ...READING],
    run: async (args, flags) => (await import("./inspect.ts")).inspectCommand(args, flags),
  },
  {
    name: "slice",
    usage: "[options] INPUT",
    summary: "a part of a recording or store, reading only the bytes it needs",
    arguments: [["<input>", "an original file or a store: local, URL or s3://"]],
    examples: [
      [
        "sparc-fuse slice big.ns5 --from 10 --until 10.1 --channels 0,3 --to csv",
        "a tenth of a second as text",
      ],
      [
        "sparc-fuse slice s3://bucket/big.ns5 --from 1 --until 2 --to npy --stats > a.npy",
        "the same from S3, counted",
      ],
      [
        "sparc-fuse slice out/big.ns5.zarr --array time --from 1 --until 2 --to csv",
        "from a store",
      ],
    ],
    flags: [
      "array",
      "from",
      "until",
      "channels",
      "sliceTo",
      "keep",
      "stats",
      ...MAPPING,
      ...READING,
    ],
    run: async (args, flags) => (await import("./slice.ts")).sliceCommand(args, flags),
  },
  {
    name: "refs",
    usage: "[options] INPUT",
    summary: "a kerchunk reference file: a store over the original bytes, where they lie",
    arguments: [[
      "<input>",
      "a file, URL or s3:// address; readers must reach it under the same name",
    ]],
    examples: [
      ["sparc-fuse refs s3://bucket/rec.ns5 -o refs", "writes refs/rec.ns5.refs.json"],
      [
        "python -c \"import xarray as xr; xr.open_dataset('refs/rec.ns5.refs.json', engine='kerchunk')\"",
        "opens it",
      ],
    ],
    flags: ["outputDir", "refsTo", "baseUrl", "overwrite", "channels", ...MAPPING, ...READING],
    run: async (args, flags) => (await import("./refs.ts")).refsCommand(args, flags),
  },
  {
    name: "verify",
    usage: "[options] STORE",
    summary: "read every chunk of a store again, and compare it with its source",
    arguments: [["<store>", "a .zarr folder or prefix, or a .zarr.zip file"]],
    examples: [
      ["sparc-fuse verify out/rec.ns5.zarr", "every chunk decodes, every checksum holds"],
      [
        "sparc-fuse verify out/rec.ns5.zarr --against rec.ns5",
        "and is what the recording gives, byte for byte",
      ],
    ],
    flags: ["against", "channels", "json", ...MAPPING, ...READING],
    run: async (args, flags) => (await import("./verify.ts")).verifyCommand(args, flags),
  },
  {
    name: "plan",
    usage: "[options] INPUT",
    summary: "cut the conversion of one input into tasks for an array job",
    arguments: [["<input>", "a file, URL or s3:// address that every node can read"]],
    examples: [
      ["sparc-fuse plan big.ns5 -o /scratch/out", "writes /scratch/out/big.ns5.zarr.plan.json"],
      [
        "sparc-fuse run-tasks /scratch/out/big.ns5.zarr.plan.json --part 0/8",
        "on each node, K = 0 to 7",
      ],
      ["sparc-fuse finish /scratch/out/big.ns5.zarr.plan.json", "once, when all have ended"],
    ],
    flags: [
      "outputDir",
      "planFile",
      "to",
      "zarrFormat",
      "compressor",
      "chunkBytes",
      "shardBytes",
      "keep",
      "channels",
      "from",
      "until",
      "overwrite",
      ...MAPPING,
      ...READING,
    ],
    run: async (args, flags) => (await import("./array-job.ts")).planCommand(args, flags),
  },
  {
    name: "run-tasks",
    usage: "[options] PLAN",
    summary: "run tasks of a plan; any number of processes may do so at once",
    arguments: [["<plan>", "the file `plan` wrote"]],
    examples: [["sparc-fuse run-tasks big.ns5.zarr.plan.json --tasks 0-3", "the first four"]],
    flags: ["tasks", "part", "jobs", "memory", "json", "quiet"],
    run: async (args, flags) => (await import("./array-job.ts")).runTasksCommand(args, flags),
  },
  {
    name: "finish",
    usage: "[options] PLAN",
    summary: "put the output of all tasks together, when every one has run",
    arguments: [["<plan>", "the file `plan` wrote"]],
    examples: [["sparc-fuse finish big.ns5.zarr.plan.json", "makes big.ns5.zarr"]],
    flags: ["json", "quiet"],
    run: async (args, flags) => (await import("./array-job.ts")).finishCommand(args, flags),
  },
  {
    name: "plot",
    usage: "[options] INPUT",
    summary: "draw the channels of a recording, on the terminal or as a picture",
    arguments: [["<input>", "a file, URL or s3:// address"]],
    examples: [
      ["sparc-fuse plot recording.smr", "the first ten seconds, on the terminal"],
      [
        "sparc-fuse plot recording.ns5 --channels 0,1 --from 60 --until 61 --picture a.svg",
        "a second, as SVG",
      ],
    ],
    flags: ["array", "channels", "from", "until", "picture", ...MAPPING, ...READING],
    run: async (args, flags) => (await import("./plot.ts")).plotCommand(args, flags),
  },
  {
    name: "formats",
    usage: "[options]",
    summary: "list the formats that are read",
    arguments: [],
    examples: [["sparc-fuse formats", "the table"], [
      "sparc-fuse formats --json",
      "the same for programs",
    ]],
    flags: ["json"],
    run: async (args, flags) => (await import("./formats.ts")).formatsCommand(args, flags),
  },
  {
    name: "doctor",
    usage: "[options]",
    summary: "check what this machine has and lacks",
    arguments: [],
    examples: [["sparc-fuse doctor", "decoders, workers, codecs, credentials, network"]],
    flags: ["outputDir", "discoverUrl", "json"],
    run: async (args, flags) => (await import("./doctor.ts")).doctorCommand(args, flags),
  },
  {
    name: "completions",
    usage: "SHELL",
    summary: "print completions for bash, zsh or fish",
    arguments: [["<shell>", "bash, zsh or fish"]],
    examples: [[
      "sparc-fuse completions bash > ~/.local/share/bash-completion/completions/sparc-fuse",
      "once",
    ]],
    flags: [],
    run: async (args) => (await import("./completions.ts")).completionsCommand(args),
  },
];

/** An option of the parser; rare ones are parsed always and shown only by the long help. */
function option(flag: Flag, longHelp: boolean): Option {
  const value = !flag.value ? "" : flag.optionalValue ? ` [${flag.value}]` : ` <${flag.value}>`;
  const made = new Option(
    `${flag.short ? `-${flag.short}, ` : ""}--${flag.name}${value}`,
    flag.help,
  );
  if (flag.choices) made.choices([...flag.choices]);
  if (flag.default) made.default(flag.default);
  if (flag.rare && !longHelp) made.hideHelp();
  if (flag.many) made.argParser((one: string, all: string[] | undefined) => [...(all ?? []), one]);
  return made;
}

/** Runs the command line; gives the exit status. */
export async function runProgram(argv: string[]): Promise<number> {
  let status = 0;
  const args = withDefaultVerb(argv);
  const longHelp = argv.includes("--help") || argv[0] === "help";
  const program = new Command("sparc-fuse")
    .description("Recordings and images of neuroscience as data you can simply open.")
    .version(VERSION)
    .helpOption("-h, --help", HELP)
    .showSuggestionAfterError()
    .exitOverride()
    .configureOutput({
      writeOut: (text) => print(Deno.stdout, text),
      writeErr: (text) => print(Deno.stderr, text),
    })
    .configureHelp({ sortOptions: false });
  for (const verb of VERBS) {
    const command = program.command(verb.name)
      .summary(verb.summary)
      .description(verb.summary)
      .usage(verb.usage)
      .helpOption("-h, --help", HELP)
      .exitOverride();
    // The options of a verb that is not asked for are never looked at.
    if (!args.includes(verb.name)) continue;
    for (const [name, help] of verb.arguments) command.argument(name, help);
    for (const key of verb.flags) {
      const flag: Flag = FLAGS[key];
      command.addOption(option(flag, longHelp));
      if (flag.alias) {
        command.addOption(
          option({ ...flag, name: flag.alias, short: undefined, default: undefined }, longHelp)
            .hideHelp(),
        );
      }
    }
    command.addHelpText("after", examplesText(verb));
    command.action(async () => {
      // Loaded for work only: help and version come without the host's codecs and the sources.
      const [{ withMapping }] = await Promise.all([
        import("./mapping-flags.ts"),
        import("../platform/node.ts"),
      ]);
      const flags = await withMapping(flagValues(command, verb));
      status = await verb.run(command.args, flags);
    });
  }
  program.addHelpText(
    "after",
    examplesText(VERBS[0]) + "\n\nA dataset number, file or URL without a verb is converted.",
  );
  try {
    await program.parseAsync(args, { from: "user" });
  } catch (error) {
    const { code, exitCode } = error as { code?: string; exitCode?: number };
    if (code === undefined || !code.startsWith("commander.")) throw error;
    return exitCode === 0 ? 0 : 2;
  }
  return status;
}

/** `224 --to zarr` means `convert 224 --to zarr`. */
function withDefaultVerb(argv: string[]): string[] {
  if (argv.length === 0) return ["--help"];
  const first = argv[0];
  const known = VERBS.some((v) => v.name === first) || first === "help" ||
    ["-h", "--help", "-V", "--version"].includes(first);
  return known ? argv : [VERBS[0].name, ...argv];
}

function flagValues(command: Command, verb: Verb): FlagValues {
  const values: FlagValues = {};
  for (const key of verb.flags) {
    const flag: Flag = FLAGS[key];
    const read = (name: string) =>
      command.getOptionValue(name.replace(/-([a-z])/g, (_, c) => c.toUpperCase()));
    const own = read(flag.name);
    const old = flag.alias === undefined ? undefined : read(flag.alias);
    values[key] = old ?? own;
  }
  return values;
}

/** Writes help; a reader that has gone is no failure. */
function print(stream: { writeSync(bytes: Uint8Array): number }, text: string): void {
  const bytes = new TextEncoder().encode(text);
  try {
    for (let done = 0; done < bytes.length;) done += stream.writeSync(bytes.subarray(done));
  } catch (error) {
    if (!(error instanceof Deno.errors.BrokenPipe)) throw error;
  }
}

function examplesText(verb: Verb): string {
  const width = Math.max(...verb.examples.map(([line]) => line.length));
  const lines = verb.examples.map(([line, means]) =>
    width > 60 ? `  ${line}\n      ${means}` : `  ${line.padEnd(width)}  ${means}`
  );
  return `\nExamples:\n${lines.join("\n")}`;
}
