import { applied } from '../applied.ts'
import { combined } from '../drafts.ts'
import { emit } from '../emit.ts'
import { field, part, value } from '../message.ts'
import { inEncounter, type Mapper, nth } from '../scene.ts'
import { groupsOf } from '../structure.ts'
import { locationOf, reject } from '../telling.ts'
import { addition, deletedByName, deletion } from './action.ts'
import { mapGoal } from './goal.ts'
import { notesOf } from './notes.ts'
import { mapObservation } from './observation.ts'
import { mapProblemTeam } from './participants.ts'

const clinical = 'http://terminology.hl7.org/CodeSystem/condition-clinical'
const verification = 'http://terminology.hl7.org/CodeSystem/condition-ver-status'
const problems = {
  coding: [{ system: 'http://terminology.hl7.org/CodeSystem/condition-category', code: 'problem-list-item' }],
}

/**
 * PRB → Condition of the list of problems
 *
 * @see HL7 v2.5.1, 12.4.2, for which the guide has no map
 */
export const mapProblem: Mapper = function* (scene, group) {
  const [prb] = group.segments
  if (prb === undefined) return
  const elements = combined(applied(scene, prb, 'Condition'), notesOf(scene, group))
  if (elements.code === undefined) return reject(scene, prb, 'PRB-3')
  const [number] = field(prb, 4)
  const own = part(number, 1) === '' ? '' : [1, 2, 3].map(component => part(number, component)).join('|')
  const code = value(prb, 3) || value(prb, 3, 2)
  const key = own === '' ? ['problem', code, String(nth(scene, `problem ${code}`))] : ['problem', own]
  // Table 0287: DE deletes it.
  const isDeleted = value(prb, 1) === 'DE'
  scene.ledger.keep(prb, 1)
  const status = isDeleted
    ? { verificationStatus: { coding: [{ system: verification, code: 'entered-in-error' }] } }
    : {}
  const { clinicalStatus = active, ...others } = elements
  const said = {
    // con-5: what was entered in error has no clinical status; con-4: what is over is not active.
    ...(isDeleted ? {} : { clinicalStatus: isOver(others) ? resolved : clinicalStatus }),
    ...status,
    category: [problems],
    ...others,
    subject: scene.context.subject,
    ...inEncounter(scene),
  }
  const condition = emit(scene, prb, 'Condition', key, said, {
    updates: [prb],
    isDeletion: isDeleted,
    over: isDeleted ? deletion : addition,
    ...(isDeleted ? { namesakes: deletedByName('PRB-1', locationOf(prb, 'PRB-1')) } : {}),
  })
  mapProblemTeam(scene, group, key, condition)
  const about = condition === undefined ? {} : { focus: [{ reference: condition }] }
  for (const obx of groupsOf(group, 'OBSERVATION')) {
    mapObservation(scene, obx, { within: key.join('|'), effective: {}, about })
    yield
  }
  for (const goal of groupsOf(group, 'GOAL')) yield* mapGoal(scene, goal, condition)
}

const active = { coding: [{ system: clinical, code: 'active' }] }
const resolved = { coding: [{ system: clinical, code: 'resolved' }] }

function isOver({ abatementDateTime }: { readonly abatementDateTime?: unknown }): boolean {
  return abatementDateTime !== undefined
}
