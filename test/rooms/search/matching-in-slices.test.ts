import type { Resource } from '#fhir'
import { withBudget } from '#kernel'
import { matches, parseQuery } from '#search'
import { metWhile, mostMetMs } from '../../turns.ts'

const baseUrl = 'http://127.0.0.1:8080/fhir'
const queryOf = (text: string) => parseQuery('Observation', new URLSearchParams(text), { baseUrl })
const said = (more: object): Resource => ({ resourceType: 'Observation', id: 'x', status: 'final', code: {}, ...more })

const million = 'a'.repeat(1_000_000)
const words = Array.from({ length: 300_000 }, (_, at) => `w${at}`).join(' ')
const needles = (count: number) => Array.from({ length: count }, (_, at) => `b${at}`).join(',')

describe('whether one resource fulfils criteria', () => {
  it.each<[what: string, resource: Resource, question: string]>([
    ['many words', said({ note: [{ text: words }] }), '_content=nothing'],
    [
      'many values',
      said({ category: Array.from({ length: 100_000 }, (_, at) => ({ text: `${at}` })) }),
      'category:text=x',
    ],
    ['a long text that many are sought in', said({ valueString: million }), `value-string:contains=${needles(50)}`],
    [
      'a long text that many words are sought in',
      said({ valueCodeableConcept: { text: million } }),
      `combo-value-concept:text=${needles(50)}`,
    ],
    [
      'a long text, and one that begins like it all the time',
      said({ valueString: million }),
      `value-string:contains=${'a'.repeat(100_000)}b${'a'.repeat(100_000)}`,
    ],
  ])('is found out in slices where there are %s', async (_, resource, question) => {
    const { criteria } = queryOf(question)
    const { result, metMs } = await metWhile(() => withBudget('unbounded', () => matches(resource, criteria)))
    expect(result).toBe(false)
    expect(metMs).toBeLessThan(mostMetMs)
  })

  it('costs as much as what is sought, in each long text', async () => {
    const { criteria } = queryOf(`value-string:contains=${needles(200)}`)
    const judged = withBudget({ work: 20_000_000 }, () => matches(said({ valueString: million }), criteria))
    await expect(judged).rejects.toMatchObject({ code: 'budget.work-exceeded' })
  })
})
