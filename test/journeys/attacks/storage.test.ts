/** What whoever copies the database can compare: nothing that is the same in two records looks the same, and no nonce comes twice. */
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { openClient } from '../server/client.ts'
import { type Home, lastLine, newHome, run } from '../server/home.ts'
import { type RunningServer, startServer } from '../server/start-server.ts'

let home: Home
let server: RunningServer
beforeAll(async () => {
  home = await newHome('storage')
  server = await startServer(home)
})
afterAll(async () => {
  expect(await server.stop()).toBe(0)
  await home.remove()
})

/** Every sealed value of the database, with the column that it stands in. */
function sealedValues(): readonly { readonly column: string; readonly bytes: Buffer }[] {
  const database = new DatabaseSync(join(home.data, 'kinhold.sqlite'), { readOnly: true })
  const tables = database
    .prepare("SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%'")
    .all()
  const values = tables.flatMap(({ name: table }) =>
    database
      .prepare(`PRAGMA table_info("${table}")`)
      .all()
      .filter(({ type }) => type === 'BLOB')
      .flatMap(({ name }) =>
        database
          .prepare(`SELECT "${name}" AS bytes FROM "${table}" WHERE "${name}" IS NOT NULL`)
          .all()
          .map(({ bytes }) => ({ column: `${table}.${name}`, bytes: Buffer.from(bytes as Uint8Array) })),
      ),
  )
  database.close()
  return values
}

/** Sealed bytes begin with suite, key version and nonce; keys of rows are shorter than the least of them. */
const isSealed = ({ bytes }: { bytes: Buffer }) => bytes.length > 60 && bytes[0] === 1
const nonceOf = (bytes: Buffer) => bytes.subarray(2, 26).toString('hex')

it('A89, A90: equal resources of two people share no token, no tag and no piece of their bytes; nonces never come twice', async () => {
  const client = openClient(server.url, await lastLine(home, 'token', '--scope', 'system/*.cruds'))
  const people = await Promise.all(
    ['Anna', 'Bruno'].map(given => lastLine(home, 'patient', 'create', '--given', given)),
  )
  for (const patient of people)
    for (let at = 0; at < 60; at++) {
      const subject = { reference: `Patient/${patient}` }
      const body = {
        resourceType: 'Observation',
        status: 'final',
        code: { text: 'equal in both' },
        subject,
        valueString: 'equal',
      }
      expect((await client.send({ method: 'POST', path: '/fhir/Observation', body })).status).toBe(201)
    }
  client.close()
  // Another process writes into the same database.
  expect((await run(home, 'patient', 'edit', people[0] ?? '', '--family', 'Equal')).status).toBe(0)

  const values = sealedValues()
  const sealed = values.filter(isSealed)
  expect(sealed.length).toBeGreaterThan(120)
  const nonces = sealed.map(({ bytes }) => nonceOf(bytes))
  expect(new Set(nonces).size).toBe(nonces.length)

  const windows = new Map<string, number>()
  for (const [at, { bytes }] of values.entries())
    for (let from = 0; from + 12 <= bytes.length; from++) {
      const piece = bytes.toString('latin1', from, from + 12)
      // Within one row of one table a piece may come again: padding of SQLite's own, or a key that is kept twice.
      const before = windows.get(piece)
      if (before === undefined) windows.set(piece, at)
      else if (isSealed({ bytes })) expect([values[before]?.column, before]).toEqual([values[at]?.column, at])
    }
})
