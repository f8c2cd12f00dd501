import { isProblem } from '#kernel'
import type { Registry } from '../registry/registry.ts'

/** So many may be erased one after the other while somebody asks. */
const most = 8

/**
 * Does it anew when the key of somebody was destroyed whom this process took for kept when it began: they were erased meanwhile, or by
 * another process. Whoever asks is answered as if they had been gone before.
 *
 * @throws whatever `work` throws; Problem `gone` · `vault.key-destroyed` where nobody was erased
 */
export async function unlessErasedBeside<T>(registry: Registry, work: () => Promise<T>): Promise<T> {
  for (let time = 1; ; time++) {
    const before = registry.generation
    try {
      return await work()
    } catch (error) {
      if (time === most || !(await isErasedBeside(error, registry, before))) throw error
    }
  }
}

/** Whether this says that somebody was erased who was kept as of a generation of the registry. */
export async function isErasedBeside(error: unknown, registry: Registry, before: number): Promise<boolean> {
  if (!isProblem(error) || error.code !== 'vault.key-destroyed') return false
  await registry.catchUp()
  return registry.generation !== before
}
