/**
 * What `work` makes of each, in their order, of so many at once: where each opens something, all of them would open everything at the
 * same time. The first failure is the outcome; nothing is begun after it.
 */
export async function mapFew<Item, Made>(
  items: readonly Item[],
  atOnce: number,
  work: (item: Item) => Promise<Made>,
): Promise<readonly Made[]> {
  const made: Made[] = Array.from({ length: items.length })
  let next = 0
  let hasFailed = false
  const lane = async () => {
    while (next < items.length && !hasFailed) {
      const at = next++
      try {
        made[at] = await work(items[at] as Item)
      } catch (error) {
        hasFailed = true
        throw error
      }
    }
  }
  await Promise.all(Array.from({ length: Math.min(atOnce, items.length) }, lane))
  return made
}
