import { type Grant, mayTouchAny, patientsInReach, type Reason, requirePermission, type Withholding } from '#access'
import { parseStored } from '#fhir'
import { Problem } from '#kernel'
import type { Holder } from '#search'
import type { Consents } from '../registry/consents.ts'
import type { AuditNote, NamedRecipient, NamedSubject, Reader, Stored } from '../types.ts'
import { unknown } from './absences.ts'
import type { Reach } from './reach.ts'

interface Rooms {
  readonly consents: Consents
  readonly reach: Reach
  readonly audit: (note: AuditNote) => void
  readonly reader: (grant: Grant) => Reader
}

/** Says by which Consents something is withheld from somebody, to who may rule that. */
export class Explaining {
  readonly #rooms: Rooms

  constructor(rooms: Rooms) {
    this.#rooms = rooms
  }

  /** As `Record.explain`. */
  async explain(
    grant: Grant,
    patient: string,
    recipient: NamedRecipient,
    subject: NamedSubject,
  ): Promise<readonly Reason[]> {
    for (const type of ['Patient', 'Consent']) requirePermission(grant, 'r', type)
    await this.#checkEntitled(grant, patient)
    const about = await this.#read(grant, patient, subject)
    const withholding = await this.#rooms.consents.withheldFrom(grant, patient, recipient)
    this.#rooms.audit({ action: 'explain', outcome: 'success', actor: grant.actor, patient, detail })
    return withholding === undefined ? [] : reasonsOf(withholding, subject, about, patient)
  }

  /** Who does not see the patient is told what is told of one who never was; who sees them already, that it is not theirs to ask. */
  async #checkEntitled(grant: Grant, patient: string): Promise<void> {
    const { reader, consents } = this.#rooms
    const reached = patientsInReach(grant)
    if (reached !== 'all' && !reached.includes(patient)) throw unknown()
    await reader(grant).read('Patient', patient)
    const bound = await consents.bound(grant)
    if (!(await consents.isRuledBy(bound, patient))) throw foreign()
    const holder: Holder = { compartment: '', kind: 'patient', patient }
    if (!mayTouchAny(bound, 'r', 'Consent', holder)) throw foreign()
  }

  /** The resource that is asked about: it has to be the patient's, for whose Consents alone are asked. */
  async #read(grant: Grant, patient: string, { type, id }: NamedSubject): Promise<Stored | undefined> {
    if (type === undefined || id === undefined) return undefined
    const { reader, reach } = this.#rooms
    const stored = await reader(grant).read(type, id)
    const holders = await reach.holdersOf(grant, reach.sought(type, id))
    const isOf = holders.some(holder => holder.patient === patient) || stored.named?.includes(patient) === true
    if (!isOf) throw unknown()
    return stored
  }
}

function foreign(): Problem {
  const text = 'Only who keeps the patient as owner or guardian, and sees all of theirs, may ask what is withheld.'
  return new Problem('forbidden', 'record.explain-foreign', text)
}

const detail = 'what Consents withhold from somebody'

async function reasonsOf(
  withholding: Withholding,
  { type }: NamedSubject,
  about: Stored | undefined,
  patient: string,
): Promise<readonly Reason[]> {
  if (about === undefined) return withholding.reasons(type)
  if (about.holder.kind !== 'household') return withholding.reasonsFor(await parseStored(about.json))
  // What a household keeps of several is seen only where all of its type is.
  return about.named?.includes(patient) === true
    ? withholding.reasons(type).map(each => ({ ...each, extent: 'whole' }))
    : []
}
