/** Reads what a FHIR Consent rules. https://hl7.org/fhir/R4/consent.html */
import { isId, parseDateInterval, parseReference, type Resource, resourceTypes } from '#fhir'
import type { ProblemIssue } from '#kernel'
import { readDated, readInstances } from './consent-data.ts'
import type { Circumstances, ConsentRule, Recipient, RecipientKind, Selection } from './consent-rule.ts'
import { stricterThan, withNarrower } from './labels.ts'
import { roles } from './roles.ts'

/** What a Consent rules: nothing, these rules about one patient, or what cannot be acted upon and why. */
export type ConsentReading =
  | { readonly kind: 'nothing' }
  | { readonly kind: 'rules'; readonly patient: string; readonly rules: readonly ConsentRule[] }
  | { readonly kind: 'refused'; readonly issues: readonly ProblemIssue[] }

/** What the identifiers of `provision.actor.reference` are of: the names that AuditEvents have for those who asked. */
const recipientSystems: Readonly<Record<string, RecipientKind>> = {
  'https://kinhold.org/fhir/client': 'app',
  'https://kinhold.org/fhir/actor': 'account',
  'https://kinhold.org/fhir/role': 'role',
}

const systems = {
  scope: 'http://terminology.hl7.org/CodeSystem/consentscope',
  participation: 'http://terminology.hl7.org/CodeSystem/v3-ParticipationType',
  policy: 'http://terminology.hl7.org/CodeSystem/v3-ActCode',
  types: 'http://hl7.org/fhir/resource-types',
} as const

/** Actors who are told something; others (who keeps it, who wrote it) are about what this server does not know of a request. */
const receiving: ReadonlySet<unknown> = new Set(['IRCP', 'PRCP'])

interface Node {
  readonly [name: string]: unknown
}

/** What is read of a provision; whatever else it has would narrow or widen it, and is refused. */
const provisionElements: ReadonlySet<string> = new Set([
  'id',
  'extension',
  'type',
  'period',
  'actor',
  'class',
  'code',
  'securityLabel',
  'dataPeriod',
  'data',
  'provision',
])

/** Faults that are found on the way, by the element where they lie. */
class Faults {
  readonly issues: ProblemIssue[] = []
  /** By which references are read. */
  readonly baseUrl: string

  constructor(baseUrl: string) {
    this.baseUrl = baseUrl
  }

  add(expression: string, text: string): void {
    this.issues.push({ severity: 'error', type: 'business-rule', text, expression })
  }
}

/**
 * What a Consent rules while it is active: a base (root provision, or `policyRule` OPTIN or OPTOUT), and one level of exceptions to
 * it. Of anything that this server could not act upon exactly it says why, and no value.
 *
 * @param baseUrl  the FHIR base without a closing slash
 */
export function readConsent(consent: Resource, baseUrl: string): ConsentReading {
  const { provision, policyRule } = consent
  if (!isAboutPrivacy(consent) || (provision === undefined && policyRule === undefined)) return { kind: 'nothing' }
  const faults = new Faults(baseUrl)
  const patient = patientOf(consent, faults)
  for (const name of ['modifierExtension', 'implicitRules', 'policy'])
    if (consent[name] !== undefined) faults.add(`Consent.${name}`, beyondText[name] ?? '')
  const rules = readRules(consent, faults)
  if (faults.issues.length > 0 || patient === undefined) return { kind: 'refused', issues: faults.issues }
  return { kind: 'rules', patient, rules }
}

const beyondText: Readonly<Record<string, string>> = {
  modifierExtension: 'What this extension changes is not known here.',
  implicitRules: 'Other rules than those of FHIR are not known here.',
  policy: 'What a policy elsewhere says is not known here: say it as policyRule OPTIN or OPTOUT, and by provisions.',
}

/** An active rule about privacy that a machine is to follow. @see https://hl7.org/fhir/R4/consent.html#6.2.3 */
function isAboutPrivacy({ status, scope }: Resource): boolean {
  return status === 'active' && codingsIn(scope).some(({ code }) => code === 'patient-privacy')
}

function patientOf({ patient }: Resource, faults: Faults): string | undefined {
  const text = (patient as Node | undefined)?.reference
  const { kind, type, id } = typeof text === 'string' ? parseReference(text, faults.baseUrl) : { kind: 'none' as const }
  if (kind === 'local' && type === 'Patient' && id !== undefined && isId(id)) return id
  faults.add('Consent.patient', 'It has to name a Patient who is kept here.')
  return undefined
}

type Base = 'permit' | 'deny'

