/** `completions`: shell completions, made from the verb and flag tables. */
import { FuseError } from "../errors.ts";
import { FORMATS } from "../../decoders/registry.ts";
import { type Flag, FLAGS } from "./flags.ts";
import { VERBS } from "./program.ts";

const PROGRAM = "sparc-fuse";

/** Prints the script of one shell. */
// deno-lint-ignore require-await
export async function completionsCommand(args: string[]): Promise<number> {
  const scripts: Record<string, () => string> = { bash, zsh, fish };
  const script = scripts[args[0]];
  if (!script) {
    throw new FuseError("Usage", "completions are made for", {
      expected: "bash, zsh or fish",
      found: args[0],
    });
  }
  console.log(script());
  return 0;
}

function flagsOf(name: string): Flag[] {
  return VERBS.find((v) => v.name === name)!.flags.map((key): Flag => FLAGS[key]);
}

function choicesOf(flag: Flag): string[] {
  return flag.name === "format" ? FORMATS.map((f) => f.id) : flag.choices ?? [];
}

function bash(): string {
  const verbs = VERBS.map((v) => v.name);
  const cases = verbs.map((verb) =>
    `    ${verb}) words="${flagsOf(verb).map((f) => `--${f.name}`).join(" ")}" ;;`
  );
  const all = new Map(verbs.flatMap(flagsOf).map((f) => [f.name, f]));
  const values = [...all.values()].filter((f) => choicesOf(f).length)
    .map((f) =>
      `    --${f.name}) COMPREPLY=($(compgen -W "${
        choicesOf(f).join(" ")
      }" -- "$current")); return ;;`
    );
  return `_sparc_fuse() {
  local current="\${COMP_WORDS[COMP_CWORD]}" previous="\${COMP_WORDS[COMP_CWORD-1]}" words=""
  case "$previous" in
${values.join("\n")}
  esac
  case "\${COMP_WORDS[1]}" in
${cases.join("\n")}
    *) words="${flagsOf("convert").map((f) => `--${f.name}`).join(" ")}" ;;
  esac
  if [ "$COMP_CWORD" -eq 1 ]; then words="${verbs.join(" ")} $words"; fi
  if [[ "$current" == -* || "$COMP_CWORD" -eq 1 ]]; then COMPREPLY=($(compgen -W "$words" -- "$current")); fi
  COMPREPLY+=($(compgen -f -- "$current"))
}
complete -o filenames -F _sparc_fuse ${PROGRAM}`;
}

const quoted = (text: string): string => text.replaceAll("'", "'\\''").replace(/[[\]:]/g, "\\$&");

function zsh(): string {
  const verbs = VERBS.map((v) => `    '${v.name}:${quoted(v.summary)}'`);
  const cases = VERBS.map((v) => {
    const options = flagsOf(v.name).map((f) => {
      const value = f.value
        ? `:${quoted(f.value)}:${choicesOf(f).length ? `(${choicesOf(f).join(" ")})` : "_files"}`
        : "";
      return `        '${f.many ? "*" : ""}--${f.name}[${quoted(f.help)}]${value}'`;
    });
    return `      ${v.name}) _arguments \\\n${
      options.concat("        '*:input:_files'").join(" \\\n")
    } ;;`;
  });
  return `#compdef ${PROGRAM}
_sparc_fuse() {
  local -a verbs
  verbs=(
${verbs.join("\n")}
  )
  if (( CURRENT == 2 )); then
    _describe verb verbs
    _files
  else
    case "$words[2]" in
${cases.join("\n")}
      *) _files ;;
    esac
  fi
}
_sparc_fuse "$@"`;
}

function fish(): string {
  const escape = (text: string) => text.replaceAll("\\", "\\\\").replaceAll("'", "\\'");
  const lines = VERBS.map((v) =>
    `complete -c ${PROGRAM} -n __fish_use_subcommand -a ${v.name} -d '${escape(v.summary)}'`
  );
  for (const verb of VERBS) {
    for (const flag of flagsOf(verb.name)) {
      const value = flag.value
        ? ` -r${choicesOf(flag).length ? ` -a '${choicesOf(flag).join(" ")}'` : ""}`
        : "";
      const short = flag.short ? ` -s ${flag.short}` : "";
      lines.push(
        `complete -c ${PROGRAM} -n '__fish_seen_subcommand_from ${verb.name}' -l ${flag.name}${short}${value} -d '${
          escape(flag.help)
        }'`,
      );
    }
  }
  return lines.join("\n");
}
