/** What others do between two requests: none of it may show to her, not even in the record of who saw hers. */
import { printJson } from '#fhir'
import { Dice } from './dice.ts'
import { type Ask, grantOf, type House, teller } from './house.ts'
import { families, idOf, ownTypes, slots } from './names.ts'
import { drawCriterion } from './questions.ts'
import { drawResource } from './resources.ts'

const others = ['bruno', 'clara'] as const
type Other = (typeof others)[number]

const account = grantOf('user/*.cruds', { id: 'others', account: 'others', patients: others })
const tokenOf = (of: Other) => grantOf('patient/*.cruds', { id: `of ${of}`, patient: of })

type Act = (dice: Dice, of: Other) => { readonly ask: Ask; readonly as: typeof teller }

const get = (url: string): Ask => ({ method: 'GET', url })

/** What only they have; what is named after them in the story may have become hers. */
const newId = (of: Other, dice: Dice): string => `of-${of}-${dice.below(slots)}`

/** Names somebody by what she may have come to be called herself: for those who do not reach her. */
const calling = (dice: Dice, of: Other): string =>
  dice.pick([
    `/Patient?family=${families[of]}`,
    `/Observation?subject:Patient.family=${families[of]}`,
    `/Patient?family=${families[of]}&identifier=urn:ssn|123-45-6789&birthdate=1980-02-03`,
  ])

/** Names somebody by an id, and brings nothing along that may be hers: whoever reaches everybody would rightly be recorded with her. */
const naming = (dice: Dice, of: Other): string =>
  dice.pick([
    `/Patient?_id=${of}`,
    `/Patient?family=${families[of]}&_id=${of}`,
    `/Observation?subject:Patient.family=${families[of]}&subject=Patient/${of}`,
    `/Observation?subject=Patient/${of}&_count=1000`,
    `/Condition?patient=${of}&_total=accurate`,
    `/Patient/${of}/$everything?_count=50`,
    `/Patient/${of}/Observation`,
    `/Patient/${of}/_history`,
  ])

const acts: readonly (readonly [weight: number, act: Act])[] = [
  [4, (dice, of) => ({ as: dice.pick([teller, account, tokenOf(of)]), ask: get(naming(dice, of)) })],
  [2, (dice, of) => ({ as: dice.pick([account, tokenOf(of)]), ask: get(calling(dice, of)) })],
  [4, (dice, of) => ({ as: dice.pick([account, tokenOf(of)]), ask: get(searchOf(dice)) })],
  [2, (_, of) => ({ as: tokenOf(of), ask: get(`/Patient?family=${families.anna}&_id=anna`) })],
  [2, (dice, of) => ({ as: tokenOf(of), ask: get(`/Observation/${idOf('anna', 'Observation', dice.below(slots))}`) })],
  [4, (dice, of) => ({ as: dice.pick([teller, account]), ask: written(dice, of) })],
  [2, (dice, of) => ({ as: tokenOf(of), ask: { ...written(dice, of), method: 'POST', url: '/Observation' } })],
  [
    2,
    (dice, of) => ({
      as: teller,
      ask: { method: 'DELETE', url: `/Observation/${newId(of, dice)}` },
    }),
  ],
  [2, (dice, of) => ({ as: teller, ask: imported(dice, of) })],
  [1, () => ({ as: account, ask: merged('clara', 'bruno') })],
  [1, () => ({ as: teller, ask: erased('clara') })],
]

function searchOf(dice: Dice): string {
  const type = dice.pick(ownTypes)
  const { name, value } = drawCriterion(dice, type)
  return `/${type}?${new URLSearchParams([[name, value]])}&_include=*&_revinclude=*`
}

function written(dice: Dice, of: Other): Ask {
  const id = newId(of, dice)
  return { method: 'PUT', url: `/Observation/${id}`, body: printJson(drawResource(dice, 'Observation', of, id)) }
}

function imported(dice: Dice, of: Other): Ask {
  const resource = drawResource(dice, 'Observation', of, newId(of, dice))
  const body = printJson({ resourceType: 'Bundle', type: 'collection', entry: [{ resource }] })
  return { method: 'POST', url: `/Patient/${of}/$ingest`, body }
}

function merged(source: Other, target: Other): Ask {
  const parameter = [
    { name: 'source-patient', valueReference: { reference: `Patient/${source}` } },
    { name: 'target-patient', valueReference: { reference: `Patient/${target}` } },
  ]
  return { method: 'POST', url: '/Patient/$merge', body: printJson({ resourceType: 'Parameters', parameter }) }
}

function erased(of: Other): Ask {
  const parameter = [{ name: 'confirm', valueString: of }]
  return {
    method: 'POST',
    url: `/Patient/${of}/$purge`,
    body: printJson({ resourceType: 'Parameters', parameter }),
  }
}

/** One act, or none, for each number. */
export async function actBetween(house: House, number: number): Promise<number | undefined> {
  const dice = new Dice(number ^ 0x5bd1e995)
  if (!dice.maybe(50)) return undefined
  const { as, ask } = dice.weighted(acts)(dice, dice.pick(others))
  return (await house.ask(as, ask)).status
}
