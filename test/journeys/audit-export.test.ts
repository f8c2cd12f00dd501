/** Records of access as the administrator has them on the host: https://www.rfc-editor.org/rfc/rfc4180 */
import { parse } from 'csv-parse/sync'
import { openClient } from './server/client.ts'
import { type Home, lastLine, newHome, run } from './server/home.ts'
import { type RunningServer, startServer } from './server/start-server.ts'

let home: Home
let server: RunningServer
let greta: string
let emil: string

beforeAll(async () => {
  home = await newHome('audit-export')
  server = await startServer(home)
  greta = await lastLine(home, 'patient', 'create', '--given', 'Greta', '--family', 'Winter')
  emil = await lastLine(home, 'patient', 'create', '--given', 'Emil', '--family', 'Winter')
  await run(home, 'patient', 'edit', '--patient', greta, '--given', 'Greta Maria')
})
afterAll(async () => {
  await server.stop()
  await home.remove()
})

type Row = Readonly<Record<string, string>>

async function exported(...options: readonly string[]): Promise<readonly Row[]> {
  const { status, stdout, stderr } = await run(home, 'audit', 'export', ...options)
  expect({ status, stderr }).toEqual({ status: 0, stderr: '' })
  return parse(stdout, { columns: true, record_delimiter: '\r\n' })
}

const deeds = (rows: readonly Row[], patient: string) =>
  rows
    .filter(({ entities, action }) => entities?.startsWith(`Patient/${patient} `) && action !== 'R' && action !== 'E')
    .map(({ subtype, agent }) => `${subtype} ${agent}`)

const host = 'Administrator on the host'

it('kinhold audit export tells what was done with one patient, or with all, and that it was told', async () => {
  const ofGreta = await exported('--patient', greta)
  expect(deeds(ofGreta, greta)).toEqual([`create ${host}`, `update ${host}`])
  expect(deeds(ofGreta, emil)).toEqual([])
  const all = await exported()
  expect([deeds(all, greta), deeds(all, emil)]).toEqual([deeds(ofGreta, greta), [`create ${host}`]])
  expect(all.filter(({ description }) => description === 'bulk export').length).toBeGreaterThan(0)
  expect(await exported('--patient', emil, '--until', '2020')).toEqual([])
})

it('the server tells the same over HTTP to who may search it, as a file to be kept', async () => {
  const client = openClient(
    server.url,
    await lastLine(home, 'token', '--scope', 'patient/AuditEvent.rs', '--patient', greta),
  )
  const path = `/fhir/Patient/${greta}/$audit-export`
  const { status, headers, body } = await client.send({ path })
  expect([status, headers['content-type']]).toEqual([200, 'text/csv; charset=utf-8; header=present'])
  expect(headers['content-disposition']).toBe(`attachment; filename="audit-${greta}.csv"`)
  const rows: readonly Row[] = parse(body, { columns: true, record_delimiter: '\r\n' })
  expect(deeds(rows, greta)).toEqual([`create ${host}`, `update ${host}`])
  expect((await client.send({ method: 'HEAD', path })).status).toBe(200)
  expect((await client.send({ path: path.replace(greta, emil) })).status).toBe(404)
  client.close()
})

it.each([
  ['a patient who is not kept', ['--patient', 'nobody'], 'record.unknown'],
  ['no time', ['--since', 'lately'], 'command.time-malformed'],
])('says what is wrong: %s', async (_, options, code) => {
  const { status, stdout, stderr } = await run(home, 'audit', 'export', ...options)
  expect([status, stdout, stderr.split(':')[0]]).toEqual([1, '', code])
})
