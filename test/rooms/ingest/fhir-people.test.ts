/** Whom a FHIR file describes, in however many versions. */
import type { Resource } from '#fhir'
import { Directory } from '../../../src/ingest/fhir/directory.ts'
import { claimsOf } from '../../../src/ingest/identity/claims.ts'
import { metWhile, mostMetMs } from '../../turns.ts'
import { ccdaContext } from './ccda-documents.ts'

const known = { name: [{ family: 'Sample', given: ['Ann'] }], birthDate: '1980-02-03' }
const context = ccdaContext({ person: claimsOf(known) })
const letter = (n: number) => String.fromCharCode(97 + (n % 26))
/** A name that nobody else has, of as many words as are compared. */
const nameOf = (n: number) => ({
  family: `Other${letter(n)}${letter(n / 26)}${letter(n / 676)}`,
  given: Array.from({ length: 20 }, (_, at) => `Given${letter(n + at)}${letter(n / 26)}`),
})

async function described(versions: number, ...others: readonly string[]): Promise<Directory> {
  const directory = new Directory(context)
  const add = (resource: Resource, at: number) =>
    directory.add({ resource, version: {}, backwards: false } as never, '', at)
  for (const id of ['p', ...others])
    for (let at = 0; at < versions; at++)
      await add({ resourceType: 'Patient', id, birthDate: '1980-02-03', name: [nameOf(at)] }, at)
  return directory
}

describe('who is described in thousands of versions is compared version by version', () => {
  it.each([
    ['one', []],
    ['several', ['q']],
  ])('and others have their turns meanwhile: %s', async (_, others) => {
    const directory = await described(2_000, ...others)
    const { metMs } = await metWhile(() =>
      expect(directory.ownNames()).rejects.toMatchObject({ kind: 'unprocessable' }),
    )
    expect(metMs).toBeLessThan(mostMetMs)
  })
})
