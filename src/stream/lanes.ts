/** Asynchronous work on many items, a few at a time, results in the order of the items. */

/**
 * Yields `work(item)` for each item, in order; up to `lanes` items are under way ahead of the one that is
 * waited for. The first failure ends the sequence.
 */
export async function* inLanes<T, R>(
  items: readonly T[],
  lanes: number,
  work: (item: T) => Promise<R>,
): AsyncGenerator<R> {
  const running: Promise<R>[] = [];
  let next = 0;
  while (next < items.length || running.length) {
    while (next < items.length && running.length < lanes) {
      const promise = work(items[next++]);
      // A failure is met when its turn comes.
      promise.catch(() => {});
      running.push(promise);
    }
    yield await running.shift()!;
  }
}
