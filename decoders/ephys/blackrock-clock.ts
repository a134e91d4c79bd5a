/**
 * The zero of a set's times. In 2.x and ordinary 3.0 files time stamps count from the recorder's start
 * of the recording, and the header's time origin is the moment of stamp 0: times are stamp divided by
 * resolution, as every other reader gives them. In PTP files stamps are nanoseconds since 1970, which
 * as float64 seconds would be off by 0.1 us and more; times count from the header's time origin where
 * the first stamp follows it closely, else from the first stamp of the set.
 */

/** A member's word on its clock. */
export interface MemberClock {
  name: string;
  /** First time stamp; null when the file has no data. */
  firstTicks: bigint | null;
  /** Stamps per second. */
  resolution: number;
  timeOrigin: Date | null;
}

/** The zero of a set. */
export interface SetClock {
  /** Nanoseconds since 1970 that are time 0; null when stamps count from the recording's start. */
  unixZero: bigint | null;
  warnings: string[];
}

/** Stamps of this many seconds (September 2001 to the year 2200) are dates, others run times. */
const UNIX_SECONDS = 1_000_000_000n, LAST_SECONDS = 7_258_118_400n;
/** How far the first stamp may follow the time origin for both to be one clock. */
const CLOSE_NANOSECONDS = 10_000_000_000n;
const NANO = 1_000_000_000n;

/** True when a time stamp is so large that it counts from 1970. */
export function isUnixStamp(ticks: bigint, resolution: number): boolean {
  const rate = BigInt(resolution);
  return ticks >= UNIX_SECONDS * rate && ticks < LAST_SECONDS * rate;
}

/** True when a member's stamps are times since 1970. */
export function isUnixClock(member: MemberClock): boolean {
  return member.firstTicks !== null && isUnixStamp(member.firstTicks, member.resolution);
}

/** Chooses the zero all members of a set count from. */
export function setClock(members: MemberClock[]): SetClock {
  const warnings: string[] = [];
  const unix = members.filter(isUnixClock);
  if (!unix.length) return { unixZero: null, warnings };
  const firsts = unix.map((m) => m.firstTicks! * NANO / BigInt(m.resolution));
  const first = firsts.reduce((a, b) => (a < b ? a : b));
  const origin = unix.find((m) => m.timeOrigin)?.timeOrigin ?? null;
  const originNs = origin ? BigInt(origin.getTime()) * 1_000_000n : null;
  for (const other of members) {
    if (other.firstTicks !== null && !isUnixClock(other)) {
      warnings.push(
        `${other.name}: its time stamps do not count from 1970 as those of ${unix[0].name} do; ` +
          "times of the two cannot be compared",
      );
    }
  }
  if (originNs !== null && first >= originNs && first - originNs <= CLOSE_NANOSECONDS) {
    return { unixZero: originNs, warnings };
  }
  if (originNs !== null) {
    warnings.push(
      `${unix[0].name}: the first time stamp is ${unixText(first)}, the header's time origin ` +
        `${origin!.toISOString()}; times count from the first time stamp`,
    );
  }
  return { unixZero: first, warnings };
}

/** The stamp of a member that is time 0. */
export function zeroTicks(clock: SetClock, member: MemberClock): bigint {
  if (clock.unixZero === null || !isUnixClock(member)) return 0n;
  return clock.unixZero * BigInt(member.resolution) / NANO;
}

/** Nanoseconds since 1970 as an ISO date with nine decimals. */
export function unixText(nanoseconds: bigint): string {
  const seconds = new Date(Number(nanoseconds / NANO) * 1000).toISOString().slice(0, 19);
  return `${seconds}.${String(nanoseconds % NANO).padStart(9, "0")}Z`;
}
