import assert from "node:assert/strict";
import { type FuseError, isFuseError } from "../src/errors.ts";
import { openSpec } from "../src/source/open.ts";
import { type DatasetListing, listDataset, selectFiles } from "../src/sparc/dataset-files.ts";
import { datasetFileSpec, openDatasetFile } from "../src/sparc/dataset-sources.ts";
import { DiscoverClient, type DiscoverOptions } from "../src/sparc/discover.ts";
import { pathPattern } from "../src/sparc/path-filter.ts";
import {
  type DemoDataset,
  type DemoFile,
  type DiscoverSettings,
  OPEN_BUCKET,
  PAID_BUCKET,
} from "../tools/demo-discover.ts";
import { type DemoService, startDemoService } from "../tools/demo-service.ts";
import { patterned, QUICK_RETRY } from "./support/range-server.ts";

const file = (path: string, size = 100, keyPath?: string): DemoFile => ({
  path,
  keyPath,
  bytes: patterned(size, path.length + size),
});

const FILES: DemoFile[] = [
  file("files/primary/sub-1/20 1021.acq", 70_000),
  file("files/primary/sub-2/20 1021.acq", 71_000),
  file("files/primary/sub-2/rec (a).vhdr", 300),
  file("files/primary/sub-2/rec (a).eeg", 3000),
  file("files/primary/sub-2/renamed later.rhd", 500, "files/primary/sub-2/N_package_77.rhd"),
  file("files/primary/manifest.xlsx"),
  file("files/derivative/sub-1/20 1021.txt"),
  file("files/subjects.xlsx"),
  file("metadata/schema.json"),
  file("readme.md"),
];

function dataset(...versions: DemoFile[][]): DemoDataset {
  return {
    id: 224,
    name: "Demo",
    description: "",
    doi: "10.26275/demo",
    license: "CC",
    tags: [],
    contributors: [{ firstName: "Ada", lastName: "Example", orcid: null }],
    versions: versions.length > 0 ? versions : [FILES],
  };
}

async function withService(
  settings: DiscoverSettings & { dataset?: DemoDataset },
  test: (service: DemoService, client: DiscoverClient) => Promise<void>,
  options: DiscoverOptions = {},
): Promise<void> {
  const service = await startDemoService({ dataset: dataset(), ...settings });
  try {
    const client = { baseUrl: `${service.discoverUrl}/`, retry: QUICK_RETRY, ...options };
    await test(service, new DiscoverClient(client));
    // Public reads carry nothing that identifies the user.
    for (const { headers } of service.discover.requests) {
      assert.equal(headers.get("Authorization"), null);
      assert.equal(headers.get("Cookie"), null);
      assert.equal(headers.get("Referer"), null);
    }
  } finally {
    await service.stop();
  }
}

async function failure(work: Promise<unknown>): Promise<FuseError> {
  const error = await work.then(() => undefined, (error) => error);
  assert.ok(isFuseError(error), `not a FuseError: ${error}`);
  return error;
}

const paths = (listing: DatasetListing, patterns?: string[]) =>
  selectFiles(listing, patterns).files.map((f) => f.relativePath);

for (const layout of ["migrated", "unmigrated"] as const) {
  Deno.test(`discover: a ${layout} dataset is listed by name and addressed by key`, async () => {
    await withService({ layout }, async (service, client) => {
      const listing = await listDataset(client, 224);
      assert.equal(listing.dataset.version, 1);
      assert.equal(listing.latest, true);
      assert.equal(listing.versioning, layout === "migrated" ? "objects" : "folders");
      assert.deepEqual(listing.warnings, []);
      assert.deepEqual(paths(listing), [
        "sub-1/20 1021.acq",
        "sub-2/20 1021.acq",
        "sub-2/rec (a).eeg",
        "sub-2/rec (a).vhdr",
        "sub-2/renamed later.rhd",
      ]);
      const [first] = selectFiles(listing).files;
      const prefix = layout === "migrated" ? `${OPEN_BUCKET}/224` : `${PAID_BUCKET}/224/1`;
      assert.equal(first.uri, `s3://${prefix}/files/primary/sub-1/20_1021.acq`);
      assert.equal(first.keyPath, "files/primary/sub-1/20_1021.acq");
      assert.equal(first.name, "20 1021.acq");
      assert.equal(first.size, 70_000);
      assert.match(first.sourcePackageId!, /^N:package:/);
      // One manifest and one folder are enough.
      assert.equal(service.discover.requests.length, 3);
      const renamed = selectFiles(listing).files.at(-1)!;
      assert.equal(renamed.keyPath, "files/primary/sub-2/N_package_77.rhd");
      for (const chosen of selectFiles(listing).files) {
        const options = { s3: { endpoint: service.s3Endpoint }, retry: QUICK_RETRY };
        const source = await openDatasetFile(chosen, { client, listing, options });
        assert.equal(source.name, chosen.name);
        assert.equal(source.uri, chosen.uri);
        const wanted = FILES.find((f) => f.path === chosen.path)!.bytes;
        assert.deepEqual(await source.read(0, chosen.size!), wanted);
        await source.close();
      }
    });
  });

  Deno.test(`discover: without a manifest a ${layout} dataset is walked, page after page`, async () => {
    const misbehave = { noManifest: true, pageEntries: 2 };
    await withService({ layout, misbehave }, async (_service, client) => {
      const walked = await listDataset(client, 224);
      assert.match(walked.warnings[0], /manifest cannot be used.*404/);
      _service.discover.misbehave = {};
      const listed = await listDataset(client, 224);
      const places = (listing: DatasetListing) => listing.files.map((f) => [f.path, f.uri, f.size]);
      assert.deepEqual(places(walked), places(listed));
    });
  });
}

