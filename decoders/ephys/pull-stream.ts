/** Streams made of generators. */

/** A stream of what `items` yields, one item at a time and only when it is asked for. */
export function pullStream<T>(items: AsyncGenerator<T> | Generator<T>): ReadableStream<T> {
  return new ReadableStream<T>({
    async pull(controller) {
      const { done, value } = await items.next();
      if (done) controller.close();
      else controller.enqueue(value);
    },
    async cancel() {
      await items.return(undefined);
    },
  }, { highWaterMark: 0 });
}
