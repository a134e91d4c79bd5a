/** Every format, one line each. Adding a format adds its line here. */
import { hdf5 } from "./containers/hdf5.ts";
import { mat } from "./containers/mat.ts";
import { abf } from "./ephys/abf.ts";
import { adibin } from "./ephys/adibin.ts";
import { adicht } from "./ephys/adicht.ts";
import { adidat } from "./ephys/adidat.ts";
import { biopac } from "./ephys/biopac.ts";
import { blackrock } from "./ephys/blackrock.ts";
import { brainvision } from "./ephys/brainvision.ts";
import { edf } from "./ephys/edf.ts";
import { flat } from "./ephys/flat.ts";
import { intanRhd, intanRhs } from "./ephys/intan.ts";
import { neuralynx } from "./ephys/neuralynx.ts";
import { neuroexplorer } from "./ephys/neuroexplorer.ts";
import { openephys } from "./ephys/openephys.ts";
import { smrx } from "./ephys/smrx.ts";
import { spike2Export } from "./ephys/spike2-export.ts";
import { spike2 } from "./ephys/spike2.ts";
import { spikeglx } from "./ephys/spikeglx.ts";
import { tdt } from "./ephys/tdt.ts";
import { wav } from "./ephys/wav.ts";
import type { FormatDescriptor } from "./format.ts";
import { lsm } from "./imaging/lsm.ts";
import { omeTiff } from "./imaging/ome-tiff.ts";
import { scanimage } from "./imaging/scanimage.ts";
import { svs } from "./imaging/svs.ts";
import { tiff } from "./imaging/tiff.ts";
import { csv } from "./tables/csv.ts";
import { palmsens } from "./tables/palmsens.ts";

/** All formats, in the order ties are shown. */
export const FORMATS: readonly FormatDescriptor[] = [
  abf,
  adibin,
  adicht,
  adidat,
  biopac,
  blackrock,
  brainvision,
  edf,
  flat,
  hdf5,
  intanRhd,
  intanRhs,
  lsm,
  mat,
  neuralynx,
  neuroexplorer,
  omeTiff,
  openephys,
  palmsens,
  scanimage,
  smrx,
  spike2,
  spike2Export,
  spikeglx,
  svs,
  tdt,
  tiff,
  wav,
  csv,
];