Deno.test("discover: pages larger than the service gives are asked for one after the other", async () => {
  await withService({}, async (service, client) => {
    service.discover.misbehave.pageEntries = 3;
    const names = [];
    for await (const node of client.browse(224, 1, "files/primary/sub-2")) names.push(node.name);
    assert.equal(names.length, 4);
    const root = [];
    for await (const node of client.browse(224, 1)) root.push([node.type, node.name]);
    assert.deepEqual(root, [
      ["Directory", "files"],
      ["Directory", "metadata"],
      ["File", "readme.md"],
    ]);
  }, { pageSize: 3 });
});

Deno.test("discover: addresses of the folders win over the manifest's keys", async () => {
  await withService({ misbehave: { wrongManifestKeys: true } }, async (service, client) => {
    const listing = await listDataset(client, 224);
    assert.match(listing.warnings[0], /keys differ/);
    const [first] = selectFiles(listing, ["sub-1"]).files;
    assert.equal(first.uri, `s3://${OPEN_BUCKET}/224/files/primary/sub-1/20_1021.acq`);
    const spec = await datasetFileSpec(first, {
      client,
      listing,
      options: { s3: { endpoint: service.s3Endpoint } },
    });
    const source = await openSpec(spec);
    assert.deepEqual(await source.read(0, 10), FILES[0].bytes.slice(0, 10));
    await source.close();
  });
});

Deno.test("discover: a dataset that moved to another bucket is followed there with one question", async () => {
  await withService({}, async (service) => {
    const moved: typeof fetch = async (input, init) => {
      const answer = await fetch(input, init);
      if (!/\/datasets\/224$/.test(String(input))) return answer;
      const body = await answer.json();
      return new Response(JSON.stringify({ ...body, uri: `s3://${PAID_BUCKET}/224/1/` }));
    };
    const client = new DiscoverClient({ baseUrl: service.discoverUrl, fetch: moved });
    const listing = await listDataset(client, 224);
    assert.deepEqual(listing.warnings, []);
    assert.equal(listing.versioning, "objects");
    for (const { uri } of listing.files) assert.ok(uri.startsWith(`s3://${OPEN_BUCKET}/224/`), uri);
    assert.equal(service.discover.requests.length, 3);
  });
});

Deno.test("discover: old versions of a migrated dataset are read by object version", async () => {
  const changed = FILES.map((f, i) => i === 0 ? file(f.path, 90_000) : f);
  await withService({ dataset: dataset(FILES, changed) }, async (service, client) => {
    const options = { s3: { endpoint: service.s3Endpoint } };
    assert.deepEqual((await client.versions(224)).map((d) => d.version), [2, 1]);
    for (const [version, bytes] of [[1, FILES[0].bytes], [2, changed[0].bytes]] as const) {
      const listing = await listDataset(client, 224, version);
      assert.equal(listing.latest, version === 2);
      const [first] = selectFiles(listing, ["sub-1"]).files;
      assert.equal(first.size, bytes.length);
      const source = await openDatasetFile(first, { client, listing, options });
      assert.deepEqual(await source.read(0, bytes.length), bytes);
      const asked = service.s3.requests.at(-1)!.query.get("versionId");
      assert.equal(asked === null, version === 2);
      await source.close();
    }
    const latest = await listDataset(client, 224);
    assert.equal(latest.dataset.version, 2);
  });
});

Deno.test("discover: manifests of schema 3 have fewer fields and another root folder", async () => {
  const old = [
    file("packages/primary/sub-1/20 1021.acq"),
    file("packages/manifest.xlsx"),
    file("packages/code/run.m"),
  ];
  const settings = {
    layout: "unmigrated",
    misbehave: { schema3: true },
    dataset: dataset(old),
  } as const;
  await withService(settings, async (_service, client) => {
    const listing = await listDataset(client, 224);
    assert.equal(listing.root, "packages");
    // Without a name in the manifest, the key's last part is the name.
    assert.deepEqual(paths(listing), ["sub-1/20_1021.acq"]);
    assert.deepEqual(paths(listing, ["code"]), ["code/run.m"]);
  });
});

