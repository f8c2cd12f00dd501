import { beyondPatient, type Grant, homeInReach, patientsToTouch, requireBeyondPatient } from '#access'
import type { Resource } from '#fhir'
import { Problem } from '#kernel'
import { type Report, reportResource } from '../report.ts'
import { accountOf, asKeeper, type Letter, type LetterDeps, onlyPatient } from './letter.ts'
import { contentOf, dropLetter, lettersOf } from './shelf.ts'

/** A letter with the bytes as they came. */
export interface OpenLetter {
  readonly letter: Letter
  readonly content: Buffer
}

/** What became of a letter that was sent again. `refused`: it is kept, with the reason of this time. */
export interface SentAgain {
  readonly state: 'taken' | 'refused'
  /** The acknowledgement, of what came as a message. */
  readonly ack?: string
  /** What became of the rows, of what came in a file. */
  readonly told?: { readonly report: Report; readonly resource: Resource }
}

/** What was refused and is kept until it is sent again or dropped. */
export interface Letters {
  /** Oldest first; only what is kept for whom the grant acts. @throws Problem `forbidden` · `scope.missing` */
  list(grant: Grant): Promise<readonly Letter[]>
  /** @throws Problem `not-found` · `ingest.letter-unknown`; `forbidden` · `scope.missing` */
  show(id: string, grant: Grant): Promise<OpenLetter>
  /** Takes it in by the normal way, as if its sender had sent it again: what is taken in is kept no more. Throws as `show`. */
  resend(id: string, grant: Grant): Promise<SentAgain>
  /** Throws it away. Throws as `show`. */
  drop(id: string, grant: Grant): Promise<void>
}

/** The ways by which things come in. */
export interface WaysIn {
  /** @returns the acknowledgement, and whether the message was taken in */
  message(grant: Grant, content: Buffer): Promise<{ readonly isTaken: boolean; readonly ack: string }>
  file(grant: Grant, patient: string, content: Buffer): Promise<Report>
}

export function openLetters(deps: LetterDeps, waysIn: WaysIn): Letters {
  const show = async (id: string, grant: Grant): Promise<OpenLetter> => {
    const letter = await find(id, grant, deps)
    const content = await contentOf(id, deps)
    if (content === undefined) throw unknown()
    return { letter, content }
  }
  return {
    list: grant => list(grant, deps),
    show: async (id, grant) => {
      const opened = await show(id, grant)
      audit(grant, 'refused message looked at', opened.letter, deps)
      return opened
    },
    resend: async (id, grant) => {
      const opened = await show(id, grant)
      audit(grant, 'refused message sent again', opened.letter, deps)
      return sendAgain(opened, await asKeeper(grant, opened.letter.keeper, deps.record), deps, waysIn)
    },
    drop: async (id, grant) => {
      const letter = await find(id, grant, deps)
      await dropLetter(letter, deps)
      audit(grant, 'refused message dropped', letter, deps)
    },
  }
}

async function list(grant: Grant, deps: LetterDeps): Promise<readonly Letter[]> {
  requireBeyondPatient(grant, ['r', 'u'], 'Patient')
  const all = await lettersOf(deps)
  return all.filter(isShownTo(beyondPatient(grant))).toSorted((one, other) => one.refusedAtMs - other.refusedAtMs)
}

/** Whoever runs the house sees all; others what is theirs, as far as it is about nobody else. */
function isShownTo(grant: Grant): (letter: Letter) => boolean {
  const [home, reach] = [homeInReach(grant), patientsToTouch(grant, ['r', 'u'], 'Patient')]
  if (home === 'all') return () => true
  const reaches = (patient: string) => reach === 'all' || reach.includes(patient)
  return ({ keeper, patients, patient }) => {
    const only = onlyPatient(keeper)
    const isTheirs = only === undefined ? home !== undefined && accountOf(keeper) === home : reaches(only)
    return isTheirs && patients.every(reaches) && (patient === undefined || reaches(patient))
  }
}

async function find(id: string, grant: Grant, deps: LetterDeps): Promise<Letter> {
  const letter = (await list(grant, deps)).find(one => one.id === id)
  if (letter === undefined) throw unknown()
  return letter
}

function unknown(): Problem {
  return new Problem('not-found', 'ingest.letter-unknown', 'Nothing of this id was refused and is kept.')
}

async function sendAgain(
  { letter, content }: OpenLetter,
  grant: Grant,
  deps: LetterDeps,
  waysIn: WaysIn,
): Promise<SentAgain> {
  // What is taken in, and what is refused again, is noted where it comes in.
  if (letter.patient === undefined) {
    const { isTaken, ack } = await waysIn.message(grant, content)
    return { state: isTaken ? 'taken' : 'refused', ack }
  }
  const report = await waysIn.file(grant, letter.patient, content)
  const isTaken = report.state === 'done' && !report.rejected.some(({ row }) => row === 'MSH')
  if (isTaken) await dropLetter(letter, deps)
  return { state: isTaken ? 'taken' : 'refused', told: { report, resource: reportResource(report) } }
}

/** In the audit of whom it is about, as far as it is known. */
function audit({ actor }: Grant, detail: string, { patients }: Letter, { record }: LetterDeps): void {
  const [patient, ...others] = patients
  const whom = patient === undefined || others.length > 0 ? {} : { patient }
  record.audit({ action: 'import', outcome: 'success', actor, detail, ...whom })
}
