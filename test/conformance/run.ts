/**
 * `npm run conformance -- [--examples folder] [--each 2]`: HL7's own examples of R4 as the judge. Each is written and read back, which must
 * give it unaltered; every search parameter is asked about those that are kept; and the largest of each type are broken in one place after the
 * other, which `$validate` must refuse. What is right is told by HL7's StructureDefinitions and SearchParameters and its FHIRPath library, not by
 * this project. Prints Markdown; ends with 1 when a bar is missed.
 */
import { parseArgs } from 'node:util'
import { isSameJson, parseResource, type Resource } from '#fhir'
import { atOnce } from '#kernel'
import { createValidator } from '#validation'
import { admin, type House, openHouse } from '../rooms/interactions/house.ts'
import { Definitions } from './definitions.ts'
import { type Example, withExamples } from './examples.ts'
import { invariantMutantsOf, type Mutant, mutantsOf } from './mutations.ts'
import { askAll, type Told } from './search/asking.ts'

const { values } = parseArgs({ options: { examples: { type: 'string' }, each: { type: 'string', default: '2' } } })
const print = (line: string) => process.stdout.write(`${line}\n`)
const leastAccepted = 0.995
const leastRefused = 0.99
const leastFound = 0.999
/** Definitions are many and large, and all alike. */
const largest = 40_000

await withExamples(values.examples, async examples => {
  const house = await openHouse()
  const accepted = await readBack(house, examples)
  const found = await searched(house, examples)
  await house.close()
  const refused = refusedOf(examples)
  process.exitCode = accepted && found && refused ? 0 : 1
})

async function readBack(house: House, examples: readonly Example[]): Promise<boolean> {
  const told: Record<Outcome, string[]> = { refused: [], elsewhere: [], altered: [], same: [] }
  for (const example of patientsFirst(examples)) told[await outcomeOf(house, example)].push(example.file)
  const share = 1 - told.refused.length / examples.length
  print(
    `## Examples\n\n${examples.length} examples, ${(share * 100).toFixed(2)} % valid, ${told.altered.length} altered.`,
  )
  print(`${told.elsewhere.length} are not kept for other reasons, such as patients who are not among them.\n`)
  for (const outcome of ['refused', 'altered'] as const)
    for (const file of told[outcome]) print(`- ${outcome}: ${file}`)
  return share >= leastAccepted && told.altered.length === 0
}

type Outcome = 'refused' | 'elsewhere' | 'altered' | 'same'

/** What belongs to a patient is kept with the patient. */
function patientsFirst(examples: readonly Example[]): readonly Example[] {
  const isPatient = ({ resource }: Example) => resource.resourceType === 'Patient'
  return [...examples.filter(isPatient), ...examples.filter(example => !isPatient(example))]
}

async function outcomeOf(house: House, { text, resource }: Example): Promise<Outcome> {
  const url = `/${resource.resourceType}/${resource.id}`
  const written = await house.ask('PUT', url, { grant: admin, body: text })
  if (written.status >= 300) return written.text.includes('validation.failed') ? 'refused' : 'elsewhere'
  // A Binary is its content for whoever does not ask for the resource.
  const kept = await house.ask('GET', url, { grant: admin, headers: { accept: 'application/fhir+json' } })
  return isSame(text, kept.text) ? 'same' : 'altered'
}

/**
 * The server has a say about version and date, and about how a Subscription stands; what its headers say is a secret that nobody is shown.
 *
 * @see https://hl7.org/fhir/R4/subscription-definitions.html#Subscription.status and https://hl7.org/fhir/R4/subscription.html#safety
 */
function isSame(sent: string, read: string): boolean {
  const [one, other] = [sent, read].map(text => withoutMeta(withoutStanding(parseResource(text))))
  return atOnce(isSameJson(one, other))
}

function withoutStanding(resource: Resource): Resource {
  if (resource.resourceType !== 'Subscription') return resource
  const { status: _, error: __, channel, ...rest } = resource as SubscriptionResource
  const header = channel?.header?.map(line => line.slice(0, line.indexOf(':')))
  return { ...rest, channel: { ...channel, ...(header === undefined ? {} : { header }) } }
}

type SubscriptionResource = Resource & { readonly channel?: { readonly header?: readonly string[] } }

function withoutMeta({ meta, ...resource }: Resource): object {
  const { versionId: _, lastUpdated: __, ...rest } = meta ?? {}
  return Object.keys(rest).length === 0 ? resource : { ...resource, meta: rest }
}

async function searched(house: House, examples: readonly Example[]): Promise<boolean> {
  const told = await Array.fromAsync(askAll(house, examples))
  const wrong = told.filter(({ isRight }) => !isRight)
  print('\n## Searches\n\n| kind | asked | right |\n|---|---|---|')
  for (const [kind, list] of Map.groupBy(told, (each: Told) => each.kind))
    print(`| ${kind} | ${list.length} | ${list.filter(({ isRight }) => isRight).length} |`)
  for (const { query } of wrong) print(`- not right: ${decodeURIComponent(query)}`)
  return 1 - wrong.length / told.length >= leastFound
}

function refusedOf(examples: readonly Example[]): boolean {
  const validator = createValidator()
  const passes = (resource: object) =>
    !validator.validate(parseResource(JSON.stringify(resource))).some(({ severity }) => severity === 'error')
  const definitions = new Definitions(examples)
  const faults = new Map<string, Mutant>()
  for (const { resource } of chosen(examples).filter(({ resource }) => passes(resource)))
    for (const mutants of [mutantsOf, invariantMutantsOf])
      for (const mutant of mutants(resource, resource.resourceType, definitions))
        if (!faults.has(mutant.fault)) faults.set(mutant.fault, mutant)
  const missed = [...faults.values()].filter(({ resource }) => passes(resource))
  void validator.close()
  tell([...faults.values()], missed)
  return 1 - missed.length / faults.size >= leastRefused
}

function tell(all: readonly Mutant[], missed: readonly Mutant[]): void {
  print('\n## Faults\n\n| kind | made | refused |\n|---|---|---|')
  for (const kind of new Set(all.map(mutant => mutant.kind))) {
    const made = all.filter(mutant => mutant.kind === kind).length
    print(`| ${kind} | ${made} | ${made - missed.filter(mutant => mutant.kind === kind).length} |`)
  }
  for (const { fault } of missed) print(`- not refused: ${fault}`)
}

/** The largest examples of each type have most elements. */
function chosen(examples: readonly Example[]): readonly Example[] {
  const small = examples.filter(({ text }) => text.length < largest)
  const byType = Object.values(Object.groupBy(small, ({ resource }) => resource.resourceType))
  return byType.flatMap((list = []) =>
    list.toSorted((a, b) => b.text.length - a.text.length).slice(0, Number(values.each)),
  )
}
