/** Reads of which data a provision of a FHIR Consent speaks: single resources, and those of a time. https://hl7.org/fhir/R4/consent.html */
import { isDate, isId, parseDateInterval, parseReference } from '#fhir'
import { dateOfCare } from './clinical-dates.ts'
import { isCommonsType } from './commons-types.ts'
import type { Selection } from './consent-rule.ts'

interface Node {
  readonly [name: string]: unknown
}

interface Faults {
  /** The FHIR base by which references are read, without a closing slash. */
  readonly baseUrl: string
  add(expression: string, text: string): void
}

const dataElements: ReadonlySet<string> = new Set(['id', 'extension', 'meaning', 'reference'])

/** `related`, `dependents` and `authoredby` speak of what others refer to: https://hl7.org/fhir/R4/valueset-consent-data-meaning.html */
export function readInstances(data: readonly Node[], expression: string, faults: Faults): Pick<Selection, 'instances'> {
  if (data.length === 0) return {}
  const instances = data.flatMap((each, at) => {
    const place = `${expression}[${at}]`
    for (const name of Object.keys(each))
      if (!dataElements.has(name)) faults.add(`${place}.${name}`, 'What this changes is not known here.')
    if (each.meaning !== 'instance')
      faults.add(`${place}.meaning`, 'Of single resources their instance is known here: name each by itself.')
    const named = instanceNamed(each.reference, faults.baseUrl)
    if (named === undefined)
      faults.add(`${place}.reference`, 'It has to name a resource here that is of a patient, and no version of it.')
    return named ?? []
  })
  return { instances: [...new Set(instances)] }
}

/** What is nobody's is withheld from nobody. */
function instanceNamed(reference: unknown, baseUrl: string): string | undefined {
  const { reference: text } = (reference ?? {}) as Node
  if (typeof text !== 'string') return undefined
  const { kind, type, id, version } = parseReference(text, baseUrl)
  const isOne = kind === 'local' && type !== undefined && id !== undefined && isId(id) && version === undefined
  return isOne && !isCommonsType(type) ? `${type}/${id}` : undefined
}

/**
 * R4 does not say which of its dates a resource is meant by: here the date of care is, of types that have one and are named. What has none
 * would else be meant by some and not by others.
 */
export function readDated(
  period: unknown,
  types: readonly string[] | undefined,
  expression: string,
  faults: Faults,
): Pick<Selection, 'dated'> {
  if (period === undefined) return {}
  const { start, end } = (period ?? {}) as Node
  const from = start === undefined ? undefined : parseDateInterval(String(start))
  const until = end === undefined ? undefined : parseDateInterval(String(end))
  const isBroken = (start !== undefined && from === undefined) || (end !== undefined && until === undefined)
  if (isBroken || (from === undefined && until === undefined))
    faults.add(expression, 'It has to have a start or an end.')
  if (types === undefined || !types.every(type => dateOfCare(type) !== undefined))
    faults.add(expression, 'It bounds what has a date of care: name such types as classes beside it.')
  return {
    dated: {
      ...(from === undefined ? {} : { fromMs: from.fromMs }),
      ...(until === undefined ? {} : { untilMs: until.untilMs }),
      unzoned: [
        ...(isDate(String(start)) ? ['from' as const] : []),
        ...(isDate(String(end)) ? ['until' as const] : []),
      ],
    },
  }
}
