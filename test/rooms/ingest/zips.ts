import { crc32, deflateRawSync } from 'node:zlib'

/** A file of a zip; `at` lets it lie where another one lies. */
export interface Packed {
  readonly name: string
  readonly data: Buffer
  readonly at?: number
}

/**
 * A zip as no library writes it, in a moment: of tens of thousands of files, of which several may share their bytes.
 *
 * @see https://pkware.cachefly.net/webdocs/casestudies/APPNOTE.TXT 4.3
 */
export function zipOfMany(files: Iterable<Packed>): Buffer {
  const packed = new Map<Buffer, Buffer>()
  const [bodies, directory]: [Buffer[], Buffer[]] = [[], []]
  let [at, count] = [0, 0]
  for (const { name, data, at: chosen } of files) {
    const bytes = packed.get(data) ?? deflateRawSync(data)
    packed.set(data, bytes)
    const common = commonOf(bytes, data, name)
    directory.push(headOf(0x02014b50, 46, common, 16, 10, 28, chosen ?? at), Buffer.from(name))
    count += 1
    if (chosen !== undefined) continue
    const body = Buffer.concat([headOf(0x04034b50, 30, common, 14, 8, 26), Buffer.from(name), bytes])
    bodies.push(body)
    at += body.length
  }
  const list = Buffer.concat(directory)
  return Buffer.concat([...bodies, list, endOf(count, list.length, at)])
}

interface Common {
  readonly checksum: number
  readonly sizes: readonly [packed: number, plain: number]
  readonly nameLength: number
}

function commonOf(bytes: Buffer, data: Buffer, name: string): Common {
  return { checksum: crc32(data), sizes: [bytes.length, data.length], nameLength: Buffer.byteLength(name) }
}

function headOf(
  signature: number,
  length: number,
  { checksum, sizes, nameLength }: Common,
  checksumAt: number,
  methodAt: number,
  nameAt: number,
  offset?: number,
): Buffer {
  const head = Buffer.alloc(length)
  head.writeUInt32LE(signature, 0)
  head.writeUInt16LE(8, methodAt)
  head.writeUInt32LE(checksum, checksumAt)
  sizes.forEach((size, nth) => void head.writeUInt32LE(size, checksumAt + 4 + 4 * nth))
  head.writeUInt16LE(nameLength, nameAt)
  if (offset !== undefined) head.writeUInt32LE(offset, 42)
  return head
}

/** The end, and before it that of ZIP64, which counts more than 65,535 files. */
function endOf(count: number, size: number, at: number): Buffer {
  const [wide, locator, end] = [Buffer.alloc(56), Buffer.alloc(20), Buffer.alloc(22)]
  wide.writeUInt32LE(0x06064b50, 0)
  wide.writeBigUInt64LE(44n, 4)
  ;[count, count, size, at].forEach((figure, nth) => void wide.writeBigUInt64LE(BigInt(figure), 24 + 8 * nth))
  locator.writeUInt32LE(0x07064b50, 0)
  locator.writeBigUInt64LE(BigInt(at + size), 8)
  locator.writeUInt32LE(1, 16)
  end.writeUInt32LE(0x06054b50, 0)
  const isWide = count > 0xffff
  end.writeUInt16LE(isWide ? 0xffff : count, 8)
  end.writeUInt16LE(isWide ? 0xffff : count, 10)
  end.writeUInt32LE(isWide ? 0xffffffff : size, 12)
  end.writeUInt32LE(isWide ? 0xffffffff : at, 16)
  return Buffer.concat(isWide ? [wide, locator, end] : [end])
}
