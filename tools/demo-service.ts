/** The demo's services on loopback: Discover under `/discover`, S3 (path style) at the root. */
import { demoDataset } from "./demo-dataset.ts";
import { type DemoDataset, DemoDiscover, type DiscoverSettings } from "./demo-discover.ts";
import { DemoS3 } from "./demo-s3.ts";

/** What to serve, and where. */
export interface DemoServiceOptions extends DiscoverSettings {
  /** The look-alike of dataset 224 unless given. */
  dataset?: DemoDataset;
  /** A free port unless given. */
  port?: number;
}

/** A running service. */
export interface DemoService {
  /** For `--discover-url`. */
  discoverUrl: string;
  /** For `--s3-endpoint`. */
  s3Endpoint: string;
  dataset: DemoDataset;
  discover: DemoDiscover;
  s3: DemoS3;
  stop(): Promise<void>;
}

/** Starts the services on 127.0.0.1. */
export async function startDemoService(options: DemoServiceOptions = {}): Promise<DemoService> {
  const dataset = options.dataset ?? await demoDataset();
  const s3 = new DemoS3();
  const discover = await DemoDiscover.publish(dataset, s3, options);
  const controller = new AbortController();
  const server = Deno.serve(
    { hostname: "127.0.0.1", port: options.port ?? 0, signal: controller.signal, onListen() {} },
    async (request) => {
      const { pathname } = new URL(request.url);
      return pathname.startsWith("/discover/")
        ? await discover.handle(request, decodeURIComponent(pathname.slice("/discover".length)))
        : await s3.handle(request);
    },
  );
  const base = `http://127.0.0.1:${server.addr.port}`;
  discover.s3Endpoint = base;
  return {
    discoverUrl: `${base}/discover`,
    s3Endpoint: base,
    dataset,
    discover,
    s3,
    stop: async () => {
      controller.abort();
      await server.finished;
    },
  };
}
