/**
 * A real Slurm on this machine alone, for the time of a test: munged, slurmctld and slurmd with a key,
 * a configuration, sockets, state and logs of their own in one temporary folder. Nothing outside it is
 * read or written, so a Slurm that this machine belongs to is not touched.
 */
import { chmodSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { createServer } from "node:net";
import { cpus, hostname, tmpdir, userInfo } from "node:os";
import { join } from "node:path";

/** The programs of Debian's packages slurm-wlm and munge that are needed. */
const PROGRAMS = ["munged", "slurmctld", "slurmd", "sbatch", "squeue", "sinfo", "scontrol"];

/** Where they are when the PATH does not say. */
const PLACES = ["/usr/sbin", "/usr/bin", "/usr/local/sbin", "/usr/local/bin"];

/** Seconds a daemon may take to answer. */
const PATIENCE_SECONDS = 20;

/** Slurm cannot be had on this machine, and why. */
export class NoSlurm extends Error {
  /** @param logs what the daemons had to say, if they got so far */
  constructor(message: string, readonly logs = "") {
    super(message);
  }
}

/** A running Slurm of one node. */
export class OneMachineSlurm {
  #daemons: { name: string; process: Deno.ChildProcess }[] = [];

  private constructor(readonly folder: string) {}

  /** Starts the daemons. @throws NoSlurm when something is missing or does not start. */
  static async start(): Promise<OneMachineSlurm> {
    if (Deno.build.os !== "linux") throw new NoSlurm("this is not Linux");
    const missing = PROGRAMS.filter((name) => !programPath(name));
    if (missing.length) throw new NoSlurm(`not installed: ${missing.join(", ")}`);
    const slurm = new OneMachineSlurm(mkdtempSync(join(tmpdir(), "sparc-fuse-slurm-")));
    try {
      await slurm.#configure();
      await slurm.#launch();
      return slurm;
    } catch (error) {
      const why = error instanceof NoSlurm ? error.message : String(error);
      const logs = slurm.logs();
      await slurm.stop();
      throw new NoSlurm(why, logs);
    }
  }

  get configuration(): string {
    return join(this.folder, "slurm.conf");
  }

  /** Runs a line of shell as a user of this Slurm would; gives what it printed. */
  async shell(line: string, cwd: string, env: Record<string, string> = {}): Promise<string> {
    const { success, stdout, stderr } = await new Deno.Command("bash", {
      args: ["-euo", "pipefail", "-c", line],
      cwd,
      env: { ...env, SLURM_CONF: this.configuration },
      stdin: "null",
    }).output();
    const text = new TextDecoder();
    if (!success) throw new Error(`${line}\n${text.decode(stdout)}${text.decode(stderr)}`);
    return text.decode(stdout).trim();
  }

  /** What the daemons have written last. */
  logs(): string {
    return ["munged", "slurmctld", "slurmd"].map((name) => {
      const path = join(this.folder, `${name}.log`);
      if (!existsSync(path)) return "";
      return readFileSync(path, "utf8").trimEnd().split("\n").slice(-8)
        .map((line) => `${name}: ${line}`).join("\n");
    }).filter((text) => text).join("\n");
  }

  /** Stops the daemons and removes their folder. */
  async stop(): Promise<void> {
    for (const { process } of this.#daemons.reverse()) await end(process);
    this.#daemons = [];
    rmSync(this.folder, { recursive: true, force: true });
  }

  async #configure(): Promise<void> {
    // munge refuses a socket or key in a folder others may write to, and clients must reach the socket.
    chmodSync(this.folder, 0o711);
    for (const name of ["state", "spool"]) mkdirSync(join(this.folder, name));
    const key = join(this.folder, "munge.key");
    Deno.writeFileSync(key, crypto.getRandomValues(new Uint8Array(1024)), { mode: 0o400 });
    const node = hostname().split(".")[0], user = userInfo().username;
    const at = (name: string) => join(this.folder, name);
    const [controllerPort, nodePort] = await freePorts(2);
    const lines = [
      "ClusterName=test",
      `SlurmctldHost=${node}(127.0.0.1)`,
      `SlurmctldPort=${controllerPort}`,
      `SlurmdPort=${nodePort}`,
      `SlurmUser=${user}`,
      `SlurmdUser=${user}`,
      "AuthType=auth/munge",
      "CredType=cred/munge",
      // A task that is queued again may begin when its credential has expired: not after two minutes.
      `AuthInfo=socket=${at("munge.socket")},ttl=60,cred_expire=5`,
      `StateSaveLocation=${at("state")}`,
      `SlurmdSpoolDir=${at("spool")}`,
      `SlurmctldPidFile=${at("slurmctld.pid")}`,
      `SlurmdPidFile=${at("slurmd.pid")}`,
      "ProctrackType=proctrack/linuxproc",
      "TaskPlugin=task/none",
      "SwitchType=switch/none",
      "MpiDefault=none",
      "ReturnToService=2",
      "SchedulerType=sched/backfill",
      "SchedulerParameters=sched_interval=1,bf_interval=1",
      "SelectType=select/cons_tres",
      "SelectTypeParameters=CR_Core",
      "KillWait=2",
      `NodeName=${node} NodeAddr=127.0.0.1 CPUs=${cpus().length} State=UNKNOWN`,
      `PartitionName=all Nodes=${node} Default=YES MaxTime=10 State=UP`,
    ];
    Deno.writeTextFileSync(this.configuration, lines.join("\n") + "\n");
  }

  async #launch(): Promise<void> {
    const at = (name: string) => join(this.folder, name);
    this.#spawn("munged", [
      "--foreground",
      "--force",
      `--socket=${at("munge.socket")}`,
      `--key-file=${at("munge.key")}`,
      `--pid-file=${at("munge.pid")}`,
      `--seed-file=${at("munge.seed")}`,
      `--log-file=${at("munged.log")}`,
    ]);
    await this.#until("munged", () => Promise.resolve(existsSync(at("munge.socket"))));
    this.#spawn("slurmctld", ["-D", "-f", this.configuration, "-L", at("slurmctld.log")]);
    await this.#until("slurmctld", async () => (await this.#says("scontrol ping")).includes("UP"));
    this.#spawn("slurmd", ["-D", "-f", this.configuration, "-L", at("slurmd.log")]);
    const idle = async () => (await this.#says("sinfo --noheader --format=%t")) === "idle";
    await this.#until("slurmd", idle);
  }

  async #says(line: string): Promise<string> {
    try {
      return await this.shell(line, this.folder);
    } catch {
      return "";
    }
  }

  #spawn(name: string, args: string[]): void {
    const process = new Deno.Command(programPath(name)!, {
      args,
      env: { SLURM_CONF: this.configuration },
      stdin: "null",
      stdout: "null",
      stderr: "null",
    }).spawn();
    this.#daemons.push({ name, process });
  }

  async #until(name: string, ready: () => Promise<boolean>): Promise<void> {
    const { process } = this.#daemons.at(-1)!;
    let ended = false;
    process.status.then(() => ended = true);
    const limit = performance.now() + PATIENCE_SECONDS * 1000;
    while (!await ready()) {
      if (ended) throw new NoSlurm(`${name} does not start`);
      if (performance.now() > limit) throw new NoSlurm(`${name} does not answer`);
      await pause(100);
    }
  }
}