function readRules({ provision, policyRule }: Resource, faults: Faults): readonly ConsentRule[] {
  const root = isNode(provision) ? provision : {}
  const policy = readPolicy(policyRule, faults)
  const said = readType(root.type, 'Consent.provision.type', faults)
  const base = said ?? policy
  if (base === undefined) {
    faults.add('Consent.provision.type', 'It has to be said whether the base is permit or deny.')
    return []
  }
  if (policy === 'deny' && said !== undefined && !(said === 'deny' && isWithoutLimit(root)))
    faults.add(
      'Consent.policyRule',
      'OPTOUT and the type of the root provision can be read in two ways: say one of them.',
    )
  const context = readProvision(root, 'Consent.provision', base, faults)
  const nested = listOf(root.provision)
  if (base === 'permit' && nested.length === 0)
    faults.add('Consent.provision', 'It withholds nothing: access is given by whoever lets an app or a person in.')
  const exceptions = nested.map((each, at) => readException(each, `Consent.provision.provision[${at}]`, base, faults))
  if (base === 'deny') {
    const unless = exceptions.map(({ selection, ...when }) => ({ ...when, permitted: selection }))
    const { selection, ...when } = context
    const place = said === undefined ? 'Consent.policyRule' : 'Consent.provision'
    return [{ place, ...when, withheld: [selection], unless }]
  }
  return exceptions.map((exception, at) => ({
    place: `Consent.provision.provision[${at}]`,
    ...bothOf(context, exception),
  }))
}

function isWithoutLimit(root: Node): boolean {
  return Object.keys(root).every(name => ['id', 'type', 'provision'].includes(name))
}

/** The code of https://hl7.org/fhir/R4/valueset-consent-policy.html that says what holds where no provision does. */
function readPolicy(policyRule: unknown, faults: Faults): Base | undefined {
  if (policyRule === undefined) return undefined
  const codings = codingsIn(policyRule)
  const [coding] = codings
  if (codings.length === 1 && coding?.system === systems.policy) {
    if (coding.code === 'OPTIN') return 'permit'
    if (coding.code === 'OPTOUT') return 'deny'
  }
  faults.add('Consent.policyRule', 'Of policies OPTIN and OPTOUT are known here.')
  return undefined
}

function readType(type: unknown, expression: string, faults: Faults): Base | undefined {
  if (type === undefined || type === 'permit' || type === 'deny') return type
  faults.add(expression, 'It has to be permit or deny.')
  return undefined
}

interface Provision extends Circumstances {
  readonly selection: Selection
}

/** One that is of the same type as the base has no effect, or another one than its author thinks. */
function readException(node: Node, expression: string, base: Base, faults: Faults): Provision {
  const type = readType(node.type, `${expression}.type`, faults)
  if (type === base || type === undefined)
    faults.add(`${expression}.type`, 'A provision within the root has to say the opposite of the base.')
  if (node.provision !== undefined) faults.add(`${expression}.provision`, 'Provisions are nested once, and not deeper.')
  return readProvision(node, expression, base === 'permit' ? 'deny' : 'permit', faults)
}

function readProvision(node: Node, expression: string, type: Base, faults: Faults): Provision {
  for (const name of Object.keys(node))
    if (!provisionElements.has(name))
      faults.add(`${expression}.${name.replace(/^_/, '')}`, 'What this limits cannot be acted upon here.')
  const recipients = readActors(listOf(node.actor), `${expression}.actor`, faults)
  const classes = readClasses(listOf(node.class), `${expression}.class`, faults)
  return {
    recipients: recipients === undefined ? [] : [recipients],
    ...readPeriod(node.period, `${expression}.period`, faults),
    selection: {
      ...classes,
      ...readCodes(listOf(node.code), `${expression}.code`, faults),
      ...readLabels(listOf(node.securityLabel), `${expression}.securityLabel`, type, faults),
      ...readDated(node.dataPeriod, classes.types, `${expression}.dataPeriod`, faults),
      ...readInstances(listOf(node.data), `${expression}.data`, faults),
    },
  }
}

function readActors(actors: readonly Node[], expression: string, faults: Faults): readonly Recipient[] | undefined {
  if (actors.length === 0) return undefined
  return actors.flatMap(({ role, reference, modifierExtension }, at) => {
    const place = `${expression}[${at}]`
    if (modifierExtension !== undefined) faults.add(`${place}.modifierExtension`, beyondText.modifierExtension ?? '')
    const isReceiving = codingsIn(role).some(
      ({ system, code }) => system === systems.participation && receiving.has(code),
    )
    if (!isReceiving) faults.add(`${place}.role`, 'Of actors those are known who are told: IRCP or PRCP.')
    return readRecipient(reference, `${place}.reference`, faults) ?? []
  })
}

