import { Tinypool } from 'tinypool'
import { parseResource, type Resource } from '#fhir'
import { isProblem } from '#kernel'
import { createValidator, type Validator } from '#validation'
import { turnsWhile } from '../../turns.ts'

const observation = { resourceType: 'Observation', status: 'final', code: { text: 'x' } }
const components = (count: number, more: object = {}) =>
  Array.from({ length: count }, (_, at) => ({
    code: { coding: [{ system: 'http://loinc.org', code: String(at) }] },
    valueQuantity: { value: at, unit: 'mg' },
    ...more,
  }))

function resourceOf(value: object): Resource {
  return parseResource(JSON.stringify(value))
}

describe('a large resource that was sent', () => {
  let validator: Validator
  beforeAll(() => {
    validator = createValidator()
  })
  afterAll(() => validator.close())

  it.each<[string, object]>([
    ['valid', { ...observation, component: components(2_000) }],
    ['with an element that is none, at each place', { ...observation, component: components(2_000, { x: 1 }) }],
    ['with one fault at its end', { ...observation, component: [...components(2_000), { valueString: 5 }] }],
    ['with names that are none', { ...observation, ...Object.fromEntries(components(3_000).entries()) }],
    ['with one long text', { ...observation, note: [{ text: 'a'.repeat(10_000_000) }] }],
    [
      'with references to the wrong type',
      { ...observation, performer: Array(3_000).fill({ reference: 'Encounter/1' }) },
    ],
  ])('is judged as any other: %s', async (_, value) => {
    const resource = resourceOf(value)
    expect(await validator.validateSent(resource)).toEqual(validator.validate(resource))
  })

  it('keeps the digits of its numbers', async () => {
    const text = JSON.stringify({ ...observation, component: components(2_000) })
    const digits = `1${'0'.repeat(40)}.50`
    const resource = parseResource(text.replace('"value":0,', `"value":${digits},`))
    expect(await validator.validateSent(resource)).toEqual([])
  })

  it('lets others have their turns meanwhile', async () => {
    const resource = resourceOf({ ...observation, component: components(10_000) })
    const { turns } = await turnsWhile(() => validator.validateSent(resource))
    expect(turns).toBeGreaterThan(10)
  })

  it('is validated after the thread was closed, in another one', async () => {
    const large = resourceOf({ ...observation, component: components(2_000) })
    const own = createValidator()
    await own.validateSent(large)
    await own.close()
    expect(await own.validateSent(large)).toEqual([])
    await own.close()
  })

  it('is refused when to validate it takes too long, and the next is validated', async () => {
    const large = resourceOf({ ...observation, component: components(20_000) })
    const hasty = createValidator({ longestMs: 1 })
    const refusal = await hasty.validateSent(large).catch((error: unknown) => error)
    expect(isProblem(refusal, 'too-costly') && refusal.code).toBe('validation.too-costly')
    await hasty.close()
    expect(await validator.validateSent(large)).toEqual([])
  })

  it('has its time for itself: that of a thread which begins does not count', async () => {
    const large = resourceOf({ ...observation, component: components(2_000) })
    const own = createValidator()
    const { timeout } = AbortSignal
    const { run } = Tinypool.prototype
    const told: string[] = []
    AbortSignal.timeout = ms => {
      told.push('time counts')
      return timeout.call(AbortSignal, ms)
    }
    Tinypool.prototype.run = async function (...of) {
      const done = await run.apply(this, of)
      told.push('the thread has answered')
      return done
    }
    const issues = await own.validateSent(large).finally(() => {
      AbortSignal.timeout = timeout
      Tinypool.prototype.run = run
    })
    await own.close()
    expect(issues).toEqual([])
    expect(told).toEqual(['the thread has answered', 'time counts', 'the thread has answered'])
  })

  it('of one family does not wait for all that another one has sent', async () => {
    const large = resourceOf({ ...observation, component: components(20_000) })
    const small = resourceOf({ ...observation, component: components(2_000) })
    const own = createValidator()
    const order: string[] = []
    const sent = (resource: typeof large, owner: string) =>
      own.validateSent(resource, 'errors', owner).then(() => order.push(owner))
    // One behind the other would be twelve; how many of them are done while the small ones are read depends on the machine.
    const theirs = Array.from({ length: 12 }, () => sent(large, 'anna'))
    await theirs[0]
    await Promise.all([...theirs, sent(small, 'berta'), sent(small, 'berta')])
    await own.close()
    expect(order.indexOf('berta')).toBeLessThan(8)
    expect(order.slice(-2)).toEqual(['anna', 'anna'])
  })

  it('waits for its turn, and is refused when that does not come', async () => {
    const large = resourceOf({ ...observation, component: components(2_000) })
    const own = createValidator()
    const both = [own.validateSent(large), own.validateSent(large)]
    const answers = Promise.allSettled(both)
    await own.close()
    expect((await answers).map(({ status }) => status)).toEqual(['rejected', 'rejected'])
  })

  it('goes there as well when many of its invariants must be evaluated', async () => {
    const items = Array.from({ length: 150 }, (_, at) => ({
      linkId: String(at),
      type: 'choice',
      enableWhen: [1, 2, 3].map(question => ({ question: String(question), operator: '=', answerInteger: 1 })),
      enableBehavior: 'any',
      initial: [{ valueString: 'x' }],
    }))
    const resource = resourceOf({ resourceType: 'Questionnaire', status: 'draft', item: items })
    const { turns, result } = await turnsWhile(() => validator.validateSent(resource))
    expect(result).toEqual(validator.validate(resource))
    expect(turns).toBeGreaterThan(10)
  })
})
