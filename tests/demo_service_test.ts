import assert from "node:assert/strict";
import { datasetInputs } from "../src/commands/sparc-inputs.ts";
import { identify, OPEN_SCORE } from "../src/identify.ts";
import { isFuseError } from "../src/errors.ts";
import { openSource } from "../src/source/open.ts";
import { listingAttributes } from "../src/sparc/attributes.ts";
import { listDataset, selectFiles } from "../src/sparc/dataset-files.ts";
import { openDatasetFile, readDatasetFile } from "../src/sparc/dataset-sources.ts";
import { DiscoverClient } from "../src/sparc/discover.ts";
import { demoDataset } from "../tools/demo-dataset.ts";
import { OPEN_BUCKET, PAID_BUCKET } from "../tools/demo-discover.ts";
import { startDemoService } from "../tools/demo-service.ts";
import { QUICK_RETRY } from "./support/range-server.ts";

Deno.test("demo: the dataset is the same on every run, and names differ from keys", async () => {
  const [a, b] = await Promise.all([demoDataset(), demoDataset()]);
  for (const [i, file] of a.versions[0].entries()) {
    // Spreadsheets carry the time they were written.
    if (!file.path.endsWith(".xlsx")) assert.deepEqual(b.versions[0][i], file);
  }
  const names = a.versions[0].map((file) => file.path.split("/").pop()!);
  assert.equal(names.filter((name) => name === "20 1021.acq").length, 3);
});

Deno.test("demo: every recording of the dataset is what its name says, with its subject", async () => {
  const service = await startDemoService();
  try {
    const client = new DiscoverClient({ baseUrl: service.discoverUrl });
    const listing = await listDataset(client, 224);
    const access = {
      client,
      listing,
      options: { s3: { endpoint: service.s3Endpoint }, retry: QUICK_RETRY },
    };
    const attributes = listingAttributes(listing, (file) => readDatasetFile(file, access));
    const { files } = selectFiles(listing);
    const formats: Record<string, string | undefined> = {};
    for (const file of files) {
      const source = await openDatasetFile(file, access);
      const [best] = await identify(source);
      formats[file.relativePath] = best?.score >= OPEN_SCORE ? best.format.id : undefined;
      await source.close();
      const known = (await attributes.of(file)).attributes;
      assert.equal(known.sparc_subject_id, file.relativePath.split("/")[0]);
      assert.equal(known.species, "Mus musculus");
      assert.equal(known.doi, "10.26275/demo-0224");
      assert.equal(known.database_id, "224");
      assert.equal(known.original_file_name, file.name);
    }
    assert.equal(formats["sub-ChAT-Male-Subject-1/20 1021.acq"], "acq");
    assert.equal(formats["sub-nNOS-Male-Subject-1/colon slice 1.rhd"], "intan_rhd");
    assert.equal(formats["sub-nNOS-Male-Subject-1/array/array run 1.ns5"], "blackrock");
    assert.equal(formats["sub-ChAT-Male-Subject-2/light pulses.wav"], "wav");
    assert.equal(formats["sub-ChAT-Male-Subject-2/myenteric plexus.ome.tiff"], "ome_tiff");
    assert.equal(formats["sub-nNOS-Female-Subject-1/template.gtl"], undefined);
    assert.deepEqual(attributes.tables.warnings, []);

    const image = files.find((file) => file.name.endsWith(".tiff"))!;
    const { attributes: about, provenance } = await attributes.of(image);
    assert.equal(about.anatomical_location, "myenteric plexus");
    assert.equal(about.modality, "microscopy");
    assert.equal(about.experimenter, "Example, Ada; Sample, Ben");
    assert.equal(about.institution, "University of Nowhere");
    assert.equal(about.upload_date, "2022-03-24");
    assert.equal((provenance.file as Record<string, string>).uri, image.uri);
    assert.match(image.uri, /myenteric_plexus\.ome\.tiff$/);
    assert.equal((provenance.subject as Record<string, string>).sex, "Male");
    assert.ok(service.s3.requests.every((request) => !request.signed));
  } finally {
    await service.stop();
  }
});

Deno.test("demo: the paid bucket refuses unsigned requests, the open one answers them", async () => {
  const service = await startDemoService({ layout: "unmigrated" });
  try {
    const key = "224/1/files/primary/sub-ChAT-Male-Subject-1/20_1021.acq";
    const direct = await fetch(`${service.s3Endpoint}/${PAID_BUCKET}/${key}`);
    assert.equal(direct.status, 403);
    assert.match(await direct.text(), /<Code>AccessDenied<\/Code>/);
    const options = { s3: { endpoint: service.s3Endpoint, signed: false }, retry: QUICK_RETRY };
    await assert.rejects(
      openSource(`s3://${PAID_BUCKET}/${key}`, options),
      (error) => isFuseError(error, "Network") && /HTTP 403/.test(error.message),
    );
    const client = new DiscoverClient({ baseUrl: service.discoverUrl });
    const listing = await listDataset(client, 224);
    const [file] = selectFiles(listing, ["sub-ChAT-Male-Subject-1"]).files;
    const source = await openDatasetFile(file, { client, listing, options });
    const wanted = service.dataset.versions[0].find((f) => f.path === file.path)!.bytes;
    assert.deepEqual(await source.read(0, file.size!), wanted);
    await source.close();
  } finally {
    await service.stop();
  }
  const open = await startDemoService();
  try {
    const key = "224/files/primary/sub-ChAT-Male-Subject-1/20_1021.acq";
    const head = await fetch(`${open.s3Endpoint}/${OPEN_BUCKET}/${key}`, { method: "HEAD" });
    assert.equal(head.status, 200);
    const part = await fetch(`${open.s3Endpoint}/${OPEN_BUCKET}/${key}`, {
      headers: { Range: "bytes=4-9" },
    });
    assert.equal(part.status, 206);
    assert.match(part.headers.get("Content-Range")!, /^bytes 4-9\/\d+$/);
    assert.equal((await part.arrayBuffer()).byteLength, 6);
    const list = await fetch(
      `${open.s3Endpoint}/${OPEN_BUCKET}?list-type=2&prefix=224/files/primary/&delimiter=/`,
    );
    assert.match(
      await list.text(),
      /<CommonPrefixes><Prefix>224\/files\/primary\/sub-ChAT-Male-Subject-1\/</,
    );
    const token = await fetch(`${open.discoverUrl}/datasets/224`, {
      headers: { Authorization: "Bearer x" },
    });
    assert.equal(token.status, 400);
    await token.body?.cancel();
  } finally {
    await open.stop();
  }
});

Deno.test("demo: files of a dataset come with the descriptors that ship for it", async () => {
  const service = await startDemoService();
  try {
    const flags = { discoverUrl: service.discoverUrl, s3Endpoint: service.s3Endpoint };
    const { files } = await datasetInputs(224, [], flags);
    const mappings = files.map((f) => [/\.[^.]*$/.exec(f.path)![0], f.mapping?.descriptor.name]);
    assert(mappings.some(([extension]) => extension !== ".acq"));
    for (const [extension, name] of mappings) {
      assert.equal(name, extension === ".acq" ? "sparc-126-148-224" : undefined, extension);
    }
    assert(files.every((f) => f.mapping === undefined || f.mapping.lenient === "all"));
  } finally {
    await service.stop();
  }
});
