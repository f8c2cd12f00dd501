/** Questions to a process, answered by the model as well. */
import type { Resource } from '#fhir'
import type { SearchPage, Stored } from '#record'
import { ofPatient, queryOf } from '../family.ts'
import { type Model, nameOf, ownersOf, type Reach } from './model.ts'
import { amountOf, codes, families } from './resources.ts'
import { type Caller, outcome, type World } from './world.ts'

interface Question {
  readonly type: string
  readonly text: string
  readonly holds: (resource: Resource, model: Model, reach: Reach) => boolean
}

const codeOf = (resource: Resource) => (resource as { code?: { coding?: { code?: string }[] } }).code?.coding?.[0]?.code
const familyOf = (resource: Resource) => (resource as { name?: { family?: string }[] }).name?.[0]?.family
const numberOf = (resource: Resource) => (resource as { identifier?: { value?: string }[] }).identifier?.[0]?.value

const questions: readonly ((world: World, patient: string) => Question)[] = [
  ({ dice }) => {
    const code = dice.pick(codes)
    return { type: 'Observation', text: `code=${code}`, holds: each => codeOf(each) === code }
  },
  ({ dice }) => {
    const least = dice.below(100)
    return { type: 'Observation', text: `value-quantity=ge${least}`, holds: each => amountOf(each) >= least }
  },
  ({ dice }) => {
    const number = String(dice.below(60))
    return { type: 'Observation', text: `identifier=urn:number|${number}`, holds: each => numberOf(each) === number }
  },
  (_world, patient) => ({
    type: 'Observation',
    text: `patient=${patient}`,
    holds: each => ownersOf(each).includes(patient),
  }),
  ({ dice }) => {
    const family = dice.pick(families)
    return {
      type: 'Observation',
      text: `patient.family=${family}&_sort=value-quantity`,
      holds: (each, model) =>
        ownersOf(each).some(id => model.current(['Patient']).some(one => one.id === id && familyOf(one) === family)),
    }
  },
  ({ dice }) => {
    const family = dice.pick(families)
    return { type: 'Patient', text: `family=${family}`, holds: each => familyOf(each) === family }
  },
  ({ dice }) => {
    const code = dice.pick(codes)
    return {
      type: 'Patient',
      text: `_has:Observation:patient:code=${code}`,
      holds: ({ id = '' }, model, reach) =>
        model.current(['Observation'], reach).some(each => codeOf(each) === code && ownersOf(each).includes(id)),
    }
  },
  (_world, patient) => ({
    type: 'Appointment',
    text: `patient=${patient}`,
    holds: each => ownersOf(each).includes(patient),
  }),
  () => ({ type: 'Appointment', text: '_sort=-_lastUpdated', holds: () => true }),
  () => ({ type: 'Practitioner', text: '_sort=name', holds: () => true }),
  () => ({ type: 'List', text: '', holds: () => true }),
]

/** What is written, without what the server notes in `meta`. */
function written({ json }: Stored): Resource {
  const { meta: _meta, ...resource } = JSON.parse(json.toString('utf8')) as Resource & { meta?: object }
  return short(resource)
}

/** Of a long list only how long it is: to compare each item of it takes longer than all else. */
function short(resource: Resource): Resource {
  return 'entry' in resource && Array.isArray(resource.entry)
    ? ({ ...resource, entry: resource.entry.length } as Resource)
    : resource
}

function byName(resources: Iterable<Resource>): readonly (readonly [string, Resource])[] {
  return Array.from(resources, each => [nameOf(each), short(each)] as const).toSorted(([a], [b]) => (a < b ? -1 : 1))
}

function expected({ type, holds }: Question, model: Model, reach: Reach) {
  return byName(model.current([type], reach).filter(each => holds(each, model, reach)))
}

function drawQuestion(world: World, { reach }: Caller): Question {
  const patient = world.dice.pick(reach === 'all' ? world.patients() : reach)
  return world.dice.pick(questions)(world, patient)
}

