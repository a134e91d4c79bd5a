/**
 * OME-XML as OME-TIFF needs it: images, their planes and where they are, sizes, channels.
 *
 * Source: the OME schema (2016-06 and earlier; attribute names have been stable since 2010) and the
 * OME-TIFF specification. Elements are read by their local names, whatever the namespace prefix.
 */
import { SaxesParser, type SaxesTagPlain } from "saxes";
import { FuseError } from "../../src/errors.ts";
import { micrometresPer, secondsPer } from "./units.ts";

/** Where consecutive planes of an image are. */
export interface OmeTiffData {
  ifd: number;
  firstC: number;
  firstZ: number;
  firstT: number;
  /** Planes; undefined: all the file has. */
  planeCount?: number;
  fileName?: string;
  uuid?: string;
}

/** A channel, which may hold several samples (RGB). */
export interface OmeChannel {
  name?: string;
  /** "RRGGBB". */
  color?: string;
  samples: number;
}

/** One Image with its Pixels. */
export interface OmeImage {
  id: string;
  name?: string;
  description?: string;
  acquisitionDate?: string;
  dimensionOrder: string;
  type: string;
  sizeX: number;
  sizeY: number;
  sizeZ: number;
  sizeC: number;
  sizeT: number;
  /** Micrometres. */
  physicalSize: { x?: number; y?: number; z?: number };
  /** Seconds between time points. */
  timeIncrement?: number;
  channels: OmeChannel[];
  tiffData: OmeTiffData[];
  /** Seconds since the start of acquisition of the first plane of each time point. */
  deltaT: Map<number, number>;
  /** True when pixels are inside the XML or without any data. */
  noTiffData: boolean;
}

/** What one XML document says. */
export interface OmeDocument {
  uuid?: string;
  creator?: string;
  /** This file is only a part: the document is in another one. */
  binaryOnly?: { metadataFile?: string; uuid?: string };
  experimenter?: string;
  institution?: string;
  /** Why the document is not well-formed, when images could be read from it all the same. */
  problem?: string;
  images: OmeImage[];
}

/** Planes one document may announce: far above any recording. */
const MOST_PLANES = 1 << 26;
/** Elements inside each other: far deeper than any schema goes. */
const MOST_DEPTH = 500;

/** True when a text looks like the OME-XML of an OME-TIFF. */
export function isOmeXml(text: string | undefined): text is string {
  return text !== undefined && /<(?:\w+:)?OME[\s>]/.test(text.slice(0, 4096));
}

/**
 * Parses a document.
 * @throws FuseError `Corrupt` when it is not well-formed or an image lacks its sizes.
 */
export function parseOmeXml(xml: string, source: string): OmeDocument {
  const reading = new OmeReading(source);
  // Without namespaces: writers leave prefixes undeclared, which is no reason to refuse the pixels.
  const parser = new SaxesParser();
  parser.on("opentag", (tag) => reading.open(tag));
  parser.on("text", (text) => reading.text += text);
  parser.on("cdata", (text) => reading.text += text);
  parser.on("closetag", (tag) => reading.close(localName(tag.name)));
  let failure: Error | undefined;
  parser.on("error", (error) => failure ??= error);
  parser.write(xml.replace(/^\ufeff/, "").replace(/[\0\s]+$/, "")).close();
  const { document } = reading;
  if (failure && document.images.length === 0 && !document.binaryOnly) {
    throw new FuseError("Corrupt", "the OME-XML is not well-formed", {
      source,
      format: "ome_tiff",
      found: failure.message,
    });
  }
  if (failure) document.problem = failure.message;
  return document;
}

function localName(name: string): string {
  return name.slice(name.indexOf(":") + 1);
}

class OmeReading {
  readonly document: OmeDocument = { images: [] };
  text = "";
  #path: string[] = [];
  #image: OmeImage | undefined;
  #data: OmeTiffData | undefined;

  constructor(readonly source: string) {}

