/** A downloaded SPARC dataset: its tables describe local files as they do published ones. */
import assert from "node:assert/strict";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { inFolder } from "./support/run-cli.ts";
import { wavFile } from "./support/sample-files.ts";

const TABLES = {
  "dataset_description.csv":
    'Metadata element,Value\nContributor name,"Doe, Jane"\nStudy organ system,heart\n',
  "Subjects.csv": "subject id,species,sex\nsub-7,Rattus norvegicus,female\n",
  "primary/manifest.csv":
    "filename,description,data modality\nsub-7/tone.wav,a tone,electrophysiology\n",
};

function attributes(store: string): Record<string, unknown> {
  return JSON.parse(readFileSync(join(store, "zarr.json"), "utf8")).attributes;
}

Deno.test("a file below a dataset_description takes subject, species and manifest from its tables", async () => {
  await inFolder(async (place) => {
    const dataset = join(place.folder, "my dataset");
    mkdirSync(join(dataset, "primary/sub-7"), { recursive: true });
    for (const [path, text] of Object.entries(TABLES)) writeFileSync(join(dataset, path), text);
    const tone = wavFile({ channels: 1, rate: 1000, samples: 100 });
    writeFileSync(join(dataset, "primary/sub-7/tone.wav"), tone);
    writeFileSync(join(place.folder, "other.wav"), tone);

    const run = await place.cli("my dataset", "other.wav", "-o", "out");
    assert.equal(run.code, 0, run.stderr);
    const inside = attributes(join(place.folder, "out/primary/sub-7/tone.wav.zarr"));
    assert.equal(inside.sparc_subject_id, "sub-7");
    assert.equal(inside.species, "Rattus norvegicus");
    assert.equal(inside.modality, "electrophysiology");
    assert.equal(inside.experimenter, "Doe, Jane");
    const outside = attributes(join(place.folder, "out/other.wav.zarr"));
    assert.equal(outside.sparc_subject_id, "unknown");

    // The file alone, named from inside its folder, is the same file of the same dataset.
    const alone = await place.cli("my dataset/primary/sub-7/tone.wav", "-o", "alone");
    assert.equal(alone.code, 0, alone.stderr);
    assert.deepEqual(attributes(join(place.folder, "alone/tone.wav.zarr")).species, inside.species);
  });
});