/** All that a search finds is what the model has. */
export async function search(world: World): Promise<void> {
  const caller = world.caller()
  const question = drawQuestion(world, caller)
  world.tell(`search ${question.type}?${question.text} by ${caller.reach}`)
  const query = queryOf(caller.grant, question.type, `${question.text}&_count=500&_total=accurate`)
  const page = await world.record().reader(caller.grant).search(query)
  expect(byName(page.matches.map(written))).toEqual(expected(question, world.model, caller.reach))
  expect([page.total, page.unreadable]).toEqual([page.matches.length, 0])
}

/** The pages of a search show what there was when it began, whatever is written between them. */
export async function turnPages(world: World, meanwhile: () => Promise<void>): Promise<void> {
  const caller = world.caller()
  const question = drawQuestion(world, caller)
  world.tell(`pages of ${question.type}?${question.text} by ${caller.reach}`)
  const query = queryOf(caller.grant, question.type, `${question.text}&_count=${world.dice.pick([1, 4])}`)
  const before = expected(question, world.model, caller.reach)
  const shown: Stored[] = []
  let cursor: string | undefined
  do {
    const page: SearchPage = await world.record().reader(caller.grant).search(query, cursor)
    if (shown.length === 0) await meanwhile()
    shown.push(...page.matches)
    cursor = page.next
  } while (cursor !== undefined)
  expect(byName(shown.map(written))).toEqual(before)
}

/** One resource: its current version, one of its versions, and all of them. */
export async function read(world: World): Promise<void> {
  const [name, versions] = world.dice.pick([...world.model.all()])
  const [type = '', id = ''] = name.split('/')
  const caller = world.caller()
  world.tell(`read ${name} by ${caller.reach}`)
  const reader = world.record().reader(caller.grant)
  const current = world.model.current([type], caller.reach).find(each => each.id === id)
  if (current === undefined)
    expect(['record.unknown', 'record.deleted', 'record.id-erased']).toContain(
      await outcome(() => reader.read(type, id)),
    )
  else expect(written(await reader.read(type, id))).toEqual(short(current))
  const seen = world.model.versions(type, id, caller.reach).filter(({ resource }) => resource !== undefined)
  for (const { version, resource } of seen)
    expect(written(await reader.vread(type, id, String(version)))).toEqual(short(resource as Resource))
  // What a removal tells to whom depends on who was erased since.
  if (caller.reach !== 'all' || versions.some(({ owners }) => owners.some(owner => world.model.isErased(owner)))) return
  const { items } = await reader.history({ type, id, count: 500 })
  expect(items.map(({ version }) => version)).toEqual(versions.map(({ version }) => version).toReversed())
}

/** Each version of what is kept is noted with whose it was: in the same commit, so none is missing. */
export async function checkAudit(world: World): Promise<void> {
  for (const patient of world.patients()) {
    const noted = await notedOf(world, patient)
    const versions = [...world.model.all()].flatMap(([name, all]) =>
      all.filter(({ owners }) => owners.includes(patient)).map(({ version }) => `${name}/_history/${version}`),
    )
    expect([patient, versions.filter(version => !noted.has(version))]).toEqual([patient, []])
  }
}

async function notedOf(world: World, patient: string): Promise<ReadonlySet<string>> {
  const reader = world.record().reader(ofPatient(patient))
  const noted = new Set<string>()
  let cursor: string | undefined
  do {
    const page = await reader.history({ type: 'AuditEvent', count: 500, ...(cursor === undefined ? {} : { cursor }) })
    for (const { json } of page.items) {
      const { entity = [] } = JSON.parse(json.toString('utf8')) as { entity?: { what?: { reference?: string } }[] }
      for (const { what } of entity) noted.add(what?.reference ?? '')
    }
    cursor = page.next
  } while (cursor !== undefined)
  return noted
}
