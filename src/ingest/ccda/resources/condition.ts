import type { Steps } from '#kernel'
import type { Node } from '../../hl7v2/drafts.ts'
import { absence, conceptOf, referredText, spanOf } from '../data-types.ts'
import type { CdaElement } from '../element.ts'
import { codeOf, eachOf, isOfPatient, nested, nestedOf, type Scene, useStatus } from '../scene.ts'
import { type EntryRow, inSet } from '../tables.ts'
import { ageOf } from './age.ts'
import { membersOf } from './members.ts'

const templates = {
  problem: '2.16.840.1.113883.10.20.22.4.4',
  status: '2.16.840.1.113883.10.20.22.4.6',
  severity: '2.16.840.1.113883.10.20.22.4.8',
  age: '2.16.840.1.113883.10.20.22.4.31',
  diagnosed: '2.16.840.1.113883.10.20.22.4.502',
} as const

const clinical = 'http://terminology.hl7.org/CodeSystem/condition-clinical'
const verification = 'http://terminology.hl7.org/CodeSystem/condition-ver-status'
const category = 'http://terminology.hl7.org/CodeSystem/condition-category'
const assertedUrl = 'http://hl7.org/fhir/StructureDefinition/condition-assertedDate'
const concernCategory = 'http://hl7.org/fhir/us/core/CodeSystem/condition-category'

/** A concern, or an act that says as what a diagnosis was made: each problem in it is a Condition. */
export function* mapProblems(scene: Scene, act: CdaElement, row: EntryRow | undefined): Steps<string | undefined> {
  const all = nested(act).filter(one => one.name === 'observation' && !one.is(templates.status))
  const problems = all.filter(isOfPatient)
  const stated = problems.filter(one => one.is(templates.problem))
  const parts = stated.length > 0 ? stated : problems
  const [first, ...others] = yield* eachOf(parts, one => mapProblem(scene, one, row, act))
  useStatus(act)
  act.find('code')?.use('all')
  const own = all.length > 0 ? first : statedByText(scene, act, row)
  yield* scene.rest(act, parts)
  return own ?? others[0]
}

/** A concern without a problem in it is what its words say. */
function statedByText(scene: Scene, act: CdaElement, row: EntryRow | undefined): string | undefined {
  const text = referredText(act.find('text'), scene)
  if (text === undefined) return undefined
  const { who, at } = scene.authorOf(act)
  return scene.keep('Condition', act, {
    clinicalStatus: clinicalOf(inSet('concern-problem-status', act.find('statusCode')?.use())?.code ?? 'active'),
    category: categoriesOf(scene, row),
    code: { text },
    subject: scene.subject,
    recordedDate: at,
    recorder: who,
  })
}

/**
 * Problem Observation → Condition.
 *
 * @param concern  the act in which it stands
 * @see            https://hl7.org/fhir/us/ccda/CF-problems.html
 */
export function* mapProblem(
  scene: Scene,
  observation: CdaElement,
  row: EntryRow | undefined,
  concern?: CdaElement,
): Steps<string | undefined> {
  const [value, ...others] = observation.all('value')
  const isNegated = observation.attributes.negationInd === 'true'
  const none = isNegated ? inSet('no-known-problem', value) : undefined
  const stated = conceptOf(value, scene)
  const more = others.flatMap(other => conceptOf(other, scene)?.coding ?? [])
  const narrative = referredText(observation.find('text'), scene)
  const span = spanOf(observation.find('effectiveTime'), scene)
  const time = { start: span.start ?? span.at, end: span.end }
  const statuses = nestedOf(observation, templates.status, '33999-4')
  const severities = nestedOf(observation, templates.severity, 'SEV')
  const ages = nestedOf(observation, templates.age, '445518008')
  const diagnosed = nestedOf(observation, templates.diagnosed, '77975-1')
  const { who, at } = scene.authorWithin(observation, concern)
  useStatus(observation)
  const code = stated ?? (narrative === undefined ? absence(value?.nullFlavor) : { text: narrative })
  const parts = [...statuses, ...severities, ...ages, ...diagnosed]
  const condition = {
    extension: assertedOf(scene, diagnosed),
    ...statusOf(scene, { observation, concern, statuses, isNegated: isNegated && none === undefined, time, span }),
    category: categoriesOf(scene, row, observation),
    severity: conceptOf(partValue(severities), scene),
    code: none === undefined ? withCodings(code as Node, more) : { coding: [none], text: none.display },
    subject: scene.subject,
    ...(stated === undefined ? {} : scene.narrative(observation)),
    ...onsetOf(scene, time.start, ages, span.absent),
    ...abatementOf(time.end, span.endAbsent),
    recordedDate: at,
    recorder: who,
    bodySite: observation.all('targetSiteCode').flatMap(site => conceptOf(site, scene) ?? []),
    ...scene.notesOf(observation),
    ...evidenceOf(yield* scene.rest(observation, parts)),
  }
  for (const part of parts) useWhole(part)
  return scene.keep('Condition', observation, condition)
}

