/** Files that are put into folders are taken in: `kinhold watch` hands them on to a server. */
import { chmod, mkdir, readdir, readFile, rm, symlink, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { Bundle, Parameters } from '@medplum/fhirtypes'
import { openClient } from './server/client.ts'
import { type Home, lastLine, newHome, run } from './server/home.ts'
import { type RunningServer, startServer } from './server/start-server.ts'

let home: Home
let server: RunningServer
let token: string
let patient: string

beforeAll(async () => {
  home = await newHome('watch')
  server = await startServer(home)
  token = await lastLine(home, 'token', '--scope', 'system/*.cruds')
  patient = await lastLine(home, 'patient', 'create')
  await writeFile(join(home.folder, 'all.token'), `${token}\n`, { mode: 0o600 })
  for (const name of ['clinic', 'phone']) await mkdir(join(home.folder, name), { mode: 0o700 })
  const folders = [
    { folder: 'clinic', token: 'all.token' },
    { folder: 'phone', token: 'all.token', patient },
  ]
  await writeFile(join(home.folder, 'watch.json'), JSON.stringify(folders))
})
afterAll(async () => {
  await server.stop()
  await home.remove()
})

const at = (...names: readonly string[]) => join(home.folder, ...names)
const namesIn = async (...names: readonly string[]) => (await readdir(at(...names))).sort()
const watchOnce = (url = server.url) => run(home, 'watch', 'watch.json', '--once', '--url', url)
const adt = (number: string, event = 'A04') =>
  `MSH|^~\\&|HIS|CLINIC|||20260210||ADT^${event}|W-${number}|P|2.5\rPID|1||${number}^^^CLINIC^MR||Canary${number}^Olive||19510607|F\r`
const countOf = async (query: string) => {
  const client = openClient(server.url, token)
  try {
    return (await client.send({ path: `/fhir/${query}&_summary=count` })).json<Bundle>().total
  } finally {
    client.close()
  }
}
const put = (name: string, text: string) => writeFile(at('clinic', name), text)

describe('a folder of messages', () => {
  it('has them taken in, or refused, with the report beside each', async () => {
    await put('a.hl7', adt('1'))
    await put('b.hl7', adt('2', 'A08'))
    await put('batch.hl7', `BHS|^~\\&|A|B\r${adt('3')}${adt('4')}BTS|2\r`)
    const { status, stdout, stderr } = await watchOnce()
    expect(status).toBe(1)
    expect(await namesIn('clinic')).toEqual(['done', 'refused', 'taking'])
    expect(await namesIn('clinic', 'done')).toEqual(['a.hl7', 'a.hl7.report.hl7', 'batch.hl7', 'batch.hl7.report.hl7'])
    expect(await namesIn('clinic', 'refused')).toEqual(['b.hl7', 'b.hl7.report.hl7'])
    expect(await readFile(at('clinic', 'done', 'a.hl7.report.hl7'), 'utf8')).toContain('MSA|AA|W-1')
    expect(await readFile(at('clinic', 'refused', 'b.hl7.report.hl7'), 'utf8')).toContain('MSA|AE|W-2')
    expect(stdout + stderr).not.toMatch(/Canary|a\.hl7/)
    expect(await countOf('Patient?family=Canary1,Canary3,Canary4')).toBe(3)
  })

  it('is told what is refused by its letter, too', async () => {
    expect((await run(home, 'letters')).stdout).toMatch(/ADT\^A08\tHIS CLINIC\thouse\tingest\.hl7-patient-unknown/)
  })

  it('has a file of a name that was there before beside that one', async () => {
    await put('a.hl7', adt('5'))
    await watchOnce()
    expect(await namesIn('clinic', 'done')).toContain('a-2.hl7')
    expect(await readFile(at('clinic', 'done', 'a-2.hl7.report.hl7'), 'utf8')).toContain('MSA|AA|W-5')
  })

  it('has nothing twice after a crash: what was taken is handed on again, and the server knows it', async () => {
    await writeFile(at('clinic', 'taking', 'cut.hl7'), adt('1'))
    await watchOnce()
    const [first, again] = await Promise.all(
      ['a.hl7', 'cut.hl7'].map(name => readFile(at('clinic', 'done', `${name}.report.hl7`), 'utf8')),
    )
    expect(again).toBe(first)
    expect(await countOf('Patient?family=Canary1')).toBe(1)
  })

  it('keeps what the server does not take at this moment, and takes it later', async () => {
    await put('later.hl7', adt('6'))
    const { status, stderr } = await watchOnce('http://127.0.0.1:9')
    expect(status).toBe(1)
    expect(stderr).toContain('not handed on at this moment')
    expect(await namesIn('clinic', 'taking')).toEqual(['later.hl7'])
    await writeFile(at('wrong.token'), 'nothing\n', { mode: 0o600 })
    const folders = await readFile(at('watch.json'), 'utf8')
    await writeFile(at('watch.json'), folders.replaceAll('all.token', 'wrong.token'))
    expect((await watchOnce()).stderr).toContain('may not hand messages on')
    expect(await namesIn('clinic', 'taking')).toEqual(['later.hl7'])
    await writeFile(at('watch.json'), folders)
    await watchOnce()
    expect(await namesIn('clinic', 'taking')).toEqual([])
    expect(await countOf('Patient?family=Canary6')).toBe(1)
  })

  it('leaves alone what is no file, or is not finished', async () => {
    await writeFile(at('outside.hl7'), adt('7'))
    await symlink(at('outside.hl7'), at('clinic', 'link.hl7'))
    await symlink(at('outside.hl7'), at('clinic', 'taking', 'link.hl7'))
    for (const name of ['.hidden.hl7', 'x.part', 'y.tmp', 'z.filepart']) await put(name, adt('7'))
    await mkdir(at('clinic', 'inner'))
    await watchOnce()
    expect(await namesIn('clinic')).toEqual(
      expect.arrayContaining(['.hidden.hl7', 'inner', 'link.hl7', 'x.part', 'y.tmp', 'z.filepart']),
    )
    expect(await countOf('Patient?family=Canary7')).toBe(0)
    for (const name of ['link.hl7', 'taking/link.hl7', 'x.part', 'y.tmp', 'z.filepart', '.hidden.hl7'])
      await rm(at('clinic', name))
  })
})

describe('a folder of files of one patient', () => {
  it('has each imported, with what became of its rows', async () => {
    const observation = {
      resourceType: 'Observation',
      status: 'final',
      code: { text: 'x' },
      subject: { reference: 'Patient/p' },
    }
    const entry = [{ resource: { resourceType: 'Patient', id: 'p' } }, { resource: observation }]
    await writeFile(at('phone', 'export.json'), JSON.stringify({ resourceType: 'Bundle', type: 'collection', entry }))
    expect((await watchOnce()).status).toBe(0)
    await writeFile(at('phone', 'noise.bin'), Buffer.from([1, 2, 3]))
    expect((await watchOnce()).status).toBe(1)
    expect(await namesIn('phone', 'done')).toEqual(['export.json', 'export.json.report.json'])
    expect(await namesIn('phone', 'refused')).toEqual(['noise.bin', 'noise.bin.report.json'])
    const report = JSON.parse(await readFile(at('phone', 'done', 'export.json.report.json'), 'utf8')) as Parameters
    expect(report.parameter?.find(({ name }) => name === 'rows')?.valueInteger).toBe(2)
    expect(await countOf(`Observation?patient=${patient}`)).toBe(1)
  })

  it('says of a file that rows of it were rejected, and takes in the others', async () => {
    const subject = { reference: `Patient/${patient}` }
    const rows = ['final', 'unheard-of'].map((status, at) =>
      JSON.stringify({ resourceType: 'Observation', id: `r${at}`, status, code: { text: `row ${at}` }, subject }),
    )
    await writeFile(at('phone', 'rows.ndjson'), rows.join('\n'))
    const { status, stdout, stderr } = await watchOnce()
    expect(status).toBe(1)
    expect(stdout + stderr).toContain('rows that were rejected')
    expect(await namesIn('phone', 'done')).toContain('rows.ndjson.report.json')
    expect(await countOf(`Observation?patient=${patient}`)).toBe(2)
  })
})

describe('settings that cannot be: command.watch-malformed, command.file-unreadable', () => {
  it.each([
    ['{', 'JSON'],
    ['[]', 'a list of folders'],
    ['[{"folder":"clinic"}]', '[0].token'],
    ['[{"folder":"clinic","token":"all.token","patent":"x"}]', '[0].patent'],
    ['[{"folder":"clinic","token":1}]', '[0].token'],
    ['[{"folder":"clinic","token":"all.token"},{"folder":"clinic","token":"all.token"}]', 'folder'],
  ])('%s', async (text, place) => {
    await writeFile(at('bad.json'), text)
    const { status, stderr } = await run(home, 'watch', 'bad.json', '--once')
    expect([status === 0, stderr.includes('command.watch-malformed'), stderr.includes(place)]).toEqual([
      false,
      true,
      true,
    ])
  })

  it.each([
    ['[{"folder":"nowhere","token":"all.token"}]', 'nowhere'],
    ['[{"folder":"clinic","token":"no.token"}]', 'no.token'],
  ])('%s', async (text, place) => {
    await writeFile(at('bad.json'), text)
    const { status, stderr } = await run(home, 'watch', 'bad.json', '--once')
    expect([status === 0, stderr.includes('command.file-unreadable'), stderr.includes(place)]).toEqual([
      false,
      true,
      true,
    ])
  })

  it('a folder or a token that others may use is warned of', async () => {
    await chmod(at('clinic'), 0o777)
    await chmod(at('all.token'), 0o644)
    const { stderr } = await watchOnce()
    expect(stderr.match(/warning:/g)?.length).toBeGreaterThanOrEqual(2)
  })
})
