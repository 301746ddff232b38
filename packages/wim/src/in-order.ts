/** Works on up to `ahead` items at a time and takes the results in the order of the items: the first failure in that order is the one thrown. */
export async function inOrder<T, R>(items: Iterable<T>, ahead: number, work: (item: T) => Promise<R>, take: (item: T, result: R) => void): Promise<void> {
  const waiting: { item: T; result: Promise<R> }[] = [];
  const takeFirst = async (count: number): Promise<void> => {
    for (const { item, result } of waiting.splice(0, count)) take(item, await result);
  };
  for (const item of items) {
    const result = work(item);
    result.catch(() => {}); // it is thrown when its turn comes, or never, behind an earlier one
    waiting.push({ item, result });
    if (waiting.length >= ahead) await takeFirst(ahead >> 1);
  }
  await takeFirst(waiting.length);
}
