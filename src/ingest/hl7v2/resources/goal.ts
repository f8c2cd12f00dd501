import type { Steps } from '../../turns.ts'
import { applied } from '../applied.ts'
import { combined } from '../drafts.ts'
import { emit } from '../emit.ts'
import { field, part, value } from '../message.ts'
import { nth, type Scene } from '../scene.ts'
import { type Group, groupsOf } from '../structure.ts'
import { locationOf, reject } from '../telling.ts'
import { deletedByName } from './action.ts'
import { notesOf } from './notes.ts'
import { mapObservation } from './observation.ts'

/** Table 0287. */
const actions = new Set(['AD', 'CO', 'DE', 'LI', 'UC', 'UN', 'UP'])

/**
 * GOL → Goal, of the problem behind which it stands
 *
 * @see HL7 v2.5.1, 12.4.1, for which the guide has no map
 */
export function* mapGoal(scene: Scene, group: Group, problem?: string): Steps<void> {
  const [gol] = group.segments
  if (gol === undefined) return
  const elements = combined(applied(scene, gol, 'Goal'), notesOf(scene, group))
  if (elements.description === undefined) return reject(scene, gol, 'GOL-3')
  const [number] = field(gol, 4)
  const own = part(number, 1) === '' ? '' : [1, 2, 3].map(component => part(number, component)).join('|')
  const code = value(gol, 3) || value(gol, 3, 2)
  const key = own === '' ? ['goal', code, String(nth(scene, `goal ${code}`))] : ['goal', own]
  // Table 0287: DE deletes it.
  const isDeleted = value(gol, 1) === 'DE'
  if (actions.has(value(gol, 1))) scene.ledger.keep(gol, 1)
  const said = {
    lifecycleStatus: 'active',
    ...elements,
    ...(isDeleted ? { lifecycleStatus: 'entered-in-error' } : {}),
    subject: scene.context.subject,
    ...(problem === undefined ? {} : { addresses: [{ reference: problem }] }),
  }
  const goal = emit(scene, gol, 'Goal', key, said, {
    updates: [gol],
    isDeletion: isDeleted,
    ...(isDeleted ? { namesakes: deletedByName('GOL-1', locationOf(gol, 'GOL-1')) } : {}),
  })
  const about = goal === undefined ? {} : { focus: [{ reference: goal }] }
  for (const obx of groupsOf(group, 'OBSERVATION')) {
    mapObservation(scene, obx, { within: key.join('|'), effective: {}, about })
    yield
  }
}
