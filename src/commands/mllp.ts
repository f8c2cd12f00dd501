import { dirname, resolve } from 'node:path'
import { createSecureContext } from 'node:tls'
import { Problem } from '#kernel'
import { type Listener, type ListenerSettings, listenMllp, parseListeners } from '#mllp'
import { ownAddress, textOf, warnOfReaders } from './handing-on.ts'
import { output } from './output.ts'
import { places } from './places.ts'
import { stopSignal } from './stop-signal.ts'

const patienceMs = 30_000

/**
 * Listens for HL7 v2 over MLLP and hands each message on to a server, until a signal. It opens no house and has no keys: what it may
 * write is what its tokens may.
 */
export async function mllp(file: string, { url }: { url?: string }): Promise<void> {
  const path = resolve(places().cwd, file)
  const settings = parseListeners(await textOf(path))
  const server = new URL('/hl7v2', url ?? ownAddress())
  const opened: Listener[] = []
  try {
    for (const one of settings) opened.push(await open(one, dirname(path), server))
    await stopSignal()
  } finally {
    await Promise.all(opened.map(listener => listener.close()))
  }
}

async function open(settings: ListenerSettings, folder: string, url: URL): Promise<Listener> {
  const at = (name: string) => textOf(resolve(folder, name))
  const { host, networks, tls } = settings
  const token = async () => (await at(settings.token)).trim()
  await token()
  await warnOfReaders(resolve(folder, settings.token))
  const listener = await listening(settings, {
    port: settings.port,
    host,
    networks,
    ...(tls === undefined
      ? {}
      : { tls: await tlsOptions(tls, at), ...(tls.names === undefined ? {} : { names: tls.names }) }),
    delivery: { url, token, patienceMs },
    nowMs: () => Date.now(),
    log: text => output.say(`mllp ${settings.port}: ${text}`),
  })
  output.result(`${tls === undefined ? 'mllp' : 'mllps'}://${host}:${listener.port}`)
  return listener
}

async function listening(
  { host, port }: ListenerSettings,
  options: Parameters<typeof listenMllp>[0],
): Promise<Listener> {
  try {
    return await listenMllp(options)
  } catch (cause) {
    const text = `Nothing can listen at ${host}:${port}: another program does, or it is no address of this machine.`
    throw new Problem('conflict', 'command.address-taken', text, { cause })
  }
}

async function tlsOptions(
  { certificate, key, clients }: NonNullable<ListenerSettings['tls']>,
  at: (name: string) => Promise<string>,
) {
  const authority = clients === undefined ? {} : { ca: await at(clients), requestCert: true, rejectUnauthorized: true }
  const options = { cert: await at(certificate), key: await at(key), minVersion: 'TLSv1.2' as const, ...authority }
  try {
    createSecureContext(options)
  } catch (cause) {
    const names = [...new Set([certificate, key, clients])].filter(name => name !== undefined).join(', ')
    const text = `The files ${names} do not hold a certificate and its key.`
    throw new Problem('invalid', 'command.file-unreadable', text, { cause })
  }
  return options
}