/** Waits. */
export function pause(milliseconds: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, milliseconds));
}

function programPath(name: string): string | undefined {
  const folders = [...(Deno.env.get("PATH") ?? "").split(":"), ...PLACES];
  return folders.map((folder) => join(folder, name)).find((path) => existsSync(path));
}

/** Ends a process: asked first, made to after some seconds. */
async function end(process: Deno.ChildProcess): Promise<void> {
  const send = (signal: Deno.Signal) => {
    try {
      process.kill(signal);
    } catch {
      // It has ended by itself.
    }
  };
  send("SIGTERM");
  const timer = setTimeout(() => send("SIGKILL"), 8000);
  await process.status;
  clearTimeout(timer);
}

/** Ports nobody listens on at this moment. */
async function freePorts(count: number): Promise<number[]> {
  const servers = await Promise.all(
    Array.from(
      { length: count },
      () =>
        new Promise<ReturnType<typeof createServer>>((resolve, reject) => {
          const server = createServer();
          server.once("error", reject);
          server.listen(0, "127.0.0.1", () => resolve(server));
        }),
    ),
  );
  const ports = servers.map((server) => (server.address() as { port: number }).port);
  await Promise.all(servers.map((server) => new Promise((resolve) => server.close(resolve))));
  return ports;
}
