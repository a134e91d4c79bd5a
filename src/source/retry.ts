/**
 * When and how long to wait before asking a remote service again. Only reads go through here: they
 * can be repeated without harm.
 */
import { type ErrorDetails, FuseError, isFuseError } from "../errors.ts";

/** How persistent reads of a remote source are. */
export interface RetryPolicy {
  /** Tries without progress before the failure is final. */
  attempts: number;
  /** Longest wait before the first repetition, milliseconds; doubles from then on. */
  baseMillis: number;
  /** Longest wait of our own choice, milliseconds. */
  capMillis: number;
  /** Longest wait a service may ask for with Retry-After, milliseconds; beyond it the read fails. */
  retryAfterCapMillis: number;
  /** Longest silence of a service before a request counts as lost, milliseconds. */
  stallMillis: number;
  /** Random numbers in [0, 1) for the jitter. */
  random: () => number;
}

/** The policy used unless a caller passes another. */
export const DEFAULT_RETRY: RetryPolicy = {
  attempts: 5,
  baseMillis: 250,
  capMillis: 10_000,
  retryAfterCapMillis: 60_000,
  stallMillis: 60_000,
  random: Math.random,
};

/** A failure that may pass: an overloaded service, a lost connection, a cut body. */
export class TransientFailure extends Error {
  override readonly name = "TransientFailure";

  constructor(
    /** What happened, in words for the final message: "HTTP 503". */
    readonly what: string,
    /** Wait the service asked for, milliseconds. */
    readonly retryAfterMillis?: number,
    cause?: unknown,
  ) {
    super(what, cause === undefined ? undefined : { cause });
  }
}

/** HTTP statuses that may pass: timeouts, too early, too many requests, server-side trouble. */
export function isTransientStatus(status: number): boolean {
  return [408, 425, 429, 500, 502, 503, 504].includes(status);
}

/**
 * Milliseconds a Retry-After value asks for (seconds or an HTTP date, RFC 9110 section 10.2.3);
 * undefined when there is none or it cannot be read.
 */
export function parseRetryAfter(value: string | null | undefined, now = Date.now()) {
  if (!value) return undefined;
  const text = value.trim();
  if (/^\d+$/.test(text)) return Number(text) * 1000;
  const date = Date.parse(text);
  return Number.isNaN(date) ? undefined : Math.max(0, date - now);
}

/** Wait before repetition `failures` (1 for the first): half fixed, half jitter, doubling, capped. */
export function backoffMillis(failures: number, policy: RetryPolicy): number {
  const ceiling = Math.min(policy.capMillis, policy.baseMillis * 2 ** (failures - 1));
  return ceiling / 2 + policy.random() * ceiling / 2;
}

/** The reason of an aborted signal as a {@link FuseError}. */
export function abortedError(signal: AbortSignal, details: ErrorDetails = {}): FuseError {
  const reason = signal.reason;
  return isFuseError(reason)
    ? reason
    : new FuseError("Aborted", "cancelled", { ...details, cause: reason });
}

/** Throws the abort error when the signal is aborted. */
export function checkAborted(signal: AbortSignal | undefined, details: ErrorDetails = {}): void {
  if (signal?.aborted) throw abortedError(signal, details);
}

/** Waits, and rejects with `Aborted` as soon as the signal says so. */
export function sleep(millis: number, signal?: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    if (signal?.aborted) return reject(abortedError(signal));
    const onAbort = () => {
      clearTimeout(timer);
      reject(abortedError(signal!));
    };
    const timer = setTimeout(() => {
      signal?.removeEventListener("abort", onAbort);
      resolve();
    }, millis);
    signal?.addEventListener("abort", onAbort, { once: true });
  });
}

/**
 * Decides what follows a failure: waits and returns when the read may be tried again, throws the
 * final error otherwise. `failures` counts those since the last progress, this one included.
 * @throws FuseError `Network` with URL, last status and number of attempts; `Aborted`.
 */
export async function awaitRetry(
  error: unknown,
  failures: number,
  policy: RetryPolicy,
  place: { source: string; offset?: number },
  signal?: AbortSignal,
): Promise<void> {
  if (signal?.aborted) throw abortedError(signal, place);
  const transient = asTransient(error);
  if (!transient) {
    if (isFuseError(error)) throw error;
    const text = error instanceof Error ? error.message : String(error);
    throw new FuseError("Network", text, { ...place, cause: error });
  }
  const details = { ...place, found: transient.what, cause: error };
  if (failures >= policy.attempts) {
    const tries = failures === 1 ? "1 attempt" : `${failures} attempts`;
    throw new FuseError("Network", `the read failed after ${tries}`, details);
  }
  const asked = transient.retryAfterMillis;
  if (asked !== undefined && asked > policy.retryAfterCapMillis) {
    throw new FuseError("Network", `the service asks to wait ${Math.ceil(asked / 1000)} s`, {
      ...details,
      remedy: "Try again later.",
    });
  }
  await sleep(Math.max(asked ?? 0, backoffMillis(failures, policy)), signal);
}

/** Runs a read until it succeeds or fails for good, as {@link awaitRetry} decides. */
export async function retry<T>(
  operation: () => Promise<T>,
  policy: RetryPolicy,
  place: { source: string; offset?: number },
  options: { signal?: AbortSignal; onRetry?: () => void } = {},
): Promise<T> {
  for (let failures = 1;; failures++) {
    checkAborted(options.signal, place);
    try {
      return await operation();
    } catch (error) {
      await awaitRetry(error, failures, policy, place, options.signal);
      options.onRetry?.();
    }
  }
}

function asTransient(error: unknown): TransientFailure | undefined {
  if (error instanceof TransientFailure) return error;
  if (isFuseError(error)) return undefined;
  // What fetch and body readers throw for lost connections: TypeError by the standard, and runtimes'
  // own classes and codes beside it.
  if (error instanceof TypeError) {
    // An address that cannot be asked at all stays so however often it is tried.
    return /invalid url|blocked/i.test(error.message)
      ? undefined
      : new TransientFailure(error.message, undefined, error);
  }
  if (!(error instanceof Error)) return undefined;
  const code = (error as { code?: unknown }).code;
  const lost =
    /^(Http|ConnectionReset|ConnectionRefused|ConnectionAborted|BrokenPipe|TimedOut|UnexpectedEof|Interrupted|NetworkError|TimeoutError|AbortError)$/;
  if (
    lost.test(error.name) ||
    (typeof code === "string" &&
      /^E(CONN|PIPE|TIMEDOUT|AI_AGAIN|HOSTUNREACH|NETUNREACH)/.test(code))
  ) {
    return new TransientFailure(error.message, undefined, error);
  }
  return undefined;
}
