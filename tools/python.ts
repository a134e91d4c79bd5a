/**
 * Runs Python with the libraries of tests/python/requirements.txt, in `.venv`.
 *
 *   deno task python tests/python/open_outputs.py
 */
import { pythonWith } from "./python-env.ts";

const python = await pythonWith([]);
const { code } = await new Deno.Command(python, { args: Deno.args }).spawn().status;
Deno.exit(code);
