import { giveWay, Problem } from '#kernel'
import { type CodeSystem, type CodingFact, displayIn, isNameOf, type Member, Membership } from '#terminology'
import { granted } from '../perform.ts'
import type { FhirRequest, FhirResponse, PathParams, Rooms } from '../types.ts'
import { answerWith } from './answer.ts'
import { type Asked, type Forms, readAsked } from './asked.ts'
import { askedCodeSystem, askedCodings, askedValueSet } from './asked-about.ts'
import { definitionsFor, Holdings } from './holdings.ts'

const codeForms = {
  code: 'text',
  display: 'text',
  coding: 'Coding',
  codeableConcept: 'CodeableConcept',
  abstract: 'flag',
  displayLanguage: 'text',
} as const

/** What ValueSet/$validate-code takes. */
export const validateInValueSetForms: Forms = {
  ...codeForms,
  url: 'text',
  valueSet: 'resource',
  valueSetVersion: 'text',
  system: 'text',
  systemVersion: 'text',
}

/** What CodeSystem/$validate-code takes. */
export const validateInCodeSystemForms: Forms = { ...codeForms, url: 'text', codeSystem: 'resource', version: 'text' }

/** What is known of a code that is where it should be. */
type Known = Pick<Member, 'code' | 'display' | 'designations' | 'isAbstract' | 'isInactive'>

interface Verdict {
  readonly result: boolean
  readonly message?: string | undefined
  readonly display?: string | undefined
}

/**
 * Whether a code, or one of the codings of a concept, is in a value set.
 *
 * @throws Problem as `askedValueSet` and `askedCodings`; `invalid` · `terminology.system-unnamed` for a code without its system
 * @see https://hl7.org/fhir/R4/valueset-operation-validate-code.html
 */
export async function validateInValueSet(
  request: FhirRequest,
  params: PathParams,
  rooms: Rooms,
): Promise<FhirResponse> {
  const asked = await readAsked(request, validateInValueSetForms, rooms.validator)
  const holdings = new Holdings(granted(request), rooms)
  const codings = askedCodings(asked, { system: asked.text('system'), version: asked.text('systemVersion') })
  if (asked.has('code') && !asked.has('system'))
    throw new Problem('invalid', 'terminology.system-unnamed', 'A code needs its system beside it.', {
      expression: 'system',
    })
  const valueSet = await askedValueSet(asked, params, holdings)
  const membership = new Membership(await definitionsFor(valueSet, holdings, {}))
  return answerBest(await judged(codings, coding => inValueSet(membership, valueSet, coding, asked)))
}

/** Verdicts until one is good. */
async function judged(
  codings: readonly CodingFact[],
  judgeOne: (coding: CodingFact) => Verdict,
): Promise<readonly Verdict[]> {
  const verdicts: Verdict[] = []
  for (const coding of codings) {
    verdicts.push(judgeOne(coding))
    if (verdicts.at(-1)?.result === true) break
    const pause = giveWay()
    if (pause !== undefined) await pause
  }
  return verdicts
}

function inValueSet(
  membership: Membership,
  valueSet: Parameters<Membership['find']>[0],
  coding: CodingFact,
  asked: Asked,
): Verdict {
  if (coding.system === undefined) return no('A coding without a system is in no value set.')
  const finding = membership.find(valueSet, coding)
  if (finding.is === 'unknown') return no(`This cannot be told: ${finding.problem.text}`)
  return finding.is === 'in' ? judge(finding.member, coding, asked) : no('The code is not in the value set.')
}

/**
 * Whether a code, or one of the codings of a concept, is in a code system.
 *
 * @throws Problem as `askedCodeSystem` and `askedCodings`
 * @see https://hl7.org/fhir/R4/codesystem-operation-validate-code.html
 */
export async function validateInCodeSystem(
  request: FhirRequest,
  params: PathParams,
  rooms: Rooms,
): Promise<FhirResponse> {
  const asked = await readAsked(request, validateInCodeSystemForms, rooms.validator)
  const codings = askedCodings(asked, {})
  const [{ system: named, version } = {}] = codings
  const system = await askedCodeSystem(asked, params, new Holdings(granted(request), rooms), {
    url: asked.text('url') ?? named,
    version: asked.text('version') ?? version,
  })
  return answerBest(await judged(codings, coding => inCodeSystem(system, coding, asked)))
}

function inCodeSystem(system: CodeSystem, coding: CodingFact, asked: Asked): Verdict {
  if (coding.system !== undefined && coding.system !== system.url) return no('The coding is of another code system.')
  if (coding.version !== undefined && system.version !== undefined && coding.version !== system.version)
    return no('The coding is of another version of the code system.')
  const concept = system.find(coding.code ?? '')
  if (concept !== undefined) return judge(concept, coding, asked)
  return no(
    system.isComplete
      ? 'The code system has no such code.'
      : 'Only a part of the code system is held here, and the code is not in it.',
  )
}

function no(message: string, display?: string): Verdict {
  return { result: false, message, display }
}

function judge(known: Known, { display: given }: CodingFact, asked: Asked): Verdict {
  const display = displayIn(known, asked.text('displayLanguage'))
  if (known.isAbstract && asked.flag('abstract') !== true)
    return no('The code is abstract: it groups others and is not to be chosen.', display)
  if (given !== undefined && known.display !== undefined && !isNameOf(given, known))
    return no('The display is none of the names of the code.', display)
  return { result: true, display, message: known.isInactive ? 'The code is not in use any more.' : undefined }
}

/** One coding of a concept is enough; else the first one's reason is told. */
function answerBest(verdicts: readonly Verdict[]): FhirResponse {
  const { result, message, display } =
    verdicts.find(verdict => verdict.result) ?? verdicts[0] ?? no('The concept has no coding.')
  return answerWith([
    { name: 'result', valueBoolean: result },
    { name: 'message', valueString: message },
    { name: 'display', valueString: display },
  ])
}
