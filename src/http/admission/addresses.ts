import type { IncomingMessage } from 'node:http'
import { isIP, type Socket } from 'node:net'
import ipaddr from 'ipaddr.js'
import { networkOf } from '#web'

/** Who sends a request, as far as the network tells. */
export interface Caller {
  /** The address of the client; behind trusted proxies what they say, else the other end of the connection. */
  readonly address: string
  /** What of it one person cannot change at will; whatever is counted is counted by this. */
  readonly network: string
}

/** Finds out who sends a request. */
export interface Addresses {
  of(request: IncomingMessage): Caller
  /** The other end of a connection, and whether it is a trusted proxy, behind which there are many. */
  peerOf(socket: Socket): Peer
}

/** The other end of a connection. */
export interface Peer extends Caller {
  readonly isProxy: boolean
}

type Range = ReturnType<typeof ipaddr.parseCIDR>

function parseRange(text: string): Range {
  if (text.includes('/')) return ipaddr.parseCIDR(text)
  const address = ipaddr.process(text)
  return [address, address.kind() === 'ipv4' ? 32 : 128]
}

function isWithin(address: string, ranges: readonly Range[]): boolean {
  if (!ipaddr.isValid(address)) return false
  const parsed = ipaddr.process(address)
  return ranges.some(([range, bits]) => range.kind() === parsed.kind() && parsed.match(range, bits))
}

const inBrackets = /^\[([^\]]+)\](?::\w+)?$/
const withPort = /^(\d{1,3}(?:\.\d{1,3}){3}):\w+$/

/** The address of a node as proxies write it, without its port; undefined for `unknown`, `_hidden` and nonsense. */
function addressOf(node: string): string | undefined {
  const plain = inBrackets.exec(node)?.[1] ?? withPort.exec(node)?.[1] ?? node
  return isIP(plain) === 0 ? undefined : plain
}

/** Elements of a list in a header; commas in quotes part nothing. */
const elements = /(?:[^,"]|"(?:\\.|[^"\\])*")+/g
const forNode = /(?:^|;)\s*for\s*=\s*(?:"((?:\\.|[^"\\])*)"|([^;\s"]+))/i

/** The nodes of a Forwarded header, the client first: https://www.rfc-editor.org/rfc/rfc7239#section-4 */
function nodesOfForwarded(header: string): string[] {
  return (header.match(elements) ?? []).map(element => {
    const [, quoted, token] = forNode.exec(element) ?? []
    return quoted?.replaceAll(/\\(.)/g, '$1') ?? token ?? ''
  })
}

function nodesOfList(header: string): string[] {
  return header.split(',').map(node => node.trim())
}

/** The right-most node that is no trusted proxy: what stands left of it was written by whoever that is. */
function clientOf(nodes: readonly string[], peer: string, trusted: readonly Range[]): string {
  let last = peer
  for (const node of nodes.toReversed()) {
    const address = addressOf(node)
    if (address === undefined) return last
    if (!isWithin(address, trusted)) return address
    last = address
  }
  return last
}

/**
 * Who the client is behind trusted proxies. A proxy that writes one of the two headers may hand on the other as a client
 * sent it: where they name two clients, neither is believed, and the proxy's own address stands for whoever tries that.
 */
function forwardedFor({ headers }: IncomingMessage, peer: string, trusted: readonly Range[]): string {
  const list = headers['x-forwarded-for']
  const said = [
    ...(list === undefined ? [] : [nodesOfList([list].flat().join(','))]),
    ...(headers.forwarded === undefined ? [] : [nodesOfForwarded(headers.forwarded)]),
  ]
  const clients = new Set(said.map(nodes => clientOf(nodes, peer, trusted)))
  const [client = peer] = clients
  return clients.size === 1 ? client : peer
}

/**
 * @param trustedProxies  CIDRs or addresses of proxies whose word is taken for whom they speak
 */
export function openAddresses(trustedProxies: readonly string[]): Addresses {
  const trusted = trustedProxies.map(parseRange)
  const peers = new WeakMap<Socket, Peer>()

  function peerOf(socket: Socket): Peer {
    const known = peers.get(socket)
    if (known !== undefined) return known
    const address = plainAddress(socket.remoteAddress ?? '')
    const peer = { address, network: networkOf(address), isProxy: isWithin(address, trusted) }
    peers.set(socket, peer)
    return peer
  }

  return {
    peerOf,
    of(request) {
      const peer = peerOf(request.socket)
      if (!peer.isProxy) return peer
      const address = plainAddress(forwardedFor(request, peer.address, trusted))
      return { address, network: networkOf(address) }
    },
  }
}

/** An IPv4 address that came in through an IPv6 socket, as what it is. */
function plainAddress(address: string): string {
  return ipaddr.isValid(address) ? ipaddr.process(address).toString() : address
}
