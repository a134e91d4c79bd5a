/** Standard input or any other stream whose bytes come once. */
import { ForwardSource } from "./forward.ts";

/**
 * A forward source over a stream: `sparc-fuse -`. The stream is pulled only as far as it is read, so a
 * slow consumer holds back the producer.
 */
export function pipeSource(
  stream: ReadableStream<Uint8Array>,
  options: { name?: string; windowBytes?: number } = {},
): ForwardSource {
  return new ForwardSource({
    name: options.name ?? "stdin",
    uri: "-",
    distance: "local",
    windowBytes: options.windowBytes,
    again: false,
    why: "a pipe flows only forward",
    pass: (signal) => streamPieces(stream, signal),
  });
}

/** The non-empty pieces of a stream; the stream is cancelled when the signal aborts or the reader stops. */
export async function* streamPieces(
  stream: ReadableStream<Uint8Array>,
  signal?: AbortSignal,
): AsyncGenerator<Uint8Array> {
  const reader = stream.getReader();
  const onAbort = () => void reader.cancel(signal!.reason).catch(() => {});
  signal?.addEventListener("abort", onAbort, { once: true });
  try {
    for (;;) {
      const { done, value } = await reader.read();
      if (done) return;
      if (value.length > 0) yield value;
    }
  } finally {
    signal?.removeEventListener("abort", onAbort);
    await reader.cancel().catch(() => {});
  }
}
