/** What a patient's Consents withhold from one grant, as criteria of rows. The one place where rules become what is seen. */
import { type Resource, resourceTypes } from '#fhir'
import { type Criterion, matches, type Sight } from '#search'
import type { Circumstances, ConsentRules, Recipient, Selection } from './consent-rule.ts'
import type { Role } from './roles.ts'
import { criteriaOf, type Place } from './selected.ts'

/** Who asks about a patient, as Consents name them. */
export interface Asker {
  /** The client id of the app. */
  readonly app: string | undefined
  readonly account: string | undefined
  /** As what that account keeps the patient. */
  readonly role: Role | undefined
  /** Whether it is who keeps the patient in their own right, by themself or by an app. */
  readonly isOwner: boolean
  /** Whether it is a client that acts for no account: it has to find out whose that is which it brings. */
  readonly isForNobody: boolean
}

/** A rule that counts for one who asks: nothing in it speaks of them, or of the time, any more. */
interface Counted {
  readonly consent: string
  readonly place: string
  readonly withheld: readonly Selection[]
  readonly permitted: readonly Selection[]
  /** Whether who the patient is stays to be seen. */
  readonly sparesPatient: boolean
}

/**
 * Resources that tell of others without being about them alone: where anything is withheld, these are withheld whole, for which of them
 * tell of it no row says by itself. Less is seen, never more.
 */
const tellers: ReadonlySet<string> = new Set(['AuditEvent', 'Binary', 'Bundle', 'Consent', 'Parameters', 'Provenance'])

/** No DomainResource, so that nothing lies within. */
const holdNothing: ReadonlySet<string> = new Set(['Binary', 'Bundle', 'Parameters'])

/** By which element of which Consent something is withheld, and whether that is all that was asked about, or of it what it says. */
export interface Reason {
  /** Id of the Consent. */
  readonly consent: string
  /** FHIRPath of its element. */
  readonly place: string
  readonly extent: 'part' | 'whole'
}

/** What is withheld of a type: nothing, all, or what fulfils one of these. */
type Hidden = 'nothing' | 'all' | Criterion

/** The rules about one patient that count for one who asks. */
export class Withholding {
  readonly #counted: readonly Counted[]
  readonly #hidden = new Map<string, Hidden>()
  readonly #sights = new WeakMap<Sight, Map<string, Sight>>()

  constructor(counted: readonly Counted[]) {
    this.#counted = counted
  }

