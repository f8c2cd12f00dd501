/** A hospital sends HL7 v2 over MLLP to `kinhold mllp`, which hands it on to a server: `net` and `tls` are the foreign clients. */
import { once } from 'node:events'
import { chmod, readFile, writeFile } from 'node:fs/promises'
import { connect } from 'node:net'
import { join } from 'node:path'
import { connect as connectTls } from 'node:tls'
import { freePort } from '../free-port.ts'
import { closeGates, ended, frame, type Gate, messages, openGate, Sender, sender } from './server/gate.ts'
import { type Home, lastLine, newHome, run } from './server/home.ts'
import { type RunningServer, startServer } from './server/start-server.ts'
import { until } from './server/waiting.ts'

let home: Home
let server: RunningServer

const { admission, msh, pid, result } = messages

beforeAll(async () => {
  home = await newHome('mllp')
  server = await startServer(home)
  await newToken('system/*.cruds', 'all.token')
})
afterAll(async () => {
  await closeGates()
  await server.stop()
  await home.remove()
})

async function newToken(scope: string, name: string): Promise<void> {
  await writeFile(join(home.folder, name), `${await lastLine(home, 'token', '--scope', scope)}\n`)
}

const listening = (listeners: readonly object[], url = server.url) => openGate(home, listeners, url)

async function glucose(): Promise<readonly number[]> {
  const token = (await readFile(join(home.folder, 'all.token'), 'utf8')).trim()
  const headers = { authorization: `Bearer ${token}` }
  const response = await fetch(new URL('/fhir/Observation?code=2345-7', server.url), { headers })
  const { entry = [] } = (await response.json()) as { entry?: { resource: { valueQuantity: { value: number } } }[] }
  return entry.map(({ resource }) => resource.valueQuantity.value)
}

