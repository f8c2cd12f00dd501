const all: (() => void)[] = []

/**
 * Whoever remembers something that was worked out of what patients say, for as long as the process lives, says here how it is forgotten.
 *
 * @param forget  drops all of it; it is worked out again
 */
export function remembering(forget: () => void): void {
  all.push(forget)
}

/** Forgets all of it, everywhere in this thread: when somebody's key was destroyed, what they said should not be remembered either. */
export function forgetRemembered(): void {
  for (const forget of all) forget()
}
