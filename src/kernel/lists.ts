/**
 * Appends all of some to a list. `push(...some)` puts each of them on the stack, which holds some hundred thousand: of lists whose length
 * somebody else chooses it ends the work with a RangeError.
 */
export function appendAll<Item>(list: Item[], some: Iterable<Item>): void {
  for (const item of some) list.push(item)
}