describe('a port on this machine', () => {
  let gate: Gate
  beforeAll(async () => {
    gate = await listening([{ port: 0, token: 'all.token' }])
  })

  it('takes a message in, in one piece, byte by byte, and several at once in their order', async () => {
    const one = await sender(gate.ports[0])
    one.send(admission('A1'))
    expect(await one.codes(1)).toEqual(['AA|A1'])
    for (const byte of frame(result('R1', '90'))) {
      one.socket.write(byte, 'latin1')
      await new Promise(resolve => setImmediate(resolve))
    }
    expect(await one.codes(1)).toEqual(['AA|R1'])
    one.send(result('R2', '91'), result('R3', '92'), `\n${result('R4', '93')}`, result('R5', '94'))
    expect(await one.codes(4)).toEqual(['AA|R2', 'AA|R3', 'AA|R4', 'AA|R5'])
    one.socket.destroy()
    expect(await glucose()).toEqual([94])
  })

  it('answers what comes again as before, and what is wrong with its place', async () => {
    const one = await sender(gate.ports[0])
    one.send(
      result('R5', '94'),
      `${msh('ADT^A08', 'X1')}\rPID|1||9999^^^HOSP^MR||Other^Bob\r`,
      `${msh('QBP^Q22', 'X2')}\r${pid}\r`,
      'no message',
    )
    const [again, unknown, type, none] = [await one.next(), await one.next(), await one.next(), await one.next()]
    expect(again).toContain('MSA|AA|R5')
    expect(unknown).toMatch(/MSA\|AE\|X1\rERR\|\|PID/)
    expect(type).toMatch(/MSA\|AR\|X2\rERR\|\|MSH\^1\^9/)
    expect(none).toMatch(/MSA\|AR/)
    one.socket.destroy()
  })

  it('keeps several connections apart', async () => {
    const all = await Promise.all(Array.from({ length: 8 }, () => sender(gate.ports[0])))
    for (const [at, one] of all.entries()) one.send(result(`P${at}`, '95'), result(`Q${at}`, '96'))
    expect(await Promise.all(all.map(one => one.codes(2)))).toEqual(all.map((_, at) => [`AA|P${at}`, `AA|Q${at}`]))
    for (const { socket } of all) socket.destroy()
  })

  it.each([
    ['AL|AL', ['CA|E1', 'AA|E1'], ['CR|E1', 'AR|E1']],
    ['AL|NE', ['CA|E1'], ['CR|E1']],
    ['AL', ['CA|E1'], ['CR|E1']],
    ['NE|AL', ['AA|E1'], ['AR|E1']],
    ['ER|ER', [], ['CR|E1', 'AR|E1']],
    ['SU|SU', ['CA|E1', 'AA|E1'], []],
    ['NE|NE', [], []],
    // What is no mode says nothing of an answer: words that every object has, the null of HL7, small letters.
    ['__proto__|constructor', ['AA|E1'], ['AR|E1']],
    ['""|""', ['AA|E1'], ['AR|E1']],
    ['al|XX', ['AA|E1'], ['AR|E1']],
    ['al|AL', ['AA|E1'], ['AR|E1']],
  ])('speaks in the enhanced mode %s – HL7 v2.5.1, 2.9.3 and table 0155', async (mode, taken, refused) => {
    const one = await sender(gate.ports[0])
    const good = result('E1', '97', mode)
    const bad = `${msh('QBP^Q22', 'E1', mode)}\r${pid}\r`
    // What follows in the original mode tells that nothing else was said.
    for (const [message, codes] of [
      [good, taken],
      [bad, refused],
    ] as const) {
      one.send(message, result('R5', '94'))
      expect(await one.codes(codes.length + 1)).toEqual([...codes, 'AA|R5'])
    }
    one.socket.destroy()
  })

  it.each([
    ['bytes that are no MLLP', 'x'.repeat(2000), /no MLLP/],
    ['a message that is too long', `\x0bMSH|^~\\&|${'x'.repeat(6 * 1024 * 1024)}`, /too long/],
  ])('ends a connection that sends %s', async (_, text, why) => {
    const one = await sender(gate.ports[0])
    one.socket.write(text, 'latin1')
    expect(await one.next()).toBeUndefined()
    // What it says comes on another way.
    await until(() => why.test(gate.said.join('\n')))
    expect(gate.said.join('\n')).not.toContain('xxxx')
  })

  it('ends when it is told to, with what it has in hand answered', async () => {
    const one = await sender(gate.ports[0])
    one.send(result('Z1', '98'))
    const answer = one.codes(1)
    await new Promise(resolve => setTimeout(resolve, 5))
    await ended(gate.child)
    // Either it was handed on, and is answered, or nobody has it, and the sender sends it again.
    expect([['AA|Z1'], [undefined]]).toContainEqual(await answer)
    expect(gate.child.exitCode).toBe(0)
  })
})

describe('whose messages are handed on', () => {
  it('is what the port’s own token allows', async () => {
    await newToken('system/Observation.rs', 'reads.token')
    const gate = await listening([{ port: 0, token: 'reads.token' }])
    const one = await sender(gate.ports[0])
    one.send(result('T1', '90'))
    const refusal = await one.next()
    expect(refusal).toMatch(/MSA\|AR\|T1\rERR/)
    expect(refusal).not.toContain('Glucose')
    one.socket.destroy()
    await ended(gate.child)
  })

  it('are tried again while the server is away, and taken when it comes', async () => {
    const port = await freePort()
    const gate = await listening([{ port: 0, token: 'all.token' }], `http://127.0.0.1:${port}`)
    const one = await sender(gate.ports[0])
    one.send(result('W1', '99'))
    await new Promise(resolve => setTimeout(resolve, 500))
    const second = await startServer({ ...home, env: { ...home.env, KINHOLD_PORT: String(port) } })
    expect(await one.codes(1)).toEqual(['AA|W1'])
    one.socket.destroy()
    await ended(gate.child)
    await second.stop()
  })
})

