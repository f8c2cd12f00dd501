import type { Grant } from '#access'
import type { Resource } from '#fhir'
import { Problem } from '#kernel'
import type { Report } from '../../report.ts'
import {
  beginDeciding,
  type Deciding,
  type Doubt,
  endDeciding,
  findHeld,
  type Held,
  inHand,
  type Listed,
  listHeld,
  type PageAsked,
  pageOfHeld,
  type ReviewDeps,
  requireTakingIn,
} from './held.ts'

/** Takes what was held in by the normal way, as the choices say; gives the next doubt if there is another one. */
export type TakeIn = (request: {
  readonly grant: Grant
  readonly held: Held
  readonly choices: Held['choices']
  /** What became of the rows of a file. */
  onReport(told: Told): void
  /** Told before it throws when something was written nevertheless. */
  onPart(): void
  /** The grant as it is at this moment: throws when it ended. Without it the grant stays. */
  renew?(): Promise<Grant>
}) => Promise<Doubt | undefined>

/** What a person says about something that waits. */
export interface Decision {
  readonly grant: Grant
  readonly id: string
  /** `accept` needs `patient`. */
  readonly decision: 'accept' | 'new' | 'reject'
  /** Id of one of the candidates, or of any other Patient within reach. */
  readonly patient?: string
  /** Told what became of a file that was accepted, before `decide` resolves. */
  onReport?(told: Told): void
  /** The grant as it is at this moment, asked before each batch of a file: throws when it ended. Without it the grant stays. */
  renew?(): Promise<Grant>
}

/** The report of an import, as it is and as FHIR Parameters. */
export interface Told {
  readonly report: Report
  readonly resource: Resource
}

/** What waits for a person to decide. */
export interface Review {
  /** Oldest first; only what concerns none but patients within reach. */
  list(grant: Grant): Promise<readonly Listed[]>
  /** A part of that list; `next` asks for the one behind it. */
  page(grant: Grant, asked: PageAsked): ReturnType<typeof pageOfHeld>
  /** @throws Problem `not-found` · `ingest.review-unknown` */
  show(id: string, grant: Grant): Promise<Held>
  /**
   * Takes it in for a Patient, or for somebody new, or rejects it. `waiting` when another person in it is doubtful too.
   *
   * @throws Problem `not-found` · `ingest.review-unknown`, `record.unknown`; `conflict` · `ingest.review-decided`, `ingest.review-begun`;
   *   `forbidden` · `scope.missing`; `invalid` · `ingest.review-patient-missing`; and what taking it in throws: then it waits again
   */
  decide(decision: Decision): Promise<Held['state']>
}

export function openReview(deps: ReviewDeps, takeIn: TakeIn): Review {
  return {
    list: grant => listHeld(grant, deps),
    page: (grant, asked) => pageOfHeld(grant, asked, deps),
    show: async (id, grant) => {
      const held = await findHeld(id, grant, deps)
      audit(grant, 'held import looked at', undefined, deps)
      return held
    },
    decide: decision => decide(decision, deps, takeIn),
  }
}

async function decide(decision: Decision, deps: ReviewDeps, takeIn: TakeIn): Promise<Held['state']> {
  const { grant, id } = decision
  const patient = await chosenPatient(decision, deps)
  const deciding = await beginDeciding(id, patient, grant, deps)
  audit(grant, `held import: ${decision.decision}`, patient === 'new' ? undefined : patient, deps)
  if (patient === undefined) {
    await endDeciding(deciding, { state: 'rejected' }, deps)
    return 'rejected'
  }
  return accept(deciding, patient, decision, deps, takeIn)
}

/** @returns undefined for what is rejected */
async function chosenPatient({ grant, decision, patient }: Decision, deps: ReviewDeps): Promise<string | undefined> {
  if (decision === 'reject') return undefined
  if (decision === 'new') {
    requireTakingIn(grant)
    return 'new'
  }
  if (patient === undefined)
    throw new Problem('invalid', 'ingest.review-patient-missing', 'Say which Patient it is about.', {
      expression: 'patient',
    })
  await deps.record.reader(grant).read('Patient', patient)
  return patient
}

async function accept(
  begun: Deciding,
  patient: string,
  { grant, renew, onReport = () => undefined }: Decision,
  deps: ReviewDeps,
  takeIn: TakeIn,
): Promise<Held['state']> {
  const { held } = begun
  const choices = { ...held.choices, [held.doubt.nth]: patient }
  let isPartly = begun.isAgain
  const onPart = () => {
    isPartly = true
  }
  const now = renew === undefined ? {} : { renew }
  const { result, deciding } = await inHand(begun, deps, () =>
    takeIn({ grant, held, choices, onReport, onPart, ...now }),
  )
  if (result.status === 'rejected') {
    await endDeciding(deciding, { state: 'waiting', ...(isPartly ? { begun: patient } : {}) }, deps)
    throw result.reason
  }
  const next = result.value
  const state = next === undefined ? 'accepted' : 'waiting'
  await endDeciding(deciding, { state, choices, ...(next === undefined ? {} : { doubt: next }) }, deps)
  return state
}

/** Until somebody has said whom it is about, it is in no patient's audit: it may be about somebody else. */
function audit({ actor }: Grant, detail: string, patient: string | undefined, { record }: ReviewDeps): void {
  record.audit({ action: 'import', outcome: 'success', actor, detail, ...(patient === undefined ? {} : { patient }) })
}
