/** What Pennsieve calls files, by their extension. */

const FILE_TYPES: Record<string, [fileType: string, packageType: string, icon: string]> = {
  acq: ["BioPAC", "Unsupported", "Timeseries"],
  csv: ["CSV", "CSV", "Tabular"],
  json: ["Json", "Unsupported", "JSON"],
  jpg: ["JPEG", "Image", "Image"],
  md: ["Markdown", "Unsupported", "Code"],
  nev: ["NEV", "TimeSeries", "Timeseries"],
  ns5: ["NEV", "TimeSeries", "Timeseries"],
  rhd: ["Intan", "Unsupported", "Timeseries"],
  tiff: ["TIFF", "Slide", "Microscope"],
  txt: ["Text", "Text", "Text"],
  xlsx: ["MSExcel", "MSExcel", "Excel"],
};

/** File type, package type and icon of a file name. */
export function fileType(name: string): [string, string, string] {
  const extension = name.split(".").pop()!.toLowerCase();
  return FILE_TYPES[extension] ?? ["GenericData", "Unsupported", "GenericData"];
}