describe('who may connect', () => {
  it('is of a network that is named', async () => {
    const gate = await listening([{ port: 0, token: 'all.token', networks: ['127.0.0.2'] }])
    const other = await sender(gate.ports[0])
    expect(await other.next()).toBeUndefined()
    const own = connect({ port: gate.ports[0] ?? 0, host: '127.0.0.1', localAddress: '127.0.0.2' })
    await once(own, 'connect')
    const one = new Sender(own)
    one.send(result('N1', '90'))
    expect(await one.codes(1)).toEqual(['AA|N1'])
    one.socket.destroy()
    await ended(gate.child)
  })

  it('has a certificate of the house, of a name that is named', async () => {
    await run(home, 'certificate')
    const tls = join(home.keys, 'tls')
    const pfx: Record<string, { pfx: Buffer; passphrase: string }> = {}
    for (const name of ['Laboratory', 'Kitchen']) {
      const passphrase = await lastLine(home, 'certificate', 'client', name, '--out', `${name}.p12`)
      pfx[name] = { pfx: await readFile(join(home.folder, `${name}.p12`)), passphrase }
    }
    const [certificate, clients] = [join(tls, 'server.pem'), join(tls, 'ca.pem')]
    const gate = await listening([
      { port: 0, host: '0.0.0.0', token: 'all.token', tls: { certificate, clients, names: ['Laboratory'] } },
    ])
    const ca = await readFile(clients)
    const heard = async (name?: string) => {
      const own = name === undefined ? {} : pfx[name]
      const one = new Sender(connectTls({ port: gate.ports[0] ?? 0, host: '127.0.0.1', ca, ...own }))
      one.send(result('C1', '90'))
      const [code] = await one.codes(1)
      one.socket.destroy()
      return code
    }
    expect([await heard('Laboratory'), await heard('Kitchen'), await heard()]).toEqual(['AA|C1', undefined, undefined])
    await ended(gate.child)
  })
})

it('a token that others may read is warned of, and used', async () => {
  await chmod(join(home.folder, 'all.token'), 0o644)
  const open = await listening([{ port: 0, token: 'all.token' }])
  await ended(open.child)
  await chmod(join(home.folder, 'all.token'), 0o600)
  const shut = await listening([{ port: 0, token: 'all.token' }])
  await ended(shut.child)
  const warned = [open, shut].map(({ said }) => said.some(line => line.includes('chmod 600')))
  expect(warned).toEqual([true, false])
})

describe('settings that would not do', () => {
  it.each([
    ['mllp.settings-malformed', 'no JSON'],
    ['mllp.settings-malformed', '[]'],
    ['mllp.settings-malformed', '[{"port": 70000, "token": "all.token"}]'],
    ['mllp.settings-malformed', '[{"port": 0}]'],
    ['mllp.settings-malformed', '[{"port": 0, "token": "all.token", "netwroks": []}]'],
    ['mllp.settings-malformed', '[{"port": 0, "token": "all.token", "tls": {"certificate": "x", "names": ["a"]}}]'],
    // One of these would end the process when somebody connects.
    ...['clinic.example', '10.20.0.0/99', '10.20.0.0/', '/8', ' '].map(network => [
      'mllp.settings-malformed',
      `[{"port": 0, "token": "all.token", "networks": ["10.0.0.0/8", "${network}"]}]`,
    ]),
    ['mllp.listener-open', '[{"port": 0, "host": "0.0.0.0", "token": "all.token"}]'],
    ['mllp.listener-open', '[{"port": 0, "host": "0.0.0.0", "token": "all.token", "tls": {"certificate": "x"}}]'],
    ['command.file-unreadable', '[{"port": 0, "token": "none.token"}]'],
    ['command.file-unreadable', '[{"port": 0, "token": "all.token", "tls": {"certificate": "all.token"}}]'],
  ])('%s: %s', async (code, text) => {
    const settings = join(home.folder, 'bad.json')
    await writeFile(settings, text)
    const { status, stderr } = await run(home, 'mllp', settings, '--url', server.url)
    expect([status, stderr.includes(code)]).toEqual([1, true])
  })
})
