import { type ConsentRules, type Grant, type Role, readConsent } from '#access'
import type { Resource } from '#fhir'
import { Problem } from '#kernel'
import type { Holder } from '#search'
import type { DocumentDraft } from '#vault'
import type { Reach } from '../reading/reach.ts'
import type { Consents } from '../registry/consents.ts'

type Rules = ConsentRules['rules']

/** Whoever keeps a patient so may say what is withheld from others. */
const ruling: ReadonlySet<Role | undefined> = new Set(['owner', 'guardian'])

/** The Consents that a transaction writes: what they rule is kept in its commit, and ends with them. */
export class ConsentsWritten {
  readonly #grant: Grant
  readonly #consents: Consents
  readonly #reach: Reach
  readonly #isMoving: boolean
  /** By patient, and there by Consent. */
  readonly #changed = new Map<string, Map<string, Rules | undefined>>()

  constructor(grant: Grant, rooms: { readonly consents: Consents; readonly reach: Reach; readonly isMoving: boolean }) {
    this.#grant = grant
    this.#consents = rooms.consents
    this.#reach = rooms.reach
    this.#isMoving = rooms.isMoving
  }

  /**
   * Takes in a version of a Consent, or that it is there no more.
   *
   * @throws Problem `unprocessable` · `record.consent-unenforceable`; `forbidden` · `record.consent-foreign`
   */
  async written(id: string, resource: Resource | undefined, holders: readonly Holder[]): Promise<void> {
    const reading = resource === undefined ? undefined : readConsent(resource, this.#reach.baseUrl)
    if (reading?.kind === 'refused' && !this.#isMoving) throw unenforceable(reading.issues)
    const rules = reading?.kind === 'rules' ? reading.rules : undefined
    for (const { patient } of holders) {
      if (patient === undefined) continue
      if (rules === undefined && !(await this.#consents.has(patient, id))) continue
      if (!this.#isMoving) await this.#checkRuling(patient)
      const changed = this.#changed.get(patient) ?? new Map<string, Rules | undefined>()
      this.#changed.set(patient, changed.set(id, rules))
    }
  }

  /** What is to be committed with them. */
  writes(): Promise<readonly DocumentDraft[]> {
    return this.#consents.changing(this.#changed)
  }

  /**
   * Whoever something is withheld from must not change what withholds it; nor may who keeps the patient in a lesser role, or is asked in
   * nobody's name. Who brings a new patient keeps them.
   */
  async #checkRuling(patient: string): Promise<void> {
    const { account, withheld } = this.#grant
    if (account === undefined || withheld?.has(patient) === true) throw consentForeign()
    const role = await this.#consents.roleIn(account, patient)
    if (role === undefined && (await this.#reach.pairOf(patient)) === undefined) return
    if (!ruling.has(role)) throw consentForeign()
  }
}

function unenforceable(issues: Problem['issues']): Problem {
  return new Problem(
    'unprocessable',
    'record.consent-unenforceable',
    'The Consent rules what cannot be acted upon here: it would be kept without effect.',
    { issues, expression: issues.flatMap(({ expression = [] }) => expression) },
  )
}

function consentForeign(): Problem {
  const text = 'Only who keeps the patient as owner or guardian, and sees all of theirs, may say what is withheld.'
  return new Problem('forbidden', 'record.consent-foreign', text, { expression: 'Consent.provision' })
}
