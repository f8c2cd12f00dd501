import { applied } from '../applied.ts'
import { emit } from '../emit.ts'
import { field, part } from '../message.ts'
import type { Scene } from '../scene.ts'
import { segmentOf } from '../structure.ts'

/** PID-18 → Account; gives its reference. */
export function mapAccount(scene: Scene): string | undefined {
  const pid = segmentOf(scene.patient, 'PID')
  if (pid === undefined) return undefined
  const elements = applied(scene, pid, 'Account')
  if (elements.identifier === undefined) return undefined
  const [first] = field(pid, 18)
  const key = [part(first, 1), part(first, 4), part(first, 4, 2)]
  return emit(scene, pid, 'Account', key, { ...elements, status: 'active', subject: [scene.context.subject] })
}
