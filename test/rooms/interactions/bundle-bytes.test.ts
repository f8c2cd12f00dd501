import { bundleBytes, bundleBytesInSteps } from '../../../src/interactions/bundles/bundle-bytes.ts'

const megabyte = 1024 * 1024
const head = { type: 'batch-response' } as const

/** What comes of the steps, and how many there were. */
function inSteps(entries: readonly (readonly (Buffer | string)[])[]) {
  const steps = bundleBytesInSteps(head, entries)
  for (let count = 0; ; count++) {
    const step = steps.next()
    if (step.done === true) return { count, whole: step.value }
  }
}

const entry = (text: string) => ['{"resource":', Buffer.from(JSON.stringify({ text })), ',"search":{"mode":"match"}}']

describe('a Bundle made of the bytes of its entries', () => {
  it.each<readonly [string, readonly string[]]>([
    ['none', []],
    ['one', ['a']],
    ['letters of several bytes', ['ä', '€', '👩‍⚕️']],
    ['many', Array.from({ length: 5_000 }, (_, at) => `${at}`)],
  ])('has all of them in their order: %s', (_, texts) => {
    const bytes = bundleBytes(head, texts.map(entry))
    const { resourceType, type, entry: entries = [] } = JSON.parse(bytes.toString())
    expect([resourceType, type]).toEqual(['Bundle', 'batch-response'])
    expect(entries.map((one: { resource: { text: string } }) => one.resource.text)).toEqual(texts)
    expect(inSteps(texts.map(entry)).whole.equals(bytes)).toBe(true)
  })

  it('is copied a megabyte in one step, or one entry', () => {
    const small = Array.from({ length: 64 }, () => entry('x'.repeat(megabyte / 8)))
    expect(inSteps(small).count).toBeGreaterThanOrEqual(7)
    const large = Array.from({ length: 8 }, () => entry('x'.repeat(2 * megabyte)))
    expect(inSteps(large).count).toBe(8)
    expect(inSteps([entry('x')]).count).toBe(0)
  })
})
