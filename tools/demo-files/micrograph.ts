/** A multi-channel OME-TIFF: one uncompressed 16-bit plane a channel, in strips. */

/** An image to write. */
export interface Micrograph {
  width: number;
  height: number;
  /** Micrometres of a pixel. */
  pixelMicrometres: number;
  channels: { name: string; color: number; pixels: Uint16Array }[];
}

const ROWS_PER_STRIP = 32;

/** Bytes of the file (little-endian classic TIFF 6.0; OME-XML 2016-06 in the first ImageDescription). */
export function omeTiffFile(image: Micrograph): Uint8Array {
  const { width, height, channels } = image;
  const xml = new TextEncoder().encode(`${omeXml(image)}\0`);
  const strips = Math.ceil(height / ROWS_PER_STRIP);
  const planeBytes = width * height * 2;
  const ifdBytes = 2 + 12 * 12 + 4;
  const arraysBytes = strips * 8;
  // Header, XML, then per plane: pixels, strip arrays, directory.
  const xmlAt = 8;
  const firstPlane = xmlAt + xml.length + (xml.length & 1);
  const perPlane = planeBytes + arraysBytes + ifdBytes;
  const bytes = new Uint8Array(firstPlane + perPlane * channels.length);
  const view = new DataView(bytes.buffer);
  bytes.set([0x49, 0x49, 42, 0]);
  bytes.set(xml, xmlAt);
  let link = 4;
  channels.forEach(({ pixels }, c) => {
    const pixelsAt = firstPlane + c * perPlane;
    const arraysAt = pixelsAt + planeBytes;
    const ifdAt = arraysAt + arraysBytes;
    for (let i = 0; i < pixels.length; i++) view.setUint16(pixelsAt + 2 * i, pixels[i], true);
    for (let s = 0; s < strips; s++) {
      const rows = Math.min(ROWS_PER_STRIP, height - s * ROWS_PER_STRIP);
      view.setUint32(arraysAt + 4 * s, pixelsAt + s * ROWS_PER_STRIP * width * 2, true);
      view.setUint32(arraysAt + 4 * (strips + s), rows * width * 2, true);
    }
    view.setUint32(link, ifdAt, true);
    const SHORT = 3, LONG = 4, ASCII = 2;
    const entries: [tag: number, type: number, count: number, value: number][] = [
      [256, LONG, 1, width],
      [257, LONG, 1, height],
      [258, SHORT, 1, 16],
      [259, SHORT, 1, 1],
      [262, SHORT, 1, 1],
      [270, ASCII, c === 0 ? xml.length : 1, c === 0 ? xmlAt : 0],
      [273, LONG, strips, strips === 1 ? pixelsAt : arraysAt],
      [277, SHORT, 1, 1],
      [278, LONG, 1, ROWS_PER_STRIP],
      [279, LONG, strips, strips === 1 ? planeBytes : arraysAt + 4 * strips],
      [284, SHORT, 1, 1],
      [339, SHORT, 1, 1],
    ];
    view.setUint16(ifdAt, entries.length, true);
    entries.forEach(([tag, type, count, value], i) => {
      const at = ifdAt + 2 + 12 * i;
      view.setUint16(at, tag, true);
      view.setUint16(at + 2, type, true);
      view.setUint32(at + 4, count, true);
      if (type === SHORT && count === 1) view.setUint16(at + 8, value, true);
      else view.setUint32(at + 8, value, true);
    });
    link = ifdAt + 2 + 12 * entries.length;
  });
  return bytes;
}

function omeXml({ width, height, pixelMicrometres, channels }: Micrograph): string {
  const planes = channels.map((_, c) => `<TiffData FirstC="${c}" IFD="${c}" PlaneCount="1"/>`);
  const named = channels.map(({ name, color }, c) =>
    `<Channel ID="Channel:0:${c}" Name="${name}" Color="${color}" SamplesPerPixel="1"/>`
  );
  return `<?xml version="1.0" encoding="UTF-8"?>` +
    `<OME xmlns="http://www.openmicroscopy.org/Schemas/OME/2016-06">` +
    `<Image ID="Image:0" Name="myenteric plexus"><Pixels ID="Pixels:0" DimensionOrder="XYCZT" ` +
    `Type="uint16" SizeX="${width}" SizeY="${height}" SizeC="${channels.length}" SizeZ="1" SizeT="1" ` +
    `PhysicalSizeX="${pixelMicrometres}" PhysicalSizeXUnit="\u00b5m" ` +
    `PhysicalSizeY="${pixelMicrometres}" PhysicalSizeYUnit="\u00b5m" BigEndian="false">` +
    `${named.join("")}${planes.join("")}</Pixels></Image></OME>`;
}
