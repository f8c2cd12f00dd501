/** `kinhold mllp` in a process of its own, and whoever sends to it: `net` is the foreign client. */
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { writeFile } from 'node:fs/promises'
import { connect, type Socket } from 'node:net'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { commandIn, type Home, mainFile } from './home.ts'

export const frame = (text: string) => `\x0b${text}\x1c\r`

const msh = (event: string, id: string, mode = '') =>
  `MSH|^~\\&|REG|HOSP|K|H|20240310080000+0000||${event}|${id}|P|2.5.1|||${mode}`
const pid = 'PID|1||4711^^^HOSP^MR||Sample^Ann||19800203|F'

export const messages = {
  msh,
  pid,
  admission: (id: string, mode?: string) => `${msh('ADT^A01', id, mode)}\r${pid}\rPV1|1|I|WARD1||||||||||||||||V1\r`,
  /** @param order  the filler's number: a result of the same order replaces the one before */
  result: (id: string, value: string, mode?: string, order = 'F1') =>
    `${msh('ORU^R01', id, mode)}\r${pid}\rOBR|1||${order}|PAN^Panel^L|||20240310110000+0000\rOBX|1|NM|2345-7^Glucose^LN||${value}|mg/dL|||||F\r`,
}

export interface Gate {
  readonly child: ChildProcess
  readonly ports: readonly number[]
  /** What it said of connections. */
  readonly said: string[]
}

/** Those that were started and may still run. */
const started: ChildProcess[] = []

/** `kinhold mllp`, once all of its ports are open. */
export async function openGate(home: Home, listeners: readonly object[], url: string): Promise<Gate> {
  const settings = join(home.folder, 'mllp.json')
  await writeFile(settings, JSON.stringify(listeners))
  const [command, ...words] = commandIn(home, mainFile, 'mllp', settings, '--url', url)
  const child = spawn(command, words, { env: home.env, cwd: home.folder, stdio: ['ignore', 'pipe', 'pipe'] })
  started.push(child)
  const said: string[] = []
  createInterface(child.stderr).on('line', line => said.push(line))
  const ports: number[] = []
  for await (const line of createInterface(child.stdout)) {
    ports.push(Number(new URL(line.replace(/^mllps?/, 'http')).port))
    if (ports.length === listeners.length) return { child, ports, said }
  }
  throw new Error(`mllp ended: ${said.join('\n')}`)
}

/** What comes back on a connection, frame by frame. */
export class Sender {
  readonly socket: Socket
  readonly #frames: string[] = []
  #wake = () => undefined as undefined
  isOver = false

  constructor(socket: Socket) {
    this.socket = socket
    let text = ''
    socket.setEncoding('latin1')
    socket.on('data', chunk => {
      text += chunk
      for (let at = text.indexOf('\x1c\r'); at >= 0; at = text.indexOf('\x1c\r')) {
        this.#frames.push(text.slice(1, at))
        text = text.slice(at + 2)
      }
      this.#wake()
    })
    for (const event of ['close', 'error'])
      socket.on(event, () => {
        this.isOver = true
        this.#wake()
      })
  }

  send(...messages: readonly string[]): void {
    this.socket.write(messages.map(frame).join(''), 'latin1')
  }

  /** The next acknowledgement; undefined where the connection ended. */
  async next(): Promise<string | undefined> {
    while (this.#frames.length === 0 && !this.isOver)
      await new Promise<void>(resolve => {
        this.#wake = () => void resolve() as undefined
      })
    return this.#frames.shift()
  }

  async codes(count: number): Promise<readonly (string | undefined)[]> {
    const codes: (string | undefined)[] = []
    for (let at = 0; at < count; at++) codes.push(/MSA\|(\w\w\|[^|\r]*)/.exec((await this.next()) ?? '')?.[1])
    return codes
  }
}

export async function sender(port: number | undefined, host = '127.0.0.1'): Promise<Sender> {
  const socket = connect({ port: port ?? 0, host })
  await once(socket, 'connect')
  return new Sender(socket)
}

export async function ended(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return
  child.kill('SIGTERM')
  await once(child, 'exit')
}

/** Ends all that were started. */
export async function closeGates(): Promise<void> {
  for (const child of started.splice(0)) await ended(child)
}
