/** What an Intan header says, in the terms of Intan's documents. */

/** What a channel records. */
export type SignalKind =
  | "amplifier"
  | "auxiliary"
  | "supply"
  | "analog_in"
  | "analog_out"
  | "digital_in"
  | "digital_out";

/** One channel of the header's list; channels that are not enabled have no samples in the file. */
export interface IntanChannel {
  kind: SignalKind;
  enabled: boolean;
  /** Name the hardware gives it: "A-000", "A-AUX1", "DIGITAL-IN-01". */
  nativeName: string;
  /** Name the user gave it. */
  customName: string;
  /** Number within its kind and port; the bit of a digital line in its word. */
  nativeOrder: number;
  customOrder: number;
  chipChannel: number;
  /** RHS only. */
  commandStream?: number;
  boardStream: number;
  spikeTrigger: { mode: number; thresholdMicrovolts: number; line: number; polarity: number };
  impedanceOhms: number;
  impedancePhaseDegrees: number;
  groupName: string;
  groupPrefix: string;
}

/** A signal group: one port of the controller, or its own inputs and outputs of one kind. */
export interface IntanGroup {
  name: string;
  prefix: string;
  enabled: boolean;
  channelCount: number;
  amplifierCount: number;
}

/** The header's own words. Frequencies in Hz; single-precision numbers widened, not rounded. */
export interface IntanHeader {
  rhs: boolean;
  major: number;
  minor: number;
  sampleRate: number;
  dspEnabled: boolean;
  actualDspCutoff: number;
  actualLowerBandwidth: number;
  /** RHS only. */
  actualLowerSettleBandwidth?: number;
  actualUpperBandwidth: number;
  desiredDspCutoff: number;
  desiredLowerBandwidth: number;
  /** RHS only. */
  desiredLowerSettleBandwidth?: number;
  desiredUpperBandwidth: number;
  /** 0 off, 1 50 Hz, 2 60 Hz. */
  notchMode: number;
  desiredImpedanceTestFrequency: number;
  actualImpedanceTestFrequency: number;
  /** RHS only: how electrodes are brought back after a pulse, and the current of one step in A. */
  stimulation?: {
    ampSettleMode: number;
    chargeRecoveryMode: number;
    stepAmperes: number;
    recoveryCurrentLimitAmperes: number;
    recoveryTargetVolts: number;
  };
  notes: [string, string, string];
  /** RHD 1.1 and later; 0 before. */
  temperatureSensors: number;
  /** RHS only: low-gain samples are in the file. */
  dcSaved: boolean;
  /** RHD 1.3 and later, RHS; 0 before. */
  boardMode: number;
  /** RHD 2.0 and later, RHS. */
  reference?: string;
  groups: IntanGroup[];
  /** All channels of the list, in its order, which is the order of the data. */
  channels: IntanChannel[];
  /** Samples of a data block of the traditional layout. */
  samplesPerBlock: number;
  /** Timestamps are signed (all but RHD 1.0 and 1.1). */
  signedTimestamps: boolean;
  headerBytes: number;
  /** A disabled group counts channels: whether these are listed, the documents leave open. */
  ambiguousGroups: boolean;
}

/** Enabled channels of one kind, in the order of the data. */
export function enabledChannels(header: IntanHeader, kind: SignalKind): IntanChannel[] {
  return header.channels.filter((c) => c.enabled && c.kind === kind);
}
