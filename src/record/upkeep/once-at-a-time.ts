/**
 * Work that is due again and again, and may take longer than that: whoever asks while it goes on has the run that is under way. Another
 * one beside it would only take from it what it needs to end, and then they are more and more.
 */
export function onceAtATime(work: () => Promise<void>): () => Promise<void> {
  let running: Promise<void> | undefined
  return () => {
    running ??= work().finally(() => {
      running = undefined
    })
    return running
  }
}
