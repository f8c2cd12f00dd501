import { applied } from '../applied.ts'
import { combined } from '../drafts.ts'
import { emit } from '../emit.ts'
import { field, part, type Segment, value } from '../message.ts'
import { type Elements, inEncounter, type Mapper, type Scene, visitNumber } from '../scene.ts'
import { locationOf, reject } from '../telling.ts'
import { later } from '../times.ts'
import { unnumbered } from './action.ts'
import { withMethod } from './coding-method.ts'
import { notesOf } from './notes.ts'
import { performersOf } from './participants.ts'

/** PR1 → Procedure */
export const mapProcedure: Mapper = (scene, group) => {
  const [pr1] = group.segments
  if (pr1 === undefined) return
  const elements = combined(
    withMethod(scene, pr1, applied(scene, pr1, 'Procedure')),
    performersOf(scene, group, pr1),
    notesOf(scene, group),
  )
  if (elements.code === undefined) return reject(scene, pr1, 'PR1-3')
  const { performedPeriod, ...others } = elements as { performedPeriod?: { start?: string } } & Elements
  const key = value(pr1, 19) || [visitNumber(scene) ?? '', value(pr1, 3) || value(pr1, 4), value(pr1, 5)].join('|')
  const byAction = value(pr1, 19) !== '' || value(pr1, 20) !== ''
  // Table 0206
  if (/^[ADU]$/.test(value(pr1, 20))) scene.ledger.keep(pr1, 20)
  const said = {
    // HL7 v2 says that it is billed or planned or done by the message around it; R4 has a code for not knowing.
    status: 'unknown',
    ...others,
    ...withModifiers(scene, pr1, elements.code as Code),
    ...performed(scene, pr1, performedPeriod?.start),
    ...(value(pr1, 20) === 'D' ? { status: 'entered-in-error' } : {}),
    subject: scene.context.subject,
    ...inEncounter(scene),
  }
  // A procedure is added, changed or deleted by itself, or all of them are sent anew: HL7 v2.5.1, 6.5.4 and 2.10.4.
  const at = { place: 'PR1-20', location: locationOf(pr1, 'PR1-20') }
  const named = value(pr1, 19) === '' ? { namesakes: unnumbered(value(pr1, 20) === 'D', at) } : {}
  emit(scene, pr1, 'Procedure', [key], said, { ...(byAction ? { updates: [pr1] } : {}), ...named })
}

interface Code {
  readonly coding?: readonly { readonly code?: string }[]
}

/** PR1-16: modifiers follow the code, `64721:RT`; https://build.fhir.org/ig/HL7/v2-to-fhir/ConceptMap-segment-pr1-to-procedure.html */
function withModifiers(scene: Scene, pr1: Segment, code: Code): Elements {
  const { field: given, keep } = scene.ledger.look(pr1, 16)
  const modifiers = given.map(repetition => part(repetition, 1)).filter(text => text !== '')
  const [first, ...others] = code.coding ?? []
  if (modifiers.length === 0 || first?.code === undefined) return { code }
  keep()
  return { code: { ...code, coding: [{ ...first, code: [first.code, ...modifiers].join(':') }, ...others] } }
}

/** PR1-7 is how many minutes it took; a day alone has no minutes. */
function performed(scene: Scene, pr1: Segment, start: string | undefined): Elements {
  if (start === undefined) return {}
  const minutes = Number(part(field(pr1, 7)[0], 1))
  if (!start.includes('T') || !Number.isFinite(minutes)) return { performedDateTime: start }
  scene.ledger.keep(pr1, 7)
  return { performedPeriod: { start, end: later(start, minutes) } }
}