  open(tag: SaxesTagPlain): void {
    const parent = this.#path.at(-1);
    const local = localName(tag.name);
    if (this.#path.length >= MOST_DEPTH) {
      throw new FuseError("Corrupt", "the OME-XML has too many elements inside each other", {
        source: this.source,
        format: "ome_tiff",
        expected: `at most ${MOST_DEPTH}`,
      });
    }
    this.#path.push(local);
    this.text = "";
    const at = (name: string): string | undefined => tag.attributes[name];
    switch (local) {
      case "OME":
        this.document.uuid = at("UUID");
        this.document.creator = at("Creator");
        break;
      case "BinaryOnly":
        this.document.binaryOnly = { metadataFile: at("MetadataFile"), uuid: at("UUID") };
        break;
      case "Experimenter":
        if (parent === "OME") {
          this.document.experimenter ??= [at("FirstName"), at("LastName")].filter((s) => s)
            .join(" ") || at("UserName");
          this.document.institution ??= at("Institution");
        }
        break;
      case "Image":
        if (parent === "OME") this.#image = this.#newImage(at);
        break;
      case "Pixels":
        if (this.#image && parent === "Image") this.#readPixels(this.#image, at);
        break;
      case "Channel":
        this.#image?.channels.push(readChannel(at));
        break;
      case "TiffData":
        this.#data = this.#image && this.#readTiffData(at);
        if (this.#data) this.#image?.tiffData.push(this.#data);
        break;
      case "UUID":
        if (this.#data && parent === "TiffData") this.#data.fileName = at("FileName");
        break;
      case "BinData":
      case "MetadataOnly":
        if (this.#image && parent === "Pixels") this.#image.noTiffData = true;
        break;
      case "Plane":
        if (this.#image) readPlane(this.#image, at);
        break;
    }
  }

  close(local: string): void {
    this.#path.pop();
    const parent = this.#path.at(-1);
    const text = this.text.trim();
    this.text = "";
    if (local === "UUID" && this.#data && parent === "TiffData") this.#data.uuid = text;
    if (local === "TiffData") this.#data = undefined;
    if (this.#image && parent === "Image") {
      if (local === "AcquisitionDate" || local === "AcquiredDate" || local === "CreationDate") {
        this.#image.acquisitionDate ??= text || undefined;
      }
      if (local === "Description") this.#image.description ??= text || undefined;
    }
    if (local === "Image" && this.#image && parent === "OME") {
      if (this.#image.sizeX > 0) this.document.images.push(this.#image);
      this.#image = undefined;
    }
  }

  #newImage(at: (name: string) => string | undefined): OmeImage {
    return {
      id: at("ID") ?? "",
      name: at("Name") || undefined,
      dimensionOrder: "XYZCT",
      type: "",
      sizeX: 0,
      sizeY: 0,
      sizeZ: 1,
      sizeC: 1,
      sizeT: 1,
      physicalSize: {},
      channels: [],
      tiffData: [],
      deltaT: new Map(),
      noTiffData: false,
    };
  }

  #readPixels(image: OmeImage, at: (name: string) => string | undefined): void {
    const size = (name: string): number => {
      const text = at(name);
      const n = text === undefined ? 1 : Number(text);
      if (!Number.isInteger(n) || n < 1) {
        throw new FuseError("Corrupt", "an image has no sensible size in the OME-XML", {
          source: this.source,
          format: "ome_tiff",
          field: `Pixels ${name}`,
          found: text,
          expected: "a positive integer",
        });
      }
      return n;
    };
    image.sizeX = size("SizeX");
    image.sizeY = size("SizeY");
    image.sizeZ = size("SizeZ");
    image.sizeC = size("SizeC");
    image.sizeT = size("SizeT");
    if (image.sizeZ * image.sizeC * image.sizeT > MOST_PLANES) {
      throw new FuseError("Limit", "an image announces too many planes in the OME-XML", {
        source: this.source,
        format: "ome_tiff",
        found: `${image.sizeZ} x ${image.sizeC} x ${image.sizeT}`,
        expected: `at most ${MOST_PLANES}`,
      });
    }
    image.type = at("Type") ?? at("PixelType") ?? "";
    const order = (at("DimensionOrder") ?? "").toUpperCase();
    if (/^XY(?=.*Z)(?=.*C)(?=.*T)[ZCT]{3}$/.test(order)) image.dimensionOrder = order;
    for (const axis of ["x", "y", "z"] as const) {
      const name = `PhysicalSize${axis.toUpperCase()}`;
      const step = Number(at(name)) * (micrometresPer(at(`${name}Unit`) ?? "\u00b5m") ?? NaN);
      if (step > 0 && Number.isFinite(step)) image.physicalSize[axis] = step;
    }
    const step = Number(at("TimeIncrement")) * (secondsPer(at("TimeIncrementUnit")) ?? NaN);
    if (step > 0 && Number.isFinite(step)) image.timeIncrement = step;
  }

  #readTiffData(at: (name: string) => string | undefined): OmeTiffData {
    const number = (name: string): number => {
      const n = Number(at(name) ?? 0);
      return Number.isInteger(n) && n >= 0 ? n : 0;
    };
    const count = at("PlaneCount") ?? at("NumPlanes");
    return {
      ifd: number("IFD"),
      firstC: number("FirstC"),
      firstZ: number("FirstZ"),
      firstT: number("FirstT"),
      // "The default is the number of IFDs in the file, unless an IFD is specified: then it is 1."
      planeCount: count !== undefined
        ? Math.max(0, Number(count) || 0)
        : at("IFD") !== undefined
        ? 1
        : undefined,
    };
  }
}

function readChannel(at: (name: string) => string | undefined): OmeChannel {
  const samples = Number(at("SamplesPerPixel") ?? 1);
  const code = Number(at("Color"));
  // A signed 32-bit number: red, green, blue, alpha from the highest byte down.
  const color = at("Color") !== undefined && Number.isInteger(code)
    ? (code >>> 8).toString(16).padStart(6, "0").slice(-6).toUpperCase()
    : undefined;
  return {
    name: at("Name") || undefined,
    color,
    samples: Number.isInteger(samples) && samples > 0 ? samples : 1,
  };
}

function readPlane(image: OmeImage, at: (name: string) => string | undefined): void {
  const t = Number(at("TheT") ?? NaN);
  const seconds = Number(at("DeltaT") ?? NaN) * (secondsPer(at("DeltaTUnit")) ?? NaN);
  if (Number.isInteger(t) && Number.isFinite(seconds) && !image.deltaT.has(t)) {
    image.deltaT.set(t, seconds);
  }
}