Deno.test("discover: refusals say what they mean", async () => {
  await withService({}, async (service, client) => {
    const unknown = await failure(client.dataset(9999));
    assert.equal(unknown.tag, "Usage");
    assert.match(unknown.message, /dataset 9999 is not published - found HTTP 404 "9999"/);
    assert.equal((await failure(listDataset(client, 224, 7))).tag, "Usage");

    service.discover.misbehave = { withdrawn: true };
    const gone = await failure(listDataset(client, 224));
    assert.equal(gone.tag, "Usage");
    assert.match(gone.message, /has been withdrawn.*410 UNPUBLISHED, "Demo", 10\.26275\/demo/);

    for (const embargo of [401, 403] as const) {
      service.discover.misbehave = { embargo };
      const locked = await failure(listDataset(client, 224));
      assert.equal(locked.tag, "Network");
      assert.match(locked.message, /under embargo/);
    }
    service.discover.misbehave = { statuses: [502, 429] };
    assert.equal((await client.dataset(224)).name, "Demo");
    service.discover.misbehave = { statuses: Array(9).fill(503) };
    const down = await failure(client.dataset(224));
    assert.match(down.message, /5 attempts.*HTTP 503/);
  });
});

Deno.test("discover: a manifest cut in the middle is read again, each file once", async () => {
  const many = Array.from({ length: 400 }, (_, i) => file(`files/primary/sub-${i}/a.acq`, 1));
  await withService({ dataset: dataset(many) }, async (service, client) => {
    service.discover.misbehave = { manifestCuts: 2, manifestCutBytes: 30_000 };
    const listing = await listDataset(client, 224);
    assert.equal(listing.files.length, 400);
    assert.equal(new Set(listing.files.map((f) => f.path)).size, 400);
    assert.deepEqual(listing.warnings, []);
  });
});

Deno.test("discover: a manifest that is not JSON is walked around; hostile names stay in their place", async () => {
  await withService({}, async (service) => {
    const broken: typeof fetch = async (input, init) => {
      const answer = await fetch(input, init);
      if (!String(input).endsWith("/metadata")) return answer;
      await answer.body?.cancel();
      return new Response('{"files":[{"path":"a"},,]}');
    };
    const client = new DiscoverClient({
      baseUrl: service.discoverUrl,
      fetch: broken,
      retry: QUICK_RETRY,
    });
    const listing = await listDataset(client, 224);
    assert.match(listing.warnings[0], /not JSON/);
    assert.equal(listing.files.length, FILES.length);

    const hostile: typeof fetch = async (input, init) => {
      const answer = await fetch(input, init);
      if (!String(input).endsWith("/metadata")) return answer;
      await answer.body?.cancel();
      const files = [
        { path: "files/primary/../../../evil.acq" },
        { path: "files/primary/sub-1/x.acq", name: "../..\\evil\n.acq", size: null, sha256: null },
        { path: "/files//primary/sub-2/y.acq" },
        { path: "files/primary/sub-3/a_b.acq", name: "a b.acq" },
        { path: "files/primary/sub-3/a__b.acq", name: "A B.acq" },
        { path: "files/primary/sub-3/A__B.acq", name: "a b.acq" },
      ];
      return new Response(JSON.stringify({ files }));
    };
    const other = new DiscoverClient({
      baseUrl: service.discoverUrl,
      fetch: hostile,
      retry: QUICK_RETRY,
    });
    assert.deepEqual(paths(await listDataset(other, 224)), [
      "%2E%2E/%2E%2E/%2E%2E/evil.acq",
      "sub-1/.._.._evil_.acq",
      "sub-2/y.acq",
      "sub-3/A__B.acq~2",
      "sub-3/a__b.acq",
      "sub-3/a_b.acq",
    ]);
  });
});

Deno.test("discover: answers of an unknown form are refused with the field", async () => {
  const answers: [string, RegExp][] = [
    ['{"id":"224"}', /unknown form.*\(id\)/],
    ["<html>", /not JSON.*<html>/],
    ["null", /unknown form/],
  ];
  for (const [body, message] of answers) {
    const fetch = () => Promise.resolve(new Response(body));
    const client = new DiscoverClient({ fetch: fetch as typeof globalThis.fetch });
    const error = await failure(client.dataset(224));
    assert.equal(error.tag, "Network");
    assert.match(error.message, message);
  }
});

