/**
 * A real S3 service on loopback: Versity's gateway (Apache-2.0) over a temporary folder, with signatures,
 * checksums, listings and uploads in parts checked by a program that is not ours.
 *
 *   deno run -A tests/s3/gateway.ts      installs it with Go into .tools/bin, once
 */
import { fileURLToPath } from "node:url";
import {
  CreateBucketCommand,
  GetObjectCommand,
  ListMultipartUploadsCommand,
  ListObjectsV2Command,
  PutBucketPolicyCommand,
  PutObjectCommand,
  S3Client,
} from "@aws-sdk/client-s3";

const MODULE = "github.com/versity/versitygw/cmd/versitygw@v1.8.0";
const TOOLS = fileURLToPath(new URL("../../.tools/bin/", import.meta.url));

/** Not the first region of all, so that a wrong one shows. */
export const REGION = "eu-north-1";
/** The credentials of the only user. */
export const CREDENTIALS = {
  accessKeyId: "fuse-test",
  secretAccessKey: "not-a-secret-0123456789",
};

async function runs(program: string): Promise<boolean> {
  try {
    return (await new Deno.Command(program, {
      args: ["--version"],
      stdout: "null",
      stderr: "null",
    }).output()).success;
  } catch {
    return false;
  }
}

/** The gateway's program; built with Go where it is not there. @throws Error without either. */
export async function gatewayProgram(): Promise<string> {
  for (const program of [`${TOOLS}versitygw`, "versitygw"]) if (await runs(program)) return program;
  await Deno.mkdir(TOOLS, { recursive: true });
  const { success } = await new Deno.Command("go", {
    args: ["install", MODULE],
    env: { GOBIN: TOOLS, GOFLAGS: "-buildvcs=false" },
  }).spawn().status;
  if (!success) throw new Error(`go install ${MODULE} failed`);
  return `${TOOLS}versitygw`;
}

/** A running gateway. */
export class Gateway {
  readonly client: S3Client;

  private constructor(
    readonly endpoint: string,
    readonly folder: string,
    readonly process: Deno.ChildProcess,
  ) {
    this.client = new S3Client({
      endpoint,
      region: REGION,
      forcePathStyle: true,
      credentials: CREDENTIALS,
    });
  }

  /** Starts a gateway over a new folder. */
  static async start(): Promise<Gateway> {
    const program = await gatewayProgram();
    const folder = await Deno.makeTempDir({ prefix: "sparc-fuse-s3-" });
    for (const name of ["buckets", "metadata"]) await Deno.mkdir(`${folder}/${name}`);
    const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
    const address = `127.0.0.1:${(listener.addr as Deno.NetAddr).port}`;
    listener.close();
    const { accessKeyId, secretAccessKey } = CREDENTIALS;
    const process = new Deno.Command(program, {
      args: [
        ...["--access", accessKeyId, "--secret", secretAccessKey, "--region", REGION],
        ...["--port", address, "--keep-alive", "--quiet"],
        ...["posix", "--sidecar", `${folder}/metadata`, `${folder}/buckets`],
      ],
      stdin: "null",
      stdout: "null",
      stderr: "null",
    }).spawn();
    for (let tries = 0;; tries++) {
      try {
        await (await fetch(`http://${address}/`)).body?.cancel();
        return new Gateway(`http://${address}`, folder, process);
      } catch (error) {
        if (tries > 100) throw error;
        await new Promise((resolve) => setTimeout(resolve, 100));
      }
    }
  }

  /** Environment of a program that uses this gateway. */
  get environment(): Record<string, string> {
    return {
      AWS_ENDPOINT_URL_S3: this.endpoint,
      AWS_REGION: REGION,
      AWS_ACCESS_KEY_ID: CREDENTIALS.accessKeyId,
      AWS_SECRET_ACCESS_KEY: CREDENTIALS.secretAccessKey,
      // What the machine's own user has is no part of a test.
      AWS_CONFIG_FILE: `${this.folder}/none`,
      AWS_SHARED_CREDENTIALS_FILE: `${this.folder}/none`,
      AWS_EC2_METADATA_DISABLED: "true",
    };
  }

  /** Makes a bucket; an open one may be listed and read by anybody. */
  async makeBucket(Bucket: string, open = false): Promise<void> {
    await this.client.send(new CreateBucketCommand({ Bucket }));
    if (!open) return;
    const rule = (Action: string, Resource: string) => ({
      Effect: "Allow",
      Principal: "*",
      Action,
      Resource: `arn:aws:s3:::${Resource}`,
    });
    const Statement = [rule("s3:GetObject", `${Bucket}/*`), rule("s3:ListBucket", Bucket)];
    const Policy = JSON.stringify({ Version: "2012-10-17", Statement });
    await this.client.send(new PutBucketPolicyCommand({ Bucket, Policy }));
  }

  /** Puts an object. */
  async put(Bucket: string, Key: string, Body: Uint8Array): Promise<void> {
    await this.client.send(new PutObjectCommand({ Bucket, Key, Body }));
  }

  /** Keys below a prefix, without it. */
  async keys(Bucket: string, Prefix: string): Promise<string[]> {
    const keys: string[] = [];
    let ContinuationToken: string | undefined;
    do {
      const page = await this.client.send(
        new ListObjectsV2Command({ Bucket, Prefix, ContinuationToken }),
      );
      keys.push(...(page.Contents ?? []).map(({ Key }) => Key!.slice(Prefix.length)));
      ContinuationToken = page.NextContinuationToken;
    } while (ContinuationToken);
    return keys.sort();
  }

  /** The bytes and the checksum of an object. */
  async get(Bucket: string, Key: string): Promise<{ bytes: Uint8Array; crc32c?: string }> {
    const answer = await this.client.send(
      new GetObjectCommand({ Bucket, Key, ChecksumMode: "ENABLED" }),
    );
    return {
      bytes: await answer.Body!.transformToByteArray(),
      crc32c: answer.ChecksumCRC32C,
    };
  }

  /** Keys of uploads in parts that were neither completed nor ended. */
  async uploads(Bucket: string): Promise<string[]> {
    const { Uploads } = await this.client.send(new ListMultipartUploadsCommand({ Bucket }));
    return (Uploads ?? []).map(({ Key }) => Key!);
  }

  /** Ends the gateway and removes its folder. */
  async stop(): Promise<void> {
    this.client.destroy();
    this.process.kill("SIGTERM");
    await this.process.status;
    await Deno.remove(this.folder, { recursive: true });
  }
}

if (import.meta.main) console.log(await gatewayProgram());