  /** Ids of the Consents by which something is withheld. */
  get consents(): readonly string[] {
    return [...new Set(this.#counted.map(({ consent }) => consent))]
  }

  /** Why something is withheld, of a type if one is named. */
  reasons(type?: string): readonly Reason[] {
    return this.#counted.flatMap(rule => reasonOf(rule, type === undefined ? extentOf(rule) : extentAt(rule, type)))
  }

  /** Why a resource is withheld; none: it is not. */
  async reasonsFor(resource: Resource): Promise<readonly Reason[]> {
    const type = resource.resourceType
    const reasons: Reason[] = []
    for (const rule of this.#counted)
      if (tellers.has(type) || (await isHidden(rule, resource, type))) reasons.push(...reasonOf(rule, 'whole'))
    return reasons
  }

  /** Whether every resource of a type is seen, whatever it says. */
  isSilentOn(type: string): boolean {
    return this.#of(type) === 'nothing'
  }

  /** What is left of a sight. The same object each time. */
  narrow(sight: Sight, type: string): Sight {
    const known = this.#sights.get(sight) ?? new Map<string, Sight>()
    this.#sights.set(sight, known)
    const narrowed = known.get(type) ?? narrowedBy(this.#of(type), sight)
    known.set(type, narrowed)
    return narrowed
  }

  /** Whether a resource is withheld for what it says itself, or for what lies within it. */
  async withholds(resource: Resource): Promise<boolean> {
    const type = resource.resourceType
    const hidden = this.#of(type)
    if (typeof hidden === 'string') return hidden === 'all'
    for (const rule of this.#counted) if (await isHidden(rule, resource, type)) return true
    return false
  }

  #of(type: string): Hidden {
    const known = this.#hidden.get(type)
    if (known !== undefined) return known
    const hidden = tellers.has(type) ? 'all' : hiddenOf(this.#counted, type)
    this.#hidden.set(type, hidden)
    return hidden
  }
}

function reasonOf({ consent, place }: Counted, extent: Reason['extent'] | undefined): readonly Reason[] {
  return extent === undefined ? [] : [{ consent, place, extent }]
}

function extentOf({ withheld, permitted, sparesPatient }: Counted): Reason['extent'] {
  // A time has types beside it.
  const isLimited = withheld.some(
    ({ types, codes, labels, instances }) => (types ?? codes ?? labels ?? instances) !== undefined,
  )
  return isLimited || permitted.length > 0 || sparesPatient ? 'part' : 'whole'
}

function extentAt(rule: Counted, type: string): Reason['extent'] | undefined {
  if (tellers.has(type)) return 'whole'
  const hidden = hiddenOf([rule], type)
  if (typeof hidden === 'string') return hidden === 'all' ? 'whole' : undefined
  return 'part'
}

function narrowedBy(hidden: Hidden, sight: Sight): Sight {
  if (hidden === 'nothing' || sight.kind === 'none') return sight
  if (hidden === 'all') return { kind: 'none' }
  const shown: Criterion = { kind: 'not', criterion: hidden }
  if (sight.kind === 'all') return { ...sight, kind: 'some', anyOf: [[shown]] }
  return { ...sight, anyOf: sight.anyOf.map(criteria => [...criteria, shown]) }
}

function hiddenOf(counted: readonly Counted[], type: string): Hidden {
  const anyOf: (readonly Criterion[])[] = []
  for (const rule of counted) {
    const own = hiddenBy(rule, type)
    if (own?.length === 0) return 'all'
    if (own !== undefined) anyOf.push(own)
    if (!holdNothing.has(type)) anyOf.push(...hiddenWithin(rule))
  }
  return anyOf.length === 0 ? 'nothing' : { kind: 'any', anyOf }
}

const within = new WeakMap<Counted, readonly (readonly Criterion[])[]>()

/** What lies within another resource is seen with it, and has no label of its own: https://hl7.org/fhir/R4/references.html#contained */
function hiddenWithin(rule: Counted): readonly (readonly Criterion[])[] {
  const known = within.get(rule)
  if (known !== undefined) return known
  const found = resourceTypes.flatMap((type): readonly (readonly Criterion[])[] => {
    const criteria = hiddenBy(rule, type, 'within another')
    return criteria === undefined ? [] : [[{ kind: 'holding', name: '_contained', type, criteria }]]
  })
  within.set(rule, found)
  return found
}

/** What a row of a type fulfils that a rule withholds; undefined for a rule that is silent on the type. */
function hiddenBy(
  { withheld, permitted, sparesPatient }: Counted,
  type: string,
  place: Place = 'by itself',
): readonly Criterion[] | undefined {
  if (sparesPatient && type === 'Patient') return undefined
  const hidden: Criterion[] = []
  for (const selection of withheld) {
    const criteria = criteriaOf(selection, { type, place, isWithheld: true })
    if (criteria === undefined) return undefined
    hidden.push(...criteria)
  }
  const shown = permitted
    .map(selection => criteriaOf(selection, { type, place, isWithheld: false }))
    .filter(criteria => criteria !== undefined)
  if (shown.some(criteria => criteria.length === 0)) return undefined
  return shown.length === 0 ? hidden : [...hidden, { kind: 'not', criterion: { kind: 'any', anyOf: shown } }]
}

async function isHidden(rule: Counted, resource: Resource, type: string): Promise<boolean> {
  const own = hiddenBy(rule, type)
  if (own !== undefined && (await matches(resource, own))) return true
  const { contained } = resource
  for (const each of Array.isArray(contained) ? (contained as readonly Resource[]) : []) {
    const criteria = hiddenBy(rule, each.resourceType, 'within another')
    if (criteria !== undefined && (await matches(each, criteria))) return true
  }
  return false
}

/** The rules of a patient as they count for one who asks at a moment, and until when that holds by the clock. */
export function withholdingFor(
  consents: readonly ConsentRules[],
  asker: Asker,
  nowMs: number,
): { readonly withholding: Withholding | undefined; readonly untilMs: number } {
  const counted: Counted[] = []
  let untilMs = Number.POSITIVE_INFINITY
  for (const { consent, rules } of consents)
    for (const { place, withheld, unless, ...when } of rules) {
      for (const each of [when, ...unless]) untilMs = Math.min(untilMs, nextTurn(each, nowMs))
      if (!isDuring(when, nowMs) || !concerns(when, asker)) continue
      const counting = unless.filter(each => isDuring(each, nowMs) && names(each, asker))
      const permitted = counting.map(each => each.permitted)
      counted.push({ consent, place, withheld, permitted, sparesPatient: sparesPatient({ ...when, withheld }, asker) })
    }
  return { withholding: counted.length === 0 ? undefined : new Withholding(counted), untilMs }
}

function isDuring(
  { fromMs = Number.NEGATIVE_INFINITY, untilMs = Number.POSITIVE_INFINITY }: Circumstances,
  nowMs: number,
) {
  return fromMs <= nowMs && nowMs < untilMs
}

function nextTurn({ fromMs, untilMs }: Circumstances, nowMs: number): number {
  const turns = [fromMs, untilMs].filter(each => each !== undefined && each > nowMs)
  return Math.min(Number.POSITIVE_INFINITY, ...(turns as readonly number[]))
}

/** What speaks of everybody and everything does not keep a hospital's messages from the patient whom they are about. */
function sparesPatient(
  { recipients, withheld }: Circumstances & Pick<Counted, 'withheld'>,
  { isForNobody }: Asker,
): boolean {
  return isForNobody && recipients.length === 0 && withheld.every(each => (each.types ?? each.instances) === undefined)
}

/** From an owner nothing is withheld but what an app is not to have. */
function concerns({ recipients }: Circumstances, asker: Asker): boolean {
  if (!asker.isOwner) return names({ recipients }, asker)
  return recipients.some(list => list.some(({ kind }) => kind === 'app')) && names({ recipients }, asker, true)
}

/** Whether every list names who asks; without any it is everybody. */
function names({ recipients }: Circumstances, asker: Asker, byAppAlone = false): boolean {
  return recipients.every(list => list.some(recipient => isNamed(recipient, asker, byAppAlone)))
}

function isNamed({ kind, value }: Recipient, { app, account, role }: Asker, byAppAlone: boolean): boolean {
  if (kind === 'app') return app === value
  return !byAppAlone && (kind === 'account' ? account === value : role === value)
}