function readRecipient(reference: unknown, expression: string, faults: Faults): Recipient | undefined {
  const { identifier, reference: address } = isNode(reference) ? reference : {}
  const { system, value } = isNode(identifier) ? identifier : {}
  const kind =
    typeof system === 'string' && Object.hasOwn(recipientSystems, system) ? recipientSystems[system] : undefined
  if (address !== undefined || kind === undefined || typeof value !== 'string' || value === '') {
    const text = `Who it is has to be said by an identifier alone, of one of these systems: ${Object.keys(recipientSystems).join(', ')}.`
    faults.add(expression, text)
    return undefined
  }
  if (kind === 'role' && !(roles as readonly string[]).includes(value)) {
    faults.add(`${expression}.identifier.value`, `Roles are ${roles.join(', ')}.`)
    return undefined
  }
  if (kind === 'role' && value === 'owner') {
    faults.add(`${expression}.identifier.value`, 'Nothing is withheld from who keeps the patient in their own right.')
    return undefined
  }
  return { kind, value }
}

function readPeriod(period: unknown, expression: string, faults: Faults): Pick<Circumstances, 'fromMs' | 'untilMs'> {
  if (period === undefined) return {}
  const { start, end } = isNode(period) ? period : {}
  const from = start === undefined ? undefined : parseDateInterval(String(start))
  const until = end === undefined ? undefined : parseDateInterval(String(end))
  const isBroken = (start !== undefined && from === undefined) || (end !== undefined && until === undefined)
  if (isBroken || (start === undefined && end === undefined))
    faults.add(expression, 'It has to have a start or an end.')
  return {
    ...(from === undefined ? {} : { fromMs: from.fromMs }),
    ...(until === undefined ? {} : { untilMs: until.untilMs }),
  }
}

function readClasses(classes: readonly Node[], expression: string, faults: Faults): Pick<Selection, 'types'> {
  if (classes.length === 0) return {}
  const known = classes.filter(({ system, code }) => system === systems.types && resourceTypes.includes(String(code)))
  if (known.length < classes.length) faults.add(expression, `Classes are resource types of R4, of ${systems.types}.`)
  return { types: [...new Set(known.map(({ code }) => String(code)))] }
}

function readCodes(concepts: readonly Node[], expression: string, faults: Faults): Pick<Selection, 'codes'> {
  if (concepts.length === 0) return {}
  return {
    codes: concepts.flatMap((concept, at) => {
      const codings = codingsIn(concept)
      const texts = codings.map(searchValueOf).filter(text => text !== undefined)
      if (texts.length === 0 || texts.length < codings.length)
        faults.add(`${expression}[${at}]`, 'A code has to have a system and a code.')
      return texts
    }),
  }
}

/** In a deny a label means itself and whatever is stricter or a kind of it; in a permit itself alone. */
function readLabels(
  labels: readonly Node[],
  expression: string,
  type: Base,
  faults: Faults,
): Pick<Selection, 'labels'> {
  if (labels.length === 0) return {}
  const found = labels.flatMap((label, at): readonly Node[] => {
    const stricter = stricterThan(label)
    if (stricter === 'unclear' || (stricter !== undefined && type === 'permit')) {
      faults.add(
        `${expression}[${at}]`,
        'Of confidentiality R and V can be withheld; the rest is what is not labelled.',
      )
      return []
    }
    if (stricter !== undefined) return [label, ...stricter]
    return type === 'deny' ? [label, ...withNarrower(label)] : [label]
  })
  const texts = found.map(searchValueOf).filter(text => text !== undefined)
  if (texts.length < found.length) faults.add(expression, 'A label has to have a system and a code.')
  return { labels: [...new Set(texts)] }
}

/** What fulfils a context and an exception to it: withheld while both count. */
function bothOf(context: Provision, exception: Provision): Omit<ConsentRule, 'place'> {
  const fromMs = Math.max(context.fromMs ?? Number.NEGATIVE_INFINITY, exception.fromMs ?? Number.NEGATIVE_INFINITY)
  const untilMs = Math.min(context.untilMs ?? Number.POSITIVE_INFINITY, exception.untilMs ?? Number.POSITIVE_INFINITY)
  return {
    recipients: [...context.recipients, ...exception.recipients],
    ...(Number.isFinite(fromMs) ? { fromMs } : {}),
    ...(Number.isFinite(untilMs) ? { untilMs } : {}),
    withheld: [context.selection, exception.selection],
    unless: [],
  }
}

/** `system|code` as a value of a search: https://hl7.org/fhir/R4/search.html#escaping */
function searchValueOf({ system, code }: Node): string | undefined {
  if (typeof system !== 'string' || typeof code !== 'string' || system === '' || code === '') return undefined
  return [system, code].map(text => text.replace(/[\\,|$]/g, '\\$&')).join('|')
}

function codingsIn(concept: unknown): readonly Node[] {
  return isNode(concept) ? listOf(concept.coding) : []
}

function listOf(value: unknown): readonly Node[] {
  return Array.isArray(value) ? value.filter(isNode) : []
}

function isNode(value: unknown): value is Node {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
