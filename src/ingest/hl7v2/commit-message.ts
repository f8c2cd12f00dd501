import { type Grant, ownerOf } from '#access'
import type { Txn } from '#record'
import type { Item } from '../committing/items.ts'
import { stage } from '../committing/stage.ts'
import type { FormerIds } from '../former-ids.ts'
import { checkOnes } from '../identity/merging/meanwhile.ts'
import type { LookUp } from '../namesakes.ts'
import type { Left, Outcome } from '../outcome.ts'
import { type MessageSource, provenanceOf } from '../provenance.ts'
import type { RunDeps } from '../run.ts'

/** What a message says of one patient. */
export interface PatientPart {
  readonly patient: string
  /** Takes in somebody who is not here yet, in the transaction of the message. */
  readonly admit?: ((txn: Txn) => Promise<void>) | undefined
  /** Id of this patient's Provenance of the message. */
  readonly provenanceId: string
  /** Remembers what a person has said of whom it is about. */
  readonly told?: ((txn: Txn) => void) | undefined
  readonly former: FormerIds | undefined
  /** Ids of those who were merged into the patient. */
  readonly merged: readonly string[]
  readonly lookUp: LookUp
  /** The numbers that whoever sent the message knows to be this patient's. */
  readonly numbers: Parameters<Txn['vouch']>[1]
  readonly outcomes: readonly Outcome[]
}

/** What is written of a message, and by whom. */
interface MessageFacts {
  readonly grant: Grant
  readonly digest: string
  readonly message: MessageSource
  /** The answer, which says what was left out of what was written. */
  readonly answered: (warnings: readonly Left[]) => string
  /** Written in the same transaction: what was answered. */
  readonly remember: (answer: string) => Parameters<Txn['document']>[0]
}

/**
 * Writes what a message says of all its patients, in one transaction: all of it or nothing.
 *
 * @returns the answer
 * @throws Problem whatever the record refuses
 */
export function commitMessage(parts: readonly PatientPart[], facts: MessageFacts, deps: RunDeps): Promise<string> {
  const items = parts.map(({ outcomes }) => outcomes.filter(isItem))
  return deps.record.writer(facts.grant, { imports: 'source' }).transact(async txn => {
    txn.note('import hl7v2')
    for (const { admit, told, patient, merged } of parts) {
      if (admit === undefined) await checkOnes(deps.record.documents, patient, merged)
      await admit?.(txn)
      told?.(txn)
    }
    const warnings: Left[] = []
    for (const [at, part] of parts.entries()) {
      const { former, lookUp, merged } = part
      txn.vouch(part.patient, part.numbers)
      const listed = { documents: deps.record.documents, patient: part.patient, merged, nowMs: deps.clock.nowMs() }
      const { validator } = deps
      const { sender } = facts.message
      const owner = ownerOf(facts.grant)
      const staging = { strict: true, validator, owner, former, lookUp, listed, sender }
      const committed = await stage(txn, items[at] ?? [], staging)
      const targets = [...new Set([...committed.created, ...committed.updated])]
      const isNew = part.admit !== undefined
      if (targets.length > 0 || isNew) await writeProvenance(txn, part, targets, facts, deps)
      warnings.push(...committed.warnings)
    }
    const answer = facts.answered(warnings)
    txn.document(facts.remember(answer), parts[0]?.patient)
    return answer
  })
}

function isItem(outcome: Outcome): outcome is Item {
  return outcome.kind === 'mapped' || outcome.kind === 'amend'
}

async function writeProvenance(
  txn: Txn,
  { patient, provenanceId: id }: PatientPart,
  written: readonly string[],
  { grant, digest, message }: MessageFacts,
  { clock }: RunDeps,
): Promise<void> {
  if ((await txn.existing('Provenance', [id])).size > 0) return
  const targets = written.filter(reference => reference !== `Patient/${patient}`)
  const facts = { id, patient, actor: grant.actor, format: 'hl7v2', digest, targets, message } as const
  await txn.create(provenanceOf({ ...facts, atMs: clock.nowMs() }), { id })
}
