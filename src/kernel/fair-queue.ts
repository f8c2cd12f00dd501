/**
 * Those who wait for what only one may have at a time. Next is the owner who has had least of it, of several the one who has waited
 * longest. Whoever comes to those who wait counts as one of them: neither the first nor the last by what was before.
 */
export class FairQueue<Item extends { readonly owner: string }> {
  private readonly waiting: Item[] = []
  /** What owners have had since somebody waits without a pause. */
  private readonly had = new Map<string, number>()
  /** What the one had had who was next last. */
  private least = 0

  add(item: Item): void {
    this.waiting.push(item)
  }

  take(): Item | undefined {
    let first = 0
    for (const [at, { owner }] of this.waiting.entries())
      if (this.hadBy(owner) < this.hadBy(this.waiting[first]?.owner ?? owner)) first = at
    const [next] = this.waiting.splice(first, 1)
    if (next === undefined) this.had.clear()
    this.least = next === undefined ? 0 : this.hadBy(next.owner)
    return next
  }

  charge(owner: string, amount: number): void {
    this.had.set(owner, this.hadBy(owner) + amount)
  }

  private hadBy(owner: string): number {
    return Math.max(this.had.get(owner) ?? 0, this.least)
  }
}
