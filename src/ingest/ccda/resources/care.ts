import type { Steps } from '#kernel'
import { combined, compact, Draft, type Node } from '../../hl7v2/drafts.ts'
import { absence, conceptOf, identifiersOf, periodOf, referredText, spanOf, valueIn } from '../data-types.ts'
import { type CdaElement, ownTextOf } from '../element.ts'
import { addressesOf, organizationIn, partyOf, relatedOf, telecomsOf } from '../people.ts'
import { eachOf, nested, nestedOf, type Scene, useStatus } from '../scene.ts'
import { type EntryRow, inSet } from '../tables.ts'
import { useWhole } from './condition.ts'

const templates = {
  policy: '2.16.840.1.113883.10.20.22.4.61',
  payer: '2.16.840.1.113883.10.20.22.4.87',
  progress: '2.16.840.1.113883.10.20.22.4.110',
  priority: '2.16.840.1.113883.10.20.22.4.143',
  member: '2.16.840.1.113883.10.20.22.4.500.1',
} as const

/** Goal Observation → Goal. */
export function* mapGoal(scene: Scene, goal: CdaElement, _row: EntryRow | undefined): Steps<string | undefined> {
  const { who } = scene.authorOf(goal)
  const status = goal.find('statusCode')?.use()
  const value = goal.find('value')
  const code = conceptOf(goal.find('code'), scene) as Node | undefined
  const said = value && valueIn(value, scene)
  const text = referredText(goal.find('text'), scene)
  const { at, start = at, end } = spanOf(goal.find('effectiveTime'), scene)
  const progress = nestedOf(goal, templates.progress)
  const priorities = nestedOf(goal, templates.priority)
  useStatus(goal)
  const words = text === undefined ? undefined : { text }
  const kept = scene.keep('Goal', goal, {
    lifecycleStatus: inSet('goal-status', status)?.code ?? 'active',
    achievementStatus: progress.flatMap(one => conceptOf(one.find('value'), scene) ?? [])[0],
    priority: priorities.flatMap(one => conceptOf(one.find('value'), scene) ?? [])[0],
    description: words ?? (said?.valueCodeableConcept as Node | undefined) ?? code ?? absence('NI'),
    subject: scene.subject,
    startDate: start?.slice(0, 10),
    target: targetOf(code, said, end?.slice(0, 10)),
    expressedBy: who,
    ...scene.notesOf(goal),
  })
  for (const one of [...progress, ...priorities]) useWhole(one)
  yield* scene.rest(goal, [...progress, ...priorities])
  return kept
}

/** What is to be reached, and by when: a measure with its value. */
function targetOf(measure: Node | undefined, said: Node | undefined, dueDate: string | undefined): readonly Node[] {
  const details = Object.entries(said ?? {}).map(([name, value]) => [name.replace('value', 'detail'), value] as const)
  const detail = Object.fromEntries(details.filter(([name]) => goalDetails.has(name)))
  const hasDetail = Object.keys(detail).length > 0
  const found = compact({ measure: hasDetail || dueDate === undefined ? measure : undefined, ...detail, dueDate })
  return found === undefined ? [] : [found as Node]
}

const goalDetails: ReadonlySet<string> = new Set([
  'detailQuantity',
  'detailRange',
  'detailCodeableConcept',
  'detailString',
  'detailBoolean',
  'detailInteger',
  'detailRatio',
])

/** Coverage Activity: each policy in it is a Coverage. */
export function* mapCoverages(scene: Scene, act: CdaElement, row: EntryRow | undefined): Steps<string | undefined> {
  act.find('code')?.use('all')
  useStatus(act)
  const policies = nested(act).filter(one => one.is(templates.policy) || one.name === 'act')
  const relationships = act.all('entryRelationship')
  const [first] = yield* eachOf(policies, policy => {
    const holder = relationships.find(one => one.children.includes(policy))
    return mapCoverage(scene, policy, row, holder?.find('sequenceNumber'))
  })
  yield* scene.rest(act, policies)
  return first
}

/** Policy Activity → Coverage. */
export function* mapCoverage(
  scene: Scene,
  policy: CdaElement,
  _row?: EntryRow,
  sequence?: CdaElement,
): Steps<string | undefined> {
  const covered = policy.all('participant').find(one => one.attributes.typeCode === 'COV')
  const holder = policy.all('participant').find(one => one.attributes.typeCode === 'HLD')
  const member = covered?.find('participantRole')
  const held = holder?.find('participantRole')
  const [number] = identifiersOf(member)
  const order = Number(sequence?.attribute('value') ?? Number.NaN)
  const payers = policy.all('performer').filter(one => one.is(templates.payer))
  const [first] = payers.length > 0 ? payers : policy.all('performer')
  const type = conceptOf(policy.find('code'), scene)
  const isOrdered = Number.isInteger(order) && order > 0
  if (isOrdered) sequence?.use()
  policy.find('statusCode')?.use()
  useStatus(policy)
  const kept = scene.keep('Coverage', policy, {
    status: (policy.attribute('moodCode') ?? 'EVN') === 'EVN' ? 'active' : 'draft',
    type,
    subscriberId: number?.value,
    policyHolder: held && (organizationIn(held, scene) ?? relatedOf(held, scene.subject, scene)),
    beneficiary: scene.subject,
    relationship: conceptOf(member?.find('code'), scene),
    period: periodOf(covered?.find('time'), scene),
    payor: [payerOf(scene, first) ?? absence('NI')],
    order: isOrdered ? order : undefined,
  })
  yield* scene.rest(policy)
  return kept
}

