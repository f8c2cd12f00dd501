import { parseJson, parseSentJson, parseSentXml, type Resource, toResource } from '#fhir'
import { ownText } from '#kernel'
import { extractRow, type IndexRow } from '#search'
import { collectGarbage } from '../../garbage.ts'

const mebibyte = 1024 * 1024
const system = 'http://example.org/a-system-of-codes'
/** Nobody looks for it, so the index keeps nothing of it. */
const ballast = (n: number, letters: number) => `${n}`.padEnd(letters, '.')

const json = (n: number, letters: number) =>
  Buffer.from(
    `{"resourceType":"Basic","id":"a-long-name-of-number-${n}","meta":{"tag":[{"system":"${system}","code":"the-code-of-number-${n}"}]},"implicitRules":"${ballast(n, letters)}","code":{"coding":[{"system":"${system}","code":"a-code-that-is-long-${n}"}]},"subject":{"reference":"Patient/somebody-of-long-name"}}`,
  )
const xml = (n: number, letters: number) =>
  Buffer.from(
    `<Basic xmlns="http://hl7.org/fhir"><id value="a-long-name-of-number-${n}"/><implicitRules value="${ballast(n, letters)}"/><code><coding><system value="${system}"/><code value="a-code-that-is-long-${n}"/></coding></code><subject><reference value="Patient/somebody-of-long-name"/></subject></Basic>`,
  )

interface Way {
  readonly title: string
  readonly letters: number
  read(n: number, letters: number): Promise<Resource>
}

const ways: readonly Way[] = [
  {
    title: 'JSON that is read in one go',
    letters: 60_000,
    read: async (n, l) => toResource(await parseSentJson(json(n, l))),
  },
  {
    title: 'JSON that is read in slices',
    letters: 500_000,
    read: async (n, l) => toResource(await parseSentJson(json(n, l))),
  },
  { title: 'JSON of files', letters: 500_000, read: async (n, l) => toResource(parseJson(json(n, l))) },
  { title: 'XML', letters: 500_000, read: (n, l) => parseSentXml(xml(n, l)) },
]

function heldBytes(): number {
  const { heapUsed, external } = process.memoryUsage()
  return heapUsed + external
}

/** What is held more than before when `make` has made so many, and all of them are kept. */
async function keptBytes(count: number, make: (n: number) => Promise<unknown>): Promise<number> {
  const kept: unknown[] = [await make(0)]
  await collectGarbage()
  const before = heldBytes()
  for (let n = 1; n <= count; n++) kept.push(await make(n))
  await collectGarbage()
  const more = heldBytes() - before
  expect(kept).toHaveLength(count + 1)
  return more
}

describe('what is kept of a resource does not keep the text that it came in', () => {
  it.each(ways)('$title', async ({ letters, read }) => {
    const count = Math.ceil((32 * mebibyte) / letters)
    const row = async (n: number): Promise<IndexRow> =>
      extractRow(await read(n, letters), { seq: n + 1, version: 1, lastUpdatedMs: 1_000, deleted: false })
    expect(await keptBytes(count, row)).toBeLessThan(12 * mebibyte)
  })
})

it.each([
  '',
  'a',
  'a short text',
  'thirteen letters',
  'Ωμέγα και άλλα γράμματα',
  '\ud83d\ude00'.repeat(10),
  '\ud800 and some letters',
])('a text of its own is the same text: %j', text => {
  expect(ownText(text)).toBe(text)
  expect(ownText(`${text}${text} and more`.slice(0, text.length))).toBe(text)
})