Deno.test("signed URLs: for buckets that bill their readers, split when too large, renewed when expired", async () => {
  await withService({ layout: "unmigrated" }, async (service, client) => {
    const listing = await listDataset(client, 224);
    const options = {
      s3: { endpoint: service.s3Endpoint },
      retry: QUICK_RETRY,
      cache: false,
    } as const;
    const keys = selectFiles(listing).files.map((f) => f.keyPath);
    service.discover.misbehave = { downloadLimitBytes: 75_000 };
    const signed = await client.signedUrls(224, 1, keys);
    assert.deepEqual(signed.map((f) => f.keyPath).sort(), [...keys].sort());
    service.discover.misbehave = {};

    const [first] = selectFiles(listing, ["sub-2/rec (a).vhdr"]).files;
    const source = await openDatasetFile(first, { client, listing, options });
    assert.doesNotMatch(source.uri, /Signature/);
    const spec = source.spec!;
    assert.equal(spec.kind, "http");
    const worker = await openSpec(structuredClone(spec), options);
    assert.equal(worker.name, "rec (a).vhdr");
    // The whole set is found again, through the listing here and by key in the worker.
    for (const opened of [source, worker]) {
      const eeg = await opened.sibling("rec (a).eeg");
      assert.deepEqual(await eeg!.read(0, 3000), FILES[3].bytes);
      assert.equal(await opened.sibling("rec (b).eeg"), null);
      await eeg!.close();
    }
    assert.deepEqual((await source.siblingNames())!.sort(), [
      "20 1021.acq",
      "rec (a).eeg",
      "rec (a).vhdr",
      "renamed later.rhd",
    ]);
    service.s3.misbehave.expirations = 1;
    const before = service.discover.requests.length;
    assert.deepEqual(await worker.read(0, 300), FILES[2].bytes);
    assert.ok(service.discover.requests.length > before, "no fresh URL was asked for");
    await source.close();
    await worker.close();

    service.discover.misbehave = { downloadLimitBytes: 10 };
    const large = await failure(openDatasetFile(first, { client, listing, options }));
    assert.match(large.message, /too large to download.*AWS credentials/);
  });
});

Deno.test("selection: exact paths, folders and globs, by name and by key", async () => {
  await withService({}, async (_service, client) => {
    const listing = await listDataset(client, 224);
    const select = (...patterns: string[]) => paths(listing, patterns);
    for (
      const same of [
        "sub-1/20 1021.acq",
        "sub-1/20_1021.acq",
        "primary/sub-1/20 1021.acq",
        "files/primary/sub-1/20_1021.acq",
        "/files/primary/sub-1/",
        "SUB-1",
        "**/sub-1/*.acq",
        "sub-[!2]/*",
      ]
    ) assert.deepEqual(select(same), ["sub-1/20 1021.acq"], same);
    assert.deepEqual(select("*.acq"), ["sub-1/20 1021.acq", "sub-2/20 1021.acq"]);
    assert.deepEqual(select("sub-2/rec (a).{eeg,vhdr}"), [
      "sub-2/rec (a).eeg",
      "sub-2/rec (a).vhdr",
    ]);
    assert.deepEqual(select("primary"), select());
    assert.deepEqual(select("derivative"), ["derivative/sub-1/20 1021.txt"]);
    assert.deepEqual(select("primary/manifest.xlsx"), ["manifest.xlsx"]);
    assert.deepEqual(selectFiles(listing, ["sub-1", "none/*", "x.acq"]).unmatched, [
      "none/*",
      "x.acq",
    ]);
    assert.throws(() => selectFiles(listing, ["[z-a]"]), (e) => isFuseError(e, "Usage"));
  });
});

Deno.test("patterns: what globs match", () => {
  const cases: [string, string[], string[]][] = [
    ["*.acq", ["a.acq", "x/y/a.acq"], ["a.acq.txt", "acq"]],
    ["a/*.acq", ["a/b.acq"], ["a/c/b.acq", "b.acq"]],
    ["a/**", ["a/b", "a/b/c"], ["b/a"]],
    ["a/**/c", ["a/c", "a/x/y/c", "a/c/d"], ["a/cc"]],
    ["s?b-{1,2}/*", ["sub-1/x", "sab-2/y"], ["sub-3/x", "s/b-1/x"]],
    ["a.b+c$.x", ["a.b+c$.x"], ["aXb+c$.x"]],
    ["r[1].acq", ["r1.acq", "r[1].acq"], ["r2.acq"]],
    [".", ["a", "b/c"], []],
  ];
  for (const [text, yes, no] of cases) {
    const pattern = pathPattern(text);
    for (const path of yes) assert.ok(pattern.matches(path), `${text} ~ ${path}`);
    for (const path of no) assert.ok(!pattern.matches(path), `${text} !~ ${path}`);
  }
});