function payerOf(scene: Scene, performer: CdaElement | undefined): unknown {
  const entity = performer?.find('assignedEntity')
  if (entity === undefined) return undefined
  entity.find('code')?.use('all')
  const organization = organizationIn(entity, scene)
  const identifier = identifiersOf(entity)
  if (organization === undefined) return partyOf(entity, scene)
  const more = combined(organization.elements, {
    identifier,
    telecom: telecomsOf(entity, scene),
    address: addressesOf(entity, scene),
  })
  return new Draft('Organization', more)
}

/** Care Team Organizer → CareTeam. */
export function* mapCareTeam(
  scene: Scene,
  organizer: CdaElement,
  _row: EntryRow | undefined,
): Steps<string | undefined> {
  const acts = nested(organizer).filter(one => one.is(templates.member) || one.find('performer') !== undefined)
  const status = organizer.find('statusCode')?.use()
  useStatus(organizer)
  organizer.find('code')?.use('all')
  const lead = organizer.all('participant').filter(one => one.attributes.typeCode === 'PPRF')
  for (const one of lead) for (const id of one.at('participantRole.id')) id.use()
  const kept = scene.keep('CareTeam', organizer, {
    status: inSet('care-team-status', status)?.code ?? 'active',
    name: referredText(organizer.find('code.originalText'), scene),
    subject: scene.subject,
    period: periodOf(organizer.find('effectiveTime'), scene),
    participant: acts.flatMap(act => membersOf(scene, act)),
    ...scene.narrative(organizer),
    ...scene.notesOf(organizer),
  })
  for (const act of acts) yield* scene.rest(act)
  yield* scene.rest(organizer, acts)
  return kept
}

function membersOf(scene: Scene, act: CdaElement): readonly Node[] {
  act.find('code')?.use('all')
  useStatus(act)
  return act.all('performer').flatMap(performer => {
    const member = scene.party(performer.find('assignedEntity'))
    const role = conceptOf(performer.find('functionCode'), scene)
    const period = periodOf(performer.find('time') ?? act.find('effectiveTime'), scene)
    return member === undefined ? [] : [compact({ role: role === undefined ? [] : [role], member, period }) as Node]
  })
}

const noteCategory = 'http://hl7.org/fhir/us/core/CodeSystem/us-core-documentreference-category'

/** Note Activity → DocumentReference: its text, or the file that stands in it. */
export function* mapNote(scene: Scene, act: CdaElement, _row: EntryRow | undefined): Steps<string | undefined> {
  const text = act.find('text')
  const { who, at } = scene.authorOf(act)
  const attachment = attachmentOf(scene, text)
  const code = act.find('code')
  const type = conceptOf(code?.find('translation'), scene) ?? conceptOf(code, scene)
  code?.use('all')
  useStatus(act)
  if (attachment === undefined) {
    scene.reject('element-missing', 'act.text')
    return undefined
  }
  const { at: time, start = time } = spanOf(act.find('effectiveTime'), scene)
  const date = at?.includes('T') === true ? at : start?.includes('T') === true ? start : undefined
  const kept = scene.keep('DocumentReference', act, {
    status: 'current',
    type,
    category: [{ coding: [{ system: noteCategory, code: 'clinical-note' }] }],
    subject: scene.subject,
    date,
    author: who === undefined ? [] : [who],
    content: [{ attachment: compact({ ...attachment, creation: start }) }],
    context: { period: periodOf(act.find('effectiveTime'), scene) },
  })
  yield* scene.rest(act)
  return kept
}

/** ED as an Attachment; text is kept as text. */
export function attachmentOf(scene: Scene, text: CdaElement | undefined): Node | undefined {
  if (text === undefined) return undefined
  const isEncoded = text.attribute('representation') === 'B64'
  const contentType = text.attribute('mediaType')
  if (isEncoded) {
    const data = ownTextOf(text).replace(/\s+/g, '')
    text.use()
    const isWhole = /^[A-Za-z0-9+/]+={0,2}$/.test(data) && data.length % 4 === 0
    return isWhole ? { contentType: contentType ?? 'application/octet-stream', data } : undefined
  }
  const words = referredText(text, scene)
  if (words === undefined) return undefined
  return { contentType: 'text/plain; charset=utf-8', data: Buffer.from(words, 'utf8').toString('base64') }
}
