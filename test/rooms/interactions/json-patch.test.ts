import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Resource } from '#fhir'
import { atOnce } from '#kernel'
import { applyJsonPatch, parseJsonPatch } from '../../../src/interactions/patch/json-patch.ts'

const cases = join(import.meta.dirname, '../../cases/fhir/patch')

interface JsonCase {
  readonly comment: string
  readonly doc: Resource
  readonly patch: unknown
  readonly expected?: object
}
const jsonCases = JSON.parse(readFileSync(join(cases, 'json-patch-tests.json'), 'utf8')) as JsonCase[]

describe('the public cases of JSON Patch – https://www.rfc-editor.org/rfc/rfc6902', () => {
  it.each(jsonCases.map(each => [each.comment, each] as const))('does what RFC 6902 says: %s', async (_, given) => {
    const { doc, patch: operations, expected } = given
    const done = async () => applyJsonPatch(doc, atOnce(parseJsonPatch(operations)))
    if (expected === undefined) await expect(done()).rejects.toMatchObject({ code: expect.stringMatching(/^patch\./) })
    else expect(await done()).toEqual(expected)
  })
})

it('a long JSON Patch is read bit by bit', () => {
  const operations = Array.from({ length: 20_000 }, (_, at) => ({ op: 'test', path: `/name/${at}`, value: at }))
  const steps = parseJsonPatch(operations)
  let turns = 0
  let step = steps.next()
  for (; step.done !== true; turns++) step = steps.next()
  expect(turns).toBeGreaterThan(10)
  expect(step.value).toEqual(operations)
})
