/**
 * Takes every step of closing, in this order, also after one that failed: what stays open after a fault, a file or a thread, would keep
 * the process or be lost with it.
 *
 * @throws what the first step that failed has thrown, once all were taken
 */
export async function closeAll(steps: readonly (() => Promise<void> | void)[]): Promise<void> {
  const failures: unknown[] = []
  for (const step of steps) {
    try {
      await step()
    } catch (error) {
      failures.push(error)
    }
  }
  if (failures.length > 0) throw failures[0]
}