/** When the diagnosis was made. */
function assertedOf(scene: Scene, acts: readonly CdaElement[]): readonly Node[] {
  const span = spanOf(acts[0]?.find('effectiveTime'), scene)
  const valueDateTime = span.at ?? span.start
  return valueDateTime === undefined ? [] : [{ url: assertedUrl, valueDateTime }]
}

/** What else stands beside a problem is evidence of it where it is an observation. */
function evidenceOf(references: readonly string[]): Node {
  const evidence = membersOf(references).map(reference => ({ detail: [reference] }))
  return evidence.length === 0 ? {} : { evidence }
}

function withCodings(code: Node, more: readonly object[]): Node {
  return more.length === 0 ? code : { ...code, coding: [...((code.coding as object[] | undefined) ?? []), ...more] }
}

/** The value of the first of some observations that say one thing of what they stand in. */
export function partValue([part]: readonly CdaElement[]): CdaElement | undefined {
  return part?.find('value')
}

/** What is made of a part is its value; its number, code and words say no more. When it was so is told where nothing has read it. */
export function useWhole(part: CdaElement): void {
  for (const name of ['id', 'code', 'text', 'statusCode']) for (const one of part.all(name)) one.use('all')
}

interface Stated {
  readonly observation: CdaElement
  readonly concern: CdaElement | undefined
  readonly statuses: readonly CdaElement[]
  readonly isNegated: boolean
  readonly time: { readonly start: string | undefined; readonly end: string | undefined }
  readonly span: { readonly endAbsent?: string }
}

const over: ReadonlySet<string> = new Set(['inactive', 'resolved', 'remission'])

/** Its own status, else that it has ended, else the status of the concern: https://hl7.org/fhir/us/ccda/CF-problems.html */
function statusOf(scene: Scene, { observation, concern, statuses, isNegated, time, span }: Stated): Node {
  const isVoid = [observation, concern].some(one => one?.find('statusCode')?.attribute('code') === 'nullified')
  if (isVoid) return { verificationStatus: { coding: [{ system: verification, code: 'entered-in-error' }] } }
  const said = inSet('problem-status', partValue(statuses))?.code
  if (said !== undefined) partValue(statuses)?.use('all')
  const hasEnded = time.end !== undefined || span.endAbsent === 'UNK'
  const ofConcern = inSet('concern-problem-status', concern?.find('statusCode'))?.code
  const status = said ?? (hasEnded ? 'resolved' : (ofConcern ?? 'active'))
  // con-4: what has ended is not active.
  const settled = hasEnded && !over.has(status) ? 'inactive' : status
  if (settled !== status) scene.warn(`${scene.row}: it has ended and is said to be ${status}; it is kept as inactive.`)
  const known = isNegated ? 'refuted' : 'confirmed'
  return {
    clinicalStatus: clinicalOf(settled),
    verificationStatus: { coding: [{ system: verification, code: known }] },
  }
}

function clinicalOf(code: string): Node {
  return { coding: [{ system: clinical, code }] }
}

function categoriesOf(scene: Scene, row: EntryRow | undefined, observation?: CdaElement): readonly Node[] {
  const code = row?.condition ?? scene.sectionRow?.condition ?? 'problem-list-item'
  const system = code === 'health-concern' ? concernCategory : category
  const type = observation === undefined || codeOf(observation) === 'ASSERTION' ? undefined : observation.find('code')
  observation?.find('code')?.use()
  const own = conceptOf(type, scene)
  return [{ coding: [{ system, code }] }, ...(own === undefined ? [] : [own as Node])]
}

function onsetOf(scene: Scene, start: string | undefined, ages: readonly CdaElement[], absent?: string): Node {
  const age = ageOf(partValue(ages))
  if (start !== undefined) {
    if (age === undefined) return { onsetDateTime: start }
    scene.warn(`${scene.row}: the age at its onset stands beside a date of it, and was left out.`)
    return { onsetDateTime: start }
  }
  if (age !== undefined) return { onsetAge: age }
  return absent === undefined ? {} : { _onsetDateTime: absence(absent) }
}

function abatementOf(end: string | undefined, absent: string | undefined): Node {
  if (end !== undefined) return { abatementDateTime: end }
  return absent === 'UNK' ? { _abatementDateTime: absence(absent) } : {}
}
