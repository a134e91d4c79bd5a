/**
 * What people do without ranges: fetch the whole file, then work on the copy.
 *
 *   deno run -A bench/download-then.ts URL FILE COMMAND...
 */
const [url, path, program, ...args] = Deno.args;
const answer = await fetch(url);
if (!answer.ok || !answer.body) throw new Error(`${url}: HTTP ${answer.status}`);
const file = await Deno.open(path, { write: true, create: true, truncate: true });
await answer.body.pipeTo(file.writable);
const { code } = await new Deno.Command(program, { args }).spawn().status;
Deno.exit(code);
